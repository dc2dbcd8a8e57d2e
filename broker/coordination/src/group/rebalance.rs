//! The rebalance: from the first reason to have one until every member knows its generation.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use ottla_protocol::types::{Generation, Millis};

use super::commands::Response;
use super::records::GroupRecord;
use super::settings::Settings;
use super::soft::{ClassicGroup, InitialDelay, State};
use super::{GroupMachine, Timer};
use crate::effects::Effects;

/// What a step of a group needs besides the group.
pub(super) struct Context<'a> {
    pub(super) now: Millis,
    pub(super) settings: &'a Settings,
    pub(super) out: &'a mut Effects<GroupMachine>,
}

impl Context<'_> {
    fn arm(&mut self, timer: Timer, delay_ms: i32) {
        let delay = Millis(i64::from(delay_ms.max(0)));
        self.out.arm(timer, self.now.plus(delay));
    }
}

impl ClassicGroup {
    pub(super) fn arm_heartbeat(&self, cx: &mut Context<'_>, member_id: &str, timeout_ms: i32) {
        cx.arm(self.heartbeat_timer(member_id), timeout_ms);
    }

    /// The member has shown that it is alive.
    pub(super) fn renew_session(&self, cx: &mut Context<'_>, member_id: &str) {
        if let Some(member) = self.members.get(member_id) {
            self.arm_heartbeat(cx, member_id, member.session_timeout_ms);
        }
    }

    pub(super) fn heartbeat_timer(&self, member_id: &str) -> Timer {
        Timer::Heartbeat {
            group: self.id.clone(),
            member: member_id.to_owned(),
        }
    }

    fn join_timer(&self) -> Timer {
        Timer::Join {
            group: self.id.clone(),
        }
    }

    pub(super) fn sync_timer(&self) -> Timer {
        Timer::Sync {
            group: self.id.clone(),
        }
    }

    /// Takes a member out and answers what it still waits for: if it is alive after all, it starts anew.
    pub(super) fn drop_member(&mut self, cx: &mut Context<'_>, member_id: &str) {
        cx.out.disarm(self.heartbeat_timer(member_id));
        let Some(member) = self.remove(member_id) else {
            return;
        };
        if let Some(token) = member.awaiting_join {
            let response = join_error("", ErrorCode::UnknownMemberId);
            cx.out.reply(token, Response::JoinGroup(response));
        }
        if let Some(token) = member.awaiting_sync {
            let response = sync_error(ErrorCode::UnknownMemberId);
            cx.out.reply(token, Response::SyncGroup(response));
        }
    }

    /// After a change of members or of what they offer: a new rebalance, or maybe the end of the one that is on.
    pub(super) fn rebalance_or_complete_join(&mut self, cx: &mut Context<'_>) {
        if self.state == State::PreparingRebalance {
            self.maybe_complete_join(cx);
        } else {
            self.prepare_rebalance(cx);
        }
    }

    pub(super) fn prepare_rebalance(&mut self, cx: &mut Context<'_>) {
        if self.state == State::CompletingRebalance {
            self.refuse_syncs(cx, ErrorCode::RebalanceInProgress);
        }
        self.pending_sync.clear();
        cx.out.disarm(self.sync_timer());
        let is_initial = self.state == State::Empty;
        self.transition(cx.now, State::PreparingRebalance);
        self.new_member_added = false;
        if is_initial {
            // The first member is seldom the only one: wait for the others before assigning everything to it.
            let delay_ms = cx.settings.initial_rebalance_delay_ms;
            self.initial_delay = Some(InitialDelay {
                delay_ms,
                remaining_ms: (self.rebalance_timeout_ms() - delay_ms).max(0),
            });
            cx.arm(self.join_timer(), delay_ms);
        } else if self.have_all_joined() {
            self.complete_join(cx);
        } else {
            cx.arm(self.join_timer(), self.rebalance_timeout_ms());
        }
    }

    /// Ends the join phase early where nobody is missing. An initial rebalance takes its full delay.
    pub(super) fn maybe_complete_join(&mut self, cx: &mut Context<'_>) {
        let is_on = self.state == State::PreparingRebalance && self.initial_delay.is_none();
        if is_on && self.have_all_joined() {
            self.complete_join(cx);
        }
    }

    /// The time of the join phase is over.
    pub(super) fn join_phase_over(&mut self, cx: &mut Context<'_>) {
        if self.state != State::PreparingRebalance {
            return;
        }
        let Some(initial) = self.initial_delay else {
            self.complete_join(cx);
            return;
        };
        if !self.new_member_added || initial.remaining_ms == 0 {
            self.complete_join(cx);
            return;
        }
        self.new_member_added = false;
        let delay_ms = cx
            .settings
            .initial_rebalance_delay_ms
            .min(initial.remaining_ms);
        self.initial_delay = Some(InitialDelay {
            delay_ms,
            remaining_ms: (initial.remaining_ms - initial.delay_ms).max(0),
        });
        cx.arm(self.join_timer(), delay_ms);
    }

    /// Closes the join phase: who is not there is out, everyone else gets the new generation.
    pub(super) fn complete_join(&mut self, cx: &mut Context<'_>) {
        cx.out.disarm(self.join_timer());
        self.initial_delay = None;
        let missing: Vec<String> = self
            .members
            .values()
            .filter(|member| member.awaiting_join.is_none() && !member.is_static())
            .map(|member| member.id.clone())
            .collect();
        for member_id in missing {
            self.drop_member(cx, &member_id);
        }
        if !self.members.is_empty() && !self.seat_leader() {
            // Only static members, and none of them here. Their sessions will end or they will come back.
            cx.arm(self.join_timer(), self.rebalance_timeout_ms());
            return;
        }
        self.generation = Generation(self.generation.0.wrapping_add(1).max(0));
        self.pending_sync.clear();
        if self.members.is_empty() {
            self.become_empty(cx);
        } else {
            self.announce_generation(cx);
        }
    }

    /// The leader keeps its seat if it has joined; else the first who has takes it. Tells whether anyone has.
    fn seat_leader(&mut self) -> bool {
        let has_joined = |id: &String| {
            self.members
                .get(id)
                .is_some_and(|m| m.awaiting_join.is_some())
        };
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let Some(successor) = self.members.keys().find(|id| has_joined(id)).cloned() else {
            return false;
        };
        self.leader = Some(successor);
        true
    }

    fn become_empty(&mut self, cx: &mut Context<'_>) {
        self.protocol = None;
        self.subscribed_topics = self.find_subscribed_topics();
        self.transition(cx.now, State::Empty);
        cx.out.append(vec![self.to_record()]);
    }

    fn announce_generation(&mut self, cx: &mut Context<'_>) {
        self.protocol = self.elect_protocol();
        assert!(
            self.protocol.is_some(),
            "members of group {} have no protocol in common",
            self.id
        );
        self.subscribed_topics = self.find_subscribed_topics();
        self.transition(cx.now, State::CompletingRebalance);
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in ids {
            let response = self.joined(&member_id);
            let waiting = self.members.change(&member_id, |member| {
                member.is_new = false;
                member.awaiting_join.take()
            });
            if let Some(token) = waiting.expect("just listed") {
                cx.out.reply(token, Response::JoinGroup(response));
            }
            self.renew_session(cx, &member_id);
            self.pending_sync.insert(member_id);
        }
        cx.arm(self.sync_timer(), self.rebalance_timeout_ms());
    }

    /// The current generation, as a member is told of it; the leader also hears of the others.
    pub(super) fn joined(&self, member_id: &str) -> JoinGroupResponse {
        let members = if self.is_leader(member_id) {
            self.members_for_leader()
        } else {
            Vec::new()
        };
        JoinGroupResponse {
            generation_id: self.generation.0,
            protocol_type: self.protocol_type.as_deref().map(Into::into),
            protocol_name: self.protocol.as_deref().map(Into::into),
            leader: self.leader.as_deref().unwrap_or_default().into(),
            member_id: member_id.into(),
            members,
            ..Default::default()
        }
    }

    /// Takes all assignments back and tells everyone who waits for one why.
    pub(super) fn refuse_syncs(&mut self, cx: &mut Context<'_>, error: ErrorCode) {
        let mut waiting = Vec::new();
        self.members.change_all(|member| {
            member.assignment = bytes::Bytes::new();
            if let Some(token) = member.awaiting_sync.take() {
                waiting.push(member.id.clone());
                cx.out.reply(token, Response::SyncGroup(sync_error(error)));
            }
        });
        for member_id in waiting {
            self.renew_session(cx, &member_id);
        }
    }

    /// Members that were told the generation and never asked for their part of it are out.
    pub(super) fn expire_pending_sync(&mut self, cx: &mut Context<'_>) {
        let is_after_join = matches!(self.state, State::CompletingRebalance | State::Stable);
        if !is_after_join || self.pending_sync.is_empty() {
            return;
        }
        for member_id in std::mem::take(&mut self.pending_sync) {
            self.drop_member(cx, &member_id);
        }
        self.prepare_rebalance(cx);
    }

    /// A session has ended, or a pending member has not come back.
    pub(super) fn expire_member(&mut self, cx: &mut Context<'_>, member_id: &str) {
        if self.pending_join.remove(member_id) {
            self.maybe_complete_after_removal(cx);
            return;
        }
        let Some(member) = self.members.get(member_id) else {
            return;
        };
        if member.has_satisfied_heartbeat() {
            return;
        }
        self.drop_member(cx, member_id);
        match self.state {
            State::Stable | State::CompletingRebalance => self.rebalance_or_complete_join(cx),
            State::PreparingRebalance => self.maybe_complete_after_removal(cx),
            State::Empty => {}
        }
    }

    /// Unlike a join, a removal may end even an initial rebalance: nobody else may be left to wait for.
    fn maybe_complete_after_removal(&mut self, cx: &mut Context<'_>) {
        if self.state == State::PreparingRebalance && self.have_all_joined() {
            self.complete_join(cx);
        }
    }
}

impl GroupMachine {
    /// Runs a step of a group, where the group is there.
    pub(super) fn with_group(
        &mut self,
        now: Millis,
        group_id: &str,
        out: &mut Effects<Self>,
        step: impl FnOnce(&mut ClassicGroup, &mut Context<'_>),
    ) {
        if let Some(group) = self.soft.groups.get_mut(group_id) {
            let mut cx = Context {
                now,
                settings: &self.settings,
                out,
            };
            step(group, &mut cx);
        }
    }

    /// Loading is over: members have one session's time to show up.
    pub(super) fn restore(&mut self, now: Millis, out: &mut Effects<Self>) {
        self.soft.load(&self.hard);
        for group in self.soft.groups.values_mut() {
            let mut cx = Context {
                now,
                settings: &self.settings,
                out,
            };
            for member_id in group.members.keys() {
                group.renew_session(&mut cx, member_id);
            }
            if group.members.len() > self.settings.group_size_max {
                // The limit was lowered meanwhile. The rebalance lets members commit before some are turned away.
                group.prepare_rebalance(&mut cx);
            }
        }
        self.restore_consumers(now, out);
        self.arm_offset_expiry(now, out);
    }

    /// The log refused a group's record. A group that the log does not know is gone; a static member's new id is taken
    /// back; a generation that could not be stored is not handed out, and the next is prepared.
    pub(super) fn take_back(
        &mut self,
        now: Millis,
        records: &[GroupRecord],
        error: ErrorCode,
        out: &mut Effects<Self>,
    ) {
        for record in records {
            if let Some(group_id) = record.group_id()
                && self.hard.consumer_group(group_id).is_none()
            {
                self.soft.consumers.remove(group_id);
            }
            if let GroupRecord::Consumer(record) = record {
                self.keep_members(now, record, out);
                self.note_torn(now, record);
            }
            let GroupRecord::GroupMetadata { key, value } = record else {
                continue;
            };
            let group_id = key.group.as_str();
            if self.hard.group(group_id).is_none() {
                self.with_group(now, group_id, out, |group, cx| group.give_up(cx, error));
                self.soft.groups.remove(group_id);
            } else {
                let ends = value.is_none();
                self.with_group(now, group_id, out, |group, cx| {
                    if ends {
                        group.carry_on(cx);
                    } else if let Some((new_id, old_self)) = group.replaced.take() {
                        group.restore_static_member(cx, &new_id, old_self);
                    } else if group.state == State::Stable {
                        group.refuse_syncs(cx, error);
                        group.prepare_rebalance(cx);
                    }
                });
            }
        }
    }
}

impl ClassicGroup {
    /// Answers everyone who waits; the group is about to be dropped.
    pub(super) fn give_up(&mut self, cx: &mut Context<'_>, error: ErrorCode) {
        cx.out.disarm(self.join_timer());
        cx.out.disarm(self.sync_timer());
        self.members.change_all(|member| {
            if let Some(token) = member.awaiting_join.take() {
                let response = join_error(&member.id, error);
                cx.out.reply(token, Response::JoinGroup(response));
            }
            if let Some(token) = member.awaiting_sync.take() {
                cx.out.reply(token, Response::SyncGroup(sync_error(error)));
            }
        });
        for member_id in self.members.keys().chain(&self.pending_join) {
            cx.out.disarm(self.heartbeat_timer(member_id));
        }
    }
}

impl ClassicGroup {
    /// The log refused to end the group, which had given up: its members have their time anew.
    fn carry_on(&mut self, cx: &mut Context<'_>) {
        for member_id in self.members.keys() {
            self.renew_session(cx, member_id);
        }
        for member_id in &self.pending_join {
            self.arm_heartbeat(cx, member_id, cx.settings.new_member_join_timeout_ms);
        }
        let timeout_ms = self.rebalance_timeout_ms();
        match self.state {
            State::PreparingRebalance => cx.arm(self.join_timer(), timeout_ms),
            State::CompletingRebalance => cx.arm(self.sync_timer(), timeout_ms),
            State::Empty | State::Stable => {}
        }
    }
}

pub(super) fn join_error(member_id: &str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        member_id: member_id.into(),
        error_code: error.code(),
        ..Default::default()
    }
}

pub(super) fn sync_error(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: error.code(),
        ..Default::default()
    }
}
