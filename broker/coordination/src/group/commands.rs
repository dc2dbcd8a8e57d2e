//! What the group machine can be asked, what it answers, and what to answer in its place when it cannot be asked.
//!
//! The generated messages serve as values: they are the superset of all versions. Where versions differ in meaning,
//! the command says which meaning is wanted.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::consumer_group_describe::response::DescribedGroup as ConsumerDescribedGroup;
use ottla_protocol::messages::delete_groups::response::DeletableGroupResult;
use ottla_protocol::messages::describe_groups::response::DescribedGroup;
use ottla_protocol::messages::leave_group::response::MemberResponse;
use ottla_protocol::messages::list_groups::response::ListedGroup;
use ottla_protocol::messages::offset_commit::response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::offset_fetch::request::OffsetFetchRequestGroup;
use ottla_protocol::messages::offset_fetch::response::OffsetFetchResponseGroup;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use ottla_protocol::types::{ProducerEpoch, ProducerId};
use ottla_protocol::wire::{StrBytes, Uuid};

use super::consumer::{ClusterUpdate, ConsumerHeartbeat};
use crate::txn::EndTransaction;

/// A request to the groups of one partition.
#[derive(Clone, Debug)]
pub enum Command {
    JoinGroup(JoinGroup),
    SyncGroup(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    /// Versions 0 to 2 have one member id; the handler puts it into `members`.
    LeaveGroup(LeaveGroupRequest),
    DescribeGroups {
        group_ids: Vec<StrBytes>,
        unknown_group: UnknownGroup,
    },
    ListGroups {
        states_filter: Vec<StrBytes>,
        types_filter: Vec<StrBytes>,
    },
    DeleteGroups {
        group_ids: Vec<StrBytes>,
    },
    /// Topics have names and ids, whichever the request told; both come back in the response.
    OffsetCommit {
        request: OffsetCommitRequest,
        unknown_group: UnknownGroup,
    },
    /// An OffsetCommit in which the offsets count once the producer's transaction is committed (TxnOffsetCommit).
    TxnOffsetCommit {
        request: OffsetCommitRequest,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
    },
    /// A producer's transaction ends in this partition: what it has sent counts, or is gone.
    EndTransaction(EndTransaction),
    /// No topics: all of the group. Topics have their names, also where the request told ids.
    OffsetFetch {
        group: OffsetFetchRequestGroup,
        /// An offset that an open transaction may replace is not told (KIP-447).
        require_stable: bool,
    },
    OffsetDelete(OffsetDeleteRequest),
    ConsumerGroupHeartbeat(ConsumerHeartbeat),
    ConsumerGroupDescribe {
        group_ids: Vec<StrBytes>,
    },
    /// Topics or the settings of groups are others than before.
    ClusterChanged(ClusterUpdate),
    /// These topics are no more: their offsets are dropped in all groups, those of a namesake with another id are not.
    TopicsDeleted {
        topics: Vec<(String, Uuid)>,
    },
}

/// A JoinGroup with what the connection knows.
#[derive(Clone, Debug)]
pub struct JoinGroup {
    /// `rebalance_timeout_ms` is the session timeout where the version has none.
    pub request: JoinGroupRequest,
    pub client_id: String,
    /// The peer's address as the reference prints it: `/127.0.0.1`.
    pub client_host: String,
    /// A member id never given before, for the case that this is a new member: its `group.instance.id`, else its
    /// client id, then `-` and a random UUID.
    pub candidate_member_id: String,
    pub member_ids: MemberIds,
    /// From version 9 on the leader may be told that the old assignment stands (KIP-814).
    pub can_skip_assignment: bool,
}

/// How a new dynamic member gets its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberIds {
    /// It is told its id and has to join again with it (KIP-394): version 4 on.
    Required,
    /// It joins at once: versions 0 to 3.
    Optional,
}

/// What a request that names an unknown group gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownGroup {
    /// As before there was an error code for it: DescribeGroups 0 to 5 show a dead group, OffsetCommit 2 to 8
    /// answer ILLEGAL_GENERATION.
    Legacy,
    /// GROUP_ID_NOT_FOUND: DescribeGroups 6 on (KIP-1043), OffsetCommit 9 on (KIP-848).
    NotFound,
}

/// The answer to the command of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    JoinGroup(JoinGroupResponse),
    SyncGroup(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    LeaveGroup(LeaveGroupResponse),
    DescribeGroups(Vec<DescribedGroup>),
    ListGroups(Vec<ListedGroup>),
    DeleteGroups(Vec<DeletableGroupResult>),
    /// To both kinds of commits.
    OffsetCommit(OffsetCommitResponse),
    TransactionEnded,
    OffsetFetch(OffsetFetchResponseGroup),
    OffsetDelete(OffsetDeleteResponse),
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse),
    ConsumerGroupDescribe(Vec<ConsumerDescribedGroup>),
    ClusterChanged,
    TopicsDeleted,
}

/// An OffsetCommit of which every partition fails with `error`.
#[must_use]
pub fn offset_commit_error(
    request: &OffsetCommitRequest,
    error: ErrorCode,
) -> OffsetCommitResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: error.code(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
    OffsetCommitResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

/// An OffsetFetch of one group that fails as a whole.
#[must_use]
pub fn offset_fetch_error(group_id: &StrBytes, error: ErrorCode) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup {
        group_id: group_id.clone(),
        error_code: error.code(),
        ..Default::default()
    }
}

/// An OffsetDelete that fails as a whole.
#[must_use]
pub fn offset_delete_error(error: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse {
        error_code: error.code(),
        ..Default::default()
    }
}

/// DescribeGroups of which every group fails with `error`.
#[must_use]
pub fn describe_groups_error(group_ids: &[StrBytes], error: ErrorCode) -> Vec<DescribedGroup> {
    let described = group_ids.iter().map(|group_id| DescribedGroup {
        group_id: group_id.clone(),
        error_code: error.code(),
        ..Default::default()
    });
    described.collect()
}

/// ConsumerGroupDescribe of which every group fails with `error`.
#[must_use]
pub fn consumer_group_describe_error(
    group_ids: &[StrBytes],
    error: ErrorCode,
) -> Vec<ConsumerDescribedGroup> {
    let described = group_ids.iter().map(|group_id| ConsumerDescribedGroup {
        group_id: group_id.clone(),
        error_code: error.code(),
        ..Default::default()
    });
    described.collect()
}

/// DeleteGroups of which every group fails with `error`.
#[must_use]
pub fn delete_groups_error(group_ids: &[StrBytes], error: ErrorCode) -> Vec<DeletableGroupResult> {
    let results = group_ids.iter().map(|group_id| DeletableGroupResult {
        group_id: group_id.clone(),
        error_code: error.code(),
        ..Default::default()
    });
    results.collect()
}

/// A LeaveGroup that fails: member by member where the group is unknown, else as a whole.
#[must_use]
pub fn leave_group_error(request: &LeaveGroupRequest, error: ErrorCode) -> LeaveGroupResponse {
    if error != ErrorCode::UnknownMemberId {
        return LeaveGroupResponse {
            error_code: error.code(),
            ..Default::default()
        };
    }
    let members = request.members.iter().map(|member| MemberResponse {
        member_id: member.member_id.clone(),
        group_instance_id: member.group_instance_id.clone(),
        error_code: error.code(),
        ..Default::default()
    });
    LeaveGroupResponse {
        members: members.collect(),
        ..Default::default()
    }
}
