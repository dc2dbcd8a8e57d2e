//! S-30: 64 topics, each with a producer of its own, records tagged with their topic, all codecs, three makes of clients.
//! Nothing of one topic is ever read in another, and nothing that nobody sent.

use anyhow::Result;

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::kills::PATIENT;
use super::report::Report;
use super::{Stage, check};

const TOPICS: usize = 64;
/// Producers at a time: more would only take turns.
const AT_ONCE: usize = 16;
const CODECS: &[&str] = &["none", "gzip", "snappy", "lz4", "zstd"];

/// A round is a thousand records in each topic, at least: the fast go on until the slow have theirs.
pub(super) fn holds(stage: &mut Stage) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?.with(&["log.segment.bytes=8388608"]);
    broker.start()?;
    let names: Vec<String> = (0..TOPICS).map(|n| format!("topic-{n}")).collect();
    let mut report = Report::default();
    for (batch, names) in names.chunks(AT_ONCE).enumerate() {
        let mut producers = Vec::new();
        for (n, name) in names.iter().enumerate() {
            broker.create_topic(name, 1, &[])?;
            let codec = format!("compression.type={}", CODECS[(batch + n) % CODECS.len()]);
            let load = Load {
                topic: name,
                partitions: 1,
                rate: 20_000,
                settings: &[&["acks=1", "enable.idempotence=false", &codec], PATIENT].concat(),
            };
            // Java's takes too much memory for more than one at a time.
            let make = match n {
                0 => Make::Java,
                1..4 => Make::Librdkafka,
                _ => Make::Ours,
            };
            producers.push(Producer::start(make, name, &broker, load, stage.path())?);
        }
        let mut told = check::Told::new();
        for mut producer in producers {
            producer.wait_for_all(stage.rounds * 1000)?;
            told.insert(producer.name.clone(), producer.finish()?);
        }
        for (name, acks) in told {
            let own = check::Told::from([(name.clone(), acks)]);
            let tally = check::topic(&broker, &name, 1, &own)?;
            tally.explain();
            report.acked += tally.acked;
            report.lost += tally.lost;
        }
    }
    broker.stop()?;
    report.rounds = stage.rounds;
    report.figure = format!("{TOPICS} topics, {} records", report.acked);
    Ok(report)
}
