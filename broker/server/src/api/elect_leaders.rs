//! ElectLeaders (43): preferred leaders back, or leaders that may lack records where there are no others.
//!
//! - v1: unclean elections, and an error for the whole (KIP-460).

use ottla_coordination::controller::{ApiError, Command, ElectionType, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::elect_leaders::request::TopicPartitions;
use ottla_protocol::messages::elect_leaders::response::{PartitionResult, ReplicaElectionResult};
use ottla_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: ElectLeadersRequest,
) -> Answer<ElectLeadersResponse> {
    let Some(kind) = ElectionType::from_number(request.election_type) else {
        let words = format!("Unknown election type {}", request.election_type);
        let error = ApiError::new(ErrorCode::InvalidRequest, words);
        return Answer::now(refusal(request.topic_partitions.as_deref(), &error));
    };
    let broker = context.broker.clone();
    let command = Command::ElectLeaders {
        kind,
        partitions: request.topic_partitions.clone(),
    };
    Answer::later(async move {
        match broker.controller.ask(&broker, command).await {
            Ok(Response::ElectLeaders(replica_election_results)) => ElectLeadersResponse {
                replica_election_results,
                ..Default::default()
            },
            other => {
                let code = other.err().unwrap_or(ErrorCode::UnknownServerError);
                refusal(request.topic_partitions.as_deref(), &code.into())
            }
        }
    })
}

/// The error for the whole, and for each partition, as versions without an error for the whole need it.
fn refusal(asked: Option<&[TopicPartitions]>, error: &ApiError) -> ElectLeadersResponse {
    let topic = |topic: &TopicPartitions| {
        let partition = |index: &i32| PartitionResult {
            partition_id: *index,
            error_code: error.code.code(),
            error_message: error.text(),
            ..Default::default()
        };
        ReplicaElectionResult {
            topic: topic.topic.clone(),
            partition_result: topic.partitions.iter().map(partition).collect(),
            ..Default::default()
        }
    };
    ElectLeadersResponse {
        error_code: error.code.code(),
        replica_election_results: asked.unwrap_or_default().iter().map(topic).collect(),
        ..Default::default()
    }
}
