//! S-06: a sync fails once, at a random moment under load, and works again. Nothing that it covered is acknowledged, then
//! or later; with its only log directory gone the broker ends and says so. The kernel drops the pages that a failed sync
//! could not write, so the harness cuts the file to what had been synced before; then everything acknowledged is there.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::kills::PATIENT;
use super::report::{Report, spread};
use super::{Stage, check, inject};

const TOPIC: &str = "unsynced";
const PARTITIONS: usize = 4;
const UPTIME_MAX_MS: u64 = 300;
/// From the failure to the end of the process.
const END_MAX: Duration = Duration::from_secs(5);

pub(super) fn fail_once(stage: &mut Stage) -> Result<Report> {
    let trigger = stage.path().join("fail-once");
    let library = inject::library("sync", stage.path())?;
    let mut broker = Broker::new(stage.path())?;
    broker.set_env("LD_PRELOAD", library);
    broker.set_env("FAULT_SYNC_ONCE", &trigger);
    broker.start()?;
    broker.create_topic(TOPIC, PARTITIONS, &["segment.ms=100"])?;
    let mut told = check::Told::new();
    let mut ends = Vec::new();
    let mut cut_bytes = 0;
    for round in 0..stage.rounds {
        let load = Load {
            topic: TOPIC,
            partitions: PARTITIONS,
            rate: 1500,
            settings: &[&["acks=all", "enable.idempotence=true"], PATIENT].concat(),
        };
        let mut producers = Vec::new();
        for n in 0..2 {
            let name = format!("{round}-{n}");
            producers.push(Producer::start(
                Make::Ours,
                &name,
                &broker,
                load,
                stage.path(),
            )?);
        }
        for producer in &mut producers {
            producer.wait_for(1)?;
        }
        std::thread::sleep(stage.random.up_to_ms(UPTIME_MAX_MS));
        File::create(&trigger)?;
        let started = std::time::Instant::now();
        let status = broker.wait(END_MAX)?;
        ends.push(started.elapsed());
        ensure!(
            status.code() == Some(1),
            "round {round}: the broker ended with {status}"
        );
        for producer in producers {
            told.insert(producer.name.clone(), producer.abandon()?);
        }
        cut_bytes += take_away(&trigger.with_added_extension("lost"))?;
        broker.start()?;
    }
    let said = broker.log();
    let data = broker.data().display().to_string();
    ensure!(
        said.contains(&data),
        "the log does not name the directory {data}"
    );
    let tally = check::topic(&broker, TOPIC, PARTITIONS, &told)?;
    broker.stop()?;
    tally.explain();
    Ok(Report::of(
        stage.rounds,
        &tally,
        format!(
            "{cut_bytes} bytes dropped, failure to exit {}",
            spread(&mut ends)
        ),
    ))
}

/// Cuts the file that a sync failed for to what was synced before; how many bytes that took. A failed sync of a folder
/// takes nothing.
fn take_away(lost: &Path) -> Result<u64> {
    let Ok(text) = fs::read_to_string(lost) else {
        return Ok(0);
    };
    fs::remove_file(lost)?;
    let (path, length) = text.trim_end().split_once('\n').context("half a report")?;
    let length: u64 = length.parse()?;
    // A temporary file may have been removed since.
    let Ok(file) = File::options().write(true).open(path) else {
        return Ok(0);
    };
    let before = file.metadata()?.len();
    file.set_len(length.min(before))?;
    Ok(before.saturating_sub(length))
}
