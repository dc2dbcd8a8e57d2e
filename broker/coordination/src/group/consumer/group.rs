//! A consumer group as its records tell of it: hard state, changed by `apply` alone.
//!
//! Always: what is counted (`topics`, `regex_members`, `static_members`, `partition_epochs`) agrees with the members and
//! the resolved expressions; in a log that was written by the rules a partition has one owner.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::internal::{
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberValue,
};
use ottla_protocol::types::Millis;
use ottla_protocol::wire::Uuid;

use super::member::{ConsumerMember, Owned};
use super::records::Change;
use crate::group::assignors::Assignment;

/// Where a group and its target assignment begin.
const FIRST_EPOCH: i32 = 1;
/// The epoch of a target assignment that is gone.
const NO_EPOCH: i32 = -1;

/// Where a consumer group stands. A dead group is one that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::group) enum ConsumerGroupState {
    Empty,
    Assigning,
    Reconciling,
    Stable,
}

impl ConsumerGroupState {
    pub(in crate::group) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// The topics that a regular expression stood for when it was last resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ResolvedRegex {
    pub(super) topics: BTreeSet<String>,
    /// How far the metadata had come.
    pub(super) version: i64,
    pub(super) resolved_at: Millis,
}

/// How many members ask for a topic by name, and how many expressions stand for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SubscriptionCount {
    pub(super) by_name: usize,
    pub(super) by_regex: usize,
}

/// The topics of a group, with who asks for them.
pub(super) type SubscribedTopics = BTreeMap<String, SubscriptionCount>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroup {
    pub(super) epoch: i32,
    pub(super) metadata_hash: i64,
    pub(super) assignment_epoch: i32,
    /// When the target assignment was made; 0: not known.
    pub(super) assigned_at: Millis,
    pub(super) members: BTreeMap<String, ConsumerMember>,
    pub(super) targets: BTreeMap<String, Assignment>,
    pub(super) regexes: BTreeMap<String, ResolvedRegex>,
    /// A record of an older broker is there that has to go.
    pub(super) has_subscription_metadata: bool,
    /// Member ids by `group.instance.id`.
    pub(super) static_members: BTreeMap<String, String>,
    pub(super) topics: SubscribedTopics,
    /// How many members are subscribed by an expression.
    pub(super) regex_members: BTreeMap<String, usize>,
    /// Epochs of the members that own partitions.
    partition_epochs: BTreeMap<Uuid, BTreeMap<i32, i32>>,
}

impl Default for ConsumerGroup {
    fn default() -> Self {
        Self {
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            assignment_epoch: FIRST_EPOCH,
            assigned_at: Millis(0),
            members: BTreeMap::new(),
            targets: BTreeMap::new(),
            regexes: BTreeMap::new(),
            has_subscription_metadata: false,
            static_members: BTreeMap::new(),
            topics: SubscribedTopics::new(),
            regex_members: BTreeMap::new(),
            partition_epochs: BTreeMap::new(),
        }
    }
}

impl ConsumerGroup {
    pub(in crate::group) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(in crate::group) fn state(&self) -> ConsumerGroupState {
        let is_reconciled =
            |member: &ConsumerMember| member.is_reconciled_to(self.assignment_epoch);
        if self.members.is_empty() {
            ConsumerGroupState::Empty
        } else if self.epoch > self.assignment_epoch {
            ConsumerGroupState::Assigning
        } else if self.members.values().all(is_reconciled) {
            ConsumerGroupState::Stable
        } else {
            ConsumerGroupState::Reconciling
        }
    }

    /// The highest epoch that anything of the group is in: the group's own, where its log is whole.
    pub(super) fn latest_epoch(&self) -> i32 {
        let members = self.members.values().map(|member| member.epoch).max();
        let latest = self.epoch.max(self.assignment_epoch);
        latest.max(members.unwrap_or(latest))
    }

    pub(super) fn next_epoch(&self) -> i32 {
        self.latest_epoch().saturating_add(1)
    }

    /// Whether somebody is ahead of the group or of its assignment, which the next epochs would be taken for then. Its log
    /// has lost a batch that others followed, as a power cut can bring about.
    pub(super) fn is_behind(&self) -> bool {
        let is_ahead = |member: &ConsumerMember| member.epoch > self.assignment_epoch;
        self.assignment_epoch > self.epoch || self.members.values().any(is_ahead)
    }

    /// Members that own a partition which another owns, too. The batch that put one of them out, or took its release, is
    /// lost, and the one that gave the partition to the other is not.
    pub(super) fn co_owners(&self) -> Vec<&ConsumerMember> {
        let mut owners: BTreeMap<(Uuid, i32), Vec<&str>> = BTreeMap::new();
        for (topic_id, partition, member_id) in self.owners() {
            let members = owners.entry((topic_id, partition)).or_default();
            members.push(member_id);
        }
        let shared = owners.into_values().filter(|members| members.len() > 1);
        let ids: BTreeSet<&str> = shared.flatten().collect();
        let members = ids.into_iter().filter_map(|id| self.members.get(id));
        members.collect()
    }

    pub(in crate::group) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    pub(super) fn member_of_instance(&self, instance_id: &str) -> Option<&ConsumerMember> {
        self.members.get(self.static_members.get(instance_id)?)
    }

    /// Whether a member owns the partition, one that is to give it up included.
    pub(super) fn is_owned(&self, topic_id: Uuid, partition: i32) -> bool {
        self.partition_epochs
            .get(&topic_id)
            .is_some_and(|partitions| partitions.contains_key(&partition))
    }

    /// Who owns what, for tests: a partition that two members own is there twice.
    pub fn owners(&self) -> impl Iterator<Item = (Uuid, i32, &str)> {
        self.members.values().flat_map(|member| {
            let owned = member.assigned.iter().chain(&member.pending_revocation);
            owned.flat_map(|(topic_id, partitions)| {
                let member_id = member.id.as_str();
                partitions
                    .keys()
                    .map(move |index| (*topic_id, *index, member_id))
            })
        })
    }

    /// Epochs of the group, of its target assignment and of its members, for tests.
    pub fn epochs(&self) -> (i32, i32, impl Iterator<Item = (&str, i32)>) {
        let members = self.members.values();
        let epochs = members.map(|member| (member.id.as_str(), member.epoch));
        (self.epoch, self.assignment_epoch, epochs)
    }

    /// Makes a record part of the state. The record that ends the group is its holder's business.
    pub(in crate::group) fn apply(&mut self, change: &Change) {
        match change {
            Change::Group(Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            Change::Group(None) => {}
            Change::SubscriptionMetadata(value) => {
                self.has_subscription_metadata = value.is_some();
            }
            Change::Member(id, Some(value)) => self.update(id, |member| member.subscribe(value)),
            Change::Member(id, None) => self.remove(id),
            Change::TargetEpoch(value) => {
                self.assignment_epoch = value.as_ref().map_or(NO_EPOCH, |v| v.assignment_epoch);
                let at = value.as_ref().map_or(0, |v| v.assignment_timestamp);
                self.assigned_at = Millis(at);
            }
            Change::Target(id, Some(value)) => {
                self.targets.insert(id.clone(), assignment_of(value));
            }
            Change::Target(id, None) => {
                self.targets.remove(id);
            }
            Change::Current(id, Some(value)) => self.update(id, |member| member.own(value)),
            Change::Current(id, None) => {
                if self.members.contains_key(id) {
                    self.update(id, ConsumerMember::disown);
                }
            }
            Change::Regex(regex, value) => self.resolve(regex, value.as_ref()),
        }
    }

    /// Changes a member, a new one where there is none, and counts anew what was counted of it.
    fn update(&mut self, id: &str, change: impl FnOnce(&mut ConsumerMember)) {
        let old = self.members.remove(id);
        let mut new = old.clone().unwrap_or_else(|| ConsumerMember::new(id));
        if let Some(old) = &old {
            self.forget(old);
        }
        change(&mut new);
        count_names(&mut self.topics, &new, 1);
        if let Some(regex) = new.subscribed_regex() {
            *self.regex_members.entry(regex.to_owned()).or_default() += 1;
        }
        self.add_epochs(&new.assigned, new.epoch);
        self.add_epochs(&new.pending_revocation, new.epoch);
        if let Some(instance_id) = &new.instance_id {
            self.static_members
                .insert(instance_id.clone(), new.id.clone());
        }
        self.members.insert(id.to_owned(), new);
    }

    fn remove(&mut self, id: &str) {
        if let Some(old) = self.members.remove(id) {
            self.forget(&old);
            if let Some(instance_id) = &old.instance_id
                && self.static_members.get(instance_id) == Some(&old.id)
            {
                self.static_members.remove(instance_id);
            }
        }
    }

    fn forget(&mut self, old: &ConsumerMember) {
        count_names(&mut self.topics, old, -1);
        if let Some(regex) = old.subscribed_regex()
            && let Some(count) = self.regex_members.get_mut(regex)
        {
            *count -= 1;
            if *count == 0 {
                self.regex_members.remove(regex);
            }
        }
        self.remove_epochs(&old.assigned, old.epoch);
        self.remove_epochs(&old.pending_revocation, old.epoch);
    }

    fn resolve(&mut self, regex: &str, value: Option<&ConsumerGroupRegularExpressionValue>) {
        if let Some(old) = self.regexes.remove(regex) {
            count_regex(&mut self.topics, &old.topics, -1);
        }
        if let Some(value) = value {
            let resolved = ResolvedRegex {
                topics: value.topics.iter().map(ToString::to_string).collect(),
                version: value.version_,
                resolved_at: Millis(value.timestamp),
            };
            count_regex(&mut self.topics, &resolved.topics, 1);
            self.regexes.insert(regex.to_owned(), resolved);
        }
    }

    fn add_epochs(&mut self, owned: &Owned, epoch: i32) {
        for (topic_id, partitions) in owned {
            let epochs = self.partition_epochs.entry(*topic_id).or_default();
            for partition in partitions.keys() {
                let held = epochs.entry(*partition).or_insert(epoch);
                *held = epoch.max(*held);
            }
        }
    }

    /// A partition that has passed on to another member, in a later epoch, stays that member's.
    fn remove_epochs(&mut self, owned: &Owned, epoch: i32) {
        for (topic_id, partitions) in owned {
            let Some(epochs) = self.partition_epochs.get_mut(topic_id) else {
                continue;
            };
            for partition in partitions.keys() {
                if epochs.get(partition) == Some(&epoch) {
                    epochs.remove(partition);
                }
            }
            if epochs.is_empty() {
                self.partition_epochs.remove(topic_id);
            }
        }
    }
}

fn assignment_of(value: &ConsumerGroupTargetAssignmentMemberValue) -> Assignment {
    let topics = value.topic_partitions.iter();
    topics
        .map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect()))
        .collect()
}

/// Adds or takes away what a member subscribes to by name.
pub(super) fn count_names(topics: &mut SubscribedTopics, member: &ConsumerMember, by: isize) {
    for topic in &member.topics {
        count(topics, topic, |count| &mut count.by_name, by);
    }
}

/// Adds or takes away what an expression stands for.
pub(super) fn count_regex(topics: &mut SubscribedTopics, names: &BTreeSet<String>, by: isize) {
    for topic in names {
        count(topics, topic, |count| &mut count.by_regex, by);
    }
}

fn count(
    topics: &mut SubscribedTopics,
    topic: &str,
    part: impl FnOnce(&mut SubscriptionCount) -> &mut usize,
    by: isize,
) {
    let counts = topics.entry(topic.to_owned()).or_default();
    let part = part(counts);
    *part = part.saturating_add_signed(by);
    if *counts == SubscriptionCount::default() {
        topics.remove(topic);
    }
}
