//! Kafka's own `kafka-dump-log` reads what our broker left on disk: records, committed offsets and cluster metadata.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::process::Broker;
use super::{ottla, peer};
use crate::shell::{run, stdout};

const FIRST_SEGMENT: &str = "00000000000000000000.log";

pub(super) fn run_all() -> Result<()> {
    let broker = Broker::ours()?;
    write_something(&broker.address)?;
    let data = broker.data();
    let kept = broker.stop()?;
    ensure!(data.starts_with(kept.path()), "the data lies elsewhere");
    let records = dump(&segment(&data, "dumped-0")?, &["--print-data-log"])?;
    ensure!(
        records.matches("payload: ").count() == 100,
        "not 100 records in the dump:\n{records}"
    );
    let offsets = dump(
        &segment(&data, "__consumer_offsets-0")?,
        &["--offsets-decoder"],
    )?;
    ensure!(
        offsets.contains("\"group\":\"dumpers\""),
        "no committed offset in the dump:\n{offsets}"
    );
    let metadata = dump(
        &segment(&data, "__cluster_metadata-0")?,
        &["--cluster-metadata-decoder"],
    )?;
    for what in ["TOPIC_RECORD", "PARTITION_RECORD", "\"name\":\"dumped\""] {
        ensure!(
            metadata.contains(what),
            "no {what} in the dump:\n{metadata}"
        );
    }
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
    run(&mut tool(
        "topics --create --topic dumped --partitions 1 --replication-factor 1",
    ))?;
    let mut producer = tool("console-producer --topic dumped --compression-codec zstd")
        .stdin(Stdio::piped())
        .spawn()?;
    let lines: String = (0..100).map(|n| format!("line {n}\n")).collect();
    producer
        .stdin
        .take()
        .context("no pipe to the producer")?
        .write_all(lines.as_bytes())?;
    ensure!(producer.wait()?.success(), "the console producer failed");
    let read = stdout(&mut tool(
        "console-consumer --topic dumped --group dumpers --from-beginning --max-messages 100",
    ))?;
    ensure!(
        read == lines,
        "the console consumer printed something else:\n{read}"
    );
    Ok(())
}

fn segment(data: &Path, partition: &str) -> Result<PathBuf> {
    let path = data.join(partition).join(FIRST_SEGMENT);
    fs::metadata(&path).with_context(|| path.display().to_string())?;
    Ok(path)
}

fn dump(segment: &Path, options: &[&str]) -> Result<String> {
    let text = stdout(
        peer::command("kafka-dump-log")
            .args(options)
            .arg("--files")
            .arg(segment),
    )?;
    ensure!(
        !text.contains("isvalid: false") && !text.contains("Could not"),
        "the dump complains:\n{text}"
    );
    Ok(text)
}
