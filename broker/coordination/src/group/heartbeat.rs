//! Heartbeat.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{HeartbeatRequest, HeartbeatResponse};
use ottla_protocol::types::Millis;

use super::GroupMachine;
use super::commands::Response;
use super::soft::{ClassicGroup, State};
use crate::effects::{Effects, ReplyToken};

impl GroupMachine {
    pub(super) fn heartbeat(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &HeartbeatRequest,
        out: &mut Effects<Self>,
    ) {
        if self.has_consumers(&request.group_id) {
            self.heartbeat_in_consumer_group(now, token, request, out);
            return;
        }
        let verdict = self.check_heartbeat(request);
        if verdict.is_ok() {
            self.with_group(now, &request.group_id, out, |group, cx| {
                group.renew_session(cx, &request.member_id);
            });
        }
        let error = match verdict {
            Err(error) => error,
            Ok(State::PreparingRebalance) => ErrorCode::RebalanceInProgress,
            Ok(_) => ErrorCode::None,
        };
        let response = HeartbeatResponse {
            error_code: error.code(),
            ..Default::default()
        };
        out.reply(token, Response::Heartbeat(response));
    }

    fn check_heartbeat(&self, request: &HeartbeatRequest) -> Result<State, ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let group: &ClassicGroup = self
            .soft
            .groups
            .get(request.group_id.as_str())
            .ok_or(ErrorCode::UnknownMemberId)?;
        group.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != group.generation.0 {
            return Err(ErrorCode::IllegalGeneration);
        }
        Ok(group.state)
    }
}
