//! Configurations over the wire: what is set, what is shown, what is refused, and that it works at once.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::alter_configs::request as replacing;
use ottla_protocol::messages::describe_configs::request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs::response::DescribeConfigsResourceResult;
use ottla_protocol::messages::incremental_alter_configs::request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    ListConfigResourcesRequest,
};

use super::produce_fetch::produce;
use super::topics::create_one;
use crate::testing::{Client, TestServer, batch};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;
/// `acks=all`
const ALL: i16 = -1;

fn alter(
    client: &mut Client,
    resource_type: i8,
    name: &str,
    changes: &[(&str, i8, Option<&str>)],
) -> (ErrorCode, String) {
    let configs = changes
        .iter()
        .map(|(key, operation, value)| AlterableConfig {
            name: (*key).into(),
            config_operation: *operation,
            value: value.map(Into::into),
            ..Default::default()
        });
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type,
            resource_name: name.into(),
            configs: configs.collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = client.call(&request, 1).responses.remove(0);
    let message = response.error_message.map(|text| text.to_string());
    (
        ErrorCode::from_code(response.error_code),
        message.unwrap_or_default(),
    )
}

fn set(client: &mut Client, resource_type: i8, name: &str, key: &str, value: &str) {
    let (error, message) = alter(client, resource_type, name, &[(key, SET, Some(value))]);
    assert_eq!(error, ErrorCode::None, "{message}");
}

fn describe(
    client: &mut Client,
    resource_type: i8,
    name: &str,
) -> Result<Vec<DescribeConfigsResourceResult>, ErrorCode> {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type,
            resource_name: name.into(),
            configuration_keys: None,
            ..Default::default()
        }],
        include_synonyms: true,
        include_documentation: true,
        ..Default::default()
    };
    let result = client.call(&request, 4).results.remove(0);
    match ErrorCode::from_code(result.error_code) {
        ErrorCode::None => Ok(result.configs),
        error => Err(error),
    }
}

fn value_of(client: &mut Client, resource_type: i8, name: &str, key: &str) -> Option<String> {
    let entries = describe(client, resource_type, name).unwrap();
    let entry = entries.into_iter().find(|entry| entry.name == key)?;
    entry.value.map(|value| value.to_string())
}

#[test]
fn a_change_of_a_topic_is_shown_and_survives_a_crash() {
    let mut server = TestServer::start(&[]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    set(&mut client, TOPIC, "t", "retention.ms", "5000");
    let appended = [("cleanup.policy", APPEND, Some("compact"))];
    assert_eq!(alter(&mut client, TOPIC, "t", &appended).0, ErrorCode::None);
    server.crash();
    let server = server.restarted(&[]);
    let mut client = server.connect();
    let get = |client: &mut Client, key: &str| value_of(client, TOPIC, "t", key).unwrap();
    assert_eq!(get(&mut client, "retention.ms"), "5000");
    assert_eq!(get(&mut client, "cleanup.policy"), "delete,compact");
    let changes = [
        ("cleanup.policy", SUBTRACT, Some("delete")),
        ("retention.ms", DELETE, None),
    ];
    assert_eq!(alter(&mut client, TOPIC, "t", &changes).0, ErrorCode::None);
    assert_eq!(get(&mut client, "retention.ms"), "604800000");
    assert_eq!(get(&mut client, "cleanup.policy"), "compact");
}

#[test]
fn the_older_way_replaces_everything() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    set(&mut client, TOPIC, "t", "retention.ms", "5000");
    let request = AlterConfigsRequest {
        resources: vec![replacing::AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".into(),
            configs: vec![replacing::AlterableConfig {
                name: "segment.bytes".into(),
                value: Some("2000000".into()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(client.call(&request, 2).responses[0].error_code, 0);
    let get = |client: &mut Client, key: &str| value_of(client, TOPIC, "t", key).unwrap();
    assert_eq!(get(&mut client, "segment.bytes"), "2000000");
    assert_eq!(get(&mut client, "retention.ms"), "604800000");
}

#[test]
fn what_cannot_be_set_is_refused_with_the_reason() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    let one = |key, value| [(key, SET, Some(value))];
    let cases = [
        (
            TOPIC,
            "t",
            one("retention.ms", "abc"),
            ErrorCode::InvalidConfig,
            "Not a number of type LONG",
        ),
        (
            TOPIC,
            "t",
            one("no.such", "1"),
            ErrorCode::InvalidConfig,
            "Unknown topic config name: no.such",
        ),
        (
            TOPIC,
            "nope",
            one("retention.ms", "1"),
            ErrorCode::UnknownTopicOrPartition,
            "'nope' does not exist",
        ),
        (
            TOPIC,
            "",
            one("retention.ms", "1"),
            ErrorCode::InvalidRequest,
            "Default topic resources",
        ),
        (
            TOPIC,
            "a/b",
            one("retention.ms", "1"),
            ErrorCode::InvalidTopicException,
            "Topic name is invalid",
        ),
        (
            BROKER,
            "1",
            one("node.id", "7"),
            ErrorCode::InvalidRequest,
            "Cannot update these configs dynamically",
        ),
        (
            BROKER,
            "9",
            one("log.cleaner.threads", "2"),
            ErrorCode::InvalidRequest,
            "Unexpected broker id",
        ),
        (
            BROKER,
            "x",
            one("log.cleaner.threads", "2"),
            ErrorCode::InvalidRequest,
            "must be an integer",
        ),
        (
            GROUP,
            "",
            one("consumer.session.timeout.ms", "1"),
            ErrorCode::InvalidRequest,
            "Default group",
        ),
        (
            GROUP,
            "g",
            one("consumer.session.timeout.ms", "1"),
            ErrorCode::InvalidConfig,
            "greater than or equal",
        ),
        (
            LOGGER,
            "1",
            one("kafka.server.KafkaApis", "NOPE"),
            ErrorCode::InvalidConfig,
            "it is not a supported log level",
        ),
        (
            LOGGER,
            "9",
            one("root", "DEBUG"),
            ErrorCode::InvalidRequest,
            "Unexpected node id. Expected 1, but received 9",
        ),
        (
            99,
            "t",
            one("a", "b"),
            ErrorCode::InvalidRequest,
            "resource type",
        ),
    ];
    for (resource_type, name, changes, error, reason) in cases {
        let (found, message) = alter(&mut client, resource_type, name, &changes);
        assert_eq!(
            found, error,
            "{resource_type} {name:?} {changes:?}: {message}"
        );
        assert!(message.contains(reason), "{message}");
    }
    let twice = [
        ("retention.ms", SET, Some("1")),
        ("retention.ms", DELETE, None),
    ];
    assert_eq!(
        alter(&mut client, TOPIC, "t", &twice).0,
        ErrorCode::InvalidRequest
    );
    let nothing = [("retention.ms", SET, None)];
    assert_eq!(
        alter(&mut client, TOPIC, "t", &nothing).0,
        ErrorCode::InvalidRequest
    );
    let unknown = [("retention.ms", 77, Some("1"))];
    assert_eq!(
        alter(&mut client, TOPIC, "t", &unknown).0,
        ErrorCode::InvalidRequest
    );
    let long = "1".repeat(40_000);
    let too_long = [("retention.ms", SET, Some(long.as_str()))];
    assert_eq!(
        alter(&mut client, TOPIC, "t", &too_long).0,
        ErrorCode::InvalidConfig
    );
}

#[test]
fn brokers_are_changed_one_by_one_or_all_and_topics_follow() {
    let mut server = TestServer::start(&[("log.retention.ms", "7000")]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    assert_eq!(
        value_of(&mut client, TOPIC, "t", "retention.ms").unwrap(),
        "7000"
    );
    set(&mut client, BROKER, "", "log.retention.ms", "8000");
    assert_eq!(
        value_of(&mut client, TOPIC, "t", "retention.ms").unwrap(),
        "8000"
    );
    set(&mut client, BROKER, "1", "log.retention.ms", "9000");
    assert_eq!(
        value_of(&mut client, TOPIC, "t", "retention.ms").unwrap(),
        "9000"
    );
    assert_eq!(
        value_of(&mut client, BROKER, "", "log.retention.ms").unwrap(),
        "8000"
    );
    server.stop();
    let server = server.restarted(&[("log.retention.ms", "7000")]);
    let mut client = server.connect();
    assert_eq!(
        value_of(&mut client, BROKER, "1", "log.retention.ms").unwrap(),
        "9000"
    );
    let entries = describe(&mut client, BROKER, "1").unwrap();
    let entry = entries
        .iter()
        .find(|entry| entry.name == "log.retention.ms")
        .unwrap();
    let sources: Vec<i8> = entry
        .synonyms
        .iter()
        .map(|synonym| synonym.source)
        .collect();
    assert_eq!(sources[..3], [2, 3, 4], "own, for all, from the start");
    let node_id = entries
        .iter()
        .find(|entry| entry.name == "node.id")
        .unwrap();
    assert!(node_id.read_only && !node_id.is_sensitive);
    assert!(
        entries
            .iter()
            .all(|entry| !entry.is_sensitive || entry.value.is_none())
    );
}

#[test]
fn a_change_reaches_partitions_at_once() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    assert_eq!(
        produce(&mut client, "t", ALL, batch(&["fits"])).error_code,
        0
    );
    set(&mut client, TOPIC, "t", "max.message.bytes", "80");
    let large = "x".repeat(200);
    let refused = produce(&mut client, "t", ALL, batch(&[&large]));
    let error = ErrorCode::from_code(refused.error_code);
    assert_eq!(error, ErrorCode::MessageTooLarge);
}

#[test]
fn what_is_described_says_why_it_cannot_be() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    for (resource_type, name, error) in [
        (TOPIC, "nope", ErrorCode::UnknownTopicOrPartition),
        (TOPIC, "a/b", ErrorCode::InvalidTopicException),
        (BROKER, "7", ErrorCode::InvalidRequest),
        (BROKER, "x", ErrorCode::InvalidRequest),
        (LOGGER, "", ErrorCode::InvalidRequest),
        (GROUP, "", ErrorCode::InvalidRequest),
        (55, "x", ErrorCode::InvalidRequest),
    ] {
        assert_eq!(
            describe(&mut client, resource_type, name).unwrap_err(),
            error,
            "{name}"
        );
    }
    assert_eq!(
        value_of(&mut client, BROKER, "", "min.insync.replicas").unwrap(),
        "1"
    );
}

#[test]
fn a_key_that_the_reference_does_not_have_is_told_where_it_is_set() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    let mut durability = || value_of(&mut client, TOPIC, "t", "ottla.durability");
    assert_eq!(durability(), None);
    let mut other = server.connect();
    set(&mut other, TOPIC, "t", "ottla.durability", "memory");
    assert_eq!(durability().as_deref(), Some("memory"));
}

#[test]
fn levels_of_loggers_are_changed_unless_they_are_only_checked() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    let level = |client: &mut Client, logger| value_of(client, LOGGER, "1", logger).unwrap();
    assert_eq!(level(&mut client, "root"), "INFO");
    set(&mut client, LOGGER, "1", "kafka", "DEBUG");
    assert_eq!(level(&mut client, "kafka.server.KafkaApis"), "DEBUG");
    assert_eq!(level(&mut client, "root"), "INFO");
    let unset = [("kafka", DELETE, None), ("root", SET, Some("WARN"))];
    assert_eq!(alter(&mut client, LOGGER, "1", &unset).0, ErrorCode::None);
    assert_eq!(level(&mut client, "kafka.server.KafkaApis"), "WARN");

    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: LOGGER,
            resource_name: "1".into(),
            configs: vec![AlterableConfig {
                name: "root".into(),
                value: Some("TRACE".into()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        validate_only: true,
        ..Default::default()
    };
    assert_eq!(client.call(&request, 1).responses[0].error_code, 0);
    assert_eq!(level(&mut client, "root"), "WARN");
}

#[test]
fn every_resource_with_a_configuration_is_listed() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    set(
        &mut client,
        GROUP,
        "g",
        "consumer.session.timeout.ms",
        "50000",
    );
    let list = |client: &mut Client, types: &[i8]| -> Vec<(i8, String)> {
        let request = ListConfigResourcesRequest {
            resource_types: types.to_vec(),
            ..Default::default()
        };
        let response = client.call(&request, 1);
        assert_eq!(response.error_code, 0);
        let resources = response.config_resources.into_iter();
        resources
            .map(|resource| (resource.resource_type, resource.resource_name.to_string()))
            .collect()
    };
    assert_eq!(list(&mut client, &[GROUP]), [(GROUP, "g".to_owned())]);
    let all = list(&mut client, &[]);
    assert!(all.contains(&(TOPIC, "t".to_owned())) && all.contains(&(BROKER, "1".to_owned())));
}
