//! One member of a consumer group, as its records tell of it.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::internal::consumer_group_current_member_assignment_value::TopicPartitions;
use ottla_protocol::messages::internal::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use ottla_protocol::messages::internal::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue,
};
use ottla_protocol::wire::Uuid;

use crate::group::member::Protocol;

/// The epoch of a member that has left.
pub(super) const LEFT: i32 = -1;
/// The epoch of a static member that has left and may come back.
pub(super) const LEFT_FOR_NOW: i32 = -2;

/// Partitions by topic, each with the epoch in which its owner got it.
pub(super) type Owned = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// How far a member has come towards its target assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberState {
    Stable,
    /// It has to give partitions up before it may enter the next epoch.
    UnrevokedPartitions,
    /// It is in the latest epoch and waits for partitions that others still own.
    UnreleasedPartitions,
    /// Of a later version of the log's writer.
    Unknown,
}

impl MemberState {
    pub(super) fn number(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }

    fn of_number(number: i8) -> Self {
        match number {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => Self::Unknown,
        }
    }
}

/// What a member that speaks the classic protocol has told when it joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClassicMember {
    pub(super) session_timeout_ms: i32,
    pub(super) protocols: Vec<Protocol>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConsumerMember {
    pub(super) id: String,
    pub(super) instance_id: Option<String>,
    pub(super) rack_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    /// Topics subscribed to by name.
    pub(super) topics: BTreeSet<String>,
    /// Topics subscribed to by a regular expression; empty: none.
    pub(super) regex: String,
    /// The server-side assignor that the member prefers.
    pub(super) assignor: Option<String>,
    /// 0: has not been told an epoch yet.
    pub(super) epoch: i32,
    pub(super) previous_epoch: i32,
    pub(super) state: MemberState,
    pub(super) assigned: Owned,
    /// Partitions that it still owns and has been told to give up.
    pub(super) pending_revocation: Owned,
    /// Set for a member that speaks the classic protocol.
    pub(super) classic: Option<ClassicMember>,
}

impl ConsumerMember {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            instance_id: None,
            rack_id: None,
            client_id: String::new(),
            client_host: String::new(),
            rebalance_timeout_ms: -1,
            topics: BTreeSet::new(),
            regex: String::new(),
            assignor: None,
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: Owned::new(),
            pending_revocation: Owned::new(),
            classic: None,
        }
    }

    /// The expression that it is subscribed by, if it is.
    pub(super) fn subscribed_regex(&self) -> Option<&str> {
        (!self.regex.is_empty()).then_some(self.regex.as_str())
    }

    pub(super) fn is_reconciled_to(&self, assignment_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == assignment_epoch
    }

    /// The epoch in which it got a partition that it owns.
    pub(super) fn assignment_epoch(&self, topic_id: Uuid, partition: i32) -> Option<i32> {
        let within = |owned: &Owned| owned.get(&topic_id)?.get(&partition).copied();
        within(&self.assigned).or_else(|| within(&self.pending_revocation))
    }

    pub(super) fn enter_epoch(&mut self, epoch: i32) {
        self.previous_epoch = self.epoch;
        self.epoch = epoch;
    }

    /// Takes over what a record tells of the member's subscription.
    pub(super) fn subscribe(&mut self, value: &ConsumerGroupMemberMetadataValue) {
        let owned = |text: &Option<_>| text.as_deref().map(str::to_owned);
        self.instance_id = owned(&value.instance_id);
        self.rack_id = owned(&value.rack_id);
        self.client_id = value.client_id.to_string();
        self.client_host = value.client_host.to_string();
        self.topics = value
            .subscribed_topic_names
            .iter()
            .map(ToString::to_string)
            .collect();
        self.regex = owned(&value.subscribed_topic_regex).unwrap_or_default();
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.assignor = owned(&value.server_assignor);
        self.classic = value
            .classic_member_metadata
            .as_ref()
            .map(ClassicMember::from_record);
    }

    /// Takes over what a record tells of the member's epoch and partitions.
    pub(super) fn own(&mut self, value: &ConsumerGroupCurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::of_number(value.state);
        self.assigned = owned_from_record(&value.assigned_partitions, value.member_epoch);
        self.pending_revocation =
            owned_from_record(&value.partitions_pending_revocation, value.member_epoch);
    }

    /// It owns nothing any more.
    pub(super) fn disown(&mut self) {
        self.epoch = LEFT;
        self.previous_epoch = LEFT;
        self.assigned.clear();
        self.pending_revocation.clear();
    }

    pub(super) fn subscription_record(&self) -> ConsumerGroupMemberMetadataValue {
        ConsumerGroupMemberMetadataValue {
            instance_id: self.instance_id.as_deref().map(Into::into),
            rack_id: self.rack_id.as_deref().map(Into::into),
            client_id: self.client_id.as_str().into(),
            client_host: self.client_host.as_str().into(),
            subscribed_topic_names: self
                .topics
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            subscribed_topic_regex: Some(self.regex.as_str().into()),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.assignor.as_deref().map(Into::into),
            classic_member_metadata: self.classic.as_ref().map(ClassicMember::to_record),
            ..Default::default()
        }
    }

    pub(super) fn assignment_record(&self) -> ConsumerGroupCurrentMemberAssignmentValue {
        ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.number(),
            assigned_partitions: owned_to_record(&self.assigned),
            partitions_pending_revocation: owned_to_record(&self.pending_revocation),
            ..Default::default()
        }
    }
}

impl ClassicMember {
    fn from_record(value: &ClassicMemberMetadata) -> Self {
        let protocols = value.supported_protocols.iter().map(|protocol| Protocol {
            name: protocol.name.to_string(),
            // A copy: a slice would keep the whole batch that it was read from.
            metadata: bytes::Bytes::copy_from_slice(&protocol.metadata),
        });
        Self {
            session_timeout_ms: value.session_timeout_ms,
            protocols: protocols.collect(),
        }
    }

    fn to_record(&self) -> ClassicMemberMetadata {
        let protocols = self.protocols.iter().map(|protocol| ClassicProtocol {
            name: protocol.name.as_str().into(),
            metadata: protocol.metadata.clone(),
            ..Default::default()
        });
        ClassicMemberMetadata {
            session_timeout_ms: self.session_timeout_ms,
            supported_protocols: protocols.collect(),
            ..Default::default()
        }
    }
}

/// Records of older brokers tell no epochs of partitions: the member's own stands for them.
fn owned_from_record(topics: &[TopicPartitions], member_epoch: i32) -> Owned {
    let mut owned = Owned::new();
    for topic in topics {
        let epochs = topic
            .assignment_epochs
            .as_ref()
            .filter(|epochs| epochs.len() == topic.partitions.len());
        let partitions = topic.partitions.iter().enumerate().map(|(at, partition)| {
            let told = epochs.and_then(|epochs| epochs.get(at).copied());
            (*partition, told.unwrap_or(member_epoch.max(0)))
        });
        owned.insert(topic.topic_id, partitions.collect());
    }
    owned
}

fn owned_to_record(owned: &Owned) -> Vec<TopicPartitions> {
    let topics = owned.iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
        ..Default::default()
    });
    topics.collect()
}
