//! What the APIs of groups share: from the answer of a machine to the reply of a request.

use ottla_coordination::Answer as Decided;
use ottla_coordination::group::Response;
use ottla_protocol::errors::ErrorCode;

use super::{Answer, Context};
use crate::exec::groups::Asked;

/// Whether the cluster and this broker's configuration have the consumer protocol (KIP-848).
pub(super) fn speaks_consumer_protocol(context: &Context<'_>) -> bool {
    let level = context
        .broker
        .image
        .load()
        .features()
        .get("group.version")
        .copied();
    let config = context.broker.config.load();
    let protocols = config
        .settings()
        .list("group.coordinator.rebalance.protocols");
    level >= Some(1) && protocols.iter().any(|protocol| protocol == "consumer")
}

/// Replies now if the machine has answered, else when it does.
pub(super) fn reply<R: Send + 'static>(
    asked: Asked,
    map: impl FnOnce(Decided<Response>) -> R + Send + 'static,
) -> Answer<R> {
    match asked {
        Asked::Now(answer) => Answer::now(map(answer)),
        Asked::Later(_) => Answer::later(async move { map(asked.answer().await) }),
    }
}

/// The same for several machines: replies when all of them have answered.
pub(super) fn reply_all<K: Send + 'static, R: Send + 'static>(
    asked: Vec<(K, Asked)>,
    map: impl FnOnce(Vec<(K, Decided<Response>)>) -> R + Send + 'static,
) -> Answer<R> {
    let mut answers = Vec::with_capacity(asked.len());
    let mut rest = asked.into_iter();
    while let Some((key, asked)) = rest.next() {
        match asked {
            Asked::Now(answer) => answers.push((key, answer)),
            Asked::Later(_) => {
                return Answer::later(async move {
                    answers.push((key, asked.answer().await));
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
pub(super) fn error_of(answer: Decided<Response>) -> ErrorCode {
    answer.err().unwrap_or(ErrorCode::UnknownServerError)
}
