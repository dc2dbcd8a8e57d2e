//! The bench of the hot paths under callgrind, which counts instructions.
//!
//! Counted is only what `counted_run` calls, on its own thread; callgrind writes what it has counted each time that
//! function ends, into a file of the next number. The bench says which run each of them was.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::baseline::Figure;
use crate::shell::{cargo, stdout};

const BENCH: &str = "hot_paths";
/// Its whole name: of two options with the same pattern callgrind minds one only.
const COUNTED: &str = "hot_paths::counted_run";

/// One run over a path, as the bench says it.
#[derive(Debug, PartialEq)]
struct Run {
    path: String,
    operations: u64,
}

/// The bench on the crates as they are released, but for the names of functions, which callgrind needs; where it lies.
pub(super) fn build() -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["rustc", "--release", "--bench", BENCH]);
    build.arg("--message-format=json-render-diagnostics");
    build.args(["--", "-C", "strip=none"]);
    let messages = stdout(&mut build)?;
    let program = messages.lines().rev().find_map(executable);
    program.with_context(|| format!("cargo names no program for {BENCH}"))
}

fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_it = message["target"]["name"] == BENCH;
    is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
}

pub(super) fn measure(program: &Path) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let counts = folder.path().join("counts");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(program)
        .stdin(Stdio::null());
    let runs = parse_runs(&stdout(&mut valgrind)?)?;
    let mut counted = Vec::new();
    for number in 1..=runs.len() {
        let part = folder.path().join(format!("counts.{number}"));
        let text = std::fs::read_to_string(&part)
            .with_context(|| format!("callgrind counted nothing for run {number}"))?;
        counted.push(parse_total(&text)?);
    }
    figures(&runs, &counted)
}

/// Lines of the path, how often it was gone over, and a time that means nothing here.
fn parse_runs(text: &str) -> Result<Vec<Run>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let runs = lines.map(|line| {
        let mut cells = line.split('\t');
        let run = cells.next().zip(cells.next());
        let (path, operations) = run.with_context(|| format!("not a run: {line}"))?;
        Ok(Run {
            path: path.to_owned(),
            operations: operations.parse().with_context(|| line.to_owned())?,
        })
    });
    runs.collect()
}

/// Of one of callgrind's files.
fn parse_total(text: &str) -> Result<u64> {
    let total = text.lines().find_map(|line| line.strip_prefix("totals:"));
    let total = total.context("a file of callgrind's without totals")?;
    total
        .trim()
        .parse()
        .with_context(|| format!("totals:{total}"))
}

/// The runs of a path follow each other, the longer one second: what it has more, an operation.
fn figures(runs: &[Run], counted: &[u64]) -> Result<Vec<Figure>> {
    ensure!(!runs.is_empty(), "nothing was measured");
    ensure!(runs.len() == counted.len(), "not a count for each run");
    let pairs = runs.chunks(2).zip(counted.chunks(2));
    let figures = pairs.map(|(runs, counted)| match (runs, counted) {
        ([short, long], [few, many]) if short.path == long.path => {
            let operations = long.operations.checked_sub(short.operations);
            let operations = operations.filter(|operations| *operations > 0);
            let more = many.checked_sub(*few).zip(operations);
            let (instructions, operations) =
                more.with_context(|| format!("{}: the second run is not longer", short.path))?;
            Ok(Figure {
                path: short.path.clone(),
                instructions: instructions / operations,
            })
        }
        _ => anyhow::bail!("a path without its two runs: {runs:?}"),
    });
    figures.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_once_falls_out_of_the_difference() {
        let said = "# path\toperations\tnanoseconds\nfetch\t10\t5\nfetch\t20\t5\ncommit\t1\t5\ncommit\t2\t5\n";
        let runs = parse_runs(said).unwrap();
        let counted = figures(&runs, &[1100, 2100, 57, 64]).unwrap();
        let expected = [("fetch", 100), ("commit", 7)].map(|(path, instructions)| Figure {
            path: path.to_owned(),
            instructions,
        });
        assert_eq!(counted, expected);
    }

    #[test]
    fn counts_that_do_not_belong_to_the_runs_are_refused() {
        let runs = parse_runs("fetch\t10\t5\nfetch\t20\t5\n").unwrap();
        for counted in [&[][..], &[5], &[9, 5]] {
            assert!(figures(&runs, counted).is_err(), "{counted:?}");
        }
        let strangers = parse_runs("fetch\t10\t5\ncommit\t20\t5\n").unwrap();
        assert!(figures(&strangers, &[5, 9]).is_err());
    }

    #[test]
    fn the_total_is_found_among_what_callgrind_writes() {
        let file = "version: 1\nevents: Ir\nsummary: 7\n\nfn=(1) a\n12 7\n\ntotals: 4711\n";
        assert_eq!(parse_total(file).unwrap(), 4711);
        assert!(parse_total("version: 1\n").is_err());
    }
}
