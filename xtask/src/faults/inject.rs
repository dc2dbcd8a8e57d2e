//! The small C programs of `tests/faults`, compiled where a scenario wants them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::shell::{root, run};

/// A library to be preloaded under the broker.
pub(super) fn library(name: &str, into: &Path) -> Result<PathBuf> {
    let built = into.join(format!("{name}.so"));
    compile(name, &["-shared", "-fPIC"], &built)
}

pub(super) fn program(name: &str, into: &Path) -> Result<PathBuf> {
    compile(name, &[], &into.join(name))
}

fn compile(name: &str, how: &[&str], built: &Path) -> Result<PathBuf> {
    let source = root().join("tests/faults").join(format!("{name}.c"));
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-Wall", "-Werror"]).args(how);
    compiler.arg("-o").arg(built).arg(source).arg("-ldl");
    run(&mut compiler)?;
    Ok(built.to_owned())
}
