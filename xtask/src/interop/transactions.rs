//! Our tools' transactions on either broker, by both protocols of them: what is committed is read, once, and nothing else is.

use std::io::Write;
use std::process::{Command, Stdio};

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
            .with_context(|| format!("transaction.version={level}"))?;
    }
    Ok(())
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
