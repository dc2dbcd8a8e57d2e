//! `transactions` on our broker: open transactions as everybody sees them, and the ways to end one.

use std::io::Write;
use std::process::{Child, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use ottla_protocol::compress::Compression;
use ottla_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};
use serde_json::{Value, json};

use crate::requests::{create_topic, produce};
use crate::server::{Server, ottla};
use crate::wait;
use crate::wire::Wire;

/// The last version of Produce in which partitions are added by a request of their own.
const PRODUCE_AFTER_ADDING: i16 = 11;
const MINUTE_MS: i64 = 60_000;

fn transactions(address: &str, line: &str) -> Output {
    let mut command = ottla();
    command.args(["transactions", "--bootstrap-server", address]);
    command.args(line.split(' ')).output().unwrap()
}

fn stdout(server: &Server, line: &str) -> String {
    let output = transactions(server.address(), line);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn json_of(server: &Server, line: &str) -> Value {
    serde_json::from_str(&stdout(server, &format!("{line} --output json"))).unwrap()
}

#[track_caller]
fn refused(address: &str, line: &str, sentence: &str) {
    let output = transactions(address, line);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{line}: {said}");
    assert!(output.stdout.is_empty(), "{line}");
    assert_eq!(said.lines().next(), Some(sentence), "{line}: {said}");
}

/// A console producer in the middle of its transaction.
fn begin(server: &Server, id: &str) -> Child {
    let mut producer = ottla()
        .args(["console-producer", "--bootstrap-server", server.address()])
        .args(["--topic", "orders", "--transactional-id", id, "--sync"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdin = producer.stdin.as_mut().unwrap();
    stdin.write_all(b"a record\n").unwrap();
    wait::until("the record to be there", || {
        let found = json_of(server, "describe-producers --topic orders --partition 0");
        found["producers"][0]["startOffset"] == json!(0)
    });
    producer
}

#[test]
fn an_open_transaction_is_seen_from_all_sides_and_ended_by_force() {
    let server = Server::start();
    create_topic(server.address(), "orders", 1);
    let mut producer = begin(&server, "till-1");

    let listed = stdout(&server, "list");
    let mut lines = listed.lines();
    assert_eq!(
        lines.next(),
        Some("TransactionalId\tCoordinator\tProducerId\tTransactionState\t")
    );
    let row: Vec<&str> = lines.next().unwrap().split('\t').map(str::trim).collect();
    assert_eq!([row[0], row[3]], ["till-1", "Ongoing"]);
    let count = |line: &str| {
        json_of(&server, line)["transactions"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count("list --transactional-id-pattern till-.*"), 1);
    assert_eq!(count("list --transactional-id-pattern till"), 0);
    assert_eq!(count("list --duration-filter 600000"), 0);
    assert_eq!(count("list --duration-filter -1"), 1);

    let described = json_of(&server, "describe --transactional-id till-1");
    assert_eq!(described["state"], "Ongoing");
    assert_eq!(
        described["partitions"],
        json!([{ "topic": "orders", "partition": 0 }])
    );
    assert!(described["durationMs"].as_i64().unwrap() >= 0);
    // Its coordinator will end it.
    let all = "find-hanging --topic orders --max-transaction-timeout -1";
    assert_eq!(count(all), 0);

    stdout(
        &server,
        "forceTerminateTransaction --transactionalId till-1",
    );
    wait::until("the transaction to be aborted", || {
        let found = json_of(&server, "describe-producers --topic orders --partition 0");
        found["producers"][0]["startOffset"].is_null()
    });
    let described = json_of(&server, "describe --transactional-id till-1");
    assert!(described["startTimeMs"].is_null(), "{described}");
    // Whoever began it is fenced.
    drop(producer.stdin.take());
    assert_eq!(producer.wait().unwrap().code(), Some(1));
}

/// A transactional batch that no coordinator was told of, as a broken client or an old broker leaves one.
fn leave_hanging(server: &Server, written_at: Millis) -> i64 {
    let mut wire = Wire::connect(server.address()).unwrap();
    let request = InitProducerIdRequest {
        transactional_id: None,
        ..Default::default()
    };
    let identity = wire.call(&request, 4).unwrap();
    assert_eq!(identity.error_code, 0);
    let id = ProducerId(identity.producer_id);
    let epoch = ProducerEpoch(identity.producer_epoch);
    let mut batch = BatchBuilder::new(Compression::None)
        .producer(id, epoch, 0)
        .transactional(true);
    batch.append(written_at, None, Some(b"left"), &[]).unwrap();
    let request = ProduceRequest {
        transactional_id: Some("unheard-of".into()),
        ..produce("orders", 0, -1, batch.build().unwrap())
    };
    let response = wire.call(&request, PRODUCE_AFTER_ADDING).unwrap();
    let outcome = &response.responses[0].partition_responses[0];
    assert_eq!(outcome.error_code, 0, "{outcome:?}");
    identity.producer_id
}

#[test]
fn a_transaction_that_no_coordinator_knows_is_found_and_aborted() {
    let unverified = "transaction.partition.verification.enable=false";
    let server = Server::with(&["--override", unverified], &[]);
    create_topic(server.address(), "orders", 1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = i64::try_from(now.as_millis()).unwrap();
    let producer_id = leave_hanging(&server, Millis(now_ms - 20 * MINUTE_MS));

    let hanging = json_of(&server, "find-hanging --topic orders");
    let [found] = hanging["transactions"].as_array().unwrap().as_slice() else {
        panic!("{hanging}")
    };
    assert_eq!(found["producerId"], producer_id);
    assert_eq!(found["startOffset"], 0);
    let younger = "find-hanging --topic orders --partition 0 --max-transaction-timeout 30";
    assert_eq!(json_of(&server, younger)["transactions"], json!([]));
    let elsewhere = json_of(&server, "find-hanging --broker-id 7");
    assert_eq!(elsewhere["transactions"], json!([]));

    let abort = "abort --topic orders --partition 0 --start-offset";
    let missing = "Could not find any open transactions starting at offset 1 on partition orders-0";
    refused(server.address(), &format!("{abort} 1"), missing);
    assert_eq!(stdout(&server, &format!("{abort} 0")), "");
    let hanging = json_of(&server, "find-hanging --topic orders");
    assert_eq!(hanging["transactions"], json!([]));
    let missing = missing.replace("offset 1", "offset 0");
    refused(server.address(), &format!("{abort} 0"), &missing);
}

#[test]
fn a_transaction_is_aborted_by_its_producer_where_the_epoch_is_right() {
    let unverified = "transaction.partition.verification.enable=false";
    let server = Server::with(&["--override", unverified], &[]);
    create_topic(server.address(), "orders", 1);
    let id = leave_hanging(&server, Millis(1_000));
    let abort = format!("abort --topic orders --partition 0 --producer-id {id}");
    let line = format!("{abort} --producer-epoch 0 --coordinator-epoch -1");
    assert_eq!(stdout(&server, &line), "");
    let found = json_of(&server, "describe-producers --topic orders --partition 0");
    assert!(found["producers"][0]["startOffset"].is_null(), "{found}");
    assert_eq!(found["producers"][0]["coordinatorEpoch"], 0);
}

#[test]
fn what_is_not_there_is_said_at_once() {
    let server = Server::start();
    let address = server.address();
    refused(
        address,
        "describe --transactional-id none",
        "Failed to describe transaction state of transactional-id `none`: DescribeTransactions request for transactionalId \
         `none` failed because the ID could not be found.",
    );
    refused(
        address,
        "describe-producers --topic nowhere --partition 0",
        "Failed to describe producers for partition nowhere-0 on leader: This server does not host this topic-partition.",
    );
    refused(
        address,
        "find-hanging --topic nowhere",
        "Failed to describe 1 topics: This server does not host this topic-partition.",
    );
    refused(
        "127.0.0.1:9",
        "list",
        "Failed to list transactions: Timed out waiting for a node assignment. Call: listTransactions(api=METADATA).",
    );
}
