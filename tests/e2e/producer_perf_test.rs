//! `producer-perf-test` on our broker: what it says it sent is there.

use std::process::Output;

use serde_json::{Value, json};

use crate::requests::create_topic;
use crate::server::Server;

fn perf(server: &Server, line: &str) -> Output {
    server.try_tool(&format!("producer-perf-test --topic load {line}"), "")
}

fn lines_of(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("lines of JSON")
}

/// The values of the topic, in order.
fn values(server: &Server, options: &str) -> Vec<String> {
    let line = format!("console-consumer --topic load --from-beginning {options}");
    let mut values: Vec<String> = server.tool(&line).lines().map(str::to_owned).collect();
    values.sort_by_key(|value| value.parse::<u64>().ok());
    values
}

fn numbers(end: u64) -> Vec<String> {
    (0..end).map(|number| number.to_string()).collect()
}

#[test]
fn every_record_of_every_partition_is_counted_once_and_is_there() {
    let server = Server::start();
    create_topic(server.address(), "load", 3);
    let output = perf(
        &server,
        "--num-records 5000 --payload-monotonic --throughput -1 --warmup-records 1000 --output json \
         --command-property batch.size=500",
    );
    let mut lines = lines_of(&output);
    lines.retain(|line| line["type"] != "interval");
    let [total, steady] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    let digits: usize = numbers(5000).iter().map(String::len).sum();
    assert_eq!(total["type"], "total");
    assert_eq!(
        (&total["records"], &total["failed"], &total["bytes"]),
        (&json!(5000), &json!(0), &json!(digits))
    );
    assert_eq!(steady["type"], "steadyState");
    assert_eq!(steady["records"], 4000);
    assert_eq!(values(&server, "--max-messages 5000"), numbers(5000));
}

#[test]
fn intervals_have_lines_before_the_total_has_one() {
    let server = Server::start();
    create_topic(server.address(), "load", 1);
    let options = "--num-records 300 --record-size 10 --throughput 1000 --reporting-interval 50";
    let text = String::from_utf8(perf(&server, options).stdout).unwrap();
    let (intervals, total) = text.trim_end().rsplit_once('\n').expect("an interval");
    assert!(
        intervals
            .lines()
            .all(|line| line.ends_with("ms max latency.")),
        "{text}"
    );
    assert!(total.starts_with("300 records sent, "), "{text}");
    let lines = lines_of(&perf(&server, &format!("{options} --output json")));
    let intervals = lines.iter().filter(|line| line["type"] == "interval");
    let records: i64 = intervals.filter_map(|line| line["records"].as_i64()).sum();
    assert!((1..=300).contains(&records), "{lines:?}");
    assert_eq!(lines.last().unwrap()["records"], 300);
}

#[test]
fn readers_of_what_is_committed_see_all_that_went_in_transactions() {
    let server = Server::start();
    create_topic(server.address(), "load", 2);
    let output = perf(
        &server,
        "--num-records 300 --payload-monotonic --throughput 500 --transaction-duration-ms 50 --output json",
    );
    let lines = lines_of(&output);
    assert_eq!(lines.last().unwrap()["records"], 300);
    let options = "--max-messages 300 --isolation-level read_committed";
    assert_eq!(values(&server, options), numbers(300));
}

#[test]
fn records_that_are_refused_are_told_and_not_counted() {
    let server = Server::start();
    create_topic(server.address(), "load", 1);
    let output = perf(
        &server,
        "--num-records 3 --record-size 2000 --throughput -1 --command-property max.request.size=1000 --output json",
    );
    let total = &lines_of(&output)[0];
    assert_eq!(
        (&total["records"], &total["failed"]),
        (&json!(0), &json!(3))
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("3 records were not delivered to topic load")
            && said.contains("max.request.size"),
        "{said}"
    );
}

#[test]
fn without_a_broker_or_with_a_payload_that_is_not_there_it_ends_at_once() {
    let server = Server::start();
    let line = "--num-records 3 --throughput -1 --payload-file /no/such/file";
    let output = perf(&server, line);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(told, "Reading payloads from: /no/such/file\n");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let sentence = "File does not exist or empty file provided.";
    assert_eq!(said.lines().next(), Some(sentence));

    let mut server = server;
    server.kill();
    let output = perf(&server, "--num-records 3 --throughput -1 --record-size 9");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("refused"), "{said}");
}
