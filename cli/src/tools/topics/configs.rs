//! What a description tells of a topic's configuration. Pure.
//!
//! Of the thirty and more keys of each topic only these few are kept, as copies: the answer about a hundred topics goes before the
//! next one is read.

use ottla_client::admin::{ConfigEntry, ConfigSource};

use crate::java_order;

#[derive(Debug, Clone, Default)]
pub(super) struct Configs {
    set: Vec<Set>,
    /// Of all keys, set or not.
    count: usize,
    /// `min.insync.replicas`, whoever says so.
    pub(super) min_isr: Option<usize>,
}

/// A key that has not its default, with the broker's or the topic's value.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) key: String,
    pub(super) value: Option<String>,
    pub(super) source: ConfigSource,
}

impl Configs {
    pub(super) fn of(entries: &[ConfigEntry]) -> Self {
        let set = entries
            .iter()
            .filter(|entry| entry.source != ConfigSource::Default);
        let min_isr = entries
            .iter()
            .find(|entry| entry.name == "min.insync.replicas");
        Self {
            set: set.map(Set::of).collect(),
            count: entries.len(),
            min_isr: min_isr.and_then(|entry| entry.value.as_ref()?.parse().ok()),
        }
    }

    /// As the broker orders them.
    pub(super) fn set(&self) -> &[Set] {
        &self.set
    }

    /// As the reference's text orders them.
    pub(super) fn in_java_order(&self) -> Vec<&Set> {
        java_order::picked(&self.set, self.count, |config| &config.key)
    }
}

impl Set {
    fn of(entry: &ConfigEntry) -> Self {
        Self {
            key: entry.name.to_string(),
            value: entry.value.as_deref().map(str::to_owned),
            source: entry.source,
        }
    }
}
