//! `ottla topics apply` and `export` against Apache Kafka: what a file says comes about there, once, and its own tools see it.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::cluster::Cluster;
use super::ottla;
use super::process::with_kafka;
use super::tools::{agree, our_output, settles};

const FILE: &str = "\
topics:
  orders:
    partitions: 3
    configs: {cleanup.policy: 'compact, delete', min.cleanable.dirty.ratio: 0.10, retention.ms: 604800000}
  prices: {partitions: 1, replication_factor: 1, configs: {retention.ms: -1}}
groups:
  billing: {offsets: {orders: {0: 5, 2: earliest}, prices: latest}}
";

/// Options, the file, the exit status, and what the plan says of it.
const STEPS: &[(&str, &str, i32, &[&str])] = &[
    (
        "--plan",
        FILE,
        3,
        &["+ topic orders", "  + orders-0: 5", "topics: 2 to create"],
    ),
    ("", FILE, 0, &["Done."]),
    (
        "",
        FILE,
        0,
        &["Nothing to change: the cluster is as the file says."],
    ),
    (
        "",
        "topics: {new: {}, prices: {configs: {}}}",
        1,
        &["  - retention.ms: -1 (then 604800000)  LOSES DATA: what is older is deleted"],
    ),
    ("", "topics: {new: {configs: {retention.mss: 1}}}", 1, &[]),
    (
        "",
        "topics: {new: {}, orders: {configs: {retention.ms: soon}}}",
        1,
        &[],
    ),
    ("", "topics: {new: {}, orders: {partitions: 2}}", 1, &[]),
    ("", "cluster_id: another\ntopics: {new: {}}", 1, &[]),
    (
        "--prune --allow-data-loss --yes",
        "topics: {orders: {partitions: 4, configs: {cleanup.policy: compact}}}\ngroups: {billing: {offsets: {orders: {0: 2}}}}",
        0,
        &[
            "  ~ partitions: 3 -> 4 ",
            "  ~ cleanup.policy: compact,delete -> compact",
            "  - min.cleanable.dirty.ratio: 0.1 (then 0.5)",
            "- topic prices  LOSES DATA: everything in it",
            "  ~ orders-0: 5 -> 2 (backward: 3 offsets are read again)",
        ],
    ),
];

pub(super) fn on_kafka() -> Result<()> {
    with_kafka(|bootstrap| {
        for (options, file, status, told) in STEPS {
            apply(bootstrap, options, file, *status, told)?;
        }
        for line in [
            "topics --describe --exclude-internal",
            "consumer-groups --describe --group billing",
        ] {
            agree(line, bootstrap)?;
        }
        let exported = our_output("topics export", bootstrap)?;
        let nothing = &["Nothing to change: the cluster is as the file says."];
        apply(bootstrap, "--prune --plan", &exported, 0, nothing)?;
        let listed = our_output("topics --list --exclude-internal", bootstrap)?;
        ensure!(
            listed == "orders\n",
            "there is more than one topic left: {listed}"
        );
        Ok(())
    })
}

/// Options, the file, the exit status, and what the plan says of it, on three nodes.
const REPLICAS: &[(&str, &str, i32, &[&str])] = &[
    (
        "",
        "topics: {moved: {partitions: 3, replication_factor: 1}, whole: {partitions: 1, replication_factor: 3}}",
        0,
        &["Done."],
    ),
    (
        "--plan",
        "topics: {moved: {partitions: 5, replication_factor: 2}, whole: {replication_factor: 1}}",
        3,
        &[
            "  ~ partitions: 3 -> 5 ",
            "  ~ replication_factor: 1 -> 2\n    ~ moved-0: brokers ",
            "  ~ replication_factor: 3 -> 1\n    ~ whole-0: brokers ",
        ],
    ),
    (
        "",
        "topics: {moved: {partitions: 5, replication_factor: 2}, whole: {replication_factor: 1}}",
        0,
        &["Done."],
    ),
    (
        "--plan",
        "topics: {moved: {partitions: 5, replication_factor: 2}, whole: {replication_factor: 1}}",
        0,
        &["Nothing to change: the cluster is as the file says."],
    ),
    (
        "",
        "topics: {moved: {replication_factor: 3}}",
        0,
        &["Done."],
    ),
    (
        "",
        "topics: {new: {}, moved: {replication_factor: 4}}",
        1,
        &[],
    ),
];

pub(super) fn on_a_cluster() -> Result<()> {
    let cluster = Cluster::start()?;
    let bootstrap = cluster.addresses.as_str();
    for (options, file, status, told) in REPLICAS {
        apply(bootstrap, options, file, *status, told)?;
        let described = our_output("topics --describe --exclude-internal", bootstrap)?;
        if *status == 0 && described.contains("Topic: moved\t") {
            let lagging = "topics --describe --under-replicated-partitions";
            settles(
                || our_output(lagging, bootstrap),
                |lagging| {
                    ensure!(
                        lagging.is_empty(),
                        "replicas are missing after {file}:\n{lagging}"
                    );
                    Ok(())
                },
            )?;
        }
    }
    agree("topics --describe --exclude-internal", bootstrap)?;
    let exported = our_output("topics export --output json", bootstrap)?;
    ensure!(
        exported.contains(r#""replication_factor":3"#),
        "not as many replicas as were asked for: {exported}"
    );
    let nothing = &["Nothing to change: the cluster is as the file says."];
    apply(bootstrap, "--prune --plan", &exported, 0, nothing)
}

fn apply(bootstrap: &str, options: &str, file: &str, status: i32, told: &[&str]) -> Result<()> {
    let mut command = Command::new(ottla());
    command
        .args([
            "topics",
            "apply",
            "-f",
            "-",
            "--bootstrap-server",
            bootstrap,
        ])
        .args(options.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().context("no pipe to the tool")?;
    stdin.write_all(file.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(status),
        "{options} {file}: {}, expected {status}\n{said}{complaint}",
        output.status
    );
    for text in told {
        ensure!(
            said.contains(text),
            "{options} {file}: no '{text}' in\n{said}{complaint}"
        );
    }
    Ok(())
}
