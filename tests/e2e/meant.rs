//! Slips of the pen in names that only the cluster knows, in options and in keys of configurations: what was meant is said.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;

use crate::bad_endpoints::calls::{Then, run};
use crate::server::{Server, ottla};
use crate::terminal;

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
        ("get-offsets --topic-partitions paymnets:0", "'payments'"),
        ("configs --describe --topic paymnets", "'payments'"),
        ("configs --describe --group biling", "'billing'"),
        (
            "configs --alter --topic paymnets --add-config retention.ms=1",
            "'payments'",
        ),
        ("log-dirs --describe --topic-list paymnets", "'payments'"),
        (
            "leader-election --election-type preferred --topic paymnets --partition 0",
            "'payments'",
        ),
        (
            "consumer-groups --delete-offsets --group billing --topic paymnets",
            "'payments'",
        ),
        ("topics export --topic paymnets", "'payments'"),
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
        (
            "console-producer --topic payments --command-property ack=1",
            "acks",
        ),
    ] {
        let output = server.try_tool(line, "");
        let said = String::from_utf8_lossy(&output.stderr);
        let sentence = format!("Did you mean {meant}?\n");
        assert!(said.contains(&sentence), "{line}: {said}");
    }
    // Here the servers come before the command.
    for command in ["describe-producers", "find-hanging"] {
        let mut tool = ottla();
        tool.args(["transactions", "--bootstrap-server", server.address()]);
        let output = tool.args([command, "--topic", "paymnets", "--partition", "0"]);
        let said = String::from_utf8(output.output().unwrap().stderr).unwrap();
        assert!(said.contains("Did you mean 'payments'?\n"), "{said}");
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

/// Producers waited for a topic that nobody was going to make, a minute long and without a word.
#[test]
fn whoever_waits_for_a_topic_that_there_is_not_is_told_at_once() {
    let server = Server::with(&["--override", "auto.create.topics.enable=false"], &[]);
    server.tool("topics --create --topic payments --partitions 1");
    let impatient = "--command-property max.block.ms=2500";
    for line in [
        format!("console-producer --topic paymnets {impatient}"),
        format!("console-producer --topic paymnets --transactional-id t {impatient}"),
        format!(
            "producer-perf-test --topic paymnets --num-records 1 --record-size 1 --throughput -1 {impatient}"
        ),
    ] {
        let output = server.try_tool(&line, "a\n");
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = "Topic paymnets does not exist (yet).\nDid you mean 'payments'?\n";
        assert!(said.starts_with(expected), "{line}: {said}");
    }
}

/// So did consumers, or said nothing at all.
#[test]
fn who_waits_for_records_of_a_topic_that_there_is_not_is_told_too() {
    let server = Server::with(&["--override", "auto.create.topics.enable=false"], &[]);
    server.tool("topics --create --topic payments --partitions 1");
    let missing = "Topic paymnets does not exist (yet).\nDid you mean 'payments'?\n";
    let unmatched = "No topic fits paymnets (yet).\nDid you mean 'payments'?\n";
    for (line, expected) in [
        (
            "consumer-perf-test --topic paymnets --num-records 1 --timeout 2500",
            missing,
        ),
        (
            "consumer-perf-test --include paymnets --num-records 1 --timeout 2500",
            unmatched,
        ),
        (
            "console-consumer --topic paymnets --timeout-ms 2500",
            missing,
        ),
        (
            "console-consumer --include paymnets --timeout-ms 2500",
            unmatched,
        ),
    ] {
        let output = server.try_tool(line, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{line}: {said}");
    }
    server.tool_with_input("console-producer --topic payments", "a\n");
    // Each has a group of its own: who is killed does not say farewell, and would be waited for.
    for line in [
        "verifiable-consumer --topic paymnets --group-id verified --bootstrap-server ADDRESS",
        "pipe --from paymnets --to payments --group from --bootstrap-server ADDRESS -- cat",
        "pipe --from payments --to paymnets --group to --consumer-property auto.offset.reset=earliest --bootstrap-server ADDRESS -- cat",
        "pipe --from payments --dead-letter paymnets --to payments --retries 0 --group dead --consumer-property auto.offset.reset=earliest --bootstrap-server ADDRESS -- false",
    ] {
        let heard = run(
            &line.replace("ADDRESS", server.address()),
            Then::Waits,
            &["'payments'?"],
        );
        heard.must_name(&[missing]);
    }
}

#[test]
fn a_plan_with_a_slip_of_the_pen_is_answered_with_the_topic_that_there_is() {
    let server = Server::start();
    server.tool("topics --create --topic payments --partitions 1");
    let file = |name: &str, text: &str| {
        let path = server.data().with_file_name(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let topics = r#"{"version":1,"topics":[{"topic":"paymnets"}]}"#;
    let topics = file("topics.json", topics);
    let plan = r#"{"version":1,"partitions":[{"topic":"paymnets","partition":0,"replicas":[1]}]}"#;
    let plan = file("plan.json", plan);
    for action in [
        format!("--generate --broker-list 1 --topics-to-move-json-file {topics}"),
        format!("--execute --reassignment-json-file {plan}"),
        format!("--verify --preserve-throttles --reassignment-json-file {plan}"),
        format!("--verify --reassignment-json-file {plan}"),
        format!("--cancel --reassignment-json-file {plan}"),
    ] {
        let output = server.try_tool(&format!("reassign-partitions {action}"), "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "Did you mean 'payments'?\n", "{action}");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(!shown.contains("Did you mean"), "{action}: {shown}");
    }
}

#[test]
fn a_partition_that_there_is_not_has_no_range() {
    let server = Server::start();
    server.tool("topics --create --topic orders --partitions 3");
    for option in ["--from 9:1 --until-end", "--from 0:0,9:1", "--to 9:1"] {
        let output = server.try_tool(&format!("console-consumer --topic orders {option}"), "");
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = "There is no partition 9: topic orders has 3, the first of them 0.\n";
        assert_eq!(output.status.code(), Some(1), "{option}");
        assert!(said.ends_with(expected), "{option}: {said}");
    }
}

fn usage(line: &str) -> (Option<i32>, String) {
    let output = ottla().args(line.split(' ')).output().expect("the binary");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn options_of_our_own_programs_can_be_missed_too() {
    for (line, status, meant) in [
        ("server --aply x", 1, "Did you mean --apply?\n"),
        (
            "install-links --ouput json x",
            2,
            "Did you mean --output?\n",
        ),
        ("run --topik a -- true", 125, "Did you mean --topic?\n"),
        (
            "--context prod topics --list",
            2,
            "Options stand behind the tool: `ottla topics --context prod --list`.\n",
        ),
        (
            "--context prod topics apply -f x",
            2,
            "Options stand behind the tool: `ottla topics apply --context prod -f x`.\n",
        ),
        (
            "--verbose",
            2,
            "Options stand behind the tool: `ottla TOOL --verbose`.\n",
        ),
    ] {
        let (ended, said) = usage(line);
        assert_eq!(ended, Some(status), "{line}: {said}");
        assert!(said.contains(meant), "{line}: {said}");
    }
}

#[test]
fn what_is_no_text_is_wrong_usage() {
    let no_text = OsStr::from_bytes(b"a\xff");
    for (tool, status) in [("run", 125), ("doctor", 2), ("topics", 1), ("tpics", 2)] {
        let output = ottla().arg(tool).arg(no_text).output().expect("the binary");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{tool}: {said}");
        assert!(said.contains("not valid UTF-8: a"), "{tool}: {said}");
    }
}

#[test]
fn a_broker_says_which_key_was_meant_and_what_to_do_where_somebody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let (status, said) = usage(&format!(
        "server --ephemeral --override log.retenton.ms=5 --listen {taken}"
    ));
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("configuration key log.retenton.ms: did you mean log.retention.ms?"),
        "{said}"
    );
    let remedy = "choose another address with --listen";
    assert!(
        said.contains(&taken.to_string()) && said.contains(remedy),
        "{said}"
    );
}

#[test]
fn on_a_terminal_nothing_is_deleted_without_a_yes() {
    let server = Server::start();
    server.tool("topics --create --topic payments --partitions 1");
    server.tool_with_input("console-producer --topic payments", "a\n");
    server.tool(
        "console-consumer --topic payments --group billing --from-beginning --max-messages 1",
    );
    let file = server.data().with_file_name("before.json");
    let before = r#"{"partitions": [{"topic": "payments", "partition": 0, "offset": -1}]}"#;
    std::fs::write(&file, before).unwrap();
    let records = format!("delete-records --offset-json-file {}", file.display());
    let groups = "consumer-groups --delete --group billing";
    let answered = |line: &str, answer: &str| {
        let mut command = ottla();
        command.args(line.split(' '));
        command.args(["--bootstrap-server", server.address()]);
        terminal::answering_seen(&mut command, answer)
    };

    for (line, question) in [
        (records.as_str(), "Delete all records of payments-0? [y/N] "),
        (groups, "Delete the group billing and its offsets? [y/N] "),
        (
            "topics --delete --topic payments",
            "Delete the topic payments and all of its records? [y/N] ",
        ),
    ] {
        let (shown, status) = answered(line, "n\n");
        assert_eq!((shown.as_str(), status), (question, Some(1)), "{line}");
    }
    assert_eq!(
        server.tool("get-offsets --topic payments --time earliest"),
        "payments:0:0\n"
    );
    assert_eq!(server.tool("consumer-groups --list"), "billing\n");

    assert_eq!(answered(&records, "y\n").1, Some(0));
    assert_eq!(answered(groups, "yes\n").1, Some(0));
    assert_eq!(
        server.tool("get-offsets --topic payments --time earliest"),
        "payments:0:1\n"
    );
}
