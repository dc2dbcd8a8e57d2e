//! Kafka's `transactions` and ours, line for line: what both print and how both end, while a transaction is open, when it was
//! ended by force, and where something is wrong with the line.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::process::{with_kafka, with_ours};
use super::tools::{our_output, report, verdict};
use super::{ottla, peer};
use crate::shell::render;

/// Asked while `held` has a transaction open on both partitions of `t`, and when it has none any more.
const LOOKS: &[&str] = &[
    "list",
    "list --duration-filter -1",
    "list --duration-filter=0",
    "list --duration-filter 1000000",
    "list --transactional-id-pattern h.*",
    "list --transactional-id-pattern h",
    "list --trans .*e --duration-filter -1 --duration-filter 0",
    "describe --transactional-id held",
    "describe --transactional-id done",
    "describe-producers --topic t --partition 0",
    "describe-producers --topic t --partition 1 --broker-id 1",
    "describe-producers --topic __transaction_state --partition 0",
    "find-hanging --topic t",
    "find-hanging --topic t --max-transaction-timeout -1",
    "find-hanging --topic t --partition 1 --max-transaction-timeout -5",
    "find-hanging --broker-id 1 --max-transaction-timeout 0",
    "find-hanging --broker-id 9",
];

/// What changes something, so that the other tool finds it done.
const DEEDS: &[&str] = &[
    "abort --topic t --partition 0 --producer-id 77 --producer-epoch 3 --coordinator-epoch -1",
    "abort --topic t --part 0 --producer-id 77 --producer-epoch 4 --coordinator-epoch 0",
    "forceTerminateTransaction --transactionalId held",
    "forceTerminateTransaction --transactionalId new",
];

const REFUSED: &[&str] = &[
    "",
    "foo",
    "list --foo",
    "list extra",
    "list --duration-filter x",
    "list --duration-filter 99999999999999999999",
    "list --transactional-id-pattern",
    "list --transactional-id-pattern (",
    "describe",
    "describe --transactional-id none",
    "describe-producers --topic t",
    "describe-producers --topic t --partition x",
    "find-hanging",
    "find-hanging --partition 1",
    "find-hanging --broker-id 1 --partition 1",
    "find-hanging --topic nowhere",
    "abort --partition 0",
    "abort --topic t --partition 0",
    "abort --topic t --partition 0 --p 3",
    "abort --topic t --partition 0 --producer-id 5",
    "abort --topic t --partition 0 --producer-id 5 --producer-epoch 0",
    "abort --topic t --partition 0 --producer-id 5 --producer-epoch 40000",
    "abort --topic t --partition 0 --start-offset 99999",
    "abort --topic t --partition 0 --producer-id 77 --producer-epoch 0 --coordinator-epoch 0",
    "forceTerminateTransaction",
];

pub(super) fn on_ours() -> Result<()> {
    with_ours(tell)
}

pub(super) fn on_kafka() -> Result<()> {
    with_kafka(tell)
}

fn tell(bootstrap: &str) -> Result<()> {
    our_output("topics --create --topic t --partitions 2", bootstrap)?;
    our_output(
        "console-producer --topic t --transactional-id done",
        bootstrap,
    )?;
    let held = Held::begin(bootstrap)?;
    let mut differences = Vec::new();
    let mut both = |line: &str| report(line, agree(line, bootstrap), &mut differences);
    LOOKS.iter().for_each(|line| both(line));
    REFUSED.iter().for_each(|line| both(line));
    DEEDS.iter().for_each(|line| both(line));
    LOOKS.iter().for_each(|line| both(line));
    drop(held);
    verdict(2 * LOOKS.len() + REFUSED.len() + DEEDS.len(), &differences)
}

/// A producer in the middle of a transaction.
struct Held(Child);

impl Held {
    fn begin(bootstrap: &str) -> Result<Self> {
        let mut command = Command::new(ottla());
        command
            .args(["console-producer", "--bootstrap-server", bootstrap])
            .args(["--topic", "t", "--transactional-id", "held", "--sync"])
            .args(["--command-property", "transaction.timeout.ms=600000"])
            .args(["--reader-property", "parse.key=true"])
            .args(["--reader-property", "key.separator=:"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut held = Self(command.spawn().with_context(|| render(&command))?);
        let stdin = held.0.stdin.as_mut().context("no pipe to the producer")?;
        for key in 0..20 {
            writeln!(stdin, "{key}:held")?;
        }
        stdin.flush()?;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let line = "describe --transactional-id held";
            let said = ours(line, bootstrap)?.stdout;
            let are_there = said.contains("t-0") && said.contains("t-1");
            if are_there && has_all(bootstrap)? {
                return Ok(held);
            }
            ensure!(Instant::now() < deadline, "no open transaction: {said}");
        }
    }
}

/// Whether all records of the held transaction are there, so that nothing moves on.
fn has_all(bootstrap: &str) -> Result<bool> {
    let ends = our_output("get-offsets --topic t", bootstrap)?;
    let end = |line: &str| line.rsplit(':').next()?.parse::<usize>().ok();
    // The 200 lines of the first transaction and its markers, and the 20 of this one.
    Ok(ends.lines().filter_map(end).sum::<usize>() >= 220)
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Debug, PartialEq)]
struct Said {
    status: Option<i32>,
    stdout: String,
}

/// Both, until they agree: a marker may take its time.
fn agree(line: &str, bootstrap: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let (ours, kafkas) = (ours(line, bootstrap)?, kafkas(line, bootstrap)?);
        if ours == kafkas {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "they differ\n--- ours\n{ours:?}\n--- Kafka's\n{kafkas:?}"
        );
    }
}

fn ours(line: &str, bootstrap: &str) -> Result<Said> {
    let mut command = Command::new(ottla());
    command.arg("transactions");
    said(command, line, bootstrap)
}

fn kafkas(line: &str, bootstrap: &str) -> Result<Said> {
    said(peer::command("kafka-transactions"), line, bootstrap)
}

fn said(mut command: Command, line: &str, bootstrap: &str) -> Result<Said> {
    command.args(["--bootstrap-server", bootstrap]);
    command.args(line.split(' ').filter(|word| !word.is_empty()));
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| render(&command))?;
    Ok(Said {
        status: output.status.code(),
        stdout: timeless(&String::from_utf8(output.stdout)?),
    })
}

/// Without what differs from one moment to the next: how long a transaction has been open.
fn timeless(text: &str) -> String {
    let mut lines = text.lines();
    let Some(head) = lines.next() else {
        return String::new();
    };
    let duration = head
        .split('\t')
        .position(|name| name.trim_end() == "TransactionDurationMs");
    let row = |line: &str| {
        let columns = line.split('\t').enumerate();
        let columns = columns.map(|(at, column)| match column.trim_end().parse::<i64>() {
            Ok(_) if Some(at) == duration => "<MS>",
            _ => column,
        });
        columns.collect::<Vec<_>>().join("\t")
    };
    [head.to_owned()]
        .into_iter()
        .chain(lines.map(row))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_duration_is_left_out_of_the_comparison() {
        let described =
            "ProducerId\tTransactionDurationMs\t\n7         \t1234                 \t\n";
        assert_eq!(
            timeless(described),
            "ProducerId\tTransactionDurationMs\t\n7         \t<MS>\t"
        );
        let closed = "ProducerId\tTransactionDurationMs\t\n7         \tNone                 \t";
        assert_eq!(timeless(closed), closed);
    }
}
