//! `ottla topics apply` and `export`, `ottla server --apply`, `ottla run -f`: a cluster is as a file says, once and for all.

mod at_start;
mod random_clusters;

use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::server::Server;
use crate::terminal;

const ORDERS: &str = "\
version: 1
topics:
  orders:
    partitions: 3
    replication_factor: 1
    configs:
      cleanup.policy: [compact, delete]
      min.cleanable.dirty.ratio: 0.1
      retention.ms: 604800000
  prices: {partitions: 1}
groups:
  billing:
    offsets:
      orders: earliest
      prices: {0: 0}
";

/// Applies a file; its standard output and error, and the exit status.
fn apply(server: &Server, options: &str, file: &str) -> (String, String, i32) {
    let output = server.try_tool(&format!("topics apply -f - {options}"), file);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap();
    (text(output.stdout), text(output.stderr), status)
}

/// A file is applied, and that it says nothing new is said.
fn nothing_is_left_to_do(server: &Server, file: &str) {
    let (out, err, status) = apply(server, "--plan", file);
    assert_eq!(
        out, "Nothing to change: the cluster is as the file says.\n",
        "{err}"
    );
    assert_eq!(status, 0);
}

#[test]
fn a_plan_reads_like_a_diff_and_what_was_applied_is_not_applied_again() {
    let server = Server::start();
    let plan = "\
+ topic orders
  + partitions: 3
  + replication_factor: 1
  + cleanup.policy: compact,delete
  + min.cleanable.dirty.ratio: 0.1
  + retention.ms: 604800000
+ topic prices
  + partitions: 1
+ group billing
  + orders-0: 0
  + orders-1: 0
  + orders-2: 0
  + prices-0: 0
Plan: topics: 2 to create, 0 to change, 0 to delete; groups: 1 to set.
";
    let expected = (plan.to_owned(), String::new(), 3);
    assert_eq!(apply(&server, "--plan", ORDERS), expected);
    assert_eq!(
        server.tool("topics --list"),
        "__consumer_offsets\n",
        "a plan changes nothing"
    );
    let expected = (format!("{plan}Done.\n"), String::new(), 0);
    assert_eq!(apply(&server, "", ORDERS), expected);
    nothing_is_left_to_do(&server, ORDERS);

    let change = "topics: {orders: {partitions: 5, configs: {max.message.bytes: 2000000, retention.ms: 604800001, cleanup.policy: compact}}}";
    let (out, err, status) = apply(&server, "", change);
    assert_eq!((err.as_str(), status), ("", 0));
    assert_eq!(
        out,
        "\
~ topic orders
  ~ partitions: 3 -> 5 (keys go to other partitions from then on)
  ~ cleanup.policy: compact,delete -> compact
  + max.message.bytes: 2000000 (the broker has 1048588)
  - min.cleanable.dirty.ratio: 0.1 (then 0.5)
  ~ retention.ms: 604800000 -> 604800001
Plan: topics: 0 to create, 1 to change, 0 to delete; groups: 0 to set.
Done.
"
    );
    nothing_is_left_to_do(&server, change);
}

#[test]
fn what_loses_data_is_named_and_done_only_where_that_is_said() {
    let server = Server::start();
    assert_eq!(apply(&server, "", ORDERS).2, 0);
    let less = "topics: {orders: {configs: {cleanup.policy: compact}}, prices: {configs: {retention.ms: 1000, cleanup.policy: [compact, delete]}}}";
    let (out, err, status) = apply(&server, "", less);
    assert_eq!(status, 1, "{out}");
    assert!(
        out.contains("  + retention.ms: 1000 (the broker has 604800000)  LOSES DATA: "),
        "{out}"
    );
    assert_eq!(
        err,
        "\
This loses data:
topic prices, cleanup.policy: of each key only the last record stays
topic prices, retention.ms: what is older is deleted
Nothing was changed. --allow-data-loss does it.
"
    );
    assert!(
        server
            .tool("topics --describe --topic orders")
            .contains("compact,delete")
    );
    assert_eq!(apply(&server, "--allow-data-loss", less).2, 0);
    nothing_is_left_to_do(&server, less);
    // Back to the broker's seven days is no loss, and from more than those it is one.
    assert_eq!(
        apply(
            &server,
            "",
            "topics: {prices: {configs: {cleanup.policy: 'compact, delete'}}}"
        )
        .2,
        0
    );
    assert_eq!(
        apply(
            &server,
            "",
            "topics: {orders: {configs: {cleanup.policy: compact, retention.ms: -1}}}"
        )
        .2,
        0
    );
    assert_eq!(
        apply(
            &server,
            "",
            "topics: {orders: {configs: {cleanup.policy: delete, retention.ms: -1}}}"
        )
        .2,
        1
    );
    assert_eq!(
        apply(
            &server,
            "--allow-data-loss",
            "topics: {orders: {configs: {cleanup.policy: delete, retention.ms: -1}}}"
        )
        .2,
        0
    );
    let (_, err, status) = apply(&server, "", "topics: {orders: {configs: {}}}");
    assert_eq!(status, 1);
    assert!(
        err.contains("topic orders, retention.ms: what is older is deleted"),
        "{err}"
    );
}

#[test]
fn fewer_partitions_are_a_topic_made_anew_where_its_records_may_be_lost() {
    let server = Server::start();
    assert_eq!(apply(&server, "", ORDERS).2, 0);
    server.tool_with_input("console-producer --topic orders", "a\nb\n");
    let fewer =
        "topics: {orders: {partitions: 2}}\ngroups: {billing: {offsets: {orders: earliest}}}";
    let (out, err, status) = apply(&server, "", fewer);
    assert_eq!(status, 1);
    assert_eq!(
        out,
        "\
-/+ topic orders  LOSES DATA: everything in it, as partitions cannot be taken away
  ~ partitions: 3 -> 2
  + replication_factor: 1
  + cleanup.policy: compact,delete
  + min.cleanable.dirty.ratio: 0.1
  + retention.ms: 604800000
+ group billing
  + orders-0: 0
  + orders-1: 0
Plan: topics: 0 to create, 0 to change, 0 to delete, 1 to delete and make anew; groups: 1 to set.
"
    );
    assert!(
        err.contains("topic orders is deleted with everything in it and made anew, with 2 partitions instead of 3\nNothing was changed."),
        "{err}"
    );
    assert_eq!(server.tool("get-offsets --topic orders").lines().count(), 3);
    assert_eq!(apply(&server, "--allow-data-loss", fewer).2, 0);
    assert_eq!(
        server.tool("get-offsets --topic orders"),
        "orders:0:0\norders:1:0\n"
    );
    let described = server.tool("topics --describe --topic orders");
    assert!(
        described.contains("min.cleanable.dirty.ratio=0.1"),
        "{described}"
    );
    nothing_is_left_to_do(&server, fewer);
}

#[test]
fn pruning_is_asked_about_and_spares_what_is_not_the_files_business() {
    let server = Server::start();
    for topic in ["kept", "old", "old.too", "_schemas", "team-a"] {
        server.tool(&format!("topics --create --topic {topic}"));
    }
    let file = "topics: {kept: {}}\nkeep: ['team-*']\n";
    let (out, _, status) = apply(&server, "--prune --plan", file);
    let expected = "\
- topic old  LOSES DATA: everything in it
- topic old.too  LOSES DATA: everything in it
  not in the file and left alone: _schemas, team-a
Plan: topics: 0 to create, 0 to change, 2 to delete; groups: 0 to set.
";
    assert_eq!((out.as_str(), status), (expected, 3));
    assert_eq!(apply(&server, "--prune --yes", file).2, 1, "it loses data");
    let (_, err, status) = apply(&server, "--prune --allow-data-loss", file);
    assert_eq!(status, 1, "nobody is there to be asked");
    assert!(
        err.starts_with("Topics would be deleted: old, old.too.\n"),
        "{err}"
    );
    let (_, err, status) = apply(&server, "--prune --allow-data-loss --yes", "groups: {}\n");
    assert_eq!(status, 1);
    assert!(err.contains("needs a file with `topics`"), "{err}");
    assert_eq!(server.tool("topics --list").lines().count(), 5);
    assert_eq!(apply(&server, "--prune --allow-data-loss --yes", file).2, 0);
    assert_eq!(server.tool("topics --list"), "_schemas\nkept\nteam-a\n");
    assert_eq!(apply(&server, "--prune --plan", file).2, 0);
}

#[test]
fn on_a_terminal_pruning_asks_and_only_a_yes_is_one() {
    let server = Server::start();
    server.tool("topics --create --topic old");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("topics.yaml");
    std::fs::write(&file, "topics: {}\n").unwrap();
    for (answer, status) in [
        ("\n", 1),
        ("n\n", 1),
        ("old\n", 1),
        ("\u{4}", 1),
        ("Yes\n", 0),
    ] {
        let mut command = crate::server::ottla();
        command.args(["topics", "apply", "--prune", "--allow-data-loss", "-f"]);
        command
            .arg(&file)
            .args(["--bootstrap-server", server.address()]);
        let (shown, ended) = terminal::answering(&mut command, answer);
        assert!(
            shown.contains("Delete with everything in them: old?"),
            "{shown}"
        );
        assert_eq!(ended, Some(status), "{answer:?}");
        let left = if status == 0 { "\n" } else { "old\n" };
        assert_eq!(server.tool("topics --list"), left, "{answer:?}");
    }
}

#[test]
fn one_thing_that_cannot_be_done_keeps_all_from_being_done() {
    let server = Server::start();
    assert_eq!(apply(&server, "", ORDERS).2, 0);
    for (file, reason) in [
        (
            "topics: {new: {}, orders: {partitions: 2, configs: {max.message.bytes: many}}}",
            "topic orders: ",
        ),
        (
            "topics: {new: {}, __consumer_offsets: {partitions: 2}}",
            "cannot have fewer: it is the cluster's own",
        ),
        (
            "topics: {new: {}, orders: {replication_factor: 2}}",
            "topic orders has 1 replicas for each partition and cannot have 2: 2 replicas need as many brokers, and the cluster has 1 broker",
        ),
        (
            "topics: {new: {}, other: {replication_factor: 3}}",
            "topic other: Unable to replicate",
        ),
        (
            "topics: {new: {}, other: {configs: {retention.mss: 1}}}",
            "did you mean `retention.ms`?",
        ),
        (
            "topics: {new: {}, orders: {configs: {retentin.ms: 1}}}",
            "did you mean `retention.ms`?",
        ),
        (
            "topics: {new: {}, orders: {configs: {retention.ms: soon}}}",
            "topic orders: ",
        ),
        (
            "topics: {new: {}}\ngroups: {g: {offsets: {none: 1}}}",
            "there is no topic none",
        ),
        (
            "topics: {new: {}}\ngroups: {g: {offsets: {orders: {3: 1}}}}",
            "topic orders has no partition 3",
        ),
        (
            "topics: {new: {}}\ngroups: {g: {offsets: {new: 1}}}",
            "how many partitions topic new",
        ),
        (
            "topics: {new: {partition: 1}}",
            "did you mean `partitions`?",
        ),
        (
            "cluster_id: another\ntopics: {new: {}}",
            "The file is for the cluster another",
        ),
    ] {
        let (_, err, status) = apply(&server, "--allow-data-loss", file);
        assert_eq!(status, 1, "{file}: {err}");
        assert!(
            err.contains(reason) && err.contains("Nothing was changed."),
            "{file}: {err}"
        );
    }
    assert_eq!(
        server.tool("topics --list"),
        "__consumer_offsets\norders\nprices\n"
    );
    assert_eq!(apply(&server, "--bad", ORDERS).2, 2);
}

#[test]
fn offsets_of_a_group_with_members_are_refused_before_anything_is_changed() {
    let server = Server::start();
    assert_eq!(apply(&server, "", "topics: {t: {partitions: 1}}").2, 0);
    server.tool_with_input("console-producer --topic t", "a\nb\nc\n");
    let mut reader = crate::server::ottla();
    reader.args(["console-consumer", "--topic", "t", "--group", "busy"]);
    reader.args(["--from-beginning", "--bootstrap-server", server.address()]);
    let mut reader = reader
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0; 2];
    let mut shown = reader.stdout.take().unwrap();
    shown.read_exact(&mut first).unwrap();
    let file = "topics: {new: {}}\ngroups: {busy: {offsets: {t: 1}}}";
    for options in ["", "--plan"] {
        let (_, err, status) = apply(&server, options, file);
        assert_eq!(status, 1, "{err}");
        assert!(
            err.starts_with("group busy has members, and only they commit")
                && err.contains("Nothing was changed."),
            "{err}"
        );
    }
    assert_eq!(server.tool("topics --list"), "__consumer_offsets\nt\n");
    crate::server::terminate(&reader);
    reader.wait().unwrap();
    assert_eq!(apply(&server, "", file).2, 0);
}

#[test]
fn what_was_exported_changes_nothing_in_either_form() {
    let server = Server::start();
    assert_eq!(apply(&server, "", ORDERS).2, 0);
    server.tool_with_input("console-producer --topic prices", "a\nb\nc\n");
    server.tool("console-consumer --topic prices --group busy --from-beginning --max-messages 2");
    for form in ["", "--output yaml", "--output json"] {
        let file = server.tool(&format!("topics export {form}"));
        nothing_is_left_to_do(&server, &file);
        assert_eq!(apply(&server, "--prune --plan", &file).2, 0);
        let other = Server::start();
        let (out, err, status) = apply(&other, "", &file);
        assert_eq!(status, 1, "{out}");
        assert!(err.starts_with("The file is for the cluster "), "{err}");
    }
    let json = server.tool("topics export --output json --topic prices");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["topics"]["prices"]["partitions"], 1);
    assert!(json["topics"]["orders"].is_null());
}

#[test]
fn offsets_are_moved_where_nobody_reads_and_the_ends_are_only_for_the_first_time() {
    let server = Server::start();
    assert_eq!(apply(&server, "", "topics: {t: {partitions: 1}}").2, 0);
    server.tool_with_input("console-producer --topic t", "a\nb\nc\nd\n");
    let latest = "groups: {g: {offsets: {t: latest}}}";
    let (out, _, status) = apply(&server, "", latest);
    assert!(status == 0 && out.contains("  + t-0: 4\n"), "{out}");
    let (out, err, _) = apply(&server, "", "groups: {g: {offsets: {t: {0: 1}}}}");
    assert!(
        out.contains("  ~ t-0: 4 -> 1 (backward: 3 offsets are read again)\n"),
        "{out}{err}"
    );
    nothing_is_left_to_do(&server, latest);
    let (out, _, _) = apply(&server, "", "groups: {g: {offsets: {t: 3}}}");
    assert!(
        out.contains("  ~ t-0: 1 -> 3 (forward: 2 offsets are skipped)\n"),
        "{out}"
    );
    let read = server.tool("console-consumer --topic t --group g --max-messages 1");
    assert_eq!(read, "d\n");
}

#[test]
fn json_says_the_same_and_its_fields_are_those_that_are_documented() {
    let server = Server::start();
    assert_eq!(apply(&server, "", ORDERS).2, 0);
    let file = "topics: {prices: {partitions: 2, configs: {retention.ms: 5}}, new: {partitions: 1}}\ngroups: {billing: {offsets: {prices: {0: 9}}}}";
    let (out, _, status) = apply(&server, "--plan --output json", file);
    assert_eq!(status, 3);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&json["version"], &json["pending"], &json["applied"]),
        (&1.into(), &true.into(), &false.into())
    );
    let [new, prices] = json["topics"].as_array().unwrap().as_slice() else {
        panic!("{out}");
    };
    assert_eq!(
        (&new["name"], &new["action"]),
        (&"new".into(), &"create".into())
    );
    assert_eq!(
        prices["partitions"],
        serde_json::json!({ "from": 1, "to": 2 })
    );
    assert_eq!(prices["configs"][0]["from"], "604800000");
    assert_eq!(prices["losses"].as_array().unwrap().len(), 1);
    assert_eq!(
        json["groups"][0]["offsets"][0],
        serde_json::json!({ "topic": "prices", "partition": 0, "from": 0, "to": 9 })
    );
    let (out, _, status) = apply(&server, "--allow-data-loss --output json", file);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (status, &json["pending"], &json["applied"]),
        (0, &false.into(), &true.into())
    );

    let page = include_str!("../../docs/json/topics-apply.md");
    let mut fields = Vec::new();
    collect_fields(&json, &mut fields);
    for field in fields {
        assert!(
            page.contains(&format!("`{field}`")),
            "{field} is not in docs/json/topics-apply.md"
        );
    }
}

fn collect_fields(value: &Value, fields: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            fields.push(key.clone());
            collect_fields(value, fields);
        }),
        Value::Array(items) => items.iter().for_each(|item| collect_fields(item, fields)),
        _ => {}
    }
}

#[test]
fn links_with_the_references_names_do_not_have_these_verbs() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("kafka-topics.sh");
    symlink(env!("CARGO_BIN_EXE_ottla"), &link).unwrap();
    let run = |word: &str| Command::new(&link).args([word, "--list"]).output().unwrap();
    let (apply, other) = (run("apply"), run("apples"));
    assert_eq!(apply.status.code(), Some(1));
    assert_eq!(apply.stdout, other.stdout);
    let said = String::from_utf8(other.stderr)
        .unwrap()
        .replace("apples", "apply");
    assert_eq!(String::from_utf8(apply.stderr).unwrap(), said);
}
