//! A record to the cluster and back, through a topic that is made for it and deleted again.
//!
//! Always: a topic that was there before is left alone, and one that was made is deleted whatever came of it.

use std::time::{Duration, Instant};

use ottla_client::admin::{Admin, NewTopic, TopicPartition};
use ottla_client::cluster::{Cluster, ClusterSettings, Deadline};
use ottla_client::consumer::{Consumer, ConsumerError, ConsumerSettings};
use ottla_client::producer::{Producer, ProducerSettings, Record};
use ottla_protocol::errors::ErrorCode;
use tokio::time::timeout;

use super::report::{Diagnosis, Finding, Hop};

/// Who produces and who consumes.
pub(super) struct Clients {
    pub(super) producer: (ClusterSettings, ProducerSettings),
    pub(super) consumer: (ClusterSettings, ConsumerSettings),
}

/// A topic may want one: it is compacted where that is the brokers' default.
const KEY: &[u8] = b"ottla";
const VALUE: &[u8] = b"ottla doctor was here";

/// Why a record did not come back.
struct Trouble {
    found: String,
    /// The broker's, where it is one.
    code: Option<ErrorCode>,
}

impl<T: Into<String>> From<T> for Trouble {
    fn from(found: T) -> Self {
        Self {
            found: found.into(),
            code: None,
        }
    }
}

/// What to do about a broker's refusal.
fn advice(code: Option<ErrorCode>) -> &'static str {
    use ErrorCode as E;
    match code {
        Some(E::NotEnoughReplicas | E::NotEnoughReplicasAfterAppend) => {
            "fewer replicas are in sync than min.insync.replicas asks for: start the other brokers, or lower it, or raise default.replication.factor"
        }
        Some(E::MessageTooLarge | E::RecordListTooLarge) => {
            "message.max.bytes of the brokers is too small for any record: raise it"
        }
        Some(E::InvalidTimestamp) => {
            "set the clocks of this machine and the broker's, or look at log.message.timestamp.before.max.ms and its sibling"
        }
        Some(E::KafkaStorageError) => "the broker's disk has failed or is full: look at its log",
        Some(E::PolicyViolation) => {
            "the cluster allows no such topic: delete topics that nobody needs, or ask who runs it"
        }
        Some(E::InvalidReplicationFactor) => {
            "default.replication.factor asks for more brokers than there are: start them, or lower it"
        }
        Some(E::TopicAuthorizationFailed | E::ClusterAuthorizationFailed) => {
            "--topic names the topic that is made; make it one that you may make, write and read"
        }
        Some(E::InvalidTopicException) => {
            "--topic wants a name of letters, digits, dots, underscores and hyphens, 249 of them at most"
        }
        _ => {
            "look at the logs of the broker that leads the topic's partition, and at the hops above"
        }
    }
}

pub(super) async fn walk(
    admin: &Admin,
    topic: &str,
    clients: Clients,
    within: Duration,
    report: &mut Diagnosis,
) {
    let admin = admin.with_timeout(within);
    let begun = Instant::now();
    if let Err(finding) = create(&admin, topic).await {
        return report.add(finding.took(begun.elapsed()));
    }
    // Three steps, each of which has its time.
    let travelling = travel(admin.cluster(), topic, clients, within);
    let outcome = match timeout(within.saturating_mul(3), travelling).await {
        Ok(outcome) => outcome,
        Err(_) => Err("no record came back in time".into()),
    };
    let took = begun.elapsed();
    report.add(match outcome {
        Ok(()) => Finding::ok(Hop::RoundTrip, topic, "a record was written and read").took(took),
        Err(trouble) => Finding::failed(Hop::RoundTrip, topic, trouble.found)
            .advice(advice(trouble.code))
            .took(took),
    });
    let names = [topic.to_owned()];
    let deleted = admin.delete_topics(&names).await;
    let trouble = match deleted.map(|mut outcomes| outcomes.pop()) {
        Ok(Some((_, Err(error)))) => Some(error.to_string()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    if let Some(reason) = trouble {
        let found = format!("the topic was not deleted again: {reason}");
        let advice = format!("ottla topics --delete --exact --topic {topic}");
        report.add(Finding::failed(Hop::RoundTrip, topic, found).advice(advice));
    }
}

async fn create(admin: &Admin, topic: &str) -> Result<(), Finding> {
    let new = NewTopic {
        name: topic.to_owned(),
        partitions: Some(1),
        ..Default::default()
    };
    let failed = |found: String| Finding::failed(Hop::RoundTrip, topic, found);
    let outcome = match admin.create_topics(&[new], false).await {
        Ok(mut outcomes) => outcomes.pop().map(|(_, outcome)| outcome),
        Err(error) => {
            let code = error.code();
            return Err(failed(format!("no topic can be made: {error}")).advice(advice(code)));
        }
    };
    match outcome {
        Some(Err(error)) if error.code == ErrorCode::TopicAlreadyExists => Err(failed(
            "the topic is there already, and is left alone".to_owned(),
        )
        .advice("name one with --topic that does not exist")),
        Some(Err(error)) => {
            let code = error.code;
            Err(failed(format!("no topic can be made: {error}")).advice(advice(Some(code))))
        }
        _ => Ok(()),
    }
}

async fn travel(
    cluster: &Cluster,
    topic: &str,
    clients: Clients,
    within: Duration,
) -> Result<(), Trouble> {
    let deadline = Deadline::after(within);
    let found = cluster.topic(topic, deadline).await;
    found.map_err(|error| format!("the new topic is not found: {error}"))?;
    write(topic, clients.producer, within).await?;
    let (settings, consumer) = clients.consumer;
    let cluster = Cluster::connect(settings).await;
    let mut consumer = Consumer::start(cluster.map_err(|error| error.to_string())?, consumer);
    let read = read(&mut consumer, topic, within).await;
    consumer.close(within).await;
    read
}

async fn write(
    topic: &str,
    (cluster, mut producer): (ClusterSettings, ProducerSettings),
    within: Duration,
) -> Result<(), Trouble> {
    // What the record waits for is its error when its time is up.
    producer.delivery_timeout = within;
    producer.block_max = within;
    let cluster = Cluster::connect(cluster).await;
    let producer = Producer::start(cluster.map_err(|error| error.to_string())?, producer);
    let record = Record {
        topic,
        key: Some(KEY),
        value: Some(VALUE),
        ..Default::default()
    };
    let written = async { producer.send(record).await?.await };
    let outcome = written.await;
    producer.close(within).await;
    outcome.map(drop).map_err(|error| Trouble {
        found: format!("the record was not written: {error}"),
        code: error.code(),
    })
}

async fn read(consumer: &mut Consumer, topic: &str, within: Duration) -> Result<(), Trouble> {
    let at = TopicPartition::new(topic, 0);
    let failed = |error: ConsumerError| Trouble {
        found: format!("the record was not read: {error}"),
        code: error.code(),
    };
    consumer.assign([at.clone()]).map_err(failed)?;
    consumer.seek(&at, 0).map_err(failed)?;
    let records = consumer.poll(within).await.map_err(failed)?;
    match records.first().and_then(|record| record.value.as_deref()) {
        Some(VALUE) => Ok(()),
        Some(_) => Err("another record came back than was written".into()),
        None => Err("the record was written, and cannot be read".into()),
    }
}
