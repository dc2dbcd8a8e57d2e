//! What a description tells of a topic's configuration. Pure.
//!
//! Of the thirty and more keys of each topic only these few are kept, as copies: the answer about a hundred topics goes before the
//! next one is read.

use ottla_client::admin::{ConfigLook, ConfigSource};

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
    pub(super) fn of<'a>(entries: impl ExactSizeIterator<Item = ConfigLook<'a>>) -> Self {
        let mut configs = Self {
            count: entries.len(),
            ..Self::default()
        };
        for entry in entries {
            if *entry.name == "min.insync.replicas" {
                configs.min_isr = entry.value.and_then(|value| value.parse().ok());
            }
            if entry.source != ConfigSource::Default {
                configs.set.push(Set::of(&entry));
            }
        }
        configs
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
    fn of(entry: &ConfigLook<'_>) -> Self {
        Self {
            key: entry.name.to_string(),
            value: entry.value.map(|value| value.to_string()),
            source: entry.source,
        }
    }
}
