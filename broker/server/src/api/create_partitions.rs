//! CreatePartitions (37). Versions differ in encoding and throttling only.

use ottla_coordination::controller::{Command, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_partitions::response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use ottla_protocol::wire::StrBytes;

use super::{Answer, Context};
use crate::data_dirs::random_number;

pub(crate) fn handle(
    context: &Context<'_>,
    request: CreatePartitionsRequest,
) -> Answer<CreatePartitionsResponse> {
    let broker = context.broker.clone();
    let names: Vec<StrBytes> = request
        .topics
        .iter()
        .map(|topic| topic.name.clone())
        .collect();
    let command = Command::CreatePartitions {
        topics: request.topics,
        placement_start: random_number(),
        validate_only: request.validate_only,
    };
    Answer::later(async move {
        let results = match broker.controller.ask(&broker, command).await {
            Ok(Response::CreatePartitions(results)) => results,
            other => {
                let error = other.err().unwrap_or(ErrorCode::UnknownServerError);
                names.into_iter().map(|name| refused(name, error)).collect()
            }
        };
        CreatePartitionsResponse {
            results,
            ..Default::default()
        }
    })
}

fn refused(name: StrBytes, error: ErrorCode) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult {
        name,
        error_code: error.code(),
        error_message: Some(error.text().into()),
        ..Default::default()
    }
}
