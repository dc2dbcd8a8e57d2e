//! Failures at run time, as the reference's exceptions tell them.

use std::io::Write as _;

use ottla_client::{ApiError, ClientError};
use ottla_protocol::errors::ErrorCode;

use super::Args;
use crate::connect;
use crate::context::Context;
use crate::jopt::OptionError;
use crate::output::Format;
use crate::stop::{Failure, Stop};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thrown {
    /// The class of the exception.
    class: String,
    /// What it says of itself.
    message: String,
    /// The same for people.
    failure: Failure,
}

/// What the broker's answers are wrapped into.
const EXECUTION: &str = "java.util.concurrent.ExecutionException";

impl Thrown {
    fn new(class: &str, failure: Failure) -> Self {
        Self {
            class: class.to_owned(),
            message: failure.message.clone(),
            failure,
        }
    }

    pub(super) fn argument(message: impl Into<String>) -> Self {
        Self::new(
            "java.lang.IllegalArgumentException",
            Failure::new(message.into()),
        )
    }

    /// Standard output has what the reference says without a terminal.
    pub(super) fn nobody_to_ask() -> Self {
        let message = "Cannot invoke \"java.io.Console.readLine()\" because the return value of \
            \"java.lang.System.console()\" is null";
        Self {
            class: "java.lang.NullPointerException".to_owned(),
            message: message.to_owned(),
            failure: Failure::new(
                "There is no terminal to ask on; --force removes without asking.",
            ),
        }
    }

    /// With something to do about it, for people.
    pub(super) fn hint(mut self, hint: String) -> Self {
        self.failure = self.failure.hint(hint);
        self
    }

    /// There is nothing to connect to.
    pub(super) fn unusable(failure: Failure) -> Self {
        Self::new("org.apache.kafka.common.KafkaException", failure)
    }

    /// The settings of the client cannot be read, or cannot be.
    pub(super) fn settings(failure: Failure, args: &Args) -> Self {
        match args.command_config.contains(&failure.message) {
            true => Self::new("java.nio.file.NoSuchFileException", failure),
            false => Self::unusable(failure),
        }
    }

    /// No broker answers.
    pub(super) fn timeout(failure: Failure) -> Self {
        Self::executed(ErrorCode::RequestTimedOut, failure)
    }

    fn executed(code: ErrorCode, failure: Failure) -> Self {
        Self {
            class: EXECUTION.to_owned(),
            message: format!("{}: {}", connect::class(code), failure.message),
            failure,
        }
    }

    /// The broker's answer to one ACL or filter.
    pub(super) fn refused(error: ApiError) -> Self {
        let code = error.code;
        Self::executed(code, connect::refused(error))
    }

    /// A call that failed as a whole.
    pub(super) fn call(call: &'static str) -> impl Fn(ClientError) -> Self {
        move |error| {
            let code = error.code().unwrap_or(ErrorCode::RequestTimedOut);
            Self::executed(code, connect::failure(call, &error))
        }
    }

    /// Says it where the reference says it, and once more, with what to do about it, where people look for it.
    pub(super) fn report(self, format: Format, cx: &mut Context) -> Result<(), Stop> {
        let Self {
            class,
            message,
            failure,
        } = self;
        if format == Format::Table {
            writeln!(cx.out, "Error while executing ACL command: {message}")?;
            writeln!(cx.out, "{class}: {message}\n")?;
        }
        Err(failure.into())
    }
}

impl From<OptionError> for Thrown {
    fn from(error: OptionError) -> Self {
        let class = match error {
            OptionError::Repeated(_) => "joptsimple.MultipleArgumentsForOptionException",
            _ => "joptsimple.OptionArgumentConversionException",
        };
        Self::new(class, error.into())
    }
}
