//! Everything that must hold before a change is taken in, in the order in which it fails fastest.
//!
//! Always: the test command is the README's, read from it and run as it stands there, so that what a user types is
//! what is tested. A missing tool is a failure here (`Missing::Fails`), never a skip.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::bench_guard::Figures;
use crate::faults::FaultOptions;
use crate::interop::Missing;
use crate::shell::{cargo, root, run, script};
use crate::{bench_guard, faults, interop, link_order, tidy};

type Step = fn() -> Result<()>;

const STEPS: &[(&str, Step)] = &[
    ("format", format),
    ("clippy", clippy),
    ("tidy", tidy::run),
    ("tests", tests),
    ("pages of the benchmarks", pages),
    ("bench-guard", || bench_guard::run(Figures::Compare)),
    ("faults", || faults::run_all(&FaultOptions::quick())),
    // Of the binary that the faults were played with.
    ("link-order", link_order::check),
    ("interop", || interop::run_all(Missing::Fails, None)),
];

pub(crate) fn run_all() -> Result<()> {
    let mut report = Vec::new();
    for (name, step) in STEPS {
        eprintln!("== {name}");
        let started = Instant::now();
        let outcome = step();
        report.push(format!("{name}: {} s", started.elapsed().as_secs()));
        outcome.with_context(|| format!("step {name}"))?;
    }
    eprintln!("== all good ({})", report.join(", "));
    Ok(())
}

fn format() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn tests() -> Result<()> {
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let command = test_command(&readme).context("README.md has no `cargo test` command")?;
    run(Command::new("sh").args(["-c", command]).current_dir(root()))
}

/// Merging and rendering of `bench/run`, and that the README's figures are those of its result.
fn pages() -> Result<()> {
    run(&mut script("bench/test_run.py"))
}

/// The first line of an indented or fenced block that starts with `cargo test`.
fn test_command(readme: &str) -> Option<&str> {
    readme
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("cargo test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_command_is_the_readmes() {
        let readme = "Test with `cargo test`, like so:\n\n    cargo test --workspace\n";
        assert_eq!(test_command(readme), Some("cargo test --workspace"));
        assert_eq!(test_command("nothing"), None);
    }
}
