//! S-08: the disk is full, again and again. Producers are refused or wait, readers go on, nothing acknowledged is lost, and
//! writes go on within five seconds of there being space, without a restart.

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::kills::PATIENT;
use super::report::{Report, spread};
use super::{Stage, check};
use crate::shell::{resident_kib, stdout};

const TOPIC: &str = "filled";
const MEBIBYTES: u64 = 192;
/// Left free when a round begins.
const LEFT: u64 = 3 << 20;
const RESUME_MAX: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);
/// How much more memory than at first the broker may take in the end.
const GROWTH_MAX_KIB: u64 = 48 << 10;

pub(super) fn come_and_go(stage: &mut Stage) -> Result<Report> {
    let point = stage.path().join("small");
    fs::create_dir(&point)?;
    let size = format!("size={MEBIBYTES}m");
    stdout(
        Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "faults"])
            .arg(&point),
    )?;
    let result = fill_and_free(stage, &point);
    if result.is_err() {
        eprintln!("  the disk stays mounted at {}", point.display());
    } else {
        stdout(Command::new("umount").arg(&point))?;
    }
    result
}

fn fill_and_free(stage: &mut Stage, point: &std::path::Path) -> Result<Report> {
    let ballast = point.join("ballast");
    let mut broker = Broker::new(stage.path())?.data_in(point.join("data"));
    broker.start()?;
    broker.create_topic(TOPIC, 1, &["segment.bytes=1048576"])?;
    let settings = [&["acks=all", "enable.idempotence=true"], PATIENT].concat();
    let mut patient = Producer::start(
        Make::Ours,
        "patient",
        &broker,
        load(&settings),
        stage.path(),
    )?;
    patient.wait_for(100)?;
    let memory_before = resident_kib(broker.pid()?)?;
    let mut told = check::Told::new();
    let mut resumed = Vec::new();
    for round in 0..stage.rounds {
        fill(point, &ballast)?;
        let name = format!("impatient-{round}");
        let impatient = [
            "acks=all",
            "delivery.timeout.ms=1000",
            "request.timeout.ms=500",
            "linger.ms=0",
        ];
        let refused = Producer::start(Make::Ours, &name, &broker, load(&impatient), stage.path())?;
        let deadline = Instant::now() + PATIENCE;
        while refused.failures() == 0 {
            ensure!(
                broker.ended()?.is_none(),
                "the broker ended on a full disk:\n{}",
                broker.log()
            );
            ensure!(
                Instant::now() < deadline,
                "round {round}: nobody is refused on a full disk"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        told.insert(name, refused.abandon()?);
        // Readers go on.
        broker.tool(&format!(
            "console-consumer --topic {TOPIC} --partition 0 --offset earliest --max-messages 100 --timeout-ms 10000"
        ))?;
        let freed = Instant::now();
        fs::remove_file(&ballast)?;
        patient.wait_for(1)?;
        resumed.push(freed.elapsed());
    }
    let growth = resident_kib(broker.pid()?)?.saturating_sub(memory_before);
    ensure!(
        growth <= GROWTH_MAX_KIB,
        "the broker has grown by {growth} KiB"
    );
    told.insert("patient".to_owned(), patient.finish()?);
    ensure!(
        told["patient"].failures.is_empty(),
        "given up: {:?}",
        told["patient"].failures[0]
    );
    let tally = check::topic(&broker, TOPIC, 1, &told)?;
    tally.explain();
    broker.stop()?;
    let worst = resumed.iter().max().copied().unwrap_or_default();
    ensure!(worst <= RESUME_MAX, "writes went on only after {worst:?}");
    Ok(Report::of(
        stage.rounds,
        &tally,
        format!(
            "space to next ack {}; {growth} KiB grown",
            spread(&mut resumed)
        ),
    ))
}

fn load<'a>(settings: &'a [&'a str]) -> Load<'a> {
    Load {
        topic: TOPIC,
        partitions: 1,
        rate: 4000,
        settings,
    }
}

/// Takes all space but a little.
fn fill(point: &std::path::Path, ballast: &std::path::Path) -> Result<()> {
    let line = stdout(
        Command::new("df")
            .args(["--output=avail", "-B1"])
            .arg(point),
    )?;
    let free: u64 = line
        .split_whitespace()
        .last()
        .context("df says nothing")?
        .parse()?;
    let file = File::create(ballast)?;
    drop(file);
    let length = free.saturating_sub(LEFT).to_string();
    stdout(Command::new("fallocate").args(["-l", &length]).arg(ballast)).map(drop)
}
