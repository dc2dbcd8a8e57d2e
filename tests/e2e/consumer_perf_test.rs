//! `consumer-perf-test` on our broker: what it says it read is what there is.

use serde_json::Value;

use crate::requests::create_topic;
use crate::server::Server;

fn read(server: &Server, line: &str) -> (Vec<Value>, String) {
    let output = server.try_tool(&format!("consumer-perf-test {line} --output json"), "");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().map(serde_json::from_str);
    let lines = lines.collect::<Result<_, _>>();
    (lines.expect("lines of JSON"), stderr)
}

#[test]
fn all_records_of_all_topics_that_fit_are_counted_with_their_bytes() {
    let server = Server::start();
    for topic in ["load-1", "load-2", "other"] {
        create_topic(server.address(), topic, 2);
        let line = format!(
            "producer-perf-test --topic {topic} --num-records 500 --record-size 10 --throughput -1"
        );
        server.tool(&line);
    }
    let (lines, _) = read(&server, "--include load-. --num-records 1000");
    let [total] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    assert_eq!(total["type"], "total");
    assert_eq!(
        (&total["records"], &total["bytes"]),
        (&1000.into(), &10_000.into())
    );
    let (start, end) = (total["startTimeMs"].as_i64(), total["endTimeMs"].as_i64());
    assert!(start.is_some() && start <= end, "{total}");
}

#[test]
fn what_a_group_has_read_is_not_read_again_and_too_little_is_said() {
    let server = Server::start();
    create_topic(server.address(), "load", 1);
    server.tool(
        "producer-perf-test --topic load --num-records 20 --payload-monotonic --throughput -1",
    );
    let (lines, _) = read(&server, "--topic load --num-records 20 --group readers");
    assert_eq!(lines[0]["records"], 20);
    let again = "--topic load --num-records 1 --group readers --timeout 700";
    let (lines, said) = read(&server, again);
    assert_eq!(lines[0]["records"], 0);
    assert!(
        said.contains(
            "Exiting before consuming the expected number of records: timeout (700 ms) exceeded."
        ),
        "{said}"
    );
}

#[test]
fn each_interval_with_records_has_a_line() {
    let server = Server::start();
    create_topic(server.address(), "load", 1);
    server
        .tool("producer-perf-test --topic load --num-records 20 --record-size 10 --throughput -1");
    let line = "consumer-perf-test --topic load --num-records 20 --show-detailed-stats --reporting-interval 1 --date-format S";
    let text = server.tool(line);
    let (header, lines) = text.split_once('\n').expect("a header");
    assert!(
        header.starts_with("time, threadId, data.consumed.in.MB"),
        "{text}"
    );
    let last = lines.lines().last().expect("an interval");
    assert_eq!(last.split(", ").count(), 10, "{text}");
    let (lines, _) = read(
        &server,
        "--topic load --num-records 20 --show-detailed-stats --reporting-interval 1",
    );
    let records = lines.iter().filter(|line| line["type"] == "interval");
    let records: i64 = records.filter_map(|line| line["records"].as_i64()).sum();
    assert!((1..=20).contains(&records), "{lines:?}");
}
