//! Making a new metadata image visible: first to the partitions, then to everybody who reads.
//!
//! Always: a topic in the published image has its partitions in `Topics`; images are published one at a time, in order.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_config::resolve::BrokerConfig;
use ottla_coordination::controller::image::TopicImage;
use ottla_coordination::controller::{ConfigResourceType, MetadataImage, UNASSIGNED_DIRECTORY};
use ottla_protocol::types::{BrokerId, LeaderEpoch};
use ottla_protocol::wire::StrBytes;
use tracing::info;

use super::Storage;
use super::partition::Partition;
use super::topic::TopicSettings;
use crate::clock;
use crate::data_dirs::random_id;

/// Brings the partitions from one image to the next.
pub(crate) fn bring_up_to(
    storage: &Arc<Storage>,
    node_id: BrokerId,
    config: &BrokerConfig,
    old: &MetadataImage,
    new: &MetadataImage,
) {
    let mut settings = SettingsOf {
        config,
        image: new,
        plain: None,
    };
    let mut before = old.topics().iter().peekable();
    let mut after = new.topics().iter().peekable();
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.name().cmp(new.name()),
        };
        let gone = if order == Ordering::Greater {
            None
        } else {
            before.next()
        };
        let come = if order == Ordering::Less {
            None
        } else {
            after.next()
        };
        match (gone, come) {
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {}
            (Some(old), Some(new)) if old.id() == new.id() => {
                add(storage, node_id, &mut settings, new);
            }
            (gone, come) => {
                if let Some(old) = gone {
                    remove(storage, old);
                }
                if let Some(new) = come {
                    add(storage, node_id, &mut settings, new);
                }
            }
        }
    }
    if !std::ptr::eq(old.configs(), new.configs()) {
        renew_settings(storage, config, old, new);
    }
}

/// Recomputes the settings of every topic: the broker's own configuration has changed.
pub(crate) fn renew_all_settings(storage: &Storage, config: &BrokerConfig, image: &MetadataImage) {
    let mut settings = SettingsOf {
        config,
        image,
        plain: None,
    };
    for entry in storage.topics.all() {
        let renewed = settings.of(&entry.topic.name);
        entry.set_settings(renewed);
    }
}

/// A topic's settings; those of topics without a configuration of their own are computed once.
struct SettingsOf<'a> {
    config: &'a BrokerConfig,
    image: &'a MetadataImage,
    plain: Option<TopicSettings>,
}

impl SettingsOf<'_> {
    fn of(&mut self, topic: &str) -> TopicSettings {
        let own = self.image.configs().of(ConfigResourceType::Topic, topic);
        if !own.is_empty() {
            return TopicSettings::from_values(&self.config.topic_settings(own));
        }
        let plain = || TopicSettings::from_values(&self.config.topic_settings(&BTreeMap::new()));
        self.plain.get_or_insert_with(plain).clone()
    }
}

fn add(
    storage: &Arc<Storage>,
    node_id: BrokerId,
    settings: &mut SettingsOf<'_>,
    topic: &TopicImage,
) {
    let name = StrBytes::from(topic.name());
    let epoch = |index| {
        topic
            .partition(index)
            .map_or(LeaderEpoch(0), |partition| partition.leader_epoch)
    };
    let directory = |index| {
        let partition = topic.partition(index);
        let directory = partition.and_then(|partition| partition.directory(node_id));
        directory.unwrap_or(UNASSIGNED_DIRECTORY)
    };
    let count = topic.partitions().len();
    storage.topics.extend(
        topic.id(),
        &name,
        || settings.of(&name),
        count,
        |topic, index| {
            let (storage, topic) = (storage.clone(), topic.clone());
            Partition::assigned(storage, topic, index, epoch(index), directory(index))
        },
    );
    for (index, image) in topic.partitions() {
        if let Some(partition) = storage.topics.partition(&name, index.0) {
            partition.set_leader_epoch(image.leader_epoch);
        }
    }
}

fn remove(storage: &Storage, topic: &TopicImage) {
    let partitions = storage.topics.remove(&topic.id());
    info!(
        topic = topic.name(),
        partitions = partitions.len(),
        "topic deleted"
    );
    let now = clock::now();
    for partition in partitions {
        partition.delete(u128::from_be_bytes(random_id().0), now);
    }
}

fn renew_settings(
    storage: &Storage,
    config: &BrokerConfig,
    old: &MetadataImage,
    new: &MetadataImage,
) {
    let mut settings = SettingsOf {
        config,
        image: new,
        plain: None,
    };
    for entry in storage.topics.all() {
        let own = |image: &MetadataImage| {
            image
                .configs()
                .of(ConfigResourceType::Topic, &entry.topic.name)
                .clone()
        };
        if own(old) != own(new) {
            let renewed = settings.of(&entry.topic.name);
            entry.set_settings(renewed);
        }
    }
}
