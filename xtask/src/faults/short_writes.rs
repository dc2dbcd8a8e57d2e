//! S-09: writes take only a part, or are interrupted. No batch is acknowledged that is not whole, not even over a kill.

use anyhow::Result;

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::kills::PATIENT;
use super::report::Report;
use super::{Stage, check, inject};

const TOPIC: &str = "short";
const PARTITIONS: usize = 4;

/// A round is an acknowledged record in a batch of its own.
pub(super) fn survive(stage: &mut Stage) -> Result<Report> {
    let library = inject::library("short", stage.path())?;
    let mut broker = Broker::new(stage.path())?;
    broker.set_env("LD_PRELOAD", library);
    broker.start()?;
    broker.create_topic(TOPIC, PARTITIONS, &["segment.ms=100"])?;
    let load = Load {
        topic: TOPIC,
        partitions: PARTITIONS,
        rate: 2000,
        settings: &[
            &["acks=all", "enable.idempotence=true", "batch.size=1"],
            PATIENT,
        ]
        .concat(),
    };
    let mut producer = Producer::start(Make::Ours, "one", &broker, load, stage.path())?;
    producer.wait_for(stage.rounds / 2)?;
    broker.kill()?;
    broker.start()?;
    producer.wait_for(stage.rounds / 2)?;
    let told = check::Told::from([("one".to_owned(), producer.finish()?)]);
    let tally = check::topic(&broker, TOPIC, PARTITIONS, &told)?;
    broker.stop()?;
    tally.explain();
    Ok(Report::of(
        stage.rounds,
        &tally,
        "every second write takes half, every seventh none".to_owned(),
    ))
}
