//! The hard state of the groups: what replaying `__consumer_offsets` gives, and nothing else.
//!
//! Always: `apply` is the only way to change it. A group exists where it has a record of its own or an offset was
//! committed under its name (a simple group: no members, no protocol).

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_protocol::messages::internal::group_metadata_value::MemberMetadata;
use ottla_protocol::messages::internal::{GroupMetadataValue, OffsetCommitKey, OffsetCommitValue};
use ottla_protocol::types::{Generation, Millis, Offset};
use ottla_protocol::wire::Uuid;

use super::consumer::{ConsumerGroup, ConsumerRecord};
use super::pending::PendingOffsets;
use super::records::{GroupRecord, TransactionRecord};
use crate::txn::coordinator::Outcome;

/// All groups of the partition, and their offsets. A group is of one kind at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hard {
    groups: BTreeMap<String, StoredGroup>,
    consumers: BTreeMap<String, ConsumerGroup>,
    offsets: BTreeMap<String, GroupOffsets>,
    pending: PendingOffsets,
}

/// Committed offsets of one group by topic and partition.
pub type GroupOffsets = BTreeMap<String, BTreeMap<i32, CommittedOffset>>;

/// A group as its last record left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredGroup {
    /// `consumer`, `connect` …; none for a group that only commits offsets.
    pub protocol_type: Option<String>,
    pub generation: Generation,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    /// When the group came into its state; old records do not tell.
    pub state_since: Option<Millis>,
    pub members: Vec<StoredMember>,
}

/// A member of a stable generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

/// One committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Where the commit is in the log: of two, the later counts.
    pub record_offset: Offset,
    pub offset: i64,
    /// -1: not told.
    pub leader_epoch: i32,
    pub metadata: String,
    pub commit_time: Millis,
    /// Only commits of old clients that asked for a retention of their own have one.
    pub expire_time: Option<Millis>,
    pub topic_id: Uuid,
}

impl Hard {
    #[must_use]
    pub fn group(&self, group_id: &str) -> Option<&StoredGroup> {
        self.groups.get(group_id)
    }

    /// All groups by id.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &StoredGroup)> {
        self.groups.iter().map(|(id, group)| (id.as_str(), group))
    }

    #[must_use]
    pub fn consumer_group(&self, group_id: &str) -> Option<&ConsumerGroup> {
        self.consumers.get(group_id)
    }

    /// All consumer groups by id.
    pub fn consumer_groups(&self) -> impl Iterator<Item = (&str, &ConsumerGroup)> {
        self.consumers
            .iter()
            .map(|(id, group)| (id.as_str(), group))
    }

    /// The group's offsets; none where it has not committed any.
    #[must_use]
    pub fn offsets(&self, group_id: &str) -> Option<&GroupOffsets> {
        self.offsets.get(group_id)
    }

    #[must_use]
    pub fn offset(&self, group_id: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.offsets.get(group_id)?.get(topic)?.get(&partition)
    }

    /// Offsets that open transactions have sent.
    #[must_use]
    pub fn pending(&self) -> &PendingOffsets {
        &self.pending
    }

    /// Every committed offset with its group.
    pub fn all_offsets(&self) -> impl Iterator<Item = (&str, &GroupOffsets)> {
        self.offsets
            .iter()
            .map(|(id, offsets)| (id.as_str(), offsets))
    }

    pub(super) fn apply(&mut self, offset: Offset, record: &GroupRecord) {
        match record {
            GroupRecord::GroupMetadata { key, value } => match value {
                Some(value) => {
                    self.consumers.remove(key.group.as_str());
                    let group = StoredGroup::from_record(value);
                    self.groups.insert(key.group.to_string(), group);
                }
                None => {
                    self.groups.remove(key.group.as_str());
                }
            },
            GroupRecord::OffsetCommit { key, value } => match value {
                Some(value) => self.commit(offset, key, value),
                None => self.forget(key),
            },
            GroupRecord::Consumer(record) => self.apply_consumer(record),
            GroupRecord::Transaction(record) => self.apply_transaction(offset, record),
        }
    }

    fn apply_transaction(&mut self, offset: Offset, record: &TransactionRecord) {
        match record {
            TransactionRecord::Offset {
                producer_id,
                key,
                value,
                ..
            } => {
                self.exist(&key.group);
                let committed = CommittedOffset::from_record(offset, value);
                self.pending.add(*producer_id, key, committed);
            }
            TransactionRecord::End(end) => {
                for (group_id, topic, partition, sent) in self.pending.end(end.producer_id) {
                    if end.outcome == Outcome::Commit {
                        self.commit_unless_older(group_id, topic, partition, sent);
                    }
                }
            }
        }
    }

    /// A younger commit may have come while the transaction was open.
    fn commit_unless_older(
        &mut self,
        group_id: String,
        topic: String,
        partition: i32,
        sent: CommittedOffset,
    ) {
        let topics = self.offsets.entry(group_id).or_default();
        let partitions = topics.entry(topic).or_default();
        let is_older = partitions
            .get(&partition)
            .is_some_and(|committed| committed.record_offset > sent.record_offset);
        if !is_older {
            partitions.insert(partition, sent);
        }
    }

    /// Whoever has offsets is a group, if only a simple one.
    fn exist(&mut self, group_id: &str) {
        if !self.consumers.contains_key(group_id) {
            self.groups.entry(group_id.to_owned()).or_default();
        }
    }

    fn apply_consumer(&mut self, record: &ConsumerRecord) {
        let id = record.group_id.as_str();
        if record.ends_group() {
            self.consumers.remove(id);
        } else if !record.is_tombstone() {
            // An offset that was committed before made a simple group of it.
            self.groups.remove(id);
            self.consumers
                .entry(id.to_owned())
                .or_default()
                .apply(&record.change);
        } else if let Some(group) = self.consumers.get_mut(id) {
            group.apply(&record.change);
        }
    }

    fn commit(&mut self, offset: Offset, key: &OffsetCommitKey, value: &OffsetCommitValue) {
        self.exist(&key.group);
        self.offsets
            .entry(key.group.to_string())
            .or_default()
            .entry(key.topic.to_string())
            .or_default()
            .insert(key.partition, CommittedOffset::from_record(offset, value));
    }

    fn forget(&mut self, key: &OffsetCommitKey) {
        self.pending.forget(&key.group, &key.topic, key.partition);
        let Some(topics) = self.offsets.get_mut(key.group.as_str()) else {
            return;
        };
        if let Some(partitions) = topics.get_mut(key.topic.as_str()) {
            partitions.remove(&key.partition);
            if partitions.is_empty() {
                topics.remove(key.topic.as_str());
            }
        }
        if topics.is_empty() {
            self.offsets.remove(key.group.as_str());
        }
    }
}

impl StoredGroup {
    fn from_record(value: &GroupMetadataValue) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            protocol_type: some(&value.protocol_type),
            generation: Generation(value.generation),
            protocol: value.protocol.as_deref().map(str::to_owned),
            leader: value.leader.as_deref().map(str::to_owned),
            state_since: (value.current_state_timestamp != -1)
                .then_some(Millis(value.current_state_timestamp)),
            members: value
                .members
                .iter()
                .map(StoredMember::from_record)
                .collect(),
        }
    }
}

impl StoredMember {
    fn from_record(member: &MemberMetadata) -> Self {
        Self {
            member_id: member.member_id.to_string(),
            group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
            client_id: member.client_id.to_string(),
            client_host: member.client_host.to_string(),
            rebalance_timeout_ms: match member.rebalance_timeout {
                -1 => member.session_timeout,
                timeout => timeout,
            },
            session_timeout_ms: member.session_timeout,
            // Copies: a slice would keep the whole batch that it was read from.
            subscription: Bytes::copy_from_slice(&member.subscription),
            assignment: Bytes::copy_from_slice(&member.assignment),
        }
    }
}

impl CommittedOffset {
    fn from_record(record_offset: Offset, value: &OffsetCommitValue) -> Self {
        Self {
            record_offset,
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.to_string(),
            commit_time: Millis(value.commit_timestamp),
            expire_time: (value.expire_timestamp >= 0).then_some(Millis(value.expire_timestamp)),
            topic_id: value.topic_id,
        }
    }
}
