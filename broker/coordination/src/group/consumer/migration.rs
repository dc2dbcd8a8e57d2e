//! How a group comes from one protocol to the other with members in it: up when somebody joins a classic group of
//! consumers with the consumer protocol, down when only members of the classic protocol stay.
//!
//! Always: the members keep their ids and partitions, the group its number: the generation is the epoch. One batch ends
//! the one group and begins the other.

use std::collections::BTreeSet;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Generation, Millis};

use super::Refusal;
use super::group::ConsumerGroup;
use super::member::{ClassicMember, ConsumerMember, Owned};
use super::records::Records;
use super::step::timers_of;
use crate::effects::Effects;
use crate::group::GroupMachine;
use crate::group::assignors::Assignment;
use crate::group::embedded;
use crate::group::member::Member;
use crate::group::rebalance::Context;
use crate::group::records::GroupRecord;
use crate::group::soft::{ClassicGroup, State};

/// A classic group that takes the place of a consumer group.
#[derive(Debug)]
pub(super) struct Downgrade {
    pub(super) group: ClassicGroup,
    /// Its assignment does not stand: its members are to join again.
    pub(super) rebalances: bool,
    /// The members that were in the consumer group.
    pub(super) former: Vec<String>,
}

impl GroupMachine {
    /// A consumer group with the members of a classic one, as its records will tell of it.
    pub(super) fn upgraded(
        &self,
        classic: &ClassicGroup,
        records: &mut Records<'_>,
    ) -> Result<ConsumerGroup, Refusal> {
        self.check_upgrade(classic)?;
        let members = self.members_of(classic)?;
        let topics = members.iter().flat_map(|(member, _)| &member.topics);
        let topics: BTreeSet<&str> = topics.map(String::as_str).collect();
        let mut changes = Records::new(&classic.id);
        for (member, _) in &members {
            changes.subscription(member);
        }
        let epoch = classic.generation.0;
        changes.group_epoch(epoch, self.topics.group_hash(topics));
        for (member, target) in &members {
            changes.target(&member.id, target);
        }
        changes.target_epoch(epoch, Millis(0));
        for (member, _) in &members {
            changes.current(member);
        }
        let changes = changes.take();
        let mut group = ConsumerGroup::default();
        for record in &changes {
            if let GroupRecord::Consumer(record) = record {
                group.apply(&record.change);
            }
        }
        records.push_other(classic.to_tombstone());
        records.extend(changes);
        Ok(group)
    }

    /// Whether partitions are with nobody, as in the middle of a rebalance. A static member that takes its own place
    /// changes nothing else that would have them shared out.
    pub(super) fn leaves_some_out(&self, group: &ConsumerGroup) -> bool {
        let ids = group.topics.keys().filter_map(|name| self.topics.id(name));
        let mut counts = ids.map(|id| (id, self.topics.partition_count(id)));
        counts.any(|(id, count)| {
            let targets = group.targets.values().filter_map(|target| target.get(&id));
            targets.map(BTreeSet::len).sum::<usize>() < count
        })
    }

    fn check_upgrade(&self, classic: &ClassicGroup) -> Result<(), Refusal> {
        let settings = &self.settings.consumer;
        let why = if !settings.migration_policy.allows_upgrade() {
            "online upgrade is disabled"
        } else if !classic.uses_consumer_protocol() {
            "the group does not use the consumer embedded protocol"
        } else if classic.members.len() > settings.size_max {
            "the group size exceeds the consumer group maximum size"
        } else {
            return Ok(());
        };
        Err(cannot_upgrade(&classic.id, why))
    }

    /// The members with what each has been assigned, which is their target as well.
    fn members_of(
        &self,
        classic: &ClassicGroup,
    ) -> Result<Vec<(ConsumerMember, Assignment)>, Refusal> {
        let malformed =
            |_| cannot_upgrade(&classic.id, "the embedded consumer protocol is malformed");
        // Before its first generation a group has no protocol yet.
        let elected = classic
            .protocol
            .clone()
            .or_else(|| classic.elect_protocol());
        let epoch = classic.generation.0;
        let members = classic.members.values().map(|member| {
            let assignment = embedded::assignment(&member.assignment).map_err(malformed)?;
            if assignment.user_data.as_ref().is_some_and(|data| !data.is_empty()) {
                return Err(cannot_upgrade(
                    &classic.id,
                    "an unsupported custom assignor is in use. Please refer to the documentation or switch to a \
                     default assignor before re-attempting the upgrade",
                ));
            }
            let assigned = embedded::assigned(&assignment, &self.topics);
            let subscription = embedded::subscription(&member.metadata(elected.as_deref()));
            let subscription = subscription.map_err(malformed)?;
            let upgraded = ConsumerMember {
                instance_id: member.group_instance_id.clone(),
                rack_id: subscription.rack_id.as_deref().and_then(rack),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                topics: subscription.topics.iter().map(ToString::to_string).collect(),
                epoch,
                previous_epoch: epoch,
                assigned: with_epoch(&assigned, epoch),
                classic: Some(ClassicMember {
                    session_timeout_ms: member.session_timeout_ms,
                    protocols: member.protocols.clone(),
                }),
                ..ConsumerMember::new(&member.id)
            };
            Ok((upgraded, assigned))
        });
        members.collect()
    }

    /// The classic group has given way to a consumer group. Whoever waits for its rebalance is to join that one.
    pub(super) fn end_classic(&mut self, now: Millis, group_id: &str, out: &mut Effects<Self>) {
        self.with_group(now, group_id, out, |group, cx| {
            group.give_up(cx, ErrorCode::RebalanceInProgress);
        });
    }

    /// Whether a group of these members is to be a classic one.
    pub(super) fn may_downgrade<'a>(
        &self,
        mut staying: impl Iterator<Item = &'a ConsumerMember>,
        size: usize,
    ) -> bool {
        let policy = self.settings.consumer.migration_policy;
        policy.allows_downgrade()
            && size > 0
            && size <= self.settings.group_size_max
            && staying.all(|member| member.classic.is_some())
    }

    /// A classic group of these members, each with its part of the target assignment; the first leads. None where they
    /// have no protocol in common or theirs makes no sense.
    pub(super) fn downgraded<'a>(
        &self,
        now: Millis,
        group_id: &str,
        group: &ConsumerGroup,
        members: impl Iterator<Item = (&'a ConsumerMember, Assignment)>,
    ) -> Option<ClassicGroup> {
        let mut classic = ClassicGroup {
            state: State::Stable,
            generation: Generation(group.latest_epoch()),
            ..ClassicGroup::new(group_id, now)
        };
        let mut targets = Vec::new();
        for (member, target) in members {
            classic.add(classic_member(member)?, embedded::CONSUMER);
            targets.push((member.id.as_str(), target));
        }
        classic.protocol = Some(classic.elect_protocol()?);
        classic.subscribed_topics = classic.find_subscribed_topics();
        for (member_id, target) in targets {
            let metadata = classic
                .members
                .get(member_id)?
                .metadata(classic.protocol.as_deref());
            let partitions = target.into_iter();
            let partitions = partitions.map(|(id, indexes)| (id, indexes.into_iter().collect()));
            let assignment = embedded::to_bytes(partitions, &self.topics, &metadata).ok()?;
            let assign = |member: &mut Member| member.assignment = assignment;
            classic.members.change(member_id, assign)?;
        }
        Some(classic)
    }

    /// The consumer group has given way to a classic group, whose members have their sessions from now on.
    pub(super) fn begin_classic(
        &mut self,
        now: Millis,
        group_id: &str,
        downgrade: Downgrade,
        out: &mut Effects<Self>,
    ) {
        for member_id in &downgrade.former {
            for timer in timers_of(group_id, member_id) {
                self.set_timer(timer, None, out);
            }
        }
        let mut group = downgrade.group;
        let mut cx = Context {
            now,
            settings: &self.settings,
            out,
        };
        for member_id in group.members.keys() {
            group.renew_session(&mut cx, member_id);
        }
        if downgrade.rebalances {
            group.prepare_rebalance(&mut cx);
        }
        self.soft.groups.insert(group_id.to_owned(), group);
    }
}

fn cannot_upgrade(group_id: &str, why: &str) -> Refusal {
    Refusal::new(
        ErrorCode::GroupIdNotFound,
        format!("Cannot upgrade classic group {group_id} to consumer group because {why}."),
    )
}

/// A rack that says nothing is none.
pub(super) fn rack(rack_id: &str) -> Option<String> {
    (!rack_id.is_empty()).then(|| rack_id.to_owned())
}

fn with_epoch(assignment: &Assignment, epoch: i32) -> Owned {
    let topics = assignment.iter().map(|(topic_id, partitions)| {
        let partitions = partitions.iter().map(|partition| (*partition, epoch));
        (*topic_id, partitions.collect())
    });
    topics.collect()
}

fn classic_member(member: &ConsumerMember) -> Option<Member> {
    let classic = member.classic.as_ref()?;
    Some(Member {
        id: member.id.clone(),
        group_instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: classic.session_timeout_ms,
        protocols: classic.protocols.clone(),
        assignment: bytes::Bytes::new(),
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
    })
}
