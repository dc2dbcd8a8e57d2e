//! S-21: pipes of one group hand records on exactly once, by a filter that ends now and then, while they and the broker are killed,
//! stopped and ended. Each record is there once, and those of a partition are in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread;

use anyhow::{Context, Result, ensure};

use super::Stage;
use super::broker::{Broker, signal};
use super::check;
use super::clients::{Acks, Load, Make, Producer, await_end};
use super::kills::PATIENT;
use super::random::Random;
use super::report::Report;
use super::streams::BROKER;
use crate::interop::pipe;

const FROM: &str = "sent";
const TO: &str = "handed-on";
const PARTITIONS: usize = 6;
const PIPES: usize = 3;
const RATE: usize = 300;
const SENDER: &str = "sender";
/// Between one fault and the next: sometimes too short to recover.
const CALM_MAX_MS: u64 = 2_000;
/// A pipe that stands still may lose its partitions, and its transaction.
const STILL_MAX_MS: u64 = 6_000;

/// Answers each line with itself. It is slow now and then, so that faults meet batches under way, and does not live for ever.
const FILTER: &str = "n=0; while read -r line; do n=$((n + 1)); [ $((n % 50)) = 0 ] && sleep 0.02; \
                      [ $n = 700 ] && exit 1; echo \"$line\"; done";
/// Sessions and transactions end sooner than pipes stand still.
const OPTIONS: &str = "--consumer-property session.timeout.ms=3000 --consumer-property heartbeat.interval.ms=500 \
                       --producer-property transaction.timeout.ms=3000";
/// Of a pipe that SIGTERM has ended.
const TERMINATED: i32 = 128 + 15;

/// A round is a fault.
pub(super) fn hand_on_once(stage: &mut Stage) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?.with(BROKER);
    broker.start()?;
    for topic in [FROM, TO] {
        broker.create_topic(topic, PARTITIONS, &[])?;
    }
    let load = Load {
        topic: FROM,
        partitions: PARTITIONS,
        rate: RATE,
        settings: &[&["acks=all", "enable.idempotence=true"], PATIENT].concat(),
    };
    let mut producer = Producer::start(Make::Ours, SENDER, &broker, load, stage.path())?;
    let mut pipes = Pipes::start(&broker, stage.path())?;

    let mut kills_of_broker = 0;
    for _ in 0..stage.rounds {
        thread::sleep(stage.random.up_to_ms(CALM_MAX_MS));
        match stage.random.below(4) {
            0 => {
                broker.kill()?;
                broker.start()?;
                kills_of_broker += 1;
            }
            1 => pipes.kill_one(&mut stage.random)?,
            2 => pipes.end_one(&mut stage.random)?,
            _ => pipes.hold_one_still(&mut stage.random)?,
        }
        pipes.check()?;
    }
    producer.wait_for(1)?;
    let acks = producer.finish()?;
    ensure!(acks.failures.is_empty(), "{:?}", acks.failures.first());
    let findings = judge(
        &check::committed(&broker, TO, PARTITIONS, "", acks.count)?,
        &acks,
    )?;
    let started = pipes.started;
    pipes.close()?;
    broker.stop()?;
    Ok(Report {
        rounds: stage.rounds,
        acked: acks.count,
        lost: findings.missing,
        duplicated: findings.wrong,
        figure: format!("{started} pipes, broker killed {kills_of_broker} times"),
    })
}

#[derive(Debug, Default, PartialEq)]
struct Findings {
    missing: usize,
    /// There again, or after one that was sent later.
    wrong: usize,
}

/// `handed_on` has each partition's lines.
fn judge(handed_on: &[String], sent: &Acks) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut there = BTreeSet::new();
    for text in handed_on {
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.split(':').skip(1).map(str::parse);
            let (Some(Ok(partition)), Some(Ok(sequence))) = (words.next(), words.next()) else {
                anyhow::bail!("nobody has sent {line:?}");
            };
            let before = last.insert(partition, sequence);
            findings.wrong += usize::from(before.is_some_and(|before| before >= sequence));
            there.insert((partition, sequence));
        }
    }
    for (partition, records) in &sent.acked {
        let of = |(sequence, _): &&(usize, i64)| !there.contains(&(*partition, *sequence));
        findings.missing += records.iter().filter(of).count();
    }
    Ok(findings)
}

struct Pipes {
    address: String,
    directory: PathBuf,
    running: Vec<Pipe>,
    started: usize,
}

struct Pipe {
    child: Child,
    errors: PathBuf,
}

impl Pipes {
    fn start(broker: &Broker, directory: &Path) -> Result<Self> {
        let mut pipes = Self {
            address: broker.address(),
            directory: directory.to_owned(),
            running: Vec::new(),
            started: 0,
        };
        for _ in 0..PIPES {
            pipes.start_one()?;
        }
        Ok(pipes)
    }

    fn start_one(&mut self) -> Result<()> {
        self.started += 1;
        let errors = self.directory.join(format!("pipe-{}.err", self.started));
        let mut command = pipe(&self.address, FROM, TO, OPTIONS, FILTER);
        let child = command.stderr(File::create(&errors)?).spawn();
        let child = child.with_context(|| format!("{command:?}"))?;
        self.running.push(Pipe { child, errors });
        Ok(())
    }

    fn one_of_them(&mut self, random: &mut Random) -> Pipe {
        let who = random.below(self.running.len() as u64) as usize;
        self.running.swap_remove(who)
    }

    fn kill_one(&mut self, random: &mut Random) -> Result<()> {
        drop(self.one_of_them(random));
        self.start_one()
    }

    fn end_one(&mut self, random: &mut Random) -> Result<()> {
        self.one_of_them(random).end()?;
        self.start_one()
    }

    fn hold_one_still(&mut self, random: &mut Random) -> Result<()> {
        let pipe = self.one_of_them(random);
        signal("STOP", pipe.child.id())?;
        thread::sleep(random.up_to_ms(STILL_MAX_MS));
        signal("CONT", pipe.child.id())?;
        self.running.push(pipe);
        Ok(())
    }

    /// None ends by itself.
    fn check(&mut self) -> Result<()> {
        for pipe in &mut self.running {
            if let Some(status) = pipe.child.try_wait()? {
                anyhow::bail!("a pipe has ended with {status}: {}", pipe.said());
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.check()?;
        std::mem::take(&mut self.running)
            .into_iter()
            .try_for_each(Pipe::end)
    }
}

impl Pipe {
    fn end(mut self) -> Result<()> {
        signal("TERM", self.child.id())?;
        await_end(&mut self.child, "a pipe")?;
        let status: ExitStatus = self.child.wait()?;
        ensure!(
            status.code() == Some(TERMINATED),
            "a pipe was told to end and ended with {status}: {}",
            self.said()
        );
        Ok(())
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(handed_on: &[&str]) -> Findings {
        let mut sent = Acks::default();
        for line in ["0 0 0", "0 1 1", "1 0 0"] {
            sent.take(line);
        }
        let handed_on: Vec<String> = handed_on.iter().map(|text| (*text).to_owned()).collect();
        judge(&handed_on, &sent).unwrap()
    }

    #[test]
    fn every_record_is_handed_on_once_wherever_it_goes() {
        assert_eq!(
            judged(&["s:0:1:xx\n", "s:0:0:\ns:1:0:x\n"]),
            Findings::default()
        );
    }

    #[test]
    fn what_is_missing_doubled_or_out_of_order_is_found() {
        let faults = |missing, wrong| Findings { missing, wrong };
        assert_eq!(judged(&["s:0:0:\ns:0:1:\n"]), faults(1, 0));
        assert_eq!(judged(&["s:0:0:\ns:0:0:\ns:0:1:\ns:1:0:\n"]), faults(0, 1));
        assert_eq!(judged(&["s:0:1:\ns:0:0:\ns:1:0:\n"]), faults(0, 1));
    }
}
