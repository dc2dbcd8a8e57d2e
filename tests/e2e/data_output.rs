//! `--output`: what the pages of docs/json say is what the binary prints, in all forms.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::requests::create_topic;
use crate::server::Server;

/// Lines of tools and the page that tells of their results.
const LINES: &[(&str, &str)] = &[
    ("topics.md", "topics --create --topic new --partitions 1"),
    ("topics.md", "topics --list"),
    ("topics.md", "topics --describe --topic orders"),
    ("topics.md", "topics --alter --topic orders --partitions 3"),
    ("topics.md", "topics --delete --topic new"),
    (
        "configs.md",
        "configs --describe --entity-type topics --entity-name orders --all",
    ),
    (
        "configs.md",
        "configs --alter --topic orders --add-config retention.ms=1000000",
    ),
    ("groups.md", "groups --list"),
    ("get-offsets.md", "get-offsets --topic orders"),
    ("broker-api-versions.md", "broker-api-versions"),
    ("cluster.md", "cluster cluster-id"),
    ("cluster.md", "cluster list-endpoints"),
    ("consumer-groups.md", "consumer-groups --list"),
    (
        "consumer-groups.md",
        "consumer-groups --describe --group readers",
    ),
    (
        "consumer-groups.md",
        "consumer-groups --describe --group readers --members",
    ),
    (
        "consumer-groups.md",
        "consumer-groups --describe --group readers --state",
    ),
    (
        "consumer-groups.md",
        "consumer-groups --reset-offsets --group readers --topic orders --to-earliest --explain",
    ),
    (
        "consumer-groups.md",
        "consumer-groups --delete --group readers",
    ),
    ("log-dirs.md", "log-dirs --describe"),
    (
        "leader-election.md",
        "leader-election --election-type preferred --topic orders --partition 0",
    ),
    ("reassign-partitions.md", "reassign-partitions --list"),
    (
        "producer-perf-test.md",
        "producer-perf-test --topic load --num-records 10 --record-size 10 --throughput -1",
    ),
    (
        "console-consumer.md",
        "console-consumer --topic orders --from-beginning --max-messages 1",
    ),
    (
        "verifiable.md",
        "verifiable-producer --topic load --max-messages 2",
    ),
    (
        "verifiable.md",
        "verifiable-consumer --topic load --group-id checked --max-messages 1",
    ),
    (
        "e2e-latency.md",
        "e2e-latency --topic ping --num-records 3 --producer-acks 1 --record-size 10",
    ),
];

/// Of tools whose options stand before their command.
const LINES_BEFORE: &[(&str, &str)] = &[
    ("features.md", "features HERE describe"),
    ("features.md", "features version-mapping"),
    (
        "features.md",
        "features feature-dependencies --feature transaction.version=2",
    ),
    (
        "metadata-quorum.md",
        "metadata-quorum HERE describe --status",
    ),
    ("transactions.md", "transactions HERE list"),
    (
        "transactions.md",
        "transactions HERE describe-producers --topic orders --partition 0",
    ),
];

/// What stands between backticks.
fn told_by(page: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/json")
        .join(page);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let told = text.split('`').skip(1).step_by(2);
    told.map(str::to_owned).collect()
}

fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.insert(name.clone());
                fields(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| fields(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_and_every_column_is_told_by_the_tools_page() {
    let server = Server::start();
    create_topic(server.address(), "orders", 2);
    create_topic(server.address(), "load", 1);
    server.tool_with_input("console-producer --topic orders", "a\n");
    server
        .tool("console-consumer --topic orders --group readers --from-beginning --max-messages 1");
    let here = format!("--bootstrap-server {}", server.address());
    let lines = LINES
        .iter()
        .map(|(page, line)| (page, format!("{line} {here}")));
    let before = LINES_BEFORE
        .iter()
        .map(|(page, line)| (page, line.replace("HERE", &here)));
    for (page, line) in lines.chain(before) {
        let run = |format: &str| {
            let mut command = crate::server::ottla();
            command.args(line.split(' ')).args(["--output", format]);
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            (String::from_utf8(output.stdout).unwrap(), said)
        };
        let told = told_by(page);
        let (text, said) = run("json");
        let mut found = BTreeSet::new();
        for object in text.lines() {
            let value: Value =
                serde_json::from_str(object).unwrap_or_else(|e| panic!("{line}: {e} {said}"));
            assert_eq!(value["version"], 1, "{line}");
            fields(&value, &mut found);
        }
        assert!(found.len() > 1, "{line}: {text} {said}");
        let missing: Vec<&String> = found.difference(&told).collect();
        assert!(
            missing.is_empty(),
            "docs/json/{page} does not tell of {missing:?}: {line}"
        );
        // Of what is done only once the second time is refused, with the same columns or none.
        let (text, said) = run("csv");
        let head = text.lines().next().unwrap_or_default();
        let columns = head.split(',').filter(|name| !name.is_empty());
        let missing: Vec<&str> = columns.filter(|name| !told.contains(*name)).collect();
        assert!(
            missing.is_empty(),
            "docs/json/{page} does not tell of columns {missing:?}: {line} {said}"
        );
    }
}

#[test]
fn a_producer_says_where_its_records_are_where_it_is_asked() {
    let server = Server::start();
    create_topic(server.address(), "orders", 1);
    assert_eq!(
        server.tool_with_input("console-producer --topic orders", "a\n"),
        ""
    );
    let told = server.tool_with_input("console-producer --topic orders --output json", "b\nc\n");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told["records"], &told["failed"]), (&2.into(), &0.into()));
    assert_eq!(told["bytes"], 77);
    let part = &told["partitions"][0];
    assert_eq!(
        (&part["firstOffset"], &part["lastOffset"]),
        (&1.into(), &2.into())
    );
    let csv = "console-producer --topic orders --transactional-id t --output csv";
    assert_eq!(
        server.tool_with_input(csv, "d\n"),
        "topic,partition,records,firstOffset,lastOffset,bytes\norders,0,1,3,3,69\n"
    );
    let large = "x".repeat(3_000_000);
    let refused = server.try_tool("console-producer --topic orders --output json", &large);
    let told: Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!(
        (refused.status.code(), &told["failed"]),
        (Some(1), &1.into())
    );
}

/// What finds nothing where nothing is.
const EMPTY: &[&str] = &[
    "topics --list HERE",
    "topics --describe HERE",
    "topics --describe --topics-with-overrides HERE",
    "topics --delete --topic none --if-exists HERE",
    "groups --list HERE",
    "consumer-groups --list HERE",
    "consumer-groups --describe --all-groups HERE",
    "client-metrics --list HERE",
    "configs --describe --entity-type topics HERE",
    "configs --describe --entity-type groups HERE",
    "transactions HERE list",
    "transactions HERE find-hanging --broker-id 1",
    "reassign-partitions --list HERE",
    "leader-election --election-type unclean --all-topic-partitions HERE",
    "console-producer --topic none HERE",
    "console-consumer --topic empty --max-messages 0 HERE",
    "console-consumer --topic empty --timeout-ms 300 HERE",
    "console-consumer --topic empty --until-end --from-beginning HERE",
    "console-consumer --topic empty --tail 3 HERE",
];

#[test]
fn what_is_empty_has_its_columns_all_the_same() {
    let server = Server::start();
    let here = format!("--bootstrap-server {}", server.address());
    for line in EMPTY {
        if line.contains("empty") {
            server.tool("topics --create --topic empty --if-not-exists");
        }
        for (format, delimiter) in [("csv", ','), ("tsv", '\t')] {
            let mut command = crate::server::ottla();
            command
                .args(line.replace("HERE", &here).split(' '))
                .args(["--output", format])
                .stdin(std::process::Stdio::null());
            let output = command.output().expect("the binary");
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(told.lines().count(), 1, "{line}: {told} {said}");
            let columns: Vec<&str> = told.trim_end().split(delimiter).collect();
            let is_name = |name: &&str| name.starts_with(|c: char| c.is_ascii_lowercase());
            assert!(columns.iter().all(is_name), "{line}: {told}");
        }
    }
}

#[test]
fn all_forms_tell_the_same() {
    let server = Server::start();
    create_topic(server.address(), "orders", 2);
    let told = |format: &str| server.tool(&format!("get-offsets --topic orders --output {format}"));
    assert_eq!(told("table"), "orders:0:0\norders:1:0\n");
    assert_eq!(told("table"), server.tool("get-offsets --topic orders"));
    let csv = told("csv");
    assert_eq!(
        csv.lines().next(),
        Some("topic,partition,offset,timestampMs,leaderEpoch,error.code,error.message")
    );
    assert_eq!(csv.lines().count(), 3);
    assert_eq!(told("tsv"), csv.replace(',', "\t"));
    assert!(told("wide").starts_with("TOPIC  PARTITION OFFSET"));
    assert!(told("yaml").starts_with("version: 1\npartitions:\n- topic: orders\n"));
    let value: Value = serde_json::from_str(&told("json")).unwrap();
    assert_eq!(value["partitions"][1]["partition"], 1);
}

#[test]
fn beside_data_nothing_else_is_on_standard_output() {
    let server = Server::start();
    // The table has a warning about names with a period before it.
    let created = server.tool("topics --create --topic a.b --output json");
    assert_eq!(created.lines().count(), 1, "{created}");
    let missing = server.try_tool("topics --describe --topic none --output json", "");
    assert_eq!((missing.status.code(), missing.stdout.len()), (Some(1), 0));
    let refused = server.try_tool("topics --list --output jsno", "");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("Did you mean json?"), "{said}");
}
