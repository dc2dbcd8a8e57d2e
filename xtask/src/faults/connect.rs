//! S-21: Kafka Connect copies lines from a file to a topic, each once (`exactly.once.source.support`, KIP-618), and from there to
//! another file, while its worker and the broker are killed. The topic has every line once and in order; the second file
//! has every line, as its connector promises no more.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Stage;
use super::broker::Broker;
use super::clients::java;
use super::report::Report;
use super::streams::BROKER;
use crate::interop::peer;
use crate::ports;

const TOPIC: &str = "lines";
const LINES_A_ROUND: usize = 500;
const CALM_MAX_MS: u64 = 3_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// A round is some more lines and a fault.
pub(super) fn copy_lines_once(stage: &mut Stage) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?.with(BROKER);
    broker.start()?;
    broker.create_topic(TOPIC, 1, &[])?;
    let (from, to) = (stage.path().join("from"), stage.path().join("to"));
    let mut written = File::create(&from)?;
    let mut worker = Worker::new(&broker, stage.path())?;
    worker.start()?;
    worker.create(&source(&from))?;
    worker.create(&sink(&to))?;

    let (mut lines, mut kills_of_broker) = (0, 0);
    for _ in 0..stage.rounds {
        for _ in 0..LINES_A_ROUND {
            writeln!(written, "line {lines}")?;
            lines += 1;
        }
        thread::sleep(stage.random.up_to_ms(CALM_MAX_MS));
        if stage.random.one_in(2) {
            broker.kill()?;
            broker.start()?;
            kills_of_broker += 1;
        } else {
            worker.kill()?;
            worker.start()?;
        }
    }
    let copied = await_lines(&broker, lines)?;
    await_sink(&to, lines)?;
    worker.kill()?;
    broker.stop()?;
    let findings = judge(&copied, lines);
    Ok(Report {
        rounds: stage.rounds,
        acked: lines,
        lost: findings.missing,
        duplicated: findings.wrong,
        figure: format!(
            "{} workers, broker killed {kills_of_broker} times",
            worker.started
        ),
    })
}

fn source(from: &Path) -> String {
    connector(
        "source",
        &format!(
            r#""connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": "{}",
               "topic": "{TOPIC}", "exactly.once.support": "required""#,
            from.display()
        ),
    )
}

fn sink(to: &Path) -> String {
    connector(
        "sink",
        &format!(
            r#""connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "file": "{}",
               "topics": "{TOPIC}", "consumer.override.isolation.level": "read_committed""#,
            to.display()
        ),
    )
}

fn connector(name: &str, config: &str) -> String {
    format!(r#"{{"name": "{name}", "config": {{"tasks.max": "1", {config}}}}}"#)
}

/// The values in the topic, once there are so many, or none come any more.
fn await_lines(broker: &Broker, lines: usize) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let read = broker.try_tool(&format!(
            "console-consumer --topic {TOPIC} --partition 0 --offset earliest --timeout-ms 2000 \
             --isolation-level read_committed"
        ))?;
        let text = String::from_utf8(read.stdout)?;
        if text.lines().count() >= lines || Instant::now() > deadline {
            return Ok(text);
        }
    }
}

fn await_sink(to: &Path, lines: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let last = format!("line {}", lines - 1);
    while !fs::read_to_string(to).is_ok_and(|text| text.lines().any(|line| line == last)) {
        ensure!(Instant::now() < deadline, "{last:?} never came out");
        thread::sleep(Duration::from_millis(100));
    }
    let text = fs::read_to_string(to)?;
    let there: std::collections::BTreeSet<&str> = text.lines().collect();
    let missing = (0..lines).find(|line| !there.contains(format!("line {line}").as_str()));
    ensure!(missing.is_none(), "line {missing:?} never came out");
    Ok(())
}

#[derive(Debug, Default, PartialEq)]
struct Findings {
    missing: usize,
    /// There again, or not after the one before it.
    wrong: usize,
}

fn judge(copied: &str, lines: usize) -> Findings {
    let mut there = vec![false; lines];
    let mut findings = Findings::default();
    let mut next = 0;
    for line in copied.lines() {
        let number: Option<usize> = line
            .strip_prefix("line ")
            .and_then(|text| text.parse().ok());
        match number {
            Some(number) if number < lines => {
                findings.wrong += usize::from(number != next || there[number]);
                there[number] = true;
                next = number + 1;
            }
            _ => findings.wrong += 1,
        }
    }
    findings.missing = there.iter().filter(|there| !**there).count();
    findings
}

/// A worker of Connect, and those after it.
struct Worker {
    configuration: PathBuf,
    directory: PathBuf,
    rest: u16,
    child: Option<Child>,
    started: usize,
}

impl Worker {
    fn new(broker: &Broker, directory: &Path) -> Result<Self> {
        let rest = ports::free()?;
        let configuration = directory.join("worker.properties");
        let text = format!(
            "bootstrap.servers={}
group.id=connect
exactly.once.source.support=enabled
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
offset.storage.partitions=1
status.storage.replication.factor=1
status.storage.partitions=1
offset.flush.interval.ms=200
session.timeout.ms=3000
heartbeat.interval.ms=500
scheduled.rebalance.max.delay.ms=0
connector.client.config.override.policy=All
plugin.discovery=service_load
listeners=http://127.0.0.1:{rest}
",
            broker.address()
        );
        fs::write(&configuration, text)?;
        Ok(Self {
            configuration,
            directory: directory.to_owned(),
            rest,
            child: None,
            started: 0,
        })
    }

    /// Starts one and waits until it answers.
    fn start(&mut self) -> Result<()> {
        self.started += 1;
        let mut command = java(&peer::application_jars()?.join("*"));
        command.arg("org.apache.kafka.connect.cli.ConnectDistributed");
        command.arg(&self.configuration);
        let said = File::create(self.directory.join(format!("worker-{}", self.started)))?;
        command.stdin(Stdio::null());
        command.stdout(said.try_clone()?).stderr(said);
        self.child = Some(command.spawn()?);
        let deadline = Instant::now() + PATIENCE;
        while !matches!(self.ask("GET", "/connectors", ""), Ok((200, _))) {
            ensure!(Instant::now() < deadline, "the worker does not answer");
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    fn create(&self, connector: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.ask("POST", "/connectors", connector)? {
                (201, _) => return Ok(()),
                // It has not settled on a leader yet.
                (409 | 500 | 503, _) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(100));
                }
                (status, body) => bail!("{status}: {body}"),
            }
        }
    }

    /// Status and body of the answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.rest))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        write!(
            socket,
            "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        let status = answer.split_whitespace().nth(1).context("no status")?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status.parse()?, body.to_owned()))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_there_once_and_in_order() {
        let of = |missing, wrong| Findings { missing, wrong };
        assert_eq!(judge("line 0\nline 1\nline 2\n", 3), of(0, 0));
        assert_eq!(judge("line 0\nline 2\n", 3), of(1, 1));
        assert_eq!(judge("line 0\nline 1\nline 1\nline 2\n", 3), of(0, 1));
        assert_eq!(
            judge("line 0\nline 1\nline 0\nline 1\nline 2\n", 3),
            of(0, 2)
        );
        assert_eq!(judge("line 0\nline 1\nline 2\nnonsense\n", 3), of(0, 1));
    }
}
