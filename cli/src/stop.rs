//! Why a tool stops before it has done everything, and what that means for exit status and standard error.

use std::io;

use crate::jopt::OptionError;

/// The reasons to stop. A tool returns one with `?`; [`crate::tool::run`] turns it into text and an exit status.
#[derive(Debug)]
pub enum Stop {
    /// `--version`: the reference's version on standard output, status 0.
    Version,
    /// `--help`, or no option at all: the sentence and all options on standard error, status 1 like the reference; what the
    /// reference does not have helps on standard output, with status 0.
    Help(&'static str),
    /// The options contradict each other or one is missing: status 1, or 2 of what the reference does not have.
    Usage(String),
    Failed(Failure),
    /// Everything was said already; only the status is left.
    Status(u8),
    /// Standard output went away: silence and success for a broken pipe, a failure for anything else.
    Output(io::Error),
}

/// A failure as a person reads it: the first line is the reference's sentence where it has one, the hints are what to
/// do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    pub hints: Vec<String>,
    pub status: u8,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hints: Vec::new(),
            status: 1,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// For the tools that report failures with status 0.
    #[must_use]
    pub fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }
}

impl Stop {
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(message))
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<OptionError> for Failure {
    fn from(error: OptionError) -> Self {
        let failure = Self::new(error.to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<OptionError> for Stop {
    fn from(error: OptionError) -> Self {
        Self::Failed(error.into())
    }
}
