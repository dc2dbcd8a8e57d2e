//! Whoever reads a tool's output may go away at any time: no tool takes that for a failure, panics, or goes on for ever.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use crate::requests::create_topic;
use crate::server::{Server, ottla};
use crate::wait;

/// Of each tool a line that writes much or long; HERE is a broker with records, DATA its folder.
const LINES: &[(&str, &str)] = &[
    ("topics", "--describe --bootstrap-server HERE"),
    (
        "configs",
        "--describe --all --entity-type brokers --entity-name 1 --bootstrap-server HERE",
    ),
    (
        "console-consumer",
        "--topic load --from-beginning --bootstrap-server HERE",
    ),
    ("consumer-groups", "--list --bootstrap-server HERE"),
    ("groups", "--list --bootstrap-server HERE"),
    ("get-offsets", "--bootstrap-server HERE"),
    ("log-dirs", "--describe --bootstrap-server HERE"),
    ("transactions", "--bootstrap-server HERE list"),
    ("broker-api-versions", "--bootstrap-server HERE"),
    ("cluster", "list-endpoints --bootstrap-server HERE"),
    ("features", "--bootstrap-server HERE describe"),
    (
        "metadata-quorum",
        "--bootstrap-server HERE describe --status",
    ),
    (
        "producer-perf-test",
        "--topic load --num-records 100000000 --record-size 10 --throughput 100 --reporting-interval 50 --bootstrap-server HERE",
    ),
    (
        "consumer-perf-test",
        "--topic load --num-records 500 --timeout 20000 --bootstrap-server HERE",
    ),
    (
        "e2e-latency",
        "--topic ping --num-records 3 --producer-acks 1 --record-size 10 --bootstrap-server HERE",
    ),
    (
        "verifiable-producer",
        "--topic load --bootstrap-server HERE",
    ),
    (
        "verifiable-consumer",
        "--topic load --group-id verifiers --bootstrap-server HERE",
    ),
    (
        "dump-log",
        "--print-data-log --files DATA/load-0/00000000000000000000.log",
    ),
    ("storage", "random-uuid"),
    ("install-links", "DATA/links"),
    ("client-metrics", "--describe --bootstrap-server HERE"),
    ("reassign-partitions", "--list --bootstrap-server HERE"),
    ("doctor", "--bootstrap-server HERE"),
    ("context", "list"),
    ("top", "--interval 200ms --bootstrap-server HERE"),
];

/// Tools that write nothing, or run others.
const SILENT: &[&str] = &[
    "server",
    "run",
    "console-producer",
    "delete-records",
    "log",
    "pipe",
    // Asks for an authorizer, which a broker of ours has none of, and for leaders, which it never changes.
    "acls",
    "leader-election",
];

fn begin(tool: &str, line: &str) -> Child {
    let mut command: Command = ottla();
    command.arg(tool).args(line.split(' '));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn every_tool_ends_in_peace_when_nobody_reads_what_it_writes() {
    let server = Server::start();
    create_topic(server.address(), "load", 1);
    let records: String = (0..1000).map(|n| format!("{n}\n")).collect();
    server.tool_with_input("console-producer --topic load", &records);
    for (tool, line) in LINES {
        let line = line
            .replace("HERE", server.address())
            .replace("DATA", &server.data().display().to_string());
        let mut child = begin(tool, &line);
        drop(child.stdout.take());
        let status = wait::some(tool, || child.try_wait().unwrap());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            status.code() == Some(0) && !said.contains("panicked") && !said.contains("roken pipe"),
            "{tool}: {status}\n{said}"
        );
    }
}

#[test]
fn no_tool_is_forgotten_here() {
    for name in crate::examples::tools() {
        let is_walked = LINES.iter().any(|(tool, _)| *tool == name);
        assert!(
            is_walked || SILENT.contains(&&*name),
            "{name} has no line here"
        );
    }
}

#[test]
fn an_interrupt_ends_what_goes_on_for_ever() {
    let server = Server::start();
    create_topic(server.address(), "load", 1);
    for (tool, line) in [
        (
            "console-consumer",
            "--topic load --from-beginning --bootstrap-server HERE",
        ),
        (
            "verifiable-consumer",
            "--topic load --group-id readers --bootstrap-server HERE",
        ),
        (
            "consumer-groups",
            "--describe --all-groups --watch=1s --output csv --bootstrap-server HERE",
        ),
    ] {
        let mut child = begin(tool, &line.replace("HERE", server.address()));
        // It listens for signals before it asks the broker for anything, but not from its first instruction on. Three
        // sockets are the runtime's own, for signals.
        wait::until("the tool to be at work", || {
            let tasks = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
            tasks
                .filter_map(Result::ok)
                .filter(|fd| {
                    let target = std::fs::read_link(fd.path()).unwrap_or_default();
                    target.to_string_lossy().starts_with("socket:")
                })
                .count()
                > 3
        });
        crate::server::signal(&child, rustix::process::Signal::INT);
        let status = wait::some(tool, || child.try_wait().unwrap());
        // Before it listens, the signal itself ends it.
        let is_killed = status.signal() == Some(2);
        let is_ended = matches!(status.code(), Some(0 | 130));
        assert!(is_killed || is_ended, "{tool}: {status}");
    }
}
