//! What a cluster looked like at a time, as far as it answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ottla_client::admin::{GroupDescription, TopicPartition};
use ottla_client::cluster::Broker;

#[derive(Debug)]
pub(super) struct Snapshot {
    /// Since the tool began.
    pub(super) at: Duration,
    pub(super) time: Timestamp,
    pub(super) cluster_id: Option<String>,
    /// By id.
    pub(super) brokers: Vec<BrokerSeen>,
    /// By name.
    pub(super) topics: Vec<TopicSeen>,
    /// By id.
    pub(super) groups: Vec<GroupSeen>,
}

#[derive(Debug)]
pub(super) struct BrokerSeen {
    pub(super) broker: Broker,
    /// What it did not answer, and why.
    pub(super) problem: Option<String>,
    /// Of all its log directories, where it says so.
    pub(super) disk: Option<DiskSeen>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DiskSeen {
    pub(super) used_bytes: i64,
    /// None where one of the directories does not say (KIP-827).
    pub(super) usable_bytes: Option<i64>,
    pub(super) total_bytes: Option<i64>,
}

#[derive(Debug)]
pub(super) struct TopicSeen {
    pub(super) name: Arc<str>,
    pub(super) is_internal: bool,
    /// By index.
    pub(super) partitions: Vec<PartitionSeen>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct PartitionSeen {
    pub(super) index: i32,
    pub(super) leader: Option<i32>,
    pub(super) replicas: Vec<i32>,
    pub(super) isr: Vec<i32>,
    pub(super) end: Option<i64>,
    /// Of the leader's replica.
    pub(super) size_bytes: Option<i64>,
}

#[derive(Debug)]
pub(super) struct GroupSeen {
    pub(super) id: String,
    /// As the coordinator lists them; `Unknown` where it does not say.
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) coordinator: i32,
    /// None for groups that are no consumers', and where the coordinator did not answer.
    pub(super) description: Option<GroupDescription>,
    pub(super) committed: HashMap<TopicPartition, i64>,
}
