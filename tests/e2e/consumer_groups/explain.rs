//! What a reset means, before it is done.

use serde_json::Value;

use super::{Member, broker, groups, offset, parsed, produce, read, stdout};

const DAY_MS: i64 = 86_400_000;

#[test]
fn a_reset_back_is_explained_with_counts_times_and_retention() {
    let server = broker();
    produce(&server, 10);
    produce(&server, 10);
    read(&server, "g", 15);

    let plan = "--reset-offsets --group g --topic orders --to-offset 5 --dry-run --explain";
    let report = parsed(&groups(&server, &format!("{plan} --output json")));
    let partition = &report["groups"][0]["partitions"][0];
    assert_eq!(
        (&partition["currentOffset"], &partition["newOffset"]),
        (&15.into(), &5.into())
    );
    let meaning = &partition["explanation"];
    assert_eq!(meaning["effect"], "replays");
    assert_eq!(meaning["records"], 10);
    assert_eq!(meaning["newLag"], 15);
    let (first, last) = (
        time(meaning, "firstTimestampMs"),
        time(meaning, "lastTimestampMs"),
    );
    assert!(0 < first && first <= last, "{first} {last}");
    assert_eq!(meaning["retention"], "time");
    assert_eq!(time(meaning, "keptUntilMs"), first + DAY_MS);

    let table = stdout(&groups(&server, plan));
    let row: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(row[..7], ["g", "orders", "0", "15", "5", "replays", "10"]);
    // Nothing was done.
    assert_eq!(offset(&server, "g"), 15);
}

fn time(meaning: &Value, field: &str) -> i64 {
    meaning[field].as_i64().expect("a time")
}

#[test]
fn skipping_ahead_says_what_will_not_be_read_and_is_done_where_asked() {
    let server = broker();
    produce(&server, 20);
    read(&server, "g", 5);
    let plan = "--reset-offsets --group g --topic orders --to-latest --execute --explain";
    let table = stdout(&groups(&server, plan));
    let row: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(row[..7], ["g", "orders", "0", "5", "20", "skips", "15"]);
    assert_eq!(offset(&server, "g"), 20);
}

#[test]
fn retention_by_time_and_by_size_is_told() {
    let server = broker();
    produce(&server, 20);
    read(&server, "g", 20);
    let plan =
        "--reset-offsets --group g --topic orders --to-earliest --dry-run --explain --output json";
    let retention = || {
        let report = parsed(&groups(&server, plan));
        report["groups"][0]["partitions"][0]["explanation"]["retention"].clone()
    };
    for (configs, expected) in [
        ("retention.ms=-1", "keeps"),
        ("retention.ms=-1,retention.bytes=1", "size"),
        ("cleanup.policy=compact", "keeps"),
    ] {
        server.tool(&format!(
            "configs --alter --entity-type topics --entity-name orders --add-config {configs}"
        ));
        assert_eq!(retention(), expected, "{configs}");
    }
}

#[test]
fn members_in_the_way_are_named_and_the_plan_is_shown_all_the_same() {
    let server = broker();
    produce(&server, 20);
    let member = Member::join(&server, "g", &["--command-property", "client.id=billing"]);
    crate::wait::until("all to be committed", || offset(&server, "g") == 20);

    let plan = "--reset-offsets --group g --topic orders --to-earliest --explain";
    let output = groups(&server, &format!("{plan} --dry-run"));
    assert_eq!(output.status.code(), Some(0));
    let said = stdout(&output);
    assert!(said.contains("the current state is Stable"), "{said}");
    assert!(said.contains(" replays  20 "), "{said}");
    let (_, below) = said
        .split_once("In the way of g:\n")
        .expect("who is in the way");
    assert!(below.contains(" billing "), "{below}");

    // It cannot be done, and scripts see that.
    let output = groups(&server, &format!("{plan} --execute"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(offset(&server, "g"), 20);
    let report = parsed(&groups(&server, &format!("{plan} --dry-run --output json")));
    assert_eq!(
        report["groups"][0]["inUse"]["members"][0]["clientId"],
        "billing"
    );
    member.leave();
}

#[test]
fn records_that_are_gone_already_are_counted_apart() {
    let server = broker();
    produce(&server, 20);
    read(&server, "g", 5);
    server.tool(
        "configs --alter --entity-type topics --entity-name orders --add-config retention.ms=1",
    );
    crate::wait::until("retention to take the records", || {
        server
            .tool("get-offsets --topic orders --time earliest")
            .trim()
            == "orders:0:20"
    });
    let plan = "--reset-offsets --group g --topic orders --to-earliest --dry-run --explain";
    let said = stdout(&groups(&server, plan));
    assert!(
        said.contains("orders-0: 15 more are gone from the log already."),
        "{said}"
    );
}
