//! What the machines are told of the cluster: its topics, and the settings of consumer groups.
//!
//! Always: a machine in service has been told the newest, for it is stored before the machines that are in service are
//! told, and one that enters service reads it after that.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::controller::MetadataImage;
use ottla_coordination::group::ClusterUpdate;
use ottla_coordination::group::topics::Topics;

use super::settings::consumer_settings;

pub(super) struct Cluster {
    current: ArcSwap<ClusterUpdate>,
}

impl Cluster {
    /// Nothing is known of topics yet.
    pub(super) fn new(config: &BrokerConfig) -> Self {
        Self {
            current: ArcSwap::from_pointee(ClusterUpdate {
                topics: Topics::default(),
                changed: Arc::default(),
                has_new_topics: true,
                settings: consumer_settings(config, &MetadataImage::default()),
            }),
        }
    }

    /// All that is known, for a machine that knows nothing yet.
    pub(super) fn current(&self) -> Arc<ClusterUpdate> {
        self.current.load_full()
    }

    /// Takes up a newer image; what to tell the machines, if it is anything to them.
    pub(super) fn renew(
        &self,
        config: &BrokerConfig,
        old: &MetadataImage,
        new: &MetadataImage,
    ) -> Option<ClusterUpdate> {
        let same_topics = std::ptr::eq(old.topics(), new.topics());
        if same_topics && std::ptr::eq(old.configs(), new.configs()) {
            return None;
        }
        let settings = consumer_settings(config, new);
        let (changed, has_new_topics) = difference(old, new);
        if changed.is_empty() && settings == self.current.load().settings {
            return None;
        }
        let update = ClusterUpdate {
            topics: Topics::new(new.clone()),
            changed: Arc::new(changed),
            has_new_topics,
            settings,
        };
        self.current.store(Arc::new(ClusterUpdate {
            has_new_topics: true,
            ..update.clone()
        }));
        Some(update)
    }
}

/// The names of topics that are new, gone, or not as they were; and whether some are new.
fn difference(old: &MetadataImage, new: &MetadataImage) -> (BTreeSet<String>, bool) {
    let mut changed = BTreeSet::new();
    let mut has_new_topics = false;
    for topic in new.topics().iter() {
        match old.topics().by_name(topic.name()) {
            Some(before) if Arc::ptr_eq(before, topic) => continue,
            Some(before) if before.id() == topic.id() => {}
            _ => has_new_topics = true,
        }
        changed.insert(topic.name().to_owned());
    }
    let gone = old
        .topics()
        .iter()
        .filter(|topic| new.topics().by_name(topic.name()).is_none());
    changed.extend(gone.map(|topic| topic.name().to_owned()));
    (changed, has_new_topics)
}
