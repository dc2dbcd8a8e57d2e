//! A record to the cluster and back.

use super::{examined, failing_with};
use crate::server::Server;

#[test]
fn a_round_trip_leaves_topics_that_were_there_alone() {
    let server = Server::start();
    server.tool("topics --create --topic mine");
    let words = [
        "--bootstrap-server",
        server.address(),
        "--round-trip",
        "--topic",
        "mine",
    ];
    let (report, status) = examined(&words);
    assert_eq!(status, Some(1));
    assert!(report.to_string().contains("is left alone"), "{report:#}");
    assert_eq!(server.tool("topics --list"), "mine\n");
    assert_eq!(server.tool("get-offsets --topic mine"), "mine:0:0\n");
}

/// The doctor's finding about a broker with such an override, where the round trip is all that fails.
fn refused_by(overrides: &[&str], words: &[&str]) -> String {
    let options: Vec<&str> = overrides
        .iter()
        .flat_map(|pair| ["--override", pair])
        .collect();
    let server = Server::with(&options, &[]);
    let all = [
        &["--bootstrap-server", server.address(), "--round-trip"],
        words,
    ]
    .concat();
    let (hop, finding) = failing_with(&all);
    assert_eq!(hop, "round-trip", "{finding}");
    // Whatever came of it, nothing is left.
    assert_eq!(server.tool("topics --list"), "\n");
    finding
}

#[test]
fn a_record_that_the_cluster_refuses_is_told_with_its_reason_and_what_to_do() {
    for (setting, reason, advice) in [
        (
            "min.insync.replicas=2",
            "NOT_ENOUGH_REPLICAS",
            "start the other brokers",
        ),
        (
            "message.max.bytes=20",
            "MESSAGE_TOO_LARGE",
            "message.max.bytes of the brokers",
        ),
    ] {
        let finding = refused_by(&[setting], &[]);
        assert!(finding.contains("the record was not written"), "{finding}");
        assert!(
            finding.contains(reason) && finding.contains(advice),
            "{finding}"
        );
    }
}

#[test]
fn a_topic_that_cannot_be_made_is_told_with_its_reason_and_what_to_do() {
    let cases: [(&[&str], &[&str], &str, &str); 2] = [
        (
            &[],
            &["--topic", "a/b"],
            "INVALID_TOPIC_EXCEPTION",
            "letters, digits",
        ),
        (
            &["default.replication.factor=3"],
            &[],
            "INVALID_REPLICATION_FACTOR",
            "default.replication.factor",
        ),
    ];
    for (overrides, words, reason, advice) in cases {
        let finding = refused_by(overrides, words);
        assert!(finding.contains("no topic can be made"), "{finding}");
        assert!(
            finding.contains(reason) && finding.contains(advice),
            "{finding}"
        );
    }
}

#[test]
fn a_cluster_that_is_full_of_partitions_is_told() {
    let server = Server::with(&["--override", "ottla.partitions.max=1"], &[]);
    server.tool("topics --create --topic full --partitions 1");
    let words = ["--bootstrap-server", server.address(), "--round-trip"];
    let (hop, finding) = failing_with(&words);
    let named = finding.contains("POLICY_VIOLATION") && finding.contains("delete topics");
    assert!(hop == "round-trip" && named, "{finding}");
}

/// A record without a key was refused there, and the cluster with it.
#[test]
fn a_cluster_that_compacts_by_default_is_healthy() {
    let server = Server::with(&["--override", "log.cleanup.policy=compact"], &[]);
    let (report, status) = examined(&["--bootstrap-server", server.address(), "--round-trip"]);
    assert_eq!(status, Some(0), "{report:#}");
}
