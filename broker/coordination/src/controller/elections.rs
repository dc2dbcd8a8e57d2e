//! ElectLeaders: the preferred leader back, or one that may lack records where there is no other (KIP-460).
//!
//! Words and order of checks are the reference's. Of all partitions only those are told of for which something was tried.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::elect_leaders::request::TopicPartitions;
use ottla_protocol::messages::elect_leaders::response::{PartitionResult, ReplicaElectionResult};
use ottla_protocol::messages::metadata::{MetadataRecord, PartitionChangeRecord};
use ottla_protocol::types::{BrokerId, PartitionIndex};
use ottla_protocol::wire::Uuid;

use super::Controller;
use super::commands::{ApiError, ElectionType, Response};
use super::directories::{can_be_led_by, led_by};
use super::image::PartitionImage;

impl Controller {
    pub(super) fn elect_leaders(
        &self,
        kind: ElectionType,
        partitions: Option<&[TopicPartitions]>,
    ) -> (Vec<MetadataRecord>, Response) {
        let mut records = Vec::new();
        let results = match partitions {
            Some(asked) => asked
                .iter()
                .map(|topic| {
                    let indexes = topic.partitions.iter().copied();
                    self.elect_in(&topic.topic, indexes, kind, &mut records)
                })
                .collect(),
            None => self.elect_everywhere(kind, &mut records),
        };
        (records, Response::ElectLeaders(results))
    }

    fn elect_everywhere(
        &self,
        kind: ElectionType,
        records: &mut Vec<MetadataRecord>,
    ) -> Vec<ReplicaElectionResult> {
        let topics = self.image.topics().iter();
        topics
            .map(|topic| {
                let indexes = topic.partitions().keys().map(|index| index.0);
                let mut result = self.elect_in(topic.name(), indexes, kind, records);
                let not_needed = ErrorCode::ElectionNotNeeded.code();
                let partitions = &mut result.partition_result;
                partitions.retain(|partition| partition.error_code != not_needed);
                result
            })
            .collect()
    }

    fn elect_in(
        &self,
        topic: &str,
        indexes: impl Iterator<Item = i32>,
        kind: ElectionType,
        records: &mut Vec<MetadataRecord>,
    ) -> ReplicaElectionResult {
        let partition = |index| {
            let error = match self.elect(topic, index, kind) {
                Ok(record) => {
                    records.push(MetadataRecord::PartitionChange(record));
                    None
                }
                Err(error) => Some(error),
            };
            PartitionResult {
                partition_id: index,
                error_code: error.as_ref().map_or(0, |error| error.code.code()),
                error_message: error.as_ref().and_then(ApiError::text),
                ..Default::default()
            }
        };
        ReplicaElectionResult {
            topic: topic.into(),
            partition_result: indexes.map(partition).collect(),
            ..Default::default()
        }
    }

    fn elect(
        &self,
        topic: &str,
        index: i32,
        kind: ElectionType,
    ) -> Result<PartitionChangeRecord, ApiError> {
        let unknown = |what: String| ApiError::new(ErrorCode::UnknownTopicOrPartition, what);
        let found = self.image.topics().by_name(topic);
        let found = found.ok_or_else(|| unknown(format!("No such topic as {topic}")))?;
        let partition = found.partition(PartitionIndex(index));
        let partition =
            partition.ok_or_else(|| unknown(format!("No such partition as {topic}-{index}")))?;
        let record = match kind {
            ElectionType::Preferred => self.preferred(partition)?,
            ElectionType::Unclean => self.unclean(partition)?,
        };
        Ok(PartitionChangeRecord {
            topic_id: found.id(),
            partition_id: index,
            ..record
        })
    }

    fn preferred(&self, partition: &PartitionImage) -> Result<PartitionChangeRecord, ApiError> {
        let preferred = partition.replicas.first().copied();
        if partition.leader.is_some() && partition.leader == preferred {
            return Err(ErrorCode::ElectionNotNeeded.into());
        }
        let can_lead =
            |id: &BrokerId| can_be_led_by(partition, *id) && self.is_online(partition, *id);
        let leader = preferred.filter(can_lead);
        let leader = leader.ok_or(ErrorCode::PreferredLeaderNotAvailable)?;
        Ok(led_by(partition, leader))
    }

    /// Without a leader, any replica that is there; one that has all that was committed comes first.
    fn unclean(&self, partition: &PartitionImage) -> Result<PartitionChangeRecord, ApiError> {
        if partition.leader.is_some() {
            return Err(ErrorCode::ElectionNotNeeded.into());
        }
        let online = |id: &&BrokerId| self.is_online(partition, **id);
        let online: Vec<BrokerId> = partition.replicas.iter().filter(online).copied().collect();
        let clean = online.iter().find(|id| can_be_led_by(partition, **id));
        let leader = clean.or(online.first());
        let leader = leader.ok_or(ErrorCode::EligibleLeadersNotAvailable)?;
        // It is the only one in sync afterwards. No other node is there to learn that its log may have to be cut, so that
        // there is nothing to recover from.
        Ok(led_by(partition, *leader))
    }

    /// Whether the broker is there, and has the replica in a directory that is.
    fn is_online(&self, partition: &PartitionImage, id: BrokerId) -> bool {
        let cluster = self.image.cluster();
        let directory = partition.directory(id);
        let has = |directory: Uuid| {
            let broker = cluster.broker(id);
            broker.is_some_and(|broker| broker.has_online(directory))
        };
        cluster.is_active(id) && directory.is_some_and(has)
    }
}
