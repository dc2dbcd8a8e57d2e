//! A cluster whose first broker is well, and leads to another one that nobody can reach.

use std::io::Write;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use ottla_protocol::messages::MetadataRequest;
use ottla_protocol::messages::api::metadata::response::MetadataResponseBroker;
use serde_json::Value;

use super::bound;
use super::calls::{CALLS, Files, Then, promptly, run};
use crate::front::{Front, Fronted};
use crate::requests::create_topic;
use crate::server::ottla;

/// A broker whose cluster has another one, which leads these partitions of every topic and is said to be at this address.
fn led_from(advertised: &str, is_led: fn(i32) -> bool) -> Fronted {
    let (host, port) = advertised.rsplit_once(':').expect("an address");
    let (host, port) = (host.to_owned(), port.parse().expect("a port"));
    let front = Front::default().changing::<MetadataRequest>(move |metadata| {
        metadata.brokers.push(MetadataResponseBroker {
            node_id: 2,
            host: host.as_str().into(),
            port,
            ..Default::default()
        });
        let topics = metadata.topics.iter_mut();
        for partition in topics.flat_map(|topic| &mut topic.partitions) {
            if is_led(partition.partition_index) {
                partition.leader_id = 2;
            }
        }
    });
    front.start(&[])
}

/// The same with a topic `t` of one partition, and all partitions led from there.
fn wholly_led_from(advertised: &str) -> Fronted {
    let fronted = led_from(advertised, |_| true);
    create_topic(fronted.server.address(), "t", 1);
    fronted
}

/// The sentence with which tools name such an address.
fn misadvertised(fronted: &Fronted, advertised: &str) -> String {
    let by = fronted.address();
    format!("{by} advertises {advertised}, which cannot be reached")
}

#[test]
fn one_of_several_brokers_advertises_a_listener_that_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let advertised = listener.local_addr().expect("an address").to_string();
    let fronted = wholly_led_from(&advertised);
    let cause = misadvertised(&fronted, &advertised);
    let files = Files::write();
    for (line, then) in CALLS {
        let waits_for_leaders = ["producer", "--tail", "e2e-latency"];
        let is_one = waits_for_leaders.iter().any(|part| line.contains(part));
        if *then != Then::Ends || !is_one {
            continue;
        }
        let words = files.words(line, fronted.address());
        promptly(&words, Then::Ends, &[&cause]).must_name(&[&cause]);
    }
}

#[test]
fn one_of_several_brokers_is_waited_for_where_the_user_gives_it_time() {
    let (_socket, advertised) = bound();
    let fronted = wholly_led_from(&advertised);
    let cause = misadvertised(&fronted, &advertised);
    let line = "producer-perf-test --topic t --num-records 1 --throughput -1 --record-size 1 --timeout 3s --bootstrap-server";
    let heard = run(&format!("{line} {}", fronted.address()), Then::Ends, &[]);
    heard.must_name(&[&cause]);
    assert!(heard.took >= Duration::from_secs(3), "{:?}", heard.took);
}

#[test]
fn records_for_the_brokers_that_are_reached_are_delivered() {
    let (_socket, advertised) = bound();
    let fronted = led_from(&advertised, |partition| partition == 1);
    create_topic(fronted.server.address(), "t", 2);
    let mut produced = ottla();
    produced
        .args(["console-producer", "--topic", "t", "--output", "json"])
        .args(["--reader-property", "parse.key=true"])
        .args(["--bootstrap-server", fronted.address()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut produced = produced.spawn().expect("the binary");
    let lines: String = (0..100).map(|key| format!("{key}\tx\n")).collect();
    let mut input = produced.stdin.take().expect("piped");
    input.write_all(lines.as_bytes()).expect("it reads");
    drop(input);
    let output = produced.wait_with_output().expect("a status");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let count = |key: &str| report[key].as_u64().expect("a number");
    assert_eq!(count("records") + count("failed"), 100, "{report}");
    assert!(count("records") > 0 && count("failed") > 0, "{report}");
    let partitions = report["partitions"].as_array().expect("an array");
    assert_eq!(
        (partitions.len(), &partitions[0]["partition"]),
        (1, &Value::from(0))
    );
    let said = String::from_utf8_lossy(&output.stderr);
    let told = format!("{} records were not delivered", count("failed"));
    assert!(said.contains(&told), "{said}");
    assert!(
        said.contains(&misadvertised(&fronted, &advertised)),
        "{said}"
    );
}
