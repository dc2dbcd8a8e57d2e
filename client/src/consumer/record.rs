//! Records as a poll hands them out.

use std::sync::Arc;

use bytes::Bytes;

use ottla_protocol::records::{OwnedHeader, TimestampType};

/// A record. Key, value and headers are slices of the response they came in, or of the inflated batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970; -1 where there is none.
    pub timestamp: i64,
    pub timestamp_type: TimestampType,
    pub leader_epoch: Option<i32>,
    pub key: Option<Bytes>,
    /// None is a tombstone.
    pub value: Option<Bytes>,
    /// In order; keys may repeat.
    pub headers: Vec<OwnedHeader>,
}

/// What one poll brought: records of several partitions, those of one partition in order.
pub type ConsumerRecords = Vec<ConsumerRecord>;
