//! Configurations, features, producer ids, and the image over many changes.

use ottla_coordination::controller::{
    AlterConfigsResource, ApiError, Command, ConfigOperation, ConfigResourceType, ProducerIdBlock,
    Response,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_partitions::request::CreatePartitionsTopic;
use ottla_protocol::messages::delete_topics::request::DeleteTopicState;
use ottla_protocol::types::{BrokerId, ProducerId};

use super::{Cluster, resource, topic, with_config};
use crate::support::Numbers;

#[test]
fn configurations_are_set_removed_and_their_lists_changed() {
    use ConfigOperation::{Append, Delete, Set, Subtract};
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(topic("t", 1, 1));
    let policy = "cleanup.policy";
    assert_eq!(cluster.alter("t", Append, policy, Some("compact")), Ok(()));
    let both = (policy.to_owned(), "delete,compact".to_owned());
    assert_eq!(cluster.configs("t"), [both]);
    assert_eq!(cluster.alter("t", Subtract, policy, Some("delete")), Ok(()));
    let one = (policy.to_owned(), "compact".to_owned());
    assert_eq!(cluster.configs("t"), [one]);
    assert_eq!(cluster.alter("t", Delete, policy, None), Ok(()));
    assert!(cluster.configs("t").is_empty());
    let not_a_list = cluster.alter("t", Append, "retention.ms", Some("1"));
    assert_eq!(
        not_a_list,
        Err(ApiError::new(
            ErrorCode::InvalidConfig,
            "Can't APPEND to key retention.ms because its type is not LIST."
        ))
    );
    let wrong = cluster.alter("t", Set, "retention.ms", Some("wrong"));
    assert_eq!(wrong.expect_err("refused").code, ErrorCode::InvalidConfig);
    let unknown = cluster.alter("u", Set, "retention.ms", Some("1"));
    assert_eq!(
        unknown,
        Err(ApiError::new(
            ErrorCode::UnknownTopicOrPartition,
            "The topic 'u' does not exist."
        ))
    );
    let long = cluster.alter("t", Set, "x", Some(&"v".repeat(32_768)));
    assert_eq!(long.expect_err("refused").code, ErrorCode::InvalidConfig);
    cluster.check_replay();
}

#[test]
fn alter_configs_leaves_only_what_it_names() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(with_config(topic("t", 1, 1), "retention.ms", Some("5")));
    let set = resource("t", ConfigOperation::Set, "segment.bytes", Some("9"));
    cluster.ask(Command::AlterConfigs {
        resources: vec![set],
        validate_only: false,
    });
    let left = ("segment.bytes".to_owned(), "9".to_owned());
    assert_eq!(cluster.configs("t"), [left]);
}

#[test]
fn with_eligible_leader_replicas_min_insync_replicas_is_the_clusters() {
    let mut cluster = Cluster::of(&[1]);
    let name = "eligible.leader.replicas.version".to_owned();
    let set = cluster.ask(Command::SetFeature { name, level: 1 });
    assert_eq!(set, Response::SetFeature(Ok(())));
    let of_broker = |broker: &str, operation| AlterConfigsResource {
        resource_type: ConfigResourceType::Broker.number(),
        ..resource(broker, operation, "min.insync.replicas", Some("1"))
    };
    let response = cluster.ask(Command::IncrementalAlterConfigs {
        resources: vec![
            of_broker("", ConfigOperation::Set),
            of_broker("1", ConfigOperation::Set),
        ],
        validate_only: false,
    });
    let Response::AlterConfigs(verdicts) = response else {
        panic!("another answer");
    };
    assert_eq!(verdicts[0], Ok(()));
    assert!(verdicts[1].is_err());
    let response = cluster.ask(Command::IncrementalAlterConfigs {
        resources: vec![of_broker("", ConfigOperation::Delete)],
        validate_only: false,
    });
    assert!(matches!(response, Response::AlterConfigs(verdicts) if verdicts[0].is_err()));
}

#[test]
fn blocks_of_producer_ids_do_not_overlap_and_need_the_brokers_current_epoch() {
    let mut cluster = Cluster::of(&[1]);
    let ask = |broker_epoch| Command::AllocateProducerIds {
        broker_id: BrokerId(1),
        broker_epoch,
    };
    for first in [0, 1_000] {
        let block = ProducerIdBlock {
            first: ProducerId(first),
            length: 1_000,
        };
        let response = cluster.ask(ask(0));
        assert_eq!(response, Response::AllocateProducerIds(Ok(block)));
    }
    cluster.start_broker(1);
    let stale = Response::AllocateProducerIds(Err(ErrorCode::StaleBrokerEpoch.into()));
    assert_eq!(cluster.ask(ask(0)), stale);
    cluster.check_replay();
}

#[test]
fn an_image_in_a_readers_hand_does_not_change() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(topic("a", 1, 1));
    let seen = cluster.image().clone();
    cluster.create_one(topic("b", 1, 1));
    cluster.add_partitions(CreatePartitionsTopic {
        name: "a".into(),
        count: 4,
        assignments: None,
        ..Default::default()
    });
    assert_eq!(seen.topics().len(), 1);
    assert_eq!(seen.topics().by_name("a").expect("a").partitions().len(), 1);
}

#[test]
fn random_changes_replay_to_the_same_image() {
    for seed in 0..30 {
        let mut numbers = Numbers(seed);
        let mut cluster = Cluster::of(&[1, 2, 3]);
        for _ in 0..60 {
            let name = ["a", "a.b", "a_b", "c", "d"][numbers.below(5)];
            match numbers.below(6) {
                0 | 1 => {
                    let partitions = i32::try_from(numbers.below(4)).expect("small");
                    cluster.create_one(topic(name, partitions, 2));
                }
                2 => {
                    let count = i32::try_from(numbers.below(8)).expect("small");
                    cluster.add_partitions(CreatePartitionsTopic {
                        name: name.into(),
                        count,
                        assignments: None,
                        ..Default::default()
                    });
                }
                3 => {
                    let operation = if numbers.one_in(3) {
                        ConfigOperation::Delete
                    } else {
                        ConfigOperation::Set
                    };
                    let _ = cluster.alter(name, operation, "retention.ms", Some("7"));
                }
                4 => {
                    let named = DeleteTopicState {
                        name: Some(name.into()),
                        ..Default::default()
                    };
                    cluster.ask(Command::DeleteTopics {
                        topics: vec![named],
                    });
                }
                _ => cluster.start_broker(1 + i32::try_from(numbers.below(3)).expect("small")),
            }
        }
        cluster.check_replay();
    }
}

#[test]
fn a_change_that_makes_no_sense_is_refused_in_the_references_words() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(topic("t", 1, 1));
    let set = |name: &str, value| resource(name, ConfigOperation::Set, "retention.ms", value);
    let twice = {
        let mut twice = set("t", Some("1"));
        twice.changes.extend(twice.changes.clone());
        twice
    };
    let of_broker = |name: &str| AlterConfigsResource {
        resource_type: ConfigResourceType::Broker.number(),
        ..set(name, Some("1"))
    };
    let of_nothing = AlterConfigsResource {
        resource_type: 7,
        ..set("t", Some("1"))
    };
    let cases = [
        (
            twice,
            ErrorCode::InvalidRequest,
            "Error due to duplicate config keys",
        ),
        (
            set("t", None),
            ErrorCode::InvalidRequest,
            "Null value not supported for : retention.ms",
        ),
        (
            of_broker("x"),
            ErrorCode::InvalidRequest,
            "Invalid broker name x",
        ),
        (
            of_broker("9"),
            ErrorCode::BrokerIdNotRegistered,
            "No node with id 9 found.",
        ),
        (
            of_nothing,
            ErrorCode::InvalidRequest,
            "Unknown resource type 7",
        ),
    ];
    for (resource, error, message) in cases {
        let response = cluster.ask(Command::IncrementalAlterConfigs {
            resources: vec![resource],
            validate_only: false,
        });
        let refusal = Err(ApiError::new(error, message));
        assert_eq!(response, Response::AlterConfigs(vec![refusal]));
    }
    let both = vec![set("t", Some("1")), set("t", Some("2"))];
    let response = cluster.ask(Command::AlterConfigs {
        resources: both,
        validate_only: false,
    });
    let refusal = Err(ApiError::new(
        ErrorCode::InvalidRequest,
        "Each resource must appear at most once.",
    ));
    assert_eq!(
        response,
        Response::AlterConfigs(vec![refusal.clone(), refusal])
    );
}
