//! The configs of a topic that is there: which get another value.

use std::collections::BTreeMap;

use ottla_client::admin::{ConfigEntry, ConfigType};

use crate::declare::loss;
use crate::declare::present::{inherited, is_own, is_passing, text};
use crate::meant::meant;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    pub key: String,
    /// What counts now; none where the broker does not say.
    pub from: Option<String>,
    /// Whether that is the topic's own value.
    pub was_own: bool,
    /// None to have the broker's value again.
    pub to: Option<String>,
    /// What counts afterwards, where that is known.
    pub after: Option<String>,
    pub loss: Option<String>,
}

/// What the topic has of its own.
pub(super) fn own(there: &[ConfigEntry]) -> BTreeMap<String, String> {
    let own = there
        .iter()
        .filter(|entry| is_own(entry) && !is_passing(&entry.name));
    own.filter_map(|entry| Some((entry.name.to_string(), text(entry)?)))
        .collect()
}

pub(super) fn changes(
    topic: &str,
    wanted: &BTreeMap<String, String>,
    there: &[ConfigEntry],
    problems: &mut Vec<String>,
) -> Vec<ConfigChange> {
    let entry = |key: &str| there.iter().find(|entry| entry.name == key);
    let known: Vec<&str> = there.iter().map(|entry| entry.name.as_str()).collect();
    let mut changes = Vec::new();
    for (key, to) in wanted {
        match entry(key) {
            Some(entry) if is_own(entry) && is_same(entry, to) => {}
            None if !known.is_empty() => problems.push(format!(
                "topic {topic}: the cluster has no config {key}{}",
                maybe(key, known.iter().copied())
            )),
            entry => changes.push(ConfigChange {
                key: key.clone(),
                from: entry.and_then(text),
                was_own: entry.is_some_and(is_own),
                to: Some(to.clone()),
                after: Some(to.clone()),
                loss: None,
            }),
        }
    }
    for entry in there.iter().filter(|entry| is_own(entry)) {
        if !wanted.contains_key(&*entry.name) && !is_passing(&entry.name) {
            changes.push(ConfigChange {
                key: entry.name.to_string(),
                from: text(entry),
                was_own: true,
                to: None,
                after: inherited(entry),
                loss: None,
            });
        }
    }
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    name_losses(&mut changes, entry("cleanup.policy"));
    changes
}

/// Says of each change what it loses, under the policy that will count.
fn name_losses(changes: &mut [ConfigChange], policy: Option<&ConfigEntry>) {
    let changed = changes.iter().find(|change| change.key == "cleanup.policy");
    let policy = match changed {
        Some(change) => change.after.clone(),
        None => policy.and_then(text),
    };
    let policy = policy.unwrap_or_default();
    for change in changes {
        if let (Some(from), Some(after)) = (&change.from, &change.after) {
            change.loss = loss::of_change(&change.key, from, after, &policy);
        }
    }
}

/// `; did you mean …?`, or nothing.
pub(in crate::declare) fn maybe<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = meant(key, known);
    nearest.map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
}

/// Whether the cluster has this value already, however it is written.
fn is_same(entry: &ConfigEntry, wanted: &str) -> bool {
    let there = entry.value.as_deref().unwrap_or_default();
    let (a, b) = (there.trim(), wanted.trim());
    match entry.kind {
        ConfigType::List => a.split(',').map(str::trim).eq(b.split(',').map(str::trim)),
        ConfigType::Boolean => a.eq_ignore_ascii_case(b),
        ConfigType::Int | ConfigType::Short | ConfigType::Long => {
            a == b || matches!((a.parse::<i64>(), b.parse::<i64>()), (Ok(a), Ok(b)) if a == b)
        }
        ConfigType::Double => {
            a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
        }
        _ => a == b,
    }
}
