//! `ottla top`: as lines, as JSON and on a terminal, which it always gives back.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::Value;

use crate::server::{Server, ottla, ottla_with_hangup, signal, terminate};
use crate::wait;

fn broker() -> Server {
    let server = Server::with(&["--override", "group.initial.rebalance.delay.ms=0"], &[]);
    server.tool("topics --create --topic orders --partitions 2");
    server.tool("topics --create --topic quiet --partitions 1");
    produce(&server, 10);
    server
}

fn produce(server: &Server, count: usize) {
    let lines: String = (0..count).map(|n| format!("{n}\n")).collect();
    server.tool_with_input("console-producer --topic orders", &lines);
}

fn read(server: &Server, count: usize) {
    server.tool(&format!(
        "console-consumer --topic orders --group g --from-beginning --max-messages {count}"
    ));
}

fn top(server: &Server, more: &str) -> Child {
    ottla()
        .args([
            "top",
            "--interval",
            "100ms",
            "--bootstrap-server",
            server.address(),
        ])
        .args(more.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Values as they come, a line each.
struct Looks(std::io::Lines<BufReader<ChildStdout>>);

impl Looks {
    fn of(child: &mut Child) -> Self {
        Self(BufReader::new(child.stdout.take().unwrap()).lines())
    }

    fn line(&mut self) -> String {
        self.0.next().expect("a line").unwrap()
    }

    fn until(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let look: Value = serde_json::from_str(&self.line()).unwrap();
            if holds(&look) {
                return look;
            }
        }
    }
}

fn said(mut child: Child) -> String {
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    said
}

#[test]
fn where_nobody_looks_each_topic_is_a_line_and_the_count_ends_it() {
    let server = broker();
    let child = top(&server, "--count 2 --sort topic");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().skip(1).collect())
        .collect();
    assert_eq!(rows.len(), 5, "{text}");
    assert_eq!(
        rows[0][..4],
        ["TOPIC", "PARTITIONS", "RECORDS/S", "BYTES/S"]
    );
    assert_eq!(rows[1][..4], ["orders", "2", "-", "-"]);
    assert_eq!(rows[3][..4], ["orders", "2", "0.0", "0B"]);
    assert_eq!(rows[4][..2], ["quiet", "1"]);

    let child = top(&server, "--count 1 --view brokers");
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(text.contains(server.address()), "{text}");
}

#[test]
fn json_follows_what_is_written_and_read() {
    let server = broker();
    read(&server, 4);
    let mut child = top(&server, "--output json");
    let mut looks = Looks::of(&mut child);
    let orders = |look: &Value| look["topics"][1].clone();
    let first = looks.until(|_| true);
    assert_eq!(orders(&first)["topic"], "orders", "{first}");
    assert_eq!(orders(&first)["recordsPerSecond"], Value::Null);
    assert_eq!(first["groups"][0]["lag"], 6);
    assert_eq!(first["brokers"][0]["problem"], Value::Null);
    assert!(
        first["brokers"][0]["sizeBytes"].as_u64() > Some(0),
        "{first}"
    );

    produce(&server, 10);
    let busy = looks.until(|look| orders(look)["recordsPerSecond"].as_f64() > Some(0.0));
    assert!(orders(&busy)["sizeBytes"].as_u64() > orders(&first)["sizeBytes"].as_u64());
    let ends = orders(&busy)["partitions"].as_array().unwrap().clone();
    let ends: i64 = ends
        .iter()
        .filter_map(|at| at["logEndOffset"].as_i64())
        .sum();
    assert_eq!(busy["groups"][0]["lag"], ends - 4);
    read(&server, 16);
    let gone = Value::Array(vec![]);
    let caught_up = |group: &Value| group["lag"] == 0 && group["members"] == gone;
    let look = looks.until(|look| caught_up(&look["groups"][0]));
    let group = &look["groups"][0];
    assert!(group["readPerSecond"].as_f64() > Some(0.0), "{group}");
    assert_eq!(group["catchUpMs"], 0);

    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(said(child), "");
}

#[test]
fn a_member_is_shown_with_what_it_has() {
    let server = broker();
    let mut member = ottla()
        .args(["console-consumer", "--topic", "orders", "--group", "g"])
        .args(["--bootstrap-server", server.address()])
        .args(["--command-property", "client.id=reader"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = top(&server, "--output json --filter g");
    let mut looks = Looks::of(&mut child);
    let look = looks.until(|look| look["groups"][0]["members"][0]["partitions"] == 2);
    assert_eq!(look["groups"][0]["state"], "Stable");
    assert_eq!(look["groups"][0]["members"][0]["clientId"], "reader");
    assert_eq!(look["topics"], Value::Array(vec![]), "none has a g");
    terminate(&member);
    member.wait().unwrap();
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_broker_that_goes_away_is_said_once_and_found_again() {
    let mut server = broker();
    let mut child = top(&server, "--output json");
    let mut looks = Looks::of(&mut child);
    looks.until(|_| true);
    server.kill();
    let mut complaints = BufReader::new(child.stderr.take().unwrap()).lines();
    let complaint = complaints.next().expect("a complaint").unwrap();
    assert!(complaint.ends_with("; trying again."), "{complaint}");
    server.restart_in_place();
    looks.until(|look| look["brokers"][0]["problem"].is_null());
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let server = broker();
    let mut child = top(&server, "");
    let mut looks = Looks::of(&mut child);
    looks.line();
    drop(looks);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(said(child), "");
}

#[test]
fn what_is_wrong_at_the_first_look_is_told_before_the_terminal_is_taken() {
    let output = ottla()
        .args(["top", "--bootstrap-server", "127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("refused"), "{told}");
    let output = ottla().args(["top", "--view", "nothing"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn options_that_there_are_not_and_those_given_twice_have_the_status_of_a_wrong_command_line() {
    let unknown = "from-nowhere is not a recognized option";
    let twice = "Found multiple arguments for option";
    for (words, expected) in [
        (&["top", "--from-nowhere"][..], unknown),
        (&["pipe", "--from-nowhere"], unknown),
        (&["top", "--interval", "1s", "--interval", "2s"], twice),
        (
            &[
                "pipe",
                "--from=a",
                "--to=b",
                "--to=c",
                "--group=g",
                "--",
                "cat",
            ],
            twice,
        ),
    ] {
        let output = ottla().args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(expected), "{told}");
    }
}

/// A terminal of the test's own, with `ottla top` on it.
struct Terminal {
    child: Child,
    keyboard: File,
    device: File,
    /// What came since it was last looked at.
    shown: Arc<Mutex<String>>,
}

const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

impl Terminal {
    fn open(server: &Server, no_colour: &str) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let path = ptsname(&controller, Vec::new()).unwrap();
        let device = File::options()
            .read(true)
            .write(true)
            .open(path.to_str().unwrap())
            .unwrap();
        let size = Winsize {
            ws_row: 20,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&device, size).unwrap();
        let child = ottla_with_hangup()
            .args([
                "top",
                "--interval",
                "100ms",
                "--bootstrap-server",
                server.address(),
            ])
            .env("NO_COLOR", no_colour)
            .stdin(device.try_clone().unwrap())
            .stdout(device.try_clone().unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let keyboard = File::from(controller);
        let mut screen = keyboard.try_clone().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let seen = shown.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = screen.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]);
                seen.lock().unwrap().push_str(&text);
            }
        });
        let mut terminal = Self {
            child,
            keyboard,
            device,
            shown,
        };
        terminal.shows(ENTER);
        assert!(terminal.is_raw());
        terminal
    }

    /// Waits until this is on a page that was drawn since the last call.
    fn shows(&mut self, what: &str) {
        wait::until(what, || {
            let mut shown = self.shown.lock().unwrap();
            let found = shown.find(what).map(|at| at + what.len());
            shown.drain(..found.unwrap_or(0));
            found.is_some()
        });
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.device).unwrap().local_modes;
        !modes.contains(LocalModes::ICANON) && !modes.contains(LocalModes::ECHO)
    }

    /// It has ended, and the terminal is as it was.
    fn gives_the_terminal_back(mut self, status: i32) -> String {
        self.shows(LEAVE);
        assert_eq!(self.child.wait().unwrap().code(), Some(status));
        assert!(!self.is_raw());
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_terminal_gets_a_page_that_answers_to_keys_and_gives_the_terminal_back() {
    let server = broker();
    read(&server, 4);
    let mut terminal = Terminal::open(&server, "");
    terminal.shows("[topics]");
    terminal.shows("RECORDS/S▼");
    terminal.shows("> __consumer_offsets");
    terminal.shows("  orders");

    terminal.press("r");
    terminal.shows("RECORDS/S▲");
    terminal.press("/qui\r");
    terminal.shows("/qui");
    terminal.shows("> quiet");
    terminal.press("\r");
    terminal.shows("partitions of quiet");
    terminal.shows("LOG-END-OFFSET");
    terminal.press("g");
    terminal.shows("[groups]");
    terminal.shows("> g");
    terminal.press("\t");
    terminal.shows("[brokers]");
    terminal.shows(server.address());
    terminal.press("p");
    terminal.shows("PAUSED");
    terminal.press("q");
    assert_eq!(terminal.gives_the_terminal_back(0), "");
}

#[test]
fn a_terminal_that_becomes_smaller_gets_a_smaller_page() {
    let server = broker();
    let mut terminal = Terminal::open(&server, "1");
    terminal.shows("p pause");
    let size = Winsize {
        ws_row: 6,
        ws_col: 9,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal.device, size).unwrap();
    signal(&terminal.child, Signal::WINCH);
    // The keys' line is cut.
    terminal.shows("q quit  T\x1b[0m");
    terminal.press("q");
    terminal.gives_the_terminal_back(0);
}

#[test]
fn however_it_is_ended_the_terminal_gives_the_terminal_back() {
    let server = broker();
    let mut by_key = Terminal::open(&server, "1");
    by_key.press("\x03");
    by_key.gives_the_terminal_back(0);
    for (by, status) in [(Signal::INT, 0), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let terminal = Terminal::open(&server, "1");
        signal(&terminal.child, by);
        terminal.gives_the_terminal_back(status);
    }
}

#[test]
fn while_it_is_suspended_the_terminal_is_anothers() {
    let server = broker();
    let mut terminal = Terminal::open(&server, "1");
    let state = |terminal: &Terminal| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", terminal.child.id())).unwrap();
        let (_, behind) = stat.rsplit_once(") ").unwrap();
        behind.chars().next()
    };
    for by_key in [true, false] {
        match by_key {
            true => terminal.press("\x1a"),
            false => signal(&terminal.child, Signal::TSTP),
        }
        terminal.shows(LEAVE);
        wait::until("it to be stopped", || state(&terminal) == Some('T'));
        assert!(!terminal.is_raw());
        signal(&terminal.child, Signal::CONT);
        terminal.shows(ENTER);
        terminal.shows("[topics]");
        wait::until("each key to be told again", || terminal.is_raw());
    }
    terminal.press("q");
    terminal.gives_the_terminal_back(0);
}
