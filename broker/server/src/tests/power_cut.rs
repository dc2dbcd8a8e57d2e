//! S-03, S-06, S-26: metadata and offsets on disks that fail or forget: what was acknowledged is there, what failed was not
//! acknowledged.

use std::path::Path;
use std::sync::Arc;

use ottla_config::resolve::BrokerConfig;
use ottla_coordination::controller::{Command, NewTopic, Response};
use ottla_coordination::group;
use ottla_log::testing::{Call, Crash, FaultyDisk, MemoryDisk, Random};
use ottla_log::{Disk as _, SharedDisk};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::OffsetCommitRequest;
use ottla_protocol::messages::create_topics::request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch::request::OffsetFetchRequestGroup;
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::Uuid;
use tokio::sync::mpsc;

use super::topics::topic;
use crate::boot::assemble;
use crate::broker::Broker;
use crate::data_dirs::{Identity, random_id};
use crate::exec::auto_create::{self, OFFSETS_TOPIC};
use crate::exec::log_dirs::{LogDir, LogDirs, Uses};
use crate::exec::{Storage, registration};
use crate::loggers::Loggers;
use crate::settings::Settings;

const EIO: i32 = 5;
const DIR: &str = "/logs";
const GROUPS: u64 = 4;

/// A broker without sockets on a disk of the test's.
pub(super) struct Node {
    pub(super) broker: Arc<Broker>,
    pub(super) fatal: mpsc::UnboundedReceiver<String>,
}

impl Node {
    pub(super) fn start(disk: SharedDisk) -> Self {
        Self::on(LogDir::load(disk, Path::new(DIR), Uuid([7; 16]), Uses::Both).unwrap())
    }

    pub(super) fn on(dir: LogDir) -> Self {
        let keys = [
            ("offsets.topic.num.partitions", "2"),
            ("transaction.state.log.num.partitions", "2"),
            ("metadata.log.max.record.bytes.between.snapshots", "1500"),
        ];
        let keys = keys.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let config = BrokerConfig::load(keys).unwrap();
        let settings = Settings::from_config(&config).unwrap();
        let (sender, fatal) = mpsc::unbounded_channel();
        let storage = Arc::new(Storage::new(LogDirs::new(vec![Arc::new(dir)], sender)));
        let identity = Identity {
            cluster_id: "c".to_owned(),
            node_id: BrokerId(1),
        };
        let broker = assemble(config, settings, Loggers::default(), identity, storage)
            .expect("metadata that loads");
        registration::register(&broker, &[]).expect("a metadata log that can be written");
        Self { broker, fatal }
    }

    pub(super) async fn create(&self, name: &str) -> Result<(), ErrorCode> {
        self.create_with(name, Vec::new()).await
    }

    pub(super) async fn create_with(
        &self,
        name: &str,
        configs: Vec<CreatableTopicConfig>,
    ) -> Result<(), ErrorCode> {
        let command = Command::CreateTopics {
            topics: vec![NewTopic {
                topic: CreatableTopic {
                    configs,
                    ..topic(name, 1)
                },
                topic_id: random_id(),
            }],
            placement_start: 0,
            validate_only: false,
        };
        match self.broker.controller.ask(&self.broker, command).await? {
            Response::CreateTopics(results) => ErrorCode::from_code(results[0].error_code).ok(),
            other => panic!("{other:?}"),
        }
    }

    fn has_topic(&self, name: &str) -> bool {
        self.broker.image.load().topics().by_name(name).is_some()
    }

    async fn commit(&self, group: &str, offset: i64) -> Result<(), ErrorCode> {
        let request = OffsetCommitRequest {
            group_id: group.into(),
            generation_id_or_member_epoch: -1,
            topics: vec![OffsetCommitRequestTopic {
                name: "t".into(),
                partitions: vec![OffsetCommitRequestPartition {
                    committed_offset: offset,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let command = group::Command::OffsetCommit {
            request,
            unknown_group: group::UnknownGroup::NotFound,
        };
        match self.broker.groups.ask(group, command).answer().await? {
            group::Response::OffsetCommit(response) => {
                ErrorCode::from_code(response.topics[0].partitions[0].error_code).ok()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The committed offset of a group, once it is loaded.
    async fn committed(&self, group: &str) -> Option<i64> {
        loop {
            let command = group::Command::OffsetFetch {
                require_stable: false,
                group: OffsetFetchRequestGroup {
                    group_id: group.into(),
                    topics: None,
                    ..Default::default()
                },
            };
            match self.broker.groups.ask(group, command).answer().await {
                Ok(group::Response::OffsetFetch(response)) => {
                    let topic = response.topics.first()?;
                    return Some(topic.partitions.first()?.committed_offset);
                }
                Err(ErrorCode::CoordinatorLoadInProgress) => tokio::task::yield_now().await,
                Err(ErrorCode::NotCoordinator) => return None,
                other => panic!("{other:?}"),
            }
        }
    }

    async fn create_offsets_topic(&self) {
        let refused = auto_create::create(&self.broker, vec![OFFSETS_TOPIC.into()]).await;
        assert!(refused.is_empty(), "{refused:?}");
    }
}

pub(super) fn disk() -> (Arc<MemoryDisk>, Arc<FaultyDisk>) {
    let memory = Arc::new(MemoryDisk::new());
    let faulty = FaultyDisk::new(memory.clone());
    faulty.create_dir_all(Path::new(DIR)).unwrap();
    faulty.sync_dir(Path::new("/")).unwrap();
    (memory, faulty)
}

#[tokio::test]
async fn s06_a_topic_whose_records_could_not_be_synced_is_not_created() {
    let (_, faulty) = disk();
    let mut node = Node::start(faulty.clone());
    assert_eq!(node.create("before").await, Ok(()));
    faulty.fail_once(Call::SyncData, 0, EIO);
    assert_eq!(
        node.create("during").await,
        Err(ErrorCode::KafkaStorageError)
    );
    assert!(!node.has_topic("during"));
    // The next sync would succeed and prove nothing.
    assert!(node.create("after").await.is_err());
    assert!(!node.has_topic("after"));
    let why = node.fatal.recv().await.expect("no broker without metadata");
    assert!(why.contains(DIR), "{why}");
}

#[tokio::test]
async fn s06_a_commit_that_could_not_be_synced_is_not_acknowledged() {
    let (_, faulty) = disk();
    let node = Node::start(faulty.clone());
    node.create("t").await.unwrap();
    node.create_offsets_topic().await;
    assert_eq!(node.commit("g", 1).await, Ok(()));
    // Also the background flush may be the one that fails.
    faulty.fail_from(Call::SyncData, 0, EIO);
    assert_eq!(node.commit("g", 2).await, Err(ErrorCode::NotCoordinator));
    faulty.heal();
    assert!(node.commit("g", 3).await.is_err());
}

/// Runs a broker until the power goes, again and again, and remembers what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_what_was_acknowledged_outlives_power_cuts() {
    for seed in 0..24 {
        let mut random = Random::new(seed);
        let (memory, _) = disk();
        let mut topics: Vec<String> = Vec::new();
        let mut offsets = std::collections::BTreeMap::<String, i64>::new();
        for boot in 0..4 {
            let plug = FaultyDisk::new(memory.clone());
            let node = Node::start(plug.clone());
            for name in &topics {
                assert!(
                    node.has_topic(name),
                    "seed {seed}, boot {boot}: {name} is lost"
                );
            }
            for number in 0..GROUPS {
                node.committed(&format!("g{number}")).await;
            }
            for (group, offset) in &offsets {
                let found = node.committed(group).await;
                assert!(
                    found.is_some_and(|found| found >= *offset),
                    "seed {seed}, boot {boot}: {group} was at {offset} and is at {found:?}"
                );
            }
            if boot == 0 {
                node.create("t").await.unwrap();
                node.create_offsets_topic().await;
            }
            for step in 0..random.below(30) {
                if random.one_in(3) {
                    let name = format!("t-{boot}-{step}");
                    assert_eq!(node.create(&name).await, Ok(()));
                    topics.push(name);
                } else {
                    let group = format!("g{}", random.below(GROUPS));
                    let offset = offsets.get(&group).map_or(1, |offset| offset + 1);
                    assert_eq!(node.commit(&group, offset).await, Ok(()));
                    offsets.insert(group, offset);
                }
            }
            // Some that nobody waits for: they may survive or not.
            let (one, two) = (node.create("u"), node.commit("g0", i64::MAX - 1));
            let undecided = async { tokio::join!(one, two) };
            drop(tokio::time::timeout(std::time::Duration::ZERO, undecided).await);
            let how = [
                Crash::LoseAll,
                Crash::Torn,
                Crash::Scattered,
                Crash::Process,
            ];
            let how = how[usize::try_from(random.below(4)).unwrap()];
            plug.cut_off();
            memory.crash(how, &mut random);
            offsets.retain(|group, _| group != "g0");
        }
    }
}
