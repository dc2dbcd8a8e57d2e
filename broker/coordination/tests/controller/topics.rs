//! Topics and partitions.

use ottla_coordination::controller::{Command, NewTopic, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_partitions::request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use ottla_protocol::messages::create_topics::request::CreatableTopic;
use ottla_protocol::messages::delete_topics::request::DeleteTopicState;
use ottla_protocol::messages::metadata::{MetadataRecord, PartitionChangeRecord};
use ottla_protocol::types::{BrokerId, LeaderEpoch, PartitionIndex};
use ottla_protocol::wire::Uuid;

use super::{Cluster, assigned, ok, refused, topic, with_config};

#[test]
fn a_topic_becomes_records_in_the_order_in_which_a_broker_needs_them() {
    let mut cluster = Cluster::of(&[1]);
    let before = cluster.log.records.len();
    let created = with_config(topic("t", 2, 1), "retention.ms", Some("5"));
    assert_eq!(cluster.create_one(created), ok());
    let kinds: Vec<&str> = cluster.log.records[before..]
        .iter()
        .map(MetadataRecord::name)
        .collect();
    let expected = [
        "TopicRecord",
        "ConfigRecord",
        "PartitionRecord",
        "PartitionRecord",
    ];
    assert_eq!(kinds, expected);
    let partition = cluster
        .image()
        .topics()
        .partition("t", PartitionIndex(1))
        .expect("partition 1");
    assert_eq!(partition.leader, Some(BrokerId(1)));
    assert_eq!(partition.leader_epoch, LeaderEpoch(0));
    assert_eq!(partition.directories, [Uuid([9; 16])]);
    cluster.check_replay();
}

#[test]
fn names_are_refused_in_the_references_words() {
    let mut cluster = Cluster::of(&[1]);
    let long = "x".repeat(250);
    let cases = [
        ("", "Topic name is invalid: the empty string is not allowed".to_owned()),
        (".", "Topic name is invalid: '.' is not allowed".to_owned()),
        ("..", "Topic name is invalid: '..' is not allowed".to_owned()),
        (
            "a/b",
            "Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', \
             '_' and '-'"
                .to_owned(),
        ),
        (
            &long,
            format!(
                "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
            ),
        ),
    ];
    for (name, message) in cases {
        let outcome = cluster.create_one(topic(name, 1, 1));
        assert_eq!(outcome, (ErrorCode::InvalidTopicException, message));
    }
    assert_eq!(cluster.create_one(topic(&"x".repeat(249), 1, 1)), ok());
}

#[test]
fn a_topic_that_exists_or_collides_is_refused() {
    let mut cluster = Cluster::of(&[1]);
    assert_eq!(cluster.create_one(topic("my.topic", 1, 1)), ok());
    assert_eq!(
        cluster.create_one(topic("my.topic", 1, 1)),
        refused(
            ErrorCode::TopicAlreadyExists,
            "Topic 'my.topic' already exists."
        )
    );
    assert_eq!(
        cluster.create_one(topic("my_topic", 1, 1)),
        refused(
            ErrorCode::InvalidTopicException,
            "Topic 'my_topic' collides with existing topic: my.topic"
        )
    );
    assert_eq!(
        cluster.create_one(topic("__cluster_metadata", 1, 1)).0,
        ErrorCode::InvalidRequest
    );
}

#[test]
fn duplicates_in_one_request_get_one_refusal_and_do_not_hurt_the_others() {
    let mut cluster = Cluster::of(&[1]);
    let results = cluster.create(vec![topic("a", 1, 1), topic("b", 1, 1), topic("a", 2, 1)]);
    let expected = [
        (
            "a".to_owned(),
            ErrorCode::InvalidRequest,
            "Duplicate topic name.".to_owned(),
        ),
        ("b".to_owned(), ErrorCode::None, String::new()),
    ];
    assert_eq!(results, expected);
}

#[test]
fn counts_are_checked_and_default() {
    let mut cluster = Cluster::of(&[1]);
    assert_eq!(cluster.create_one(topic("d", -1, -1)), ok());
    let created = cluster.image().topics().by_name("d").expect("created");
    assert_eq!(created.partitions().len(), 1);
    for partitions in [0, -2] {
        assert_eq!(
            cluster.create_one(topic("t", partitions, 1)),
            refused(
                ErrorCode::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value."
            )
        );
    }
    assert_eq!(
        cluster.create_one(topic("t", 1, 0)),
        refused(
            ErrorCode::InvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value."
        )
    );
    assert_eq!(
        cluster.create_one(topic("t", 1, 3)),
        refused(
            ErrorCode::InvalidReplicationFactor,
            "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached \
             because only 1 broker(s) are registered or some brokers have all their log directories cordoned."
        )
    );
    assert_eq!(
        cluster.create_one(topic("t", 10_000, 1)),
        refused(
            ErrorCode::PolicyViolation,
            "Excessively large number of partitions per request."
        )
    );
}

#[test]
fn manual_assignments_are_checked() {
    let mut cluster = Cluster::of(&[1, 2]);
    let message = |brokers: &[i32], cluster: &mut Cluster| {
        let topic = assigned("t", &[(0, &[1, 2]), (1, brokers)]);
        let (error, message) = cluster.create_one(topic);
        assert_eq!(error, ErrorCode::InvalidReplicaAssignment);
        message
    };
    assert_eq!(
        message(&[7, 1], &mut cluster),
        "The manual partition assignment includes broker 7, but no such broker is registered."
    );
    assert_eq!(
        message(&[1, 1], &mut cluster),
        "The manual partition assignment includes the broker 1 more than once."
    );
    assert_eq!(
        message(&[], &mut cluster),
        "The manual partition assignment includes an empty replica list."
    );
    assert_eq!(
        message(&[1], &mut cluster),
        "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with \
         previous partitions, which have 2 replica(s)."
    );
    let gap = assigned("t", &[(0, &[1]), (2, &[1])]);
    assert_eq!(
        cluster.create_one(gap),
        refused(
            ErrorCode::InvalidReplicaAssignment,
            "partitions should be a consecutive 0-based integer sequence"
        )
    );
    let with_count = CreatableTopic {
        num_partitions: 1,
        ..assigned("t", &[(0, &[1])])
    };
    assert_eq!(cluster.create_one(with_count).0, ErrorCode::InvalidRequest);
    assert_eq!(
        cluster.create_one(assigned("t", &[(1, &[2, 1]), (0, &[1, 2])])),
        ok()
    );
    let second = cluster.image().topics().partition("t", PartitionIndex(1));
    assert_eq!(
        second.expect("created").replicas,
        [BrokerId(2), BrokerId(1)]
    );
}

#[test]
fn replicas_are_striped_over_the_brokers() {
    let mut cluster = Cluster::of(&[1, 2, 3]);
    assert_eq!(cluster.create_one(topic("t", 3, 2)), ok());
    let topic = cluster.image().topics().by_name("t").expect("created");
    let leaders: Vec<_> = topic.partitions().values().map(|p| p.leader).collect();
    assert_eq!(
        leaders,
        [Some(BrokerId(2)), Some(BrokerId(3)), Some(BrokerId(1))]
    );
    assert!(
        topic
            .partitions()
            .values()
            .all(|p| p.replicas[0] != p.replicas[1])
    );
}

#[test]
fn validate_only_says_what_would_be_and_writes_nothing() {
    let mut cluster = Cluster::of(&[1]);
    let before = cluster.log.records.len();
    let new = NewTopic {
        topic: topic("t", 3, 1),
        topic_id: Uuid([5; 16]),
    };
    let response = cluster.ask(Command::CreateTopics {
        topics: vec![new],
        placement_start: 0,
        validate_only: true,
    });
    let Response::CreateTopics(results) = response else {
        panic!("another answer");
    };
    assert_eq!((results[0].error_code, results[0].num_partitions), (0, 3));
    assert_eq!(cluster.log.records.len(), before);
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create(vec![topic("a", 1, 1), topic("b", 1, 1), topic("c", 1, 1)]);
    let id = cluster.image().topics().by_name("b").expect("b").id();
    let by_name = |name: &str| DeleteTopicState {
        name: Some(name.into()),
        ..Default::default()
    };
    let by_id = |topic_id: Uuid| DeleteTopicState {
        topic_id,
        ..Default::default()
    };
    let both = DeleteTopicState {
        name: Some("c".into()),
        topic_id: id,
        ..Default::default()
    };
    let response = cluster.ask(Command::DeleteTopics {
        topics: vec![
            by_name("a"),
            by_id(id),
            by_name("x"),
            by_id(Uuid([99; 16])),
            by_id(Uuid::ZERO),
            both,
        ],
    });
    let Response::DeleteTopics(results) = response else {
        panic!("another answer");
    };
    let errors: Vec<ErrorCode> = results
        .iter()
        .map(|result| ErrorCode::from_code(result.error_code))
        .collect();
    let expected = [
        ErrorCode::None,
        ErrorCode::None,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
        ErrorCode::InvalidRequest,
        ErrorCode::InvalidRequest,
    ];
    assert_eq!(errors, expected);
    assert_eq!(results[1].name.as_deref(), Some("b"));
    let left: Vec<&str> = cluster.image().topics().iter().map(|t| t.name()).collect();
    assert_eq!(left, ["c"]);
    cluster.check_replay();
}

#[test]
fn a_topic_created_anew_has_none_of_its_forerunners_configuration() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(with_config(topic("t", 1, 1), "retention.ms", Some("5")));
    let named = DeleteTopicState {
        name: Some("t".into()),
        ..Default::default()
    };
    cluster.ask(Command::DeleteTopics {
        topics: vec![named],
    });
    assert_eq!(cluster.create_one(topic("t", 1, 1)), ok());
    assert!(cluster.configs("t").is_empty());
    cluster.check_replay();
}

#[test]
fn partitions_are_added_and_never_taken_away() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(topic("t", 5, 1));
    let count = |count| CreatePartitionsTopic {
        name: "t".into(),
        count,
        ..Default::default()
    };
    let automatic = |n| CreatePartitionsTopic {
        assignments: None,
        ..count(n)
    };
    assert_eq!(
        cluster.add_partitions(automatic(5)),
        refused(
            ErrorCode::InvalidPartitions,
            "Topic already has 5 partition(s)."
        )
    );
    assert_eq!(
        cluster.add_partitions(automatic(2)),
        refused(
            ErrorCode::InvalidPartitions,
            "The topic t currently has 5 partition(s); 2 would not be an increase."
        )
    );
    let one = CreatePartitionsAssignment {
        broker_ids: vec![1],
        ..Default::default()
    };
    let too_few = CreatePartitionsTopic {
        assignments: Some(vec![one]),
        ..count(8)
    };
    assert_eq!(
        cluster.add_partitions(too_few),
        refused(
            ErrorCode::InvalidReplicaAssignment,
            "Attempted to add 3 additional partition(s), but only 1 assignment(s) were specified."
        )
    );
    assert_eq!(cluster.add_partitions(automatic(7)), ok());
    let topic = cluster.image().topics().by_name("t").expect("created");
    assert!(
        topic
            .partitions()
            .keys()
            .copied()
            .eq((0..7).map(PartitionIndex))
    );
    cluster.check_replay();
}

#[test]
fn partitions_that_an_orderly_stop_left_without_a_leader_get_it_back() {
    let mut cluster = Cluster::of(&[1]);
    assert_eq!(cluster.create_one(topic("t", 3, 1)), ok());
    let topic_id = cluster.image().topics().by_name("t").expect("t").id();
    let without_leader = |partition_id| PartitionChangeRecord {
        partition_id,
        topic_id,
        leader: -1,
        ..Default::default()
    };
    let mut records = cluster.log.records.clone();
    records.push(MetadataRecord::PartitionChange(without_leader(0)));
    records.push(MetadataRecord::PartitionChange(PartitionChangeRecord {
        isr: Some(Vec::new()),
        eligible_leader_replicas: Some(vec![1]),
        ..without_leader(1)
    }));
    records.push(MetadataRecord::PartitionChange(PartitionChangeRecord {
        isr: Some(vec![2]),
        ..without_leader(2)
    }));
    cluster.reload(records);
    cluster.start_broker(1);
    let partition = |index| {
        let topics = cluster.image().topics();
        topics.partition("t", PartitionIndex(index)).expect("it")
    };
    for index in [0, 1] {
        assert_eq!(partition(index).leader, Some(BrokerId(1)));
        assert_eq!(partition(index).isr, [BrokerId(1)]);
        assert_eq!(partition(index).leader_epoch, LeaderEpoch(2));
        assert!(partition(index).eligible_leader_replicas.is_empty());
    }
    assert_eq!(
        partition(2).leader,
        None,
        "another broker has what was committed"
    );
    cluster.check_replay();
}
