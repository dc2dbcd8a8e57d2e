//! `cluster`, `metadata-quorum`, `delete-records` and `log-dirs` on our broker, where the transcripts do not look: JSON, and
//! what one node refuses.

use std::process::Output;

use serde_json::{Value, json};

use crate::requests::create_topic;
use crate::server::{Server, ottla};

fn run(server: &Server, tool: &str, line: &str) -> Output {
    let mut command = ottla();
    command.arg(tool).args(line.split(' '));
    command.args(["--bootstrap-server", server.address()]);
    command.output().unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    })
}

#[track_caller]
fn refused(output: &Output, sentence: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().next(), Some(sentence), "{said}");
}

#[test]
fn a_cluster_of_one_tells_its_endpoints_and_keeps_its_only_broker() {
    let server = Server::start();
    let listed = json_of(&run(&server, "cluster", "list-endpoints --output json"));
    assert_eq!(listed["brokers"][0]["id"], json!(1));
    let address = format!("127.0.0.1:{}", listed["brokers"][0]["port"]);
    assert_eq!(address, server.address());
    let id = json_of(&run(&server, "cluster", "cluster-id --output json"));
    assert_eq!(id["clusterId"], listed["clusterId"]);
    refused(
        &run(&server, "cluster", "unregister --id 1"),
        "Broker 1 is the one that answers, and the cluster's only one",
    );
    refused(
        &run(&server, "cluster", "unregister --id 7"),
        "Broker ID 7 is not currently registered",
    );
}

#[test]
fn a_brokers_listener_is_none_of_a_controller() {
    let server = Server::start();
    let lines = [
        ("features", "describe"),
        ("cluster", "cluster-id"),
        ("metadata-quorum", "describe --status"),
    ];
    for (tool, line) in lines {
        let mut command = ottla();
        command.arg(tool);
        let at = ["--bootstrap-controller", server.address()];
        // Of `cluster` it is an option of the command.
        match tool {
            "cluster" => command.args(line.split(' ')).args(at),
            _ => command.args(at).args(line.split(' ')),
        };
        refused(
            &command.output().unwrap(),
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
        );
    }
}

#[test]
fn a_controllers_listener_answers_what_controllers_are_asked() {
    let server = Server::with(
        &[
            "--override",
            "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
            "--override",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "--override",
            "controller.listener.names=CONTROLLER",
        ],
        &[],
    );
    let controller = server.last_address();
    assert_ne!(controller, server.address());
    let ask = |line: &str| {
        let line = line.replace("{at}", &format!("--bootstrap-controller {controller}"));
        ottla().args(line.split(' ')).output().unwrap()
    };
    let listed = json_of(&ask("cluster list-endpoints {at} --output json"));
    let port = controller.rsplit(':').next().unwrap();
    assert_eq!(listed["controllers"][0]["port"].to_string(), port);
    assert_eq!(listed.get("brokers"), None);
    // What is told to the controller holds for the broker.
    let altered = ask("configs {at} --alter --broker 1 --add-config log.cleaner.threads=2");
    assert!(altered.status.success());
    let told = server.tool("configs --describe --broker 1");
    assert!(told.contains("log.cleaner.threads=2"), "{told}");
    let quorum = ask("metadata-quorum {at} describe --status");
    let voters = String::from_utf8(quorum.stdout).unwrap();
    assert!(
        voters.contains(&format!("\"CONTROLLER://{controller}\"")),
        "{voters}"
    );
    // Clients find the broker alone.
    let brokers = json_of(&run(&server, "cluster", "list-endpoints --output json"));
    let address = format!("127.0.0.1:{}", brokers["brokers"][0]["port"]);
    assert_eq!(address, server.address());
    let mut command = ottla();
    command.args(["features", "--bootstrap-server", &controller, "describe"]);
    refused(
        &command.output().unwrap(),
        "The node does not support METADATA",
    );
}

#[test]
fn a_quorum_of_one_describes_itself_and_stays_one() {
    let server = Server::start();
    let quorum = |line: &str| {
        let mut command = ottla();
        command.args(["metadata-quorum", "--bootstrap-server", server.address()]);
        command.args(line.split(' ')).output().unwrap()
    };
    let told = json_of(&quorum("describe --status --output json"));
    assert_eq!(told["leaderId"], json!(1));
    assert_eq!(told["voters"][0]["id"], json!(1));
    assert!(told["highWatermark"].as_i64().unwrap() > 0);
    assert_eq!(told["voters"][0]["logEndOffset"], told["highWatermark"]);
    refused(
        &quorum("remove-controller -i 7 -d AAAAAAAAAAAAAAAAAAAAAQ"),
        "org.apache.kafka.common.errors.UnsupportedVersionException: Cluster doesn't support removing voter because the \
         kraft.version feature is 0",
    );
    refused(
        &quorum("remove-controller -i 7 -d here"),
        "Failed to parse --controller-directory-id: `here` is not an id",
    );
}

#[test]
fn records_are_deleted_and_directories_listed_as_json() {
    let server = Server::start();
    create_topic(server.address(), "orders", 1);
    server.tool_with_input("console-producer --topic orders", "a\nb\nc\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offsets.json");
    let delete = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let line = format!("--output json --offset-json-file {}", file.display());
        run(&server, "delete-records", &line)
    };
    let all = delete(r#"{"partitions": [{"topic": "orders", "partition": 0, "offset": -1}]}"#);
    assert_eq!(json_of(&all)["partitions"][0]["lowWatermark"], json!(3));
    assert!(all.status.success());
    let beyond = delete(r#"{"partitions": [{"topic": "orders", "partition": 0, "offset": 9}]}"#);
    assert_eq!(beyond.status.code(), Some(1));
    let error = &json_of(&beyond)["partitions"][0]["error"];
    assert_eq!(error["code"], json!("OFFSET_OUT_OF_RANGE"));
    let dirs = json_of(&run(
        &server,
        "log-dirs",
        "--describe --output json --topic-list orders",
    ));
    let dir = &dirs["brokers"][0]["logDirs"][0];
    assert_eq!(dir["partitions"][0]["topic"], json!("orders"));
    assert!(dir["totalBytes"].as_i64().unwrap() > 0);
}

/// It was said in words of the protocol, with versions that the client needs.
#[test]
fn what_the_broker_does_not_keep_is_said_in_plain_words() {
    let server = Server::start();
    let quotas = "keeps no quotas of users, clients or addresses.";
    for (line, sentence) in [
        ("--describe --user alice", quotas),
        ("--describe --entity-type clients", quotas),
        ("--describe --entity-type ips --output json", quotas),
        (
            "--alter --client app --add-config producer_byte_rate=1",
            quotas,
        ),
        (
            "--alter --user alice --add-config SCRAM-SHA-256=[password=x]",
            "keeps no SCRAM credentials of users.",
        ),
    ] {
        let output = run(&server, "configs", line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(sentence), "{line}: {said}");
        assert!(!said.contains("versions"), "{line}: {said}");
        assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]));
    }
}
