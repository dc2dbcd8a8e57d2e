//! The client library's consumer against a broker: groups that share and hand over, positions, patterns.
//!
//! The broker is ours, or the one whose address `OTTLA_E2E_BROKER` holds, so that the same stories can be told to the
//! reference.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ottla_client::admin::{Admin, NewTopic, TopicPartition};
use ottla_client::cluster::Cluster;
use ottla_client::config::{ClientKind, Patience};
use ottla_client::consumer::{Consumer, ConsumerError, ConsumerSettings, RebalanceListener};
use ottla_client::producer::{Producer, ProducerSettings, Record};

use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(60);
const A_WHILE: Duration = Duration::from_millis(50);

struct Broker {
    address: String,
    _ours: Option<Server>,
}

impl Broker {
    fn start() -> Broker {
        if let Ok(address) = std::env::var("OTTLA_E2E_BROKER") {
            return Broker {
                address,
                _ours: None,
            };
        }
        // A new group needs not wait here for further members.
        let server = Server::with(&["--override", "group.initial.rebalance.delay.ms=0"], &[]);
        Broker {
            address: server.address().to_owned(),
            _ours: Some(server),
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

    async fn create(&self, topic: &str, partitions: i32) {
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

    async fn consumer(&self, given: &[(&str, &str)]) -> Consumer {
        let mut all = vec![
            ("bootstrap.servers", &*self.address),
            ("auto.offset.reset", "earliest"),
            ("heartbeat.interval.ms", "100"),
        ];
        all.extend(given);
        let kind = ClientKind::Consumer;
        let settings = kind.settings(all).unwrap();
        let cluster = kind.cluster_settings(&settings, Patience::Prompt).unwrap();
        let cluster = Cluster::connect(cluster).await.unwrap();
        Consumer::start(cluster, ConsumerSettings::from_config(&settings).unwrap())
    }
}

fn story<F: Future<Output = ()>>(tell: impl FnOnce(Broker) -> F) {
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

#[test]
fn members_share_partitions_and_hand_them_over_without_losing_or_repeating_a_record() {
    story(|broker| async move {
        let (topic, group) = (unique("shared"), unique("group"));
        broker.create(&topic, 4).await;
        broker.produce(&topic, 4, 0..1000).await;
        let given = [("group.id", &*group)];
        let mut read = Vec::new();

        let mut first = broker.consumer(&given).await;
        first.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut first], &mut read, |_, read| read.len() == 1000).await;
        assert_eq!(assigned(&first), [0, 1, 2, 3]);

        let mut second = broker.consumer(&given).await;
        second.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut first, &mut second], &mut read, |both, _| {
            both.iter().all(|consumer| assigned(consumer).len() == 2)
        })
        .await;
        broker.produce(&topic, 4, 1000..2000).await;
        poll_until(&mut [&mut first, &mut second], &mut read, |_, read| {
            read.len() >= 2000
        })
        .await;

        first.close(PATIENCE).await;
        broker.produce(&topic, 4, 2000..2100).await;
        poll_until(&mut [&mut second], &mut read, |_, read| read.len() >= 2100).await;
        assert_eq!(assigned(&second), [0, 1, 2, 3]);
        second.close(PATIENCE).await;

        assert_eq!(read.len(), 2100, "nothing twice");
        read.sort_unstable();
        assert!(read.into_iter().eq(0..2100));
    });
}

#[test]
fn a_successor_goes_on_where_the_group_has_committed() {
    story(|broker| async move {
        let (topic, group) = (unique("committed"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..20).await;
        let given = [
            ("group.id", &*group),
            ("enable.auto.commit", "false"),
            ("max.poll.records", "5"),
        ];
        let at = partition(&topic, 0);

        let mut first = broker.consumer(&given).await;
        first.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut first], &mut read, |_, read| read.len() == 5).await;
        first.commit_sync(None).await.unwrap();
        poll_until(&mut [&mut first], &mut read, |_, read| read.len() == 10).await;
        let committed = first.committed(std::slice::from_ref(&at)).await.unwrap();
        assert_eq!(committed[0].1.offset, 5);
        first.close(PATIENCE).await;

        let mut second = broker.consumer(&given).await;
        second.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut second], &mut read, |_, read| !read.is_empty()).await;
        assert_eq!(
            read,
            [5, 6, 7, 8, 9],
            "what was read and not committed comes again"
        );
        second
            .commit_async(None)
            .await
            .unwrap()
            .done()
            .await
            .unwrap();
        let committed = second.committed(&[at]).await.unwrap();
        assert_eq!(committed[0].1.offset, 10);
        second.close(PATIENCE).await;
    });
}

#[test]
fn positions_can_be_sought_by_offset_edge_and_time() {
    story(|broker| async move {
        let topic = unique("sought");
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..100).await;
        let at = partition(&topic, 0);
        let mut consumer = broker.consumer(&[]).await;
        consumer.assign([at.clone()]).unwrap();
        let first = async |consumer: &mut Consumer| {
            let mut read = Vec::new();
            poll_until(&mut [consumer], &mut read, |_, read| !read.is_empty()).await;
            read[0]
        };
        assert_eq!(first(&mut consumer).await, 0);
        assert_eq!(consumer.position(&at).unwrap(), Some(100));
        assert_eq!(consumer.lag(&at).unwrap().records, 0);
        consumer.seek(&at, 42).unwrap();
        assert_eq!(first(&mut consumer).await, 42);
        consumer.seek_to_beginning(&at).unwrap();
        assert_eq!(first(&mut consumer).await, 0);
        consumer.seek_to_end(&at).unwrap();
        assert!(consumer.poll(A_WHILE).await.unwrap().is_empty());
        broker.produce(&topic, 1, 100..101).await;
        assert_eq!(first(&mut consumer).await, 100);

        let found = consumer
            .offsets_for_times(&[(at.clone(), 77)])
            .await
            .unwrap();
        assert_eq!(found[0].1.unwrap().offset, Some(77));
        let none = consumer
            .offsets_for_times(&[(at.clone(), 1000)])
            .await
            .unwrap();
        assert_eq!(none[0].1, None);
        let partitions = [at.clone()];
        assert_eq!(
            consumer.beginning_offsets(&partitions).await.unwrap()[0].1,
            0
        );
        assert_eq!(consumer.end_offsets(&partitions).await.unwrap()[0].1, 101);

        consumer.seek(&at, 5000).unwrap();
        assert_eq!(
            first(&mut consumer).await,
            0,
            "auto.offset.reset is earliest"
        );
        let stranger = partition(&topic, 7);
        let refused = consumer.seek(&stranger, 0);
        assert_eq!(refused, Err(ConsumerError::NotAssigned(stranger)));
    });
}

#[test]
fn without_a_rule_where_to_begin_the_application_is_told() {
    story(|broker| async move {
        let (topic, group) = (unique("unruled"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..10).await;
        let given = [("auto.offset.reset", "none"), ("group.id", &*group)];
        let mut consumer = broker.consumer(&given).await;
        let at = partition(&topic, 0);
        consumer.assign([at.clone()]).unwrap();
        let outcome = consumer.poll(PATIENCE).await;
        assert_eq!(outcome, Err(ConsumerError::NoOffset(at.clone())));
        consumer.seek(&at, 5000).unwrap();
        let outcome = consumer.poll(PATIENCE).await;
        assert!(
            matches!(outcome, Err(ConsumerError::OutOfRange { offset: 5000, .. })),
            "{outcome:?}"
        );
        consumer.seek(&at, 3).unwrap();
        assert_eq!(consumer.poll(PATIENCE).await.unwrap()[0].offset, 3);
    });
}

#[test]
fn a_paused_partition_rests_until_it_is_resumed() {
    story(|broker| async move {
        let topic = unique("paused");
        broker.create(&topic, 2).await;
        broker.produce(&topic, 2, 0..100).await;
        let mut consumer = broker.consumer(&[("max.poll.records", "10")]).await;
        let resting = partition(&topic, 0);
        consumer
            .assign([resting.clone(), partition(&topic, 1)])
            .unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| !read.is_empty()).await;
        consumer.pause(&resting).unwrap();
        let odd = |read: &[i32]| read.iter().filter(|number| *number % 2 == 1).count();
        let even_before = read.len() - odd(&read);
        poll_until(&mut [&mut consumer], &mut read, |_, read| odd(read) == 50).await;
        assert_eq!(read.len() - odd(&read), even_before);
        consumer.resume(&resting).unwrap();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() >= 100).await;
        read.sort_unstable();
        assert!(read.into_iter().eq(0..100));
    });
}

#[test]
fn a_pattern_takes_in_topics_that_are_made_later() {
    story(|broker| async move {
        let (prefix, group) = (unique("pattern"), unique("group"));
        let topic = |n: i32| format!("{prefix}-{n}");
        broker.create(&topic(1), 1).await;
        broker.produce(&topic(1), 1, 0..10).await;
        let given = [("group.id", &*group), ("metadata.max.age.ms", "100")];
        let mut consumer = broker.consumer(&given).await;
        let begins = prefix.clone();
        consumer
            .subscribe_pattern(Arc::new(move |name| name.starts_with(&begins)))
            .unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 10).await;
        broker.create(&topic(2), 1).await;
        broker.produce(&topic(2), 1, 10..20).await;
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 20).await;
        let topics: BTreeSet<&str> = consumer.assignment().map(|at| at.topic.as_str()).collect();
        assert_eq!(topics.len(), 2);
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn a_group_takes_in_partitions_that_are_added() {
    story(|broker| async move {
        let (topic, group) = (unique("growing"), unique("group"));
        broker.create(&topic, 1).await;
        let given = [("group.id", &*group), ("metadata.max.age.ms", "100")];
        let mut consumer = broker.consumer(&given).await;
        consumer.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |all, _| {
            assigned(all[0]) == [0]
        })
        .await;
        let more = ottla_client::admin::NewPartitions {
            topic: topic.clone(),
            total: 3,
            assignments: Vec::new(),
        };
        let admin = broker.admin().await;
        admin.create_partitions(&[more], false).await.unwrap()[0]
            .1
            .clone()
            .unwrap();
        poll_until(&mut [&mut consumer], &mut read, |all, _| {
            assigned(all[0]) == [0, 1, 2]
        })
        .await;
        consumer.close(PATIENCE).await;
    });
}

#[test]
fn a_topic_that_does_not_exist_yet_is_read_once_it_does() {
    story(|broker| async move {
        let (topic, group) = (unique("later"), unique("group"));
        let given = [("group.id", &*group), ("allow.auto.create.topics", "false")];
        let mut consumer = broker.consumer(&given).await;
        consumer.subscribe([&*topic]).await.unwrap();
        assert!(consumer.poll(A_WHILE).await.unwrap().is_empty());
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..10).await;
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| read.len() == 10).await;
        consumer.close(PATIENCE).await;
    });
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
        partitions.iter().map(|at| (at.clone(), 7)).collect()
    }

    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        self.note("revoked", partitions);
        partitions.iter().map(|at| (at.clone(), 9)).collect()
    }

    fn on_lost(&mut self, partitions: &[TopicPartition]) {
        self.note("lost", partitions);
    }
}

#[test]
fn a_listener_chooses_where_to_begin_and_what_is_committed_last() {
    story(|broker| async move {
        let (topic, group) = (unique("listened"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..20).await;
        let mut consumer = broker.consumer(&[("group.id", &*group)]).await;
        let diary = Diary::default();
        consumer.set_rebalance_listener(Box::new(diary.clone()));
        consumer.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut consumer], &mut read, |_, read| !read.is_empty()).await;
        assert_eq!(read[0], 7);
        consumer.close(PATIENCE).await;
        assert_eq!(diary.lines(), ["assigned [0]", "revoked [0]"]);
        let admin = broker.admin().await;
        let offsets = admin.group_offsets(&group, None).await.unwrap();
        assert_eq!(offsets[0].1.clone().unwrap().offset, 9);
    });
}

#[test]
fn who_does_not_poll_loses_its_partitions_and_can_come_back() {
    story(|broker| async move {
        let (topic, group) = (unique("idle"), unique("group"));
        broker.create(&topic, 1).await;
        broker.produce(&topic, 1, 0..20).await;
        let given = [
            ("group.id", &*group),
            ("max.poll.interval.ms", "300"),
            ("enable.auto.commit", "false"),
        ];
        let mut idle = broker.consumer(&given).await;
        let diary = Diary::default();
        idle.set_rebalance_listener(Box::new(diary.clone()));
        idle.subscribe([&*topic]).await.unwrap();
        let mut read = Vec::new();
        poll_until(&mut [&mut idle], &mut read, |all, _| {
            assigned(all[0]) == [0]
        })
        .await;

        // Its place is free once the coordinator has heard the farewell: another gets the partition.
        let mut other = broker.consumer(&[("group.id", &*group)]).await;
        other.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut other], &mut read, |all, _| {
            assigned(all[0]) == [0]
        })
        .await;
        let committed = idle.commit_sync(None).await;
        assert!(
            matches!(committed, Err(ConsumerError::CommitFailed(_))),
            "{committed:?}"
        );
        other.close(PATIENCE).await;

        poll_until(&mut [&mut idle], &mut read, |all, _| {
            diary.lines().len() > 2 && assigned(all[0]) == [0]
        })
        .await;
        assert_eq!(
            diary.lines()[..3],
            ["assigned [0]", "lost [0]", "assigned [0]"]
        );
        idle.close(PATIENCE).await;
    });
}

#[test]
fn a_static_member_comes_back_to_its_partitions_and_fences_who_it_was() {
    story(|broker| async move {
        let (topic, group) = (unique("static"), unique("group"));
        broker.create(&topic, 2).await;
        let given = |instance: &'static str| {
            [
                ("group.id", group.clone()),
                ("group.instance.id", instance.to_owned()),
            ]
        };
        let mut members = BTreeMap::new();
        for instance in ["a", "b"] {
            let given = given(instance);
            let given: Vec<(&str, &str)> = given.iter().map(|(k, v)| (*k, &**v)).collect();
            let mut consumer = broker.consumer(&given).await;
            consumer.subscribe([&*topic]).await.unwrap();
            members.insert(instance, consumer);
        }
        let (mut a, mut b) = (members.remove("a").unwrap(), members.remove("b").unwrap());
        let mut read = Vec::new();
        poll_until(&mut [&mut a, &mut b], &mut read, |both, _| {
            both.iter().all(|consumer| assigned(consumer).len() == 1)
        })
        .await;
        let before = assigned(&b);

        let again = given("b");
        let again: Vec<(&str, &str)> = again.iter().map(|(k, v)| (*k, &**v)).collect();
        let mut successor = broker.consumer(&again).await;
        successor.subscribe([&*topic]).await.unwrap();
        poll_until(&mut [&mut a, &mut successor], &mut read, |both, _| {
            assigned(both[1]) == before
        })
        .await;
        let deadline = Instant::now() + PATIENCE;
        let fenced = loop {
            assert!(Instant::now() < deadline);
            if let Err(error) = b.poll(A_WHILE).await {
                break error;
            }
        };
        assert_eq!(fenced, ConsumerError::Fenced("b".to_owned()));
        a.close(PATIENCE).await;
        successor.close(PATIENCE).await;
    });
}
