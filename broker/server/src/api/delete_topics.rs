//! DeleteTopics (20).
//!
//! - v3: TOPIC_DELETION_DISABLED is possible.
//! - v5: the response has error messages (KIP-599).
//! - v6: topics are named or given by id (KIP-516).

use ottla_coordination::controller::{ApiError, Command, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::delete_topics::request::DeleteTopicState;
use ottla_protocol::messages::delete_topics::response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use super::{Answer, Context};

/// First version with topics by name or id.
const STATES_FROM: i16 = 6;
/// First version with an error of its own for a broker that deletes nothing.
const DISABLED_FROM: i16 = 3;

pub(crate) fn handle(
    context: &Context<'_>,
    request: DeleteTopicsRequest,
) -> Answer<DeleteTopicsResponse> {
    let topics = if context.version >= STATES_FROM {
        request.topics
    } else {
        let named = |name| DeleteTopicState {
            name: Some(name),
            ..Default::default()
        };
        request.topic_names.into_iter().map(named).collect()
    };
    let broker = context.broker.clone();
    if !broker
        .config
        .load()
        .settings()
        .boolean("delete.topic.enable")
    {
        let error = if context.version >= DISABLED_FROM {
            ErrorCode::TopicDeletionDisabled.into()
        } else {
            ApiError::new(ErrorCode::InvalidRequest, "Topic deletion is disabled.")
        };
        return Answer::now(refuse_all(&topics, &error));
    }
    Answer::later(async move {
        let command = Command::DeleteTopics {
            topics: topics.clone(),
        };
        match broker.controller.ask(&broker, command).await {
            Ok(Response::DeleteTopics(responses)) => DeleteTopicsResponse {
                responses,
                ..Default::default()
            },
            other => {
                let error = other.err().unwrap_or(ErrorCode::UnknownServerError);
                refuse_all(&topics, &error.into())
            }
        }
    })
}

fn refuse_all(topics: &[DeleteTopicState], error: &ApiError) -> DeleteTopicsResponse {
    let responses = topics.iter().map(|topic| DeletableTopicResult {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        error_code: error.code.code(),
        error_message: error.text(),
        ..Default::default()
    });
    DeleteTopicsResponse {
        responses: responses.collect(),
        ..Default::default()
    }
}
