//! `features` on our broker: levels change while it runs, and who is in the middle of something goes on.

use std::io::Write;
use std::process::{Child, ChildStdin, Output, Stdio};

use serde_json::{Value, json};

use crate::requests::create_topic;
use crate::server::{Server, ottla};
use crate::wait;

fn features(server: &Server, line: &str) -> Output {
    let mut command = ottla();
    command.args(["features", "--bootstrap-server", server.address()]);
    command.args(line.split(' ')).output().unwrap()
}

fn stdout(server: &Server, line: &str) -> String {
    let output = features(server, line);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn level(server: &Server, feature: &str) -> i64 {
    let found: Value = serde_json::from_str(&stdout(server, "describe --output json")).unwrap();
    let features = found["features"].as_array().unwrap();
    let found = features.iter().find(|found| found["feature"] == feature);
    found.unwrap()["level"].as_i64().unwrap()
}

#[test]
fn levels_are_asked_for_changed_and_there_after_a_crash() {
    let mut server = Server::start();
    assert_eq!(
        stdout(
            &server,
            "downgrade --feature transaction.version=0 --dry-run"
        ),
        "transaction.version can be downgraded to 0.\n"
    );
    assert_eq!(level(&server, "transaction.version"), 2);
    assert_eq!(
        stdout(&server, "downgrade --feature transaction.version=1"),
        "transaction.version was downgraded to 1.\n"
    );
    assert_eq!(
        stdout(&server, "disable --feature group.version"),
        "group.version was disabled.\n"
    );
    server.kill();
    server.restart();
    assert_eq!(level(&server, "transaction.version"), 1);
    assert_eq!(level(&server, "group.version"), 0);
    let refused = features(
        &server,
        "upgrade --feature transaction.version=9 --output json",
    );
    assert_eq!(refused.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(
        told["features"][0]["error"]["code"],
        json!("INVALID_UPDATE_VERSION")
    );
}

#[test]
fn the_quorum_goes_by_the_voters_in_its_log_from_the_level_on_that_has_them() {
    let mut server = Server::start();
    let directory = |server: &Server| {
        let mut command = ottla();
        command.args(["metadata-quorum", "--bootstrap-server", server.address()]);
        command.args(["describe", "--status", "--output", "json"]);
        let told: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        told["voters"][0]["directoryId"].clone()
    };
    assert_eq!(directory(&server), Value::Null);
    let asked = stdout(&server, "upgrade --feature kraft.version=1 --dry-run");
    assert_eq!(asked, "kraft.version can be upgraded to 1.\n");
    assert_eq!(level(&server, "kraft.version"), 0);
    let raised = stdout(&server, "upgrade --feature kraft.version=1");
    assert_eq!(raised, "kraft.version was upgraded to 1.\n");
    let own = directory(&server);
    assert_ne!(own, Value::Null);
    server.kill();
    server.restart();
    assert_eq!(level(&server, "kraft.version"), 1);
    assert_eq!(directory(&server), own);
    let back = features(&server, "downgrade --feature kraft.version=0");
    assert_eq!(back.status.code(), Some(1));
}

/// A console producer that commits after every second line.
struct Producer {
    child: Child,
    stdin: ChildStdin,
}

impl Producer {
    fn start(server: &Server) -> Self {
        let mut child = ottla()
            .args(["console-producer", "--bootstrap-server", server.address()])
            .args(["--topic", "orders", "--transactional-id", "till", "--sync"])
            .args(["--commit-every", "2"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        Self { child, stdin }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }
}

fn is_open(server: &Server) -> bool {
    let line = "describe-producers --topic orders --partition 0 --output json";
    let mut command = ottla();
    command.args(["transactions", "--bootstrap-server", server.address()]);
    let output = command.args(line.split(' ')).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let mut producers = found["producers"].as_array().into_iter().flatten();
    producers.any(|producer| !producer["startOffset"].is_null())
}

/// The way down and up again lies in the middle of a transaction each time.
#[test]
fn a_producer_does_not_notice_that_the_version_of_transactions_changes() {
    let server = Server::start();
    create_topic(server.address(), "orders", 1);
    let mut producer = Producer::start(&server);
    let mut lines = Vec::new();
    for (round, change) in [
        "downgrade --feature transaction.version=0",
        "upgrade --feature transaction.version=1",
        "upgrade --feature transaction.version=2",
        "downgrade --feature transaction.version=1",
        "downgrade --feature transaction.version=0",
        "upgrade --feature transaction.version=2",
    ]
    .into_iter()
    .enumerate()
    {
        let (first, second) = (format!("{round}-first"), format!("{round}-second"));
        producer.send(&first);
        wait::until("the transaction to be open", || is_open(&server));
        stdout(&server, change);
        producer.send(&second);
        wait::until("the transaction to be over", || !is_open(&server));
        lines.extend([first, second]);
    }
    drop(producer.stdin);
    assert!(producer.child.wait().unwrap().success());
    let read = server.try_tool(
        "console-consumer --topic orders --partition 0 --offset earliest --isolation-level read_committed --timeout-ms 1000",
        "",
    );
    let read = String::from_utf8(read.stdout).unwrap();
    assert_eq!(read.lines().collect::<Vec<_>>(), lines);
}
