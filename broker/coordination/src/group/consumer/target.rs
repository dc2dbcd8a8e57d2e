//! The target assignment: what each member is to have in the end.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::types::Millis;
use ottla_protocol::wire::Uuid;

use super::group::{ConsumerGroup, SubscribedTopics, count_names, count_regex};
use super::member::ConsumerMember;
use super::records::Records;
use crate::group::GroupMachine;
use crate::group::assignors::{Assignment, Assignor, GroupSpec, MemberSpec, SubscriptionType};
use crate::group::topics::Topics;

/// A group as it will be when one of its members has changed.
pub(super) struct After<'a> {
    pub(super) group: &'a ConsumerGroup,
    pub(super) old: &'a ConsumerMember,
    pub(super) new: &'a ConsumerMember,
    /// Who held the member's instance id, if under another member id.
    replaced: Option<&'a str>,
}

impl<'a> After<'a> {
    pub(super) fn new(
        group: &'a ConsumerGroup,
        old: &'a ConsumerMember,
        new: &'a ConsumerMember,
    ) -> Self {
        let holder = new
            .instance_id
            .as_ref()
            .and_then(|id| group.static_members.get(id));
        Self {
            group,
            old,
            new,
            replaced: holder.map(String::as_str).filter(|id| *id != new.id),
        }
    }

    /// By id.
    fn members(&self) -> BTreeMap<&'a str, &'a ConsumerMember> {
        let mut members: BTreeMap<&str, &ConsumerMember> = BTreeMap::new();
        members.extend(
            self.group
                .members
                .iter()
                .map(|(id, member)| (id.as_str(), member)),
        );
        if let Some(replaced) = self.replaced {
            members.remove(replaced);
        }
        members.insert(&self.new.id, self.new);
        members
    }

    /// The topics that members ask for.
    pub(super) fn topics(&self) -> Cow<'a, SubscribedTopics> {
        let old_regex = self.old.subscribed_regex();
        if self.old.topics == self.new.topics && old_regex == self.new.subscribed_regex() {
            return Cow::Borrowed(&self.group.topics);
        }
        let mut topics = self.group.topics.clone();
        count_names(&mut topics, self.old, -1);
        count_names(&mut topics, self.new, 1);
        if let Some(regex) = old_regex
            && old_regex != self.new.subscribed_regex()
            && self.group.regex_members.get(regex) == Some(&1)
            && let Some(resolved) = self.group.regexes.get(regex)
        {
            count_regex(&mut topics, &resolved.topics, -1);
        }
        Cow::Owned(topics)
    }

    /// How many members are subscribed by each expression.
    pub(super) fn regex_members(&self) -> BTreeMap<&str, usize> {
        let counts = self.group.regex_members.iter();
        let mut counts: BTreeMap<&str, usize> = counts
            .map(|(regex, count)| (regex.as_str(), *count))
            .collect();
        if self.old.subscribed_regex() != self.new.subscribed_regex() {
            if let Some(regex) = self.old.subscribed_regex()
                && let Some(count) = counts.get_mut(regex)
            {
                *count -= 1;
            }
            if let Some(regex) = self.new.subscribed_regex() {
                *counts.entry(regex).or_default() += 1;
            }
            counts.retain(|_, count| *count > 0);
        }
        counts
    }

    fn subscription_type(&self, member_count: usize) -> SubscriptionType {
        let topics = self.topics();
        let regexes = self.regex_members();
        let is_homogeneous = match regexes.values().next() {
            None => topics.values().all(|count| count.by_name == member_count),
            Some(count) if *count == member_count => topics
                .values()
                .all(|count| count.by_regex == 1 && count.by_name == 0),
            Some(_) => false,
        };
        if is_homogeneous {
            SubscriptionType::Homogeneous
        } else {
            SubscriptionType::Heterogeneous
        }
    }

    /// The member's part of the assignment that stands.
    pub(super) fn standing_target(&self) -> Assignment {
        let target = self
            .group
            .targets
            .get(self.replaced.unwrap_or(&self.new.id));
        target.cloned().unwrap_or_default()
    }
}

impl GroupMachine {
    /// The epoch of the target assignment and the member's part of it; made anew where the group has moved on.
    pub(super) fn target(
        &self,
        now: Millis,
        group_id: &str,
        after: &After<'_>,
        group_epoch: i32,
        records: &mut Records<'_>,
    ) -> (i32, Assignment) {
        let group = after.group;
        let interval_ms = self.settings.consumer.assignment_interval_ms(group_id);
        // 0 is an unknown time, and also the way out where the clock has gone back.
        let is_too_early = group.assigned_at != Millis(0)
            && interval_ms != 0
            && now < group.assigned_at.plus(Millis(interval_ms.into()));
        if group.assignment_epoch >= group_epoch || is_too_early {
            return (group.assignment_epoch, after.standing_target());
        }
        let members = after.members();
        let assignments = self.assign(after, &members);
        let mut own = Assignment::new();
        for (member_id, assignment) in members.keys().zip(assignments) {
            if group.targets.get(*member_id) != Some(&assignment) {
                records.target(member_id, &assignment);
            }
            if *member_id == after.new.id {
                own = assignment;
            }
        }
        records.target_epoch(group_epoch, now);
        (group_epoch, own)
    }

    fn assign(
        &self,
        after: &After<'_>,
        members: &BTreeMap<&str, &ConsumerMember>,
    ) -> Vec<Assignment> {
        let group = after.group;
        let standing = after.standing_target();
        let nothing = Assignment::new();
        let mut subscriptions: BTreeMap<(&BTreeSet<String>, &str), Arc<BTreeSet<Uuid>>> =
            BTreeMap::new();
        let specs = members.values().map(|member| {
            let topics = subscriptions
                .entry((&member.topics, &member.regex))
                .or_insert_with(|| Arc::new(subscribed_ids(member, group, &self.topics)));
            let assigned = if member.id == after.new.id {
                &standing
            } else {
                group.targets.get(&member.id).unwrap_or(&nothing)
            };
            MemberSpec {
                id: &member.id,
                instance_id: member.instance_id.as_deref(),
                topics: topics.clone(),
                assigned,
            }
        });
        let spec = GroupSpec {
            subscription_type: after.subscription_type(members.len()),
            members: specs.collect(),
        };
        self.assignor(members.values().copied())
            .assign(&spec, &self.topics)
    }

    /// The one that most members ask for; where none does, the first that is configured.
    pub(super) fn assignor<'a>(
        &self,
        members: impl Iterator<Item = &'a ConsumerMember>,
    ) -> Assignor {
        let configured = &self.settings.consumer.assignors;
        preferred_assignor(members)
            .and_then(|name| configured.iter().copied().find(|one| one.name() == name))
            .or_else(|| configured.first().copied())
            .unwrap_or(Assignor::Uniform)
    }
}

/// The name that most members tell; of several, the last by name.
pub(super) fn preferred_assignor<'a>(
    members: impl Iterator<Item = &'a ConsumerMember>,
) -> Option<&'a str> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for assignor in members.filter_map(|member| member.assignor.as_deref()) {
        *votes.entry(assignor).or_default() += 1;
    }
    let winner = votes.into_iter().max_by_key(|(_, count)| *count);
    winner.map(|(assignor, _)| assignor)
}

/// The existing topics that a member asks for, by name and by expression. One that is not resolved yet stands for none.
pub(super) fn subscribed_ids(
    member: &ConsumerMember,
    group: &ConsumerGroup,
    topics: &Topics,
) -> BTreeSet<Uuid> {
    let resolved = member
        .subscribed_regex()
        .and_then(|regex| group.regexes.get(regex));
    let matched = resolved.into_iter().flat_map(|resolved| &resolved.topics);
    let names = member.topics.iter().chain(matched);
    names.filter_map(|name| topics.id(name)).collect()
}
