//! A member of a group: prints what it comes to own, what it reads and what it commits, until its input ends; then it
//! leaves. `cargo xtask faults` drives it (the lines are told in xtask/src/faults/members.rs); its twins for other clients
//! are in tests/faults.
//! `group_member HOST:PORT TOPIC GROUP NAME [KEY=VALUE ...]`
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod input;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ottla_client::{
    admin::{NewOffset, TopicPartition},
    cluster::Cluster,
    config::{ClientKind, Patience},
    consumer::{Consumer, ConsumerSettings},
};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topic, group, name, keys @ ..] = &words[..] else {
        return Err("HOST:PORT TOPIC GROUP NAME [KEY=VALUE ...]".into());
    };
    let mut given = vec![
        ("bootstrap.servers".to_owned(), bootstrap.clone()),
        ("group.id".to_owned(), group.clone()),
        ("client.id".to_owned(), name.clone()),
        ("auto.offset.reset".to_owned(), "earliest".to_owned()),
        ("enable.auto.commit".to_owned(), "false".to_owned()),
    ];
    for word in keys {
        let (key, value) = word.split_once('=').ok_or("KEY=VALUE")?;
        given.push((key.to_owned(), value.to_owned()));
    }
    let settings = ClientKind::Consumer.settings(given)?;
    let cluster = ClientKind::Consumer.cluster_settings(&settings, Patience::Prompt)?;
    let stopped = input::told_to_stop();
    let cluster = loop {
        match Cluster::connect(cluster.clone()).await {
            Ok(cluster) => break cluster,
            // The broker may be away when a member comes.
            Err(error) if !stopped.load(SeqCst) => eprintln!("{error}"),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let mut consumer = Consumer::start(cluster, ConsumerSettings::from_config(&settings)?);
    consumer.subscribe([topic]).await?;

    let mut known = None;
    while !stopped.load(SeqCst) {
        let records = match consumer.poll(Duration::from_millis(100)).await {
            Ok(records) => records,
            Err(error) => {
                // The broker is away, or the group was: the next poll goes on.
                eprintln!("{error}");
                continue;
            }
        };
        let generation = consumer.group_metadata().map(|member| member.generation_id);
        let owned: Vec<String> = consumer
            .assignment()
            .map(|at| at.partition.to_string())
            .collect();
        let owned = generation.map(|generation| format!("own {generation} {}", owned.join(" ")));
        if owned != known {
            if let Some(owned) = &owned {
                println!("{owned}");
            }
            known = owned;
        }
        let mut read: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
        for record in records.iter() {
            let (first, last) = (record.offset, record.offset);
            let so_far = read.entry(record.partition).or_insert((first, last));
            so_far.1 = last;
        }
        let generation = generation.unwrap_or(-1);
        for (partition, (first, last)) in &read {
            println!("read {generation} {partition} {first} {last}");
        }
        commit(&mut consumer, topic, generation, &read).await;
    }
    consumer.close(Duration::from_secs(10)).await;
    Ok(())
}

async fn commit(
    consumer: &mut Consumer,
    topic: &str,
    generation: i32,
    read: &BTreeMap<i32, (i64, i64)>,
) {
    if read.is_empty() {
        return;
    }
    let offsets: Vec<_> = read
        .iter()
        .map(|(partition, (_, last))| {
            let at = TopicPartition::new(topic, *partition);
            (at, NewOffset::at(last + 1))
        })
        .collect();
    match consumer.commit_sync(Some(&offsets)).await {
        Ok(()) => {
            for (at, offset) in &offsets {
                println!("commit {generation} {} {}", at.partition, offset.offset);
            }
        }
        // Not promised: whoever reads on begins before it.
        Err(error) => eprintln!("{error}"),
    }
}
