//! Why an action ends early, as the reference tells it: on standard output, with the exception where it is one.

use std::io;

use ottla_client::{ApiError, ClientError};
use ottla_protocol::errors::ErrorCode;

use crate::connect::{self, Unconnected};
use crate::jopt::OptionError;
use crate::stop::{Failure, Stop};

#[derive(Debug)]
pub(super) enum Trouble {
    /// The sentence is all that is said.
    Terse(String),
    Thrown(Thrown),
    /// Standard output went away.
    Output(io::Error),
}

#[derive(Debug)]
pub(super) struct Thrown {
    /// The name of the exception.
    class: String,
    failure: Failure,
}

/// An exception without a message.
const NULL: &str = "java.lang.NullPointerException";

impl Trouble {
    fn thrown(class: &str, failure: Failure) -> Self {
        let class = class.to_owned();
        Self::Thrown(Thrown { class, failure })
    }

    /// What was asked for cannot be done.
    pub(super) fn command(message: impl Into<String>) -> Self {
        let class = "org.apache.kafka.tools.AdminCommandFailedException";
        Self::thrown(class, Failure::new(message))
    }

    pub(super) fn operation(failure: Failure) -> Self {
        Self::thrown("org.apache.kafka.tools.AdminOperationException", failure)
    }

    pub(super) fn unreadable(failure: Failure) -> Self {
        Self::thrown("java.io.IOException", failure)
    }

    pub(super) fn no_such_file(failure: Failure) -> Self {
        Self::thrown("java.nio.file.NoSuchFileException", failure)
    }

    pub(super) fn mapping(failure: Failure) -> Self {
        let class = "com.fasterxml.jackson.databind.JsonMappingException";
        Self::thrown(class, failure)
    }

    pub(super) fn not_a_number(text: &str) -> Self {
        let message = format!("For input string: \"{text}\"");
        Self::thrown("java.lang.NumberFormatException", Failure::new(message))
    }

    pub(super) fn client(failure: Failure) -> Self {
        Self::thrown("org.apache.kafka.common.KafkaException", failure)
    }

    /// The broker, or who stands in for it, said no.
    pub(super) fn refused(error: &ApiError) -> Self {
        Self::thrown(&connect::class(error.code), Failure::new(error.text()))
    }

    /// The same, said by a call.
    pub(super) fn in_call(error: &ApiError) -> Self {
        Self::execution(Failure::new(connect::exception(error)))
    }

    /// The reference missed it too late.
    pub(super) fn null(hint: &str) -> Self {
        Self::thrown(NULL, Failure::new("null").hint(hint))
    }

    /// For `map_err`: the call of this name failed.
    pub(super) fn failed(call: &'static str) -> impl Fn(ClientError) -> Self {
        move |error| match &error {
            ClientError::Api(refusal) => Self::in_call(refusal),
            _ => Self::timed_out(connect::failure(call, &error)),
        }
    }

    fn timed_out(failure: Failure) -> Self {
        let class = connect::class(ErrorCode::RequestTimedOut);
        let message = format!("{class}: {}", failure.message);
        Self::execution(Failure { message, ..failure })
    }

    fn execution(failure: Failure) -> Self {
        Self::thrown("java.util.concurrent.ExecutionException", failure)
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Thrown(Thrown { class, failure }) => {
                let failure = failure.hint(hint);
                Self::Thrown(Thrown { class, failure })
            }
            other => other,
        }
    }

    /// What standard output gets, and what is left to say on standard error.
    pub(super) fn told(self) -> Result<(String, Failure), Stop> {
        match self {
            Self::Terse(message) => Ok((format!("{message}\n"), Failure::new(message))),
            Self::Thrown(Thrown { class, failure }) => {
                let message = &failure.message;
                if class == NULL {
                    return Ok((format!("Error: {message}\n{class}\n\n"), failure));
                }
                Ok((format!("Error: {message}\n{class}: {message}\n\n"), failure))
            }
            Self::Output(error) => Err(error.into()),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<OptionError> for Trouble {
    fn from(error: OptionError) -> Self {
        let class = match &error {
            OptionError::Repeated(_) => "joptsimple.MultipleArgumentsForOptionException",
            _ => "joptsimple.OptionArgumentConversionException",
        };
        Self::thrown(class, error.into())
    }
}

impl From<Unconnected> for Trouble {
    fn from(unconnected: Unconnected) -> Self {
        match unconnected {
            Unconnected::NoAddress(failure) => Self::client(failure),
            Unconnected::NoBroker(failure) => Self::timed_out(failure),
        }
    }
}
