//! ConsumerGroupHeartbeat (68), of the consumer protocol (KIP-848).
//!
//! - v1: subscriptions by regular expression; members make their ids themselves (KIP-1082).

use ottla_coordination::group::{Command, ConsumerHeartbeat, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use ottla_protocol::wire::Uuid;

use super::group::{error_of, reply, speaks_consumer_protocol};
use super::{Answer, Context};
use crate::data_dirs::random_id;

const MEMBER_ID_GIVEN_FROM: i16 = 1;

pub(crate) fn handle(
    context: &Context<'_>,
    request: ConsumerGroupHeartbeatRequest,
) -> Answer<ConsumerGroupHeartbeatResponse> {
    if !speaks_consumer_protocol(context) {
        return Answer::now(refused(ErrorCode::UnsupportedVersion));
    }
    let group_id = request.group_id.clone();
    let heartbeat = ConsumerHeartbeat {
        client_id: context.client_id.to_string(),
        client_host: format!("/{}", context.peer.remote.ip().to_canonical()),
        candidate_member_id: (context.version < MEMBER_ID_GIVEN_FROM)
            .then(|| Uuid::to_string(&random_id())),
        request,
    };
    let command = Command::ConsumerGroupHeartbeat(heartbeat);
    let asked = context.broker.groups.ask(&group_id, command);
    reply(asked, |answer| match answer {
        Ok(Response::ConsumerGroupHeartbeat(response)) => response,
        other => refused(error_of(other)),
    })
}

fn refused(error: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: error.code(),
        error_message: Some(error.text().into()),
        ..Default::default()
    }
}
