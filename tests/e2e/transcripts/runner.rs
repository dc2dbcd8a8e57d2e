//! Replays the cases of a suite on one server.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::format::{self, Reduction, Run, Step};
use super::normalize::normalize;
use super::suite::Suite;
use crate::server::{Server, ottla};

/// What `tests/interop/peers/kafka/bin/server-start` gave the brokers that were recorded: groups form at once, and the
/// controller listens.
const AS_RECORDED: [&str; 8] = [
    "--override",
    "group.initial.rebalance.delay.ms=0",
    "--override",
    LISTENERS.0,
    "--override",
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "--override",
    "controller.listener.names=CONTROLLER",
];
/// The system picks the ports, and this is how a transcript shows those that were picked.
const LISTENERS: (&str, &str) = (
    "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
    "listeners=PLAINTEXT://<BS>,CONTROLLER://<CONTROLLER>",
);
/// A command may take so long.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Difference {
    /// `suite/case`.
    pub(super) case: String,
    /// Counted from 1, files shown included.
    pub(super) command: usize,
    compared: Compared,
}

#[derive(Debug)]
struct Compared {
    /// The command line.
    line: String,
    expected: String,
    actual: String,
    /// For whoever looks into a difference.
    stderr: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compared {
            line,
            expected,
            actual,
            stderr,
        } = &self.compared;
        writeln!(f, "--- {} command {}: {line}", self.case, self.command)?;
        let (expected, actual): (Vec<&str>, Vec<&str>) = (
            expected.split_inclusive('\n').collect(),
            actual.split_inclusive('\n').collect(),
        );
        for line in expected.iter().filter(|line| !actual.contains(line)) {
            writeln!(f, "- {line:?}")?;
        }
        for line in actual.iter().filter(|line| !expected.contains(line)) {
            writeln!(f, "+ {line:?}")?;
        }
        if expected.len() == actual.len() && expected.iter().all(|line| actual.contains(line)) {
            writeln!(f, "  the order differs: {actual:#?}")?;
        }
        stderr
            .lines()
            .take(6)
            .try_for_each(|line| writeln!(f, "  stderr: {line}"))
    }
}

/// Runs every case in order, and returns what differs.
pub(super) fn run(suite: &Suite, skipped: impl Fn(&str) -> bool) -> Vec<Difference> {
    let properties = suite.properties.iter();
    let overrides = properties.flat_map(|property| ["--override", property]);
    let overrides: Vec<&str> = AS_RECORDED.into_iter().chain(overrides).collect();
    let mut stage = Stage::new(Server::with(&overrides, &[]));
    let mut differences = Vec::new();
    for case in suite.cases.iter().filter(|case| !skipped(case)) {
        stage.play(suite, case, &mut differences);
    }
    differences
}

/// Where commands run.
struct Stage {
    /// Commands run in here; the names with a dot are ours.
    work: TempDir,
    /// What placeholders in commands and files stand for.
    values: Vec<(&'static str, String)>,
    /// The way back, for outputs.
    placeholders: Vec<(String, String)>,
    background: HashMap<String, Child>,
    /// Bound and not listening: whoever connects is refused, and nobody else gets the port.
    _dead: Socket,
    _server: Server,
}

struct Outcome {
    stdout: String,
    stderr: String,
    status: i32,
}

impl Stage {
    fn new(server: Server) -> Self {
        let work = TempDir::new().expect("a working directory");
        let dead = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
        dead.bind(&any.into()).expect("a free port");
        let dead_address = dead
            .local_addr()
            .ok()
            .and_then(|address| address.as_socket())
            .expect("an address");
        let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
        let values = vec![
            ("<BS>", server.address().to_owned()),
            ("<BS1>", server.address().to_owned()),
            ("<DEAD>", dead_address.to_string()),
            ("<TMP>", path(work.path())),
            ("<DATA>/logs", path(&server.data())),
        ];
        let mut placeholders: Vec<(String, String)> = [3, 4, 0, 2]
            .into_iter()
            .filter_map(|index: usize| values.get(index))
            .map(|(name, value)| (value.clone(), (*name).to_owned()))
            .collect();
        placeholders.push((server.last_address(), "<CONTROLLER>".to_owned()));
        placeholders.push((LISTENERS.0.to_owned(), LISTENERS.1.to_owned()));
        let port = server.address().rsplit(':').next().unwrap_or_default();
        placeholders.push((format!("localhost:{port}"), "localhost:<PORT>".to_owned()));
        placeholders.push((format!(":{port}"), ":<PORT0>".to_owned()));
        Self {
            work,
            values,
            placeholders,
            background: HashMap::new(),
            _dead: dead,
            _server: server,
        }
    }

    fn play(&mut self, suite: &Suite, case: &str, differences: &mut Vec<Difference>) {
        let full_name = format!("{}/{case}", suite.name);
        let mut command = 0;
        let mut settled: Option<Instant> = None;
        for step in format::parse(&suite.transcript(case)) {
            let compared = match step {
                Step::File { name, text } => {
                    std::fs::write(self.path(&name), self.filled(&text))
                        .expect("a file in the working directory");
                    continue;
                }
                Step::Setup { command, stdin } => {
                    self.execute(&command, &stdin, None);
                    continue;
                }
                Step::Background {
                    name,
                    command,
                    lines,
                } => {
                    self.begin(&name, &command, lines);
                    continue;
                }
                Step::Settle(time) => {
                    settled = Some(Instant::now() + time + Duration::from_secs(5));
                    continue;
                }
                Step::Run(run) => {
                    command += 1;
                    self.compare_run(suite, case, command, &run, settled)
                }
                Step::Stop {
                    name,
                    stdout,
                    status,
                } => self.compare_stop(&name, &stdout, status),
                Step::Content { name, text } => {
                    command += 1;
                    let content = std::fs::read_to_string(self.path(&name));
                    let content = content.unwrap_or_else(|_| "<no such file>\n".to_owned());
                    let content = normalize(&content, &self.placeholders);
                    let actual = suite.substitute(case, command, content);
                    Compared {
                        line: format!("content of {name}"),
                        expected: text,
                        actual,
                        stderr: String::new(),
                    }
                }
            };
            if !is_same(&compared.expected, &compared.actual) {
                differences.push(Difference {
                    case: full_name.clone(),
                    command,
                    compared,
                });
            }
        }
        for (_, mut child) in self.background.drain() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    fn compare_run(
        &self,
        suite: &Suite,
        case: &str,
        command: usize,
        run: &Run,
        settled: Option<Instant>,
    ) -> Compared {
        let expected = format!(
            "{}= {}\n",
            run.stdout,
            run.status.expect("a recorded status")
        );
        let mut outcome = self.run(suite, case, command, run);
        // What needs time to settle is asked again until it has, instead of waiting first.
        let words = [" --describe", " --list", " describe", " list"];
        let asks = words.iter().any(|word| run.command.contains(word));
        let is_as_recorded = |outcome: &Outcome| is_same(&outcome.shown(), &expected);
        while asks && !is_as_recorded(&outcome) && settled.is_some_and(|end| Instant::now() < end) {
            std::thread::sleep(Duration::from_millis(50));
            outcome = self.run(suite, case, command, run);
        }
        Compared {
            line: run.command.clone(),
            expected,
            actual: outcome.shown(),
            stderr: outcome.stderr,
        }
    }

    fn compare_stop(&mut self, name: &str, stdout: &str, status: Option<i32>) -> Compared {
        let outcome = self.end(name);
        let Outcome { stderr, .. } = &outcome;
        let (line, stderr) = (format!("stop {name}"), stderr.clone());
        // Where no status was recorded, how it ends does not matter.
        let Some(status) = status else {
            return Compared {
                line,
                expected: String::new(),
                actual: String::new(),
                stderr,
            };
        };
        let actual = Outcome {
            stdout: normalize(&outcome.stdout, &self.placeholders),
            ..outcome
        };
        Compared {
            line,
            expected: format!("{stdout}= {status}\n"),
            actual: actual.shown(),
            stderr,
        }
    }

    /// Runs a command and reduces its output as the recorder did.
    fn run(&self, suite: &Suite, case: &str, command: usize, run: &Run) -> Outcome {
        let mut outcome = self.execute(&run.command, &run.stdin, Some(run));
        let stdout = normalize(&outcome.stdout, &self.placeholders);
        let mut lines: Vec<&str> = stdout.split_inclusive('\n').collect();
        match &run.reduced {
            None => {}
            Some(Reduction::Sorted) => lines.sort_unstable(),
            Some(Reduction::LinesMatching(pattern)) => {
                let pattern = Regex::new(pattern).expect("a good pattern");
                lines.retain(|line| pattern.is_match(line.trim_end_matches('\n')));
            }
        }
        outcome.stdout = suite.substitute(case, command, lines.concat());
        outcome
    }

    fn execute(&self, line: &str, stdin: &str, run: Option<&Run>) -> Outcome {
        let (out, err, input) = (self.path(".out"), self.path(".err"), self.path(".in"));
        std::fs::write(&input, repeated(stdin)).expect("a file for standard input");
        let input = File::open(&input).expect("standard input");
        let mut child = self.spawn(line, Stdio::from(input), &out, &err);
        let start = Instant::now();
        let mut told = false;
        let status = loop {
            if let Some(status) = child.try_wait().expect("a status") {
                break status
                    .code()
                    .unwrap_or_else(|| -status.signal().unwrap_or_default());
            }
            let shown = run.filter(|run| run.sigterm_after.is_some() && !told);
            if let Some(run) = shown {
                // The recorder waited long enough for all that comes; that it is there is the better sign.
                let late = run
                    .sigterm_after
                    .is_some_and(|after| start.elapsed() > after);
                if late || written(&out).len() >= run.stdout.len() {
                    told = true;
                    terminate(&child);
                }
            }
            if start.elapsed() > PATIENCE {
                child.kill().ok();
                child.wait().ok();
                break i32::MIN;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        Outcome {
            stdout: written(&out),
            stderr: written(&err),
            status,
        }
    }

    fn begin(&mut self, name: &str, line: &str, lines: usize) {
        let (out, err) = (
            self.path(&format!(".bg-{name}")),
            self.path(&format!(".bge-{name}")),
        );
        let child = self.spawn(line, Stdio::piped(), &out, &err);
        self.background.insert(name.to_owned(), child);
        let start = Instant::now();
        // Where the lines never come, the commands after it show what is missing.
        while written(&out).matches('\n').count() < lines
            && start.elapsed() < Duration::from_secs(30)
        {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn end(&mut self, name: &str) -> Outcome {
        let mut child = self
            .background
            .remove(name)
            .expect("a command in the background");
        terminate(&child);
        let start = Instant::now();
        while child.try_wait().expect("a status").is_none()
            && start.elapsed() < Duration::from_secs(20)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().ok();
        let status = child.wait().expect("a status");
        Outcome {
            stdout: written(&self.path(&format!(".bg-{name}"))),
            stderr: written(&self.path(&format!(".bge-{name}"))),
            status: status
                .code()
                .unwrap_or_else(|| -status.signal().unwrap_or_default()),
        }
    }

    fn spawn(&self, line: &str, stdin: Stdio, out: &PathBuf, err: &PathBuf) -> Child {
        let words = split(&self.filled(line));
        let file = |path: &PathBuf| File::create(path).expect("a file for output");
        ottla()
            .args(words)
            .current_dir(self.work.path())
            .env("TZ", "UTC")
            .stdin(stdin)
            .stdout(file(out))
            .stderr(file(err))
            .spawn()
            .expect("the binary")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn filled(&self, text: &str) -> String {
        self.values
            .iter()
            .fold(text.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            })
    }
}

impl Outcome {
    fn shown(&self) -> String {
        match self.status {
            i32::MIN => format!("{}= killed after {PATIENCE:?}\n", self.stdout),
            status => format!("{}= {status}\n", self.stdout),
        }
    }
}

/// But for the blanks behind numbers that no transcript keeps: those have other widths.
fn is_same(some: &str, others: &str) -> bool {
    without_widths(some) == without_widths(others)
}

fn without_widths(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, behind)) = rest.split_once("<N>") {
        kept.push_str(before);
        kept.push_str("<N>");
        rest = behind.trim_start_matches(' ');
    }
    kept + rest
}

fn terminate(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        kill_process(pid, Signal::TERM).ok();
    }
}

/// `<REPEAT:c:N>` stands for N times c.
fn repeated(stdin: &str) -> String {
    let pattern = Regex::new(r"<REPEAT:(.):(\d+)>").expect("a good pattern");
    let expand = |found: &regex::Captures<'_>| {
        let text = |index| {
            found
                .get(index)
                .map_or("", |group: regex::Match<'_>| group.as_str())
        };
        text(1).repeat(text(2).parse().expect("a number"))
    };
    pattern.replace_all(stdin, expand).into_owned()
}

/// The words of a command line as a POSIX shell takes it apart.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    let mut quote: Option<char> = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn command_lines_are_taken_apart_like_a_shell_does() {
    assert_eq!(
        split("a 'b c' \"d\"e '' f\\ g  h"),
        ["a", "b c", "de", "", "f g", "h"]
    );
}

/// What a process wrote to a file so far.
fn written(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
