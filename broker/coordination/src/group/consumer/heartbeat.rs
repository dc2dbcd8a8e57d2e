//! ConsumerGroupHeartbeat: joining, changing one's mind, and coming to one's assignment.

use std::borrow::Cow;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::consumer_group_heartbeat::response::{Assignment, TopicPartitions};
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use ottla_protocol::types::Millis;

use super::group::ConsumerGroup;
use super::member::{ConsumerMember, LEFT, LEFT_FOR_NOW, MemberState, Owned};
use super::reconcile::Reconciliation;
use super::records::Records;
use super::regex::RegexChange;
use super::target::{After, subscribed_ids};
use super::{ConsumerHeartbeat, Refusal, validate};
use crate::effects::{Effects, ReplyToken};
use crate::group::commands::Response;
use crate::group::records::GroupRecord;
use crate::group::soft::State;
use crate::group::{GroupMachine, Timer};

/// The metadata of a group's topics is looked at when something says so, and every 24 days.
const METADATA_REFRESH_INTERVAL: Millis = Millis(i32::MAX as i64);

/// What a heartbeat, or its absence, brings about in one group.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) group_id: String,
    pub(super) records: Vec<GroupRecord>,
    pub(super) response: ConsumerGroupHeartbeatResponse,
    /// Timers to arm, or to forget.
    pub(super) timers: Vec<(Timer, Option<Millis>)>,
    /// The group's epoch with which its topics have been looked at.
    pub(super) refreshed: Option<i32>,
    pub(super) resolves_regexes: bool,
}

impl GroupMachine {
    pub(in crate::group) fn consumer_heartbeat(
        &mut self,
        now: Millis,
        token: ReplyToken,
        heartbeat: &ConsumerHeartbeat,
        out: &mut Effects<Self>,
    ) {
        let verdict = validate::request(heartbeat, &self.settings.consumer).and_then(|()| {
            match heartbeat.request.member_epoch {
                LEFT | LEFT_FOR_NOW => self.leave_consumer_group(&heartbeat.request),
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

    pub(super) fn take_step(
        &mut self,
        now: Millis,
        step: Step,
        replies: Vec<(ReplyToken, Response)>,
        out: &mut Effects<Self>,
    ) {
        // Timers first: where the records are refused, they are armed anew.
        for (timer, at) in step.timers {
            match at {
                Some(at) => out.arm(timer, at),
                None => out.disarm(timer),
            }
        }
        out.append_then(step.records, replies);
        if step.refreshed.is_none() && !step.resolves_regexes {
            return;
        }
        let soft = self
            .soft
            .consumers
            .entry(step.group_id.clone())
            .or_default();
        if let Some(epoch) = step.refreshed {
            soft.refresh_at = now.plus(METADATA_REFRESH_INTERVAL);
            soft.refresh_epoch = epoch;
        }
        if step.resolves_regexes {
            soft.is_resolving = true;
            let group = step.group_id;
            out.arm(Timer::ResolveRegexes { group }, now);
        }
    }

    fn beat(&self, now: Millis, heartbeat: &ConsumerHeartbeat) -> Result<Step, Refusal> {
        let request = &heartbeat.request;
        let group_id = request.group_id.as_str();
        let mut records = Records::new(group_id);
        let group = self.group_to_beat_in(group_id, request.member_epoch == 0, &mut records)?;
        validate::room(&group, &request.member_id, &self.settings.consumer)?;
        let member = member_that_beats(&group, heartbeat, &mut records)?;
        let mut updated = told_by(heartbeat, &member);

        let names_changed = updated.topics != member.topics;
        if updated != member {
            records.subscription(&updated);
        }
        let regex = self.follow_regex(now, group_id, &group, &member, &updated, &mut records)?;
        let bumps = names_changed || regex.change == RegexChange::UpdatedAndResolved;
        let after = After::new(&group, &member, &updated);
        let is_due = self.is_refresh_due(now, group_id, &group);
        let group_epoch = if bumps || is_due {
            self.refresh_metadata(&after, bumps, &mut records)
        } else {
            group.epoch
        };
        let (target_epoch, target) = self.target(now, group_id, &after, group_epoch, &mut records);

        let mut timers = vec![self.session_timer(now, group_id, &updated)];
        let subscription_changed = names_changed || regex.change != RegexChange::None;
        if subscription_changed || !updated.is_reconciled_to(target_epoch) {
            let reconciled = Reconciliation {
                group: &group,
                target_epoch,
                target: &target,
                subscribed: &subscribed_ids(&updated, &group, &self.topics),
                has_subscription_changed: subscription_changed,
                reported: request.topic_partitions.as_deref(),
            }
            .step(&updated)?;
            if reconciled != updated {
                records.current(&reconciled);
                timers.extend(revocation_timer(now, group_id, &reconciled));
                updated = reconciled;
            }
        }
        let refreshed = (bumps || is_due).then_some(group_epoch);
        Ok(Step {
            group_id: group_id.to_owned(),
            records: records.take(),
            response: self.answer(request, &member, &updated),
            timers,
            refreshed,
            resolves_regexes: regex.must_resolve,
        })
    }

    /// The group, a new one included where somebody joins. An empty classic group gives way.
    fn group_to_beat_in(
        &self,
        group_id: &str,
        joins: bool,
        records: &mut Records<'_>,
    ) -> Result<Cow<'_, ConsumerGroup>, Refusal> {
        if let Some(group) = self.hard.consumer_group(group_id) {
            return Ok(Cow::Borrowed(group));
        }
        let not_found = |message| Err(Refusal::new(ErrorCode::GroupIdNotFound, message));
        match self.soft.groups.get(group_id) {
            None if joins => {}
            None => return not_found(format!("Consumer group {group_id} not found.")),
            Some(classic) if joins && classic.state == State::Empty => {
                records.push_other(classic.to_tombstone());
            }
            Some(_) if joins => {
                return not_found(format!(
                    "Cannot upgrade classic group {group_id} to consumer group because online upgrade is disabled."
                ));
            }
            Some(_) => return not_found(format!("Group {group_id} is not a consumer group.")),
        }
        Ok(Cow::Owned(ConsumerGroup::default()))
    }

    fn is_refresh_due(&self, now: Millis, group_id: &str, group: &ConsumerGroup) -> bool {
        let soft = self
            .soft
            .consumers
            .get(group_id)
            .copied()
            .unwrap_or_default();
        now >= soft.refresh_at || group.epoch < soft.refresh_epoch
    }

    /// Looks at the topics anew; the group's epoch rises if something has changed.
    fn refresh_metadata(&self, after: &After<'_>, bumps: bool, records: &mut Records<'_>) -> i32 {
        let group = after.group;
        let topics = after.topics();
        let hash = self.topics.group_hash(topics.keys().map(String::as_str));
        let mut epoch = group.epoch;
        if bumps || hash != group.metadata_hash {
            epoch = epoch.saturating_add(1);
            records.group_epoch(epoch, hash);
        }
        if group.has_subscription_metadata {
            records.push(super::Change::SubscriptionMetadata(None));
        }
        epoch
    }

    pub(super) fn session_timer(
        &self,
        now: Millis,
        group_id: &str,
        member: &ConsumerMember,
    ) -> (Timer, Option<Millis>) {
        let timeout_ms = self.settings.consumer.session_timeout_ms(group_id);
        let timer = Timer::Session {
            group: group_id.to_owned(),
            member: member.id.clone(),
        };
        (timer, Some(now.plus(Millis(timeout_ms.into()))))
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

pub(super) fn revocation_timer(
    now: Millis,
    group_id: &str,
    member: &ConsumerMember,
) -> Option<(Timer, Option<Millis>)> {
    if member.classic.is_some() {
        return None;
    }
    let is_revoking = member.state == MemberState::UnrevokedPartitions;
    let at = is_revoking.then(|| now.plus(Millis(member.rebalance_timeout_ms.max(0).into())));
    let timer = Timer::Revocation {
        group: group_id.to_owned(),
        member: member.id.clone(),
    };
    Some((timer, at))
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
fn replace(
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
