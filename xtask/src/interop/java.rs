//! Kafka's Java clients against our broker: the programs in `tests/interop/java`.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::peer;
use super::process::Broker;
use crate::shell::{root, run};

/// They mostly wait, so they run side by side.
const CHECKS: [&str; 5] = [
    "Clients",
    "ClassicGroups",
    "ConsumerGroups",
    "Migration",
    "Transactions",
];

pub(super) fn on_ours() -> Result<()> {
    let broker = Broker::ours_in(&["data", "more"])?;
    check(&broker.address, &CHECKS)?;
    broker.stop().map(drop)
}

/// Transactions in a cluster at the lowest level of `transaction.version`: there clients speak the protocol before KIP-890.
pub(super) fn on_ours_at_the_lowest_level() -> Result<()> {
    let broker = Broker::ours_formatted("transaction.version=0")?;
    check(&broker.address, &["Transactions"])?;
    broker.stop().map(drop)
}

fn check(address: &str, names: &[&str]) -> Result<()> {
    let classes = tempfile::tempdir()?;
    let folder = root().join("tests/interop/java");
    let mut compiler = Command::new("javac");
    compiler.arg("-cp").arg(peer::jars()?.join("*"));
    compiler.arg("-d").arg(classes.path());
    compiler.arg("-sourcepath").arg(&folder);
    let sources = names.iter().map(|name| folder.join(format!("{name}.java")));
    run(compiler.args(sources))?;
    let class_path = [classes.path(), &peer::jars()?.join("*")];
    let mut running = Vec::new();
    for name in names {
        running.push((name, java(&class_path)?.args([*name, address]).spawn()?));
    }
    let mut failed = Vec::new();
    for (name, mut checks) in running {
        if !checks.wait()?.success() {
            failed.push(name);
        }
    }
    ensure!(failed.is_empty(), "checks of {failed:?} fail");
    Ok(())
}

/// A program of the folder, run from its source, with Kafka's jars on its class path.
pub(super) fn program(name: &str) -> Result<Command> {
    let mut java = java(&[&peer::jars()?.join("*")])?;
    java.arg(root().join("tests/interop/java").join(name));
    Ok(java)
}

fn java(class_path: &[&Path]) -> Result<Command> {
    let mut java = Command::new("java");
    java.arg("-cp").arg(std::env::join_paths(class_path)?);
    let logging = peer::log_configuration();
    java.arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
    Ok(java)
}
