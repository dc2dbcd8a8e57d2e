//! CreatePartitions: more of them, never fewer.

use std::collections::BTreeMap;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_partitions::request::CreatePartitionsTopic;
use ottla_protocol::messages::create_partitions::response::CreatePartitionsTopicResult;
use ottla_protocol::messages::metadata::MetadataRecord;
use ottla_protocol::types::PartitionIndex;

use super::Controller;
use super::commands::{ApiError, Response};
use super::create_topics::Room;
use super::image::{PartitionImage, TopicImage};
use super::placement::place;

impl Controller {
    pub(super) fn create_partitions(
        &self,
        topics: &[CreatePartitionsTopic],
        placement_start: u32,
        validate_only: bool,
    ) -> (Vec<MetadataRecord>, Response) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in topics {
            *counts.entry(topic.name.as_str()).or_default() += 1;
        }
        let mut records = Vec::new();
        let mut results = Vec::new();
        let mut room = self.room_for_partitions();
        for topic in topics {
            let duplicates = match counts.get_mut(topic.name.as_str()) {
                // One answer for all of them.
                None | Some(0) => continue,
                Some(count) => std::mem::take(count) > 1,
            };
            let outcome = if duplicates {
                Err(ApiError::new(
                    ErrorCode::InvalidRequest,
                    "Duplicate topic name.",
                ))
            } else {
                self.add_partitions(topic, placement_start, &mut room, &mut records)
            };
            let error = outcome.err();
            results.push(CreatePartitionsTopicResult {
                name: topic.name.clone(),
                error_code: error.as_ref().map_or(0, |error| error.code.code()),
                error_message: error.as_ref().and_then(ApiError::text),
                ..Default::default()
            });
        }
        if validate_only {
            records.clear();
        }
        (records, Response::CreatePartitions(results))
    }

    fn add_partitions(
        &self,
        request: &CreatePartitionsTopic,
        placement_start: u32,
        room: &mut Room,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), ApiError> {
        let topic = self
            .image
            .topics()
            .by_name(&request.name)
            .ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let existing = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
        if request.count == existing {
            return Err(ApiError::new(
                ErrorCode::InvalidPartitions,
                format!("Topic already has {existing} partition(s)."),
            ));
        }
        if request.count < existing {
            return Err(ApiError::new(
                ErrorCode::InvalidPartitions,
                format!(
                    "The topic {} currently has {existing} partition(s); {} would not be an increase.",
                    topic.name(),
                    request.count
                ),
            ));
        }
        let additional = (request.count - existing) as usize;
        let new = self.additional_partitions(
            topic,
            request,
            existing,
            additional,
            placement_start,
            records.len(),
        )?;
        room.take(topic.name(), additional)?;
        for (index, partition) in (existing..).zip(new) {
            let record = partition.to_record(topic.id(), PartitionIndex(index));
            records.push(MetadataRecord::Partition(record));
        }
        Ok(())
    }

    fn additional_partitions(
        &self,
        topic: &TopicImage,
        request: &CreatePartitionsTopic,
        existing: i32,
        additional: usize,
        placement_start: u32,
        records_so_far: usize,
    ) -> Result<Vec<PartitionImage>, ApiError> {
        let replication_factor = topic
            .partitions()
            .values()
            .next()
            .map_or(1, |first| first.replicas.len());
        if let Some(assignments) = &request.assignments {
            if assignments.len() != additional {
                return Err(ApiError::new(
                    ErrorCode::InvalidReplicaAssignment,
                    format!(
                        "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                        assignments.len()
                    ),
                ));
            }
            return (existing..)
                .zip(assignments)
                .map(|(index, assignment)| {
                    self.assigned_partition(index, &assignment.broker_ids, Some(replication_factor))
                })
                .collect();
        }
        self.check_record_count(records_so_far, additional)?;
        let factor = i16::try_from(replication_factor).unwrap_or(i16::MAX);
        place(self.image.cluster(), additional, factor, placement_start)?
            .into_iter()
            .map(|replicas| {
                self.fresh_partition(replicas).ok_or_else(|| {
                    ApiError::new(
                        ErrorCode::InvalidReplicationFactor,
                        format!(
                            "Unable to replicate the partition {factor} time(s): All brokers are currently fenced \
                             or in controlled shutdown."
                        ),
                    )
                })
            })
            .collect()
    }
}
