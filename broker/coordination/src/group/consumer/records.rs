//! The records of consumer groups in `__consumer_offsets`, and their bytes. All are written in version 0.

use bytes::Bytes;
use ottla_protocol::messages::Message;
use ottla_protocol::messages::internal::consumer_group_target_assignment_member_value::TopicPartition;
use ottla_protocol::messages::internal::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey,
    ConsumerGroupPartitionMetadataValue, ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
};
use ottla_protocol::types::Millis;
use ottla_protocol::wire::{Reader, StrBytes};

use super::group::ResolvedRegex;
use super::member::ConsumerMember;
use crate::group::assignors::Assignment;
use crate::group::records::{GroupRecord, RecordError, decode_value, versioned, with_number};

/// A record of a consumer group.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerRecord {
    pub group_id: String,
    pub change: Change,
}

/// What it tells; no value is a tombstone.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The group's epoch and the hash of its topics' metadata.
    Group(Option<ConsumerGroupMetadataValue>),
    /// What brokers before 4.1 kept in place of the hash. Only its tombstone is ever written.
    SubscriptionMetadata(Option<ConsumerGroupPartitionMetadataValue>),
    /// What a member, by id, has told of itself.
    Member(String, Option<ConsumerGroupMemberMetadataValue>),
    /// The epoch of the target assignment.
    TargetEpoch(Option<ConsumerGroupTargetAssignmentMetadataValue>),
    /// A member's part of the target assignment.
    Target(String, Option<ConsumerGroupTargetAssignmentMemberValue>),
    /// A member's epoch and what it owns.
    Current(String, Option<ConsumerGroupCurrentMemberAssignmentValue>),
    /// The topics that a regular expression stands for.
    Regex(String, Option<ConsumerGroupRegularExpressionValue>),
}

impl ConsumerRecord {
    pub(in crate::group) fn is_tombstone(&self) -> bool {
        match &self.change {
            Change::Group(value) => value.is_none(),
            Change::SubscriptionMetadata(value) => value.is_none(),
            Change::Member(_, value) => value.is_none(),
            Change::TargetEpoch(value) => value.is_none(),
            Change::Target(_, value) => value.is_none(),
            Change::Current(_, value) => value.is_none(),
            Change::Regex(_, value) => value.is_none(),
        }
    }

    pub(in crate::group) fn ends_group(&self) -> bool {
        matches!(self.change, Change::Group(None))
    }

    pub(in crate::group) fn encode(&self) -> (Bytes, Option<Bytes>) {
        let group_id: StrBytes = self.group_id.as_str().into();
        macro_rules! pair {
            ($key:ident { $($field:ident: $of:expr),* }, $value:expr) => {
                (
                    with_number($key::API_KEY, &$key { $($field: $of,)* ..Default::default() }.to_bytes(0)),
                    $value.as_ref().map(|value| versioned(value, 0)),
                )
            };
        }
        match &self.change {
            Change::Group(value) => {
                pair!(ConsumerGroupMetadataKey { group_id: group_id }, value)
            }
            Change::SubscriptionMetadata(value) => {
                pair!(
                    ConsumerGroupPartitionMetadataKey { group_id: group_id },
                    value
                )
            }
            Change::Member(id, value) => pair!(
                ConsumerGroupMemberMetadataKey {
                    group_id: group_id,
                    member_id: id.as_str().into()
                },
                value
            ),
            Change::TargetEpoch(value) => pair!(
                ConsumerGroupTargetAssignmentMetadataKey { group_id: group_id },
                value
            ),
            Change::Target(id, value) => pair!(
                ConsumerGroupTargetAssignmentMemberKey {
                    group_id: group_id,
                    member_id: id.as_str().into()
                },
                value
            ),
            Change::Current(id, value) => pair!(
                ConsumerGroupCurrentMemberAssignmentKey {
                    group_id: group_id,
                    member_id: id.as_str().into()
                },
                value
            ),
            Change::Regex(regex, value) => pair!(
                ConsumerGroupRegularExpressionKey {
                    group_id: group_id,
                    regular_expression: regex.as_str().into()
                },
                value
            ),
        }
    }

    /// Reads a record whose key, behind its type, is in `key`. `None`: not a consumer group's.
    pub(in crate::group) fn decode(
        key_type: i16,
        key: &mut Reader,
        value: Option<Bytes>,
    ) -> Result<Option<Self>, RecordError> {
        macro_rules! group {
            ($key:ident, $change:ident) => {
                (
                    $key::decode(key, 0)?.group_id,
                    Change::$change(decode_value(value)?),
                )
            };
        }
        macro_rules! part {
            ($key:ident, $field:ident, $change:ident) => {{
                let key = $key::decode(key, 0)?;
                let change = Change::$change(key.$field.to_string(), decode_value(value)?);
                (key.group_id, change)
            }};
        }
        let (group_id, change) = match key_type {
            ConsumerGroupMetadataKey::API_KEY => group!(ConsumerGroupMetadataKey, Group),
            ConsumerGroupPartitionMetadataKey::API_KEY => {
                group!(ConsumerGroupPartitionMetadataKey, SubscriptionMetadata)
            }
            ConsumerGroupMemberMetadataKey::API_KEY => {
                part!(ConsumerGroupMemberMetadataKey, member_id, Member)
            }
            ConsumerGroupTargetAssignmentMetadataKey::API_KEY => {
                group!(ConsumerGroupTargetAssignmentMetadataKey, TargetEpoch)
            }
            ConsumerGroupTargetAssignmentMemberKey::API_KEY => {
                part!(ConsumerGroupTargetAssignmentMemberKey, member_id, Target)
            }
            ConsumerGroupCurrentMemberAssignmentKey::API_KEY => {
                part!(ConsumerGroupCurrentMemberAssignmentKey, member_id, Current)
            }
            ConsumerGroupRegularExpressionKey::API_KEY => {
                part!(ConsumerGroupRegularExpressionKey, regular_expression, Regex)
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            group_id: group_id.to_string(),
            change,
        }))
    }
}

/// The records that one step writes for one group, in order.
#[derive(Debug)]
pub(super) struct Records<'a> {
    group_id: &'a str,
    list: Vec<GroupRecord>,
}

impl<'a> Records<'a> {
    pub(super) fn new(group_id: &'a str) -> Self {
        Self {
            group_id,
            list: Vec::new(),
        }
    }

    pub(super) fn take(self) -> Vec<GroupRecord> {
        self.list
    }

    /// Puts the record of another kind of group in the row.
    pub(super) fn push_other(&mut self, record: GroupRecord) {
        self.list.push(record);
    }

    pub(super) fn extend(&mut self, records: Vec<GroupRecord>) {
        self.list.extend(records);
    }

    pub(super) fn push(&mut self, change: Change) {
        self.list.push(GroupRecord::Consumer(ConsumerRecord {
            group_id: self.group_id.to_owned(),
            change,
        }));
    }

    pub(super) fn group_epoch(&mut self, epoch: i32, metadata_hash: i64) {
        self.push(Change::Group(Some(ConsumerGroupMetadataValue {
            epoch,
            metadata_hash,
            ..Default::default()
        })));
    }

    pub(super) fn subscription(&mut self, member: &ConsumerMember) {
        let value = member.subscription_record();
        self.push(Change::Member(member.id.clone(), Some(value)));
    }

    pub(super) fn current(&mut self, member: &ConsumerMember) {
        let value = member.assignment_record();
        self.push(Change::Current(member.id.clone(), Some(value)));
    }

    pub(super) fn target(&mut self, member_id: &str, assignment: &Assignment) {
        let topics = assignment
            .iter()
            .map(|(topic_id, partitions)| TopicPartition {
                topic_id: *topic_id,
                partitions: partitions.iter().copied().collect(),
                ..Default::default()
            });
        let value = ConsumerGroupTargetAssignmentMemberValue {
            topic_partitions: topics.collect(),
            ..Default::default()
        };
        self.push(Change::Target(member_id.to_owned(), Some(value)));
    }

    pub(super) fn target_epoch(&mut self, epoch: i32, at: Millis) {
        self.push(Change::TargetEpoch(Some(
            ConsumerGroupTargetAssignmentMetadataValue {
                assignment_epoch: epoch,
                assignment_timestamp: at.0,
                ..Default::default()
            },
        )));
    }

    pub(super) fn regex(&mut self, regex: &str, resolved: &ResolvedRegex) {
        let value = ConsumerGroupRegularExpressionValue {
            topics: resolved
                .topics
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            version_: resolved.version,
            timestamp: resolved.resolved_at.0,
            ..Default::default()
        };
        self.push(Change::Regex(regex.to_owned(), Some(value)));
    }

    pub(super) fn regex_tombstone(&mut self, regex: &str) {
        self.push(Change::Regex(regex.to_owned(), None));
    }

    /// What ends a member: the order keeps every prefix of it readable.
    pub(super) fn member_tombstones(&mut self, member_id: &str) {
        self.push(Change::Current(member_id.to_owned(), None));
        self.push(Change::Target(member_id.to_owned(), None));
        self.push(Change::Member(member_id.to_owned(), None));
    }
}
