//! Batches that are larger than the topic takes: the producer sends their records in smaller ones, each once and in order.

use crate::server::Server;

const LINES: u32 = 20_000;
/// Some 300 of the lines.
const MAX_BYTES: u32 = 10_000;

fn lines() -> Vec<String> {
    (0..LINES)
        .map(|number| format!("line {number:07} of the file"))
        .collect()
}

fn read(server: &Server, count: usize) -> Vec<String> {
    let text = server.tool(&format!(
        "console-consumer --topic narrow --partition 0 --offset earliest --isolation-level read_committed \
         --max-messages {count} --timeout-ms 30000"
    ));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn lines_reach_a_topic_that_takes_smaller_batches_than_the_producer_makes() {
    let server = Server::start();
    for how in [
        "",
        "--compression-codec=lz4",
        "--request-required-acks 1 --command-property max.in.flight.requests.per.connection=1",
        "--transactional-id lines",
    ] {
        let topic = format!("narrow --partitions 1 --config max.message.bytes={MAX_BYTES}");
        server.tool(&format!("topics --create --topic {topic}"));
        let output = server.try_tool(
            &format!("console-producer --topic narrow --batch-size 200000 {how}"),
            &(lines().join("\n") + "\n"),
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{how}: {said}");
        assert!(
            read(&server, lines().len()) == lines(),
            "{how}: not the lines that were sent"
        );
        let end = server.tool("get-offsets --topic narrow");
        let marker = u32::from(how.contains("transactional"));
        assert_eq!(end, format!("narrow:0:{}\n", LINES + marker), "{how}");
        server.tool("topics --delete --topic narrow");
    }
}

#[test]
fn a_line_that_no_batch_can_hold_is_the_only_one_that_is_missing() {
    let server = Server::start();
    let topic = format!("narrow --partitions 1 --config max.message.bytes={MAX_BYTES}");
    server.tool(&format!("topics --create --topic {topic}"));
    let mut all = lines();
    all.insert(700, "x".repeat(MAX_BYTES as usize));
    let output = server.try_tool(
        "console-producer --topic narrow --batch-size 200000",
        &(all.join("\n") + "\n"),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    // Like every failed send of the reference's, this leaves the status at 0.
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("1 record was not delivered to topic narrow"),
        "{said}"
    );
    assert!(
        read(&server, lines().len()) == lines(),
        "not the lines that were sent"
    );
    assert_eq!(
        server.tool("get-offsets --topic narrow"),
        format!("narrow:0:{LINES}\n")
    );
}
