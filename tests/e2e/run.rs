//! `ottla run`: a command has a broker while it runs, and nothing is left of it, whoever is killed how.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::server::{ottla, signal};
use crate::terminal;
use crate::wait;

/// A run whose temporary directory is its own.
struct Run {
    child: Child,
    folder: TempDir,
}

impl Run {
    fn start(words: &[&str]) -> Run {
        Run::with_input(words, Stdio::null())
    }

    fn with_input(words: &[&str], input: impl Into<Stdio>) -> Run {
        Run::by(ottla(), words, input)
    }

    /// By way of a command that ends with the binary.
    fn by(mut command: Command, words: &[&str], input: impl Into<Stdio>) -> Run {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        command.arg("run").args(words);
        command
            .current_dir(folder.path())
            .env("TMPDIR", &temporary)
            .env("OTTLA", env!("CARGO_BIN_EXE_ottla"))
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Run {
            child: command.spawn().unwrap(),
            folder,
        }
    }

    /// Runs a script in a shell whose files lie in the run's folder.
    fn script(script: &str) -> Run {
        Run::start(&["--", "sh", "-c", script])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file's text, once the command has written a whole line.
    fn line_of(&self, name: &str) -> String {
        wait::some(name, || {
            let text = fs::read_to_string(self.path(name)).ok()?;
            Some(text.strip_suffix('\n')?.to_owned())
        })
    }

    /// What it said, and its exit status. Its temporary directory is empty then.
    fn end(self) -> (Output, i32) {
        let temporary = self.path("tmp");
        let output = self.child.wait_with_output().unwrap();
        let left: Vec<_> = fs::read_dir(temporary).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        let status = output.status.code().expect("an exit status");
        (output, status)
    }

    /// The processes that it has started and that have not ended.
    fn children(&self) -> Vec<i32> {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        children
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect()
    }
}

fn is_alive(pid: &str) -> bool {
    // A process that has ended and that nobody waited for is not alive.
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_command_finds_its_broker_and_its_topics_and_its_exit_status_is_returned() {
    let script = "$OTTLA topics --bootstrap-server $KAFKA_BOOTSTRAP_SERVERS --describe
        for name in BOOTSTRAP_SERVERS KAFKA_BROKERS RPK_BROKERS SPRING_KAFKA_BOOTSTRAP_SERVERS MINE \
            SPRING_EMBEDDED_KAFKA_BROKERS SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS; do
            test x$(printenv $name) = x$KAFKA_BOOTSTRAP_SERVERS || exit 1
        done
        echo one | $OTTLA console-producer --bootstrap-server $MINE --topic orders
        $OTTLA console-consumer --bootstrap-server $MINE --topic orders --group g --from-beginning --max-messages 1
        exit 7";
    let topics = [
        "--topic",
        "orders:3",
        "--topic",
        "prices:1:cleanup.policy=compact,delete,retention.ms=5000",
    ];
    let words = [&topics[..], &["--env", "MINE", "--", "sh", "-c", script]].concat();
    let (output, status) = Run::start(&words).end();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert_eq!(status, 7, "{out}{err}");
    assert!(
        out.contains("Topic: orders\t") && out.contains("PartitionCount: 3"),
        "{out}"
    );
    assert!(
        out.contains("cleanup.policy=compact,delete") && out.contains("retention.ms=5000"),
        "{out}"
    );
    assert!(out.ends_with("one\n"), "{out}");
    assert!(!err.contains("INFO"), "the broker is quiet: {err}");
}

#[test]
fn the_status_of_a_command_that_a_signal_ends_is_the_shells() {
    let (_, status) = Run::script("kill -USR1 $$").end();
    assert_eq!(status, 128 + Signal::USR1.as_raw());
}

#[test]
fn two_at_once_have_nothing_in_common() {
    let script = "for topic in same own-${KAFKA_BROKERS##*:}; do
            $OTTLA topics --bootstrap-server $KAFKA_BROKERS --create --topic $topic > made
        done
        echo ${KAFKA_BROKERS##*:} > port
        while ! [ -e go ]; do sleep 0.02; done
        $OTTLA topics --bootstrap-server $KAFKA_BROKERS --list";
    let runs = [Run::script(script), Run::script(script)];
    let ports = runs.each_ref().map(|run| run.line_of("port"));
    assert_ne!(ports[0], ports[1]);
    for (run, port) in runs.into_iter().zip(ports) {
        fs::write(run.path("go"), "").unwrap();
        let (output, status) = run.end();
        let err = said(&output.stderr);
        assert_eq!(
            (status, said(&output.stdout)),
            (0, format!("own-{port}\nsame\n")),
            "{err}"
        );
    }
}

#[test]
fn the_command_has_standard_input_and_what_it_leaves_in_the_background_is_waited_for_by_nobody() {
    let mut run = Run::with_input(
        &[
            "--",
            "sh",
            "-c",
            "sleep 1000 > /dev/null 2>&1 & echo $! > pid; read line; echo $line; exit 3",
        ],
        Stdio::piped(),
    );
    run.child
        .stdin
        .take()
        .unwrap()
        .write_all(b"a line\n")
        .unwrap();
    let left: i32 = run.line_of("pid").parse().unwrap();
    let (output, status) = run.end();
    assert_eq!((status, said(&output.stdout).as_str()), (3, "a line\n"));
    assert!(is_alive(&left.to_string()));
    kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
}

/// Writes down each signal of this name that comes, and at TERM says how many there were.
fn counting(name: &str) -> String {
    format!(
        "trap 'echo came >> came' {name}; trap 'wc -l < came; exit 5' TERM
        echo ready > ready; while :; do sleep 0.02; done"
    )
}

/// One signal came, and the command ends when it is asked to.
fn came_once(run: Run) {
    assert_eq!(run.line_of("came"), "came");
    signal(&run.child, Signal::TERM);
    let (output, status) = run.end();
    let err = said(&output.stderr);
    assert_eq!((status, said(&output.stdout).trim()), (5, "1"), "{err}");
}

/// The binary in a session of its own.
fn session(options: &[&str]) -> Command {
    let mut session = Command::new("setsid");
    session.args(options).arg(ottla().get_program());
    session
}

#[test]
fn each_signal_is_passed_on_once() {
    for (sent, name) in [
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
    ] {
        // Without a terminal, whose keys it would be thought to be.
        let session = session(&["--wait"]);
        let run = Run::by(session, &["--", "sh", "-c", &counting(name)], Stdio::null());
        run.line_of("ready");
        signal(&run.child, sent);
        came_once(run);
    }
}

#[test]
fn a_key_of_the_terminal_reaches_the_command_once() {
    let (mut person, terminal) = terminal::open();
    let session = session(&["--ctty", "--wait"]);
    let run = Run::by(session, &["--", "sh", "-c", &counting("INT")], terminal);
    run.line_of("ready");
    person.write_all(b"\x03").unwrap();
    came_once(run);
}

#[test]
fn signals_are_passed_on_and_the_command_has_its_broker_while_it_ends() {
    let run = Run::script(
        "trap '$OTTLA topics --bootstrap-server $KAFKA_BROKERS --list; exit 9' TERM
        echo ready > ready; while :; do sleep 0.02; done",
    );
    run.line_of("ready");
    signal(&run.child, Signal::TERM);
    let (output, status) = run.end();
    assert_eq!(
        (status, said(&output.stdout).as_str()),
        (9, "\n"),
        "{}",
        said(&output.stderr)
    );
}

#[test]
fn a_run_that_is_killed_takes_everything_with_it() {
    let mut run = Run::script("echo $KAFKA_BROKERS > address; echo $$ > pid; exec sleep 1000");
    let (address, pid) = (run.line_of("address"), run.line_of("pid"));
    assert!(TcpStream::connect(&address).is_ok());
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    wait::until("the command to end", || !is_alive(&pid));
    wait::until("the broker to end", || {
        TcpStream::connect(&address).is_err()
    });
    wait::until("the directory to go", || {
        fs::read_dir(run.path("tmp")).unwrap().next().is_none()
    });
}

#[test]
fn a_broker_that_ends_is_said_and_ends_the_command() {
    let run = Run::script("echo $$ > pid; exec sleep 1000");
    let command: i32 = run.line_of("pid").parse().unwrap();
    let broker = run.children().into_iter().find(|pid| *pid != command);
    kill_process(Pid::from_raw(broker.unwrap()).unwrap(), Signal::KILL).unwrap();
    let (output, status) = run.end();
    let said = said(&output.stderr);
    assert_eq!(status, 125, "{said}");
    assert!(
        said.starts_with("The broker ended before the command did."),
        "{said}"
    );
    assert!(!is_alive(&command.to_string()));
}

#[test]
fn what_cannot_be_run_is_told_apart_from_what_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (words, expected, text) in [
        (&["--", "no-such-command"][..], 127, "no-such-command"),
        (&["--", "/etc/passwd"], 126, "/etc/passwd"),
        (
            &["--override", "num.partitions=many", "--", "true"],
            125,
            "num.partitions",
        ),
        (&["--topic", "a:b", "--", "true"], 125, "a:b"),
        (&["--topic", "a/b", "--", "true"], 125, "a/b"),
        (
            &["--topic", "a:1:retention=5", "--", "true"],
            125,
            "retention",
        ),
        (
            &["--topic", "a", "--topic", "a:2", "--", "true"],
            125,
            "more than once",
        ),
        (&["-f", "no-such-file", "--", "true"], 125, "no-such-file"),
        (
            &["--env", "A=B", "--", "true"],
            125,
            "no name of a variable",
        ),
        (&["--listen", &taken, "--", "true"], 125, &taken),
        (
            &["--log", "no/such/folder", "--", "true"],
            125,
            "no/such/folder",
        ),
        (&[], 125, "COMMAND"),
    ] {
        let (output, status) = Run::start(words).end();
        let said = said(&output.stderr);
        assert_eq!(status, expected, "{words:?}: {said}");
        assert!(said.contains(text), "{words:?}: {said}");
    }
}

#[test]
fn the_log_is_kept_where_it_is_asked_for_and_shows_nowhere_else() {
    let run = Run::start(&["--log", "broker.log", "--", "true"]);
    let log = run.path("broker.log");
    let output = run.child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(said(&output.stderr), "");
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("INFO"), "{log}");
}
