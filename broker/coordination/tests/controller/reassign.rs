//! Replicas for other brokers: what one node can say to that.

use ottla_coordination::controller::{Command, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::alter_partition_reassignments::request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::metadata::{MetadataRecord, PartitionChangeRecord};

use super::{Cluster, assigned, ok, refused, topic};

impl Cluster {
    fn reassign(
        &mut self,
        topic: &str,
        index: i32,
        replicas: Option<&[i32]>,
    ) -> (ErrorCode, String) {
        let partition = ReassignablePartition {
            partition_index: index,
            replicas: replicas.map(<[i32]>::to_vec),
            ..Default::default()
        };
        let topic = ReassignableTopic {
            name: topic.into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let before = self.log.records.len();
        let response = self.ask(Command::AlterReassignments {
            topics: vec![topic],
        });
        assert_eq!(self.log.records.len(), before, "nothing is to be written");
        let Response::AlterReassignments(topics) = response else {
            panic!("another answer: {response:?}");
        };
        let result = &topics[0].partitions[0];
        assert_eq!(result.partition_index, index);
        let message = result.error_message.as_deref().unwrap_or_default();
        (ErrorCode::from_code(result.error_code), message.to_owned())
    }
}

#[test]
fn an_assignment_that_is_there_already_is_granted_without_a_record() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(topic("t", 2, 1));
    assert_eq!(cluster.reassign("t", 1, Some(&[1])), ok());
}

#[test]
fn an_assignment_that_cannot_be_is_refused_in_the_references_words() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(topic("t", 1, 1));
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let invalid = ErrorCode::InvalidReplicaAssignment;
    for (name, index, replicas, error, words) in [
        (
            "u",
            0,
            Some(&[1][..]),
            unknown,
            "Unable to find a topic named u.",
        ),
        ("t", 1, Some(&[1]), unknown, "Unable to find partition t:1."),
        (
            "t",
            0,
            Some(&[1, 2]),
            invalid,
            "The manual partition assignment includes broker 2, but no such broker is registered.",
        ),
        (
            "t",
            0,
            Some(&[1, 1]),
            invalid,
            "The manual partition assignment includes the broker 1 more than once.",
        ),
        (
            "t",
            0,
            Some(&[]),
            invalid,
            "The manual partition assignment includes an empty replica list.",
        ),
        (
            "t",
            0,
            None,
            ErrorCode::NoReassignmentInProgress,
            "No partition reassignment is in progress.",
        ),
    ] {
        assert_eq!(
            cluster.reassign(name, index, replicas),
            refused(error, words)
        );
    }
}

#[test]
fn replicas_stay_on_the_brokers_that_have_them() {
    let mut cluster = Cluster::of(&[1, 2]);
    cluster.create_one(assigned("t", &[(0, &[1])]));
    let elsewhere = refused(
        ErrorCode::InvalidReplicaAssignment,
        "Replicas cannot be moved to other brokers: this version runs one node.",
    );
    assert_eq!(cluster.reassign("t", 0, Some(&[2])), elsewhere);
    assert_eq!(cluster.reassign("t", 0, Some(&[1, 2])), elsewhere);

    // Apache Kafka has begun to, before its directory was moved in.
    let topic_id = cluster.image().topics().by_name("t").expect("t").id();
    let mut records = cluster.log.records.clone();
    records.push(MetadataRecord::PartitionChange(PartitionChangeRecord {
        topic_id,
        partition_id: 0,
        replicas: Some(vec![1, 2]),
        adding_replicas: Some(vec![2]),
        ..Default::default()
    }));
    cluster.reload(records);
    assert_eq!(cluster.reassign("t", 0, Some(&[1, 2])), elsewhere);
    assert_eq!(
        cluster.reassign("t", 0, None),
        refused(
            ErrorCode::InvalidReplicaAssignment,
            "What another node began cannot be taken back: this version runs one node.",
        )
    );
}
