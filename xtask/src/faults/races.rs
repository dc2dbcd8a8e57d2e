//! S-27: readers at random places, while retention and compaction take away what they read. They get
//! records as they were sent, or OFFSET_OUT_OF_RANGE, and never anything else. Afterwards the compacted topic has the last
//! record of every key, at the offset that was acknowledged.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::broker::Broker;
use super::clients::{Acks, KEYS, Load, Make, Producer};
use super::kills::PATIENT;
use super::report::Report;
use super::{Stage, check};

const TRIMMED: &str = "trimmed";
const COMPACTED: &str = "compacted";
const BOTH: &str = "compacted-and-trimmed";
const READERS: usize = 3;
/// Fewer would not be a race.
const SEGMENTS_DELETED_MIN: usize = 10;

/// A round is a second.
pub(super) fn with_readers(stage: &mut Stage) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?.with(&[
        "log.retention.check.interval.ms=50",
        "log.cleaner.backoff.ms=20",
    ]);
    broker.start()?;
    let often = ["segment.ms=100", "file.delete.delay.ms=0"];
    let trim = "retention.bytes=300000";
    let compact = "min.cleanable.dirty.ratio=0.01";
    broker.create_topic(TRIMMED, 1, &[&often[..], &[trim]].concat())?;
    broker.create_topic(
        COMPACTED,
        1,
        &[&often[..], &["cleanup.policy=compact", compact]].concat(),
    )?;
    let both = ["cleanup.policy=compact,delete", compact, trim];
    broker.create_topic(BOTH, 1, &[&often[..], &both].concat())?;

    let mut producers = Vec::new();
    for topic in [TRIMMED, COMPACTED, BOTH] {
        let load = Load {
            topic,
            partitions: 1,
            rate: 2000,
            settings: &[&["acks=all", "enable.idempotence=true"], PATIENT].concat(),
        };
        producers.push(Producer::start(
            Make::Ours,
            topic,
            &broker,
            load,
            stage.path(),
        )?);
    }
    producers
        .iter_mut()
        .try_for_each(|producer| producer.wait_for(1))?;
    let topics = [TRIMMED, COMPACTED, BOTH].join(",");
    let mut readers = Vec::new();
    for n in 0..READERS {
        let load = Load {
            topic: &topics,
            partitions: 1,
            rate: 100,
            settings: &[],
        };
        readers.push(Producer::start(
            Make::Reader,
            &format!("reader-{n}"),
            &broker,
            load,
            stage.path(),
        )?);
    }
    std::thread::sleep(Duration::from_secs(stage.rounds as u64));
    let mut stretches = 0;
    for mut reader in readers {
        reader.wait_for(1)?;
        let acks = reader.finish()?;
        ensure!(
            acks.failures.is_empty(),
            "a reader got something else: {:?}",
            acks.failures[0]
        );
        stretches += acks.count;
    }
    let deleted = broker.log().matches("segments deleted").count();
    ensure!(
        deleted >= SEGMENTS_DELETED_MIN,
        "only {deleted} segments were deleted"
    );
    let mut report = Report {
        rounds: stage.rounds,
        ..Default::default()
    };
    for producer in producers {
        let name = producer.name.clone();
        let acks = producer.finish()?;
        report.acked += acks.count;
        if name == COMPACTED {
            let text = check::read_compacted(&broker, COMPACTED, 0)?;
            let records = check::parse(&text)?;
            ensure!(records.len() < acks.count, "nothing was compacted");
            report.lost = missing(&records, &acks);
            report.figure = format!(
                "{} of {} records are left compacted, ",
                records.len(),
                acks.count
            );
        }
    }
    report.figure += &format!("{stretches} stretches read, {deleted} segments deleted");
    broker.stop()?;
    Ok(report)
}

/// Keys whose last acknowledged record is not where it was acknowledged.
fn missing(records: &[check::Record<'_>], acks: &Acks) -> usize {
    let mut last: HashMap<usize, (usize, i64)> = HashMap::new();
    for (sequence, offset) in acks.acked.get(&0).into_iter().flatten() {
        let newest = last.entry(sequence % KEYS).or_default();
        *newest = (*newest).max((*sequence, *offset));
    }
    let values: HashMap<i64, &str> = records
        .iter()
        .map(|record| (record.offset, record.value))
        .collect();
    let is_missing = |(sequence, offset): &&(usize, i64)| {
        let start = format!("{COMPACTED}:0:{sequence}:");
        !values
            .get(offset)
            .is_some_and(|value| value.starts_with(&start))
    };
    last.values().filter(is_missing).count()
}
