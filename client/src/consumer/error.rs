//! What a poll or a commit can fail with.

use ottla_protocol::errors::ErrorCode;

use crate::{
    admin::TopicPartition,
    error::{ApiError, ClientError},
};

/// Why a consumer could not do what it was asked for. After an error of `poll` the consumer can be used further; where
/// the cause persists, the next poll says so again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerError {
    /// No broker could be asked, or none knew better.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The group's coordinator refused.
    #[error("group {group}: {error}")]
    Group { group: String, error: ApiError },
    /// A topic can't be read.
    #[error("topic {topic}: {error}")]
    Topic { topic: String, error: ApiError },
    /// A partition can't be read.
    #[error("partition {partition}: {error}")]
    Partition {
        partition: TopicPartition,
        error: ApiError,
    },
    /// Nothing is committed and `auto.offset.reset` is none.
    #[error("no offset is committed for partition {0}, and auto.offset.reset is none")]
    NoOffset(TopicPartition),
    /// The position is outside of the log and `auto.offset.reset` is none.
    #[error(
        "offset {offset} of partition {partition} is out of range, and auto.offset.reset is none"
    )]
    OutOfRange {
        partition: TopicPartition,
        offset: i64,
    },
    /// Bytes that are no sound batch; seeking past the offset goes on behind it.
    #[error(
        "the records of partition {partition} at offset {offset} can't be read: {reason}; seek past them to go on"
    )]
    Corrupt {
        partition: TopicPartition,
        offset: i64,
        reason: String,
    },
    #[error("partition {0} is not assigned to this consumer")]
    NotAssigned(TopicPartition),
    /// The call needs a group.
    #[error("{0} needs group.id to be set")]
    NoGroup(&'static str),
    /// Partitions are either assigned by hand or by the group.
    #[error("{0}")]
    Subscription(&'static str),
    /// The group has gone on without this member: others may own the partitions by now.
    #[error(
        "the offsets were not committed, because the group has rebalanced and given the partitions to another member ({0})"
    )]
    CommitFailed(ApiError),
    /// Nothing can be committed just now; nothing is lost.
    #[error("the group is rebalancing: poll until that is over, and commit again")]
    RebalanceInProgress,
    /// Another process uses the same `group.instance.id`.
    #[error("another consumer with group.instance.id {0} has taken this one's place")]
    Fenced(String),
    /// The last user of this `group.instance.id` has not left the group yet.
    #[error(
        "another consumer with group.instance.id {0} is still a member: stop it, or remove it from the group"
    )]
    Unreleased(String),
    #[error("the consumer is closed")]
    Closed,
}

impl ConsumerError {
    /// The broker's error code, where one is the cause.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Client(error) => error.code(),
            Self::Group { error, .. }
            | Self::Topic { error, .. }
            | Self::Partition { error, .. }
            | Self::CommitFailed(error) => Some(error.code),
            Self::OutOfRange { .. } => Some(ErrorCode::OffsetOutOfRange),
            Self::Fenced(_) => Some(ErrorCode::FencedInstanceId),
            Self::RebalanceInProgress => Some(ErrorCode::RebalanceInProgress),
            Self::Unreleased(_) => Some(ErrorCode::UnreleasedInstanceId),
            _ => None,
        }
    }

    /// True where the same call may succeed later without anything being done about it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Client(error) => {
                error.may_pass() || matches!(error, ClientError::TimedOut { .. })
            }
            Self::RebalanceInProgress => true,
            Self::Group { error, .. }
            | Self::Topic { error, .. }
            | Self::Partition { error, .. } => error.code.is_retriable(),
            _ => false,
        }
    }
}
