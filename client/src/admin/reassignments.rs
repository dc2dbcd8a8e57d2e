//! Replicas that move from broker to broker (KIP-455).

use std::collections::BTreeMap;

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        AlterPartitionReassignmentsRequest, ListPartitionReassignmentsRequest,
        api::{
            alter_partition_reassignments::request::{ReassignablePartition, ReassignableTopic},
            list_partition_reassignments::request::ListPartitionReassignmentsTopics,
        },
    },
    types::BrokerId,
};

use crate::{
    cluster::{Target, broker_ids},
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, TopicPartition, grouped, in_order};

/// The replicas that a partition is to have; none: what is under way ends, and the partition stays with its old ones.
pub type NewReplicas = Option<Vec<BrokerId>>;

/// A partition whose replicas are on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reassignment {
    /// All that the partition has meanwhile, those that come and those that go among them.
    pub replicas: Vec<BrokerId>,
    pub adding: Vec<BrokerId>,
    pub removing: Vec<BrokerId>,
}

impl Admin {
    /// Begins or ends reassignments. With `allow_factor_change` false, none that changes how many replicas a partition
    /// has is begun (KIP-860).
    pub async fn alter_partition_reassignments(
        &self,
        changes: &[(TopicPartition, NewReplicas)],
        allow_factor_change: bool,
    ) -> Result<Outcomes<TopicPartition>, ClientError> {
        let by_topic = grouped(changes.iter().map(|(at, replicas)| {
            let replicas = replicas.as_deref();
            let partition = ReassignablePartition {
                partition_index: at.partition,
                replicas: replicas.map(|ids| ids.iter().map(|id| id.0).collect()),
                ..Default::default()
            };
            (at.topic.as_str(), partition)
        }));
        let topic = |(name, partitions)| {
            Ok(ReassignableTopic {
                name: wire_text("the topic name", name)?,
                partitions,
                ..Default::default()
            })
        };
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: self.broker_timeout_ms(),
            allow_replication_factor_change: allow_factor_change,
            topics: by_topic
                .into_iter()
                .map(topic)
                .collect::<Result<_, ClientError>>()?,
            ..Default::default()
        };
        // Version 0 cannot say that the number must stay.
        let call = match allow_factor_change {
            true => self.call(),
            false => self.call().versions(1..=i16::MAX),
        };
        let response = self
            .cluster
            .call(&Target::Controller, &request, call, |response| {
                retriable(response.error_code)
            })
            .await?;
        ApiError::check(response.error_code, response.error_message.as_deref())?;
        let mut answers = Outcomes::new();
        for topic in &response.responses {
            for partition in &topic.partitions {
                let at = TopicPartition::new(&*topic.name, partition.partition_index);
                let message = partition.error_message.as_deref();
                answers.push((at, ApiError::check(partition.error_code, message)));
            }
        }
        Ok(in_order(changes.iter().map(|(at, _)| at.clone()), answers))
    }

    /// The reassignments that are under way, of these partitions or of all.
    pub async fn list_partition_reassignments(
        &self,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Reassignment>, ClientError> {
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: self.broker_timeout_ms(),
            topics: partitions.map(named).transpose()?,
            ..Default::default()
        };
        let response = self
            .cluster
            .call(&Target::Controller, &request, self.call(), |response| {
                retriable(response.error_code)
            })
            .await?;
        ApiError::check(response.error_code, response.error_message.as_deref())?;
        let mut found = BTreeMap::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                let at = TopicPartition::new(&*topic.name, partition.partition_index);
                let reassignment = Reassignment {
                    replicas: broker_ids(&partition.replicas),
                    adding: broker_ids(&partition.adding_replicas),
                    removing: broker_ids(&partition.removing_replicas),
                };
                found.insert(at, reassignment);
            }
        }
        Ok(found)
    }
}

/// Whether another controller is to be asked.
fn retriable(code: i16) -> ErrorCode {
    match ErrorCode::from_code(code) {
        ErrorCode::NotController => ErrorCode::NotController,
        _ => ErrorCode::None,
    }
}

fn named(
    partitions: &[TopicPartition],
) -> Result<Vec<ListPartitionReassignmentsTopics>, ClientError> {
    let pairs = partitions
        .iter()
        .map(|at| (at.topic.as_str(), at.partition));
    let topic = |(name, partition_indexes)| {
        Ok(ListPartitionReassignmentsTopics {
            name: wire_text("the topic name", name)?,
            partition_indexes,
            ..Default::default()
        })
    };
    grouped(pairs).into_iter().map(topic).collect()
}
