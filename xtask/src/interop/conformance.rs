//! The conformance suites against our broker: at least `PASSES_MIN` checks pass, and each one that does not is named,
//! in backticks, in docs/gaps.md (a `*` at the end of a name stands for any ending).

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::process::Broker;
use crate::shell::{root, script};

const PASSES_MIN: usize = 180;
/// More than the suite's own 4: checks of what is not built yet mostly wait for their time to run out.
const JOBS: &str = "24";
const GAPS: &str = "docs/gaps.md";

#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
}

pub(super) fn run() -> Result<()> {
    let broker = Broker::ours()?;
    let mut suites = script("tests/interop/conformance/run");
    let output = suites
        .arg(&broker.address)
        .env("OTTLA_JOBS", JOBS)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tally = tally(&text);
    for line in text.lines().filter(|line| line.starts_with("RESULT fail")) {
        eprintln!("{line}");
    }
    eprintln!("{} passed, {} failed", tally.passed, tally.failed.len());
    let gaps = fs::read_to_string(root().join(GAPS)).context(GAPS)?;
    let unnamed: Vec<&String> = tally
        .failed
        .iter()
        .filter(|name| !is_named(name, &gaps))
        .collect();
    ensure!(
        unnamed.is_empty(),
        "these checks fail and {GAPS} does not name them: {unnamed:?}"
    );
    ensure!(
        tally.passed >= PASSES_MIN,
        "{} checks pass; at least {PASSES_MIN} must",
        tally.passed
    );
    Ok(())
}

/// Lines look like "RESULT pass SUITE: NAME | note".
fn tally(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines() {
        if line.starts_with("RESULT pass ") {
            tally.passed += 1;
        } else if let Some(rest) = line.strip_prefix("RESULT fail ") {
            tally
                .failed
                .push(rest.split(" | ").next().unwrap_or(rest).to_owned());
        }
    }
    tally
}

fn is_named(check: &str, gaps: &str) -> bool {
    gaps.split('`')
        .skip(1)
        .step_by(2)
        .any(|quoted| match quoted.strip_suffix('*') {
            Some(start) => start.contains(": ") && check.starts_with(start),
            None => quoted == check,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_and_failures_named() {
        let output = "\
RESULT pass confluent: create[1] | 12ms
RESULT fail confluent: txn[a-b] | 5ms KafkaException
RESULT skip confluent: other | no
RESULT fail kcat: did not finish
1 passed, 2 failed, 1 skipped
";
        let failed = vec![
            "confluent: txn[a-b]".to_owned(),
            "kcat: did not finish".to_owned(),
        ];
        assert_eq!(tally(output), Tally { passed: 1, failed });
    }

    #[test]
    fn the_ledger_names_checks_whole_or_by_their_beginning() {
        let gaps =
            "- `confluent: txn[*`: transactions\n- `kcat: transaction`: likewise\n- `*`: never";
        assert!(is_named("confluent: txn[a-b]", gaps));
        assert!(is_named("kcat: transaction", gaps));
        assert!(!is_named("kcat: transactions", gaps));
    }
}
