//! Who reads what is committed, while things go on and at the end.

use std::ops::Range;
use std::sync::atomic::Ordering::SeqCst;

use ottla_client::admin::{Isolation, OffsetSpec, TopicPartition};
use ottla_client::config::ClientKind;
use ottla_client::consumer::{Consumer, ConsumerSettings};

use super::history::Reading;
use super::{A_WHILE, OUTPUT, Shared};
use super::{asked, cluster, eventually};

/// A reader of committed records, from the partition's beginning on. It goes through the whole story with the broker.
pub(super) async fn read_along(shared: &Shared, partition: i32) {
    let mut consumer = reader(&shared.address, OUTPUT, partition..partition + 1).await;
    let mut seen = Vec::new();
    while !shared.done.load(SeqCst) {
        take(&mut consumer, &mut seen).await;
    }
    shared.readings.lock().unwrap().push(Reading {
        reader: format!("reader-{partition}"),
        partition,
        seen,
    });
}

/// A reader of committed records, from the beginning on.
pub(super) async fn reader(address: &str, topic: &str, partitions: Range<i32>) -> Consumer {
    let kind = ClientKind::Consumer;
    let keys = [
        ("bootstrap.servers", address),
        ("auto.offset.reset", "earliest"),
        ("isolation.level", "read_committed"),
    ];
    let settings = ConsumerSettings::from_config(&kind.settings(keys).unwrap()).unwrap();
    let mut made = None;
    eventually("a broker to read from", async || {
        made = cluster(address, kind).await;
        made.is_some()
    })
    .await;
    let mut consumer = Consumer::start(made.unwrap(), settings);
    let all = partitions.map(|partition| TopicPartition::new(topic, partition));
    consumer.assign(all).unwrap();
    consumer
}

async fn take(consumer: &mut Consumer, seen: &mut Vec<(i64, String)>) {
    for record in consumer.poll(A_WHILE).await.unwrap() {
        let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        seen.push((record.offset, value));
    }
}

/// All that is committed in a partition, once no transaction is open in it any more.
pub(super) async fn read_all(address: &str, partition: i32) -> Vec<(i64, String)> {
    let at = TopicPartition::new(OUTPUT, partition);
    let mut last = 0;
    eventually("no transaction is open", async || {
        last = end(address, &at, Isolation::ReadUncommitted).await;
        last == end(address, &at, Isolation::ReadCommitted).await
    })
    .await;
    let (mut consumer, mut seen) = (
        reader(address, OUTPUT, partition..partition + 1).await,
        Vec::new(),
    );
    eventually("the end is read", async || {
        take(&mut consumer, &mut seen).await;
        consumer.position(&at).unwrap() >= Some(last)
    })
    .await;
    seen
}

/// Where readers get to.
pub(super) async fn end(address: &str, at: &TopicPartition, isolation: Isolation) -> i64 {
    let asked_for = [(at.clone(), OffsetSpec::Latest)];
    asked(address, "the end of a partition", async |admin| {
        let listed = admin.list_offsets(&asked_for, isolation).await.ok()?;
        listed.into_iter().next()?.1.ok()?.offset
    })
    .await
}
