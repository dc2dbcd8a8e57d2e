//! Kafka's tools for groups and ours, word for word: every way to reset offsets, groups of both protocols with and without
//! members, and what is refused. Whatever is asked is asked of both tools on the same broker.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use tempfile::TempDir;

use super::ottla;
use super::process::{with_kafka, with_ours};
use super::tools::{agree, our_output, report};

/// What both are asked, in turn. What changes something does so twice, with the same result.
/// `{then}` is a time between the first records and the others, `{there}` the same at +02:00, `{dir}` has [`FILES`].
const RESETS: &[&str] = &[
    "--group g1 --group g2 --topic a --topic b --to-earliest --execute",
    "--group g1 --group g2 --group g3 --topic a:1,2 --topic b --to-latest --export --dry-run",
    "--group g1 --topic a --shift-by 100 --dry-run",
    "--group g1 --topic a:0 --shift-by -100 --execute",
    "--group g1 --topic a --topic b --shift-by 2 --dry-run",
    "--group g2 --all-topics --shift-by 1000000000000 --execute",
    "--group g2 --all-topics --shift-by -3 --dry-run",
    "--group g1 --topic b --to-offset 7 --execute",
    "--group g1 --topic b --to-offset -5 --dry-run",
    "--group g1 --group g2 --all-topics --to-current --dry-run",
    "--group g1 --topic a --to-current --export --dry-run",
    "--group nobody --topic a --to-current --dry-run",
    "--group nobody --all-topics --to-latest --dry-run",
    "--group g1 --topic b --by-duration PT0S --dry-run",
    "--group g1 --topic b --by-duration P1DT2H3M4S --dry-run",
    "--group g1 --topic b --by-duration PT0.5S --dry-run",
    "--group g1 --topic b --by-duration 1h --dry-run",
    "--group g1 --topic b --by-duration -PT1H --dry-run",
    "--group g1 --topic b --by-duration P1W --dry-run",
    "--group g1 --topic a --topic b --to-datetime {then} --execute",
    "--group g1 --topic b --to-datetime {then}Z --dry-run",
    "--group g1 --topic b --to-datetime {there}+02:00 --dry-run",
    "--group g1 --topic b --to-datetime {there}+0200 --dry-run",
    "--group g1 --topic b --to-datetime {there}+02 --dry-run",
    "--group g1 --topic b --to-datetime {then}+24:00 --dry-run",
    "--group g1 --topic b --to-datetime 2020-01-01T00:00:00.000 --dry-run",
    "--group g1 --topic b --to-datetime 2020-01-01T00:00:00 --dry-run",
    "--group g1 --topic b --to-datetime 2020-02-30T00:00:00.000 --dry-run",
    "--group g1 --topic a --topic b --to-datetime 2099-01-01T00:00:00.000Z --dry-run",
    "--group g1 --from-file {dir}/one.csv --dry-run",
    "--group g1 --group g2 --group g4 --from-file {dir}/several.csv --execute",
    "--group g1 --from-file {dir}/several.csv --dry-run",
    "--group g1 --from-file {dir}/nowhere.csv --dry-run",
    "--group g1 --from-file {dir}/missing.csv --dry-run",
    "--group g1 --topic a:7 --to-earliest --dry-run",
    "--group g1 --topic a:0,7 --to-earliest --execute",
    "--group g1 --topic nowhere --to-earliest --dry-run",
    "--group g1 --topic a --topic nowhere --to-earliest --execute",
];

const FILES: &[(&str, &str)] = &[
    ("one.csv", "a,0,1\nb,0,3\n"),
    ("several.csv", "g1,a,0,1\ng2,b,0,3\ng4,a,2,1\n"),
    ("nowhere.csv", "nowhere,0,1\n"),
];

/// With members: `old` reads `a` by the classic protocol, `new` reads `b` by the consumer protocol.
const IN_USE: &[&str] = &[
    "consumer-groups --reset-offsets --group old --topic a --to-earliest --execute",
    "consumer-groups --reset-offsets --group new --topic b --to-earliest --dry-run",
    "consumer-groups --reset-offsets --group old --group g1 --topic a --to-earliest --dry-run",
    "consumer-groups --reset-offsets --all-groups --all-topics --to-current --dry-run",
    "consumer-groups --reset-offsets --all-groups --topic a:1 --to-latest --export --dry-run",
    "consumer-groups --describe --group old --group new --group g1",
    "consumer-groups --describe --group old --group new --offsets --verbose",
    "consumer-groups --describe --group old --group new --members",
    "consumer-groups --describe --group old --group new --group g1 --members --verbose",
    "consumer-groups --describe --group old --group new --group g1 --state",
    "consumer-groups --describe --group old --group new --group g1 --state --verbose",
    "consumer-groups --describe --group ghost --state",
    "consumer-groups --describe --group g1 --group ghost --state",
    "consumer-groups --describe --group ghost --members --verbose",
    "consumer-groups --describe --all-groups --state",
    "consumer-groups --list --state stable,empty --type",
    "consumer-groups --list --type consumer",
    "consumer-groups --list --state dead",
    "consumer-groups --delete-offsets --group old --topic a --topic b",
    "consumer-groups --delete-offsets --group new --topic b --topic a",
    "consumer-groups --delete-offsets --group g1 --topic a:0,9 --topic b",
    "consumer-groups --delete-offsets --group g1 --topic a --topic nowhere",
    "consumer-groups --delete-offsets --group ghost --topic a",
    "consumer-groups --delete --group old --group ghost",
    "groups --list",
    "groups --list --consumer",
    "groups --list --group-type consumer",
    "groups --list --group-type classic --protocol consumer",
    "groups --list --streams",
];

/// When the members have gone.
const LEFT: &[&str] = &[
    "consumer-groups --describe --group old --group new --state",
    "consumer-groups --describe --group old --group new --members --verbose",
    "consumer-groups --describe --group new",
    "consumer-groups --reset-offsets --group new --topic b --to-earliest --execute",
    "consumer-groups --describe --all-groups",
    "consumer-groups --list --type --state",
];

pub(super) fn on_ours() -> Result<()> {
    with_ours(tell)
}

pub(super) fn on_kafka() -> Result<()> {
    with_kafka(tell)
}

fn tell(bootstrap: &str) -> Result<()> {
    let directory = TempDir::new()?;
    for (name, rows) in FILES {
        fs::write(directory.path().join(name), rows)?;
    }
    let ours = |line: &str| our_output(line, bootstrap);
    ours("topics --create --topic a --partitions 3")?;
    ours("topics --create --topic b --partitions 1")?;
    let keyed = "--reader-property parse.key=true --reader-property key.separator=:";
    ours(&format!("console-producer --topic a {keyed}"))?;
    ours("console-producer --topic b")?;
    // Nothing is written within the same millisecond as this time.
    let moment = Timestamp::now() + Duration::from_millis(20);
    while Timestamp::now() <= moment {
        thread::yield_now();
    }
    ours(&format!("console-producer --topic a {keyed}"))?;
    ours("console-producer --topic b")?;

    let shown = |moment: Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%S.%3f").to_string();
    let (then, there) = (shown(moment), shown(moment + Duration::from_secs(7200)));
    let dir = directory.path().display().to_string();
    let mut differences = Vec::new();
    let mut both = |line: &str| {
        let line = line.replace("{then}", &then).replace("{there}", &there);
        let line = line.replace("{dir}", &dir);
        report(&line, agree(&line, bootstrap), &mut differences);
    };
    for line in RESETS {
        both(&format!("consumer-groups --reset-offsets {line}"));
        if line.ends_with("--execute") {
            both("consumer-groups --describe --all-groups");
        }
    }
    let members = [
        Member::join("old", "a", "classic", bootstrap)?,
        Member::join("new", "b", "consumer", bootstrap)?,
    ];
    IN_USE.iter().for_each(|line| both(line));
    for member in members {
        member.leave()?;
    }
    LEFT.iter().for_each(|line| both(line));
    super::tools::verdict(RESETS.len() + IN_USE.len() + LEFT.len(), &differences)
}

/// Reads a topic until it is told to go.
struct Member(Child);

impl Member {
    fn join(group: &str, topic: &str, protocol: &str, bootstrap: &str) -> Result<Member> {
        let mut command = Command::new(ottla());
        command
            .args(["console-consumer", "--from-beginning"])
            .args([
                "--group",
                group,
                "--topic",
                topic,
                "--bootstrap-server",
                bootstrap,
            ])
            .args(["--command-property", &format!("group.protocol={protocol}")])
            .args(["--command-property", "auto.commit.interval.ms=100"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let member = Member(command.spawn().context("our console consumer")?);
        let caught_up = format!("consumer-groups --group {group} --wait-lag 0 --timeout 60s");
        our_output(&caught_up, bootstrap).context("a member that has read everything")?;
        Ok(member)
    }

    fn leave(mut self) -> Result<()> {
        let pid = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status()?;
        let deadline = Instant::now() + Duration::from_secs(30);
        while told.success() && Instant::now() < deadline {
            if self.0.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("our console consumer did not end within 30 s of SIGTERM")
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
