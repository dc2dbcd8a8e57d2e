//! Every key of the reference is there with its type, default, accepted values, importance and update mode.

use std::collections::BTreeMap;

use ottla_config::def::{DefaultValue, UpdateMode};
use ottla_config::{Table, admin, broker, consumer, group, producer, topic};

pub(crate) fn all() -> [(&'static str, &'static Table, &'static str); 6] {
    [
        (
            "broker",
            &broker::TABLE,
            include_str!("../data/broker-configs.tsv"),
        ),
        (
            "topic",
            &topic::TABLE,
            include_str!("../data/topic-configs.tsv"),
        ),
        (
            "group",
            &group::TABLE,
            include_str!("../data/group-configs.tsv"),
        ),
        (
            "producer",
            &producer::TABLE,
            include_str!("../data/producer-configs.tsv"),
        ),
        (
            "consumer",
            &consumer::TABLE,
            include_str!("../data/consumer-configs.tsv"),
        ),
        (
            "admin",
            &admin::TABLE,
            include_str!("../data/admin-configs.tsv"),
        ),
    ]
}

fn rows(tsv: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    let names: Vec<&str> = tsv.lines().next().unwrap().split('\t').collect();
    tsv.lines()
        .skip(1)
        .map(move |line| names.iter().copied().zip(line.split('\t')).collect())
}

/// The reference prints the words of some validators in the order of a hash table.
fn sorted_words(notation: &str) -> Vec<&str> {
    let mut words: Vec<&str> = notation.split(['[', ']', ',', ' ']).collect();
    words.sort_unstable();
    words
}

#[test]
fn every_key_of_the_reference_has_its_facts() {
    for (name, table, tsv) in all() {
        for row in rows(tsv) {
            let key = row["name"];
            let def = table
                .lookup(key)
                .unwrap_or_else(|| panic!("{name} lacks {key}"));
            let default = match def.default {
                DefaultValue::Required => "<required>",
                DefaultValue::Null => "null",
                DefaultValue::Value(text) => text,
            };
            assert_eq!(def.ty.name(), row["type"], "{name} {key}");
            assert_eq!(default, row["default"], "{name} {key}");
            assert_eq!(
                sorted_words(&def.valid.to_string()),
                sorted_words(row["valid"]),
                "{name} {key}"
            );
            assert_eq!(def.importance.name(), row["importance"], "{name} {key}");
            let mode = row.get("update_mode").copied().unwrap_or_default();
            let expected = if mode.is_empty() {
                UpdateMode::ReadOnly.name()
            } else {
                mode
            };
            assert_eq!(def.update.name(), expected, "{name} {key}");
            if let Some(synonym) = row
                .get("broker_config")
                .filter(|synonym| !synonym.is_empty())
            {
                assert_eq!(
                    def.synonyms.first().map(|synonym| synonym.key),
                    Some(*synonym),
                    "{name} {key}"
                );
            }
        }
    }
}

#[test]
fn only_ottlas_own_keys_come_on_top() {
    for (name, table, tsv) in all() {
        let known: Vec<&str> = rows(tsv).map(|row| row["name"]).collect();
        let own: Vec<&str> = table
            .iter()
            .map(|def| def.key)
            .filter(|key| !known.contains(key))
            .collect();
        let expected: &[&str] = match name {
            "broker" => &["ottla.durability", "ottla.partitions.max"],
            "topic" => &["ottla.durability"],
            _ => &[],
        };
        assert_eq!(own, expected, "{name}");
    }
}

#[test]
fn every_key_is_described_in_one_sentence() {
    for (name, table, _) in all() {
        for def in table.iter() {
            let doc = def.doc;
            assert!(
                doc.ends_with('.') && doc.len() > 10,
                "{name} {}: {doc:?}",
                def.key
            );
            assert!(
                doc.starts_with(|c: char| c.is_uppercase() || c == '`'),
                "{name} {}: {doc:?}",
                def.key
            );
        }
    }
}

#[test]
fn synonyms_name_broker_keys() {
    for table in [&*topic::TABLE, &*group::TABLE] {
        for def in table.iter() {
            for synonym in def.synonyms {
                assert!(
                    broker::lookup(synonym.key).is_some(),
                    "{} <- {}",
                    def.key,
                    synonym.key
                );
            }
        }
    }
}

#[test]
fn the_documentation_names_every_key_of_every_table() {
    let text = ottla_config::markdown();
    for (name, table, _) in all() {
        for def in table.iter() {
            assert!(
                text.contains(&format!("| `{}` | {} |", def.key, def.ty)),
                "{name} {}",
                def.key
            );
        }
    }
    assert!(
        text.lines()
            .filter(|line| line.starts_with("| `"))
            .all(|line| line.matches(" | ").count() == 5)
    );
}
