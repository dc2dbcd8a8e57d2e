//! Groups over the wire: members come and go, offsets stay.

use bytes::Bytes;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_groups::response::DescribedGroup;
use ottla_protocol::messages::join_group::request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_delete::request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::offset_fetch::request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::sync_group::request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    DeleteGroupsRequest, DeleteTopicsRequest, DescribeGroupsRequest, FindCoordinatorRequest,
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};
use ottla_protocol::wire::StrBytes;

use super::topics::create_one;
use crate::testing::{Client, TestServer, eventually};

const QUICK: [(&str, &str); 2] = [
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "50"),
];

/// A client with the group's coordinator found, which the first time of all creates the topic of offsets.
pub(crate) fn member(server: &TestServer) -> Client {
    let mut client = server.connect();
    let request = FindCoordinatorRequest {
        coordinator_keys: vec!["g".into()],
        ..Default::default()
    };
    let found = client.call(&request, 6).coordinators.remove(0);
    assert_eq!((found.error_code, found.node_id), (0, 1));
    assert_eq!(i32::from(server.address.port()), found.port);
    client
}

fn join_request(member_id: &str, session_timeout_ms: i32) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms,
        rebalance_timeout_ms: 20_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::from_static(b"subscription"),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Joins as a new member does: told its id first, then with it.
fn join(client: &mut Client, session_timeout_ms: i32) -> JoinGroupResponse {
    let told = client.call(&join_request("", session_timeout_ms), 9);
    assert_eq!(
        ErrorCode::from_code(told.error_code),
        ErrorCode::MemberIdRequired
    );
    assert!(told.member_id.starts_with("test-"), "{}", told.member_id);
    client.call(&join_request(&told.member_id, session_timeout_ms), 9)
}

fn sync_request(
    joined: &JoinGroupResponse,
    assigned: &[(&StrBytes, &'static [u8])],
) -> SyncGroupRequest {
    let assignments = assigned
        .iter()
        .map(|(member_id, assignment)| SyncGroupRequestAssignment {
            member_id: (*member_id).clone(),
            assignment: Bytes::from_static(assignment),
            ..Default::default()
        });
    SyncGroupRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: assignments.collect(),
        ..Default::default()
    }
}

fn heartbeat(client: &mut Client, joined: &JoinGroupResponse) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        ..Default::default()
    };
    ErrorCode::from_code(client.call(&request, 4).error_code)
}

fn described(client: &mut Client) -> DescribedGroup {
    let request = DescribeGroupsRequest {
        groups: vec!["g".into()],
        ..Default::default()
    };
    client.call(&request, 6).groups.remove(0)
}

fn commit_request(topic: &str, partition: i32, offset: i64) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset: offset,
                committed_metadata: Some("note".into()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(super) fn commit(client: &mut Client, topic: &str, partition: i32, offset: i64) -> ErrorCode {
    let response = client.call(&commit_request(topic, partition, offset), 9);
    ErrorCode::from_code(response.topics[0].partitions[0].error_code)
}

/// The committed offset, once the groups are loaded; -1 if there is none.
pub(super) fn committed(client: &mut Client, topic: &str, partition: i32) -> i64 {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: "g".into(),
            topics: Some(vec![OffsetFetchRequestTopics {
                name: topic.into(),
                partition_indexes: vec![partition],
                ..Default::default()
            }]),
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut found = None;
    eventually("the groups are loaded", || {
        let group = client.call(&request, 9).groups.remove(0);
        match ErrorCode::from_code(group.error_code) {
            ErrorCode::None => {
                found = Some(group.topics[0].partitions[0].committed_offset);
                true
            }
            error => {
                assert_eq!(error, ErrorCode::CoordinatorLoadInProgress);
                false
            }
        }
    });
    found.unwrap()
}

#[test]
fn acknowledged_commits_survive_a_crash_and_a_clean_stop() {
    for durability in ["disk", "memory"] {
        let settings = [("ottla.durability", durability)];
        let mut server = TestServer::start(&settings);
        let mut client = member(&server);
        create_one(&mut client, "t", 2);
        for offset in 1..=50 {
            assert_eq!(commit(&mut client, "t", 0, offset), ErrorCode::None);
        }
        server.crash();
        let mut server = server.restarted(&settings);
        let mut client = server.connect();
        assert_eq!(committed(&mut client, "t", 0), 50, "{durability}");
        assert_eq!(commit(&mut client, "t", 1, 7), ErrorCode::None);
        server.stop();
        let server = server.restarted(&settings);
        let mut client = server.connect();
        assert_eq!(committed(&mut client, "t", 0), 50);
        assert_eq!(committed(&mut client, "t", 1), 7);
    }
}

#[test]
fn two_members_share_a_group_until_one_leaves() {
    let server = TestServer::start(&QUICK);
    let (mut first, mut second) = (member(&server), member(&server));
    let alone = join(&mut first, 10_000);
    assert_eq!((alone.error_code, alone.generation_id), (0, 1));
    assert_eq!(alone.leader, alone.member_id);
    let synced = first.call(&sync_request(&alone, &[(&alone.member_id, b"all")]), 5);
    assert_eq!(&synced.assignment[..], b"all");
    assert_eq!(heartbeat(&mut first, &alone), ErrorCode::None);

    // The second one's join waits until the first has heard of it and joined again.
    let told = second.call(&join_request("", 10_000), 9);
    let waiting = second.send(&join_request(&told.member_id, 10_000), 9);
    eventually("the first hears of it", || {
        heartbeat(&mut first, &alone) == ErrorCode::RebalanceInProgress
    });
    let leader = first.call(&join_request(&alone.member_id, 10_000), 9);
    let follower = second.receive::<JoinGroupRequest>(9, waiting);
    assert_eq!((leader.generation_id, follower.generation_id), (2, 2));
    assert_eq!((leader.members.len(), follower.members.len()), (2, 0));
    let waiting = second.send(&sync_request(&follower, &[]), 5);
    let assignment: [(&StrBytes, &[u8]); 2] =
        [(&leader.member_id, b"one"), (&follower.member_id, b"two")];
    let synced = first.call(&sync_request(&leader, &assignment), 5);
    assert_eq!(&synced.assignment[..], b"one");
    let synced = second.receive::<SyncGroupRequest>(5, waiting);
    assert_eq!(&synced.assignment[..], b"two");
    let group = described(&mut first);
    assert_eq!(
        (group.group_state.as_str(), group.members.len()),
        ("Stable", 2)
    );
    assert!(
        group
            .members
            .iter()
            .all(|member| member.client_host == "/127.0.0.1")
    );

    let leave = LeaveGroupRequest {
        group_id: "g".into(),
        members: vec![MemberIdentity {
            member_id: follower.member_id,
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(second.call(&leave, 5).members[0].error_code, 0);
    assert_eq!(
        heartbeat(&mut first, &leader),
        ErrorCode::RebalanceInProgress
    );
}

#[test]
fn a_member_that_falls_silent_is_put_out() {
    let server = TestServer::start(&QUICK);
    let mut client = member(&server);
    let joined = join(&mut client, 60);
    client.call(&sync_request(&joined, &[(&joined.member_id, b"all")]), 5);
    eventually("the session ends", || {
        described(&mut client).group_state == "Empty"
    });
    assert_eq!(heartbeat(&mut client, &joined), ErrorCode::UnknownMemberId);
}

#[test]
fn a_stable_group_is_found_again_after_a_crash() {
    let mut server = TestServer::start(&QUICK);
    let mut client = member(&server);
    let joined = join(&mut client, 60_000);
    client.call(&sync_request(&joined, &[(&joined.member_id, b"all")]), 5);
    server.crash();
    let server = server.restarted(&QUICK);
    let mut client = server.connect();
    eventually("the groups are loaded", || {
        described(&mut client).error_code == ErrorCode::None.code()
    });
    assert_eq!(described(&mut client).group_state, "Stable");
    assert_eq!(heartbeat(&mut client, &joined), ErrorCode::None);
}

#[test]
fn offsets_of_what_does_not_exist_are_refused_one_by_one() {
    let server = TestServer::start(&[]);
    let mut client = member(&server);
    create_one(&mut client, "t", 1);
    assert_eq!(
        commit(&mut client, "nope", 0, 1),
        ErrorCode::UnknownTopicOrPartition
    );
    let mut request = commit_request("t", 0, 5);
    let missing = OffsetCommitRequestPartition {
        partition_index: 9,
        ..request.topics[0].partitions[0].clone()
    };
    request.topics[0].partitions.push(missing);
    let response = client.call(&request, 9);
    let mut errors: Vec<(i32, i16)> = response.topics[0]
        .partitions
        .iter()
        .map(|partition| (partition.partition_index, partition.error_code))
        .collect();
    errors.sort_unstable();
    assert_eq!(
        errors,
        [(0, 0), (9, ErrorCode::UnknownTopicOrPartition.code())]
    );
    assert_eq!(committed(&mut client, "t", 0), 5);
    let mut large = commit_request("t", 0, 6);
    large.topics[0].partitions[0].committed_metadata = Some("x".repeat(5000).into());
    let response = client.call(&large, 9);
    let error = ErrorCode::from_code(response.topics[0].partitions[0].error_code);
    assert_eq!(error, ErrorCode::OffsetMetadataTooLarge);
    assert_eq!(committed(&mut client, "t", 0), 5);
}

#[test]
fn topics_are_told_by_id_from_version_ten_on() {
    let server = TestServer::start(&[]);
    let mut client = member(&server);
    create_one(&mut client, "t", 1);
    let id = server
        .broker()
        .image
        .load()
        .topics()
        .by_name("t")
        .unwrap()
        .id();
    let mut request = commit_request("", 0, 5);
    request.topics[0].topic_id = id;
    let response = client.call(&request, 10);
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
    assert_eq!(response.topics[0].topic_id, id);
    request.topics[0].topic_id = ottla_protocol::wire::Uuid([9; 16]);
    let response = client.call(&request, 10);
    let error = ErrorCode::from_code(response.topics[0].partitions[0].error_code);
    assert_eq!(error, ErrorCode::UnknownTopicId);
    let everything = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: "g".into(),
            topics: None,
            ..Default::default()
        }],
        ..Default::default()
    };
    let group = client.call(&everything, 10).groups.remove(0);
    assert_eq!(group.topics[0].topic_id, id);
    assert_eq!(group.topics[0].partitions[0].committed_offset, 5);
}

#[test]
fn offsets_and_groups_are_deleted() {
    let server = TestServer::start(&[]);
    let mut client = member(&server);
    create_one(&mut client, "t", 2);
    commit(&mut client, "t", 0, 1);
    commit(&mut client, "t", 1, 2);
    let request = OffsetDeleteRequest {
        group_id: "g".into(),
        topics: vec![OffsetDeleteRequestTopic {
            name: "t".into(),
            partitions: [0, 5]
                .map(|partition_index| OffsetDeleteRequestPartition {
                    partition_index,
                    ..Default::default()
                })
                .to_vec(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = client.call(&request, 0);
    assert_eq!(response.error_code, 0);
    let errors: Vec<i16> = response.topics[0]
        .partitions
        .iter()
        .map(|partition| partition.error_code)
        .collect();
    assert_eq!(errors, [0, ErrorCode::UnknownTopicOrPartition.code()]);
    assert_eq!(committed(&mut client, "t", 0), -1);
    assert_eq!(committed(&mut client, "t", 1), 2);
    let listed = client.call(&ListGroupsRequest::default(), 5).groups;
    assert_eq!((listed.len(), listed[0].group_state.as_str()), (1, "Empty"));
    let request = DeleteGroupsRequest {
        groups_names: vec!["g".into(), "nope".into(), "g".into()],
        ..Default::default()
    };
    let mut results = client.call(&request, 2).results;
    results.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    let errors: Vec<i16> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(errors, [0, ErrorCode::GroupIdNotFound.code()]);
    assert!(
        client
            .call(&ListGroupsRequest::default(), 5)
            .groups
            .is_empty()
    );
}

#[test]
fn offsets_go_with_their_topic() {
    let server = TestServer::start(&[]);
    let mut client = member(&server);
    create_one(&mut client, "t", 1);
    commit(&mut client, "t", 0, 5);
    let request = DeleteTopicsRequest {
        topic_names: vec!["t".into()],
        timeout_ms: 10_000,
        ..Default::default()
    };
    assert_eq!(client.call(&request, 5).responses[0].error_code, 0);
    create_one(&mut client, "t", 1);
    assert_eq!(committed(&mut client, "t", 0), -1);
}

#[test]
fn without_a_topic_of_offsets_there_is_no_coordinator() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    let request = commit_request("t", 0, 1);
    create_one(&mut client, "t", 1);
    let response = client.call(&request, 9);
    let error = ErrorCode::from_code(response.topics[0].partitions[0].error_code);
    assert_eq!(error, ErrorCode::NotCoordinator);
    assert!(
        client
            .call(&ListGroupsRequest::default(), 5)
            .groups
            .is_empty()
    );
}
