//! `e2e-latency` on our broker.

use serde_json::Value;

use crate::requests::create_topic;
use crate::server::Server;

#[test]
fn what_is_sent_is_read_again_from_all_partitions_with_keys_and_headers() {
    let server = Server::start();
    create_topic(server.address(), "ping", 3);
    let line = "e2e-latency --topic ping --num-records 30 --producer-acks all --record-size 20 --record-key-size 5 \
                --num-headers 2 --record-header-key-size 3 --record-header-size 4 --output json";
    let value: Value = serde_json::from_str(&server.tool(line)).expect("JSON");
    assert_eq!(value["records"], 30);
    let ms = |name: &str| value[name].as_f64().expect("a number");
    assert!(
        ms("p50LatencyMs") > 0.0 && ms("p50LatencyMs") <= ms("maxLatencyMs"),
        "{value}"
    );
    let shown = server.tool("console-consumer --topic ping --from-beginning --max-messages 30");
    assert!(shown.lines().all(|value| value.len() == 20), "{shown}");
}

#[test]
fn a_topic_that_is_not_there_is_made_and_no_group_is_left() {
    let server = Server::start();
    let line = "e2e-latency --topic new --num-records 1 --producer-acks 1 --record-size 1";
    let text = server.tool(line);
    let expected = "Topic \"new\" does not exist. Will create topic with 1 partition(s) and replication factor = 1";
    assert_eq!(text.lines().next(), Some(expected));
    assert!(
        text.contains("\n0\t") && text.contains("Avg latency: "),
        "{text}"
    );
    assert_eq!(server.tool("consumer-groups --list"), "");
}
