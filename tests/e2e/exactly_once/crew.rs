//! Clients of other makes: each is a process, is killed with `kill -9`, stopped and continued, or succeeded while it lives, and
//! writes down what it does (`told`).
//!
//! `OTTLA_HISTORY_CLIENTS` names them, each a line of words with tabs between: what it is called, and its command. Who sets
//! it has built them: `cargo xtask faults histories`. Called with `ROLE BOOTSTRAP …`, a client plays a part until its
//! standard input ends. One that gives up as its library's rules ask for is started anew.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;
use tempfile::TempDir;

use super::history::{Committing, History};
use super::{FED, MOVERS, OUTPUT, PARTITIONS};
use super::{eventually, told};
use crate::random::Random;
use crate::server::signal;

/// The offsets that a process commits are its own.
const COMMITS_MAX: usize = 1_000_000;
/// Lines of each client that are shown where something went wrong.
const TAIL: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Move,
    Read,
    Commit,
}

impl Role {
    /// How the line begins by which it tells that it has done what it is there for.
    fn achievement(self) -> &'static str {
        match self {
            Role::Move => "committed",
            Role::Read => "seen",
            Role::Commit => "acknowledged",
        }
    }
}

#[derive(Default)]
struct Faults {
    killed: usize,
    stopped: usize,
    succeeded: usize,
    gave_up: usize,
}

pub(super) struct Crew {
    seats: Vec<Seat>,
    faults: Faults,
}

/// One who goes on under the same name, whatever becomes of its processes.
struct Seat {
    name: String,
    role: Role,
    command: Vec<String>,
    address: String,
    errors: PathBuf,
    /// The last one is who should be there; any before it is gone, or has been succeeded.
    processes: Vec<Process>,
    is_stopped: bool,
    /// What its processes achieved, all together.
    achieved: Arc<AtomicUsize>,
    /// Removed with the last seat.
    _directory: Arc<TempDir>,
}

struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<String>>>,
    listener: Option<JoinHandle<()>>,
}

impl Crew {
    pub(super) fn from_environment(address: &str, random: &mut Random) -> Crew {
        let clients = std::env::var("OTTLA_HISTORY_CLIENTS").unwrap_or_default();
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let mut seats = Vec::new();
        for client in clients.lines() {
            let mut words = client.split('\t').map(str::to_owned);
            let make = words.next().unwrap();
            let command: Vec<String> = words.collect();
            for role in [Role::Move, Role::Read, Role::Commit] {
                let name = format!("{make}-{role:?}").to_lowercase();
                let mut seat = Seat {
                    errors: directory.path().join(&name),
                    name,
                    role,
                    command: command.clone(),
                    address: address.to_owned(),
                    processes: Vec::new(),
                    is_stopped: false,
                    achieved: Arc::default(),
                    _directory: directory.clone(),
                };
                seat.start(random);
                seats.push(seat);
            }
        }
        Crew {
            seats,
            faults: Faults::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Waits until members of the group, of which `ours` counts for those who are not of the crew, have committed so many more
    /// transactions.
    pub(super) async fn more_moved(&mut self, ours: &AtomicUsize, more: u64, random: &mut Random) {
        let count = |crew: &Self| crew.moved() + ours.load(SeqCst);
        let goal = count(self) + usize::try_from(more).unwrap();
        eventually("more transactions of members", async || {
            self.look_after(random);
            count(self) >= goal
        })
        .await;
    }

    fn moved(&self) -> usize {
        let movers = self.seats.iter().filter(|seat| seat.role == Role::Move);
        movers.map(Seat::achieved).sum()
    }

    /// Waits until everybody has got on.
    pub(super) async fn get_on(&mut self, random: &mut Random) {
        for seat in &mut self.seats {
            seat.go_on();
        }
        let before: Vec<usize> = self.seats.iter().map(Seat::achieved).collect();
        eventually("every other client gets on", async || {
            self.look_after(random);
            let seats = self.seats.iter().zip(&before);
            seats
                .into_iter()
                .all(|(seat, before)| seat.achieved() > *before)
        })
        .await;
    }

    /// Starts anew who has given up.
    fn look_after(&mut self, random: &mut Random) {
        for seat in &mut self.seats {
            if !seat.is_stopped && seat.last().has_ended() {
                self.faults.gave_up += 1;
                eprintln!("{} gave up: {}", seat.name, seat.errors(1));
                seat.start(random);
            }
        }
    }

    /// Somebody is killed, stopped or succeeded, and who was stopped perhaps continued.
    pub(super) fn trouble(&mut self, random: &mut Random) {
        for seat in &mut self.seats {
            if random.below(2) == 0 {
                seat.go_on();
            }
        }
        let who = random.below(self.seats.len() as u64);
        let seat = &mut self.seats[usize::try_from(who).unwrap()];
        match random.below(3) {
            0 if !seat.last().has_ended() => {
                signal(&seat.last().child, Signal::STOP);
                seat.is_stopped = true;
                self.faults.stopped += 1;
            }
            1 if seat.role == Role::Move => {
                seat.go_on();
                seat.start(random);
                self.faults.succeeded += 1;
            }
            _ => {
                seat.last().child.kill().unwrap();
                seat.is_stopped = false;
                seat.start(random);
                self.faults.killed += 1;
            }
        }
    }

    /// Lets everybody come to an end, and adds what was told to the history.
    pub(super) fn close(&mut self, history: &mut History) {
        for seat in &mut self.seats {
            seat.go_on();
            for process in &mut seat.processes {
                drop(process.stdin.take());
            }
        }
        for seat in &mut self.seats {
            let mut commits = Vec::new();
            for (n, process) in seat.processes.iter_mut().enumerate() {
                let name = format!("{}.{n}", seat.name);
                let lines = process.hear_out(&name);
                match seat.role {
                    // In the order of the processes: each is fenced by the next.
                    Role::Move => {
                        let told = told::transactions(&seat.name, &lines);
                        history.transactions.extend(told);
                    }
                    Role::Read => history.readings.extend(told::readings(&name, &lines)),
                    Role::Commit => commits.extend(told::commits(&name, &lines)),
                }
            }
            if seat.role == Role::Commit {
                history.committing.push(Committing {
                    group: seat.name.clone(),
                    events: commits,
                });
            }
        }
    }
}

/// What each has come to, and what befell them.
impl fmt::Display for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for seat in &self.seats {
            let (achieved, lives) = (seat.achieved(), seat.processes.len());
            write!(f, "{} {achieved} in {lives} lives; ", seat.name)?;
        }
        let faults = &self.faults;
        write!(
            f,
            "{} killed, {} stopped, {} succeeded, {} gave up",
            faults.killed, faults.stopped, faults.succeeded, faults.gave_up
        )
    }
}

impl Seat {
    fn start(&mut self, random: &mut Random) {
        let number = self.processes.len();
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command.args([&format!("{:?}", self.role).to_lowercase(), &self.address]);
        let partitions = PARTITIONS.to_string();
        let name = &*self.name;
        match self.role {
            Role::Move => {
                command.args([FED, MOVERS, OUTPUT, &partitions, name]);
                command.arg(format!("{name}.{number}"));
                command.arg(random.below(1 << 31).to_string())
            }
            Role::Read => command.args([OUTPUT, &partitions]),
            Role::Commit => {
                command.args([FED, name]);
                command.arg((number * COMMITS_MAX + 1).to_string())
            }
        };
        let mut errors = File::options();
        let errors = errors.create(true).append(true).open(&self.errors);
        let (role, achieved) = (self.role, self.achieved.clone());
        let note = move |line: &str| {
            if line.starts_with(role.achievement()) {
                achieved.fetch_add(1, SeqCst);
            }
        };
        self.processes
            .push(Process::start(command, errors.unwrap(), note));
    }

    /// The last lines that its processes said on stderr.
    fn errors(&self, count: usize) -> String {
        let said = fs::read_to_string(&self.errors).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    fn last(&mut self) -> &mut Process {
        self.processes.last_mut().unwrap()
    }

    fn go_on(&mut self) {
        if std::mem::take(&mut self.is_stopped) {
            signal(&self.last().child, Signal::CONT);
        }
    }

    fn achieved(&self) -> usize {
        self.achieved.load(SeqCst)
    }
}

impl Process {
    fn start(mut command: Command, errors: File, note: impl Fn(&str) + Send + 'static) -> Process {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors);
        let spawned = command.spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = child.stdout.take().unwrap();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = lines.clone();
        Process {
            stdin: child.stdin.take(),
            child,
            lines,
            listener: Some(thread::spawn(move || listen(said, &heard, note))),
        }
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// All that it said; it is about to end.
    fn hear_out(&mut self, name: &str) -> Vec<String> {
        crate::wait::until(&format!("{name} to end"), || self.has_ended());
        if let Some(listener) = self.listener.take() {
            listener.join().unwrap();
        }
        self.lines.lock().unwrap().clone()
    }
}

/// Whole lines only: what its death has cut short is not told.
fn listen(said: impl Read, heard: &Mutex<Vec<String>>, note: impl Fn(&str)) {
    let mut said = BufReader::new(said);
    let mut line = String::new();
    while said.read_line(&mut line).is_ok() && line.ends_with('\n') {
        note(&line);
        heard.lock().unwrap().push(std::mem::take(&mut line));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let heard = self.last().lines.lock().unwrap().clone();
        for process in &mut self.processes {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
        if thread::panicking() {
            let heard = heard[heard.len().saturating_sub(TAIL)..].concat();
            eprintln!("{}:\n{heard}{}", self.name, self.errors(TAIL));
        }
    }
}
