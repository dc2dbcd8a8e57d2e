//! Tools that run long, told to end: they do so at once, with the status that shells give a process that a signal ended.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::server::{Server, ottla, signal};
use crate::wait;

/// On a machine that does much else.
const AT_ONCE: Duration = Duration::from_secs(5);

const ENDINGS: [(Signal, i32); 2] = [(Signal::INT, 130), (Signal::TERM, 143)];

fn broker() -> Server {
    let server = Server::with(&["--override", "group.initial.rebalance.delay.ms=0"], &[]);
    server.tool("topics --create --topic load --partitions 1");
    server
}

fn begin(server: &Server, line: &str) -> Child {
    ottla()
        .args(line.split_whitespace())
        .args(["--bootstrap-server", server.address()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How many records the topic has had.
fn written(server: &Server) -> usize {
    let told = server.tool("get-offsets --topic load");
    let (_, end) = told.trim().rsplit_once(':').unwrap();
    end.parse().unwrap()
}

fn end(mut child: Child, by: Signal, status: i32) -> String {
    let begun = Instant::now();
    signal(&child, by);
    assert_eq!(child.wait().unwrap().code(), Some(status));
    assert!(begun.elapsed() < AT_ONCE, "took {:?}", begun.elapsed());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "");
    let mut told = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    told
}

#[test]
fn what_the_console_producer_has_read_is_sent_before_it_ends() {
    let server = broker();
    let mut expected = 0;
    for (by, status) in ENDINGS {
        // The last batch is not full, and would wait for an hour.
        let line =
            "console-producer --topic load --timeout 3600000 --command-property batch.size=1000";
        let mut child = begin(&server, line);
        let mut stdin = child.stdin.take().unwrap();
        let lines = format!("{}\n", "x".repeat(99)).repeat(35);
        stdin.write_all(lines.as_bytes()).unwrap();
        wait::until("the full batches", || written(&server) > expected);
        expected += 35;
        assert_eq!(end(child, by, status), "");
        assert_eq!(written(&server), expected);
    }
}

#[test]
fn a_transaction_that_is_interrupted_is_aborted() {
    let server = broker();
    let line = "console-producer --topic load --transactional-id t --timeout 0";
    let mut child = begin(&server, line);
    child.stdin.as_mut().unwrap().write_all(b"lost\n").unwrap();
    wait::until("the record", || written(&server) > 0);
    let stdin = child.stdin.take();
    assert_eq!(end(child, Signal::INT, 130), "");
    drop(stdin);
    let described = ottla()
        .args(["transactions", "--bootstrap-server", server.address()])
        .args(["describe", "--transactional-id", "t"])
        .output()
        .unwrap();
    let described = String::from_utf8(described.stdout).unwrap();
    assert!(described.contains("CompleteAbort"), "{described}");
}

#[test]
fn tests_of_speed_end_without_figures() {
    let server = broker();
    for (by, status) in ENDINGS {
        for line in [
            "producer-perf-test --topic load --num-records 1000000 --throughput 100 --record-size 10",
            "e2e-latency --topic load --num-records 100000000 --producer-acks 1 --record-size 10",
        ] {
            let before = written(&server);
            let child = begin(&server, line);
            wait::until("records", || written(&server) > before);
            let told = end(child, by, status);
            assert!(!told.contains("99.9"), "{told}");
        }
    }
}

#[test]
fn a_producer_that_is_as_fast_as_it_can_hears_of_it_too() {
    let server = broker();
    let line =
        "producer-perf-test --topic load --num-records 1000000000 --throughput -1 --record-size 10";
    let child = begin(&server, line);
    wait::until("records", || written(&server) > 0);
    end(child, Signal::INT, 130);
}

#[test]
fn consumers_that_wait_for_more_end_with_what_they_have() {
    let server = broker();
    server.tool_with_input("console-producer --topic load", "one\n");
    for (by, status) in ENDINGS {
        for line in [
            "console-consumer --topic load --from-beginning --group g",
            "consumer-perf-test --topic load --num-records 1000 --timeout 600000 --group g",
        ] {
            let child = begin(&server, line);
            let members = || {
                let line = "consumer-groups --describe --group g --members --output json";
                String::from_utf8(server.try_tool(line, "").stdout).unwrap()
            };
            wait::until("a member", || members().contains("\"clientId\""));
            signal(&child, by);
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(status), "{line}");
            // It has left, and nobody waits for its session to end.
            assert!(!members().contains("\"clientId\""), "{line}");
        }
    }
}

#[test]
fn a_consumer_whose_broker_is_gone_waits_for_no_farewell() {
    let mut server = broker();
    server.tool_with_input("console-producer --topic load", "one\n");
    let mut children: Vec<Child> = ["", " --group g"]
        .map(|group| format!("console-consumer --topic load --from-beginning{group}"))
        .map(|line| begin(&server, &line))
        .into();
    for child in &mut children {
        let mut record = [0; 4];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut record)
            .unwrap();
    }
    server.kill();
    for child in children {
        let begun = Instant::now();
        signal(&child, Signal::TERM);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(143));
        assert!(begun.elapsed() < 2 * AT_ONCE, "took {:?}", begun.elapsed());
    }
}

#[test]
fn who_was_started_to_outlive_a_hangup_does() {
    let server = broker();
    server.tool_with_input("console-producer --topic load", "one\n");
    let program = ottla().get_program().to_owned();
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(program)
        .args(["console-consumer", "--topic", "load", "--from-beginning"])
        .args(["--bootstrap-server", server.address()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let read = |child: &mut Child, expected: &str| {
        let mut record = vec![0; expected.len()];
        let stdout = child.stdout.as_mut().unwrap();
        stdout.read_exact(&mut record).unwrap();
        assert_eq!(record, expected.as_bytes());
    };
    read(&mut child, "one\n");
    signal(&child, Signal::HUP);
    server.tool_with_input("console-producer --topic load", "two\n");
    read(&mut child, "two\n");
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}
