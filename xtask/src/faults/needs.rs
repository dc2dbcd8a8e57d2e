//! What scenarios need of the machine, and how it is got.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::interop::package;
use crate::shell::{run, script, stdout};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Need {
    /// confluent-kafka in a virtual environment.
    Librdkafka,
    /// Kafka's Java clients, and a compiler.
    Java,
    /// Likewise with Kafka Streams.
    Streams,
    /// For franz-go.
    Go,
    /// Root, loop devices, XFS and ext4.
    Mounts,
    /// Root, and control groups of memory.
    Cgroups,
    Faketime,
}

impl Need {
    pub(super) fn install(self) -> Result<()> {
        match self {
            Need::Librdkafka => run(&mut script("tests/interop/conformance/setup")),
            Need::Java => {
                package("mvn", "maven")?;
                package("javac", "default-jdk-headless")?;
                run(&mut script("tests/interop/peers/kafka/setup.sh"))
            }
            Need::Streams => {
                package("mvn", "maven")?;
                package("javac", "default-jdk-headless")?;
                run(&mut script("tests/interop/streams/setup.sh"))
            }
            Need::Go => package("go", "golang-go"),
            Need::Mounts => {
                is_root()?;
                package("mkfs.ext4", "e2fsprogs")?;
                package("mkfs.xfs", "xfsprogs")
            }
            Need::Cgroups => is_root(),
            Need::Faketime => package("faketime", "faketime"),
        }
    }
}

/// What makes a process see another time; for programs with threads.
pub(super) fn faketime_library() -> Result<PathBuf> {
    for folder in std::fs::read_dir("/usr/lib")? {
        let library = folder?.path().join("faketime/libfaketimeMT.so.1");
        if library.exists() {
            return Ok(library);
        }
    }
    bail!("the package faketime has no libfaketimeMT.so.1 below /usr/lib")
}

fn is_root() -> Result<()> {
    let user = stdout(Command::new("id").arg("-u"))?;
    ensure!(user.trim() == "0", "only root may do that");
    Ok(())
}
