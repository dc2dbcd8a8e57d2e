//! What the APIs of coordinators share: from the answer of a machine to the reply of a request.

use ottla_coordination::Answer as Decided;
use ottla_protocol::errors::ErrorCode;

use super::Answer;
use crate::exec::shard::Asked;

/// Replies now if the machine has answered, else when it does.
pub(super) fn reply<T: Send + 'static, R: Send + 'static>(
    asked: Asked<T>,
    map: impl FnOnce(Decided<T>) -> R + Send + 'static,
) -> Answer<R> {
    match asked {
        Asked::Now(answer) => Answer::now(map(answer)),
        later => Answer::later(async move { map(later.answer().await) }),
    }
}

/// The same for several machines: replies when all of them have answered.
pub(super) fn reply_all<K: Send + 'static, T: Send + 'static, R: Send + 'static>(
    asked: Vec<(K, Asked<T>)>,
    map: impl FnOnce(Vec<(K, Decided<T>)>) -> R + Send + 'static,
) -> Answer<R> {
    let mut answers = Vec::with_capacity(asked.len());
    let mut rest = asked.into_iter();
    while let Some((key, asked)) = rest.next() {
        match asked {
            Asked::Now(answer) => answers.push((key, answer)),
            later => {
                return Answer::later(async move {
                    answers.push((key, later.answer().await));
                    for (key, asked) in rest {
                        answers.push((key, asked.answer().await));
                    }
                    map(answers)
                });
            }
        }
    }
    Answer::now(map(answers))
}

/// The error in place of a response that is not the command's.
pub(super) fn error_of<T>(answer: Decided<T>) -> ErrorCode {
    answer.err().unwrap_or(ErrorCode::UnknownServerError)
}
