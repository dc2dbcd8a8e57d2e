//! Kafka's Java clients against our broker: the programs in `tests/interop/java`, run from their source.

use std::process::Command;

use anyhow::Result;

use super::peer;
use super::process::Broker;
use crate::shell::{root, run};

pub(super) fn run_all() -> Result<()> {
    let broker = Broker::ours_in(&["data", "more"])?;
    run(program("Clients.java")?.arg(&broker.address))?;
    broker.stop().map(drop)
}

/// A program of the folder with Kafka's jars on its class path.
pub(super) fn program(name: &str) -> Result<Command> {
    let mut java = Command::new("java");
    java.arg("-cp").arg(peer::jars()?.join("*"));
    java.arg(format!(
        "-Dlog4j2.configurationFile={}",
        peer::log_configuration().display()
    ));
    java.arg(root().join("tests/interop/java").join(name));
    Ok(java)
}
