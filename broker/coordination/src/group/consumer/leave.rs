//! How members leave, by their own will or because nothing is heard of them.

use std::collections::BTreeMap;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::leave_group::request::MemberIdentity;
use ottla_protocol::messages::leave_group::response::MemberResponse;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, LeaveGroupRequest,
    LeaveGroupResponse,
};
use ottla_protocol::types::Millis;

use super::group::{ConsumerGroup, count_names, count_regex};
use super::member::{ConsumerMember, LEFT_FOR_NOW, Owned};
use super::migration::Downgrade;
use super::records::Records;
use super::step::{Step, timers_of};
use super::{Refusal, validate};
use crate::effects::{Effects, ReplyToken};
use crate::group::GroupMachine;
use crate::group::commands::Response;

impl GroupMachine {
    pub(super) fn leave_consumer_group(
        &self,
        now: Millis,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Step, Refusal> {
        let group_id = request.group_id.as_str();
        let member_id = request.member_id.as_str();
        let group = self.known_consumer_group(group_id)?;
        let member = match request.instance_id.as_deref() {
            None => group
                .members
                .get(member_id)
                .ok_or_else(|| validate::unknown_member(group_id, member_id))?,
            Some(instance_id) => validate::holder(group, instance_id, member_id)?,
        };
        let mut step = if request.instance_id.is_some() && request.member_epoch == LEFT_FOR_NOW {
            leave_for_now(group_id, member)
        } else {
            self.fence(now, group_id, group, &[member])
        };
        step.response = ConsumerGroupHeartbeatResponse {
            member_id: Some(request.member_id.detached()),
            member_epoch: request.member_epoch,
            ..Default::default()
        };
        Ok(step)
    }

    /// LeaveGroup: how an administrator takes members out, static ones by their instance id alone.
    pub(in crate::group) fn leave_consumer_group_by_list(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &LeaveGroupRequest,
        out: &mut Effects<Self>,
    ) {
        let group_id = request.group_id.as_str();
        let Some(group) = self.hard.consumer_group(group_id) else {
            return;
        };
        let mut leaving: BTreeMap<&str, &ConsumerMember> = BTreeMap::new();
        let members = request.members.iter().map(|asked| {
            let error = match listed(group, group_id, asked) {
                Ok(member) => {
                    leaving.insert(&member.id, member);
                    ErrorCode::None
                }
                Err(refusal) => refusal.error,
            };
            MemberResponse {
                member_id: asked.member_id.clone(),
                group_instance_id: asked.group_instance_id.clone(),
                error_code: error.code(),
                ..Default::default()
            }
        });
        let response = LeaveGroupResponse {
            members: members.collect(),
            ..Default::default()
        };
        let leaving: Vec<&ConsumerMember> = leaving.into_values().collect();
        let step = self.fence(now, group_id, group, &leaving);
        let replies = vec![(token, Response::LeaveGroup(response))];
        self.take_step(now, step, replies, out);
    }

    /// The group, if it is one of consumers.
    pub(super) fn known_consumer_group(&self, group_id: &str) -> Result<&ConsumerGroup, Refusal> {
        self.hard.consumer_group(group_id).ok_or_else(|| {
            let message = if self.soft.groups.contains_key(group_id) {
                format!("Group {group_id} is not a consumer group.")
            } else {
                format!("Group {group_id} not found.")
            };
            Refusal::new(ErrorCode::GroupIdNotFound, message)
        })
    }

    /// Takes members out; the group's epoch rises, so that the next heartbeat shares out what they had. Where only
    /// members of the classic protocol stay, they are a classic group, which shares out by itself.
    pub(super) fn fence(
        &self,
        now: Millis,
        group_id: &str,
        group: &ConsumerGroup,
        leaving: &[&ConsumerMember],
    ) -> Step {
        let mut step = Step {
            group_id: group_id.to_owned(),
            ..Default::default()
        };
        if leaving.is_empty() {
            return step;
        }
        if let Some(downgrade) = self.classic_without(now, group_id, group, leaving) {
            step.records = group.tombstones(group_id);
            step.records.push(downgrade.group.to_record());
            step.downgrade = Some(downgrade);
            return step;
        }
        let mut records = Records::new(group_id);
        let mut topics = group.topics.clone();
        let mut regex_members = group.regex_members.clone();
        for member in leaving {
            records.member_tombstones(&member.id);
            count_names(&mut topics, member, -1);
            if let Some(count) = member
                .subscribed_regex()
                .and_then(|regex| regex_members.get_mut(regex))
            {
                *count -= 1;
            }
        }
        for (regex, _) in regex_members.iter().filter(|(_, count)| **count == 0) {
            records.regex_tombstone(regex);
            if let Some(resolved) = group.regexes.get(regex) {
                count_regex(&mut topics, &resolved.topics, -1);
            }
        }
        let hash = self.topics.group_hash(topics.keys().map(String::as_str));
        records.group_epoch(group.next_epoch(), hash);
        step.records = records.take();
        for member in leaving {
            let timers = timers_of(group_id, &member.id);
            step.timers.extend(timers.map(|timer| (timer, None)));
        }
        step
    }

    fn classic_without(
        &self,
        now: Millis,
        group_id: &str,
        group: &ConsumerGroup,
        leaving: &[&ConsumerMember],
    ) -> Option<Downgrade> {
        let stays =
            |member: &&ConsumerMember| leaving.iter().all(|leaving| leaving.id != member.id);
        let staying = || group.members.values().filter(stays);
        if !self.may_downgrade(staying(), staying().count()) {
            return None;
        }
        let target_of = |id: &str| group.targets.get(id).cloned().unwrap_or_default();
        let members = staying().map(|member| (member, target_of(&member.id)));
        Some(Downgrade {
            group: self.downgraded(now, group_id, group, members)?,
            rebalances: true,
            former: group.members.keys().cloned().collect(),
        })
    }
}

/// The member that a LeaveGroup names.
fn listed<'a>(
    group: &'a ConsumerGroup,
    group_id: &str,
    asked: &MemberIdentity,
) -> Result<&'a ConsumerMember, Refusal> {
    let member_id = asked.member_id.as_str();
    match asked.group_instance_id.as_deref() {
        None => group
            .members
            .get(member_id)
            .ok_or_else(|| validate::unknown_member(group_id, member_id)),
        Some(instance_id) if member_id.is_empty() => group
            .member_of_instance(instance_id)
            .ok_or_else(|| validate::unknown_instance(instance_id)),
        Some(instance_id) => validate::holder(group, instance_id, member_id),
    }
}

/// A static member goes and will be back: it keeps its place and partitions until its session ends.
fn leave_for_now(group_id: &str, member: &ConsumerMember) -> Step {
    let mut leaving = member.clone();
    leaving.epoch = LEFT_FOR_NOW;
    leaving.pending_revocation = Owned::new();
    // Whoever comes back in its place has had the partitions from the start.
    for partitions in leaving.assigned.values_mut() {
        partitions.values_mut().for_each(|epoch| *epoch = 0);
    }
    let mut records = Records::new(group_id);
    records.current(&leaving);
    Step {
        group_id: group_id.to_owned(),
        records: records.take(),
        ..Default::default()
    }
}
