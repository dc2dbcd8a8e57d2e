//! Our tools' transactions on either broker, by both protocols of them: what is committed is read, once, and nothing else is.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::process::Broker;
use super::{ottla, peer};
use crate::shell::{render, run};

/// Levels of `transaction.version`: the older protocol, and the one that gives each transaction an epoch (KIP-890).
const LEVELS: [u8; 2] = [1, 2];

pub(super) fn on_kafka() -> Result<()> {
    let broker = Broker::kafka()?;
    for level in LEVELS.into_iter().rev() {
        set_level(&broker, level)?;
        lines_in_transactions(&broker, level)
            .and_then(|()| a_filter_killed_again_and_again(&broker, level))
            .with_context(|| format!("transaction.version={level}"))?;
    }
    Ok(())
}

/// By the protocol that our broker says it speaks.
pub(super) fn on_ours() -> Result<()> {
    let broker = Broker::ours()?;
    lines_in_transactions(&broker, LEVELS[0])?;
    a_filter_killed_again_and_again(&broker, LEVELS[0])?;
    broker.stop().map(drop)
}

/// Kafka begins at the highest level.
fn set_level(broker: &Broker, level: u8) -> Result<()> {
    if Some(&level) == LEVELS.last() {
        return Ok(());
    }
    let mut features = peer::command("kafka-features");
    features
        .args(["--bootstrap-server", &broker.address, "downgrade"])
        .args(["--feature", &format!("transaction.version={level}")]);
    run(&mut features)
}

/// Our console producer commits every hundred lines; a line that it can't read takes its transaction with it.
fn lines_in_transactions(broker: &Broker, level: u8) -> Result<()> {
    let topic = format!("lines-{level}");
    ours(broker, "topics --create --partitions 3", &topic, "")?.succeeded()?;
    let producer = "console-producer --transactional-id lines --commit-every 100 \
                    --reader-property parse.key=true --reader-property key.separator=:";
    let good: String = (0..1050).map(|n| format!("{}:line {n}\n", n % 7)).collect();
    ours(broker, producer, &topic, &good)?.succeeded()?;
    // The hundred before the last are committed, the last fifty and the line without a key are not.
    let bad: String = (0..150).map(|n| format!("{}:late {n}\n", n % 7)).collect();
    let bad = ours(broker, producer, &topic, &format!("{bad}no key\n"))?;
    ensure!(!bad.success, "a line without a key was taken");

    let read = "--from-beginning --timeout-ms 5000 --isolation-level read_committed";
    let mut kafkas = peer::command("kafka-console-consumer");
    kafkas.args(read.split(' '));
    let ours = ours(broker, &format!("console-consumer {read}"), &topic, "")?;
    for (who, output) in [
        ("Kafka's", told(kafkas, broker, &topic, "")?),
        ("our", ours),
    ] {
        let count = |word: &str| {
            output
                .text
                .lines()
                .filter(|line| line.starts_with(word))
                .count()
        };
        let counts = (count("line "), count("late "));
        ensure!(counts == (1050, 100), "{who} consumer has read {counts:?}");
    }
    Ok(())
}

/// How often the pipe is killed, and after how many results each time.
const KILLS: usize = 4;
const RESULTS_BETWEEN: usize = 300;
const RECORDS: usize = 3000;

/// A pipe that is killed (-9) in the middle of its work, and started again: each record has one result.
fn a_filter_killed_again_and_again(broker: &Broker, level: u8) -> Result<()> {
    let (from, to) = (format!("from-{level}"), format!("to-{level}"));
    for topic in [&from, &to] {
        ours(broker, "topics --create --partitions 3", topic, "")?.succeeded()?;
    }
    let numbers: String = (0..RECORDS).map(|n| format!("{n}\n")).collect();
    ours(broker, "console-producer", &from, &numbers)?.succeeded()?;
    // The next one takes the place of the one that was killed at once.
    let options = "--timeout 5s --consumer-property group.instance.id=only --transactional-id only";
    let filter = "while read -r n; do [ $((n % 10)) = 0 ] && sleep 0.01; echo $n; done";
    let pipe = || pipe(&broker.address, &from, &to, options, filter);
    for kill in 1..=KILLS {
        let mut child = pipe().spawn()?;
        let there = written(broker, &to, kill * RESULTS_BETWEEN);
        child.kill()?;
        child.wait()?;
        there?;
    }
    run(&mut pipe())?;
    let read =
        "console-consumer --from-beginning --timeout-ms 5000 --isolation-level read_committed";
    let read = ours(broker, read, &to, "")?.succeeded()?;
    let mut results: Vec<usize> = read.text.lines().filter_map(|n| n.parse().ok()).collect();
    let count = results.len();
    results.sort_unstable();
    results.dedup();
    let counts = (count, results.len());
    ensure!(
        counts == (RECORDS, RECORDS),
        "(results, different ones): {counts:?}"
    );
    Ok(())
}

/// A pipe in transactions of fifty records, about, with more options and a filter for the shell.
pub(crate) fn pipe(address: &str, from: &str, to: &str, options: &str, filter: &str) -> Command {
    let mut command = Command::new(ottla());
    let common = "pipe --exactly-once --group filter --batch-records 50 --batch-time 5ms \
                  --consumer-property max.poll.records=50";
    command.args(common.split_whitespace());
    command.args(["--bootstrap-server", address, "--from", from, "--to", to]);
    command.args(options.split_whitespace());
    command.args(["--", "sh", "-c", filter]);
    command.stdout(Stdio::null());
    command
}

/// Waits until a topic has so much.
fn written(broker: &Broker, topic: &str, count: usize) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let ends = ours(broker, "get-offsets", topic, "")?.succeeded()?;
        let end = |line: &str| line.rsplit(':').next()?.parse::<usize>().ok();
        let there: usize = ends.text.lines().filter_map(end).sum();
        if there >= count {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{there} of {count} records in {topic} after 60 s"
        );
    }
}

struct Output {
    success: bool,
    text: String,
}

impl Output {
    fn succeeded(self) -> Result<Self> {
        ensure!(self.success, "a tool has failed: {}", self.text);
        Ok(self)
    }
}

fn ours(broker: &Broker, words: &str, topic: &str, input: &str) -> Result<Output> {
    let mut command = Command::new(ottla());
    command.args(words.split_whitespace());
    told(command, broker, topic, input)
}

/// Runs a tool on a topic with this input.
fn told(mut command: Command, broker: &Broker, topic: &str, input: &str) -> Result<Output> {
    command
        .args(["--topic", topic, "--bootstrap-server", &broker.address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let mut child = command.spawn().with_context(|| render(&command))?;
    let mut stdin = child.stdin.take().context("no pipe to the tool")?;
    // A tool that has failed reads no further.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    Ok(Output {
        success: output.status.success(),
        text: String::from_utf8(output.stdout)?,
    })
}
