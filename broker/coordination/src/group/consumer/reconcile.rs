//! How a member comes from what it owns to its target assignment.
//!
//! Always: a member gets a partition only when nobody else owns it, and enters the target's epoch only when it has given
//! up what the target does not have. A partition that is to be given up is owned until the member reports without it.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::wire::Uuid;

use super::Refusal;
use super::group::ConsumerGroup;
use super::member::{ConsumerMember, MemberState, Owned};
use crate::group::assignors::Assignment;

/// What a member is brought towards.
pub(super) struct Reconciliation<'a> {
    /// The group, for who owns what.
    pub(super) group: &'a ConsumerGroup,
    pub(super) target_epoch: i32,
    pub(super) target: &'a Assignment,
    /// The existing topics that the member is subscribed to.
    pub(super) subscribed: &'a BTreeSet<Uuid>,
    pub(super) has_subscription_changed: bool,
    /// What the member reports to own; none where it did not report.
    pub(super) reported: Option<&'a [TopicPartitions]>,
}

impl Reconciliation<'_> {
    /// The member one step further, or as it is.
    pub(super) fn step(&self, member: &ConsumerMember) -> Result<ConsumerMember, Refusal> {
        match member.state {
            MemberState::Stable if member.epoch != self.target_epoch => {
                Ok(self.next(member, member.epoch))
            }
            MemberState::Stable if self.has_subscription_changed => Ok(self.shrunk(member)),
            MemberState::Stable => Ok(member.clone()),
            MemberState::UnrevokedPartitions if !self.still_owns(&member.pending_revocation) => {
                Ok(self.next(member, member.epoch))
            }
            MemberState::UnrevokedPartitions if self.has_subscription_changed => {
                Ok(self.shrunk(member))
            }
            MemberState::UnrevokedPartitions => Ok(member.clone()),
            MemberState::UnreleasedPartitions => Ok(self.next(member, member.epoch)),
            // What a later version meant is not known: only a fresh start is safe.
            MemberState::Unknown if self.reported.is_none_or(|owned| !owned.is_empty()) => {
                Err(Refusal::new(
                    ErrorCode::FencedMemberEpoch,
                    "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.",
                ))
            }
            MemberState::Unknown => Ok(self.next(member, self.target_epoch)),
        }
    }

    /// Whether the member has one of these left. Who does not report has kept everything.
    fn still_owns(&self, partitions: &Owned) -> bool {
        let Some(reported) = self.reported else {
            return true;
        };
        reported.iter().any(|topic| {
            partitions.get(&topic.topic_id).is_some_and(|revoked| {
                let mut owned = topic.partitions.iter();
                owned.any(|partition| revoked.contains_key(partition))
            })
        })
    }

    /// The member without the partitions of topics it no longer asks for. Its epoch stays.
    fn shrunk(&self, member: &ConsumerMember) -> ConsumerMember {
        let mut assigned = member.assigned.clone();
        let mut revoked = member.pending_revocation.clone();
        for (topic_id, partitions) in &member.assigned {
            if !self.subscribed.contains(topic_id) {
                assigned.remove(topic_id);
                revoked.entry(*topic_id).or_default().extend(partitions);
            }
        }
        if assigned == member.assigned {
            return member.clone();
        }
        let mut new = member.clone();
        new.enter_epoch(member.epoch);
        new.assigned = assigned;
        if self.still_owns(&revoked) {
            new.state = MemberState::UnrevokedPartitions;
            new.pending_revocation = revoked;
        }
        new
    }

    /// The member on its way to the target: first it gives up, then it enters the target's epoch, with what is free.
    fn next(&self, member: &ConsumerMember, epoch: i32) -> ConsumerMember {
        let mut kept = Owned::new();
        let mut revoked = Owned::new();
        for (topic_id, partitions) in &member.assigned {
            let target = self.target_of(topic_id);
            for (partition, since) in partitions {
                let part = if target.is_some_and(|target| target.contains(partition)) {
                    &mut kept
                } else {
                    &mut revoked
                };
                part.entry(*topic_id)
                    .or_default()
                    .insert(*partition, *since);
            }
        }
        let mut new = member.clone();
        if !revoked.is_empty() && self.still_owns(&revoked) {
            new.enter_epoch(epoch);
            new.state = MemberState::UnrevokedPartitions;
            new.assigned = kept;
            new.pending_revocation = revoked;
            return new;
        }
        let (free, are_some_unreleased) = self.wanted(member, &kept);
        for (topic_id, partitions) in free {
            kept.entry(topic_id).or_default().extend(partitions);
        }
        new.enter_epoch(self.target_epoch);
        new.state = if are_some_unreleased {
            MemberState::UnreleasedPartitions
        } else {
            MemberState::Stable
        };
        new.assigned = kept;
        new.pending_revocation = Owned::new();
        new
    }

    fn target_of(&self, topic_id: &Uuid) -> Option<&BTreeSet<i32>> {
        let target = self.target.get(topic_id)?;
        self.subscribed.contains(topic_id).then_some(target)
    }

    /// What the member lacks of its target and may have now, and whether there is more that it may not have yet.
    fn wanted(&self, member: &ConsumerMember, kept: &Owned) -> (Owned, bool) {
        let mut free = Owned::new();
        let mut are_some_unreleased = false;
        for topic_id in self.target.keys() {
            let own_revoked = member.pending_revocation.get(topic_id);
            let has = |owned: Option<&BTreeMap<i32, i32>>, partition: &i32| {
                owned.is_some_and(|partitions| partitions.contains_key(partition))
            };
            for partition in self.target_of(topic_id).into_iter().flatten() {
                if has(kept.get(topic_id), partition) {
                    continue;
                }
                // What the member itself was to give up is held by nobody else.
                if self.group.is_owned(*topic_id, *partition) && !has(own_revoked, partition) {
                    are_some_unreleased = true;
                } else {
                    free.entry(*topic_id)
                        .or_default()
                        .insert(*partition, self.target_epoch);
                }
            }
        }
        (free, are_some_unreleased)
    }
}
