//! Waiting for groups, as scripts do.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Member, broker, groups, parsed, produce, read, stderr, stdout};
use crate::server::{ottla, signal};

const LATE: Option<i32> = Some(3);

#[test]
fn a_script_waits_until_a_group_has_caught_up() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 4);

    let output = groups(&server, "--group g --wait-lag 0 --timeout 300ms");
    assert_eq!(output.status.code(), LATE);
    assert_eq!(
        stderr(&output).lines().last(),
        Some("Still not caught up after 300ms: orders-0 of group g lags by 6.")
    );
    assert!(stdout(&output).contains("LAG"), "it shows how things are");
    // Good enough for some.
    let output = groups(&server, "--describe --group g --wait-lag 6 --timeout 5s");
    assert_eq!(output.status.code(), Some(0));

    let waiting = ottla()
        .args([
            "consumer-groups",
            "--group",
            "g",
            "--wait-lag",
            "0",
            "--timeout",
            "60s",
        ])
        .args(["--bootstrap-server", server.address(), "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let member = Member::join(&server, "g", &[]);
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report = parsed(&output);
    assert_eq!(report["reached"], true);
    assert_eq!(report["groups"][0]["offsets"][0]["lag"], 0);
    member.leave();
}

/// It died of the signal itself, so that no script saw a status.
#[test]
fn whoever_loses_patience_gets_the_status_of_the_signal() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 4);
    for (by, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut waiting = ottla()
            .args("consumer-groups --group g --wait-lag 0 --timeout 60s".split(' '))
            .args(["--bootstrap-server", server.address()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(waiting.stderr.take().unwrap()).lines();
        said.next().expect("what it waits for").unwrap();
        signal(&waiting, by);
        let output = waiting.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_group_that_is_not_there_has_not_caught_up() {
    let server = broker();
    produce(&server, 10);
    for (line, reason) in [
        (
            "--group ghost --wait-lag 0 --timeout 100",
            "Group ghost not found.",
        ),
        (
            "--all-groups --wait-lag 0 --timeout 100",
            "there is no group.",
        ),
    ] {
        let output = groups(&server, line);
        assert_eq!(output.status.code(), LATE);
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
    }
    // A topic that the group does not read is nothing that it has caught up with.
    read(&server, "g", 10);
    let output = groups(
        &server,
        "--group g --topic other --wait-lag 0 --timeout 100",
    );
    assert_eq!(output.status.code(), LATE);
    let output = groups(
        &server,
        "--group g --topic orders:0 --wait-lag 0 --timeout 100",
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_group_that_has_committed_nothing_yet_lags_by_all_there_is() {
    let server = broker();
    produce(&server, 10);
    let member = Member::join(
        &server,
        "g",
        &["--command-property", "enable.auto.commit=false"],
    );
    let output = groups(&server, "--group g --wait-lag 9 --timeout 100");
    assert_eq!(output.status.code(), LATE);
    assert!(
        stderr(&output).contains("lags by 10."),
        "{}",
        stderr(&output)
    );
    let output = groups(&server, "--group g --wait-lag 10 --timeout 5s");
    assert_eq!(output.status.code(), Some(0));
    member.leave();
}

#[test]
fn a_dead_broker_is_said_at_once_and_one_that_dies_meanwhile_is_waited_for() {
    let mut server = broker();
    produce(&server, 10);
    read(&server, "g", 4);
    let begun = Instant::now();
    let output = ottla()
        .args([
            "consumer-groups",
            "--group",
            "g",
            "--wait-lag",
            "0",
            "--timeout",
            "60s",
        ])
        .args(["--bootstrap-server", "127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(
        stderr(&output).contains("127.0.0.1:1"),
        "{}",
        stderr(&output)
    );

    let mut waiting = ottla()
        .args([
            "consumer-groups",
            "--group",
            "g",
            "--wait-lag",
            "0",
            "--timeout",
            "3s",
        ])
        .args(["--bootstrap-server", server.address()])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(waiting.stderr.take().unwrap()).lines();
    assert_eq!(
        said.next().unwrap().unwrap(),
        "Waiting for 3s at most: orders-0 of group g lags by 6."
    );
    server.kill();
    assert_eq!(waiting.wait().unwrap().code(), LATE);
}

#[test]
fn words_that_make_no_sense_are_refused() {
    let server = broker();
    for line in [
        "--wait-lag 0 --timeout 1s",
        "--group g --wait-lag -1",
        "--group g --wait-lag soon",
        "--group g --wait-lag 0 --timeout soon",
        "--group g --wait-lag 0 --members --describe",
        "--group g --wait-lag 0 --list",
        "--group g --wait-lag 0 --describe --watch",
    ] {
        let output = groups(&server, line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(stdout(&output).is_empty(), "{line}");
    }
}
