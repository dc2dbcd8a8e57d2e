//! Directories of replicas: chosen by brokers, lost with disks, found again.

use ottla_coordination::controller::{
    Command, DirectoryAssignment, Response, UNASSIGNED_DIRECTORY,
};
use ottla_protocol::messages::BrokerRegistrationRequest;
use ottla_protocol::types::{BrokerId, PartitionIndex};
use ottla_protocol::wire::Uuid;

use super::{Cluster, ok, topic};

const BROKER: BrokerId = BrokerId(1);
const A: Uuid = Uuid([0xa; 16]);
const B: Uuid = Uuid([0xb; 16]);

impl Cluster {
    /// A start of the broker with these directories.
    fn start_with(&mut self, log_dirs: &[Uuid]) {
        let broker_epoch = self.log.end().0;
        let request = BrokerRegistrationRequest {
            broker_id: BROKER.0,
            log_dirs: log_dirs.to_vec(),
            ..Default::default()
        };
        self.ask(Command::RegisterBroker {
            request,
            broker_epoch,
        });
        let unfenced = self.ask(Command::UnfenceBroker {
            broker_id: BROKER,
            broker_epoch,
        });
        assert_eq!(unfenced, Response::UnfenceBroker(Ok(())));
    }

    fn put(&mut self, index: i32, directory: Uuid) {
        let image = self.image();
        let topic_id = image.topics().by_name("t").unwrap().id();
        let assignments = vec![DirectoryAssignment {
            topic_id,
            partition: PartitionIndex(index),
            directory,
        }];
        let answer = self.ask(Command::AssignDirectories {
            broker_id: BROKER,
            assignments,
        });
        assert_eq!(answer, Response::AssignDirectories(Ok(())));
    }

    fn keep(&mut self, online: &[Uuid]) {
        let online = online.to_vec();
        let answer = self.ask(Command::KeepDirectories {
            broker_id: BROKER,
            online,
        });
        assert_eq!(answer, Response::KeepDirectories(Ok(())));
    }

    /// Directory and leader of a partition.
    fn stands(&mut self, index: i32) -> (Uuid, Option<BrokerId>) {
        let topics = self.image().topics().clone();
        let partition = topics.partition("t", PartitionIndex(index)).unwrap();
        (partition.directory(BROKER).unwrap(), partition.leader)
    }
}

#[test]
fn a_broker_that_is_gone_is_taken_out_of_the_cluster_once() {
    let mut cluster = Cluster::of(&[1, 2]);
    let unregister = |broker_id| Command::UnregisterBroker { broker_id };
    let answer = cluster.ask(unregister(BrokerId(2)));
    assert_eq!(answer, Response::UnregisterBroker(Ok(())));
    assert!(
        cluster
            .host
            .machine()
            .image()
            .cluster()
            .broker(BrokerId(2))
            .is_none()
    );
    let Response::UnregisterBroker(Err(error)) = cluster.ask(unregister(BrokerId(2))) else {
        panic!("it was not there any more");
    };
    assert_eq!(
        error.to_string(),
        "BROKER_ID_NOT_REGISTERED: Broker ID 2 is not currently registered"
    );
    cluster.check_replay();
}

#[test]
fn a_broker_with_several_directories_chooses_and_says_so() {
    let mut cluster = Cluster::of(&[]);
    cluster.start_with(&[A, B]);
    assert_eq!(cluster.create_one(topic("t", 2, 1)), ok());
    assert_eq!(cluster.stands(0), (UNASSIGNED_DIRECTORY, Some(BROKER)));
    cluster.put(0, A);
    cluster.put(1, B);
    let told = cluster.log.records.len();
    cluster.put(1, B);
    assert_eq!(cluster.log.records.len(), told, "nothing new");
    assert_eq!(cluster.stands(0), (A, Some(BROKER)));
    assert_eq!(cluster.stands(1), (B, Some(BROKER)));
    cluster.check_replay();
}

#[test]
fn what_lies_in_a_lost_directory_has_no_leader_until_the_directory_is_back() {
    let mut cluster = Cluster::of(&[]);
    cluster.start_with(&[A, B]);
    assert_eq!(cluster.create_one(topic("t", 2, 1)), ok());
    cluster.put(0, A);
    cluster.put(1, B);

    cluster.keep(&[A]);
    assert_eq!(cluster.stands(0), (A, Some(BROKER)));
    assert_eq!(cluster.stands(1), (B, None));
    let told = cluster.log.records.len();
    cluster.keep(&[A]);
    assert_eq!(cluster.log.records.len(), told, "nothing new");

    cluster.start_with(&[A]);
    assert_eq!(cluster.stands(1), (B, None));
    cluster.start_with(&[A, B]);
    assert_eq!(cluster.stands(1), (B, Some(BROKER)));
    // Lost while the broker was down; found in another directory, where an operator had put it.
    cluster.start_with(&[A]);
    assert_eq!(cluster.stands(1), (B, None));
    cluster.put(1, A);
    assert_eq!(cluster.stands(1), (A, Some(BROKER)));
    cluster.check_replay();
}
