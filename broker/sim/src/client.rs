//! Clients of the groups: members that do what the protocol wants next, and now and then something else.

use bytes::Bytes;
use ottla_coordination::group::{Command, JoinGroup, MemberIds, UnknownGroup};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::sync_group::request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest, SyncGroupRequest,
};

pub(crate) const SESSION_MS: i32 = 6_000;
pub(crate) const REBALANCE_MS: i32 = 3_000;

/// What a member does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Join,
    Sync,
    Heartbeat,
}

/// One consumer of a group, as it knows itself.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) group: &'static str,
    /// Its `group.instance.id`, where it has one.
    pub(crate) instance: Option<String>,
    /// Empty until the coordinator has given it one.
    pub(crate) member_id: String,
    pub(crate) generation: i32,
    pub(crate) next: Next,
    /// A request of its own is on the way; it sends one at a time.
    pub(crate) is_waiting: bool,
    members: Vec<String>,
}

impl Client {
    pub(crate) fn new(group: &'static str, instance: Option<String>) -> Self {
        Self {
            group,
            instance,
            member_id: String::new(),
            generation: -1,
            next: Next::Join,
            is_waiting: false,
            members: Vec::new(),
        }
    }

    /// Who it is to others: its instance id where it has one, for that outlives member ids.
    pub(crate) fn identity(&self) -> &str {
        self.instance.as_deref().unwrap_or(&self.member_id)
    }

    pub(crate) fn command(&self, candidate_member_id: String) -> Command {
        match self.next {
            Next::Join => Command::JoinGroup(self.join(candidate_member_id)),
            Next::Sync => Command::SyncGroup(self.sync()),
            Next::Heartbeat => Command::Heartbeat(HeartbeatRequest {
                group_id: self.group.into(),
                generation_id: self.generation,
                member_id: self.member_id.as_str().into(),
                group_instance_id: self.instance.as_deref().map(Into::into),
                ..Default::default()
            }),
        }
    }

    fn join(&self, candidate_member_id: String) -> JoinGroup {
        let range = JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t"),
            ..Default::default()
        };
        JoinGroup {
            request: JoinGroupRequest {
                group_id: self.group.into(),
                session_timeout_ms: SESSION_MS,
                rebalance_timeout_ms: REBALANCE_MS,
                member_id: self.member_id.as_str().into(),
                group_instance_id: self.instance.as_deref().map(Into::into),
                protocol_type: "consumer".into(),
                protocols: vec![range],
                ..Default::default()
            },
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id,
            member_ids: MemberIds::Required,
            can_skip_assignment: true,
        }
    }

    /// A leader gives each member one part; nobody else gives any.
    fn sync(&self) -> SyncGroupRequest {
        let parts = self.members.iter().enumerate();
        let assignments = parts.map(|(part, member)| SyncGroupRequestAssignment {
            member_id: member.as_str().into(),
            assignment: Bytes::from(format!("part-{part}")),
            ..Default::default()
        });
        SyncGroupRequest {
            group_id: self.group.into(),
            generation_id: self.generation,
            member_id: self.member_id.as_str().into(),
            group_instance_id: self.instance.as_deref().map(Into::into),
            assignments: assignments.collect(),
            ..Default::default()
        }
    }

    /// Commits as a member of its generation.
    pub(crate) fn commit(&self, offset: i64) -> Command {
        commit(self.group, &self.member_id, self.generation, offset)
    }

    pub(crate) fn joined(&mut self, response: &JoinGroupResponse) {
        match ErrorCode::from_code(response.error_code) {
            ErrorCode::None => {
                self.member_id = response.member_id.to_string();
                self.generation = response.generation_id;
                let members = response.members.iter();
                self.members = members.map(|member| member.member_id.to_string()).collect();
                if response.skip_assignment {
                    self.members.clear();
                }
                self.next = Next::Sync;
            }
            ErrorCode::MemberIdRequired => self.member_id = response.member_id.to_string(),
            error => self.failed(error),
        }
    }

    /// After a sync or a heartbeat.
    pub(crate) fn heard(&mut self, error: ErrorCode) {
        match error {
            ErrorCode::None => self.next = Next::Heartbeat,
            error => self.failed(error),
        }
    }

    pub(crate) fn failed(&mut self, error: ErrorCode) {
        self.next = Next::Join;
        if matches!(
            error,
            ErrorCode::UnknownMemberId
                | ErrorCode::FencedInstanceId
                | ErrorCode::GroupMaxSizeReached
        ) {
            self.member_id.clear();
            self.generation = -1;
        }
    }
}

/// A commit of one offset of one partition.
pub(crate) fn commit(group: &str, member_id: &str, generation: i32, offset: i64) -> Command {
    Command::OffsetCommit {
        request: commit_request(group, member_id, generation, offset),
        unknown_group: UnknownGroup::NotFound,
    }
}

pub(crate) fn commit_request(
    group: &str,
    member_id: &str,
    generation: i32,
    offset: i64,
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        committed_offset: offset,
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: "t".into(),
        partitions: vec![partition],
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: generation,
        member_id: member_id.into(),
        topics: vec![topic],
        ..Default::default()
    }
}
