//! A broker on this thread, and its paths that are neither Produce nor Fetch.

use std::net::SocketAddr;

use ottla_config::resolve::BrokerConfig;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_topics::request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::{
    CreateTopicsRequest, FindCoordinatorRequest, MetadataRequest, OffsetCommitRequest,
};
use ottla_protocol::wire::Uuid;
use ottla_server::{Loggers, Started};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::client::{Client, frame};
use crate::measure;

const METADATA_TOPICS: usize = 1000;
const GROUP: &str = "readers";

/// What is not configured here is as everybody has it. Flushes are left to the background, as in Kafka.
const CONFIG: &[(&str, &str)] = &[
    ("listeners", "PLAINTEXT://127.0.0.1:0"),
    ("ottla.durability", "memory"),
    ("offsets.topic.num.partitions", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    // The records have a time of their own.
    ("log.retention.ms", "-1"),
];

pub(crate) struct Broker {
    runtime: Runtime,
    pub(crate) address: SocketAddr,
    /// Removed last.
    _dir: tempfile::TempDir,
}

impl Broker {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = dir.path().join("data").display().to_string();
        let pairs = CONFIG
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let config = BrokerConfig::load(pairs.chain([("log.dirs".to_owned(), data)]));
        let config = config.expect("a valid configuration");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (said, started) = oneshot::channel();
        runtime.spawn(async move {
            let on_ready = async move |started: &Started| {
                said.send(started.listeners[0].1).expect("who waits for it");
                std::future::pending().await
            };
            let served = ottla_server::serve(config, Loggers::default(), on_ready).await;
            // A panic of a task would end no more than that task, and whoever waits for a reply would go on waiting.
            eprintln!("the broker ended: {served:?}");
            std::process::exit(1);
        });
        let address = runtime.block_on(started).expect("a broker");
        Self {
            runtime,
            address,
            _dir: dir,
        }
    }

    /// Runs the broker until something is done.
    pub(crate) fn until<T>(&self, done: impl Future<Output = T>) -> T {
        self.runtime.block_on(done)
    }

    pub(crate) fn connect(&self) -> Client {
        self.until(Client::connect(self.address))
    }

    pub(crate) fn add_topic(&self, name: &str, partitions: i32, durability: &str) -> Uuid {
        self.add_topics([name.to_owned()], partitions, durability)[0]
    }

    fn add_topics(
        &self,
        names: impl IntoIterator<Item = String>,
        partitions: i32,
        durability: &str,
    ) -> Vec<Uuid> {
        let config = CreatableTopicConfig {
            name: "ottla.durability".into(),
            value: Some(durability.into()),
            ..Default::default()
        };
        let topics = names.into_iter().map(|name| CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: vec![config.clone()],
            ..Default::default()
        });
        let request = CreateTopicsRequest {
            topics: topics.collect(),
            timeout_ms: 60_000,
            ..Default::default()
        };
        let created = self.until(self.connect().call(&request, 7));
        let ids = created.topics.iter().map(|topic| {
            assert_eq!(topic.error_code, 0, "{topic:?}");
            topic.topic_id
        });
        ids.collect()
    }

    /// Measures one frame after the other on one connection. All replies must be as long as that to the first frame.
    pub(crate) fn measure_frames<F: AsRef<[u8]>>(
        &self,
        path: &str,
        count: u32,
        client: &mut Client,
        frames: impl IntoIterator<Item = F>,
    ) {
        let mut frames = frames.into_iter();
        let mut length = None;
        measure(path, count, |count| {
            self.until(async {
                for _ in 0..count {
                    let frame = frames.next().expect("a frame for each round");
                    let received = client.exchange(frame.as_ref()).await;
                    assert_eq!(received, *length.get_or_insert(received), "{path}");
                }
            });
        });
    }
}

pub(crate) fn run(broker: &Broker) {
    commit(broker);
    metadata(broker);
}

/// The offset of one partition, of a group without members.
fn commit(broker: &Broker) {
    broker.add_topic("committed", 1, "memory");
    let mut client = broker.connect();
    let find = FindCoordinatorRequest {
        key: GROUP.into(),
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: "committed".into(),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: 42,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    // The topic of the offsets is made for who asks first, and then loaded.
    let retriable = [
        ErrorCode::CoordinatorNotAvailable,
        ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::NotCoordinator,
    ];
    broker.until(async {
        let found = loop {
            let found = client.call(&find, 3).await;
            if !retriable.contains(&ErrorCode::from_code(found.error_code)) {
                break found.error_code;
            }
        };
        assert_eq!(found, 0);
        let committed = loop {
            let committed = client.call(&request, 9).await.topics.remove(0);
            let error = committed.partitions[0].error_code;
            if !retriable.contains(&ErrorCode::from_code(error)) {
                break error;
            }
        };
        assert_eq!(committed, 0);
    });
    let request = frame(&request, 9);
    broker.measure_frames(
        "offset commit",
        100,
        &mut client,
        std::iter::repeat(&request),
    );
}

fn metadata(broker: &Broker) {
    let names = (0..METADATA_TOPICS).map(|number| format!("metadata-{number}"));
    broker.add_topics(names, 1, "memory");
    let mut client = broker.connect();
    let request = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    let answer = broker.until(client.call(&request, 13));
    assert!(answer.topics.len() > METADATA_TOPICS);
    let request = frame(&request, 13);
    let frames = std::iter::repeat(&request);
    broker.measure_frames("metadata of 1,000 topics", 10, &mut client, frames);
}
