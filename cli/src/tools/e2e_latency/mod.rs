//! `kafka-e2e-latency`: how long a record takes from producer to consumer, one after the other.
//!
//! Always: what is read is what was sent, and nothing else: another record of the topic ends the tool with 1, as in the
//! reference. No group is joined, so that none is left behind.

mod args;

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::CommandFactory;
use ottla_client::admin::{Admin, NewTopic, TopicPartition};
use ottla_client::cluster::Cluster;
use ottla_client::consumer::{Consumer, ConsumerRecord};
use ottla_client::producer::{Producer, Record};
use ottla_protocol::records::Header;
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use crate::connect::capitalized;
use crate::context::{self, Context};
use crate::java_format::decimal;
use crate::options;
use crate::output::{Format, Report, Rows};
use crate::signals::Signals;
use crate::stop::{Failure, Stop};
use crate::tool::Tool;
use crate::{consuming, producing};
use args::{Args, Plan, Sizes};

pub const TOOL: Tool = Tool {
    name: "e2e-latency",
    link: "kafka-e2e-latency",
    about: "Measure how long a record takes from producer to consumer",
    command: Args::command,
    run,
};

/// A record that has not come by then does not come.
const POLL_WITHIN: Duration = Duration::from_secs(60);

/// Longer than this nothing is waited for at the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let words = args::named(words, cx)?;
    let args: Args = options::start(&words)?;
    let plan = args::plan(&args)?;
    let (consumer_cluster, consumer) = consuming::settings_of_asking(&plan.consumer, cx)?;
    let (producer_cluster, producer) = producing::settings(&plan.producer, cx)?;
    let latencies = context::block_on(async {
        let mut signals = Signals::listen()?;
        let measuring = async {
            let cluster = Cluster::connect(consumer_cluster).await.map_err(failed)?;
            let mut consumer = Consumer::start(cluster, consumer);
            begin(&plan, &mut consumer, cx).await?;
            let cluster = Cluster::connect(producer_cluster).await.map_err(failed)?;
            let producer = Producer::start(cluster, producer);
            let measured = measure(&plan, &mut consumer, &producer, cx).await;
            producer.close(CLOSE_WITHIN).await;
            consumer.close(CLOSE_WITHIN).await;
            measured
        };
        signals.allow(measuring).await
    })??;
    tell(&plan, latencies, cx)
}

fn failed(error: impl ToString) -> Failure {
    Failure::new(format!("{}.", capitalized(error)))
}

/// Puts the consumer at the end of all partitions of the topic, which is made where there is none.
async fn begin(plan: &Plan, consumer: &mut Consumer, cx: &mut Context) -> Result<(), Stop> {
    let cluster = consumer.cluster().clone();
    let deadline = cluster.default_deadline();
    let known = cluster.all_topics(deadline).await.map_err(failed)?;
    if known.topic(&plan.topic).is_none() {
        create(plan, &cluster, cx).await?;
    }
    let topic = cluster.topic(&plan.topic, deadline).await.map_err(failed)?;
    let partitions = topic.partitions.iter();
    let partitions =
        partitions.map(|partition| TopicPartition::new(&plan.topic, partition.index.0));
    let partitions: Vec<TopicPartition> = partitions.collect();
    consumer.assign(partitions.clone()).map_err(failed)?;
    let ends = consumer.end_offsets(&partitions).await.map_err(failed)?;
    for (at, end) in ends {
        consumer.seek(&at, end).map_err(failed)?;
    }
    Ok(())
}

async fn create(plan: &Plan, cluster: &Cluster, cx: &mut Context) -> Result<(), Stop> {
    let line = format!(
        "Topic \"{}\" does not exist. Will create topic with 1 partition(s) and replication factor = 1",
        plan.topic
    );
    match plan.format {
        Format::Table => writeln!(cx.out, "{line}")?,
        Format::Data(_) => cx.warn(line),
    }
    let topic = NewTopic {
        name: plan.topic.clone(),
        partitions: Some(1),
        replication_factor: Some(1),
        ..Default::default()
    };
    let admin = Admin::over(cluster.clone());
    let created = admin.create_topics(&[topic], false).await;
    let outcome = created.map_err(failed)?.into_iter().next();
    if let Some((_, Err(error))) = outcome {
        if plan.format == Format::Table {
            writeln!(cx.out, "Creation of topic {} failed", plan.topic)?;
        }
        return Err(failed(error).into());
    }
    Ok(())
}

async fn measure(
    plan: &Plan,
    consumer: &mut Consumer,
    producer: &Producer,
    cx: &mut Context,
) -> Result<Vec<Duration>, Stop> {
    let mut random = StdRng::seed_from_u64(0);
    let mut latencies = Vec::new();
    for index in 0..plan.records {
        let message = Message::random(&plan.sizes, &mut random);
        let headers = message.headers();
        let record = Record {
            topic: &plan.topic,
            key: message.key.as_deref(),
            value: Some(&message.value),
            headers: &headers,
            ..Default::default()
        };
        let begun = Instant::now();
        let delivery = producer.send(record).await.map_err(failed)?;
        delivery.await.map_err(failed)?;
        let records = consumer.poll(POLL_WITHIN).await.map_err(failed)?;
        let latency = begun.elapsed();
        message.check(&records)?;
        if index % 1000 == 0 && plan.format == Format::Table {
            writeln!(cx.out, "{index}\t{:?}", ms(latency))?;
            cx.flush()?;
        }
        latencies.push(latency);
    }
    Ok(latencies)
}

/// What is sent, and is to be read again.
struct Message {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Message {
    /// Each part is one letter, so many times.
    fn random(sizes: &Sizes, random: &mut StdRng) -> Self {
        let mut letters = |size| vec![random.random_range(b'A'..=b'Z'); size];
        Self {
            key: sizes.key.map(&mut letters),
            value: letters(sizes.value),
            headers: (0..sizes.headers)
                .map(|_| {
                    let key = letters(sizes.header_key);
                    (key, sizes.header_value.map(&mut letters))
                })
                .collect(),
        }
    }

    fn headers(&self) -> Vec<Header<'_>> {
        let headers = self.headers.iter().map(|(key, value)| Header {
            key,
            value: value.as_deref(),
        });
        headers.collect()
    }

    /// In the reference's order and words.
    fn check(&self, records: &[ConsumerRecord]) -> Result<(), Failure> {
        let Some(record) = records.first() else {
            return Err(Failure::new(format!(
                "poll() timed out before finding a result (timeout:[{}ms])",
                POLL_WITHIN.as_millis()
            )));
        };
        let value = text(record.value.as_ref());
        let sent = String::from_utf8_lossy(&self.value);
        if value != sent {
            return Err(Failure::new(format!(
                "The message value read [{value}] did not match the message value sent [{sent}]"
            )));
        }
        self.check_key(record)?;
        self.check_headers(record)?;
        match records.len() {
            1 => Ok(()),
            count => Err(Failure::new(format!(
                "Only one result was expected during this test. We found [{count}]"
            ))),
        }
    }

    fn check_key(&self, record: &ConsumerRecord) -> Result<(), Failure> {
        let read = text(record.key.as_ref());
        match (&self.key, &record.key) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(Failure::new(format!(
                "Expected null message key but received [{read}]"
            ))),
            (Some(_), None) => Err(Failure::new("Expected message key but received null")),
            (Some(sent), Some(key)) if sent == key => Ok(()),
            (Some(sent), Some(_)) => Err(Failure::new(format!(
                "The message key read [{read}] did not match the message key sent [{}]",
                String::from_utf8_lossy(sent)
            ))),
        }
    }

    fn check_headers(&self, record: &ConsumerRecord) -> Result<(), Failure> {
        if record.headers.is_empty() && !self.headers.is_empty() {
            return Err(Failure::new("Expected message headers but received none"));
        }
        let mut pairs = record.headers.iter().zip(&self.headers);
        if !pairs.all(|(read, (key, value))| {
            read.key == key && read.value.as_deref() == value.as_deref()
        }) {
            return Err(Failure::new(
                "The message header read did not match the message header sent",
            ));
        }
        match record.headers.len() == self.headers.len() {
            true => Ok(()),
            false => Err(Failure::new(
                "Header count mismatch between sent and received messages",
            )),
        }
    }
}

fn text(bytes: Option<&Bytes>) -> String {
    bytes.map_or_else(String::new, |bytes| {
        String::from_utf8_lossy(bytes).into_owned()
    })
}

fn ms(latency: Duration) -> f64 {
    latency.as_nanos() as f64 / 1_000_000.0
}

fn tell(plan: &Plan, mut latencies: Vec<Duration>, cx: &mut Context) -> Result<(), Stop> {
    let sum: f64 = latencies.iter().copied().map(ms).sum();
    let average = sum / latencies.len() as f64;
    latencies.sort_unstable();
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies.get(index).copied().unwrap_or_default()
    });
    match plan.format {
        Format::Table => {
            writeln!(cx.out, "Avg latency: {} ms", decimal(average, 4))?;
            let [p50, p99, p999] = [p50, p99, p999].map(|latency| latency.as_millis());
            writeln!(
                cx.out,
                "Percentiles: 50th = {p50}, 99th = {p99}, 99.9th = {p999}"
            )?;
        }
        Format::Data(form) => {
            let value = json!({
                "version": 1,
                "records": latencies.len(),
                "avgLatencyMs": average,
                "p50LatencyMs": ms(p50),
                "p99LatencyMs": ms(p99),
                "p999LatencyMs": ms(p999),
                "maxLatencyMs": latencies.last().copied().map(ms),
            });
            let rows = Rows {
                within: &[],
                columns: &[
                    "records",
                    "avgLatencyMs",
                    "p50LatencyMs",
                    "p99LatencyMs",
                    "p999LatencyMs",
                    "maxLatencyMs",
                ],
            };
            let text = Report { value, rows }.text(form);
            cx.out.write_all(text.as_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ottla_protocol::records::{OwnedHeader, TimestampType};

    use super::*;

    fn message() -> Message {
        Message {
            key: Some(b"KK".to_vec()),
            value: b"VVV".to_vec(),
            headers: vec![(b"H".to_vec(), None), (b"J".to_vec(), Some(b"X".to_vec()))],
        }
    }

    fn read(message: &Message) -> ConsumerRecord {
        let header = |(key, value): &(Vec<u8>, Option<Vec<u8>>)| OwnedHeader {
            key: Bytes::copy_from_slice(key),
            value: value.as_deref().map(Bytes::copy_from_slice),
        };
        ConsumerRecord {
            topic: Arc::from("t"),
            partition: 0,
            offset: 0,
            timestamp: 0,
            timestamp_type: TimestampType::CreateTime,
            leader_epoch: None,
            key: message.key.as_deref().map(Bytes::copy_from_slice),
            value: Some(Bytes::copy_from_slice(&message.value)),
            headers: message.headers.iter().map(header).collect(),
        }
    }

    #[test]
    fn what_comes_back_as_it_went_is_right() {
        assert_eq!(message().check(&[read(&message())]), Ok(()));
    }

    #[test]
    fn anything_else_is_said_in_the_references_words() {
        let changed = |change: fn(&mut ConsumerRecord)| {
            let mut record = read(&message());
            change(&mut record);
            message().check(&[record]).unwrap_err().message
        };
        assert_eq!(
            changed(|record| record.value = Some(Bytes::from_static(b"other"))),
            "The message value read [other] did not match the message value sent [VVV]"
        );
        assert_eq!(
            changed(|record| record.key = None),
            "Expected message key but received null"
        );
        assert_eq!(
            changed(|record| record.headers.truncate(1)),
            "Header count mismatch between sent and received messages"
        );
        let twice = [read(&message()), read(&message())];
        assert_eq!(
            message().check(&twice).unwrap_err().message,
            "Only one result was expected during this test. We found [2]"
        );
        let nothing = message().check(&[]).unwrap_err().message;
        assert!(nothing.contains("timeout:[60000ms]"), "{nothing}");
    }

    #[test]
    fn sizes_are_kept() {
        let sizes = Sizes {
            value: 20,
            key: Some(3),
            headers: 2,
            header_key: 4,
            header_value: Some(5),
        };
        let message = Message::random(&sizes, &mut StdRng::seed_from_u64(1));
        assert_eq!((message.value.len(), message.headers.len()), (20, 2));
        assert_eq!(message.key.map(|key| key.len()), Some(3));
        assert!(message.value.iter().all(u8::is_ascii_uppercase));
    }
}
