//! JoinGroup for members of consumer groups that speak the classic protocol: they tell of themselves what a heartbeat of
//! the consumer protocol tells, and are brought towards their target alike.
//!
//! Where the one that joins takes the place of the last member of the consumer protocol, the group is a classic one with
//! it.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use ottla_protocol::types::Millis;

use super::classic::{error, first_protocol};
use super::group::ConsumerGroup;
use super::heartbeat::replace;
use super::member::{ClassicMember, ConsumerMember};
use super::migration::{Downgrade, rack};
use super::records::Records;
use super::settings::MigrationPolicy;
use super::step::{Step, classic_timers, timers_of};
use super::target::After;
use super::{Refusal, validate};
use crate::effects::{Effects, ReplyToken};
use crate::group::commands::{JoinGroup, MemberIds, Response};
use crate::group::member::{Protocol, offered_protocols};
use crate::group::rebalance::join_error;
use crate::group::topics::Topics;
use crate::group::{GroupMachine, embedded};

impl GroupMachine {
    pub(in crate::group) fn join_consumer_group(
        &mut self,
        now: Millis,
        token: ReplyToken,
        join: &JoinGroup,
        out: &mut Effects<Self>,
    ) {
        let joined = if self.mends_first(now, &join.request.group_id, out) {
            Err(ErrorCode::CoordinatorLoadInProgress)
        } else {
            self.join_with_classic(now, join)
        };
        let (step, response) =
            joined.unwrap_or_else(|error| (Step::default(), join_error("", error)));
        let replies = vec![(token, Response::JoinGroup(response))];
        self.take_step(now, step, replies, out);
    }

    fn join_with_classic(
        &self,
        now: Millis,
        join: &JoinGroup,
    ) -> Result<(Step, JoinGroupResponse), ErrorCode> {
        let request = &join.request;
        let group_id = request.group_id.as_str();
        let group = self.known_consumer_group(group_id).map_err(error)?;
        if self.settings.consumer.migration_policy == MigrationPolicy::Disabled {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let member_id = match request.member_id.as_str() {
            "" => join.candidate_member_id.as_str(),
            member_id => member_id,
        };
        validate::room(group, member_id, &self.settings.consumer).map_err(error)?;
        let protocols = offered_protocols(&request.protocols);
        if !group.supports_classic(&request.protocol_type, &protocols) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let must_know_id = join.member_ids == MemberIds::Required;
        if must_know_id && request.member_id.is_empty() && request.group_instance_id.is_none() {
            let response = join_error(member_id, ErrorCode::MemberIdRequired);
            return Ok((Step::default(), response));
        }
        let mut records = Records::new(group_id);
        let member = member_that_joins(group, request, member_id, &mut records)?;
        let updated = told_by(join, &member, protocols)?;
        self.take_in(
            now,
            group_id,
            join,
            &After::new(group, &member, &updated),
            records,
        )
        .map_err(error)
    }

    /// The member is in; the group may be a classic one with it.
    fn take_in(
        &self,
        now: Millis,
        group_id: &str,
        join: &JoinGroup,
        after: &After<'_>,
        mut records: Records<'_>,
    ) -> Result<(Step, JoinGroupResponse), Refusal> {
        let followed = self.follow(now, group_id, after, false, &mut records)?;
        let ends = self.ends_with(after);
        let (target_epoch, target) = if ends {
            (after.group.assignment_epoch, after.standing_target())
        } else {
            self.target(now, group_id, after, followed.group_epoch, &mut records)
        };
        // A classic group with an assignment of old makes a new one itself.
        let is_stale = ends && target_epoch < followed.group_epoch;
        let mut member = after.new.clone();
        if !is_stale {
            let owned = owned_by(after.new, &self.topics);
            let closer =
                self.bring_closer(after, &followed, target_epoch, &target, Some(&owned))?;
            if closer != member {
                records.current(&closer);
                member = closer;
            }
        }
        let mut step = Step {
            group_id: group_id.to_owned(),
            refreshed: followed.refreshed,
            resolves_regexes: followed.resolves_regexes,
            ..Default::default()
        };
        let downgrade = ends
            .then(|| self.ended_by(now, group_id, after, &member, target_epoch, is_stale))
            .flatten();
        if let Some(downgrade) = downgrade {
            let ids: Vec<&str> = downgrade.former.iter().map(String::as_str).collect();
            records.extend(after.group.tombstones_of(group_id, &ids));
            records.push_other(downgrade.group.to_record());
            step.downgrade = Some(downgrade);
        } else {
            step.timers = timers_of(group_id, &member.id)
                .map(|timer| (timer, None))
                .collect();
            step.timers.push(self.session_timer(now, group_id, &member));
            let [_, sync] = classic_timers(group_id, &member.id);
            let sync_at = now.plus(Millis(join.request.rebalance_timeout_ms.max(0).into()));
            step.timers.push((sync, Some(sync_at)));
        }
        step.records = records.take();
        let response = JoinGroupResponse {
            member_id: member.id.as_str().into(),
            generation_id: member.epoch,
            protocol_type: Some(embedded::CONSUMER.into()),
            protocol_name: first_protocol(&member).map(|protocol| protocol.name.as_str().into()),
            ..Default::default()
        };
        Ok((step, response))
    }

    /// Whether the last member of the consumer protocol is the one whose place is taken.
    fn ends_with(&self, after: &After<'_>) -> bool {
        let group = after.group;
        let holder = after.new.instance_id.as_deref();
        let holder = holder.and_then(|id| group.member_of_instance(id));
        holder.is_some_and(|holder| {
            let others = group.members.values().filter(|other| other.id != holder.id);
            holder.classic.is_none() && self.may_downgrade(others, group.members.len())
        })
    }

    fn ended_by(
        &self,
        now: Millis,
        group_id: &str,
        after: &After<'_>,
        member: &ConsumerMember,
        target_epoch: i32,
        is_stale: bool,
    ) -> Option<Downgrade> {
        let target_of = |id: &str| after.group.targets.get(id).cloned().unwrap_or_default();
        let holder = member.instance_id.as_deref();
        let holder = holder.and_then(|id| after.group.member_of_instance(id))?;
        let others = after
            .group
            .members
            .values()
            .filter(|other| other.id != holder.id);
        let members: Vec<_> = others
            .map(|other| (other, target_of(&other.id)))
            .chain([(member, target_of(&holder.id))])
            .collect();
        // What is on its way from one to another would be with both.
        let is_settled = |member: &ConsumerMember| member.is_reconciled_to(target_epoch);
        let rebalances = is_stale || !members.iter().all(|(member, _)| is_settled(member));
        let members = members.into_iter();
        let group = self.downgraded(now, group_id, after.group, members)?;
        let former = after.group.members.keys().map(|id| {
            let is_replaced = *id == holder.id;
            (if is_replaced { &member.id } else { id }).clone()
        });
        Some(Downgrade {
            group,
            rebalances,
            former: former.collect(),
        })
    }
}

impl ConsumerGroup {
    /// Whether a member with these protocols fits in with those that speak the classic protocol.
    fn supports_classic(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        let is_common = |name: &str| {
            let mut classic = self.members.values().filter_map(|m| m.classic.as_ref());
            classic.all(|member| member.supports(name))
        };
        protocol_type == embedded::CONSUMER
            && protocols.iter().any(|protocol| is_common(&protocol.name))
    }
}

impl ClassicMember {
    fn supports(&self, protocol: &str) -> bool {
        self.protocols
            .iter()
            .any(|offered| offered.name == protocol)
    }
}

/// The member as it was so far. A static member that does not know its id takes the place of its former self.
fn member_that_joins(
    group: &ConsumerGroup,
    request: &JoinGroupRequest,
    member_id: &str,
    records: &mut Records<'_>,
) -> Result<ConsumerMember, ErrorCode> {
    let known = group.members.get(member_id);
    let known_or_new = || {
        known
            .cloned()
            .unwrap_or_else(|| ConsumerMember::new(member_id))
    };
    let Some(instance_id) = request.group_instance_id.as_deref() else {
        return Ok(known_or_new());
    };
    if !request.member_id.is_empty() {
        let holder = validate::holder(group, instance_id, member_id).map_err(error)?;
        return Ok(holder.clone());
    }
    Ok(match group.member_of_instance(instance_id) {
        None => known_or_new(),
        Some(holder) => replace(group, holder, member_id, records),
    })
}

/// The member with what it now says of itself. It has no regular expression and may keep an assignor's name.
fn told_by(
    join: &JoinGroup,
    member: &ConsumerMember,
    protocols: Vec<Protocol>,
) -> Result<ConsumerMember, ErrorCode> {
    let request = &join.request;
    // The reference fails alike.
    let first = protocols.first().ok_or(ErrorCode::UnknownServerError)?;
    let subscription =
        embedded::subscription(&first.metadata).map_err(|_| ErrorCode::UnknownServerError)?;
    let mut updated = member.clone();
    if let Some(instance_id) = request.group_instance_id.as_deref() {
        updated.instance_id = Some(instance_id.to_owned());
    }
    if let Some(rack_id) = subscription.rack_id.as_deref().and_then(rack) {
        updated.rack_id = Some(rack_id);
    }
    if request.rebalance_timeout_ms != -1 {
        updated.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    updated.topics = subscription
        .topics
        .iter()
        .map(ToString::to_string)
        .collect();
    updated.regex = String::new();
    updated.client_id.clone_from(&join.client_id);
    updated.client_host.clone_from(&join.client_host);
    updated.classic = Some(ClassicMember {
        session_timeout_ms: request.session_timeout_ms,
        protocols,
    });
    Ok(updated)
}

/// What the member says that it owns.
fn owned_by(member: &ConsumerMember, topics: &Topics) -> Vec<TopicPartitions> {
    let subscription = first_protocol(member).map(|one| embedded::subscription(&one.metadata));
    match subscription {
        Some(Ok(subscription)) => embedded::owned(&subscription, topics),
        Some(Err(_)) | None => Vec::new(),
    }
}
