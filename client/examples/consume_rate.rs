//! Reads a topic from its beginning to its present end, in a group where `group.id` is given, and tells how fast that
//! was:
//! `cargo run --release -p ottla-client --example consume_rate -- HOST:PORT TOPIC [KEY=VALUE ...]`
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use ottla_client::{
    admin::TopicPartition,
    cluster::Cluster,
    config::{ClientKind, Patience},
    consumer::{Consumer, ConsumerSettings},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(bootstrap), Some(topic)) = (words.next(), words.next()) else {
        return Err("HOST:PORT TOPIC [KEY=VALUE ...]".into());
    };
    let mut given = vec![
        ("bootstrap.servers".to_owned(), bootstrap),
        ("auto.offset.reset".to_owned(), "earliest".to_owned()),
    ];
    for word in words {
        let (key, value) = word.split_once('=').ok_or("KEY=VALUE")?;
        given.push((key.to_owned(), value.to_owned()));
    }
    let settings = ClientKind::Consumer.settings(given)?;
    let cluster = ClientKind::Consumer.cluster_settings(&settings, Patience::Prompt)?;
    let cluster = Cluster::connect(cluster).await?;
    let count = cluster
        .topic(&topic, cluster.default_deadline())
        .await?
        .partitions
        .len();
    let count = i32::try_from(count)?;
    let partitions: Vec<_> = (0..count)
        .map(|p| TopicPartition::new(&*topic, p))
        .collect();

    let mut consumer = Consumer::start(cluster, ConsumerSettings::from_config(&settings)?);
    let ends = consumer.end_offsets(&partitions).await?;
    if settings.opt_text("group.id").is_some() {
        consumer.subscribe([topic]).await?;
    } else {
        consumer.assign(partitions)?;
    }
    let started = Instant::now();
    let (mut records, mut bytes, mut polls) = (0u64, 0usize, 0u64);
    let is_read = |consumer: &Consumer| {
        ends.iter().all(
            |(at, end)| matches!(consumer.position(at), Ok(Some(position)) if position >= *end),
        )
    };
    while !is_read(&consumer) {
        let batch = consumer.poll(Duration::from_secs(1)).await?;
        records += batch.len() as u64;
        bytes += batch
            .iter()
            .map(|record| record.value.as_ref().map_or(0, bytes::Bytes::len))
            .sum::<usize>();
        polls += 1;
    }
    let took = started.elapsed();
    consumer.close(Duration::from_secs(5)).await;
    let rate = records as f64 / took.as_secs_f64();
    println!(
        "{records} records, {bytes} value bytes, {polls} polls in {took:.3?}: {rate:.0} records/s"
    );
    Ok(())
}
