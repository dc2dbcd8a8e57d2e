//! franz-go against our broker: the program in `tests/interop/franz`.

use std::process::Command;

use anyhow::Result;

use super::process::Broker;
use crate::shell::{root, run};

pub(super) fn on_ours() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("franz");
    let mut build = Command::new("go");
    build.current_dir(root().join("tests/interop/franz"));
    run(build.args(["build", "-o"]).arg(&program).arg("."))?;
    let broker = Broker::ours()?;
    run(Command::new(&program).arg(&broker.address))?;
    broker.stop().map(drop)
}
