//! A console consumer that its group does not let in: it says why, and ends with the status that the reference's has.

use std::process::Output;

use super::{Member, broker, produce, stderr};
use crate::server::Server;

fn consume(server: &Server, line: &str) -> Output {
    let line = format!("console-consumer --topic orders --timeout-ms 30000 {line}");
    server.try_tool(&line, "")
}

#[track_caller]
fn refused(server: &Server, line: &str, reason: &str) {
    let output = consume(server, line);
    let said = stderr(&output);
    let mut lines = said.lines();
    let is_said = lines.any(|line| line.starts_with("Reading was given up: group "));
    assert!(is_said, "{said}");
    assert!(said.contains(&format!(" ({reason}).")), "{said}");
    assert!(!said.contains(". ("), "it ends once: {said}");
    assert_eq!(output.status.code(), Some(0), "{line}");
}

#[test]
fn what_the_coordinator_refuses_is_said_and_ends_with_0() {
    let server = broker();
    produce(&server, 10);
    let member = Member::join(&server, "held", &[]);
    refused(
        &server,
        "--group g --command-property session.timeout.ms=2000000",
        "INVALID_SESSION_TIMEOUT",
    );
    refused(
        &server,
        "--group held --command-property partition.assignment.strategy=roundrobin",
        "INCONSISTENT_GROUP_PROTOCOL",
    );
    refused(
        &server,
        "--group g --command-property group.protocol=consumer --command-property group.remote.assignor=mine",
        "UNSUPPORTED_ASSIGNOR",
    );
    member.leave();
}

#[test]
fn a_group_that_is_full_is_said_and_ends_with_0() {
    let server = Server::with(
        &[
            "--override",
            "group.max.size=1",
            "group.consumer.max.size=1",
        ],
        &[],
    );
    server.tool("topics --create --topic orders --partitions 1");
    for protocol in ["classic", "consumer"] {
        let speaks = format!("group.protocol={protocol}");
        let member = Member::join(&server, protocol, &["--command-property", &speaks]);
        let line = format!("--group {protocol} --command-property {speaks}");
        refused(&server, &line, "GROUP_MAX_SIZE_REACHED");
        member.leave();
    }
}

#[test]
fn a_setting_that_makes_no_sense_is_said_and_ends_with_1() {
    let server = broker();
    for (setting, reason) in [
        (
            "group.protocol=mine",
            "Invalid value mine for configuration group.protocol",
        ),
        ("session.timeout.ms=1", "heartbeat.interval.ms"),
    ] {
        let output = consume(&server, &format!("--group g --command-property {setting}"));
        assert_eq!(output.status.code(), Some(1), "{setting}");
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
    }
}
