//! A quorum that our broker has raised to kraft.version 1 (KIP-853): Kafka goes on with the voters that the log then has.

use std::process::Command;

use anyhow::{Result, ensure};

use super::ottla;
use super::process::{Broker, Voters, free_ports};
use crate::shell::{run, stdout};

/// Ours raises the level, Kafka starts without voters in its configuration, and ours goes on once more.
pub(super) fn raised_by_ours() -> Result<()> {
    let ours = Broker::ours_formatted("kraft.version=0")?;
    let tool = |at: &Broker, words: &str| {
        let mut command = Command::new(ottla());
        command.args(words.split(' '));
        command.args(["--bootstrap-server", &at.address]);
        command
    };
    let level = |at: &Broker| stdout(tool(at, "features").arg("describe"));
    run(&mut tool(
        &ours,
        "topics --create --topic kept --partitions 3",
    ))?;
    run(tool(&ours, "features").args(["upgrade", "--feature", "kraft.version=1"]))?;
    let directory = ours.stop()?;

    let settings = ["node.id=0"];
    let kafka = Broker::kafka_on(directory, free_ports()?, Voters::InTheLog, &settings)?;
    let told = level(&kafka)?;
    let raised = |line: &str| {
        line.contains("Feature: kraft.version") && line.contains("FinalizedVersionLevel: 1")
    };
    ensure!(told.lines().any(raised), "Kafka says:\n{told}");
    let quorum = stdout(tool(&kafka, "metadata-quorum").args(["describe", "--status"]))?;
    let voters = |line: &str| line.starts_with("CurrentVoters:") && line.contains("\"id\": 0");
    ensure!(quorum.lines().any(voters), "Kafka says:\n{quorum}");
    let topics = stdout(&mut tool(&kafka, "topics --describe --topic kept"))?;
    ensure!(
        topics.contains("PartitionCount: 3"),
        "Kafka says:\n{topics}"
    );
    run(&mut tool(&kafka, "topics --create --topic more"))?;

    let ours = Broker::ours_on(kafka.stop()?)?;
    let topics = stdout(&mut tool(&ours, "topics --list"))?;
    ensure!(topics == "kept\nmore\n", "ours says:\n{topics}");
    let told = level(&ours)?;
    ensure!(told.lines().any(raised), "ours says:\n{told}");
    ours.stop().map(drop)
}
