//! Sends records `NAME:PARTITION:SEQUENCE:padding` with 100 keys in turn, at most RATE a second, until its input ends, and prints what became
//! of each: `PARTITION SEQUENCE OFFSET` or `fail PARTITION SEQUENCE why`. `cargo xtask faults` drives it; its twins for
//! other clients are in tests/faults.
//! `acked_producer HOST:PORT TOPIC PARTITIONS NAME RATE [KEY=VALUE ...]`
#![allow(clippy::print_stdout)]

mod input;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use ottla_client::{
    cluster::{Cluster, Deadline},
    config::{ClientKind, Patience},
    producer::{Delivery, Producer, ProducerSettings, Record},
};

const IN_FLIGHT_MAX: usize = 500;
const PADDING_MAX: usize = 200;
const KEYS: u64 = 100;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topic, partitions, name, rate, keys @ ..] = &words[..] else {
        return Err("HOST:PORT TOPIC PARTITIONS NAME RATE [KEY=VALUE ...]".into());
    };
    let (partitions, rate): (i32, f64) = (partitions.parse()?, rate.parse()?);
    let mut given = vec![("bootstrap.servers".to_owned(), bootstrap.clone())];
    for word in keys {
        let (key, value) = word.split_once('=').ok_or("KEY=VALUE")?;
        given.push((key.to_owned(), value.to_owned()));
    }
    let settings = ClientKind::Producer.settings(given)?;
    let cluster = ClientKind::Producer.cluster_settings(&settings, Patience::Prompt)?;
    let deadline = Deadline::after(cluster.api_timeout);
    let cluster = Cluster::connect_by(cluster, deadline).await?;
    let producer = Producer::start(cluster, ProducerSettings::from_config(&settings)?);

    let stopped = input::told_to_stop();
    let started = Instant::now();
    let mut waiting: VecDeque<(i32, u64, Delivery)> = VecDeque::new();
    let mut sent = 0u64;
    while !stopped.load(SeqCst) {
        let due = started + Duration::from_secs_f64(sent as f64 / rate);
        tokio::time::sleep_until(due.into()).await;
        let partition = (sent % partitions as u64) as i32;
        let sequence = sent / partitions as u64;
        let padding = "x".repeat((sequence as usize).wrapping_mul(7919) % PADDING_MAX);
        let value = format!("{name}:{partition}:{sequence}:{padding}");
        let key = format!("{name}-{}", sequence % KEYS);
        let record = Record {
            topic,
            key: Some(key.as_bytes()),
            partition: Some(partition),
            value: Some(value.as_bytes()),
            ..Default::default()
        };
        sent += 1;
        match producer.send(record).await {
            Ok(delivery) => waiting.push_back((partition, sequence, delivery)),
            Err(error) => tell_failure(partition, sequence, &error)?,
        }
        while waiting.len() >= IN_FLIGHT_MAX || is_settled(waiting.front()) {
            tell_first(&mut waiting).await?;
        }
    }
    while !waiting.is_empty() {
        tell_first(&mut waiting).await?;
    }
    producer.close(Duration::from_secs(5)).await;
    Ok(())
}

fn is_settled(first: Option<&(i32, u64, Delivery)>) -> bool {
    first.is_some_and(|(_, _, delivery)| delivery.now().is_some())
}

async fn tell_first(waiting: &mut VecDeque<(i32, u64, Delivery)>) -> Result<(), Failure> {
    let Some((partition, sequence, delivery)) = waiting.pop_front() else {
        return Ok(());
    };
    match delivery.await {
        Ok(metadata) => {
            let offset = metadata.offset.unwrap_or(-1);
            writeln!(std::io::stdout(), "{partition} {sequence} {offset}")?;
        }
        Err(error) => tell_failure(partition, sequence, &error)?,
    }
    Ok(())
}

fn tell_failure(
    partition: i32,
    sequence: u64,
    error: &dyn std::error::Error,
) -> Result<(), Failure> {
    let why = error.to_string().replace('\n', " ");
    Ok(writeln!(
        std::io::stdout(),
        "fail {partition} {sequence} {why}"
    )?)
}
