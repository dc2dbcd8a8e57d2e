//! Why processing stops.

use crate::{
    admin::TopicPartition,
    consumer::ConsumerError,
    producer::{ProduceError, TransactionError},
};

/// What a loop can't go on after. Whatever was under way comes again to whoever goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// A record failed to the end, and no topic is named for such.
    #[error("the record at offset {offset} of partition {partition} can't be processed: {reason}")]
    Poison {
        partition: TopicPartition,
        offset: i64,
        reason: String,
    },
    #[error("{0}")]
    Configuration(&'static str),
}
