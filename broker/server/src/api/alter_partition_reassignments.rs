//! AlterPartitionReassignments (45): other brokers for partitions, or an end to what was begun (KIP-455).
//!
//! - v1: says whether the number of replicas may change (KIP-860).

use ottla_coordination::controller::{Command, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};

use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: AlterPartitionReassignmentsRequest,
) -> Answer<AlterPartitionReassignmentsResponse> {
    let broker = context.broker.clone();
    let allow_replication_factor_change = request.allow_replication_factor_change;
    let command = Command::AlterReassignments {
        topics: request.topics,
    };
    Answer::later(async move {
        let (error, responses) = match broker.controller.ask(&broker, command).await {
            Ok(Response::AlterReassignments(responses)) => (ErrorCode::None, responses),
            other => {
                let error = other.err().unwrap_or(ErrorCode::UnknownServerError);
                (error, Vec::new())
            }
        };
        AlterPartitionReassignmentsResponse {
            allow_replication_factor_change,
            error_code: error.code(),
            responses,
            ..Default::default()
        }
    })
}
