//! UnregisterBroker (64): takes a broker that is gone for good out of the cluster. One version.

use ottla_coordination::controller::{ApiError, Command, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use ottla_protocol::types::BrokerId;

use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: UnregisterBrokerRequest,
) -> Answer<UnregisterBrokerResponse> {
    let broker = context.broker.clone();
    let broker_id = BrokerId(request.broker_id);
    if broker_id == broker.settings.node_id {
        // It would register again only at its next start, and lead nothing until then.
        let words =
            format!("Broker {broker_id} is the one that answers, and the cluster's only one");
        return Answer::now(answered(Err(ApiError::new(
            ErrorCode::InvalidRequest,
            words,
        ))));
    }
    let command = Command::UnregisterBroker { broker_id };
    Answer::later(async move {
        match broker.controller.ask(&broker, command).await {
            Ok(Response::UnregisterBroker(outcome)) => answered(outcome),
            other => {
                let error = other.err().unwrap_or(ErrorCode::UnknownServerError);
                answered(Err(error.into()))
            }
        }
    })
}

fn answered(outcome: Result<(), ApiError>) -> UnregisterBrokerResponse {
    match outcome {
        Ok(()) => UnregisterBrokerResponse::default(),
        Err(error) => UnregisterBrokerResponse {
            error_code: error.code.code(),
            error_message: error.text(),
            ..Default::default()
        },
    }
}
