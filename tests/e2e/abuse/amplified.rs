//! Small requests that ask for much: answers, waits and sessions stay bounded.

use std::io::Write as _;
use std::net::TcpStream;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::api::metadata::request::MetadataRequestTopic;
use ottla_protocol::messages::describe_configs::request::DescribeConfigsResource;
use ottla_protocol::messages::fetch::request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::{DescribeConfigsRequest, FetchRequest, MetadataRequest};

use super::support::{MIB, assert_well, bytes_of, peak_bytes, resident_bytes};
use crate::requests::{FETCH, create_topic, fetch};
use crate::server::Server;
use crate::wire::Wire;

const MANY: usize = 100_000;
const TOPIC: i8 = 2;

fn fetch_of(topic: &str, partitions: impl Iterator<Item = i32>) -> FetchRequest {
    let partition = |partition| FetchPartition {
        partition,
        partition_max_bytes: i32::MAX,
        ..Default::default()
    };
    FetchRequest {
        max_bytes: i32::MAX,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: topic.into(),
            partitions: partitions.map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn p12_a_fetch_of_100k_partitions_stays_bounded() {
    let server = Server::start();
    create_topic(server.address(), "t", 1);
    let mut client = Wire::connect(server.address()).unwrap();
    let response = client.call(&fetch_of("t", 0..MANY as i32), FETCH).unwrap();
    let partitions = &response.responses[0].partitions;
    assert_eq!(partitions.len(), MANY);
    assert_eq!(partitions[0].error_code, 0);
    assert_eq!(
        ErrorCode::from_code(partitions[1].error_code),
        ErrorCode::UnknownTopicOrPartition
    );
    let peak = peak_bytes(&server);
    assert!(peak < 256 * MIB, "{peak} bytes at most");
    assert_well(&server);
}

#[test]
fn p12_the_longest_wait_for_the_most_bytes_keeps_nobody_else_and_ends_with_its_connection() {
    let server = Server::start();
    create_topic(server.address(), "t", 1);
    let greedy = FetchRequest {
        max_wait_ms: i32::MAX,
        min_bytes: i32::MAX,
        ..fetch_of("t", 0..1)
    };
    let frame = bytes_of(&greedy, FETCH);
    let waiting: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.write_all(&frame).unwrap();
            stream
        })
        .collect();
    let mut other = Wire::connect(server.address()).unwrap();
    let response = other.call(&fetch("t", 0, 0), FETCH).unwrap();
    assert_eq!(response.responses[0].partitions[0].error_code, 0);
    drop(waiting);
    assert_well(&server);
    // A broker that still waited for their time would not stop at once.
    server.terminate();
}

#[test]
fn p12_bogus_sessions_are_refused_and_sessions_beyond_the_slots_are_not_made() {
    let server = Server::with(
        &[
            "--override",
            "max.incremental.fetch.session.cache.slots=100",
        ],
        &[],
    );
    create_topic(server.address(), "t", 1);
    let mut client = Wire::connect(server.address()).unwrap();
    for (id, epoch, expected) in [
        (12345, 1, ErrorCode::FetchSessionIdNotFound),
        (-1, 7, ErrorCode::FetchSessionIdNotFound),
        (i32::MAX, i32::MAX, ErrorCode::FetchSessionIdNotFound),
        (i32::MIN, i32::MIN, ErrorCode::FetchSessionIdNotFound),
    ] {
        let request = FetchRequest {
            session_id: id,
            session_epoch: epoch,
            ..fetch("t", 0, 0)
        };
        let response = client.call(&request, FETCH).unwrap();
        assert_eq!(ErrorCode::from_code(response.error_code), expected, "{id}");
    }
    let opening = FetchRequest {
        session_epoch: 0,
        ..fetch("t", 0, 0)
    };
    let opened = (0..2_000).filter(|_| {
        let response = client.call(&opening, FETCH).unwrap();
        assert_eq!(response.error_code, 0);
        response.session_id != 0
    });
    assert_eq!(opened.count(), 100, "sessions");
    assert_well(&server);
}

#[test]
fn p13_metadata_of_100k_names_and_of_one_large_topic_again_and_again() {
    let server = Server::start();
    create_topic(server.address(), "large", 1_000);
    let mut client = Wire::connect(server.address()).unwrap();
    let named = |name: String| MetadataRequestTopic {
        name: Some(name.into()),
        ..Default::default()
    };
    let unknown = MetadataRequest {
        topics: Some((0..MANY).map(|at| named(format!("nope-{at}"))).collect()),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    let response = client.call(&unknown, 9).unwrap();
    assert_eq!(response.topics.len(), MANY);
    let repeated = MetadataRequest {
        topics: Some((0..MANY).map(|_| named("large".to_owned())).collect()),
        ..Default::default()
    };
    let response = client.call(&repeated, 9).unwrap();
    assert_eq!(response.topics.len(), 1, "each topic is told once");
    assert_eq!(response.topics[0].partitions.len(), 1_000);
    let peak = peak_bytes(&server);
    assert!(peak < 512 * MIB, "{peak} bytes at most");
    assert_well(&server);
}

#[test]
fn p13_configurations_of_100k_names_and_of_one_again_and_again() {
    let server = Server::start();
    create_topic(server.address(), "t", 1);
    let before = resident_bytes(&server);
    let mut client = Wire::connect(server.address()).unwrap();
    let request = |name: &dyn Fn(usize) -> String| DescribeConfigsRequest {
        resources: (0..MANY)
            .map(|at| DescribeConfigsResource {
                resource_type: TOPIC,
                resource_name: name(at).into(),
                configuration_keys: None,
                ..Default::default()
            })
            .collect(),
        include_synonyms: true,
        include_documentation: true,
        ..Default::default()
    };
    let unknown = request(&|at| format!("nope-{at}"));
    assert_eq!(client.call(&unknown, 4).unwrap().results.len(), MANY);
    let repeated = request(&|_| "t".to_owned());
    let response = client.call(&repeated, 4).unwrap();
    assert_eq!(response.results.len(), 1, "each resource is told once");
    assert!(response.results[0].configs.len() > 20);
    let grown = peak_bytes(&server).saturating_sub(before);
    assert!(grown < 512 * MIB, "{grown} bytes more");
    assert_well(&server);
}
