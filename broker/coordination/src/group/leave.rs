//! LeaveGroup, for one member or several.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::leave_group::response::MemberResponse;
use ottla_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use ottla_protocol::types::Millis;

use super::GroupMachine;
use super::commands::{Response, leave_group_error};
use super::rebalance::Context;
use super::soft::{ClassicGroup, State};
use crate::effects::{Effects, ReplyToken};

impl GroupMachine {
    pub(super) fn leave_group(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &LeaveGroupRequest,
        out: &mut Effects<Self>,
    ) {
        if self.hard.consumer_group(&request.group_id).is_some() {
            self.leave_consumer_group_by_list(now, token, request, out);
            return;
        }
        let refusal = if request.group_id.is_empty() {
            Some(ErrorCode::InvalidGroupId)
        } else if !self.soft.groups.contains_key(request.group_id.as_str()) {
            Some(ErrorCode::UnknownMemberId)
        } else {
            None
        };
        if let Some(error) = refusal {
            let response = leave_group_error(request, error);
            out.reply(token, Response::LeaveGroup(response));
            return;
        }
        self.with_group(now, &request.group_id, out, |group, cx| {
            group.leave(cx, token, request);
        });
    }
}

impl ClassicGroup {
    fn leave(&mut self, cx: &mut Context<'_>, token: ReplyToken, request: &LeaveGroupRequest) {
        let mut members = Vec::with_capacity(request.members.len());
        for member in &request.members {
            let outcome = self.leave_one(cx, member);
            members.push(MemberResponse {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                error_code: outcome.err().unwrap_or_default().code(),
                ..Default::default()
            });
        }
        let somebody_left = members.iter().any(|member| member.error_code == 0);
        let response = LeaveGroupResponse {
            members,
            ..Default::default()
        };
        if somebody_left && self.state != State::Empty {
            self.rebalance_or_complete_join(cx);
        }
        // Last, so that a group that is empty now is so on the log before the leaver hears of it.
        cx.out.reply(token, Response::LeaveGroup(response));
    }

    fn leave_one(
        &mut self,
        cx: &mut Context<'_>,
        member: &MemberIdentity,
    ) -> Result<(), ErrorCode> {
        let instance_id = member.group_instance_id.as_deref();
        let member_id = member.member_id.as_str();
        if member_id.is_empty() {
            // An administrator removes a static member by its instance id alone.
            let holder = instance_id
                .and_then(|id| self.static_members.get(id).cloned())
                .ok_or(ErrorCode::UnknownMemberId)?;
            self.drop_member(cx, &holder);
            return Ok(());
        }
        if !self.pending_join.contains(member_id) {
            self.validate_member(member_id, instance_id)?;
        }
        self.drop_member(cx, member_id);
        Ok(())
    }
}
