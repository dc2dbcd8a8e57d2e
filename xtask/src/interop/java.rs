//! Kafka's Java clients against our broker: the program in `tests/interop/java`, run from its source.

use std::process::Command;

use anyhow::Result;

use super::peer;
use super::process::Broker;
use crate::shell::{root, run};

pub(super) fn run_all() -> Result<()> {
    let broker = Broker::ours()?;
    let mut java = Command::new("java");
    java.arg("-cp").arg(peer::jars()?.join("*"));
    java.arg(format!(
        "-Dlog4j2.configurationFile={}",
        peer::log_configuration().display()
    ));
    java.arg(root().join("tests/interop/java/Clients.java"))
        .arg(&broker.address);
    run(&mut java)?;
    broker.stop().map(drop)
}
