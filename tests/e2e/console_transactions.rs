//! The console tools and transactions.

use crate::server::Server;

fn read_committed(server: &Server, topic: &str, count: u32) -> Vec<String> {
    let read = "console-consumer --partition 0 --offset earliest --isolation-level read_committed";
    let text = server.tool(&format!(
        "{read} --topic {topic} --max-messages {count} --timeout-ms 30000"
    ));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn lines_are_committed_so_many_at_a_time_and_a_bad_one_takes_its_own_with_it() {
    let server = Server::start();
    server.tool("topics --create --topic t --partitions 1");
    let producer = "console-producer --topic t --transactional-id lines --commit-every 10 --timeout 5 \
                    --reader-property parse.key=true --reader-property key.separator=:";
    let lines = |numbers: std::ops::Range<u32>| -> String {
        numbers.map(|number| format!("k:{number}\n")).collect()
    };
    let late = server.try_tool(producer, &format!("{}no key\n", lines(0..25)));
    assert_eq!(late.status.code(), Some(1));
    server.tool_with_input(producer, &lines(25..30));
    let expected: Vec<String> = (0..20)
        .chain(25..30)
        .map(|number| number.to_string())
        .collect();
    assert_eq!(read_committed(&server, "t", 25), expected);
}

#[test]
fn without_a_number_all_of_the_input_is_one_transaction() {
    let server = Server::start();
    server.tool("topics --create --topic t --partitions 1");
    let producer = "console-producer --topic t --transactional-id all --timeout 5";
    let keyed = "--reader-property parse.key=true --reader-property key.separator=:";
    let failed = server.try_tool(&format!("{producer} {keyed}"), "k:a\nk:b\nno key\n");
    assert_eq!(failed.status.code(), Some(1));
    server.tool_with_input(producer, "c\nd\n");
    assert_eq!(read_committed(&server, "t", 2), ["c", "d"]);
    let alone = server.try_tool("console-producer --topic t --commit-every 10", "");
    let said = String::from_utf8(alone.stderr).expect("text");
    assert!(said.contains("--transactional-id"), "{said}");
}

/// The lines were sent in a transaction, where the reference's script fails.
#[test]
fn a_property_alone_begins_no_transaction() {
    let server = Server::start();
    server.tool("topics --create --topic t --partitions 1");
    let producer = "console-producer --topic t --command-property transactional.id=x";
    let failed = server.try_tool(producer, "a\nb\n");
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8(failed.stderr).expect("text");
    assert!(said.contains("initTransactions"), "{said}");
    assert!(said.contains("--transactional-id"), "{said}");
    assert_eq!(server.try_tool(producer, "").status.code(), Some(0));
    assert_eq!(server.tool("get-offsets --topic t"), "t:0:0\n");
}
