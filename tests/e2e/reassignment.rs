//! `leader-election` and `reassign-partitions` on our broker of one node: nobody else may lead, nothing can go to other
//! brokers, and replicas move between log directories. What clusters do is in the transcripts.

use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::requests::create_topic;
use crate::server::{Server, ottla};
use crate::wait;

/// A broker with two log directories, and files for the tools.
struct Stage {
    directory: TempDir,
    server: Server,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let log_dirs = format!("log.dirs={},{}", path("one"), path("two"));
        let server = Server::with(&["--override", &log_dirs], &[]);
        create_topic(server.address(), "t", 2);
        Self { directory, server }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Makes a file and names it.
    fn file(&self, content: &Value) -> String {
        let path = self.path("file.json");
        std::fs::write(&path, content.to_string()).unwrap();
        path
    }

    fn run(&self, tool: &str, words: &[&str]) -> Output {
        let mut command = ottla();
        command.args([tool, "--bootstrap-server", self.server.address()]);
        command.args(words).output().unwrap()
    }

    fn reassign(&self, action: &str, plan: &Value, more: &[&str]) -> Output {
        let file = self.file(plan);
        let words = [&[action, "--reassignment-json-file", file.as_str()], more].concat();
        self.run("reassign-partitions", &words)
    }

    /// The directory of a partition.
    fn place(&self, partition: i32) -> String {
        let generated = self.generated();
        let rows = generated["current"]["partitions"].as_array().unwrap();
        let mut rows = rows.iter();
        let row = rows.find(|row| row["partition"] == json!(partition));
        row.unwrap()["log_dirs"][0].as_str().unwrap().to_owned()
    }

    fn generated(&self) -> Value {
        let file = self.file(&json!({ "topics": [{ "topic": "t" }] }));
        let words = ["--generate", "--topics-to-move-json-file", &file];
        let words = [&words[..], &["--broker-list", "1", "--output", "json"]].concat();
        json_of(&self.run("reassign-partitions", &words))
    }
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn said(output: &Output, status: i32, expected: &str) {
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(status));
}

fn plan(replicas: &[i32], dirs: &[&str]) -> Value {
    json!({ "version": 1, "partitions": [
        { "topic": "t", "partition": 0, "replicas": replicas, "log_dirs": dirs },
    ] })
}

#[test]
fn the_only_replica_leads_already() {
    let stage = Stage::new();
    let elect = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        stage.run("leader-election", &words)
    };
    said(
        &elect("--election-type preferred --topic t --partition 1"),
        0,
        "Valid replica already elected for partitions t-1\n",
    );
    said(
        &elect("--election-type unclean --all-topic-partitions"),
        0,
        "",
    );
    let output = elect("--election-type unclean --topic t --partition 2");
    said(
        &output,
        1,
        "Error completing leader election (UNCLEAN) for partition: t-2: \
         org.apache.kafka.common.errors.UnknownTopicOrPartitionException: No such partition as t-2\n",
    );
    let words = text(&output.stderr);
    assert_eq!(words, "1 replica(s) could not be elected\n");

    let told = elect("--election-type preferred --topic t --partition 0 --output json");
    let partition = json!({ "topic": "t", "partition": 0, "outcome": "notNeeded", "error": null });
    let expected = json!({ "version": 1, "electionType": "preferred", "partitions": [partition] });
    assert_eq!(json_of(&told), expected);
}

#[test]
fn without_a_broker_the_election_is_said_to_have_timed_out() {
    let output = ottla()
        .args(["leader-election", "--bootstrap-server", "127.0.0.1:1"])
        .args(["--election-type", "preferred", "--all-topic-partitions"])
        .output()
        .unwrap();
    said(&output, 1, "Timeout waiting for election results\n");
}

#[test]
fn a_replica_moves_to_another_directory_and_the_plan_that_was_printed_takes_it_back() {
    let stage = Stage::new();
    let from = stage.place(0);
    let to = match from == stage.path("one") {
        true => stage.path("two"),
        false => stage.path("one"),
    };
    let there = plan(&[1], &[&to]);
    let output = stage.reassign("--execute", &there, &[]);
    let current = format!(
        "{{\"version\":1,\"partitions\":[{{\"topic\":\"t\",\"partition\":0,\"replicas\":[1],\"log_dirs\":[\"{from}\"]}}]}}"
    );
    let lines = format!(
        "Current partition replica assignment\n\n{current}\n\n\
         Save this to use as the --reassignment-json-file option during rollback\n\
         Successfully started partition reassignment for t-0\n\
         Successfully started moving log directory to {to} for replica t-0 with broker 1 \n"
    );
    said(&output, 0, &lines);
    wait::until("the replica to be there", || stage.place(0) == to);
    let output = stage.reassign("--verify", &there, &[]);
    let cleared =
        "Clearing broker-level throttles on broker 1\nClearing topic-level throttles on topic t\n";
    let lines = format!(
        "Status of partition reassignment:\nReassignment of partition t-0 is completed.\n\
         Reassignment of replica t-0-1 completed successfully.\n{cleared}"
    );
    said(&output, 0, &lines);

    let back: Value = serde_json::from_str(&current).unwrap();
    let output = stage.reassign("--execute", &back, &["--output", "json"]);
    let moves = &json_of(&output)["logDirMoves"];
    assert_eq!(moves[0]["logDir"], json!(from));
    wait::until("the replica to be back", || stage.place(0) == from);
    let output = stage.reassign(
        "--verify",
        &there,
        &["--output", "json", "--preserve-throttles"],
    );
    let told = json_of(&output);
    assert_eq!(told["replicas"][0]["status"], json!("different"));
    assert_eq!(told["throttlesCleared"], json!(false));
}

#[test]
fn nothing_goes_to_other_brokers_and_nothing_is_under_way() {
    let stage = Stage::new();
    let list = stage.run("reassign-partitions", &["--list"]);
    said(&list, 0, "No partition reassignments found.\n");
    let output = stage.reassign("--execute", &plan(&[1, 2], &["any", "any"]), &[]);
    said(
        &output,
        1,
        "Error: Unknown broker id 2\norg.apache.kafka.tools.AdminCommandFailedException: Unknown broker id 2\n\n",
    );
    let output = stage.reassign("--cancel", &plan(&[1], &["any"]), &["--preserve-throttles"]);
    said(
        &output,
        0,
        "None of the specified partition reassignments are active.\n\
         None of the specified partition moves are active.",
    );
    let generated = stage.generated();
    assert_eq!(generated["partitions"][1]["proposedReplicas"], json!([1]));
}

#[test]
fn a_directory_that_the_broker_does_not_have_is_refused_and_throttles_are_set_and_cleared() {
    let stage = Stage::new();
    let nowhere = plan(&[1], &["/nowhere"]);
    let throttles = [
        "--throttle",
        "1000000",
        "--replica-alter-log-dirs-throttle",
        "2000000",
    ];
    let output = stage.reassign("--execute", &nowhere, &throttles);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    for line in [
        "The inter-broker throttle limit was set to 1000000 B/s\n",
        "The replica-alter-dir throttle limit was set to 2000000 B/s\n",
        "Error: Failed to alter dir for t-0-1\n",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
    let configured = || {
        let words = [
            "--describe",
            "--entity-type",
            "brokers",
            "--entity-name",
            "1",
        ];
        text(&stage.run("configs", &words).stdout)
    };
    let limit = "replica.alter.log.dirs.io.max.bytes.per.second";
    let shown = format!(
        "{limit}=2000000 sensitive=false synonyms={{DYNAMIC_BROKER_CONFIG:{limit}=2000000}}"
    );
    assert!(configured().contains(&shown), "{}", configured());
    stage.reassign("--cancel", &nowhere, &[]);
    assert!(!configured().contains(limit), "{}", configured());
}
