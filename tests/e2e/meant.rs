//! Slips of the pen in names that only the cluster knows, and in keys of configurations: what was meant is said.

use crate::server::{Server, ottla};

#[test]
fn a_slip_of_the_pen_is_answered_with_the_name_that_there_is() {
    let server = Server::start();
    server.tool("topics --create --topic payments --partitions 1");
    server.tool_with_input("console-producer --topic payments", "a\n");
    server.tool(
        "console-consumer --topic payments --group billing --from-beginning --max-messages 1",
    );
    for (line, meant) in [
        ("topics --describe --topic paymnets", "'payments'"),
        ("get-offsets --topic paymnets", "'payments'"),
        ("console-consumer --topic paymnets --tail 1", "'payments'"),
        ("consumer-groups --describe --group biling", "'billing'"),
        (
            "consumer-groups --reset-offsets --group billing --topic paymnets --to-earliest --dry-run",
            "'payments'",
        ),
        (
            "configs --alter --entity-type topics --entity-name payments --add-config retention.m=1",
            "retention.ms",
        ),
        ("configs --describe --entity-type topic", "topics"),
        (
            "acls --add --topic payments --allow-principal User:a --operation Raed",
            "Read",
        ),
        (
            "acls --add --topic payments --allow-principal alice",
            "User:alice",
        ),
        (
            "acls --list --topic payments --principal user:alice",
            "User:alice",
        ),
        (
            "acls --list --topic payments --resource-pattern-type prefix",
            "prefixed",
        ),
    ] {
        let output = server.try_tool(line, "");
        let said = String::from_utf8_lossy(&output.stderr);
        let sentence = format!("Did you mean {meant}?\n");
        assert!(said.contains(&sentence), "{line}: {said}");
    }
}

#[test]
fn features_and_metrics_have_names_that_can_be_missed_too() {
    let server = Server::start();
    let here = server.address();
    for (line, meant) in [
        (
            "features --bootstrap-server HERE upgrade --feature transactions.version=2",
            "Did you mean transaction.version?",
        ),
        (
            "features --bootstrap-server HERE feature-dependencies --feature metadata.versoin=20",
            "Did you mean metadata.version?",
        ),
        (
            "client-metrics --bootstrap-server HERE --alter --name slow --match client_ip=x",
            "did you mean client_id?",
        ),
        (
            "client-metrics --bootstrap-server HERE --alter --name slow --metrics org.apache.kafka.prodcuer.",
            "did you mean org.apache.kafka.producer.?",
        ),
    ] {
        let mut command = ottla();
        command.args(line.replace("HERE", here).split(' '));
        let output = command.output().expect("the binary");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(meant), "{line}: {said}");
    }
}
