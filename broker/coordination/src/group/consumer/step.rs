//! What comes of a request or a deadline in one group, and what members of either protocol have in common: the group
//! follows what a member says of itself, and the member is brought towards its target.

use ottla_protocol::messages::ConsumerGroupHeartbeatResponse;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::types::Millis;

use super::Refusal;
use super::group::ConsumerGroup;
use super::member::{ConsumerMember, MemberState};
use super::migration::Downgrade;
use super::reconcile::Reconciliation;
use super::records::Records;
use super::regex::RegexChange;
use super::target::{After, subscribed_ids};
use crate::effects::{Effects, ReplyToken};
use crate::group::assignors::Assignment;
use crate::group::commands::Response;
use crate::group::records::GroupRecord;
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
    /// It takes the place of a classic group whose members live on in it.
    pub(super) upgrades: bool,
    /// The classic group that takes its place.
    pub(super) downgrade: Option<Downgrade>,
}

/// What a member's news of itself mean for its group.
pub(super) struct Followed {
    pub(super) group_epoch: i32,
    pub(super) has_subscription_changed: bool,
    pub(super) refreshed: Option<i32>,
    pub(super) resolves_regexes: bool,
}

impl GroupMachine {
    pub(super) fn take_step(
        &mut self,
        now: Millis,
        step: Step,
        replies: Vec<(ReplyToken, Response)>,
        out: &mut Effects<Self>,
    ) {
        // Timers first: where the records are refused, they are armed anew.
        if step.upgrades {
            self.end_classic(now, &step.group_id, out);
        }
        for (timer, at) in step.timers {
            self.set_timer(timer, at, out);
        }
        if let Some(downgrade) = step.downgrade {
            self.begin_classic(now, &step.group_id, downgrade, out);
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
        if let Some(group) = self.hard.consumer_group(&step.group_id) {
            self.topics
                .remember(group.topics.keys().map(String::as_str));
        }
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

    pub(super) fn set_timer(&mut self, timer: Timer, at: Option<Millis>, out: &mut Effects<Self>) {
        if let Timer::Rejoin { group, member } = &timer {
            let soft = self.soft.consumers.entry(group.clone()).or_default();
            let is_news = match at {
                // The member has its time from when it was first told.
                Some(_) => soft.rejoining.insert(member.clone()),
                None => soft.rejoining.remove(member),
            };
            if !is_news {
                return;
            }
        }
        match at {
            Some(at) => out.arm(timer, at),
            None => out.disarm(timer),
        }
    }

    /// The group takes note of what a member now says of itself; its epoch rises where that matters to others, or all
    /// must be shared out anyhow.
    pub(super) fn follow(
        &self,
        now: Millis,
        group_id: &str,
        after: &After<'_>,
        must_share_out: bool,
        records: &mut Records<'_>,
    ) -> Result<Followed, Refusal> {
        let (group, old, new) = (after.group, after.old, after.new);
        let names_changed = new.topics != old.topics;
        if new != old {
            records.subscription(new);
        }
        let regex = self.follow_regex(now, group_id, after, records)?;
        let bumps =
            must_share_out || names_changed || regex.change == RegexChange::UpdatedAndResolved;
        let is_due = self.is_refresh_due(now, group_id, group);
        let group_epoch = if bumps || is_due {
            self.refresh_metadata(after, bumps, records)
        } else {
            group.epoch
        };
        Ok(Followed {
            group_epoch,
            has_subscription_changed: names_changed || regex.change != RegexChange::None,
            refreshed: (bumps || is_due).then_some(group_epoch),
            resolves_regexes: regex.must_resolve,
        })
    }

    /// The member one step closer to its part of the target.
    pub(super) fn bring_closer(
        &self,
        after: &After<'_>,
        followed: &Followed,
        target_epoch: i32,
        target: &Assignment,
        reported: Option<&[TopicPartitions]>,
    ) -> Result<ConsumerMember, Refusal> {
        let member = after.new;
        if !followed.has_subscription_changed && member.is_reconciled_to(target_epoch) {
            return Ok(member.clone());
        }
        Reconciliation {
            group: after.group,
            target_epoch,
            target,
            subscribed: &subscribed_ids(member, after.group, &self.topics),
            has_subscription_changed: followed.has_subscription_changed,
            reported,
        }
        .step(member)
    }

    fn is_refresh_due(&self, now: Millis, group_id: &str, group: &ConsumerGroup) -> bool {
        let soft = self.soft.consumers.get(group_id);
        soft.is_none_or(|soft| now >= soft.refresh_at || group.epoch < soft.refresh_epoch)
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
        let timeout_ms = match &member.classic {
            Some(classic) => classic.session_timeout_ms,
            None => self.settings.consumer.session_timeout_ms(group_id),
        };
        let timer = Timer::Session {
            group: group_id.to_owned(),
            member: member.id.clone(),
        };
        (timer, Some(now.plus(Millis(timeout_ms.into()))))
    }
}

/// The deadlines of a member that speaks the classic protocol, besides its session.
pub(super) fn classic_timers(group_id: &str, member_id: &str) -> [Timer; 2] {
    let (group, member) = (group_id.to_owned(), member_id.to_owned());
    let rejoin = Timer::Rejoin {
        group: group.clone(),
        member: member.clone(),
    };
    [rejoin, Timer::MemberSync { group, member }]
}

/// All deadlines that a member may have.
pub(super) fn timers_of(group_id: &str, member_id: &str) -> impl Iterator<Item = Timer> {
    let (group, member) = (group_id.to_owned(), member_id.to_owned());
    let session = Timer::Session {
        group: group.clone(),
        member: member.clone(),
    };
    let revocation = Timer::Revocation { group, member };
    [session, revocation]
        .into_iter()
        .chain(classic_timers(group_id, member_id))
}

/// By when a member must have given partitions up, or that it need not. One of the classic protocol has other deadlines.
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
