//! What must hold of the tree beyond what the compiler checks.
//!
//! Owns: the list of checks. Each returns the places where it does not hold, as `file:line: what`.
//! Not here: formatting and lints (`cargo fmt`, `cargo clippy`), behaviour (the tests).

mod catalogue;
mod keys;
mod layout;
mod manifests;
mod words;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{codegen, shell};

type Check = fn(&[Tracked]) -> Result<Vec<String>>;

const CHECKS: &[(&str, Check)] = &[
    (
        "crates depend only as ARCHITECTURE.md allows",
        manifests::check,
    ),
    ("generated files are fresh", fresh),
    ("configuration keys without effect are named", keys::check),
    ("the catalogue of faults names its tests", catalogue::check),
    ("no words that belong elsewhere", words::check),
    (
        "files are listed, headed and of readable length",
        layout::check,
    ),
];

/// A text file of the repository; files that are not UTF-8 are not looked at.
pub(crate) struct Tracked {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

pub(crate) fn run() -> Result<()> {
    let files = tracked()?;
    let mut problems = Vec::new();
    for (name, check) in CHECKS {
        let found = check(&files)?;
        eprintln!(
            "tidy: {name}: {}",
            if found.is_empty() { "ok" } else { "NO" }
        );
        problems.extend(found);
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}", problems.join("\n"));
}

fn fresh(_: &[Tracked]) -> Result<Vec<String>> {
    Ok(match codegen::run(shell::root(), codegen::Mode::Check) {
        Ok(()) => Vec::new(),
        Err(stale) => vec![format!("{stale:#}")],
    })
}

/// Files that git knows of, or would know of after `git add`.
fn tracked() -> Result<Vec<Tracked>> {
    let mut git = std::process::Command::new("git");
    git.current_dir(shell::root());
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let names = shell::stdout(&mut git)?;
    let mut files = Vec::new();
    for name in names.split_terminator('\0') {
        if let Ok(text) = std::fs::read_to_string(shell::root().join(name)) {
            files.push(Tracked {
                path: PathBuf::from(name),
                text,
            });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        if let Err(problems) = run() {
            panic!("{problems:#}");
        }
    }
}
