//! SyncGroup (14), of the classic protocol.
//!
//! - v3: static members (KIP-345).
//! - v5: type and name of the protocol must be told, and are told back (KIP-559).

use ottla_coordination::group::{Command, Response};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::group::{error_of, reply};
use super::{Answer, Context};

const PROTOCOL_REQUIRED_FROM: i16 = 5;

pub(crate) fn handle(
    context: &Context<'_>,
    request: SyncGroupRequest,
) -> Answer<SyncGroupResponse> {
    let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if context.version >= PROTOCOL_REQUIRED_FROM && !names_protocol {
        return Answer::now(refused(ErrorCode::InconsistentGroupProtocol));
    }
    let group_id = request.group_id.clone();
    let asked = context
        .broker
        .groups
        .ask(&group_id, Command::SyncGroup(request));
    reply(asked, |answer| match answer {
        Ok(Response::SyncGroup(response)) => response,
        other => refused(error_of(other)),
    })
}

fn refused(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: error.code(),
        ..Default::default()
    }
}
