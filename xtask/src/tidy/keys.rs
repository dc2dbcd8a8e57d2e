//! A configuration key that is known and described but read by nobody misleads; the ledger of gaps must name it.
//!
//! A key counts as read where its name stands, quoted, in code outside `config/`, or where a topic key that is read
//! has it as synonym. In the ledger `ssl.*` names all keys that start so. Its stale lines are left to its readers.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

use super::Tracked;

const TABLES: &[&str] = &[
    "config/src/broker.rs",
    "config/src/broker_security.rs",
    "config/src/topic.rs",
];
const LEDGER: &str = "docs/gaps.md";

pub(super) fn check(files: &[Tracked]) -> Result<Vec<String>> {
    let text_of = |path: &str| {
        files
            .iter()
            .find(|file| file.path == Path::new(path))
            .map(|file| file.text.as_str())
    };
    let entries: Vec<Entry<'_>> = TABLES
        .iter()
        .filter_map(|table| text_of(table))
        .flat_map(entries)
        .collect();
    ensure!(!entries.is_empty(), "no configuration tables in {TABLES:?}");
    let code = files
        .iter()
        .filter(|file| is_reader(&file.path))
        .map(|file| file.text.as_str())
        .collect::<String>();
    let named: BTreeSet<&str> = text_of(LEDGER)
        .unwrap_or_default()
        .split('`')
        .skip(1)
        .step_by(2)
        .collect();
    Ok(unread(&entries, &code)
        .into_iter()
        .filter(|key| !named.iter().any(|name| covers(name, key)))
        .map(|key| format!("{LEDGER}: nothing reads the key {key}, and no line says so"))
        .collect())
}

fn covers(name: &str, key: &str) -> bool {
    name == key
        || name
            .strip_suffix('*')
            .is_some_and(|start| start.ends_with('.') && key.starts_with(start))
}

struct Entry<'a> {
    key: &'a str,
    /// The rest of its definition, synonyms among it.
    text: &'a str,
}

/// Definitions look like `Def::new("key", …) … ,` up to the next one.
fn entries(table: &str) -> Vec<Entry<'_>> {
    let definitions = table.split("Def::new(\"").skip(1);
    definitions
        .filter_map(|text| text.split_once('"'))
        .map(|(key, text)| Entry { key, text })
        .collect()
}

fn is_reader(path: &Path) -> bool {
    let folders = ["broker", "cli", "src"];
    path.extension().is_some_and(|extension| extension == "rs")
        && folders.iter().any(|folder| path.starts_with(folder))
}

fn unread<'a>(entries: &[Entry<'a>], code: &str) -> BTreeSet<&'a str> {
    let is_read = |key: &str| code.contains(&format!("\"{key}\""));
    let through_topic = |key: &str| {
        let synonym = format!("(\"{key}\"");
        entries
            .iter()
            .any(|entry| entry.text.contains(&synonym) && is_read(entry.key))
    };
    entries
        .iter()
        .map(|entry| entry.key)
        .filter(|key| !is_read(key) && !through_topic(key))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_names_keys_or_families_of_them() {
        assert!(covers("ssl.*", "ssl.protocol") && covers("num.io.threads", "num.io.threads"));
        assert!(!covers("*", "node.id") && !covers("ssl.protocol", "ssl.provider"));
    }

    #[test]
    fn keys_are_read_by_their_name_or_through_a_topics_key() {
        let table = r#"
            Def::new("log.retention.ms", Long),
            Def::new("num.io.threads", Int),
            Def::new("node.id", Int),
            Def::new("retention.ms", Long).synonyms(&[same("log.retention.ms")]),
        "#;
        let code = r#"values.number("node.id"); topic.number("retention.ms");"#;
        assert_eq!(
            unread(&entries(table), code),
            BTreeSet::from(["num.io.threads"])
        );
    }
}
