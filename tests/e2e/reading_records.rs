//! What of a topic is read, and how it is shown, by the console consumer's own options.

use serde_json::Value;

use crate::server::Server;

const KEYED: &str = "--reader-property parse.key=true --reader-property key.separator=:";

fn produce(server: &Server, topic: &str, options: &str, lines: &str) {
    let line = format!("console-producer --topic {topic} --timeout 5 {options}");
    let options = line.trim_end();
    server.tool_with_input(options, lines);
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// A server with a topic `t` of one partition, and ten lines in it, `0` being the first.
fn with_ten_lines() -> Server {
    let server = Server::start();
    server.tool("topics --create --topic t --partitions 1");
    let numbers: String = (0..10).map(|number| format!("{number}\n")).collect();
    produce(&server, "t", "", &numbers);
    server
}

#[test]
fn a_range_is_read_and_nothing_is_waited_for() {
    let server = with_ten_lines();
    let read = |options: &str| server.tool(&format!("console-consumer --topic t {options}"));
    assert_eq!(read("--from 3 --to 6"), "3\n4\n5\n");
    assert_eq!(read("--from 7 --until-end"), "7\n8\n9\n");
    assert_eq!(read("--from 7 --to 1000"), "7\n8\n9\n");
    assert_eq!(read("--from 0:8 --to now"), "8\n9\n");
    assert_eq!(read("--partition 0 --offset 9 --until-end"), "9\n");
    assert_eq!(
        read("--from-beginning --until-end --max-messages 2"),
        "0\n1\n"
    );
    assert_eq!(lines(&read("--from -1h --to now")).len(), 10);
    assert_eq!(read("--from @2001-01-01T00:00Z --to @2001-01-02"), "");
    assert_eq!(read("--from end --until-end"), "");
    assert_eq!(read("--tail 2"), "8\n9\n");
    assert_eq!(lines(&read("--tail 100")).len(), 10);
    let groups = server.tool("groups --list");
    assert_eq!(lines(&groups).len(), 1, "a title, and no group: {groups}");
}

#[test]
fn times_are_those_of_the_records() {
    let server = with_ten_lines();
    let last_time = || -> i64 {
        let time = server.tool("console-consumer --topic t --tail 1 --format %T");
        time.parse().expect("a number")
    };
    let before = last_time();
    produce(&server, "t", "", "late\n");
    let late = last_time();
    let from = |time: i64| {
        let range = format!("--from @{time} --to now");
        server.tool(&format!("console-consumer --topic t {range}"))
    };
    assert!(from(late).ends_with("late\n"));
    assert_eq!(from(late) == "late\n", late > before);
    assert_eq!(from(late + 1), "");
    let earlier = server.tool(&format!("console-consumer --topic t --to @{late}"));
    assert!(!lines(&earlier).contains(&"late") && lines(&earlier).contains(&"0"));
}

#[test]
fn the_last_records_are_found_behind_markers_of_transactions_and_over_partitions() {
    let server = Server::start();
    server.tool("topics --create --topic t --partitions 3");
    let each = "--transactional-id x --commit-every 1";
    let numbers: String = (0..12).map(|n| format!("{n}:{n}\n")).collect();
    produce(&server, "t", &format!("{KEYED} {each}"), &numbers);
    let last = server.tool("console-consumer --topic t --tail 5 --isolation-level read_committed");
    let mut last = lines(&last);
    last.sort_by_key(|number| number.parse::<u32>().expect("a number"));
    // Some have the same millisecond, but none of the first ones is among the last.
    assert_eq!(last.len(), 5);
    assert!(!last.contains(&"0") && last.contains(&"11"), "{last:?}");
    let all = server.tool("console-consumer --topic t --until-end");
    assert_eq!(lines(&all).len(), 12);
    let of_one = server.tool("console-consumer --topic t --tail 2 --grep ^1$");
    assert_eq!(of_one, "1\n", "looked for from the end to the beginning");
}

#[test]
fn records_are_picked_by_key_header_field_and_pattern() {
    let server = Server::start();
    server.tool("topics --create --topic t --partitions 4");
    let headers = "--reader-property parse.headers=true";
    let input = "kind:a\tk1:{\"id\":1,\"user\":{\"name\":\"Jo\"}}\n\
                 kind:b\tk2:{\"id\":2}\n\
                 other:x\tk1:plain\n";
    produce(
        &server,
        "t",
        &format!("{KEYED} {headers} --reader-property headers.key.separator=:"),
        input,
    );
    let read =
        |options: &str| server.tool(&format!("console-consumer --topic t --until-end {options}"));
    assert_eq!(lines(&read("--key k1 --format %k;%o\\n")), ["k1;0", "k1;2"]);
    assert_eq!(read("--key k1 --any-partition --grep plain"), "plain\n");
    assert_eq!(read("--key none"), "");
    assert_eq!(read("--header kind=b"), "{\"id\":2}\n");
    assert_eq!(lines(&read("--header kind")).len(), 2);
    assert_eq!(read("--json user.name=Jo --format %k"), "k1");
    assert_eq!(read("--json id=2 --format %h"), "kind=b");
    assert_eq!(read("--grep-key ^k2$ --format %v{hex}"), "7b226964223a327d");
    // A member of a group reads what it is given, and looks for the key there.
    let grouped = "console-consumer --topic t --group g --from-beginning --key k2 --max-messages 1";
    assert_eq!(server.tool(grouped), "{\"id\":2}\n");
}

#[test]
fn a_record_has_everything_as_json() {
    let server = Server::start();
    server.tool("topics --create --topic t --partitions 1");
    produce(&server, "t", KEYED, "k:12345678\n");
    let read = |options: &str| {
        let line = server.tool(&format!("console-consumer --topic t --tail 1 {options}"));
        serde_json::from_str::<Value>(&line).expect("one object")
    };
    let record = read("--format json");
    assert_eq!(
        (&record["topic"], &record["offset"]),
        (&"t".into(), &0.into())
    );
    assert_eq!(
        (&record["key"], &record["value"]),
        (&"k".into(), &"12345678".into())
    );
    assert!(record["timestamp"].is_i64() && record["headers"] == Value::Array(Vec::new()));
    let record = read("--format json --value-deserializer long");
    assert_eq!(record["value"], "3544952156018063160");
}

#[test]
fn what_cannot_be_read_ends_with_a_reason_and_makes_no_topic() {
    let server = with_ten_lines();
    for (options, part) in [
        ("--topic none --tail 5", "none"),
        ("--topic t --partition 7 --tail 5", "1 partitions"),
        ("--include x.* --tail 5", "No topic"),
        ("--topic t --group g --tail 5", "--group"),
        ("--topic t --from soon", "--from wants"),
        ("--topic t --tail 5 --format %q", "%q"),
    ] {
        let output = server.try_tool(&format!("console-consumer {options}"), "");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{options}: {said}");
        assert!(said.contains(part), "{options}: {said}");
    }
    assert_eq!(server.tool("topics --list"), "t\n");
}
