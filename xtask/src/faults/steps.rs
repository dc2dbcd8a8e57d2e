//! S-16: the broker is killed before the N-th call that changes names, lengths or durability of files, for every N until
//! it lives through a whole story: first start, topics, rolled segments, retention, a deleted topic, a committed offset,
//! a clean stop. Whatever N was, the broker starts again on what is there, and everything it acknowledged is there.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::kills::PATIENT;
use super::report::Report;
use super::{Stage, check, inject};

const KEPT: &str = "kept";
const TRIMMED: &str = "trimmed";
const GROUP: &str = "readers";
const PARTITIONS: usize = 2;
/// A story has a few hundred steps; one that never ends is a mistake of the harness.
const STEPS_MAX: usize = 5000;
const PATIENCE: Duration = Duration::from_secs(30);

/// Small, so that the story visits each place early.
const SETTINGS: &[&str] = &[
    "offsets.topic.num.partitions=1",
    "group.initial.rebalance.delay.ms=0",
    "log.retention.check.interval.ms=50",
];

/// `rounds` bounds the steps; 0 means all there are.
pub(super) fn kill_at_each(stage: &mut Stage) -> Result<Report> {
    let library = inject::library("steps", stage.path())?;
    let mut report = Report::default();
    for step in 1.. {
        ensure!(step <= STEPS_MAX, "the story has no end");
        if stage.rounds > 0 && step > stage.rounds {
            report.figure = format!("the first {} steps only", stage.rounds);
            break;
        }
        let directory = stage.path().join(format!("step-{step}"));
        std::fs::create_dir(&directory)?;
        let outcome = die_and_rise(&directory, &library, step, &mut report)
            .with_context(|| format!("killed before step {step}"))?;
        report.rounds += 1;
        if outcome == Outcome::Survived {
            report.figure = format!("{} steps, killed before each", step - 1);
            break;
        }
        std::fs::remove_dir_all(directory)?;
    }
    Ok(report)
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Killed,
    Survived,
}

/// What was promised before the end came.
#[derive(Default)]
struct Promises {
    kept: bool,
    trimmed: Life,
    /// Records of the topic that keeps everything.
    told: check::Told,
    committed: bool,
}

#[derive(Default, PartialEq)]
enum Life {
    #[default]
    Unknown,
    Made,
    /// Its deletion was asked for.
    Doomed,
    Gone,
}

fn die_and_rise(
    directory: &Path,
    library: &Path,
    step: usize,
    report: &mut Report,
) -> Result<Outcome> {
    let mut broker = Broker::new(directory)?.with(SETTINGS);
    broker.set_env("LD_PRELOAD", library);
    broker.set_env("FAULT_KILL_AT", step.to_string());
    let mut promises = Promises::default();
    let outcome = match tell(&mut broker, directory, &mut promises) {
        Ok(()) => Outcome::Survived,
        // A story that fails while the broker lives has another fault than ours.
        Err(error) => match broker.ended()? {
            Some(status) if status.code().is_none() => Outcome::Killed,
            _ => return Err(error),
        },
    };
    broker.unset_env("LD_PRELOAD");
    broker.start()?;
    hold(&broker, &promises, report)?;
    broker.stop()?;
    Ok(outcome)
}

/// Everything that makes a broker change its files. An error is where the broker died.
fn tell(broker: &mut Broker, directory: &Path, promises: &mut Promises) -> Result<()> {
    broker.start()?;
    let create = "topics --create --config segment.ms=20 --topic";
    broker.tool_while_it_lives(&format!("{create} {KEPT} --partitions {PARTITIONS}"))?;
    promises.kept = true;
    broker.tool_while_it_lives(&format!(
        "{create} {TRIMMED} --partitions 1 --config retention.bytes=1 --config file.delete.delay.ms=0"
    ))?;
    promises.trimmed = Life::Made;
    for (topic, partitions) in [(KEPT, PARTITIONS), (TRIMMED, 1)] {
        let load = Load {
            topic,
            partitions,
            rate: 1000,
            settings: &[&["acks=all", "enable.idempotence=true"], PATIENT].concat(),
        };
        let mut producer = Producer::start(Make::Ours, topic, broker, load, directory)?;
        let enough = wait_for(&mut producer, broker, 100);
        let acks = match enough {
            Ok(()) => producer.finish_while(|| Ok(broker.ended()?.is_none()))?,
            Err(_) => producer.abandon()?,
        };
        if topic == KEPT {
            promises.told.insert(topic.to_owned(), acks);
        }
        enough?;
    }
    broker.tool_while_it_lives(&format!(
        "console-consumer --topic {KEPT} --group {GROUP} --from-beginning --max-messages 10"
    ))?;
    promises.committed = true;
    wait_for_retention(broker)?;
    promises.trimmed = Life::Doomed;
    broker.tool_while_it_lives(&format!("topics --delete --topic {TRIMMED}"))?;
    promises.trimmed = Life::Gone;
    broker.stop().map(drop)
}

fn wait_for_retention(broker: &mut Broker) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let start = format!("get-offsets --topic {TRIMMED} --time earliest");
    while broker
        .tool_while_it_lives(&start)?
        .trim_end()
        .ends_with(":0")
    {
        ensure!(
            Instant::now() < deadline,
            "nothing was deleted by retention"
        );
    }
    Ok(())
}

fn wait_for(producer: &mut Producer, broker: &mut Broker, acked: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while producer.acked() < acked {
        if let Some(status) = broker.ended()? {
            bail!("the broker ended: {status}");
        }
        ensure!(
            Instant::now() < deadline,
            "{} acknowledged only",
            producer.acked()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn hold(broker: &Broker, promises: &Promises, report: &mut Report) -> Result<()> {
    let topics = broker.tool("topics --list")?;
    let has = |topic: &str| topics.lines().any(|line| line == topic);
    ensure!(
        has(KEPT) || !promises.kept,
        "{KEPT} was created and is gone"
    );
    match promises.trimmed {
        Life::Made => ensure!(has(TRIMMED), "{TRIMMED} was created and is gone"),
        Life::Gone => ensure!(!has(TRIMMED), "{TRIMMED} was deleted and is there"),
        Life::Unknown | Life::Doomed => {}
    }
    if has(TRIMMED) {
        check::read(broker, TRIMMED, 0)?;
    }
    if has(KEPT) {
        let tally = check::topic(broker, KEPT, PARTITIONS, &promises.told)?;
        tally.explain();
        report.acked += tally.acked;
        report.lost += tally.lost;
        report.duplicated += tally.repeated;
    }
    if promises.committed {
        let offsets = broker.tool(&format!("consumer-groups --describe --group {GROUP}"))?;
        ensure!(
            offsets.contains(KEPT),
            "the committed offsets are gone:\n{offsets}"
        );
    }
    Ok(())
}
