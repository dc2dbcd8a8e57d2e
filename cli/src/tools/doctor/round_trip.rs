//! A record to the cluster and back, through a topic that is made for it and deleted again.
//!
//! Always: a topic that was there before is left alone, and one that was made is deleted whatever came of it.

use std::time::{Duration, Instant};

use ottla_client::admin::{Admin, NewTopic, TopicPartition};
use ottla_client::cluster::{Cluster, ClusterSettings, Deadline};
use ottla_client::consumer::{Consumer, ConsumerSettings};
use ottla_client::producer::{Producer, ProducerSettings, Record};
use ottla_protocol::errors::ErrorCode;
use tokio::time::timeout;

use super::report::{Diagnosis, Finding, Hop};

/// Who produces and who consumes.
pub(super) struct Clients {
    pub(super) producer: (ClusterSettings, ProducerSettings),
    pub(super) consumer: (ClusterSettings, ConsumerSettings),
}

const VALUE: &[u8] = b"ottla doctor was here";

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
        Err(_) => Err("no record came back in time".to_owned()),
    };
    let took = begun.elapsed();
    report.add(match outcome {
        Ok(()) => Finding::ok(Hop::RoundTrip, topic, "a record was written and read").took(took),
        Err(reason) => Finding::failed(Hop::RoundTrip, topic, reason)
            .advice("look at the logs of the broker that leads the topic's partition, and at the hops above")
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
        Err(error) => return Err(failed(format!("no topic can be made: {error}"))),
    };
    match outcome {
        Some(Err(error)) if error.code == ErrorCode::TopicAlreadyExists => Err(failed(
            "the topic is there already, and is left alone".to_owned(),
        )
        .advice("name one with --topic that does not exist")),
        Some(Err(error)) => Err(failed(format!("no topic can be made: {error}"))
            .advice("--topic names the one that is made; make it one that you may make")),
        _ => Ok(()),
    }
}

async fn travel(
    cluster: &Cluster,
    topic: &str,
    clients: Clients,
    within: Duration,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let deadline = Deadline::after(within);
    let found = cluster.topic(topic, deadline).await;
    found.map_err(|error| format!("the new topic is not found: {error}"))?;
    let (settings, producer) = clients.producer;
    let cluster = Cluster::connect(settings)
        .await
        .map_err(|error| text(&error))?;
    let producer = Producer::start(cluster, producer);
    let record = Record {
        topic,
        value: Some(VALUE),
        ..Default::default()
    };
    let sent = async {
        let delivery = producer.send(record).await.map_err(|error| text(&error))?;
        delivery.await.map(drop).map_err(|error| text(&error))
    };
    let sent = timeout(within, sent).await;
    producer.close(within).await;
    match sent {
        Ok(outcome) => outcome.map_err(|error| format!("the record was not written: {error}"))?,
        Err(_) => return Err("the record was not written in time".to_owned()),
    }
    let (settings, consumer) = clients.consumer;
    let cluster = Cluster::connect(settings)
        .await
        .map_err(|error| text(&error))?;
    let mut consumer = Consumer::start(cluster, consumer);
    let read = read(&mut consumer, topic, within).await;
    consumer.close(within).await;
    read
}

async fn read(consumer: &mut Consumer, topic: &str, within: Duration) -> Result<(), String> {
    let at = TopicPartition::new(topic, 0);
    let failed = |error: &dyn std::fmt::Display| format!("the record was not read: {error}");
    consumer
        .assign([at.clone()])
        .map_err(|error| failed(&error))?;
    consumer.seek(&at, 0).map_err(|error| failed(&error))?;
    let records = consumer
        .poll(within)
        .await
        .map_err(|error| failed(&error))?;
    match records.first().and_then(|record| record.value.as_deref()) {
        Some(VALUE) => Ok(()),
        Some(_) => Err("another record came back than was written".to_owned()),
        None => Err("the record was written, and cannot be read".to_owned()),
    }
}
