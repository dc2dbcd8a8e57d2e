//! Why a record was not, or not certainly, written.

use std::time::Duration;

use ottla_protocol::errors::ErrorCode;

use crate::{
    conn::Seconds,
    error::{ApiError, ClientError},
};

/// The end of a record that has no offset. Cloneable, as a batch's records share their fate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// Never sent.
    #[error("the record takes {bytes} bytes, more than the {max} that {key} allows")]
    TooLarge {
        bytes: usize,
        max: usize,
        key: &'static str,
    },
    #[error("topic {topic} has no partition {partition}; it has {count}")]
    NoSuchPartition {
        topic: String,
        partition: i32,
        count: i32,
    },
    #[error("the record is not valid: {0}")]
    Invalid(String),
    /// `buffer.memory` stayed full for `max.block.ms`.
    #[error("the send buffer stayed full for {}", Seconds(*.0))]
    BufferFull(Duration),
    /// The topic could not be looked up, or no broker could be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The broker refused, or kept refusing for as long as trying made sense.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// `delivery.timeout.ms` passed; whether a broker has the records is unknown if one was asked.
    #[error("not delivered within {}{}", Seconds(*.after), because(.last))]
    Expired {
        after: Duration,
        last: Option<Box<ProduceError>>,
    },
    /// A transaction's record was not delivered before the transaction was aborted.
    #[error("the transaction was aborted")]
    Aborted,
    /// The record would belong to no transaction.
    #[error("no transaction is open")]
    NoTransaction,
    /// The producer was closed before this was sent.
    #[error("the producer was closed before the record was delivered")]
    Closed,
}

impl ProduceError {
    /// The broker's error code, where one is the cause.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api(error) => Some(error.code),
            Self::Client(error) => error.code(),
            Self::Expired {
                last: Some(last), ..
            } => last.code(),
            _ => None,
        }
    }
}

fn because(last: &Option<Box<ProduceError>>) -> String {
    last.as_ref()
        .map_or_else(String::new, |error| format!(": {error}"))
}
