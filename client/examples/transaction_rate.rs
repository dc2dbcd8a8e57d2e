//! Writes transactions of so many records each to a topic, aborts every tenth, and tells how fast that was:
//! `cargo run --release -p ottla-client --example transaction_rate -- HOST:PORT TOPIC TRANSACTIONS RECORDS [KEY=VALUE ...]`
//! `transactional.id` is transaction_rate unless given.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use ottla_client::{
    cluster::Cluster,
    config::{ClientKind, Patience},
    producer::{ProducerSettings, Record, TransactionalProducer},
};

const ABORT_EVERY: u64 = 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topic, transactions, records, keys @ ..] = &words[..] else {
        return Err("HOST:PORT TOPIC TRANSACTIONS RECORDS [KEY=VALUE ...]".into());
    };
    let (transactions, records): (u64, u64) = (transactions.parse()?, records.parse()?);
    let mut given = vec![
        ("bootstrap.servers".to_owned(), bootstrap.clone()),
        ("transactional.id".to_owned(), "transaction_rate".to_owned()),
    ];
    for word in keys {
        let (key, value) = word.split_once('=').ok_or("KEY=VALUE")?;
        given.push((key.to_owned(), value.to_owned()));
    }
    let settings = ClientKind::Producer.settings(given)?;
    let cluster = ClientKind::Producer.cluster_settings(&settings, Patience::Prompt)?;
    let cluster = Cluster::connect(cluster).await?;
    let settings = ProducerSettings::from_config(&settings)?;
    let mut producer = TransactionalProducer::init(cluster, settings).await?;

    let started = Instant::now();
    let (mut committed, mut slowest) = (0, Duration::ZERO);
    for number in 0..transactions {
        let begun = Instant::now();
        let transaction = producer.begin().await?;
        let is_kept = number % ABORT_EVERY != ABORT_EVERY - 1;
        let word = if is_kept { "commit" } else { "abort" };
        for index in 0..records {
            let value = format!("{word} {number} {index}");
            let record = Record {
                topic,
                value: Some(value.as_bytes()),
                ..Record::default()
            };
            transaction.send(record).await?;
        }
        if is_kept {
            transaction.commit().await?;
            committed += 1;
        } else {
            transaction.flush().await;
            transaction.abort().await?;
        }
        slowest = slowest.max(begun.elapsed());
    }
    let took = started.elapsed();
    producer.close(Duration::from_secs(5)).await;
    let rate = transactions as f64 / took.as_secs_f64();
    println!(
        "{transactions} transactions of {records} records, {committed} committed, in {took:.3?}: {rate:.0} a second, \
         the slowest took {slowest:.1?}"
    );
    Ok(())
}
