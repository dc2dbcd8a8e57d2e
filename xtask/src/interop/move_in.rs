//! The move-in test: our broker takes over the data directory of an Apache Kafka node, and Kafka takes it back.
//!
//! What is there is told by `tests/interop/java/MoveIn.java`, through Kafka's clients: each broker has to show the same
//! as the one before it. Between the two, Kafka's `kafka-dump-log` reads every file that ours left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use super::process::{Broker, Voters, free_ports};
use super::{java, peer};
use crate::shell::stdout;

const PROGRAM: &str = "MoveIn.java";

/// Small topics of Kafka's own, a cleaner that does not wait, and deleted records that stay so when Kafka is killed.
const KAFKA_SETTINGS: &[&str] = &[
    "offsets.topic.num.partitions=5",
    "transaction.state.log.num.partitions=3",
    "log.cleaner.backoff.ms=500",
    "log.flush.start.offset.checkpoint.interval.ms=500",
    "log.initial.task.delay.ms=500",
];

/// Files of a partition that `kafka-dump-log` reads.
const DUMPED: &[&str] = &["log", "index", "timeindex", "txnindex", "snapshot"];
const INDEXES: &[&str] = &["index", "timeindex", "txnindex"];

/// What `kafka-dump-log` says of a file that is not as it should be.
const FAULTS: &[&str] = &[
    "isvalid: false",
    "Could not",
    "ismatch",
    "Found ",
    "Indexed ",
    "xception",
    "orrupt",
    "not correct",
];

/// What Kafka has to have written down before it is killed: it forgets a log start of its own otherwise.
const LOG_START: &str = "plain-gzip 0 17";

/// Kafka stops, ours takes over, Kafka takes it back, is killed, and ours takes over once more.
pub(super) fn there_and_back_twice() -> Result<()> {
    let ports = free_ports()?;
    let kafka = |directory| Broker::kafka_on(directory, ports, Voters::Configured, KAFKA_SETTINGS);
    let broker = kafka(tempfile::tempdir()?)?;
    let producer = step(&broker, "fill", None)?;
    let filled = step(&broker, "show", None)?;
    let directory = broker.stop()?;
    let before = dump(&directory)?;

    let ours = Broker::ours_on(directory)?;
    same("Kafka", &filled, "ours", &step(&ours, "show", None)?)?;
    let producer = step(&ours, "extend", Some(&producer))?;
    let extended = step(&ours, "show", None)?;
    let directory = ours.stop()?;
    no_new_faults(&before, &dump(&directory)?)?;

    let broker = kafka(directory)?;
    same("ours", &extended, "Kafka", &step(&broker, "show", None)?)?;
    let producer = step(&broker, "extend", Some(&producer))?;
    step(&broker, "settle", None)?;
    let settled = step(&broker, "show", None)?;
    broker.await_checkpoint("log-start-offset-checkpoint", LOG_START)?;
    let directory = broker.kill()?;

    let ours = Broker::ours_on(directory)?;
    same("Kafka", &settled, "ours", &step(&ours, "show", None)?)?;
    step(&ours, "extend", Some(&producer))?;
    no_new_faults(&BTreeSet::new(), &dump(&ours.stop()?)?)
}

/// The same where Kafka was killed at once, and keeps its voters in its log.
pub(super) fn after_a_kill() -> Result<()> {
    let ports = free_ports()?;
    let kafka = |directory| Broker::kafka_on(directory, ports, Voters::InTheLog, KAFKA_SETTINGS);
    let broker = kafka(tempfile::tempdir()?)?;
    let producer = step(&broker, "fill", None)?;
    let filled = step(&broker, "show", None)?;
    broker.await_checkpoint("log-start-offset-checkpoint", LOG_START)?;
    let directory = broker.kill()?;

    let ours = Broker::ours_on(directory)?;
    same("Kafka", &filled, "ours", &step(&ours, "show", None)?)?;
    let producer = step(&ours, "extend", Some(&producer))?;
    let extended = step(&ours, "show", None)?;
    let directory = ours.stop()?;
    no_new_faults(&BTreeSet::new(), &dump(&directory)?)?;

    let broker = kafka(directory)?;
    same("ours", &extended, "Kafka", &step(&broker, "show", None)?)?;
    step(&broker, "extend", Some(&producer))?;
    broker.stop().map(drop)
}

fn step(broker: &Broker, name: &str, producer: Option<&str>) -> Result<String> {
    let mut program = java::program(PROGRAM)?;
    program.arg(name).arg(&broker.address).args(producer);
    Ok(stdout(&mut program)?.trim_end().to_owned())
}

fn same(before: &str, shown_before: &str, after: &str, shown_after: &str) -> Result<()> {
    let records = |shown: &str| shown.lines().filter(|l| l.starts_with("record ")).count();
    eprintln!(
        "{before} shows {} records, {after} {}",
        records(shown_before),
        records(shown_after)
    );
    ensure!(records(shown_before) > 1000, "hardly anything was there");
    if shown_before == shown_after {
        return Ok(());
    }
    let only = |of: &str, not: &str| -> Vec<String> {
        let lines = of.lines().filter(|line| !not.lines().any(|l| l == *line));
        lines.take(5).map(str::to_owned).collect()
    };
    bail!(
        "{after} shows something else than {before}:\n{before}: {:#?}\n{after}: {:#?}",
        only(shown_before, shown_after),
        only(shown_after, shown_before)
    );
}

/// Kafka's own look at every file of every partition: what it finds wrong.
fn dump(directory: &TempDir) -> Result<BTreeSet<String>> {
    let logs = directory.path().join("data/logs");
    let files = files(&logs, DUMPED)?;
    let indexes = files.iter().filter(|path| has_suffix(path, INDEXES));
    let deep = dump_log(&["--deep-iteration"], files.iter())?;
    let sane = dump_log(&["--index-sanity-check"], indexes.clone())?;
    let verified = dump_log(&["--verify-index-only"], indexes)?;
    ensure!(
        deep.contains("isvalid: true") && deep.contains("lastStableOffset: "),
        "the dump has no batches, or no transaction index"
    );
    let found = [deep, sane, verified];
    let found = found.iter().flat_map(|text| faults(text));
    Ok(found.map(str::to_owned).collect())
}

/// Kafka's own files have faults in its own eyes, where it has compacted; ours must have none.
fn no_new_faults(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Result<()> {
    let new: Vec<&String> = after.difference(before).collect();
    ensure!(new.is_empty(), "kafka-dump-log finds: {new:#?}");
    Ok(())
}

fn dump_log<'a>(options: &[&str], files: impl Iterator<Item = &'a PathBuf>) -> Result<String> {
    let files: Vec<String> = files.map(|path| path.display().to_string()).collect();
    let mut command = peer::command("kafka-dump-log");
    let output = command
        .args(options)
        .arg("--files")
        .arg(files.join(","))
        .output()?;
    // What it finds goes to stderr.
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    ensure!(output.status.success(), "kafka-dump-log: {}", text[1]);
    Ok(text.concat())
}

fn faults(text: &str) -> Vec<&str> {
    let mut faults: Vec<&str> = text
        .lines()
        // Keys and values that we wrote are none of these words.
        .filter(|line| FAULTS.iter().any(|fault| line.contains(fault)))
        .collect();
    // "Non-consecutive offsets in FILE" is followed by the gaps. Every segment begins with one that is none, and what
    // compaction leaves has others.
    let mut is_compacted = false;
    for line in text.lines() {
        if line.starts_with("Non-consecutive offsets in ") {
            is_compacted = ["/compacted-", "/__"]
                .iter()
                .any(|name| line.contains(name));
        } else if line.contains(" is followed by ")
            && !line.trim_start().starts_with("-1 ")
            && !is_compacted
        {
            faults.push(line);
        }
    }
    faults
}

fn files(logs: &Path, suffixes: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in fs::read_dir(logs)? {
        let folder = folder?.path();
        // The dump of metadata needs a decoder of its own, see `disk`; what waits for its removal is as it was left.
        let is_deleted = folder.to_string_lossy().ends_with("-delete");
        if !folder.is_dir() || is_deleted || folder.ends_with("__cluster_metadata-0") {
            continue;
        }
        for file in fs::read_dir(folder)? {
            let file = file?.path();
            if has_suffix(&file, suffixes) {
                files.push(file);
            }
        }
    }
    files.sort();
    ensure!(
        files.len() > 100,
        "only {} files in {}",
        files.len(),
        logs.display()
    );
    Ok(files)
}

fn has_suffix(file: &Path, suffixes: &[&str]) -> bool {
    let suffix = file.extension().and_then(|suffix| suffix.to_str());
    suffix.is_some_and(|suffix| suffixes.contains(&suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_from_what_the_dump_always_says() {
        let text = "\
baseOffset: 0 lastOffset: 2 count: 3 crc: 1 isvalid: true
Non-consecutive offsets in /d/compacted-1/00000000000000000000.log
  -1 is followed by 84
  84 is followed by 90
Non-consecutive offsets in /d/plain-1/00000000000000000043.log
  -1 is followed by 43
";
        assert!(faults(text).is_empty());
        for fault in [
            "baseOffset: 3 lastOffset: 3 count: 1 crc: 1 isvalid: false",
            "Non-consecutive offsets in /d/plain-1/0.log\n  7 is followed by 9",
            "Mismatches in :/d/t-0/0.index",
            "Found timestamp mismatch in :/d/t-0/0.timeindex",
        ] {
            assert_eq!(faults(&format!("{text}{fault}")).len(), 1, "{fault}");
        }
    }
}
