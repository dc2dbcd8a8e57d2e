//! Every table as JSON.

use serde_json::json;

use super::{Member, broker, groups, parsed, produce, read, stderr, stdout};

#[test]
fn lists_descriptions_and_deletions_come_as_json() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 4);
    let member = Member::join(
        &server,
        "busy",
        &["--command-property", "client.id=billing"],
    );

    let listed = parsed(&groups(&server, "--list --state empty --output json"));
    assert_eq!(
        listed,
        json!({ "version": 1, "groups": [{
            "group": "g", "type": "Classic", "state": "Empty", "protocolType": "consumer", "coordinator": 1,
        }]})
    );

    let described = parsed(&groups(
        &server,
        "--describe --group busy --members --output json",
    ));
    let group = &described["groups"][0];
    assert_eq!(
        (&group["state"], &group["assignor"]),
        (&json!("Stable"), &json!("range"))
    );
    let member_of = &group["members"][0];
    assert_eq!(member_of["clientId"], "billing");
    assert_eq!(
        member_of["assignment"],
        json!([{ "topic": "orders", "partitions": [0] }])
    );
    assert!(group.get("offsets").is_none(), "only where they are wanted");

    let described = parsed(&groups(&server, "--describe --group g --output json"));
    let offsets = &described["groups"][0]["offsets"][0];
    assert_eq!(
        (
            &offsets["topic"],
            &offsets["currentOffset"],
            &offsets["logEndOffset"],
            &offsets["lag"]
        ),
        (&json!("orders"), &json!(4), &json!(10), &json!(6))
    );

    let output = groups(
        &server,
        "--delete-offsets --group g --topic orders --topic none --output json",
    );
    assert_eq!(output.status.code(), Some(1));
    let partitions = &parsed(&output)["partitions"];
    assert_eq!(
        partitions[0],
        json!({ "topic": "none", "partition": null, "deleted": false, "error": {
            "code": "UNKNOWN_TOPIC_OR_PARTITION", "message": "This server does not host this topic-partition.",
        }})
    );
    assert_eq!(
        partitions[1],
        json!({ "topic": "orders", "partition": 0, "deleted": true, "error": null })
    );

    let output = groups(&server, "--delete --group g --group busy --output json");
    assert_eq!(output.status.code(), Some(1));
    let deleted = &parsed(&output)["groups"];
    let of = |group: &str| {
        let mut groups = deleted.as_array().unwrap().iter();
        groups
            .find(|found| found["group"] == group)
            .unwrap()
            .clone()
    };
    assert_eq!(of("g")["deleted"], true);
    assert_eq!(of("busy")["error"]["code"], "NON_EMPTY_GROUP");
    member.leave();
}

#[test]
fn with_json_nothing_else_is_on_standard_output_and_a_failure_shows_in_the_status() {
    let server = broker();
    produce(&server, 10);
    let output = groups(&server, "--describe --group ghost --output json");
    assert_eq!((output.status.code(), &*stdout(&output)), (Some(1), ""));
    assert!(stderr(&output).contains("ghost"));

    // The reference warns of that on standard output.
    let late =
        "--reset-offsets --group g --topic orders --to-datetime 2999-01-01T00:00:00.000 --dry-run";
    let output = groups(&server, &format!("{late} --output json"));
    assert_eq!(
        parsed(&output)["groups"][0]["partitions"][0]["newOffset"],
        10
    );
    assert!(stderr(&output).contains("Falling back to latest known offset"));

    let output = groups(&server, "--list --output xml");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("table, wide, json, yaml, csv, tsv"),
        "{}",
        stderr(&output)
    );
}
