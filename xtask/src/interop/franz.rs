//! franz-go against our broker: the program in `tests/interop/franz`.

use std::process::Command;

use anyhow::Result;

use super::process::with_ours;
use crate::shell::{root, run};

pub(super) fn on_ours() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("franz");
    let mut build = Command::new("go");
    build.current_dir(root().join("tests/interop/franz"));
    run(build.args(["build", "-o"]).arg(&program).arg("."))?;
    with_ours(|address| run(Command::new(&program).arg(address)))
}
