//! S-28: the wall clock is moved by hours and days, to and fro, under a producer and a group. Nobody's session ends for
//! it, none lives for ever, and nothing is deleted before its time: what is counted goes by time that passes.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::broker::Broker;
use super::clients::{Load, Make, Producer};
use super::kills::PATIENT;
use super::report::Report;
use super::{Stage, check, needs};
use crate::interop::ottla;

const TOPIC: &str = "stepped";
const GROUP: &str = "steady";
const STEPS: &[&str] = &["+1h", "-1h", "+1d", "-1d", "+0"];
const SESSION_MS: u64 = 6000;
const PATIENCE: Duration = Duration::from_secs(30);
const STEP_MS: u64 = 400;

pub(super) fn survive(stage: &mut Stage) -> Result<Report> {
    let clock = stage.path().join("clock");
    fs::write(&clock, "+0")?;
    let mut broker = Broker::new(stage.path())?.with(&[
        "log.retention.check.interval.ms=100",
        "group.initial.rebalance.delay.ms=0",
        "producer.id.expiration.check.interval.ms=100",
    ]);
    broker.set_env("LD_PRELOAD", needs::faketime_library()?);
    broker.set_env("FAKETIME_TIMESTAMP_FILE", &clock);
    broker.set_env("FAKETIME_NO_CACHE", "1");
    broker.set_env("DONT_FAKE_MONOTONIC", "1");
    broker.set_env("NO_FAKE_STAT", "1");
    broker.start()?;
    // The producer's clock stays where it is; the broker must not mind.
    broker.create_topic(
        TOPIC,
        1,
        &[
            "segment.ms=500",
            "message.timestamp.after.max.ms=1000000000",
        ],
    )?;
    let load = Load {
        topic: TOPIC,
        partitions: 1,
        rate: 500,
        settings: &[&["acks=all", "enable.idempotence=true"], PATIENT].concat(),
    };
    let mut producer = Producer::start(Make::Ours, "steady", &broker, load, stage.path())?;
    producer.wait_for(1)?;
    let mut member = Member::join(&broker)?;
    let id = member.id(&broker)?;
    for round in 0..stage.rounds {
        let step = STEPS[stage.random.below(STEPS.len() as u64) as usize];
        fs::write(&clock, step)?;
        std::thread::sleep(stage.random.up_to_ms(STEP_MS));
        producer.wait_for(20)?;
        let now = member.id(&broker)?;
        ensure!(
            now == id,
            "step {round} to {step}: the member's session ended ({id}, now {now})"
        );
        let start = broker.tool(&format!("get-offsets --topic {TOPIC} --time earliest"))?;
        ensure!(
            start.trim_end().ends_with(":0"),
            "step {round} to {step}: records are gone: {start}"
        );
    }
    fs::write(&clock, "+1d")?;
    producer.wait_for(20)?;
    fs::write(&clock, "-1h")?;
    let ended = member.die_and_be_missed(&broker)?;
    let told = check::Told::from([("steady".to_owned(), producer.finish()?)]);
    ensure!(
        told["steady"].failures.is_empty(),
        "refused: {:?}",
        told["steady"].failures
    );
    let tally = check::topic(&broker, TOPIC, 1, &told)?;
    broker.stop()?;
    tally.explain();
    Ok(Report::of(
        stage.rounds,
        &tally,
        format!(
            "a dead member is missed after {} ms of {SESSION_MS}",
            ended.as_millis()
        ),
    ))
}

/// A member of the group that reads along.
struct Member(Child);

impl Member {
    fn join(broker: &Broker) -> Result<Member> {
        let mut command = Command::new(ottla());
        command.args(["console-consumer", "--topic", TOPIC, "--group", GROUP]);
        command.args([
            "--command-property",
            &format!("session.timeout.ms={SESSION_MS}"),
        ]);
        command.args(["--command-property", "heartbeat.interval.ms=500"]);
        command.args(["--bootstrap-server", &broker.address()]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut member = Member(command.spawn()?);
        let deadline = Instant::now() + PATIENCE;
        while member.id(broker).is_err() {
            ensure!(member.0.try_wait()?.is_none(), "the member ended");
            ensure!(Instant::now() < deadline, "the member does not join");
        }
        Ok(member)
    }

    /// As the group knows it. A member that was thrown out comes back under another.
    fn id(&self, broker: &Broker) -> Result<String> {
        let text = broker.tool(&format!(
            "consumer-groups --describe --members --group {GROUP}"
        ))?;
        let row = text.lines().find(|line| line.starts_with(GROUP));
        let id = row.and_then(|row| row.split_whitespace().nth(1));
        id.map(str::to_owned)
            .with_context(|| format!("no member in {text:?}"))
    }

    /// How long after its death the group noticed.
    fn die_and_be_missed(&mut self, broker: &Broker) -> Result<Duration> {
        self.0.kill()?;
        self.0.wait()?;
        let died = Instant::now();
        while self.id(broker).is_ok() {
            ensure!(
                died.elapsed() < Duration::from_millis(SESSION_MS + 3000),
                "a dead member is still there after {:?}",
                died.elapsed()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(died.elapsed())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
