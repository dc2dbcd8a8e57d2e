//! Apache Kafka as installed by `tests/interop/peers/kafka/setup.sh`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{root, script};

pub(super) fn command(name: &str) -> Command {
    script(PathBuf::from("tests/interop/peers/kafka/bin").join(name))
}

/// The folder with Kafka's jars.
pub(crate) fn jars() -> Result<PathBuf> {
    let home = match std::env::var_os("KAFKA_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?)
            .join(".cache/ottla-peers/kafka"),
    };
    Ok(home.join("libs"))
}

/// Warnings and errors to stderr, as the distribution's tools have it.
pub(crate) fn log_configuration() -> PathBuf {
    root().join("tests/interop/peers/kafka/config/tools-log4j2.xml")
}
