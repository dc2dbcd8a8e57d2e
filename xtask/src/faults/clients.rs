//! Producers of several makes that write down what was acknowledged, record by record.
//!
//! Each is a program that is called `BOOTSTRAP TOPIC PARTITIONS NAME RATE KEY=VALUE…`, sends records with the values
//! `NAME:PARTITION:SEQUENCE:padding` and the keys `NAME-(SEQUENCE mod 100)`, at most RATE of them a second, and prints `PARTITION SEQUENCE OFFSET` for each
//! acknowledgement and `fail PARTITION SEQUENCE why` for each record that it gave up. It ends when its input does, after
//! everything it sent has an outcome.
//! Always: an acknowledgement counts from when we have read it, so that what is counted before a fault was promised
//! before it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::broker::Broker;
use crate::interop::peer;
use crate::shell::{root, run, target_dir};

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Make {
    Ours,
    Librdkafka,
    Java,
    /// Commits offsets instead of producing; see tests/faults/committer.py.
    Committer,
    /// Reads instead, and acknowledges stretches that were as they should be; see tests/faults/reader.py.
    Reader,
}

pub(super) const KEYS: usize = 100;

impl Make {
    fn command(self) -> Result<Command> {
        Ok(match self {
            Make::Ours => Command::new(our_program("acked_producer")),
            Make::Librdkafka => python("tests/faults/acked_producer.py")?,
            Make::Reader => python("tests/faults/reader.py")?,
            Make::Committer => python("tests/faults/committer.py")?,
            Make::Java => {
                let mut command = java(&peer::jars()?.join("*"));
                command.arg(root().join("tests/faults/AckedProducer.java"));
                command
            }
        })
    }
}

pub(super) fn our_program(name: &str) -> PathBuf {
    target_dir().join("release/examples").join(name)
}

/// A small virtual machine that starts quickly.
pub(super) fn java(class_path: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.arg("-cp").arg(class_path);
    let logging = peer::log_configuration();
    command.arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
    command
}

/// Compiles one of our programs, once where it is started often.
pub(super) fn compile(source: &str, jars: &Path, into: &Path) -> Result<()> {
    let mut compiler = Command::new("javac");
    compiler.arg("-cp").arg(jars.join("*"));
    // Some of the jars would have a say in it.
    compiler.arg("-proc:none").arg("-d").arg(into);
    run(compiler.arg(root().join("tests/faults").join(source)))
}

/// Waits for a process that is about to end.
pub(super) fn await_end(child: &mut Child, name: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
            bail!("{name} does not come to an end");
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

pub(super) fn python(script: &str) -> Result<Command> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let cache = match std::env::var_os("OTTLA_CONFORMANCE_CACHE") {
        Some(cache) => cache.into(),
        None => Path::new(&home).join(".cache/ottla-conformance"),
    };
    let mut command = Command::new(cache.join("venv/bin/python"));
    command.arg(root().join(script));
    Ok(command)
}

/// What a producer was told.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// Sequence and offset, by partition.
    pub(super) acked: BTreeMap<usize, Vec<(usize, i64)>>,
    pub(super) count: usize,
    pub(super) failures: Vec<String>,
    /// What comes from now on does not count.
    is_closed: bool,
    /// Neither an acknowledgement nor a failure.
    nonsense: Option<String>,
}

impl Acks {
    pub(super) fn take(&mut self, line: &str) {
        if self.is_closed {
            return;
        }
        if let Some(failure) = line.strip_prefix("fail ") {
            self.failures.push(failure.to_owned());
            return;
        }
        let numbers: Vec<u32> = line
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        match numbers[..] {
            [partition, sequence, offset] => {
                let of_partition = self.acked.entry(partition as usize).or_default();
                of_partition.push((sequence as usize, offset.into()));
                self.count += 1;
            }
            _ => self.nonsense = Some(line.to_owned()),
        }
    }
}

pub(super) struct Producer {
    pub(super) name: String,
    child: Child,
    acks: Arc<Mutex<Acks>>,
    reader: Option<JoinHandle<()>>,
    errors: PathBuf,
}

/// Where and how a producer sends.
#[derive(Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) topic: &'a str,
    pub(super) partitions: usize,
    /// Records a second, at most.
    pub(super) rate: usize,
    /// Kafka's configuration keys.
    pub(super) settings: &'a [&'a str],
}

impl Producer {
    /// What it says on stderr goes to a file of its name in `directory`.
    pub(super) fn start(
        make: Make,
        name: &str,
        broker: &Broker,
        load: Load<'_>,
        directory: &Path,
    ) -> Result<Producer> {
        let errors = directory.join(format!("{name}.err"));
        let mut command = make.command()?;
        command.args([
            &broker.address(),
            load.topic,
            &load.partitions.to_string(),
            name,
        ]);
        command.arg(load.rate.to_string()).args(load.settings);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&errors)?);
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let lines = BufReader::new(child.stdout.take().context("no pipe from the producer")?);
        let acks = Arc::new(Mutex::new(Acks::default()));
        let told = Arc::clone(&acks);
        let reader = thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                lock(&told).take(&line);
            }
        });
        Ok(Producer {
            name: name.to_owned(),
            child,
            acks,
            reader: Some(reader),
            errors,
        })
    }

    pub(super) fn acked(&self) -> usize {
        lock(&self.acks).count
    }

    pub(super) fn failures(&self) -> usize {
        lock(&self.acks).failures.len()
    }

    /// Takes no notice of what comes from now on.
    pub(super) fn close(&self) {
        lock(&self.acks).is_closed = true;
    }

    /// Waits until `more` have been acknowledged than there are now.
    pub(super) fn wait_for(&mut self, more: usize) -> Result<()> {
        self.wait_for_all(self.acked() + more)
    }

    /// Waits until so many have been acknowledged in all. It may take long, but not stand still for long.
    pub(super) fn wait_for_all(&mut self, goal: usize) -> Result<()> {
        let (mut seen, mut since) = (self.acked(), Instant::now());
        while seen < goal {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{}", self.name, self.said());
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "{}: no acknowledgement for {PATIENCE:?} ({} failures):\n{}",
                self.name,
                self.failures(),
                self.said()
            );
            thread::sleep(Duration::from_millis(1));
            if self.acked() > seen {
                (seen, since) = (self.acked(), Instant::now());
            }
        }
        Ok(())
    }

    /// Lets it bring everything to an end, and takes what it was told.
    pub(super) fn finish(mut self) -> Result<Acks> {
        let ended = self.end_while(|| Ok(true))?;
        ensure!(
            ended,
            "{} does not come to an end:\n{}",
            self.name,
            self.said()
        );
        self.told()
    }

    /// As `finish`, but kills it as soon as that makes sense no more.
    pub(super) fn finish_while(
        mut self,
        makes_sense: impl FnMut() -> Result<bool>,
    ) -> Result<Acks> {
        match self.end_while(makes_sense)? {
            true => self.told(),
            false => self.abandon(),
        }
    }

    fn end_while(&mut self, mut makes_sense: impl FnMut() -> Result<bool>) -> Result<bool> {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while makes_sense()? && Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "{}: {status}\n{}", self.name, self.said());
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(false)
    }

    /// Kills it, and takes what it was told until then.
    pub(super) fn abandon(mut self) -> Result<Acks> {
        self.child.kill()?;
        self.child.wait()?;
        self.told()
    }

    fn told(&mut self) -> Result<Acks> {
        if let Some(reader) = self.reader.take() {
            ensure!(
                reader.join().is_ok(),
                "the reader of {} panicked",
                self.name
            );
        }
        let acks = std::mem::take(&mut *lock(&self.acks));
        match &acks.nonsense {
            Some(line) => bail!("{} printed {line:?}", self.name),
            None => Ok(acks),
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn lock(acks: &Mutex<Acks>) -> MutexGuard<'_, Acks> {
    acks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_acknowledgements_failures_or_nonsense() {
        let mut acks = Acks::default();
        acks.take("1 20 300");
        acks.take("fail 1 21 too late");
        assert_eq!(acks.acked, BTreeMap::from([(1, vec![(20, 300)])]));
        assert_eq!((acks.failures.len(), &acks.nonsense), (1, &None));
        acks.take("1 20 -1");
        assert!(acks.nonsense.is_some());
    }
}
