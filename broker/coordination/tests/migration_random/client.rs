//! What a member of either protocol says to its group, and what it makes of the answers.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_coordination::group::{Command, JoinGroup, MemberIds};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::common::consumer_protocol_assignment::TopicPartition as AssignedTopic;
use ottla_protocol::messages::common::consumer_protocol_subscription::TopicPartition as OwnedTopic;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::sync_group::request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ConsumerProtocolAssignment,
    ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, Message, SyncGroupRequest, SyncGroupResponse,
};
use ottla_protocol::wire::Reader;

use super::{GROUP, PARTITIONS, TOPIC, TOPIC_ID};

use crate::support::consumer_heartbeat;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    Join,
    Sync,
    Beat,
}

/// A member as its client knows it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// What the test calls it; its member id may change.
    pub(super) name: u64,
    pub(super) id: String,
    pub(super) instance: Option<String>,
    pub(super) is_classic: bool,
    /// Epoch or generation.
    pub(super) epoch: i32,
    /// Of a member of the classic protocol.
    pub(super) next: Next,
    /// Whom it has to assign to, with what each owns, if it leads.
    pub(super) members: Vec<(String, BTreeSet<i32>)>,
    /// What it works on.
    pub(super) owned: BTreeSet<i32>,
    /// What it was told last; where it lacks something of what is owned, that is given up before long.
    pub(super) told: BTreeSet<i32>,
}

impl Client {
    pub(super) fn new(name: u64, is_classic: bool, instance: Option<String>) -> Self {
        Self {
            name,
            // Those of the consumer protocol make their id themselves.
            id: match is_classic {
                true => String::new(),
                false => format!("m{name}"),
            },
            instance,
            is_classic,
            epoch: 0,
            next: Next::Join,
            members: Vec::new(),
            owned: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    /// As a member of the consumer protocol, with all that it is or only as a sign of life.
    pub(super) fn beat(&self, is_full: bool) -> Command {
        let owned = (!self.owned.is_empty()).then(|| TopicPartitions {
            topic_id: TOPIC_ID,
            partitions: self.owned.iter().copied().collect(),
            ..Default::default()
        });
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP.into(),
            member_id: self.id.as_str().into(),
            member_epoch: self.epoch,
            instance_id: self.instance.as_deref().map(Into::into),
            rebalance_timeout_ms: if is_full { 5_000 } else { -1 },
            subscribed_topic_names: is_full.then(|| vec![TOPIC.into()]),
            topic_partitions: is_full.then(|| owned.into_iter().collect()),
            ..Default::default()
        };
        consumer_heartbeat(request)
    }

    /// As a member of the classic protocol.
    pub(super) fn heartbeat(&self) -> Command {
        Command::Heartbeat(HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: self.epoch,
            member_id: self.id.as_str().into(),
            group_instance_id: self.instance.as_deref().map(Into::into),
            ..Default::default()
        })
    }

    pub(super) fn join(&self, candidate_member_id: String) -> Command {
        let owned = (!self.owned.is_empty()).then(|| OwnedTopic {
            topic: TOPIC.into(),
            partitions: self.owned.iter().copied().collect(),
            ..Default::default()
        });
        let subscription = ConsumerProtocolSubscription {
            topics: vec![TOPIC.into()],
            owned_partitions: owned.into_iter().collect(),
            generation_id: self.epoch,
            ..Default::default()
        };
        let protocol = JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: versioned(&subscription),
            ..Default::default()
        };
        let join = JoinGroup {
            request: JoinGroupRequest {
                group_id: GROUP.into(),
                session_timeout_ms: 6_000,
                rebalance_timeout_ms: 3_000,
                member_id: self.id.as_str().into(),
                group_instance_id: self.instance.as_deref().map(Into::into),
                protocol_type: "consumer".into(),
                protocols: vec![protocol],
                ..Default::default()
            },
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id,
            member_ids: MemberIds::Required,
            can_skip_assignment: false,
        };
        Command::JoinGroup(join)
    }

    /// With everybody's part, if it leads.
    pub(super) fn sync(&self) -> Command {
        let parts = shared_out(&self.members);
        let assignments =
            parts
                .into_iter()
                .map(|(member_id, partitions)| SyncGroupRequestAssignment {
                    member_id: member_id.into(),
                    assignment: versioned(&ConsumerProtocolAssignment {
                        assigned_partitions: vec![AssignedTopic {
                            topic: TOPIC.into(),
                            partitions,
                            ..Default::default()
                        }],
                        ..Default::default()
                    }),
                    ..Default::default()
                });
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: self.epoch,
            member_id: self.id.as_str().into(),
            group_instance_id: self.instance.as_deref().map(Into::into),
            assignments: assignments.collect(),
            ..Default::default()
        };
        Command::SyncGroup(request)
    }

    /// Of its own will, and for good.
    pub(super) fn leave(&self) -> Command {
        if !self.is_classic {
            let left = Self {
                epoch: -1,
                ..self.clone()
            };
            return left.beat(true);
        }
        let member = MemberIdentity {
            member_id: self.id.as_str().into(),
            ..Default::default()
        };
        Command::LeaveGroup(LeaveGroupRequest {
            group_id: GROUP.into(),
            members: vec![member],
            ..Default::default()
        })
    }

    /// Whether it stays: the group may have become a classic one, or another may have its place.
    pub(super) fn beaten(&mut self, response: &ConsumerGroupHeartbeatResponse) -> bool {
        if self.is_classic || response.member_epoch < 0 {
            return true;
        }
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => self.epoch = response.member_epoch,
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId => {
                self.start_over();
                return true;
            }
            _ => return false,
        }
        if let Some(assignment) = &response.assignment {
            let topics = assignment.topic_partitions.iter();
            self.told = topics.flat_map(|topic| topic.partitions.clone()).collect();
            self.owned.extend(self.told.iter().copied());
        }
        true
    }

    pub(super) fn joined(&mut self, response: &JoinGroupResponse) {
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                self.id = response.member_id.to_string();
                return;
            }
            _ => {
                self.after(response.error_code, Next::Join);
                return;
            }
        }
        self.id = response.member_id.to_string();
        self.epoch = response.generation_id;
        self.next = Next::Sync;
        let members = response.members.iter().map(|member| {
            let mut reader = Reader::new(member.metadata.slice(2..));
            let version = ConsumerProtocolSubscription::MAX_VERSION;
            let subscription = ConsumerProtocolSubscription::decode(&mut reader, version);
            let owned = subscription.expect("a subscription").owned_partitions;
            let owned = owned.into_iter().flat_map(|topic| topic.partitions);
            (member.member_id.to_string(), owned.collect())
        });
        self.members = members.collect();
    }

    pub(super) fn synced(&mut self, response: &SyncGroupResponse) {
        self.after(response.error_code, Next::Beat);
        if response.error_code != 0 {
            return;
        }
        let told = assigned(&response.assignment);
        // What was given up is to be shared out.
        if !self.owned.is_subset(&told) {
            self.next = Next::Join;
        }
        self.owned = told.clone();
        self.told = told;
    }

    fn start_over(&mut self) {
        self.epoch = 0;
        self.owned.clear();
        self.told.clear();
        self.next = Next::Join;
    }

    /// What a member of the classic protocol does after an answer.
    pub(super) fn after(&mut self, code: i16, next: Next) {
        match ErrorCode::from_code(code) {
            ErrorCode::None => self.next = next,
            ErrorCode::RebalanceInProgress => self.next = Next::Join,
            ErrorCode::IllegalGeneration => self.start_over(),
            _ => {
                self.start_over();
                self.id.clear();
            }
        }
    }
}

/// As an assignor for cooperative members does it: what somebody owns is given to nobody else.
fn shared_out(members: &[(String, BTreeSet<i32>)]) -> Vec<(String, Vec<i32>)> {
    let mut parts: Vec<(String, Vec<i32>)> = members
        .iter()
        .map(|(id, _)| (id.clone(), Vec::new()))
        .collect();
    for (partition, at) in (0..PARTITIONS).zip((0..members.len()).cycle()) {
        let is_free = |other: usize| !members[other].1.contains(&partition);
        if (0..members.len()).all(|other| other == at || is_free(other)) {
            parts[at].1.push(partition);
        }
    }
    parts
}

pub(super) fn assigned(assignment: &Bytes) -> BTreeSet<i32> {
    if assignment.is_empty() {
        return BTreeSet::new();
    }
    let mut reader = Reader::new(assignment.slice(2..));
    let version = ConsumerProtocolAssignment::MAX_VERSION;
    let assignment = ConsumerProtocolAssignment::decode(&mut reader, version);
    let topics = assignment.expect("an assignment").assigned_partitions;
    let partitions = topics.into_iter().flat_map(|topic| topic.partitions);
    partitions.collect()
}

fn versioned<M: Message>(message: &M) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(M::MAX_VERSION);
    bytes.put(message.to_bytes(M::MAX_VERSION));
    bytes.freeze()
}
