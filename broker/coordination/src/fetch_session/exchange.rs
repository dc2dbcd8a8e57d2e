//! What comes in of a Fetch and what was found for it, as far as its session is concerned.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::wire::{StrBytes, Uuid};

/// A topic as the request's version names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicRef {
    Name(StrBytes),
    Id(Uuid),
}

/// How a request names topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicNaming {
    Names,
    Ids,
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionKey {
    pub topic: TopicRef,
    pub partition: i32,
}

impl PartitionKey {
    /// A copy outside the request's frame, which a session would keep alive.
    pub(super) fn detached(&self) -> Self {
        Self {
            topic: match &self.topic {
                TopicRef::Name(name) => TopicRef::Name(name.detached()),
                TopicRef::Id(id) => TopicRef::Id(*id),
            },
            partition: self.partition,
        }
    }
}

/// What a client wants of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    pub key: PartitionKey,
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
    pub max_bytes: i32,
}

/// A Fetch, as far as its session is concerned.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    pub session_id: i32,
    pub session_epoch: i32,
    pub naming: TopicNaming,
    pub partitions: Vec<FetchPartition>,
    pub forgotten: Vec<PartitionKey>,
    /// Followers keep their sessions when consumers crowd the cache.
    pub is_follower: bool,
}

/// What was found of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionResult {
    pub has_records: bool,
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub error: ErrorCode,
    /// There is a diverging epoch or a preferred read replica to tell.
    pub must_tell: bool,
    /// There is nothing to read, and [`FetchSessions::changed`] will be called when anything of it changes.
    pub is_settled: bool,
}

/// How to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Not NONE: the answer has this error and no partitions.
    pub error: ErrorCode,
    pub session_id: i32,
    /// For each result, whether it goes into the answer.
    pub include: Vec<bool>,
}
