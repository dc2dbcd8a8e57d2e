//! How many instructions the hot paths take, held against the figures that are taken in: a guard that does not mind what
//! else the machine does.
//!
//! Owns: `bench/guard.tsv`. What is measured, and how a run is built, is in `bench/hot_paths`.
//! Always: what is compared was built as a release is. A path that has become cheaper is told and does not fail.

mod baseline;
mod callgrind;

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::interop::package;
use crate::shell::{cargo, root, stdout};
use baseline::Baseline;

const BASELINE: &str = "bench/guard.tsv";

/// What becomes of the figures.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Figures {
    Compare,
    Update,
}

pub(crate) fn run(figures: Figures) -> Result<()> {
    package("valgrind", "valgrind")?;
    let program = callgrind::build()?;
    let begun = Instant::now();
    let measured = callgrind::measure(&program)?;
    eprintln!("measured in {:.0} s", begun.elapsed().as_secs_f64());
    let compiler = stdout(Command::new(rustc()).arg("--version"))?;
    let compiler = compiler.trim();
    let path = root().join(BASELINE);
    let text = std::fs::read_to_string(&path).with_context(|| BASELINE.to_owned())?;
    let baseline = Baseline::parse(&text).with_context(|| BASELINE.to_owned())?;
    if figures == Figures::Update {
        let updated = baseline.updated(&measured, compiler);
        std::fs::write(&path, updated.to_string())?;
        eprintln!("{BASELINE} is written; say in the commit why the figures have changed");
        return Ok(());
    }
    let verdict = baseline.compare(&measured);
    for line in &verdict.told {
        eprintln!("{line}");
    }
    if verdict.problems.is_empty() {
        return Ok(());
    }
    let mut told = verdict.problems.join("\n");
    if compiler != baseline.compiler {
        told += &format!(
            "\nThe figures are of {}, this is {compiler}: that may be all.",
            baseline.compiler
        );
    }
    bail!(
        "{told}\nIf this is meant: `cargo xtask bench-guard --update`, and say why in the commit."
    )
}

/// The compiler of the cargo that runs us.
fn rustc() -> std::path::PathBuf {
    let beside = std::path::Path::new(cargo().get_program()).with_file_name("rustc");
    if beside.is_file() {
        beside
    } else {
        "rustc".into()
    }
}
