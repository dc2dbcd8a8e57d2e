//! Apache Kafka on three nodes, for the length of a part.
//!
//! Always: the nodes are asked to end by their script's id, which waits for them, and the directory is removed when the value is
//! dropped.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::peer;
use crate::ports;

/// How far behind the port of the first node those of the others lie, and those of their controllers.
const OTHERS: [u16; 5] = [1, 2, 10, 11, 12];

/// Three nodes that start at once on a busy machine.
const READY_MAX: Duration = Duration::from_secs(180);

pub(super) struct Cluster {
    /// Of all nodes.
    pub(super) addresses: String,
    child: Child,
    _directory: TempDir,
}

impl Cluster {
    /// Nodes 1, 2 and 3, each in a rack of its own.
    pub(super) fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let output = directory.path().join("output");
        let mut command = peer::command("cluster-start");
        command
            .arg(ports::free_with(&OTHERS)?.to_string())
            .arg(directory.path().join("data"))
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(Stdio::inherit());
        let mut cluster = Self {
            addresses: String::new(),
            child: command.spawn().with_context(|| format!("{command:?}"))?,
            _directory: directory,
        };
        let deadline = Instant::now() + READY_MAX;
        loop {
            let text = fs::read_to_string(&output)?;
            if let Some(ready) = text
                .lines()
                .find_map(|line| line.strip_prefix("cluster ready: "))
            {
                ready.clone_into(&mut cluster.addresses);
                return Ok(cluster);
            }
            if let Some(status) = cluster.child.try_wait()? {
                bail!("Kafka's cluster ended early: {status}");
            }
            if Instant::now() > deadline {
                bail!("Kafka's cluster was not ready within {READY_MAX:?}");
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(&pid).status();
        let _ = self.child.wait();
    }
}
