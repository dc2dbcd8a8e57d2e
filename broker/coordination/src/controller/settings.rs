//! What the shell reads from the broker's configuration for the controller.

use ottla_protocol::types::BrokerId;

use super::commands::FeatureRange;

/// Defaults and limits of the controller; each field names its broker key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `num.partitions`
    pub partition_count_default: i32,
    /// `default.replication.factor`
    pub replication_factor_default: i16,
    /// `ottla.partitions.max`: partitions of topics that clients make; further ones are refused.
    pub partitions_max: usize,
    /// `min.insync.replicas` as it is in the node's file.
    pub min_insync_replicas: i16,
    /// `node.id`
    pub node_id: BrokerId,
    /// The levels that this build can go on with.
    pub features: Vec<FeatureRange>,
    /// Records that one request may make; no key, ten thousand in the reference.
    pub records_per_request_max: usize,
    /// Ids in one block for InitProducerId; no key, a thousand in the reference.
    pub producer_ids_per_block: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            partition_count_default: 1,
            replication_factor_default: 1,
            partitions_max: 100_000,
            min_insync_replicas: 1,
            node_id: BrokerId(1),
            features: Vec::new(),
            records_per_request_max: 10_000,
            producer_ids_per_block: 1_000,
        }
    }
}
