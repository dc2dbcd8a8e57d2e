//! Kafka's tools and ours, side by side on the same broker: what one changes the other sees, and where both only look,
//! both print the same.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::process::{with_kafka, with_ours};
use super::{ottla, peer};
use crate::shell::render;

#[derive(Clone, Copy, PartialEq)]
enum Who {
    Ours,
    Kafkas,
    /// Each in turn; their standard output must be equal.
    Both,
}
use Who::{Both, Kafkas, Ours};

/// One line of the story: who runs it, and the tool with its arguments (the bootstrap server is added).
const STORY: &[(Who, &str)] = &[
    (
        Ours,
        "topics --create --topic lines --partitions 3 --replication-factor 1",
    ),
    (
        Kafkas,
        "topics --create --topic plain --partitions 1 --replication-factor 1 --config retention.ms=7200000",
    ),
    (Both, "topics --list"),
    (Both, "topics --describe --topic lines"),
    (Both, "topics --describe --topic plain"),
    (
        Ours,
        "console-producer --topic lines --reader-property parse.key=true --reader-property key.separator=:",
    ),
    (
        Kafkas,
        "console-producer --topic lines --reader-property parse.key=true --reader-property key.separator=:",
    ),
    (Both, "get-offsets --topic lines"),
    (
        Ours,
        "topics --create --topic narrow --partitions 1 --replication-factor 1 --config max.message.bytes=300",
    ),
    (Ours, "console-producer --topic narrow"),
    (
        Both,
        "console-consumer --topic narrow --partition 0 --offset earliest --max-messages 200",
    ),
    (Ours, "topics --delete --topic narrow"),
    (
        Both,
        "console-consumer --topic lines --partition 1 --offset earliest --max-messages 40 --formatter-property print.key=true --formatter-property print.offset=true",
    ),
    (
        Ours,
        "console-consumer --topic lines --group ours --from-beginning --max-messages 400",
    ),
    (
        Kafkas,
        "console-consumer --topic lines --group theirs --from-beginning --max-messages 400",
    ),
    (Both, "consumer-groups --describe --group ours"),
    (Both, "consumer-groups --describe --group theirs"),
    (Both, "consumer-groups --list"),
    (
        Both,
        "consumer-groups --reset-offsets --group ours --topic lines --shift-by -10 --dry-run",
    ),
    (
        Ours,
        "consumer-groups --reset-offsets --group theirs --topic lines --to-earliest --execute",
    ),
    (
        Kafkas,
        "consumer-groups --reset-offsets --group ours --topic lines --shift-by -10 --execute",
    ),
    (Both, "consumer-groups --describe --all-groups"),
    (
        Ours,
        "configs --alter --entity-type topics --entity-name lines --add-config retention.ms=3600000",
    ),
    (
        Kafkas,
        "configs --alter --entity-type topics --entity-name plain --add-config retention.ms=10800000",
    ),
    (
        Both,
        "configs --describe --entity-type topics --entity-name lines",
    ),
    (
        Both,
        "configs --describe --entity-type topics --entity-name plain",
    ),
    (Kafkas, "topics --alter --topic plain --partitions 2"),
    (Ours, "topics --alter --topic lines --partitions 4"),
    (Both, "topics --describe --exclude-internal"),
    (Ours, "consumer-groups --delete --group theirs"),
    (Kafkas, "consumer-groups --delete --group ours"),
    (Both, "consumer-groups --list"),
    (Both, "broker-api-versions"),
    (Kafkas, "log-dirs --describe --topic-list plain"),
    (Kafkas, "reassign-partitions --list"),
    (Kafkas, "topics --delete --topic lines"),
    (Ours, "topics --delete --topic plain"),
    (Both, "topics --list --exclude-internal"),
];

/// How long a broker may need to know everywhere what it has confirmed.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn on_ours() -> Result<()> {
    with_ours(tell)
}

pub(super) fn on_kafka() -> Result<()> {
    with_kafka(tell)
}

fn tell(bootstrap: &str) -> Result<()> {
    let mut differences = Vec::new();
    for (who, line) in STORY {
        let outcome = match who {
            Ours => our_output(line, bootstrap).map(drop),
            Kafkas => kafkas_output(line, bootstrap).map(drop),
            Both => agree(line, bootstrap),
        };
        report(line, outcome, &mut differences);
    }
    verdict(STORY.len(), &differences)
}

/// Notes the step, where it has failed.
pub(super) fn report(line: &str, outcome: Result<()>, differences: &mut Vec<String>) {
    if let Err(error) = outcome {
        let text = format!("{line}: {error:#}");
        eprintln!("{text}");
        differences.push(text);
    }
}

pub(super) fn verdict(steps: usize, differences: &[String]) -> Result<()> {
    ensure!(
        differences.is_empty(),
        "{} of {steps} steps differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    eprintln!("{steps} steps");
    Ok(())
}

/// Both tools, until they say the same. Steps of this kind only read.
pub(super) fn agree(line: &str, bootstrap: &str) -> Result<()> {
    settles(
        || {
            Ok((
                our_output(line, bootstrap)?,
                kafkas_output(line, bootstrap)?,
            ))
        },
        |(ours, kafkas)| same(&ours, &kafkas),
    )
}

/// Asks until the answer is right; who does not answer at all fails at once. Kafka answers a change before all its brokers
/// know of it, and we may ask one in between.
pub(super) fn settles<T>(
    ask: impl Fn() -> Result<T>,
    judge: impl Fn(T) -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + SETTLES_WITHIN;
    loop {
        let outcome = judge(ask()?);
        if outcome.is_ok() || Instant::now() > deadline {
            return outcome;
        }
    }
}

fn same(ours: &str, kafkas: &str) -> Result<()> {
    ensure!(
        ours == kafkas,
        "the outputs differ\n--- ours\n{ours}--- Kafka's\n{kafkas}---"
    );
    Ok(())
}

pub(super) fn our_output(line: &str, bootstrap: &str) -> Result<String> {
    let mut command = Command::new(ottla());
    // What resets leave for their undoing is nobody's here.
    command.env("XDG_STATE_HOME", std::env::temp_dir().join("ottla-interop"));
    output(&mut command, line.split(' '), bootstrap)
}

fn kafkas_output(line: &str, bootstrap: &str) -> Result<String> {
    let (tool, arguments) = line.split_once(' ').unwrap_or((line, ""));
    let words = arguments.split(' ').filter(|word| !word.is_empty());
    output(
        &mut peer::command(&format!("kafka-{tool}")),
        words,
        bootstrap,
    )
}

fn output<'a>(
    command: &mut Command,
    words: impl Iterator<Item = &'a str>,
    bootstrap: &str,
) -> Result<String> {
    command.args(words).args(["--bootstrap-server", bootstrap]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| render(command))?;
    let mut stdin = child.stdin.take().context("no pipe to the tool")?;
    // A tool that reads no input may be gone before the lines are written.
    let _ = stdin.write_all(keyed_lines().as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{}: {}", output.status, String::from_utf8_lossy(&said));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What a console producer is given: 200 lines over 20 keys.
fn keyed_lines() -> String {
    (0..200)
        .map(|n| format!("key-{}:line {n}\n", n % 20))
        .collect()
}
