//! LeaveGroup (13), of the classic protocol.
//!
//! - v3: several members at once, static ones by their instance (KIP-345).
//! - v5: members tell why they leave (KIP-800).

use ottla_coordination::group::{Command, Response, leave_group_error};
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::group::{error_of, reply};
use super::{Answer, Context};

const MEMBERS_FROM: i16 = 3;

pub(crate) fn handle(
    context: &Context<'_>,
    mut request: LeaveGroupRequest,
) -> Answer<LeaveGroupResponse> {
    let version = context.version;
    if version < MEMBERS_FROM {
        request.members = vec![MemberIdentity {
            member_id: request.member_id.clone(),
            ..Default::default()
        }];
    }
    let asked = request.clone();
    let command = Command::LeaveGroup(request);
    let answer = context.broker.groups.ask(&asked.group_id, command);
    reply(answer, move |answer| {
        let mut response = match answer {
            Ok(Response::LeaveGroup(response)) => response,
            other => leave_group_error(&asked, error_of(other)),
        };
        // Older clients know no errors of single members: the only one's is that of all.
        if version < MEMBERS_FROM
            && response.error_code == 0
            && let [member] = &response.members[..]
        {
            response.error_code = member.error_code;
        }
        response
    })
}
