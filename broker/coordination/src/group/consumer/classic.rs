//! Members of consumer groups that speak the classic protocol: SyncGroup and Heartbeat for them.
//!
//! To such a member the group is a classic one that somebody else leads: its epoch is the generation, and it is told to
//! join again where its epoch or its partitions are not the ones that are meant for it.
//! JoinGroup is in `classic_join`, LeaveGroup in `leave`, as it takes out members of either protocol.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, SyncGroupRequest, SyncGroupResponse,
};
use ottla_protocol::types::Millis;

use super::group::ConsumerGroup;
use super::member::{ConsumerMember, MemberState};
use super::step::{Step, classic_timers};
use super::{Refusal, validate};
use crate::effects::{Effects, ReplyToken};
use crate::group::commands::Response;
use crate::group::member::Protocol;
use crate::group::rebalance::sync_error;
use crate::group::{GroupMachine, Timer, embedded};

impl GroupMachine {
    pub(in crate::group) fn sync_with_consumer_group(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &SyncGroupRequest,
        out: &mut Effects<Self>,
    ) {
        let synced = if self.mends_first(now, &request.group_id, out) {
            Err(ErrorCode::CoordinatorLoadInProgress)
        } else {
            self.check_sync_with_consumers(now, request)
        };
        let (step, response) = synced.unwrap_or_else(|error| (Step::default(), sync_error(error)));
        let replies = vec![(token, Response::SyncGroup(response))];
        self.take_step(now, step, replies, out);
    }

    pub(in crate::group) fn heartbeat_in_consumer_group(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &HeartbeatRequest,
        out: &mut Effects<Self>,
    ) {
        let beaten = if self.mends_first(now, &request.group_id, out) {
            Err(ErrorCode::CoordinatorLoadInProgress)
        } else {
            self.check_heartbeat_among_consumers(now, request)
        };
        let (step, error) = beaten.unwrap_or_else(|error| (Step::default(), error));
        let response = HeartbeatResponse {
            error_code: error.code(),
            ..Default::default()
        };
        self.take_step(now, step, vec![(token, Response::Heartbeat(response))], out);
    }

    fn check_sync_with_consumers(
        &self,
        now: Millis,
        request: &SyncGroupRequest,
    ) -> Result<(Step, SyncGroupResponse), ErrorCode> {
        let group_id = request.group_id.as_str();
        let instance_id = request.group_instance_id.as_deref();
        let asker = (request.member_id.as_str(), instance_id);
        let (group, member) = self.classic_member(group_id, asker, request.generation_id)?;
        let protocol = first_protocol(member).ok_or(ErrorCode::UnknownServerError)?;
        let differs = |told: Option<&str>, is: &str| told.is_some_and(|told| told != is);
        if differs(request.protocol_type.as_deref(), embedded::CONSUMER)
            || differs(request.protocol_name.as_deref(), &protocol.name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let mut step = Step {
            group_id: group_id.to_owned(),
            ..Default::default()
        };
        let [rejoin, sync] = classic_timers(group_id, &member.id);
        // One that gives partitions up has joined already; it joins again when it is done.
        if group.assignment_epoch > member.epoch && member.state != MemberState::UnrevokedPartitions
        {
            step.timers.push(rejoin_by(now, rejoin, member));
            return Ok((step, sync_error(ErrorCode::RebalanceInProgress)));
        }
        let assigned = member.assigned.iter();
        let assigned = assigned.map(|(id, partitions)| (*id, partitions.keys().copied().collect()));
        let assignment = embedded::to_bytes(assigned, &self.topics, &protocol.metadata)
            .map_err(|_| ErrorCode::UnknownServerError)?;
        step.timers.push((sync, None));
        step.timers.push(self.session_timer(now, group_id, member));
        let response = SyncGroupResponse {
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment,
            ..Default::default()
        };
        Ok((step, response))
    }

    /// The member is to join again where the target has moved on, where it has partitions to give up, and where those
    /// that it waits for are free.
    fn check_heartbeat_among_consumers(
        &self,
        now: Millis,
        request: &HeartbeatRequest,
    ) -> Result<(Step, ErrorCode), ErrorCode> {
        let group_id = request.group_id.as_str();
        let instance_id = request.group_instance_id.as_deref();
        let asker = (request.member_id.as_str(), instance_id);
        let (group, member) = self.classic_member(group_id, asker, request.generation_id)?;
        let mut step = Step {
            group_id: group_id.to_owned(),
            timers: vec![self.session_timer(now, group_id, member)],
            ..Default::default()
        };
        let is_due = member.epoch < group.assignment_epoch
            || match member.state {
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => !group.waits_for_others(member),
                MemberState::Stable | MemberState::Unknown => false,
            };
        if !is_due {
            return Ok((step, ErrorCode::None));
        }
        let [rejoin, _] = classic_timers(group_id, &member.id);
        step.timers.push(rejoin_by(now, rejoin, member));
        Ok((step, ErrorCode::RebalanceInProgress))
    }

    /// The member that asks, by its id and its instance id where it has one. It must speak the classic protocol and be in
    /// the epoch that it takes for its generation.
    fn classic_member(
        &self,
        group_id: &str,
        (member_id, instance_id): (&str, Option<&str>),
        generation_id: i32,
    ) -> Result<(&ConsumerGroup, &ConsumerMember), ErrorCode> {
        let group = self.known_consumer_group(group_id).map_err(error)?;
        let member = match instance_id {
            None => group.members.get(member_id),
            Some(instance_id) => {
                Some(validate::holder(group, instance_id, member_id).map_err(error)?)
            }
        };
        let member = member.filter(|member| member.classic.is_some());
        let member = member.ok_or(ErrorCode::UnknownMemberId)?;
        if member.epoch != generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        Ok((group, member))
    }
}

impl ConsumerGroup {
    /// Whether others still own something of what the member is to have.
    fn waits_for_others(&self, member: &ConsumerMember) -> bool {
        let target = self.targets.get(&member.id).into_iter().flatten();
        let mut missing = target.flat_map(|(topic_id, partitions)| {
            let own = member.assigned.get(topic_id);
            let lacks = move |index: &&i32| own.is_none_or(|own| !own.contains_key(*index));
            partitions
                .iter()
                .filter(lacks)
                .map(|index| (*topic_id, *index))
        });
        missing.any(|(topic_id, index)| self.is_owned(topic_id, index))
    }
}

pub(super) fn error(refusal: Refusal) -> ErrorCode {
    refusal.error
}

/// What the member is told to be its protocol. All tell the same subscription.
pub(super) fn first_protocol(member: &ConsumerMember) -> Option<&Protocol> {
    member.classic.as_ref()?.protocols.first()
}

fn rejoin_by(now: Millis, timer: Timer, member: &ConsumerMember) -> (Timer, Option<Millis>) {
    let timeout = Millis(member.rebalance_timeout_ms.max(0).into());
    (timer, Some(now.plus(timeout)))
}
