//! JoinGroup (11), of the classic protocol.
//!
//! - v1: a rebalance timeout of its own; before, the session timeout serves.
//! - v4: a new member is told its id and comes again with it (KIP-394).
//! - v5: static members (KIP-345). v7: the response names the protocol's type.
//! - v9: the leader may keep the old assignment (KIP-814).

use ottla_coordination::group::{Command, JoinGroup, MemberIds, Response};
use ottla_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use uuid::Uuid;

use super::group::{error_of, reply};
use super::{Answer, Context};

const REBALANCE_TIMEOUT_FROM: i16 = 1;
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
const SKIP_ASSIGNMENT_FROM: i16 = 9;
/// From it on the absence of a protocol name is null.
const NULLABLE_PROTOCOL_FROM: i16 = 7;

pub(crate) fn handle(
    context: &Context<'_>,
    mut request: JoinGroupRequest,
) -> Answer<JoinGroupResponse> {
    let version = context.version;
    if version < REBALANCE_TIMEOUT_FROM {
        request.rebalance_timeout_ms = request.session_timeout_ms;
    }
    let group_id = request.group_id.clone();
    let prefix = request
        .group_instance_id
        .as_deref()
        .unwrap_or(context.client_id);
    let join = JoinGroup {
        client_id: context.client_id.to_string(),
        client_host: format!("/{}", context.peer.remote.ip().to_canonical()),
        candidate_member_id: format!("{prefix}-{}", Uuid::new_v4()),
        member_ids: if version >= MEMBER_ID_REQUIRED_FROM {
            MemberIds::Required
        } else {
            MemberIds::Optional
        },
        can_skip_assignment: version >= SKIP_ASSIGNMENT_FROM,
        request,
    };
    let asked = context
        .broker
        .groups
        .ask(&group_id, Command::JoinGroup(join));
    reply(asked, move |answer| {
        let mut response = match answer {
            Ok(Response::JoinGroup(response)) => response,
            other => JoinGroupResponse {
                error_code: error_of(other).code(),
                generation_id: -1,
                ..Default::default()
            },
        };
        if version < NULLABLE_PROTOCOL_FROM && response.protocol_name.is_none() {
            response.protocol_name = Some("".into());
        }
        response
    })
}
