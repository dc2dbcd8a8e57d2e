//! S-25: one group, one topic, members of three makes that join, leave and are killed, while the broker is well, while it is
//! killed in the middle of rebalances; in either protocol, and while members of both come and go, so that the group changes
//! its own. Every record is dealt with, within a generation (a member epoch, in the consumer protocol) no partition has two
//! owners, and committed offsets never go back. What the members tell is in `ownership`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Stage;
use super::broker::Broker;
use super::clients::{Load, Make, Producer, await_end, compile, java, our_program, python};
use super::kills::PATIENT;
use super::ownership::{Line, Told};
use super::random::Random;
use super::report::Report;
use crate::interop::peer;

const TOPIC: &str = "shared";
const GROUP: &str = "sharers";
const PARTITIONS: usize = 8;
const RATE: usize = 500;
const MEMBERS_MIN: usize = 2;
const MEMBERS_MAX: usize = 5;
const MAKES: [Make; 3] = [Make::Ours, Make::Librdkafka, Make::Java];
/// Between one change and the next.
const CALM_MAX_MS: u64 = 1_500;
/// From a change to the death of the broker: in the middle of the rebalance.
const MIDDLE_MAX_MS: u64 = 300;
const PATIENCE: Duration = Duration::from_secs(60);

const BROKER: &[&str] = &[
    "offsets.topic.num.partitions=1",
    "group.min.session.timeout.ms=1000",
    "group.initial.rebalance.delay.ms=100",
    "group.consumer.min.session.timeout.ms=1000",
    "group.consumer.session.timeout.ms=2000",
    "group.consumer.min.heartbeat.interval.ms=100",
    "group.consumer.heartbeat.interval.ms=200",
];
/// In the consumer protocol these are the broker's business.
const CLASSIC: &[&str] = &["session.timeout.ms=2000", "heartbeat.interval.ms=200"];
const MEMBER: &[&str] = &[
    "max.poll.interval.ms=10000",
    "retry.backoff.ms=50",
    "reconnect.backoff.ms=20",
    "reconnect.backoff.max.ms=200",
    "metadata.max.age.ms=5000",
];

/// A round is a second.
pub(super) fn come_and_go(stage: &mut Stage) -> Result<Report> {
    share(stage, &[Protocol::Classic], |_, _| Ok(false))
}

pub(super) fn survive_kills(stage: &mut Stage) -> Result<Report> {
    share(stage, &[Protocol::Classic], kill_sometimes)
}

pub(super) fn come_and_go_by_consumer_protocol(stage: &mut Stage) -> Result<Report> {
    share(stage, &[Protocol::Consumer], |_, _| Ok(false))
}

pub(super) fn survive_kills_by_consumer_protocol(stage: &mut Stage) -> Result<Report> {
    share(stage, &[Protocol::Consumer], kill_sometimes)
}

pub(super) fn change_protocols(stage: &mut Stage) -> Result<Report> {
    share(stage, &Protocol::BOTH, |_, _| Ok(false))
}

pub(super) fn change_protocols_and_survive_kills(stage: &mut Stage) -> Result<Report> {
    share(stage, &Protocol::BOTH, kill_sometimes)
}

fn kill_sometimes(broker: &mut Broker, random: &mut Random) -> Result<bool> {
    if !random.one_in(3) {
        return Ok(false);
    }
    thread::sleep(random.up_to_ms(MIDDLE_MAX_MS));
    broker.kill()?;
    broker.start()?;
    Ok(true)
}

/// What a member speaks.
#[derive(Clone, Copy)]
enum Protocol {
    Classic,
    Consumer,
}

impl Protocol {
    const BOTH: [Self; 2] = [Self::Classic, Self::Consumer];
}

/// `fault` comes right after a change, and tells whether it struck.
fn share(
    stage: &mut Stage,
    protocols: &'static [Protocol],
    mut fault: impl FnMut(&mut Broker, &mut Random) -> Result<bool>,
) -> Result<Report> {
    let mut broker = Broker::new(stage.path())?.with(BROKER);
    broker.start()?;
    broker.create_topic(TOPIC, PARTITIONS, &[])?;
    let load = Load {
        topic: TOPIC,
        partitions: PARTITIONS,
        rate: RATE,
        settings: &[&["acks=all", "enable.idempotence=true"], PATIENT].concat(),
    };
    let mut producer = Producer::start(Make::Ours, "sender", &broker, load, stage.path())?;
    let mut group = Group::new(&broker, stage.path())?;
    for (number, make) in MAKES.into_iter().enumerate() {
        group.start(make, protocols[number % protocols.len()])?;
    }
    group.await_all_reading()?;

    let ends = Instant::now() + Duration::from_secs(stage.rounds as u64);
    let (mut changes, mut faults) = (0, 0);
    while Instant::now() < ends {
        group.change(&mut stage.random, protocols)?;
        changes += 1;
        faults += usize::from(fault(&mut broker, &mut stage.random)?);
        thread::sleep(stage.random.up_to_ms(CALM_MAX_MS));
    }
    producer.wait_for(1)?;
    let acks = producer.finish()?;
    ensure!(acks.failures.is_empty(), "{:?}", acks.failures.first());
    group.await_end_of_topic(&broker)?;
    let told = group.close()?;
    broker.stop()?;

    let sent: Vec<(usize, i64)> = acks
        .acked
        .iter()
        .flat_map(|(partition, acks)| acks.iter().map(|(_, offset)| (*partition, *offset)))
        .collect();
    let findings = told.judge(&sent);
    for fault in findings.faults.iter().take(10) {
        eprintln!("  {fault}");
    }
    ensure!(findings.commits > 0, "nothing was committed");
    Ok(Report {
        rounds: changes,
        acked: acks.count,
        lost: findings.unread,
        duplicated: findings.faults.len(),
        figure: format!(
            "{} generations, {} commits, {} records read again, broker killed {faults} times",
            findings.generations, findings.commits, findings.read_again
        ),
    })
}

/// The members that live, and what those said that lived.
struct Group {
    address: String,
    directory: PathBuf,
    members: Vec<Member>,
    started: usize,
    told: Told,
}

struct Member {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Group {
    fn new(broker: &Broker, directory: &Path) -> Result<Group> {
        compile("GroupMember.java", &peer::jars()?, directory)?;
        Ok(Group {
            address: broker.address(),
            directory: directory.to_owned(),
            members: Vec::new(),
            started: 0,
            told: Told::default(),
        })
    }

    fn command(&self, make: Make) -> Result<(Command, &'static str)> {
        Ok(match make {
            Make::Ours => (Command::new(our_program("group_member")), "range"),
            Make::Librdkafka => (python("tests/faults/group_member.py")?, "range"),
            Make::Java => {
                let class_path = [self.directory.clone(), peer::jars()?.join("*")];
                let mut command = java(Path::new(&std::env::join_paths(class_path)?));
                command.arg("GroupMember");
                (command, "org.apache.kafka.clients.consumer.RangeAssignor")
            }
            other => bail!("{other:?} is no member of groups"),
        })
    }

    fn start(&mut self, make: Make, protocol: Protocol) -> Result<()> {
        self.started += 1;
        let name = format!("{make:?}-{}", self.started).to_lowercase();
        let (mut command, assignor) = self.command(make)?;
        command.args([&self.address, TOPIC, GROUP, &name]);
        command.args(MEMBER);
        match protocol {
            Protocol::Classic => {
                command.args(CLASSIC);
                command.arg(format!("partition.assignment.strategy={assignor}"));
            }
            Protocol::Consumer => {
                command.arg("group.protocol=consumer");
            }
        }
        let errors = File::create(self.directory.join(format!("{name}.err")))?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors);
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let said = child.stdout.take().context("no pipe from the member")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        let reader = thread::spawn(move || listen(said, &heard));
        self.members.push(Member {
            name,
            child,
            lines,
            reader,
        });
        Ok(())
    }

    /// Somebody comes, goes or dies.
    fn change(&mut self, random: &mut Random, protocols: &[Protocol]) -> Result<()> {
        self.look_for_the_dead()?;
        let count = self.members.len();
        let comes = count <= MEMBERS_MIN || (count < MEMBERS_MAX && random.one_in(2));
        if comes {
            let make = MAKES[random.below(MAKES.len() as u64) as usize];
            let protocol = protocols[random.below(protocols.len() as u64) as usize];
            return self.start(make, protocol);
        }
        // A group that was empty when its protocol changed counts from 0 again: the first member stays.
        let stays = usize::from(protocols.len() > 1);
        let who = stays + random.below((count - stays) as u64) as usize;
        let mut member = self.members.swap_remove(who);
        match random.one_in(2) {
            true => member.child.kill()?,
            false => drop(member.child.stdin.take()),
        }
        self.hear_out(member)
    }

    fn look_for_the_dead(&mut self) -> Result<()> {
        for member in &mut self.members {
            if let Some(status) = member.child.try_wait()? {
                bail!(
                    "{} ended with {status}:\n{}",
                    member.name,
                    self.directory.display()
                );
            }
        }
        Ok(())
    }

    /// Takes what a member told that is about to end.
    fn hear_out(&mut self, mut member: Member) -> Result<()> {
        await_end(&mut member.child, &member.name)?;
        ensure!(member.reader.join().is_ok(), "a reader panicked");
        let lines = std::mem::take(&mut *lock(&member.lines));
        let told: Result<_> = lines.iter().map(|line| Line::parse(line)).collect();
        self.told.0.insert(member.name, told?);
        Ok(())
    }

    /// Waits until every member has dealt with something.
    fn await_all_reading(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let is_reading = |member: &Member| {
            let lines = lock(&member.lines);
            lines.iter().any(|line| line.starts_with("commit"))
        };
        while !self.members.iter().all(is_reading) {
            self.look_for_the_dead()?;
            ensure!(Instant::now() < deadline, "not all members read");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits until everything that was sent is committed.
    fn await_end_of_topic(&mut self, broker: &Broker) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.look_for_the_dead()?;
            let text = broker.tool(&format!("consumer-groups --describe --group {GROUP}"))?;
            let rows = text.lines().filter(|line| line.starts_with(GROUP));
            let lags: Vec<&str> = rows
                .filter_map(|row| row.split_whitespace().nth(5))
                .collect();
            if lags.len() == PARTITIONS && lags.iter().all(|lag| *lag == "0") {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "lags remain:\n{text}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn close(mut self) -> Result<Told> {
        for member in &mut self.members {
            drop(member.child.stdin.take());
        }
        while let Some(member) = self.members.pop() {
            self.hear_out(member)?;
        }
        Ok(std::mem::take(&mut self.told))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
    }
}

/// Whole lines only: what its death has cut short told nothing.
fn listen(said: impl Read, heard: &Mutex<Vec<String>>) {
    let mut said = BufReader::new(said);
    let mut line = String::new();
    while said.read_line(&mut line).is_ok() && line.ends_with('\n') {
        lock(heard).push(std::mem::take(&mut line));
    }
}

fn lock(lines: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
