//! Topics by the thousand, and assignments that make no sense.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::api::metadata::request::MetadataRequestTopic;
use ottla_protocol::messages::create_partitions::request::CreatePartitionsTopic;
use ottla_protocol::messages::create_topics::request::{
    CreatableReplicaAssignment, CreatableTopic,
};
use ottla_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, FindCoordinatorRequest, MetadataRequest,
};

use super::support::{MIB, assert_well, peak_bytes};
use crate::requests::create_topic;
use crate::server::Server;
use crate::wire::Wire;

const CREATE: i16 = 7;

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions,
        replication_factor,
        ..Default::default()
    }
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(partition_index, broker_ids): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *partition_index,
        broker_ids: broker_ids.to_vec(),
        ..Default::default()
    };
    CreatableTopic {
        assignments: assignments.iter().map(assignment).collect(),
        ..topic(name, -1, -1)
    }
}

fn create(server: &Server, topics: Vec<CreatableTopic>) -> Vec<ErrorCode> {
    let request = CreateTopicsRequest {
        topics,
        timeout_ms: 20_000,
        ..Default::default()
    };
    let mut client = Wire::connect(server.address()).unwrap();
    let response = client.call(&request, CREATE).unwrap();
    let codes = response.topics.iter().map(|topic| topic.error_code);
    codes.map(ErrorCode::from_code).collect()
}

fn topic_count(server: &Server) -> usize {
    let mut client = Wire::connect(server.address()).unwrap();
    let all = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    client.call(&all, 9).unwrap().topics.len()
}

#[test]
fn p14_topics_that_cannot_be_are_refused_and_leave_nothing() {
    let server = Server::start();
    let codes = create(
        &server,
        vec![
            topic("partitions-100k", 100_000, 1),
            topic("partitions-max", i32::MAX, 1),
            topic("partitions-0", 0, 1),
            topic("partitions-negative", -7, 1),
            topic("factor-negative", 1, -5),
            topic("factor-0", 1, 0),
            topic("factor-2", 1, 2),
            topic("factor-max", 1, i16::MAX),
            assigned("broker-twice", &[(0, &[1, 1])]),
            assigned("broker-of-nobody", &[(0, &[77])]),
            assigned("partition-twice", &[(0, &[1]), (0, &[1])]),
            assigned("partition-missing", &[(0, &[1]), (2, &[1])]),
            assigned("partition-negative", &[(-1, &[1])]),
            assigned("nobody", &[(0, &[])]),
        ],
    );
    use ErrorCode::{
        InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor, PolicyViolation,
    };
    let expected = [
        PolicyViolation,
        PolicyViolation,
        InvalidPartitions,
        InvalidPartitions,
        InvalidReplicationFactor,
        InvalidReplicationFactor,
        InvalidReplicationFactor,
        InvalidReplicationFactor,
        InvalidReplicaAssignment,
        InvalidReplicaAssignment,
        InvalidReplicaAssignment,
        InvalidReplicaAssignment,
        InvalidReplicaAssignment,
        InvalidReplicaAssignment,
    ];
    assert_eq!(codes, expected);
    let twice = create(&server, vec![topic("twice", 1, 1), topic("twice", 1, 1)]);
    assert_eq!(twice, [ErrorCode::InvalidRequest]);
    assert_eq!(topic_count(&server), 0);
    assert_well(&server);
}

#[test]
fn twelve_thousand_partitions_find_room_where_nobody_has_set_a_limit() {
    let server = Server::with(&[], &[]);
    for at in 0..3 {
        let codes = create(&server, vec![topic(&format!("large-{at}"), 4_000, 1)]);
        assert_eq!(codes, [ErrorCode::None]);
    }
    assert_well(&server);
}

#[test]
fn p14_ten_thousand_topics_in_one_request_meet_the_limit_of_partitions() {
    let server = Server::with(&["--override", "ottla.partitions.max=50"], &[]);
    let topics = (0..10_000).map(|at| topic(&format!("flood-{at}"), 1, 1));
    let codes = create(&server, topics.collect());
    let made = codes.iter().filter(|code| **code == ErrorCode::None);
    assert_eq!(made.count(), 50);
    assert_eq!(codes[9_999], ErrorCode::PolicyViolation);
    assert_eq!(topic_count(&server), 50);

    // Nor does it help to let existing topics grow.
    let request = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: "flood-0".into(),
            count: 2,
            assignments: None,
            ..Default::default()
        }],
        timeout_ms: 20_000,
        ..Default::default()
    };
    let mut client = Wire::connect(server.address()).unwrap();
    let response = client.call(&request, 3).unwrap();
    assert_eq!(
        ErrorCode::from_code(response.results[0].error_code),
        ErrorCode::PolicyViolation
    );
    // The broker's own topics find a place all the same.
    let request = FindCoordinatorRequest {
        key: "g".into(),
        ..Default::default()
    };
    assert_eq!(client.call(&request, 3).unwrap().error_code, 0);
    let peak = peak_bytes(&server);
    assert!(peak < 256 * MIB, "{peak} bytes at most");
    assert_well(&server);
}

#[test]
fn p14_a_storm_of_topics_that_metadata_creates_ends_at_the_limit() {
    let server = Server::with(&["--override", "ottla.partitions.max=50"], &[]);
    create_topic(server.address(), "before", 1);
    let mut client = Wire::connect(server.address()).unwrap();
    for round in 0..20 {
        let topics = (0..500).map(|at| MetadataRequestTopic {
            name: Some(format!("storm-{round}-{at}").into()),
            ..Default::default()
        });
        let request = MetadataRequest {
            topics: Some(topics.collect()),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        let response = client.call(&request, 9).unwrap();
        assert_eq!(response.topics.len(), 500);
        let last = ErrorCode::from_code(response.topics[499].error_code);
        assert_eq!(last, ErrorCode::PolicyViolation);
    }
    assert_eq!(topic_count(&server), 50);
    assert_well(&server);
}
