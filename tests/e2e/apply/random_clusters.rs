//! Whatever a cluster has, its export changes nothing there, and makes the same of an empty one.

use std::fmt::Write as _;

use crate::random::Random;
use crate::server::Server;

use super::{apply, nothing_is_left_to_do};

const ROUNDS: usize = 6;

/// Names that YAML has ideas of its own about are among them.
const NAMES: &[&str] = &[
    "true", "no", "1.0", "007", "1e3", "null", ".a", "-", "a.b_c-d", "0x10", "-1", "A", "y",
];

/// Keys, and values that are good for them.
const CONFIGS: &[(&str, &[&str])] = &[
    ("cleanup.policy", &["compact", "delete", "compact,delete"]),
    ("compression.type", &["zstd", "producer"]),
    ("max.message.bytes", &["1048588", "5"]),
    ("message.timestamp.type", &["LogAppendTime"]),
    ("min.cleanable.dirty.ratio", &["0.5", "0.01", "1"]),
    ("preallocate", &["true", "false"]),
    ("retention.bytes", &["-1", "9223372036854775807"]),
    ("retention.ms", &["-1", "604800000", "86400000"]),
];

const GROUPS: &[&str] = &["g", "a group: with # signs", "- x", "12", "ä", "{}", "null"];

#[test]
fn an_export_applied_changes_nothing_and_makes_the_same_elsewhere() {
    let mut random = Random::from_environment();
    for _ in 0..ROUNDS {
        let (server, other) = (Server::start(), Server::start());
        let said = cluster(&mut random);
        let (_, err, status) = apply(&server, "", &said);
        assert_eq!(status, 0, "{said}\n{err}");
        nothing_is_left_to_do(&server, &said);
        let exported = server.tool("topics export");
        nothing_is_left_to_do(&server, &exported);

        let portable = server.tool("topics export --without-cluster-id");
        let (_, err, status) = apply(&other, "", &portable);
        assert_eq!(status, 0, "{portable}\n{err}");
        assert_eq!(other.tool("topics export --without-cluster-id"), portable);
    }
}

/// A file of random topics, configs and groups. JSON's strings are YAML's, too.
fn cluster(random: &mut Random) -> String {
    let mut some = |of: usize, max: u64| -> Vec<usize> {
        let count = random.below(max + 1);
        let mut chosen: Vec<usize> = (0..count).map(|_| index(random, of)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    };
    let names: Vec<&str> = some(NAMES.len(), 6)
        .into_iter()
        .map(|at| NAMES[at])
        .collect();
    let groups: Vec<&str> = some(GROUPS.len(), 3)
        .into_iter()
        .map(|at| GROUPS[at])
        .collect();
    let mut text = "topics:\n".to_owned();
    let mut counts = Vec::new();
    for name in &names {
        let partitions = 1 + random.below(4);
        counts.push(partitions);
        let _ = writeln!(
            text,
            "  {name:?}:\n    partitions: {partitions}\n    configs:"
        );
        for (key, values) in CONFIGS {
            if random.below(3) == 0 {
                let value = values[index(random, values.len())];
                let _ = writeln!(text, "      {key}: {value:?}");
            }
        }
    }
    text.push_str("groups:\n");
    for group in groups {
        let _ = writeln!(text, "  {group:?}:\n    offsets:");
        for (name, partitions) in names.iter().zip(&counts) {
            if random.below(2) == 0 {
                let (at, offset) = (random.below(*partitions), random.below(1 << 40));
                let _ = writeln!(text, "      {name:?}: {{{at}: {offset}}}");
            }
        }
    }
    text
}

fn index(random: &mut Random, of: usize) -> usize {
    usize::try_from(random.below(of as u64)).unwrap()
}
