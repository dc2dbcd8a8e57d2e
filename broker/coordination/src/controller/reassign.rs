//! AlterPartitionReassignments: which brokers hold a partition.
//!
//! What is asked for is checked as in the reference. An assignment that the partition has already needs no record: tools
//! send it along when they move a replica to another directory of its broker (KIP-455, KIP-113).
//! Not here: replicas that move from broker to broker, which needs replication.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::alter_partition_reassignments::request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::alter_partition_reassignments::response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use ottla_protocol::types::PartitionIndex;

use super::Controller;
use super::commands::{ApiError, Response};
use super::image::PartitionImage;

impl Controller {
    pub(super) fn alter_reassignments(&self, topics: &[ReassignableTopic]) -> Response {
        let of_topic = |topic: &ReassignableTopic| {
            let verdict = |wanted: &ReassignablePartition| {
                let error = self.reassign(&topic.name, wanted).err();
                ReassignablePartitionResponse {
                    partition_index: wanted.partition_index,
                    error_code: error.as_ref().map_or(0, |error| error.code.code()),
                    error_message: error.as_ref().and_then(ApiError::text),
                    ..Default::default()
                }
            };
            ReassignableTopicResponse {
                name: topic.name.clone(),
                partitions: topic.partitions.iter().map(verdict).collect(),
                ..Default::default()
            }
        };
        Response::AlterReassignments(topics.iter().map(of_topic).collect())
    }

    fn reassign(&self, topic: &str, wanted: &ReassignablePartition) -> Result<(), ApiError> {
        let index = wanted.partition_index;
        let unknown = |what: String| ApiError::new(ErrorCode::UnknownTopicOrPartition, what);
        let topics = self.image.topics();
        let found = topics
            .by_name(topic)
            .ok_or_else(|| unknown(format!("Unable to find a topic named {topic}.")))?;
        let partition = found
            .partition(PartitionIndex(index))
            .ok_or_else(|| unknown(format!("Unable to find partition {topic}:{index}.")))?;
        let Some(replicas) = &wanted.replicas else {
            return match partition.is_reassigned() {
                true => Err(needs_replication(
                    "What another node began cannot be taken back",
                )),
                false => Err(ErrorCode::NoReassignmentInProgress.into()),
            };
        };
        self.check_assignment(replicas)?;
        let has_them = partition
            .replicas
            .iter()
            .map(|id| id.0)
            .eq(replicas.iter().copied());
        if partition.is_reassigned() || !has_them {
            return Err(needs_replication(
                "Replicas cannot be moved to other brokers",
            ));
        }
        Ok(())
    }
}

fn needs_replication(what: &str) -> ApiError {
    ApiError::new(
        ErrorCode::InvalidReplicaAssignment,
        format!("{what}: this version runs one node."),
    )
}

impl PartitionImage {
    /// Whether replicas are on their way to other brokers.
    #[must_use]
    pub fn is_reassigned(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }
}
