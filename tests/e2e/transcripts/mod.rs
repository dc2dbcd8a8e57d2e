//! The reference's recorded behaviour, replayed on our server with our tools.
//!
//! Compared are standard output, files that commands wrote, and exit status. What may differ stands in
//! tests/transcripts/allowed.tsv with its reason, and in docs/gaps.md.

use std::fmt::Write;

mod format;
mod normalize;
mod runner;
mod suite;

use runner::Difference;
use suite::{Allowed, Suite};

#[test]
fn topics() {
    check("topics");
}

#[test]
fn configs() {
    check("configs");
}

#[test]
fn acls_disabled() {
    check("acls-disabled");
}

#[test]
fn console_producer() {
    check("console-producer");
}

#[test]
fn console_consumer() {
    check("console-consumer");
}

#[test]
fn console_details() {
    check("console-details");
}

#[test]
fn internal_topics() {
    check("internal-topics");
}

#[test]
fn formatters() {
    check("formatters");
}

#[test]
fn consumer_groups() {
    check("consumer-groups");
}

#[test]
fn no_auto_create() {
    check("no-auto-create");
}

#[test]
fn offsets_and_logs() {
    check("offsets-and-logs");
}

#[test]
fn options() {
    check("options");
}

#[test]
fn corners() {
    check("corners");
}

#[test]
fn perf() {
    check("perf");
}

#[test]
fn storage() {
    check("storage");
}

#[test]
fn every_allowed_difference_stands_in_the_ledger_of_gaps() {
    let gaps = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/gaps.md"))
        .expect("docs/gaps.md");
    let missing: Vec<Allowed> = suite::allowed()
        .into_iter()
        .filter(|line| !gaps.contains(&line.case))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/gaps.md does not name: {missing:#?}"
    );
}

/// Runs a suite and fails with everything that differs and may not, and everything that may differ and does not.
fn check(name: &str) {
    let suite = Suite::open(name);
    let prefix = format!("{name}/");
    let allowed: Vec<Allowed> = suite::allowed()
        .into_iter()
        .filter(|line| line.case.starts_with(&prefix))
        .collect();
    let skipped = |case: &str| {
        allowed
            .iter()
            .any(|line| line.command.is_none() && line.case == format!("{prefix}{case}"))
    };
    let differences = runner::run(&suite, skipped);
    let covers = |line: &Allowed, difference: &Difference| {
        line.case == difference.case && line.command == Some(difference.command)
    };
    let mut report = String::new();
    for difference in &differences {
        if !allowed.iter().any(|line| covers(line, difference)) {
            write!(report, "{difference}").expect("a string takes it");
        }
    }
    let known = |line: &Allowed| {
        suite
            .cases
            .iter()
            .any(|case| line.case == format!("{prefix}{case}"))
    };
    for line in &allowed {
        let stale = match line.command {
            None => !known(line),
            Some(_) => !differences
                .iter()
                .any(|difference| covers(line, difference)),
        };
        if stale {
            writeln!(
                report,
                "{} no longer differs ({}): take it out of allowed.tsv and docs/gaps.md",
                line.case, line.reason
            )
            .expect("a string takes it");
        }
    }
    assert!(report.is_empty(), "\n{report}");
}
