//! Heartbeat (12), of the classic protocol. v3: static members (KIP-345).

use ottla_coordination::group::{Command, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::group::{error_of, reply};
use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: HeartbeatRequest,
) -> Answer<HeartbeatResponse> {
    let group_id = request.group_id.clone();
    let asked = context
        .broker
        .groups
        .ask(&group_id, Command::Heartbeat(request));
    reply(asked, |answer| match answer {
        Ok(Response::Heartbeat(response)) => response,
        other => {
            let error = match error_of(other) {
                // Nobody's session ends while groups are loaded.
                ErrorCode::CoordinatorLoadInProgress => ErrorCode::None,
                error => error,
            };
            HeartbeatResponse {
                error_code: error.code(),
                ..Default::default()
            }
        }
    })
}
