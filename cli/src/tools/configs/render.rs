//! Configurations as text, in the reference's layout. Pure.

use std::fmt::Write;

use ottla_client::admin::ConfigEntry;

use super::plan::{Kind, singular};

/// The head line of an entity. The empty name is the default entity.
pub(super) fn head(kind: Kind, name: &str, all: bool) -> String {
    match (name, all) {
        ("", _) => format!("Default configs for {} in the cluster are:\n", kind.plural),
        (name, true) => format!("All configs for {} {name} are:\n", kind.singular()),
        (name, false) => format!("Dynamic configs for {} {name} are:\n", kind.singular()),
    }
}

/// A line for each value of an entity, sorted by key.
pub(super) fn values(kind: Kind, name: &str, all: bool, entries: &[ConfigEntry]) -> String {
    let mut text = String::new();
    for entry in shown(kind, name, all, entries) {
        let synonyms: Vec<String> = entry
            .synonyms
            .iter()
            .map(|synonym| {
                format!(
                    "{}:{}={}",
                    synonym.source.name(),
                    synonym.name,
                    or_null(synonym.value.as_deref())
                )
            })
            .collect();
        // Writing to a string cannot fail.
        writeln!(
            text,
            "  {}={} sensitive={} synonyms={{{}}}",
            entry.name,
            or_null(entry.value.as_deref()),
            entry.is_sensitive,
            synonyms.join(", ")
        )
        .ok();
    }
    text
}

/// Those that are meant, by key.
pub(super) fn shown<'a>(
    kind: Kind,
    name: &str,
    all: bool,
    entries: &'a [ConfigEntry],
) -> Vec<&'a ConfigEntry> {
    let own = kind.own_source(name).filter(|_| !all);
    let mut shown: Vec<&ConfigEntry> = entries
        .iter()
        .filter(|entry| own.is_none_or(|own| entry.source == own))
        .collect();
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    shown
}

fn or_null(value: Option<&str>) -> &str {
    value.unwrap_or("null")
}

/// What `--describe` says of an entity that is not there. That is no failure.
pub(super) fn missing(kind: Kind, name: &str) -> String {
    format!(
        "The {} '{name}' doesn't exist and doesn't have dynamic config.\n",
        kind.singular()
    )
}

/// `plural` is the type of the entity as options name it.
pub(super) fn altered(plural: &str, name: &str) -> String {
    match name {
        "" => format!("Completed updating default config for {plural} in the cluster.\n"),
        name => format!(
            "Completed updating config for {} {name}.\n",
            singular(plural)
        ),
    }
}
