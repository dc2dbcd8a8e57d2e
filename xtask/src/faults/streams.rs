//! S-21: Kafka Streams, `exactly_once_v2`, counts records by key, while its processes and the broker are killed. Each key's counts
//! are 1, 2, 3, … up to how often it was sent: none is missing, none is there twice.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Stage;
use super::broker::Broker;
use super::check;
use super::clients::{Acks, KEYS, Load, Make, Producer, await_end, compile, java};
use super::kills::PATIENT;
use super::random::Random;
use super::report::Report;
use crate::interop::peer;

const FROM: &str = "sent";
const TO: &str = "counts";
const PARTITIONS: usize = 4;
const RATE: usize = 300;
const SENDER: &str = "sender";
/// Between one fault and the next: sometimes too short to recover.
const CALM_MAX_MS: u64 = 4_000;
/// Until a counter runs.
const PATIENCE: Duration = Duration::from_secs(120);

/// For applications whose transactions are left open by kills.
pub(super) const BROKER: &[&str] = &[
    "offsets.topic.num.partitions=1",
    "transaction.state.log.num.partitions=4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms=500",
    "group.initial.rebalance.delay.ms=100",
    "group.min.session.timeout.ms=1000",
];

/// A round is a fault.
pub(super) fn count_exactly_once(stage: &mut Stage) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?.with(BROKER);
    broker.start()?;
    broker.create_topic(FROM, PARTITIONS, &[])?;
    broker.create_topic(TO, PARTITIONS, &[])?;
    let load = Load {
        topic: FROM,
        partitions: PARTITIONS,
        rate: RATE,
        settings: &[&["acks=all", "enable.idempotence=true"], PATIENT].concat(),
    };
    let mut producer = Producer::start(Make::Librdkafka, SENDER, &broker, load, stage.path())?;
    let mut counters = Counters::new(&broker, stage.path())?;
    for _ in 0..2 {
        counters.start()?;
    }
    counters.await_running()?;

    let mut kills_of_broker = 0;
    for _ in 0..stage.rounds {
        thread::sleep(stage.random.up_to_ms(CALM_MAX_MS));
        if stage.random.one_in(2) {
            broker.kill()?;
            broker.start()?;
            kills_of_broker += 1;
        } else {
            counters.replace_one(&mut stage.random)?;
        }
    }
    producer.wait_for(1)?;
    let acks = producer.finish()?;
    ensure!(acks.failures.is_empty(), "{:?}", acks.failures.first());
    let findings = judge_when_done(&broker, &acks)?;
    counters.close()?;
    broker.stop()?;
    Ok(Report {
        rounds: stage.rounds,
        acked: acks.count,
        lost: findings.missing,
        duplicated: findings.wrong,
        figure: format!(
            "{} counters, broker killed {kills_of_broker} times",
            counters.started
        ),
    })
}

#[derive(Debug, Default, PartialEq)]
struct Findings {
    /// Counts that are not there.
    missing: usize,
    /// Counts that do not follow the one before them.
    wrong: usize,
}

/// Waits until as many counts can be read as records were sent, and looks at them.
fn judge_when_done(broker: &Broker, acks: &Acks) -> Result<Findings> {
    let mut sent: BTreeMap<String, u64> = BTreeMap::new();
    for (sequence, _) in acks.acked.values().flatten() {
        *sent
            .entry(format!("{SENDER}-{}", sequence % KEYS))
            .or_default() += 1;
    }
    let with_keys = "--formatter-property print.key=true";
    let texts = check::committed(broker, TO, PARTITIONS, with_keys, acks.count)?;
    judge(&texts.concat(), &sent)
}

/// Lines of a key and its count, those of a key in the order in which they were written.
fn judge(text: &str, sent: &BTreeMap<String, u64>) -> Result<Findings> {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut findings = Findings::default();
    for line in text.lines() {
        let (key, count) = line.split_once('\t').context("a line without a key")?;
        let count: u64 = count.parse().with_context(|| line.to_owned())?;
        ensure!(sent.contains_key(key), "{key} was never sent");
        let before = last.insert(key, count).unwrap_or(0);
        findings.wrong += usize::from(count != before + 1);
    }
    for (key, times) in sent {
        let counted = last.get(key.as_str()).copied().unwrap_or(0);
        findings.missing += usize::try_from(times.abs_diff(counted))?;
    }
    Ok(findings)
}

/// The processes that count.
struct Counters {
    address: String,
    directory: PathBuf,
    running: Vec<Counter>,
    started: usize,
}

struct Counter {
    child: Child,
    is_running: Arc<AtomicBool>,
}

impl Counters {
    fn new(broker: &Broker, directory: &Path) -> Result<Self> {
        compile("WordCount.java", &peer::application_jars()?, directory)?;
        Ok(Self {
            address: broker.address(),
            directory: directory.to_owned(),
            running: Vec::new(),
            started: 0,
        })
    }

    fn start(&mut self) -> Result<()> {
        self.started += 1;
        let class_path = [self.directory.clone(), peer::application_jars()?.join("*")];
        let mut command = java(Path::new(&std::env::join_paths(class_path)?));
        let name = format!("counter-{}", self.started);
        command.args(["WordCount", &self.address, FROM, TO]);
        command.arg(self.directory.join(&name));
        let errors = File::create(self.directory.join(format!("{name}.err")))?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors);
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let said = child.stdout.take().context("no pipe from the counter")?;
        let is_running = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&is_running);
        thread::spawn(move || {
            for _ in BufReader::new(said).lines().map_while(Result::ok) {
                heard.store(true, Ordering::Relaxed);
            }
        });
        self.running.push(Counter { child, is_running });
        Ok(())
    }

    fn await_running(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let runs = |counter: &Counter| counter.is_running.load(Ordering::Relaxed);
        while !self.running.iter().all(runs) {
            ensure!(Instant::now() < deadline, "the counters do not run");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// One ends, by force or in good order, and another takes its place.
    fn replace_one(&mut self, random: &mut Random) -> Result<()> {
        let who = random.below(self.running.len() as u64) as usize;
        let mut counter = self.running.swap_remove(who);
        match random.one_in(2) {
            true => counter.child.kill()?,
            false => drop(counter.child.stdin.take()),
        }
        self.start()?;
        await_end(&mut counter.child, "a counter")
    }

    fn close(&mut self) -> Result<()> {
        for mut counter in std::mem::take(&mut self.running) {
            drop(counter.child.stdin.take());
            await_end(&mut counter.child, "a counter")?;
        }
        Ok(())
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> BTreeMap<String, u64> {
        BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)])
    }

    #[test]
    fn every_record_is_counted_once() {
        assert_eq!(
            judge("a\t1\nb\t1\na\t2\n", &sent()).unwrap(),
            Findings::default()
        );
    }

    #[test]
    fn what_is_missing_doubled_or_out_of_order_is_found() {
        let found = |text| judge(text, &sent()).unwrap();
        let faults = |missing, wrong| Findings { missing, wrong };
        assert_eq!(found("a\t1\na\t2\n"), faults(1, 0), "b was not counted");
        assert_eq!(
            found("a\t1\na\t1\na\t2\nb\t1\n"),
            faults(0, 1),
            "told twice"
        );
        assert_eq!(
            found("a\t1\na\t2\na\t3\nb\t1\n"),
            faults(1, 0),
            "counted twice"
        );
        assert_eq!(found("a\t2\nb\t1\n"), faults(0, 1), "a count was lost");
    }
}
