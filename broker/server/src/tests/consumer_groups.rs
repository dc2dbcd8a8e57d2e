//! The consumer protocol over the wire: what the topics and the configuration of the cluster do to its groups.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::consumer_group_describe::response::DescribedGroup;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::create_partitions::request::CreatePartitionsTopic;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch::request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    CreatePartitionsRequest, OffsetCommitRequest, OffsetFetchRequest,
};
use ottla_protocol::wire::Uuid;

use super::groups::member;
use crate::testing::{Client, TestServer, eventually};

const AT_ONCE: (&str, &str) = ("group.consumer.assignment.interval.ms", "0");

fn join_request(member_id: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member_id.into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

fn join(client: &mut Client, member_id: &str) -> ConsumerGroupHeartbeatResponse {
    client.call(&join_request(member_id), 1)
}

fn beat(
    client: &mut Client,
    member_id: &str,
    epoch: i32,
    owned: Option<(Uuid, Vec<i32>)>,
) -> ConsumerGroupHeartbeatResponse {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member_id.into(),
        member_epoch: epoch,
        topic_partitions: owned.map(|(topic_id, partitions)| {
            vec![TopicPartitions {
                topic_id,
                partitions,
                ..Default::default()
            }]
        }),
        ..Default::default()
    };
    client.call(&request, 1)
}

fn assigned(response: &ConsumerGroupHeartbeatResponse) -> Option<Vec<i32>> {
    assert_eq!(response.error_code, 0, "{response:?}");
    let assignment = response.assignment.as_ref()?;
    let topics = assignment.topic_partitions.iter();
    Some(topics.flat_map(|topic| topic.partitions.clone()).collect())
}

fn described(client: &mut Client) -> DescribedGroup {
    let request = ConsumerGroupDescribeRequest {
        group_ids: vec!["g".into()],
        include_authorized_operations: true,
        ..Default::default()
    };
    client.call(&request, 1).groups.remove(0)
}

#[test]
fn a_group_follows_its_topics_and_survives_a_restart() {
    let mut server = TestServer::start(&[AT_ONCE]);
    server.add_topic("t", 2);
    let mut client = member(&server);
    let joined = join(&mut client, "m1");
    assert_eq!(assigned(&joined), Some(vec![0, 1]));
    assert_eq!(
        (joined.member_epoch, joined.heartbeat_interval_ms),
        (2, 5_000)
    );

    let grown = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: "t".into(),
            count: 3,
            assignments: None,
            ..Default::default()
        }],
        timeout_ms: 10_000,
        ..Default::default()
    };
    assert_eq!(client.call(&grown, 3).results[0].error_code, 0);
    assert_eq!(
        assigned(&beat(&mut client, "m1", 2, None)),
        Some(vec![0, 1, 2])
    );

    server.crash();
    let server = server.restarted(&[AT_ONCE]);
    let mut client = member(&server);
    eventually("groups are loaded", || {
        described(&mut client).error_code == 0
    });
    let group = described(&mut client);
    assert_eq!(
        (group.group_state.as_str(), group.group_epoch),
        ("Stable", 3)
    );
    assert_eq!(group.assignor_name.as_str(), "uniform");
    let one = &group.members[0];
    assert_eq!((one.member_id.as_str(), one.member_type), ("m1", 1));
    assert_eq!(one.assignment.topic_partitions[0].topic_name.as_str(), "t");
    assert_eq!(one.client_host.as_str(), "/127.0.0.1");
    assert_eq!(assigned(&beat(&mut client, "m1", 3, None)), None);
}

#[test]
fn a_partition_changes_hands_when_its_owner_lets_go() {
    let server = TestServer::start(&[AT_ONCE]);
    let topic_id = server.add_topic("t", 2);
    let mut client = member(&server);
    join(&mut client, "m1");
    let second = join(&mut client, "m2");
    assert_eq!(
        (assigned(&second), second.member_epoch),
        (Some(Vec::new()), 3)
    );
    assert_eq!(assigned(&beat(&mut client, "m1", 2, None)), Some(vec![0]));
    assert_eq!(assigned(&beat(&mut client, "m2", 3, None)), None);
    let reported = Some((topic_id, vec![0]));
    assert_eq!(beat(&mut client, "m1", 2, reported).member_epoch, 3);
    assert_eq!(assigned(&beat(&mut client, "m2", 3, None)), Some(vec![1]));
}

#[test]
fn what_a_group_is_configured_with_holds_from_the_next_heartbeat_on() {
    let server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let mut client = member(&server);
    join(&mut client, "m1");
    server.set_group_config("g", "consumer.heartbeat.interval.ms", "6000");
    let response = beat(&mut client, "m1", 2, None);
    assert_eq!(response.heartbeat_interval_ms, 6_000);
}

#[test]
fn members_of_the_oldest_version_get_their_ids_from_the_broker() {
    let server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let mut client = member(&server);
    let joined = client.call(&join_request(""), 0);
    let member_id = joined.member_id.clone().unwrap_or_default();
    assert_eq!(assigned(&joined), Some(vec![0]));
    assert_eq!(member_id.len(), 22, "a UUID in letters: {member_id}");
    let refused = client.call(&join_request(""), 1);
    assert_eq!(refused.error_code, ErrorCode::InvalidRequest.code());
}

#[test]
fn old_versions_of_offset_commit_know_no_member_epochs() {
    let server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let mut client = member(&server);
    join(&mut client, "m1");
    let mut commit = |version: i16, epoch: i32| {
        let partition = OffsetCommitRequestPartition {
            committed_offset: 5,
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: "g".into(),
            generation_id_or_member_epoch: epoch,
            member_id: "m1".into(),
            topics: vec![OffsetCommitRequestTopic {
                name: "t".into(),
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        };
        let response = client.call(&request, version);
        ErrorCode::from_code(response.topics[0].partitions[0].error_code)
    };
    assert_eq!(commit(8, 2), ErrorCode::UnsupportedVersion);
    assert_eq!(commit(9, 2), ErrorCode::None);
    assert_eq!(commit(9, 3), ErrorCode::StaleMemberEpoch);
}

#[test]
fn a_member_of_another_epoch_is_told_no_offsets_and_of_no_topics() {
    let server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let mut client = member(&server);
    join(&mut client, "m1");
    let mut fetch = |member_epoch: i32| {
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: "g".into(),
                member_id: Some("m1".into()),
                member_epoch,
                topics: Some(vec![OffsetFetchRequestTopics {
                    topic_id: Uuid([7; 16]),
                    partition_indexes: vec![0],
                    ..Default::default()
                }]),
                ..Default::default()
            }],
            ..Default::default()
        };
        let group = client.call(&request, 10).groups.remove(0);
        (ErrorCode::from_code(group.error_code), group.topics)
    };
    assert_eq!(fetch(9), (ErrorCode::StaleMemberEpoch, Vec::new()));
    let (none, topics) = fetch(2);
    assert_eq!(none, ErrorCode::None);
    let unknown = ErrorCode::UnknownTopicId.code();
    assert_eq!(topics[0].partitions[0].error_code, unknown);
}

#[test]
fn a_broker_that_is_told_not_to_does_not_speak_the_consumer_protocol() {
    let server = TestServer::start(&[("group.coordinator.rebalance.protocols", "classic")]);
    let mut client = member(&server);
    let refused = ErrorCode::UnsupportedVersion.code();
    assert_eq!(join(&mut client, "m1").error_code, refused);
    assert_eq!(described(&mut client).error_code, refused);
}
