//! JoinGroup.

use bytes::Bytes;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::JoinGroupResponse;
use ottla_protocol::types::Millis;

use super::GroupMachine;
use super::commands::{JoinGroup, MemberIds, Response};
use super::member::{Member, Protocol, offered_protocols};
use super::members::bytes_of;
use super::rebalance::{Context, join_error};
use super::soft::{ClassicGroup, State};
use crate::effects::{Effects, ReplyToken};

/// Ids that have been given out and not come back count against this even where groups may be smaller.
const PENDING_MEMBERS_MIN: usize = 1_000;

/// The most that the members of one group may tell their leader together. It gets all of it in one reply.
const GROUP_BYTES_MAX: usize = 64 << 20;

impl GroupMachine {
    pub(super) fn join_group(
        &mut self,
        now: Millis,
        token: ReplyToken,
        join: &JoinGroup,
        out: &mut Effects<Self>,
    ) {
        if let Err(error) = self.check_join(join) {
            let response = join_error(&join.request.member_id, error);
            out.reply(token, Response::JoinGroup(response));
            return;
        }
        let group_id = join.request.group_id.as_str();
        if self.has_consumers(group_id) {
            self.join_consumer_group(now, token, join, out);
            return;
        }
        let is_new_group = !self.soft.groups.contains_key(group_id);
        // An empty consumer group of the name ends with the record that begins the classic one.
        let consumers = self.hard.consumer_group(group_id);
        let mut give_way = consumers.map_or_else(Vec::new, |group| group.tombstones(group_id));
        if is_new_group {
            let group = ClassicGroup::new(group_id, now);
            self.soft.groups.insert(group_id.to_owned(), group);
        }
        self.with_group(now, group_id, out, |group, cx| {
            group.join(cx, token, join);
            if is_new_group {
                give_way.push(group.to_empty_record());
                cx.out.append(give_way);
            }
        });
    }

    fn check_join(&self, join: &JoinGroup) -> Result<(), ErrorCode> {
        let request = &join.request;
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let session_timeouts =
            self.settings.session_timeout_min_ms..=self.settings.session_timeout_max_ms;
        if !session_timeouts.contains(&request.session_timeout_ms) {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        // A member that knows its id knows the group; if the group is gone, so is the member.
        let group_id = request.group_id.as_str();
        let is_known = self.soft.groups.contains_key(group_id) || self.has_consumers(group_id);
        if !is_known && !request.member_id.is_empty() {
            return Err(ErrorCode::UnknownMemberId);
        }
        Ok(())
    }
}

impl ClassicGroup {
    fn join(&mut self, cx: &mut Context<'_>, token: ReplyToken, join: &JoinGroup) {
        let request = &join.request;
        let member_id = request.member_id.as_str();
        let refuse = |cx: &mut Context<'_>, member_id: &str, error| {
            let response = join_error(member_id, error);
            cx.out.reply(token, Response::JoinGroup(response));
        };
        if !self.accepts(member_id, cx.settings.group_size_max) {
            self.drop_member(cx, member_id);
            refuse(cx, "", ErrorCode::GroupMaxSizeReached);
            return;
        }
        let protocols = offered_protocols(&request.protocols);
        if self.members.offered_bytes_without(member_id) + bytes_of(&protocols) > GROUP_BYTES_MAX {
            refuse(cx, member_id, ErrorCode::GroupMaxSizeReached);
        } else if !self.supports(&request.protocol_type, &protocols) {
            refuse(cx, member_id, ErrorCode::InconsistentGroupProtocol);
        } else if member_id.is_empty() {
            self.join_new(cx, token, join, protocols);
        } else if self.pending_join.contains(member_id) {
            if request.group_instance_id.is_some() {
                // Only dynamic members are ever told to come back with their id.
                refuse(cx, "", ErrorCode::UnknownServerError);
                return;
            }
            self.add_member(cx, token, join, member_id, protocols);
        } else {
            let instance_id = request.group_instance_id.as_deref();
            match self.validate_member(member_id, instance_id) {
                Ok(()) => self.rejoin(cx, token, join, protocols),
                Err(error) => {
                    let response = JoinGroupResponse {
                        protocol_name: None,
                        ..join_error(member_id, error)
                    };
                    cx.out.reply(token, Response::JoinGroup(response));
                }
            }
        }
    }

    /// Whether there is room. Members who are in are let in again, but not before those who wait already.
    fn accepts(&self, member_id: &str, size_max: usize) -> bool {
        let member = self.members.get(member_id);
        match self.state {
            State::Empty => self.pending_join.len() < size_max.max(PENDING_MEMBERS_MIN),
            // The size can be above a limit that was lowered, so those who wait are counted.
            State::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some())
                    || self.members.awaiting_join_count() < size_max
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || self.members.len() < size_max
            }
        }
    }

    fn join_new(
        &mut self,
        cx: &mut Context<'_>,
        token: ReplyToken,
        join: &JoinGroup,
        protocols: Vec<Protocol>,
    ) {
        let new_id = join.candidate_member_id.as_str();
        let instance_id = join.request.group_instance_id.as_deref();
        let holder = instance_id.and_then(|id| self.static_members.get(id).cloned());
        if let Some(old_id) = holder {
            self.replace_static_member(cx, token, join, &old_id, protocols);
        } else if instance_id.is_none() && join.member_ids == MemberIds::Required {
            self.pending_join.insert(new_id.to_owned());
            self.arm_heartbeat(cx, new_id, join.request.session_timeout_ms);
            let response = join_error(new_id, ErrorCode::MemberIdRequired);
            cx.out.reply(token, Response::JoinGroup(response));
        } else {
            self.add_member(cx, token, join, new_id, protocols);
        }
    }

    fn add_member(
        &mut self,
        cx: &mut Context<'_>,
        token: ReplyToken,
        join: &JoinGroup,
        member_id: &str,
        protocols: Vec<Protocol>,
    ) {
        let request = &join.request;
        let member = Member {
            id: member_id.to_owned(),
            group_instance_id: request.group_instance_id.as_deref().map(str::to_owned),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols,
            assignment: Bytes::new(),
            awaiting_join: Some(token),
            awaiting_sync: None,
            is_new: true,
        };
        // More members may follow the one that came late to an initial rebalance.
        if self.initial_delay.is_some() {
            self.new_member_added = true;
        }
        self.add(member, &request.protocol_type);
        // A member without heartbeats whose client is gone would stay for ever, if its wait had no limit.
        self.arm_heartbeat(cx, member_id, cx.settings.new_member_join_timeout_ms);
        self.rebalance_or_complete_join(cx);
    }

    fn rejoin(
        &mut self,
        cx: &mut Context<'_>,
        token: ReplyToken,
        join: &JoinGroup,
        protocols: Vec<Protocol>,
    ) {
        let member_id = join.request.member_id.as_str();
        let same_protocols = self
            .members
            .get(member_id)
            .is_some_and(|member| member.protocols == protocols);
        let needs_rebalance = match self.state {
            State::PreparingRebalance => true,
            // It may have missed the answer; the generation is still the one to tell.
            State::CompletingRebalance => !same_protocols,
            // The leader rejoins to assign anew, for instance after partitions were added.
            State::Stable => !same_protocols || self.is_leader(member_id),
            State::Empty => unreachable!("an empty group has no members"),
        };
        if needs_rebalance {
            self.update_member(cx, member_id, join, protocols, Some(token));
            self.rebalance_or_complete_join(cx);
            return;
        }
        let mut response = self.joined(member_id);
        if self.state == State::Stable {
            response.members.clear();
        }
        cx.out.reply(token, Response::JoinGroup(response));
    }

    /// Takes over what the member now says of itself. A join that it has waiting is overtaken by this one.
    fn update_member(
        &mut self,
        cx: &mut Context<'_>,
        member_id: &str,
        join: &JoinGroup,
        protocols: Vec<Protocol>,
        awaiting_join: Option<ReplyToken>,
    ) {
        let overtaken = self.members.change(member_id, |member| {
            member.protocols = protocols;
            member.rebalance_timeout_ms = join.request.rebalance_timeout_ms;
            member.session_timeout_ms = join.request.session_timeout_ms;
            std::mem::replace(&mut member.awaiting_join, awaiting_join)
        });
        if let Some(token) = overtaken.flatten() {
            let response = join_error(member_id, ErrorCode::RebalanceInProgress);
            cx.out.reply(token, Response::JoinGroup(response));
        }
    }

    /// A static member has come back without its id: it gets a new one and keeps its place, and whoever still uses
    /// the old one is fenced. Where nothing changes for the others there is no rebalance (KIP-345).
    fn replace_static_member(
        &mut self,
        cx: &mut Context<'_>,
        token: ReplyToken,
        join: &JoinGroup,
        old_id: &str,
        protocols: Vec<Protocol>,
    ) {
        let new_id = join.candidate_member_id.as_str();
        let old_leader = self.leader.clone();
        let old_self = self.members.get(old_id).cloned();
        self.rename_static_member(cx, old_id, new_id);
        if self.state != State::Stable {
            self.update_member(cx, new_id, join, protocols, Some(token));
            // The leader may have been told of the old id; its assignment would not fit the new one.
            self.rebalance_or_complete_join(cx);
            return;
        }
        self.update_member(cx, new_id, join, protocols, None);
        self.renew_session(cx, new_id);
        if self.elect_protocol() != self.protocol {
            self.members
                .change(new_id, |member| member.awaiting_join = Some(token));
            self.prepare_rebalance(cx);
            return;
        }
        let mut response = self.joined(new_id);
        if join.can_skip_assignment {
            response.skip_assignment = self.is_leader(new_id);
        } else {
            // Told that it leads, an older client would assign anew: it is told of its own former self instead.
            response.members.clear();
            response.leader = old_leader.as_deref().unwrap_or_default().into();
        }
        self.replaced = old_self.map(|old_self| (new_id.to_owned(), old_self));
        cx.out.append_then(
            vec![self.to_record()],
            vec![(token, Response::JoinGroup(response))],
        );
    }

    /// The log refused a static member's new id: it has its old one again, which nobody has been told is gone.
    pub(super) fn restore_static_member(
        &mut self,
        cx: &mut Context<'_>,
        new_id: &str,
        old_self: Member,
    ) {
        let old_id = old_self.id.clone();
        self.rename_static_member(cx, new_id, &old_id);
        self.members.insert(old_self);
    }

    fn rename_static_member(&mut self, cx: &mut Context<'_>, old_id: &str, new_id: &str) {
        let Some(mut member) = self.members.remove(old_id) else {
            return;
        };
        cx.out.disarm(self.heartbeat_timer(old_id));
        self.pending_sync.remove(old_id);
        if let Some(token) = member.awaiting_join.take() {
            let response = JoinGroupResponse {
                protocol_name: None,
                ..join_error(old_id, ErrorCode::FencedInstanceId)
            };
            cx.out.reply(token, Response::JoinGroup(response));
        }
        if let Some(token) = member.awaiting_sync.take() {
            let response = super::rebalance::sync_error(ErrorCode::FencedInstanceId);
            cx.out.reply(token, Response::SyncGroup(response));
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.to_owned());
        }
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members
                .insert(instance_id.clone(), new_id.to_owned());
        }
        member.id = new_id.to_owned();
        member.is_new = false;
        self.members.insert(member);
        self.renew_session(cx, new_id);
    }
}
