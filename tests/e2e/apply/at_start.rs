//! The same file for a broker that starts.

use std::fs;
use std::path::Path;

use crate::server::{Server, ottla};

use super::{ORDERS, nothing_is_left_to_do};

fn server_with(file: &Path) -> Server {
    Server::with(&["--apply", file.to_str().unwrap()], &[])
}

#[test]
fn a_broker_has_everything_when_it_is_ready_and_keeps_what_became_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("topics.yaml");
    fs::write(&file, ORDERS).unwrap();
    let mut server = server_with(&file);
    assert_eq!(
        server.tool("topics --list"),
        "__consumer_offsets\norders\nprices\n"
    );
    nothing_is_left_to_do(&server, ORDERS);

    server.tool_with_input("console-producer --topic prices", "a\nb\n");
    server.tool("console-consumer --topic prices --group billing --max-messages 2");
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    let longer = ORDERS.replace("604800000", "604800001");
    fs::write(&file, longer).unwrap();
    server.restart();
    let described = server.tool("topics --describe --topic orders");
    assert!(described.contains("retention.ms=604800001"), "{described}");
    let groups = server.tool("consumer-groups --describe --group billing --offsets");
    let prices = groups.lines().find(|line| line.contains("prices")).unwrap();
    assert!(
        prices.split_whitespace().any(|word| word == "2"),
        "the group stays where it is: {groups}"
    );
}

#[test]
fn what_the_broker_advertises_need_not_lead_anywhere_from_its_own_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("topics.yaml");
    fs::write(&file, ORDERS).unwrap();
    for configured in [
        &["advertised.listeners=PLAINTEXT://no.such.host.invalid:9092"][..],
        &[
            "listeners=IN://127.0.0.1:0,OUT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
            "listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=IN",
            "advertised.listeners=IN://no.such.host.invalid:1,OUT://127.0.0.1:1",
        ],
        &[
            "listeners=PLAINTEXT://:0",
            "advertised.listeners=PLAINTEXT://192.0.2.1:9092",
        ],
    ] {
        let mut options = vec!["--apply", file.to_str().unwrap()];
        // The words that the harness looks at are those of their own.
        options.push("--override");
        options.extend(configured);
        let server = Server::with(&options, &[]);
        assert_eq!(
            server.tool("topics --list"),
            "__consumer_offsets\norders\nprices\n"
        );
    }
}

#[test]
fn a_broker_that_cannot_have_it_says_why_and_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("topics.yaml");
    let data = folder.path().join("data");
    for (text, reason) in [
        (ORDERS, ""),
        (
            "topics: {orders: {partitons: 1}}",
            "did you mean `partitions`?",
        ),
        (
            "topics: {orders: {partitions: 1}}",
            "with 1 partitions instead of 3; this loses data",
        ),
        (
            "topics: {orders: {configs: {retention.ms: 5, cleanup.policy: delete}}}",
            "this loses data",
        ),
        ("cluster_id: another", "The file is for the cluster another"),
    ] {
        fs::write(&file, text).unwrap();
        let mut server = ottla();
        server
            .args(["server", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .arg("--apply")
            .arg(&file);
        let ready = folder.path().join("ready");
        if reason.is_empty() {
            let mut child = server.arg("--ready-file").arg(&ready).spawn().unwrap();
            crate::wait::until("the broker to be ready", || ready.exists());
            crate::server::terminate(&child);
            child.wait().unwrap();
            continue;
        }
        let output = server.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}: {said}");
        assert!(said.contains(reason), "{text}: {said}");
        assert_eq!(output.stdout, b"", "it was never ready");
    }
}

#[test]
fn a_run_takes_the_file_of_any_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("topics.yaml");
    fs::write(&file, format!("cluster_id: another\n{ORDERS}")).unwrap();
    let mut run = ottla();
    run.args(["run", "--topic", "more", "-f"])
        .arg(&file)
        .args(["--", "sh", "-c"]);
    run.arg("$OTTLA topics --list --bootstrap-server $KAFKA_BROKERS")
        .env("OTTLA", env!("CARGO_BIN_EXE_ottla"));
    let output = run.output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.stdout, b"__consumer_offsets\nmore\norders\nprices\n");
}
