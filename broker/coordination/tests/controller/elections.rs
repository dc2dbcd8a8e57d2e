//! Elections that somebody asks for.

use ottla_coordination::controller::{Command, ElectionType, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::elect_leaders::request::TopicPartitions;
use ottla_protocol::messages::metadata::{MetadataRecord, PartitionChangeRecord};
use ottla_protocol::types::{BrokerId, PartitionIndex};

use super::{Cluster, assigned, topic};
use ElectionType::{Preferred, Unclean};

impl Cluster {
    /// Topic, partition and verdict of each that is told of.
    fn elect(
        &mut self,
        kind: ElectionType,
        partitions: Option<&[(&str, i32)]>,
    ) -> Vec<(String, i32, ErrorCode)> {
        let asked = |(topic, index): &(&str, i32)| TopicPartitions {
            topic: (*topic).into(),
            partitions: vec![*index],
            ..Default::default()
        };
        let partitions = partitions.map(|partitions| partitions.iter().map(asked).collect());
        let response = self.ask(Command::ElectLeaders { kind, partitions });
        let Response::ElectLeaders(topics) = response else {
            panic!("another answer: {response:?}");
        };
        let told = topics.iter().flat_map(|topic| {
            let partitions = topic.partition_result.iter();
            partitions.map(|it| {
                let code = ErrorCode::from_code(it.error_code);
                (topic.topic.to_string(), it.partition_id, code)
            })
        });
        told.collect()
    }

    fn leader(&self, topic: &str, index: i32) -> Option<BrokerId> {
        let topics = self.image().topics();
        let partition = topics.partition(topic, PartitionIndex(index));
        partition.expect("the partition").leader
    }

    /// As Apache Kafka has left it behind, before its directory was moved in.
    fn left_behind(&mut self, change: PartitionChangeRecord) {
        let topic_id = self.image().topics().by_name("t").expect("t").id();
        let mut records = self.log.records.clone();
        records.push(MetadataRecord::PartitionChange(PartitionChangeRecord {
            topic_id,
            partition_id: 0,
            ..change
        }));
        self.reload(records);
    }
}

fn told(index: i32, code: ErrorCode) -> Vec<(String, i32, ErrorCode)> {
    vec![("t".to_owned(), index, code)]
}

#[test]
fn where_the_right_one_leads_no_election_is_needed_and_nothing_is_written() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(topic("t", 2, 1));
    let before = cluster.log.records.len();
    for kind in [Preferred, Unclean] {
        let verdict = cluster.elect(kind, Some(&[("t", 1)]));
        assert_eq!(verdict, told(1, ErrorCode::ElectionNotNeeded));
        assert_eq!(cluster.elect(kind, None), []);
    }
    assert_eq!(cluster.log.records.len(), before);
}

#[test]
fn what_is_not_there_is_told_one_by_one() {
    let mut cluster = Cluster::of(&[1]);
    cluster.create_one(topic("t", 1, 1));
    let verdicts = cluster.elect(Preferred, Some(&[("t", 7), ("u", 0), ("t", 0)]));
    let codes: Vec<ErrorCode> = verdicts.iter().map(|verdict| verdict.2).collect();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(codes, [unknown, unknown, ErrorCode::ElectionNotNeeded]);
}

#[test]
fn the_preferred_replica_leads_again_if_it_is_in_sync() {
    let mut cluster = Cluster::of(&[1, 2]);
    cluster.create_one(assigned("t", &[(0, &[1, 2])]));
    cluster.left_behind(PartitionChangeRecord {
        leader: 2,
        isr: Some(vec![2]),
        ..Default::default()
    });
    let verdict = cluster.elect(Preferred, None);
    assert_eq!(verdict, told(0, ErrorCode::PreferredLeaderNotAvailable));
    assert_eq!(cluster.leader("t", 0), Some(BrokerId(2)));

    cluster.left_behind(PartitionChangeRecord {
        isr: Some(vec![2, 1]),
        ..Default::default()
    });
    let verdict = cluster.elect(Preferred, None);
    assert_eq!(verdict, told(0, ErrorCode::None));
    assert_eq!(cluster.leader("t", 0), Some(BrokerId(1)));
    cluster.check_replay();
}

#[test]
fn without_a_leader_a_replica_that_is_behind_leads_when_somebody_insists() {
    let mut cluster = Cluster::of(&[1, 2]);
    cluster.create_one(assigned("t", &[(0, &[2, 1])]));
    cluster.left_behind(PartitionChangeRecord {
        leader: -1,
        isr: Some(vec![2]),
        ..Default::default()
    });
    let broker_id = BrokerId(2);
    cluster.ask(Command::UnregisterBroker { broker_id });
    let verdict = cluster.elect(Preferred, Some(&[("t", 0)]));
    assert_eq!(verdict, told(0, ErrorCode::PreferredLeaderNotAvailable));
    assert_eq!(cluster.leader("t", 0), None);

    assert_eq!(cluster.elect(Unclean, None), told(0, ErrorCode::None));
    assert_eq!(cluster.leader("t", 0), Some(BrokerId(1)));
    let verdict = cluster.elect(Unclean, Some(&[("t", 0)]));
    assert_eq!(verdict, told(0, ErrorCode::ElectionNotNeeded));
    cluster.check_replay();
}

#[test]
fn where_no_replica_is_there_none_can_be_elected() {
    let mut cluster = Cluster::of(&[1, 2]);
    cluster.create_one(assigned("t", &[(0, &[2])]));
    cluster.left_behind(PartitionChangeRecord {
        leader: -1,
        ..Default::default()
    });
    let broker_id = BrokerId(2);
    cluster.ask(Command::UnregisterBroker { broker_id });
    let verdict = cluster.elect(Unclean, Some(&[("t", 0)]));
    assert_eq!(verdict, told(0, ErrorCode::EligibleLeadersNotAvailable));
}
