//! SyncGroup.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use ottla_protocol::types::Millis;

use super::GroupMachine;
use super::commands::Response;
use super::rebalance::{Context, sync_error};
use super::soft::{ClassicGroup, State};
use crate::effects::{Effects, ReplyToken};

impl GroupMachine {
    pub(super) fn sync_group(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &SyncGroupRequest,
        out: &mut Effects<Self>,
    ) {
        if self.has_consumers(&request.group_id) {
            self.sync_with_consumer_group(now, token, request, out);
            return;
        }
        let verdict = if request.group_id.is_empty() {
            Err(ErrorCode::InvalidGroupId)
        } else {
            self.soft
                .groups
                .get(request.group_id.as_str())
                .ok_or(ErrorCode::UnknownMemberId)
                .and_then(|group| group.check_sync(request))
        };
        match verdict {
            Err(error) => out.reply(token, Response::SyncGroup(sync_error(error))),
            Ok(()) => self.with_group(now, &request.group_id, out, |group, cx| {
                group.sync(cx, token, request);
            }),
        }
    }
}

impl ClassicGroup {
    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        if self.state == State::Empty {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation.0 {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |told: Option<&str>, held: Option<&str>| {
            told.is_some() && held.is_some() && told != held
        };
        if differs(
            request.protocol_type.as_deref(),
            self.protocol_type.as_deref(),
        ) || differs(request.protocol_name.as_deref(), self.protocol.as_deref())
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.state == State::PreparingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    fn sync(&mut self, cx: &mut Context<'_>, token: ReplyToken, request: &SyncGroupRequest) {
        let member_id = request.member_id.as_str();
        self.pending_sync.remove(member_id);
        if self.pending_sync.is_empty() {
            cx.out.disarm(self.sync_timer());
        }
        if self.state == State::Stable {
            // This answer waits until the generation that it tells of is committed, as every answer does.
            cx.out
                .reply(token, Response::SyncGroup(self.synced(member_id)));
            return;
        }
        let overtaken = self
            .members
            .change(member_id, |member| member.awaiting_sync.replace(token));
        if let Some(overtaken) = overtaken.flatten() {
            let response = sync_error(ErrorCode::RebalanceInProgress);
            cx.out.reply(overtaken, Response::SyncGroup(response));
        }
        if self.is_leader(member_id) {
            self.take_assignment(cx, request);
        }
    }

    /// The leader has spoken: the generation is stored, and everyone who waits gets its part of it.
    fn take_assignment(&mut self, cx: &mut Context<'_>, request: &SyncGroupRequest) {
        let mut parts: BTreeMap<&str, &Bytes> = BTreeMap::new();
        for part in &request.assignments {
            parts.insert(&part.member_id, &part.assignment);
        }
        let mut waiting = Vec::new();
        self.members.change_all(|member| {
            // A copy: the request's frame goes, the assignment stays. Whom the leader left out gets nothing.
            let part = parts.get(member.id.as_str());
            member.assignment = part.map_or_else(Bytes::new, |part| Bytes::copy_from_slice(part));
            if let Some(token) = member.awaiting_sync.take() {
                waiting.push((member.id.clone(), token));
            }
        });
        self.transition(cx.now, State::Stable);
        let mut replies = Vec::with_capacity(waiting.len());
        for (member_id, token) in waiting {
            self.renew_session(cx, &member_id);
            replies.push((token, Response::SyncGroup(self.synced(&member_id))));
        }
        cx.out.append_then(vec![self.to_record()], replies);
    }

    fn synced(&self, member_id: &str) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.as_deref().map(Into::into),
            protocol_name: self.protocol.as_deref().map(Into::into),
            assignment: self
                .members
                .get(member_id)
                .map(|member| member.assignment.clone())
                .unwrap_or_default(),
            ..Default::default()
        }
    }
}
