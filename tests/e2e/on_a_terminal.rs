//! What only a person sees: bars for long work, and colours. Scripts, pipes and files get neither.

use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::requests::create_topic;
use crate::server::{Server, ottla};
use crate::terminal;

const ESCAPE: char = '\x1b';

/// What a tool says on a terminal, which is one of its two streams, and on the other, which is a pipe.
struct Shown {
    terminal: String,
    pipe: String,
}

#[derive(Clone, Copy, PartialEq)]
enum OnTerminal {
    Out,
    Err,
}

fn shown(command: &mut Command, on_terminal: OnTerminal) -> Shown {
    let (mut screen, terminal) = terminal::open();
    command.stdin(Stdio::null()).env("TERM", "xterm");
    match on_terminal {
        OnTerminal::Out => command.stdout(terminal).stderr(Stdio::piped()),
        OnTerminal::Err => command.stdout(Stdio::piped()).stderr(terminal),
    };
    let mut child = command.spawn().expect("the binary");
    // Nobody else holds the other end of the terminal any more, so that it ends with the tool.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let reading = std::thread::spawn(move || {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = screen.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..length]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    });
    let mut pipe = String::new();
    match on_terminal {
        OnTerminal::Out => child
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut pipe),
        OnTerminal::Err => child
            .stdout
            .take()
            .expect("a pipe")
            .read_to_string(&mut pipe),
    }
    .expect("text");
    child.wait().expect("an end");
    let terminal = reading.join().expect("what was on the screen");
    Shown { terminal, pipe }
}

fn command(server: &Server, line: &str) -> Command {
    let mut command = ottla();
    command.args(line.split(' ')).env_remove("NO_COLOR");
    command.args(["--bootstrap-server", server.address()]);
    command
}

#[test]
fn long_work_has_a_bar_where_somebody_looks_and_nowhere_else() {
    let server = Server::start();
    create_topic(server.address(), "load", 1);
    let produce =
        "producer-perf-test --topic load --num-records 20000 --record-size 100 --throughput -1";
    let consume = "consumer-perf-test --topic load --num-records 20000";
    for line in [produce, consume] {
        let seen = shown(&mut command(&server, line), OnTerminal::Err);
        assert!(
            seen.terminal.contains("/20,000 records"),
            "{:?}",
            seen.terminal
        );
        assert!(!seen.pipe.contains(ESCAPE), "{:?}", seen.pipe);
        let unseen = command(&server, line).output().expect("the binary");
        let said = String::from_utf8_lossy(&unseen.stderr).into_owned();
        assert!(
            !said.contains(ESCAPE) && !said.contains("/20,000"),
            "{said:?}"
        );
    }
}

/// It stood at nothing for hundreds of records.
#[test]
fn a_slow_run_is_seen_to_go_on() {
    let server = Server::start();
    create_topic(server.address(), "load", 1);
    let line =
        "producer-perf-test --topic load --num-records 60 --record-size 100 --throughput 100";
    let seen = shown(&mut command(&server, line), OnTerminal::Err);
    let numbers = seen.terminal.split("/60 records").filter_map(|part| {
        let number = part.rsplit(' ').next()?;
        number.parse::<u64>().ok()
    });
    let between = numbers.filter(|number| (1..60).contains(number)).count();
    assert!(between > 0, "{:?}", seen.terminal);
}

#[test]
fn changes_of_many_topics_and_groups_have_a_bar_too() {
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("topics.yaml");
    let topics = "topics: {a: {partitions: 1}, b: {partitions: 1}}\n";
    let groups = "groups: {g: {offsets: {a: 0}}, h: {offsets: {a: 0}}, i: {offsets: {a: 0}}}\n";
    std::fs::write(&file, [topics, groups].concat()).expect("a file");
    let apply = format!("topics apply -f {}", file.display());
    let seen = shown(&mut command(&server, &apply), OnTerminal::Err);
    assert!(seen.terminal.contains("/5, "), "{:?}", seen.terminal);
    assert!(seen.pipe.ends_with("Done.\n"), "{:?}", seen.pipe);
    let reset = "consumer-groups --reset-offsets --all-groups --all-topics --to-earliest --execute";
    let seen = shown(&mut command(&server, reset), OnTerminal::Err);
    assert!(seen.terminal.contains("/3, "), "{:?}", seen.terminal);
    assert!(!seen.pipe.contains(ESCAPE), "{:?}", seen.pipe);
    // Of one group there is nothing to count.
    let reset = "consumer-groups --reset-offsets --group g --all-topics --to-earliest --execute";
    let seen = shown(&mut command(&server, reset), OnTerminal::Err);
    assert!(!seen.terminal.contains("/1, "), "{:?}", seen.terminal);
}

#[test]
fn what_has_failed_is_red_on_a_terminal_unless_no_colour_is_wanted() {
    let server = Server::start();
    let line = "topics --describe --topic none";
    let seen = shown(&mut command(&server, line), OnTerminal::Err);
    let sentence = "Topic 'none' does not exist as expected";
    assert!(
        seen.terminal
            .contains(&format!("\x1b[31m{sentence}\x1b[0m")),
        "{:?}",
        seen.terminal
    );
    let plain = shown(command(&server, line).env("NO_COLOR", "1"), OnTerminal::Err);
    assert!(plain.terminal.contains(sentence) && !plain.terminal.contains(ESCAPE));
    // Said to be empty, it says nothing.
    let empty = shown(command(&server, line).env("NO_COLOR", ""), OnTerminal::Err);
    assert!(empty.terminal.contains(ESCAPE));
}

#[test]
fn plans_and_diagnoses_are_coloured_on_a_terminal_only() {
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("topics.yaml");
    std::fs::write(&file, "topics: {new: {partitions: 1}}\n").expect("a file");
    let plan = format!("topics apply --plan -f {}", file.display());
    for (line, coloured) in [
        (plan.as_str(), "\x1b[32m+ topic new\x1b[0m"),
        ("doctor", "\x1b[32mok "),
    ] {
        let seen = shown(&mut command(&server, line), OnTerminal::Out);
        assert!(seen.terminal.contains(coloured), "{:?}", seen.terminal);
        let plain = shown(command(&server, line).env("NO_COLOR", "1"), OnTerminal::Out);
        assert!(!plain.terminal.contains(ESCAPE), "{:?}", plain.terminal);
        let piped = shown(&mut command(&server, line), OnTerminal::Err);
        assert!(!piped.pipe.contains(ESCAPE), "{:?}", piped.pipe);
    }
}

#[test]
fn names_that_are_nearly_right_are_answered_with_the_right_ones() {
    // Else whoever reads a topic makes it.
    let server = Server::with(&["--override", "auto.create.topics.enable=false"], &[]);
    create_topic(server.address(), "orders", 1);
    server.tool_with_input("console-producer --topic orders", "a\n");
    server
        .tool("console-consumer --topic orders --group readers --from-beginning --max-messages 1");
    for (line, meant) in [
        ("topics --describe --topic oders", "Did you mean 'orders'?"),
        (
            "consumer-groups --describe --group reader",
            "Did you mean 'readers'?",
        ),
        (
            "consumer-groups --delete --group redaers",
            "Did you mean 'readers'?",
        ),
        (
            "configs --alter --topic orders --add-config retention.mss=1",
            "Did you mean retention.ms?",
        ),
        (
            "console-consumer --topic ordrs --timeout-ms 3000",
            "Did you mean 'orders'?",
        ),
        (
            "cluster cluster-id --bootstrap-sever x",
            "Did you mean --bootstrap-server?",
        ),
        ("cluster clusterid", "Did you mean cluster-id?"),
    ] {
        let output = command(&server, line).output().expect("the binary");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(meant), "{line}: {said}");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!out.contains("Did you mean"), "{line}: {out}");
    }
}
