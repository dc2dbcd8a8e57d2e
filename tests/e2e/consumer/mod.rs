//! The client library against a broker: its consumer, and what produces in transactions.
//!
//! The broker is ours, or the one whose address `OTTLA_E2E_BROKER` holds, so that the same stories can be told to the
//! reference, configured as `CONFIG` says.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ottla_client::admin::{Admin, MemberToRemove, NewOffset, NewTopic, TopicPartition};
use ottla_client::cluster::Cluster;
use ottla_client::config::{ClientKind, Patience};
use ottla_client::consumer::{Consumer, ConsumerError, ConsumerSettings, RebalanceListener};
use ottla_client::producer::{Producer, ProducerSettings, Record};
use ottla_config::resolve::Settings;

use crate::server::Server;

mod commits;
mod coordinated;
mod door;
mod groups;
mod interruptions;
mod positions;
mod rebalances;
mod static_members;
mod transactions;

pub(crate) use door::{Door, Lost};

const PATIENCE: Duration = Duration::from_secs(60);
const A_WHILE: Duration = Duration::from_millis(50);

/// Groups that do not wait for further members, and notice soon who is gone.
const CONFIG: [&str; 6] = [
    "group.initial.rebalance.delay.ms=0",
    "group.min.session.timeout.ms=1000",
    "group.consumer.min.session.timeout.ms=1000",
    "group.consumer.session.timeout.ms=6000",
    "group.consumer.min.heartbeat.interval.ms=100",
    "group.consumer.heartbeat.interval.ms=100",
];

const COORDINATED: (&str, &str) = ("group.protocol", "consumer");

pub(crate) struct Broker {
    pub(crate) address: String,
    pub(crate) ours: Option<Server>,
}

fn is_foreign() -> bool {
    std::env::var("OTTLA_E2E_BROKER").is_ok()
}

fn overrides() -> Vec<&'static str> {
    let overrides = CONFIG.iter().map(|key| ["--override", key]);
    overrides.flatten().collect()
}

impl Broker {
    fn start() -> Broker {
        if let Ok(address) = std::env::var("OTTLA_E2E_BROKER") {
            return Broker {
                address,
                ours: None,
            };
        }
        let server = Server::with(&overrides(), &[]);
        Broker {
            address: server.address().to_owned(),
            ours: Some(server),
        }
    }

    async fn cluster(&self, kind: ClientKind) -> Cluster {
        let settings = kind
            .settings([("bootstrap.servers", &*self.address)])
            .unwrap();
        let settings = kind.cluster_settings(&settings, Patience::Prompt).unwrap();
        Cluster::connect(settings).await.unwrap()
    }

    async fn admin(&self) -> Admin {
        Admin::over(self.cluster(ClientKind::Admin).await)
    }

    pub(crate) async fn create(&self, topic: &str, partitions: i32) {
        let new = NewTopic {
            name: topic.to_owned(),
            partitions: Some(partitions),
            replication_factor: None,
            assignments: Vec::new(),
            configs: Vec::new(),
        };
        let admin = self.admin().await;
        for (_, outcome) in admin.create_topics(&[new], false).await.unwrap() {
            outcome.unwrap();
        }
    }

    /// Records numbered so, dealt to the partitions in turn.
    async fn produce(&self, topic: &str, partitions: i32, numbers: std::ops::Range<i32>) {
        let kind = ClientKind::Producer;
        let settings = kind
            .settings([("bootstrap.servers", &*self.address)])
            .unwrap();
        let settings = ProducerSettings::from_config(&settings).unwrap();
        let producer = Producer::start(self.cluster(kind).await, settings);
        let mut deliveries = Vec::new();
        for number in numbers {
            let value = number.to_string();
            let record = Record {
                topic,
                partition: Some(number % partitions),
                value: Some(value.as_bytes()),
                timestamp: Some(i64::from(number)),
                ..Record::default()
            };
            deliveries.push(producer.send(record).await.unwrap());
        }
        producer.flush().await;
        for delivery in deliveries {
            delivery.now().unwrap().unwrap();
        }
        producer.close(PATIENCE).await;
    }

    fn settings(&self, given: &[(&str, &str)]) -> Settings {
        let mut all = vec![
            ("bootstrap.servers", &*self.address),
            ("auto.offset.reset", "earliest"),
        ];
        if !given.contains(&COORDINATED) {
            all.push(("heartbeat.interval.ms", "100"));
        }
        all.extend(given);
        ClientKind::Consumer.settings(all).unwrap()
    }

    fn consumer_settings(&self, given: &[(&str, &str)]) -> ConsumerSettings {
        ConsumerSettings::from_config(&self.settings(given)).unwrap()
    }

    async fn consumer(&self, given: &[(&str, &str)]) -> Consumer {
        let settings = self.settings(given);
        let cluster = ClientKind::Consumer.cluster_settings(&settings, Patience::Prompt);
        let cluster = Cluster::connect(cluster.unwrap()).await.unwrap();
        Consumer::start(cluster, self.consumer_settings(given))
    }
}

pub(crate) fn story<F: Future<Output = ()>>(tell: impl FnOnce(Broker) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(tell(Broker::start()));
}

/// Topics and groups of different tests must not meet on a broker that outlives them.
fn unique(name: &str) -> String {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{name}-{}", since.as_nanos())
}

fn partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// Polls all consumers in turn until the condition holds; what each has read goes to `read`.
async fn poll_until(
    consumers: &mut [&mut Consumer],
    read: &mut Vec<i32>,
    mut holds: impl FnMut(&[&mut Consumer], &[i32]) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    while !holds(consumers, read) {
        assert!(Instant::now() < deadline, "read {} records", read.len());
        for consumer in &mut *consumers {
            for record in consumer.poll(A_WHILE).await.unwrap() {
                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                read.push(value.parse().unwrap());
            }
        }
    }
}

fn assigned(consumer: &Consumer) -> Vec<i32> {
    consumer.assignment().map(|at| at.partition).collect()
}

/// Writes down what it hears.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: &str, partitions: &[TopicPartition]) {
        let indexes: Vec<i32> = partitions.iter().map(|at| at.partition).collect();
        self.0.lock().unwrap().push(format!("{what} {indexes:?}"));
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl RebalanceListener for Diary {
    fn on_assigned(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        self.note("assigned", partitions);
        Vec::new()
    }

    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        self.note("revoked", partitions);
        Vec::new()
    }

    fn on_lost(&mut self, partitions: &[TopicPartition]) {
        self.note("lost", partitions);
    }
}
