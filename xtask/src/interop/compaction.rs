//! The same log, cleaned by Kafka and by us: the same batches with the same records at the same offsets stay, and the same
//! aborted transactions are known. How long each took is told; with `OTTLA_COMPACTION_ROUNDS` above 2 that says something.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::process::{Broker, Voters, free_ports};
use super::{java, ottla, peer};
use crate::shell::run;

const PARTITION: &str = "compacted-0";
const SETTINGS: &[&str] = &["log.cleaner.backoff.ms=200"];

pub(super) fn run_all() -> Result<()> {
    let ports = free_ports()?;
    let kafka = Broker::kafka_on(tempfile::tempdir()?, ports, Voters::Configured, SETTINGS)?;
    let rounds = std::env::var("OTTLA_COMPACTION_ROUNDS").unwrap_or_else(|_| "2".to_owned());
    run(java::program("Compacted.java")?.args([&kafka.address, &rounds]))?;
    let for_kafka = kafka.stop()?;
    let for_us = copy(for_kafka.path())?;

    let kafka = Broker::kafka_on(for_kafka, ports, Voters::Configured, SETTINGS)?;
    clean(&kafka, peer::command("kafka-configs"))?;
    let for_kafka = kafka.stop()?;
    tell(for_kafka.path(), " of log processed in ")?;

    let ours = Broker::ours_on(for_us)?;
    let mut configs = Command::new(ottla());
    configs.arg("configs");
    clean(&ours, configs)?;
    let for_us = ours.stop()?;
    tell(for_us.path(), "log compacted")?;

    for directory in [&for_kafka, &for_us] {
        let data = directory.path().join("data/logs");
        run(Command::new(ottla()).args(["log", "verify"]).arg(data))?;
    }
    let (left_by_kafka, left_by_us) = (dump(for_kafka.path())?, dump(for_us.path())?);
    let differ = left_by_kafka
        .lines()
        .zip(left_by_us.lines())
        .find(|(kafkas, ours)| kafkas != ours);
    ensure!(
        left_by_kafka == left_by_us,
        "Kafka's cleaner and ours leave other things, first {differ:#?}"
    );
    for what in ["deleteHorizonMs: set", "isControl: true", "count: 0"] {
        ensure!(left_by_us.contains(what), "nothing has {what}");
    }
    let records = left_by_us.lines().filter(|l| l.starts_with('|')).count();
    eprintln!("{records} records and markers, the same after either cleaner");
    Ok(())
}

fn copy(directory: &Path) -> Result<TempDir> {
    let other = tempfile::tempdir()?;
    let from = directory.join("data");
    run(Command::new("cp").arg("-a").arg(from).arg(other.path()))?;
    // The copy has its logs in itself, not where it comes from.
    let properties = other.path().join("data/server.properties");
    let text = fs::read_to_string(&properties)?;
    let here = |path: &Path| path.display().to_string();
    fs::write(
        &properties,
        text.replace(&here(directory), &here(other.path())),
    )?;
    Ok(other)
}

/// Lets the broker's cleaner at the topic and waits until all but the active segment is clean.
fn clean(broker: &Broker, mut configs: Command) -> Result<()> {
    let logs = broker.data().join("logs");
    let last = segments(&logs.join(PARTITION), "log")?
        .last()
        .and_then(|path| path.file_stem()?.to_str()?.parse::<u64>().ok())
        .context("the topic has no segments")?;
    ensure!(last > 0, "the topic has one segment only");
    run(configs
        .args(["--bootstrap-server", &broker.address, "--alter"])
        .args(["--topic", "compacted"])
        .args(["--add-config", "min.cleanable.dirty.ratio=0.0"]))?;
    broker.await_checkpoint("cleaner-offset-checkpoint", &format!("compacted 0 {last}"))
}

/// Shows what a broker's log says of how long it took.
fn tell(directory: &Path, what: &str) -> Result<()> {
    let log = fs::read_to_string(directory.join("log"))?;
    let lines = log.lines().filter(|line| line.contains(what));
    lines.for_each(|line| eprintln!("{}", line.trim()));
    Ok(())
}

/// What Kafka's tool tells of the partition's segments and transaction indexes, but where a batch lies, how well it was
/// compressed, and the time of the clean.
fn dump(directory: &Path) -> Result<String> {
    let folder = directory.join("data/logs").join(PARTITION);
    let mut text = String::new();
    for suffix in ["log", "txnindex"] {
        let files = segments(&folder, suffix)?;
        let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
        let output = peer::command("kafka-dump-log")
            .args(["--deep-iteration", "--print-data-log"])
            .args(["--files", &names.join(",")])
            .output()?;
        // On stderr it complains of gaps between offsets, which is what a cleaner leaves.
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {said}", output.status);
        text += &String::from_utf8(output.stdout)?;
    }
    let batches = text.lines().map(|line| {
        line.strip_prefix("Dumping ")
            .map_or_else(|| comparable(line), file_name)
    });
    Ok(batches.collect::<Vec<_>>().join("\n"))
}

fn file_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    format!("Dumping {name}")
}

/// A line without the numbers that may differ.
fn comparable(line: &str) -> String {
    if !line.starts_with("baseOffset: ") {
        return line.to_owned();
    }
    let mut kept = Vec::new();
    let mut words = line.split(' ');
    while let Some(word) = words.next() {
        match word {
            "position:" | "size:" | "crc:" => {
                words.next();
            }
            _ if word.starts_with("OptionalLong[") => kept.push("set"),
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

fn segments(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|s| s == suffix) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
