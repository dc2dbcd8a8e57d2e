//! Topics over the wire: created, extended, deleted, and still there after a restart.

use std::path::Path;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::api::metadata::request::MetadataRequestTopic;
use ottla_protocol::messages::api::metadata::response::MetadataResponseTopic;
use ottla_protocol::messages::create_partitions::request::CreatePartitionsTopic;
use ottla_protocol::messages::create_topics::request::{
    CreatableReplicaAssignment, CreatableTopic,
};
use ottla_protocol::messages::delete_topics::request::DeleteTopicState;
use ottla_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    InitProducerIdRequest, MetadataRequest,
};

use super::produce_fetch::{latest, produce};
use crate::testing::{Client, TestServer, batch, eventually};

const TIMEOUT_MS: i32 = 10_000;
/// `acks=all`
const ALL: i16 = -1;

pub(super) fn topic(name: &str, num_partitions: i32) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions,
        replication_factor: 1,
        ..Default::default()
    }
}

pub(super) fn create(client: &mut Client, topics: Vec<CreatableTopic>) -> CreateTopicsResponse {
    let request = CreateTopicsRequest {
        topics,
        timeout_ms: TIMEOUT_MS,
        ..Default::default()
    };
    client.call(&request, 7)
}

/// Creates one topic, which must work.
pub(super) fn create_one(client: &mut Client, name: &str, partitions: i32) {
    let response = create(client, vec![topic(name, partitions)]);
    assert_eq!(response.topics[0].error_code, 0, "{response:?}");
}

fn delete(client: &mut Client, name: &str) -> ErrorCode {
    let request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some(name.into()),
            ..Default::default()
        }],
        timeout_ms: TIMEOUT_MS,
        ..Default::default()
    };
    ErrorCode::from_code(client.call(&request, 6).responses[0].error_code)
}

pub(super) fn all_topics(client: &mut Client) -> Vec<MetadataResponseTopic> {
    let request = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    client.call(&request, 12).topics
}

fn names(client: &mut Client) -> Vec<String> {
    let topics = all_topics(client).into_iter();
    topics
        .filter_map(|topic| Some(topic.name?.to_string()))
        .collect()
}

fn folders(server: &TestServer) -> Vec<String> {
    let entries = std::fs::read_dir(server.dir.path().join("data")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_created_topic_is_there_when_its_creation_is_answered() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    let response = create(&mut client, vec![topic("t", 3)]);
    let created = &response.topics[0];
    assert_eq!(
        (
            created.error_code,
            created.num_partitions,
            created.replication_factor
        ),
        (0, 3, 1)
    );
    let configs = created.configs.as_ref().unwrap();
    assert!(configs.iter().any(|config| config.name == "retention.ms"));
    let described = &all_topics(&mut client)[0];
    assert_eq!(described.topic_id, created.topic_id);
    assert_eq!(described.partitions.len(), 3);
    assert!(
        described
            .partitions
            .iter()
            .all(|partition| partition.leader_id == 1)
    );
}

#[test]
fn each_topic_of_a_request_is_judged_by_itself() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    create_one(&mut client, "old", 1);
    let assigned = CreatableTopic {
        assignments: vec![CreatableReplicaAssignment {
            partition_index: 0,
            broker_ids: vec![1, 1],
            ..Default::default()
        }],
        num_partitions: -1,
        replication_factor: -1,
        ..topic("assigned", 0)
    };
    let replicated = CreatableTopic {
        replication_factor: 2,
        ..topic("replicated", 1)
    };
    let negative = CreatableTopic {
        replication_factor: -5,
        ..topic("negative", 1)
    };
    let cases = [
        (topic("new", 1), ErrorCode::None),
        (topic("old", 1), ErrorCode::TopicAlreadyExists),
        (topic("none", 0), ErrorCode::InvalidPartitions),
        (topic("fewer", -2), ErrorCode::InvalidPartitions),
        (topic("huge", 100_000), ErrorCode::PolicyViolation),
        (replicated, ErrorCode::InvalidReplicationFactor),
        (negative, ErrorCode::InvalidReplicationFactor),
        (assigned, ErrorCode::InvalidReplicaAssignment),
    ];
    let topics = cases.iter().map(|(topic, _)| topic.clone()).collect();
    let response = create(&mut client, topics);
    for ((topic, error), result) in cases.iter().zip(&response.topics) {
        assert_eq!(
            ErrorCode::from_code(result.error_code),
            *error,
            "{}",
            topic.name
        );
        assert_eq!(result.error_message.is_some(), error.is_err());
    }
    assert_eq!(names(&mut client), ["new", "old"]);
}

#[test]
fn p18_names_that_are_no_topics_names_reach_no_disk() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    let long = "x".repeat(250);
    let bad = [
        "", ".", "..", "a/b", "../x", "..\\x", "nul\0", &long, "%2e ", "ü", "a\nb",
    ];
    let before = folders(&server);
    let response = create(&mut client, bad.iter().map(|name| topic(name, 1)).collect());
    for (name, result) in bad.iter().zip(&response.topics) {
        let error = ErrorCode::from_code(result.error_code);
        assert_eq!(error, ErrorCode::InvalidTopicException, "{name:?}");
    }
    let topics = bad.iter().map(|name| MetadataRequestTopic {
        name: Some((*name).into()),
        ..Default::default()
    });
    let request = MetadataRequest {
        topics: Some(topics.collect()),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    for topic in client.call(&request, 9).topics {
        let error = ErrorCode::from_code(topic.error_code);
        assert_eq!(error, ErrorCode::InvalidTopicException, "{:?}", topic.name);
    }
    assert!(all_topics(&mut client).is_empty());
    assert_eq!(folders(&server), before);
}

#[test]
fn asking_for_a_topic_creates_it_unless_that_is_switched_off() {
    let ask = |server: &TestServer| {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some("wanted".into()),
                ..Default::default()
            }]),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        server.connect().call(&request, 9).topics.remove(0)
    };
    let found = ask(&TestServer::start(&[("num.partitions", "4")]));
    assert_eq!((found.error_code, found.partitions.len()), (0, 4));
    let found = ask(&TestServer::start(&[(
        "auto.create.topics.enable",
        "false",
    )]));
    let error = ErrorCode::from_code(found.error_code);
    assert_eq!(error, ErrorCode::UnknownTopicOrPartition);
}

#[test]
fn a_thousand_topics_at_once_survive_a_crash() {
    let mut server = TestServer::start(&[]);
    let topics = (0..1000).map(|number| topic(&format!("t-{number:04}"), 1));
    let response = create(&mut server.connect(), topics.collect());
    assert!(response.topics.iter().all(|topic| topic.error_code == 0));
    let before = all_topics(&mut server.connect());
    server.crash();
    let server = server.restarted(&[]);
    let after = all_topics(&mut server.connect());
    assert_eq!(after.len(), 1000);
    assert_eq!(after, before);
}

#[test]
fn topics_created_from_many_connections_at_once_are_all_there() {
    let server = TestServer::start(&[]);
    let address = server.address;
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                for number in 0..25 {
                    create_one(&mut client, &format!("t-{thread}-{number}"), 1);
                }
            });
        }
    });
    assert_eq!(names(&mut server.connect()).len(), 200);
}

#[test]
fn partitions_are_added_and_never_taken_away() {
    let mut server = TestServer::start(&[]);
    let mut client = server.connect();
    create_one(&mut client, "t", 2);
    let mut grow = |name: &str, count| {
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: name.into(),
                count,
                assignments: None,
                ..Default::default()
            }],
            timeout_ms: TIMEOUT_MS,
            ..Default::default()
        };
        let result = client.call(&request, 3).results.remove(0);
        ErrorCode::from_code(result.error_code)
    };
    assert_eq!(grow("t", 5), ErrorCode::None);
    assert_eq!(grow("t", 5), ErrorCode::InvalidPartitions);
    assert_eq!(grow("t", 1), ErrorCode::InvalidPartitions);
    assert_eq!(grow("t", -1), ErrorCode::InvalidPartitions);
    assert_eq!(grow("nope", 2), ErrorCode::UnknownTopicOrPartition);
    server.stop();
    let server = server.restarted(&[]);
    assert_eq!(all_topics(&mut server.connect())[0].partitions.len(), 5);
}

#[test]
fn a_deleted_topic_is_gone_with_its_folders_and_its_name_is_free() {
    let server = TestServer::start(&[("log.segment.delete.delay.ms", "0")]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    let produced = produce(&mut client, "t", ALL, batch(&["x"]));
    assert_eq!(produced.error_code, 0);
    assert!(folders(&server).contains(&"t-0".to_owned()));
    assert_eq!(delete(&mut client, "t"), ErrorCode::None);
    assert!(names(&mut client).is_empty());
    eventually("the folder is removed", || {
        !folders(&server).iter().any(|name| name.starts_with("t-0"))
    });
    assert_eq!(delete(&mut client, "t"), ErrorCode::UnknownTopicOrPartition);
    create_one(&mut client, "t", 1);
    assert_eq!(latest(&mut client, "t"), 0);
}

#[test]
fn a_deletion_that_a_crash_interrupted_is_finished_and_a_folder_of_nobody_kept() {
    let mut server = TestServer::start(&[]);
    server.stop();
    let data = server.dir.path().join("data");
    let doomed = "t-0.000000000000000000000000000000af-delete";
    for name in [doomed, "nobodys-3"] {
        std::fs::create_dir(data.join(name)).unwrap();
        std::fs::write(data.join(name).join("00000000000000000000.log"), b"x").unwrap();
    }
    let server = server.restarted(&[]);
    eventually("the rest of the deletion is removed", || {
        !data.join(doomed).exists()
    });
    let names = folders(&server);
    let stray = names
        .iter()
        .find(|name| name.ends_with("-stray"))
        .expect("kept");
    assert!(stray.starts_with("nobodys-3."));
    assert!(data.join(stray).join("00000000000000000000.log").exists());
}

fn checkpoints(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".checkpoint"))
        .collect()
}

#[test]
fn snapshots_stand_for_the_log_before_them() {
    let small = [("metadata.log.max.record.bytes.between.snapshots", "2048")];
    let mut server = TestServer::start(&small);
    let folder = server.dir.path().join("data/__cluster_metadata-0");
    let mut client = server.connect();
    for number in 0..40 {
        create_one(&mut client, &format!("t-{number}"), 2);
    }
    eventually("a snapshot is written", || !checkpoints(&folder).is_empty());
    let before = all_topics(&mut client);
    server.crash();
    let mut server = server.restarted(&small);
    assert_eq!(all_topics(&mut server.connect()), before);
    server.stop();
    assert_eq!(checkpoints(&folder).len(), 1, "older ones are removed");
    assert!(
        !folder.join("00000000000000000000.log").exists(),
        "and the log before it"
    );
    let server = server.restarted(&small);
    assert_eq!(all_topics(&mut server.connect()), before);
    create_one(&mut server.connect(), "later", 1);
    assert_eq!(names(&mut server.connect()).len(), 41);
}

#[test]
fn producer_ids_are_given_once_ever() {
    let ask = |client: &mut Client| {
        let request = InitProducerIdRequest {
            transactional_id: None,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        let response = client.call(&request, 5);
        assert_eq!(response.error_code, 0);
        response.producer_id
    };
    let mut server = TestServer::start(&[]);
    let mut client = server.connect();
    let mut ids: Vec<i64> = (0..1500).map(|_| ask(&mut client)).collect();
    server.crash();
    let server = server.restarted(&[]);
    ids.push(ask(&mut server.connect()));
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
