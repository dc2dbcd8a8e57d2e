//! CreateTopics.

use std::collections::BTreeMap;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_topics::request::CreatableTopic;
use ottla_protocol::messages::create_topics::response::CreatableTopicResult;
use ottla_protocol::messages::metadata::{ConfigRecord, MetadataRecord, TopicRecord};
use ottla_protocol::types::{BrokerId, PartitionIndex};
use ottla_protocol::wire::Uuid;

use super::Controller;
use super::commands::{ApiError, NewTopic, Response};
use super::directories::UNASSIGNED_DIRECTORY;
use super::image::PartitionImage;
use super::names::{CLUSTER_METADATA_TOPIC, collision_key, is_internal_topic, validate_topic_name};
use super::placement::place;
use super::rules::ConfigResourceType;

/// A topic that passed every check.
struct Checked {
    partitions: Vec<PartitionImage>,
    configs: BTreeMap<String, String>,
}

impl Controller {
    pub(super) fn create_topics(
        &self,
        topics: &[NewTopic],
        placement_start: u32,
        validate_only: bool,
    ) -> (Vec<MetadataRecord>, Response) {
        let counts = count_names(topics);
        let mut collisions = self.existing_collision_keys();
        let mut records = Vec::new();
        let mut results = Vec::new();
        let mut room = self.room_for_partitions();
        for new in topics {
            let name = new.topic.name.as_str();
            let duplicate = counts.get(name).is_some_and(|count| *count > 1);
            if duplicate
                && results
                    .iter()
                    .any(|result: &CreatableTopicResult| result.name == name)
            {
                // One answer for all of them.
                continue;
            }
            let checked = if duplicate {
                Err(ApiError::new(
                    ErrorCode::InvalidRequest,
                    "Duplicate topic name.",
                ))
            } else {
                self.check_new_topic(&new.topic, &collisions, placement_start, records.len())
                    .and_then(|checked| {
                        room.take(name, checked.partitions.len())?;
                        Ok(checked)
                    })
            };
            results.push(match checked {
                Ok(checked) => {
                    if let Some(key) = collision_key(name) {
                        collisions.entry(key).or_insert_with(|| name.to_owned());
                    }
                    write_topic(&new.topic, new.topic_id, &checked, &mut records);
                    created(&new.topic, new.topic_id, &checked.partitions)
                }
                Err(error) => CreatableTopicResult {
                    name: new.topic.name.clone(),
                    error_code: error.code.code(),
                    error_message: error.text(),
                    configs: None,
                    ..Default::default()
                },
            });
        }
        if validate_only {
            records.clear();
        }
        (records, Response::CreateTopics(results))
    }

    fn existing_collision_keys(&self) -> BTreeMap<String, String> {
        self.image
            .topics()
            .iter()
            .filter_map(|topic| Some((collision_key(topic.name())?, topic.name().to_owned())))
            .collect()
    }

    /// The checks in the reference's order: the first that fails is the one that is told.
    fn check_new_topic(
        &self,
        topic: &CreatableTopic,
        collisions: &BTreeMap<String, String>,
        placement_start: u32,
        records_so_far: usize,
    ) -> Result<Checked, ApiError> {
        let name = topic.name.as_str();
        if name == CLUSTER_METADATA_TOPIC {
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                format!("Creation of internal topic {CLUSTER_METADATA_TOPIC} is prohibited."),
            ));
        }
        // Existence is looked up last but told first, as in the reference.
        if self.image.topics().by_name(name).is_some() {
            return Err(ApiError::new(
                ErrorCode::TopicAlreadyExists,
                format!("Topic '{name}' already exists."),
            ));
        }
        if let Some(existing) = collision_key(name).and_then(|key| collisions.get(&key)) {
            return Err(ApiError::new(
                ErrorCode::InvalidTopicException,
                format!("Topic '{name}' collides with existing topic: {existing}"),
            ));
        }
        validate_topic_name(name)?;
        let configs = creation_configs(topic)?;
        if !configs.is_empty() {
            self.rules
                .validate(ConfigResourceType::Topic, name, &configs)?;
        }
        let partitions = self.new_partitions(topic, placement_start, records_so_far)?;
        Ok(Checked {
            partitions,
            configs,
        })
    }

    fn new_partitions(
        &self,
        topic: &CreatableTopic,
        placement_start: u32,
        records_so_far: usize,
    ) -> Result<Vec<PartitionImage>, ApiError> {
        if !topic.assignments.is_empty() {
            return self.assigned_partitions(topic);
        }
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            return Err(ApiError::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        let count = match topic.num_partitions {
            -1 => self.settings.partition_count_default,
            count => count,
        };
        let count = usize::try_from(count)
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| {
                ApiError::new(
                    ErrorCode::InvalidPartitions,
                    "Number of partitions was set to an invalid non-positive value.",
                )
            })?;
        self.check_record_count(records_so_far, count)?;
        let replication_factor = match topic.replication_factor {
            -1 => self.settings.replication_factor_default,
            factor => factor,
        };
        let refuse = |reason: &str| {
            ApiError::new(
                ErrorCode::InvalidReplicationFactor,
                format!("Unable to replicate the partition {replication_factor} time(s): {reason}"),
            )
        };
        place(
            self.image.cluster(),
            count,
            replication_factor,
            placement_start,
        )
        .map_err(|error| refuse(error.message.as_deref().unwrap_or_default()))?
        .into_iter()
        .map(|replicas| {
            self.fresh_partition(replicas).ok_or_else(|| {
                refuse("All brokers are currently fenced or in controlled shutdown.")
            })
        })
        .collect()
    }

    fn assigned_partitions(&self, topic: &CreatableTopic) -> Result<Vec<PartitionImage>, ApiError> {
        if topic.replication_factor != -1 {
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                "A manual partition assignment was specified, but replication factor was not set to -1.",
            ));
        }
        if topic.num_partitions != -1 {
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                "A manual partition assignment was specified, but numPartitions was not set to -1.",
            ));
        }
        let mut by_index = BTreeMap::new();
        let mut replication_factor = None;
        for assignment in &topic.assignments {
            let index = assignment.partition_index;
            if by_index.contains_key(&index) {
                return Err(ApiError::new(
                    ErrorCode::InvalidReplicaAssignment,
                    format!("Found multiple manual partition assignments for partition {index}"),
                ));
            }
            let partition =
                self.assigned_partition(index, &assignment.broker_ids, replication_factor)?;
            replication_factor = Some(assignment.broker_ids.len());
            by_index.insert(index, partition);
        }
        if !by_index.keys().copied().eq(0..by_index.len() as i32) {
            return Err(ApiError::new(
                ErrorCode::InvalidReplicaAssignment,
                "partitions should be a consecutive 0-based integer sequence",
            ));
        }
        Ok(by_index.into_values().collect())
    }

    /// One partition as the client assigns it.
    pub(super) fn assigned_partition(
        &self,
        index: i32,
        broker_ids: &[i32],
        replication_factor: Option<usize>,
    ) -> Result<PartitionImage, ApiError> {
        self.check_assignment(broker_ids)?;
        let refuse = |message: String| ApiError::new(ErrorCode::InvalidReplicaAssignment, message);
        if let Some(factor) = replication_factor.filter(|factor| *factor != broker_ids.len()) {
            return Err(refuse(format!(
                "The manual partition assignment includes a partition with {} replica(s), but this is not \
                 consistent with previous partitions, which have {factor} replica(s).",
                broker_ids.len()
            )));
        }
        let replicas = broker_ids.iter().copied().map(BrokerId).collect();
        self.fresh_partition(replicas).ok_or_else(|| {
            refuse(format!(
                "All brokers specified in the manual partition assignment for partition {index} are fenced or \
                 in controlled shutdown."
            ))
        })
    }

    /// Whether a client may name these brokers: some, known ones, each once.
    pub(super) fn check_assignment(&self, broker_ids: &[i32]) -> Result<(), ApiError> {
        let refuse = |message: String| ApiError::new(ErrorCode::InvalidReplicaAssignment, message);
        if broker_ids.is_empty() {
            return Err(refuse(
                "The manual partition assignment includes an empty replica list.".to_owned(),
            ));
        }
        let mut sorted = broker_ids.to_vec();
        sorted.sort_unstable();
        let mut previous = None;
        for id in &sorted {
            if self.image.cluster().broker(BrokerId(*id)).is_none() {
                return Err(refuse(format!(
                    "The manual partition assignment includes broker {id}, but no such broker is registered."
                )));
            }
            if previous == Some(id) {
                return Err(refuse(format!(
                    "The manual partition assignment includes the broker {id} more than once."
                )));
            }
            previous = Some(id);
        }
        Ok(())
    }

    /// A new partition on these brokers; `None` where none of them can lead.
    pub(super) fn fresh_partition(&self, replicas: Vec<BrokerId>) -> Option<PartitionImage> {
        let cluster = self.image.cluster();
        let isr: Vec<BrokerId> = replicas
            .iter()
            .copied()
            .filter(|id| cluster.is_active(*id))
            .collect();
        if isr.is_empty() {
            return None;
        }
        let directories = replicas.iter().map(|id| self.directory_of(*id)).collect();
        Some(PartitionImage::fresh(replicas, directories, isr))
    }

    /// A broker with one log directory puts the partition there; with several it chooses itself.
    fn directory_of(&self, id: BrokerId) -> Uuid {
        match self
            .image
            .cluster()
            .broker(id)
            .map(|broker| &broker.log_dirs[..])
        {
            Some([directory]) => *directory,
            _ => UNASSIGNED_DIRECTORY,
        }
    }

    /// How many partitions may still be made.
    pub(super) fn room_for_partitions(&self) -> Room {
        let topics = self.image.topics().iter();
        let existing: usize = topics
            .filter(|topic| !is_internal_topic(topic.name()))
            .map(|topic| topic.partitions().len())
            .sum();
        let max = self.settings.partitions_max;
        Room {
            left: max.saturating_sub(existing),
            max,
        }
    }

    /// One request may not make more records than fit a transaction of the metadata log.
    pub(super) fn check_record_count(&self, so_far: usize, more: usize) -> Result<(), ApiError> {
        if so_far.saturating_add(more) < self.settings.records_per_request_max {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::PolicyViolation,
            "Excessively large number of partitions per request.",
        ))
    }
}

/// The bound on partitions: each takes memory, files and time at start. The broker's own topics are as large as the
/// configuration says, and always find a place.
pub(super) struct Room {
    left: usize,
    max: usize,
}

impl Room {
    pub(super) fn take(&mut self, topic: &str, partitions: usize) -> Result<(), ApiError> {
        if is_internal_topic(topic) {
            return Ok(());
        }
        let left = self.left.checked_sub(partitions).ok_or_else(|| {
            ApiError::new(
                ErrorCode::PolicyViolation,
                format!(
                    "Topic '{topic}' would have {partitions} new partition(s), but there is room for {} of \
                     ottla.partitions.max={}.",
                    self.left, self.max
                ),
            )
        })?;
        self.left = left;
        Ok(())
    }
}

fn count_names(topics: &[NewTopic]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for new in topics {
        *counts.entry(new.topic.name.as_str()).or_default() += 1;
    }
    counts
}

fn creation_configs(topic: &CreatableTopic) -> Result<BTreeMap<String, String>, ApiError> {
    let mut configs = BTreeMap::new();
    let mut without_value = Vec::new();
    for config in &topic.configs {
        match &config.value {
            Some(value) => {
                configs.insert(config.name.to_string(), value.to_string());
            }
            None => without_value.push(config.name.as_str()),
        }
    }
    if without_value.is_empty() {
        return Ok(configs);
    }
    Err(ApiError::new(
        ErrorCode::InvalidConfig,
        format!(
            "Null value not supported for topic configs: {}",
            without_value.join(",")
        ),
    ))
}

/// Configurations come after the topic and before its partitions, so that whoever opens a log knows them.
fn write_topic(
    topic: &CreatableTopic,
    topic_id: Uuid,
    checked: &Checked,
    records: &mut Vec<MetadataRecord>,
) {
    records.push(MetadataRecord::Topic(TopicRecord {
        name: topic.name.clone(),
        topic_id,
        ..Default::default()
    }));
    for (key, value) in &checked.configs {
        records.push(MetadataRecord::Config(ConfigRecord {
            resource_type: ConfigResourceType::Topic.number(),
            resource_name: topic.name.clone(),
            name: key.into(),
            value: Some(value.into()),
            ..Default::default()
        }));
    }
    for (index, partition) in (0..).zip(&checked.partitions) {
        let record = partition.to_record(topic_id, PartitionIndex(index));
        records.push(MetadataRecord::Partition(record));
    }
}

fn created(
    topic: &CreatableTopic,
    topic_id: Uuid,
    partitions: &[PartitionImage],
) -> CreatableTopicResult {
    let replication_factor = partitions.first().map_or(0, |first| first.replicas.len());
    CreatableTopicResult {
        name: topic.name.clone(),
        topic_id,
        error_code: ErrorCode::None.code(),
        error_message: None,
        num_partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replication_factor).unwrap_or(i16::MAX),
        configs: Some(Vec::new()),
        ..Default::default()
    }
}
