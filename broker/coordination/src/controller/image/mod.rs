//! What every broker sees of the cluster: the metadata log's records, added up.
//!
//! Owns: topics by name and id, partitions, dynamic configurations, brokers, features, the next producer id; of what
//! this build has no part in, the records (`foreign`).
//! Always: an image never changes under a reader: `apply` copies what it changes, everything else is shared, so a
//! clone costs a few counters. Replaying `records()` into an empty image gives the same image.

mod cluster;
mod configs;
mod foreign;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::features::METADATA_VERSION;
use ottla_protocol::messages::metadata::{FeatureLevelRecord, MetadataRecord, ProducerIdsRecord};
use ottla_protocol::types::Offset;

pub use cluster::{BrokerImage, ClusterImage, Endpoint};
pub use configs::ConfigsImage;
use foreign::ForeignImage;
pub use topics::{PartitionImage, TopicImage, TopicsImage};

/// The state of the cluster after some record of the metadata log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetadataImage {
    end: Offset,
    topics: Arc<TopicsImage>,
    configs: Arc<ConfigsImage>,
    cluster: Arc<ClusterImage>,
    features: Arc<BTreeMap<String, i16>>,
    next_producer_id: i64,
    foreign: Arc<ForeignImage>,
}

impl MetadataImage {
    /// The offset after the last record that went in.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    #[must_use]
    pub fn topics(&self) -> &TopicsImage {
        &self.topics
    }

    #[must_use]
    pub fn configs(&self) -> &ConfigsImage {
        &self.configs
    }

    #[must_use]
    pub fn cluster(&self) -> &ClusterImage {
        &self.cluster
    }

    /// Finalised features and their levels.
    #[must_use]
    pub fn features(&self) -> &BTreeMap<String, i16> {
        &self.features
    }

    /// The first producer id that no block holds yet.
    #[must_use]
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// Adds one record. Those about things this build has no part in (ACLs, quotas …) are kept and not looked at.
    pub fn apply(&mut self, offset: Offset, record: &MetadataRecord) {
        self.end = offset.next();
        match record {
            MetadataRecord::Topic(record) => Arc::make_mut(&mut self.topics).add_topic(record),
            MetadataRecord::Partition(record) => {
                Arc::make_mut(&mut self.topics).add_partition(record);
            }
            MetadataRecord::PartitionChange(record) => {
                Arc::make_mut(&mut self.topics).change_partition(record);
            }
            MetadataRecord::RemoveTopic(record) => {
                let removed = Arc::make_mut(&mut self.topics).remove_topic(record);
                if let Some(topic) = removed {
                    Arc::make_mut(&mut self.configs).remove_topic(topic.name());
                }
            }
            MetadataRecord::Config(record) => Arc::make_mut(&mut self.configs).set(record),
            MetadataRecord::RegisterBroker(record) => {
                Arc::make_mut(&mut self.cluster).register(record);
            }
            MetadataRecord::UnregisterBroker(record) => {
                Arc::make_mut(&mut self.cluster).unregister(record);
            }
            MetadataRecord::BrokerRegistrationChange(record) => {
                Arc::make_mut(&mut self.cluster).change(record);
            }
            MetadataRecord::FenceBroker(record) => {
                Arc::make_mut(&mut self.cluster).set_fenced(record.id, true);
            }
            MetadataRecord::UnfenceBroker(record) => {
                Arc::make_mut(&mut self.cluster).set_fenced(record.id, false);
            }
            MetadataRecord::FeatureLevel(record) => self.set_feature(record),
            MetadataRecord::ProducerIds(record) => self.next_producer_id = record.next_producer_id,
            other => self.apply_foreign(other),
        }
    }

    fn apply_foreign(&mut self, record: &MetadataRecord) {
        if !matches!(record, MetadataRecord::NoOp(_)) {
            Arc::make_mut(&mut self.foreign).apply(record);
        }
    }

    fn set_feature(&mut self, record: &FeatureLevelRecord) {
        let features = Arc::make_mut(&mut self.features);
        if record.feature_level == 0 {
            features.remove(record.name.as_str());
        } else {
            features.insert(record.name.to_string(), record.feature_level);
        }
    }

    /// The whole image as records, in the order of the reference's snapshots.
    #[must_use]
    pub fn records(&self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        // The level of the records that follow comes before them.
        let (first, rest): (Vec<_>, Vec<_>) = self
            .features
            .iter()
            .partition(|(name, _)| *name == METADATA_VERSION);
        for (name, level) in first.into_iter().chain(rest) {
            records.push(MetadataRecord::FeatureLevel(FeatureLevelRecord {
                name: name.into(),
                feature_level: *level,
                ..Default::default()
            }));
        }
        self.cluster.write(&mut records);
        self.topics.write(&mut records);
        self.configs.write(&mut records);
        if self.next_producer_id > 0 {
            records.push(MetadataRecord::ProducerIds(ProducerIdsRecord {
                broker_id: -1,
                broker_epoch: -1,
                next_producer_id: self.next_producer_id,
                ..Default::default()
            }));
        }
        self.foreign.write(&mut records);
        records
    }
}
