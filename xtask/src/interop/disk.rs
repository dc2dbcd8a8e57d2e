//! `kafka-dump-log` and ours on what both brokers left on disk: Kafka's finds no fault in our files, and on the files of
//! either both print the same.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::process::Broker;
use super::{ottla, peer};
use crate::shell::{run, stdout};

const CODECS: &[&str] = &["none", "gzip", "snappy", "lz4", "zstd"];

/// What neither tool may say of sound files.
const COMPLAINTS: &[&str] = &[
    "isvalid: false",
    "invalid bytes",
    "Mismatches",
    "Found ",
    "not found",
    "Ignoring",
    "Exception",
    "Error",
];

pub(super) fn run_all() -> Result<()> {
    let broker = Broker::ours()?;
    write_something(&broker.address)?;
    let data = broker.data();
    let kept = broker.stop()?;
    ensure!(data.starts_with(kept.path()), "the data lies elsewhere");
    compare(&data).context("on our files")?;
    repair(&data).context("our files, damaged")?;
    drop(kept);

    let broker = Broker::kafka()?;
    write_something(&broker.address)?;
    read_internal_topics(&broker.address).context("of Kafka's broker")?;
    let data = broker.data().join("logs");
    let kept = broker.stop()?;
    compare(&data).context("on Kafka's files")?;
    repair(&data).context("Kafka's files, damaged")?;
    drop(kept);
    Ok(())
}

fn write_something(bootstrap: &str) -> Result<()> {
    let tool = |words: &str| {
        let mut command = Command::new(ottla());
        command
            .args(words.split(' '))
            .args(["--bootstrap-server", bootstrap]);
        command
    };
    // Long enough that the log without compression is rolled, and a producer snapshot written.
    let padding = "text ".repeat(120);
    let lines: String = (0..2000)
        .map(|n| format!("k{n}\tline {n} {padding}\n"))
        .collect();
    for codec in CODECS {
        let topic = format!("dumped-{codec}");
        run(&mut tool(&format!(
            "topics --create --topic {topic} --partitions 1 --replication-factor 1 \
             --config index.interval.bytes=64 --config segment.bytes=1048576"
        )))?;
        let mut producer = tool(&format!(
            "console-producer --topic {topic} --compression-codec {codec} --batch-size 1024 --reader-property parse.key=true"
        ))
        .stdin(Stdio::piped())
        .spawn()?;
        producer
            .stdin
            .take()
            .context("no pipe to the producer")?
            .write_all(lines.as_bytes())?;
        ensure!(producer.wait()?.success(), "the console producer failed");
        let read = stdout(&mut tool(&format!(
            "console-consumer --topic {topic} --group dumpers --from-beginning --max-messages 2000 \
             --formatter-property print.key=true"
        )))?;
        ensure!(read == lines, "the console consumer printed something else");
    }
    run(&mut tool("topics --create --topic piped"))?;
    // Results, and the offsets of what they are of, in transactions.
    run(
        tool("pipe --from dumped-none --to piped --group pipers --exactly-once --timeout 2s")
            .args(["--", "cat"])
            .stdout(Stdio::null()),
    )
}

/// What Kafka's coordinators have written, through both console consumers. A group's partition is read alone, without
/// a group, which would leave its own records there.
fn read_internal_topics(bootstrap: &str) -> Result<()> {
    for (topic, id, formatter) in [
        ("__consumer_offsets", Some("dumpers"), "GroupMetadata"),
        ("__consumer_offsets", Some("pipers"), "Offsets"),
        ("__transaction_state", None, "TransactionLog"),
    ] {
        let class = format!("org.apache.kafka.tools.consumer.{formatter}MessageFormatter");
        let read = |command: &mut Command| -> Result<Vec<String>> {
            let command = command.args(["--bootstrap-server", bootstrap, "--topic", topic]);
            let command = command.args(["--formatter", &class, "--timeout-ms", "4000"]);
            let text = stdout(match id.map(coordinators_partition) {
                Some(partition) => {
                    command.args(["--partition", &partition, "--offset", "earliest"])
                }
                None => command.arg("--from-beginning"),
            })?;
            // They come without an end of line, and partitions in any order.
            let text = text.replace("}{\"key\"", "}\n{\"key\"");
            let mut records: Vec<String> = text.lines().map(str::to_owned).collect();
            records.sort_unstable();
            Ok(records)
        };
        let ours = read(Command::new(ottla()).arg("console-consumer"))?;
        let kafkas = read(&mut peer::command("kafka-console-consumer"))?;
        let expected = id.map_or("\"transactionalId\":".to_owned(), |id| {
            format!("\"group\":\"{id}\"")
        });
        let is_there = ours.iter().any(|record| record.contains(&expected));
        ensure!(is_there, "no {expected} in {topic}: {ours:#?}");
        let differ = ours
            .iter()
            .zip(&kafkas)
            .find(|(ours, kafkas)| ours != kafkas);
        ensure!(
            ours == kafkas,
            "{topic}: ours reads {} records, Kafka's {}, first {differ:#?}",
            ours.len(),
            kafkas.len()
        );
    }
    Ok(())
}

/// Of fifty, where the coordinator of an id keeps its records.
fn coordinators_partition(id: &str) -> String {
    let hash = id.bytes().fold(0_i32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(i32::from(byte))
    });
    (hash.unsigned_abs() % 50).to_string()
}

/// Every file below, through both tools, in every way that fits its kind.
fn compare(data: &Path) -> Result<()> {
    let logs = files(data, &["log", "checkpoint"])?;
    let indexes = files(data, &["index", "timeindex"])?;
    let rest = files(data, &["txnindex", "snapshot"])?;
    ensure!(
        logs.len() > CODECS.len() && indexes.len() > CODECS.len() && !rest.is_empty(),
        "too few files in {}: {} logs, {} indexes, {} others",
        data.display(),
        logs.len(),
        indexes.len(),
        rest.len()
    );
    let of = |part: &str| -> Vec<PathBuf> {
        let inside = |path: &&PathBuf| path.to_string_lossy().contains(part);
        logs.iter().filter(inside).cloned().collect()
    };
    let dumped = same(&["--print-data-log"], &of("dumped-"))?;
    ensure!(
        dumped.matches(" payload: line ").count() == 2000 * CODECS.len(),
        "not all records are in the dump"
    );
    same(&[], &logs)?;
    same(&["--deep-iteration"], &logs)?;
    same(&[], &indexes)?;
    same(&["--verify-index-only"], &indexes)?;
    same(&["--index-sanity-check"], &indexes)?;
    same(&[], &rest)?;
    let offsets = same(&["--offsets-decoder"], &of("__consumer_offsets"))?;
    for what in [
        "\"group\":\"dumpers\"",
        "\"group\":\"pipers\"",
        "isTransactional: true isControl: false",
        "endTxnMarker: COMMIT",
    ] {
        ensure!(offsets.contains(what), "no {what} in the dump of offsets");
    }
    let transactions = same(&["--transaction-log-decoder"], &of("__transaction_state"))?;
    ensure!(
        transactions.contains("{\"topic\":\"__consumer_offsets\""),
        "no transaction with offsets in the dump"
    );
    let metadata = same(&["--cluster-metadata-decoder"], &of("__cluster_metadata"))?;
    for what in [
        "TOPIC_RECORD",
        "PARTITION_RECORD",
        "\"name\":\"dumped-zstd\"",
    ] {
        ensure!(metadata.contains(what), "no {what} in the dump");
    }
    eprintln!(
        "{} files of {}",
        logs.len() + indexes.len() + rest.len(),
        data.display()
    );
    Ok(())
}

/// Sound files are found sound; damaged ones are not, and are sound for both tools once they are repaired.
fn repair(data: &Path) -> Result<()> {
    let log = |words: &[&str]| -> Result<i32> {
        let output = Command::new(ottla())
            .arg("log")
            .args(words)
            .arg(data)
            .output()?;
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        Ok(output.status.code().unwrap_or(-1))
    };
    ensure!(
        log(&["verify", "--deep"])? == 0,
        "sound files are found damaged"
    );
    let logs = files(data, &["log"])?;
    let large = logs
        .iter()
        .filter(|path| fs::metadata(path).is_ok_and(|m| m.len() > 20_000));
    for path in large {
        let mut bytes = fs::read(path)?;
        let (middle, end) = (bytes.len() / 2, bytes.len() - 5);
        bytes[middle] ^= 1;
        bytes.truncate(end);
        fs::write(path, bytes)?;
    }
    ensure!(log(&["verify"])? == 1, "damage is not found");
    let aside = tempfile::tempdir()?;
    let aside = aside.path().join("aside");
    let aside = aside.to_str().context("an odd temporary directory")?;
    ensure!(
        log(&["repair", "--execute", "--aside", aside])? == 0,
        "something is left"
    );
    ensure!(
        log(&["verify", "--deep"])? == 0,
        "repaired files are found damaged"
    );
    let indexes = files(data, &["index", "timeindex"])?;
    same(&["--deep-iteration"], &logs)?;
    same(&[], &indexes)?;
    same(&["--index-sanity-check"], &indexes)?;
    same(&[], &files(data, &["txnindex", "snapshot"])?).map(drop)
}

/// Files of these kinds in the folders below, sorted.
fn files(data: &Path, suffixes: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in fs::read_dir(data)? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            let suffix = path.extension().and_then(|suffix| suffix.to_str());
            if suffix.is_some_and(|suffix| suffixes.contains(&suffix)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What both tools print of the files, on both streams; neither may complain.
fn same(options: &[&str], files: &[PathBuf]) -> Result<String> {
    let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    let with = |command: &mut Command| -> Result<(String, String)> {
        let output = command
            .args(options)
            .args(["--files", &names.join(",")])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.success(),
            "{options:?}: {}: {said}",
            output.status
        );
        Ok((String::from_utf8(output.stdout)?, said))
    };
    let ours = with(Command::new(ottla()).arg("dump-log"))?;
    let kafkas = with(&mut peer::command("kafka-dump-log"))?;
    for text in [&kafkas.0, &kafkas.1] {
        let complaint = text
            .lines()
            .find(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)));
        ensure!(complaint.is_none(), "{options:?}: {complaint:?}");
    }
    for (ours, kafkas) in [(&ours.0, &kafkas.0), (&ours.1, &kafkas.1)] {
        let differ = ours.lines().zip(kafkas.lines()).find(|(a, b)| a != b);
        ensure!(
            ours == kafkas,
            "{options:?}: the outputs differ, first in ours and Kafka's {differ:?}"
        );
    }
    Ok(ours.0)
}
