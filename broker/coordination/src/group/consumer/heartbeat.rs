//! ConsumerGroupHeartbeat: joining, changing one's mind, and coming to one's assignment.

use std::borrow::Cow;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::consumer_group_heartbeat::response::{Assignment, TopicPartitions};
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use ottla_protocol::types::Millis;

use super::group::ConsumerGroup;
use super::member::{ConsumerMember, LEFT, LEFT_FOR_NOW, Owned};
use super::records::Records;
use super::step::{Step, classic_timers, revocation_timer};
use super::target::After;
use super::{ConsumerHeartbeat, Refusal, validate};
use crate::effects::{Effects, ReplyToken};
use crate::group::GroupMachine;
use crate::group::commands::Response;
use crate::group::soft::State;

impl GroupMachine {
    pub(in crate::group) fn consumer_heartbeat(
        &mut self,
        now: Millis,
        token: ReplyToken,
        heartbeat: &ConsumerHeartbeat,
        out: &mut Effects<Self>,
    ) {
        let is_mending = self.mends_first(now, &heartbeat.request.group_id, out);
        let valid = validate::request(heartbeat, &self.settings.consumer);
        let verdict = valid.and_then(|()| {
            if is_mending {
                return Err(Refusal::new(
                    ErrorCode::CoordinatorLoadInProgress,
                    "The group is still being restored.",
                ));
            }
            match heartbeat.request.member_epoch {
                LEFT | LEFT_FOR_NOW => self.leave_consumer_group(now, &heartbeat.request),
                _ => self.beat(now, heartbeat),
            }
        });
        match verdict {
            Ok(mut step) => {
                let response = std::mem::take(&mut step.response);
                let response = Response::ConsumerGroupHeartbeat(response);
                self.take_step(now, step, vec![(token, response)], out);
            }
            Err(Refusal { error, message }) => {
                let response = ConsumerGroupHeartbeatResponse {
                    error_code: error.code(),
                    error_message: Some(message.into()),
                    ..Default::default()
                };
                out.reply(token, Response::ConsumerGroupHeartbeat(response));
            }
        }
    }

    fn beat(&self, now: Millis, heartbeat: &ConsumerHeartbeat) -> Result<Step, Refusal> {
        let request = &heartbeat.request;
        let group_id = request.group_id.as_str();
        let mut records = Records::new(group_id);
        let (group, upgrades) =
            self.group_to_beat_in(group_id, request.member_epoch == 0, &mut records)?;
        validate::room(&group, &request.member_id, &self.settings.consumer)?;
        let member = member_that_beats(&group, heartbeat, &mut records)?;
        let mut updated = told_by(heartbeat, &member);

        let after = After::new(&group, &member, &updated);
        let must_share_out = upgrades && self.leaves_some_out(&group);
        let followed = self.follow(now, group_id, &after, must_share_out, &mut records)?;
        let (target_epoch, target) =
            self.target(now, group_id, &after, followed.group_epoch, &mut records);
        let owned = request.topic_partitions.as_deref();
        let closer = self.bring_closer(&after, &followed, target_epoch, &target, owned)?;

        let mut timers = Vec::new();
        if upgrades {
            let members = group.members.values();
            timers.extend(members.map(|member| self.session_timer(now, group_id, member)));
        }
        if member.classic.is_some() {
            timers.extend(classic_timers(group_id, &updated.id).map(|timer| (timer, None)));
        }
        timers.push(self.session_timer(now, group_id, &updated));
        if closer != updated {
            records.current(&closer);
            timers.extend(revocation_timer(now, group_id, &closer));
            updated = closer;
        }
        Ok(Step {
            group_id: group_id.to_owned(),
            records: records.take(),
            response: self.answer(request, &member, &updated),
            timers,
            refreshed: followed.refreshed,
            resolves_regexes: followed.resolves_regexes,
            upgrades,
            ..Default::default()
        })
    }

    /// The group, a new one included where somebody joins, and whether it comes from a classic one with its members.
    fn group_to_beat_in(
        &self,
        group_id: &str,
        joins: bool,
        records: &mut Records<'_>,
    ) -> Result<(Cow<'_, ConsumerGroup>, bool), Refusal> {
        if let Some(group) = self.hard.consumer_group(group_id) {
            return Ok((Cow::Borrowed(group), false));
        }
        let not_found = |message| Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
        match self.soft.groups.get(group_id) {
            None if joins => {}
            None => return not_found(format!("Consumer group {group_id} not found.")),
            Some(classic) if joins && classic.state == State::Empty => {
                records.push_other(classic.to_tombstone());
            }
            Some(classic) if joins => {
                return Ok((Cow::Owned(self.upgraded(classic, records)?), true));
            }
            Some(_) => return not_found(format!("Group {group_id} is not a consumer group.")),
        }
        Ok((Cow::Owned(ConsumerGroup::default()), false))
    }

    /// The assignment is told where it has changed, or the member asks with all that it has.
    fn answer(
        &self,
        request: &ConsumerGroupHeartbeatRequest,
        member: &ConsumerMember,
        updated: &ConsumerMember,
    ) -> ConsumerGroupHeartbeatResponse {
        let is_full = request.rebalance_timeout_ms != -1
            && (request.subscribed_topic_names.is_some()
                || request.subscribed_topic_regex.is_some())
            && request.topic_partitions.is_some();
        let is_told = request.member_epoch == 0 || is_full || member.assigned != updated.assigned;
        ConsumerGroupHeartbeatResponse {
            member_id: Some(updated.id.as_str().into()),
            member_epoch: updated.epoch,
            heartbeat_interval_ms: self
                .settings
                .consumer
                .heartbeat_interval_ms(&request.group_id),
            assignment: is_told.then(|| assignment_of(&updated.assigned)),
            ..Default::default()
        }
    }
}

fn assignment_of(owned: &Owned) -> Assignment {
    let topics = owned.iter().map(|(topic_id, partitions)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        ..Default::default()
    });
    Assignment {
        topic_partitions: topics.collect(),
        ..Default::default()
    }
}

/// The member as it was so far. Where it takes the place of a static member that has left, it is that one.
fn member_that_beats(
    group: &ConsumerGroup,
    heartbeat: &ConsumerHeartbeat,
    records: &mut Records<'_>,
) -> Result<ConsumerMember, Refusal> {
    let request = &heartbeat.request;
    let member_id = match request.member_id.as_str() {
        "" => heartbeat.candidate_member_id.as_deref().unwrap_or_default(),
        member_id => member_id,
    };
    let reported = request.topic_partitions.as_deref();
    let joins = request.member_epoch == 0;
    let Some(instance_id) = request.instance_id.as_deref() else {
        let member = match group.members.get(member_id) {
            Some(member) => member.clone(),
            None if joins => ConsumerMember::new(member_id),
            None => return Err(validate::unknown_member(&request.group_id, member_id)),
        };
        validate::epoch(&member, request.member_epoch, reported)?;
        return Ok(member);
    };
    if !joins {
        let holder = validate::holder(group, instance_id, member_id)?;
        validate::epoch(holder, request.member_epoch, reported)?;
        return Ok(holder.clone());
    }
    match group.member_of_instance(instance_id) {
        None => Ok(group
            .members
            .get(member_id)
            .cloned()
            .unwrap_or_else(|| ConsumerMember::new(member_id))),
        Some(holder) if holder.classic.is_none() && holder.epoch != LEFT_FOR_NOW => {
            Err(Refusal::new(
                ErrorCode::UnreleasedInstanceId,
                format!(
                    "Static member {member_id} with instance id {instance_id} cannot join the group because the \
                     instance id is owned by {} member.",
                    holder.id
                ),
            ))
        }
        Some(holder) => Ok(replace(group, holder, member_id, records)),
    }
}

/// Passes the place of a static member on. The old one's timers find nobody when they fire.
pub(super) fn replace(
    group: &ConsumerGroup,
    holder: &ConsumerMember,
    member_id: &str,
    records: &mut Records<'_>,
) -> ConsumerMember {
    let member = ConsumerMember {
        id: member_id.to_owned(),
        epoch: 0,
        previous_epoch: 0,
        ..holder.clone()
    };
    records.member_tombstones(&holder.id);
    records.subscription(&member);
    let target = group.targets.get(&holder.id).cloned().unwrap_or_default();
    records.target(member_id, &target);
    records.current(&member);
    member
}

/// The member with what it now says of itself; what it does not mention stays.
fn told_by(heartbeat: &ConsumerHeartbeat, member: &ConsumerMember) -> ConsumerMember {
    let request = &heartbeat.request;
    let mut updated = member.clone();
    let told = |text: &Option<_>, field: &mut Option<String>| {
        if let Some(text) = text.as_deref() {
            *field = Some(str::to_owned(text));
        }
    };
    told(&request.instance_id, &mut updated.instance_id);
    told(&request.rack_id, &mut updated.rack_id);
    told(&request.server_assignor, &mut updated.assignor);
    if request.rebalance_timeout_ms != -1 {
        updated.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(names) = &request.subscribed_topic_names {
        updated.topics = names.iter().map(ToString::to_string).collect();
    }
    if let Some(regex) = &request.subscribed_topic_regex {
        updated.regex = regex.to_string();
    }
    updated.client_id.clone_from(&heartbeat.client_id);
    updated.client_host.clone_from(&heartbeat.client_host);
    updated.classic = None;
    updated
}
