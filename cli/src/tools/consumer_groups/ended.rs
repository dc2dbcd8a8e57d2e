//! Why the tool ends early: with a problem that is reported on standard output, or with anything else.
//!
//! The reference reports a problem as its outermost exception describes itself. How often the exception is wrapped
//! in others depends on the call, and shows in the text.

use std::io;

use ottla_client::{ApiError, ClientError};
use ottla_protocol::errors::ErrorCode;

use crate::connect;
use crate::jopt::OptionError;
use crate::stop::{Failure, Stop};

#[derive(Debug)]
pub(super) enum Ended {
    Problem(Problem),
    Stop(Stop),
}

#[derive(Debug)]
pub(super) struct Problem {
    /// What standard output says.
    pub(super) sentence: String,
    /// What standard error says.
    pub(super) failure: Failure,
    /// The broker's error, where one is the cause.
    pub(super) code: Option<ErrorCode>,
}

impl Problem {
    /// Why it is, in a sentence without its end: what a broker has said, or why none has said anything.
    pub(super) fn cause(&self) -> &str {
        let Failure { message, hints, .. } = &self.failure;
        let cause = match self.code {
            Some(_) => message,
            None => hints.first().unwrap_or(message),
        };
        cause.trim_end_matches('.')
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapped {
    Not,
    Once,
    Twice,
}

impl Wrapped {
    pub(super) fn sentence(self, class: &str, text: &str) -> String {
        match self {
            Self::Not => text.to_owned(),
            Self::Once => format!("{class}: {text}"),
            Self::Twice => format!("java.util.concurrent.ExecutionException: {class}: {text}"),
        }
    }

    /// For `map_err`: a call of this name failed as a whole.
    pub(super) fn failed(self, call: &'static str) -> impl Fn(ClientError) -> Problem {
        move |error| {
            let failure = connect::failure(call, &error);
            let sentence = self.sentence(&class_of(&error), &failure.message);
            Problem {
                sentence,
                failure,
                code: error.code(),
            }
        }
    }

    /// For `map_err`: the broker said no.
    pub(super) fn refused(self) -> impl Fn(ApiError) -> Problem {
        move |error| Problem {
            sentence: self.sentence(&connect::class(error.code), error.text()),
            code: Some(error.code),
            failure: connect::refused(error),
        }
    }
}

pub(super) fn class_of(error: &ClientError) -> String {
    connect::class(error.code().unwrap_or(ErrorCode::RequestTimedOut))
}

impl From<Problem> for Ended {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self {
            sentence: failure.message.clone(),
            failure,
            code: None,
        }
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Problem(failure.into())
    }
}

impl From<OptionError> for Ended {
    fn from(error: OptionError) -> Self {
        Failure::from(error).into()
    }
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(failure) => failure.into(),
            stop => Self::Stop(stop),
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Stop(error.into())
    }
}
