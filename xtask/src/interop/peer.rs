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
    installed("KAFKA_HOME", ".cache/ottla-peers/kafka")
}

/// The folder with the jars of Kafka Streams and Kafka Connect, as installed by `tests/interop/streams/setup.sh`.
pub(crate) fn application_jars() -> Result<PathBuf> {
    installed("KAFKA_STREAMS_HOME", ".cache/ottla-peers/streams")
}

fn installed(variable: &str, below_home: &str) -> Result<PathBuf> {
    let home = match std::env::var_os(variable) {
        Some(home) => PathBuf::from(home),
        None => {
            PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(below_home)
        }
    };
    Ok(home.join("libs"))
}

/// Warnings and errors to stderr, as the distribution's tools have it.
pub(crate) fn log_configuration() -> PathBuf {
    root().join("tests/interop/peers/kafka/config/tools-log4j2.xml")
}
