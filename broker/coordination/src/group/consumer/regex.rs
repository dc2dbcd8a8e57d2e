//! Subscriptions by regular expression: which topics each stands for, kept in a record and looked up again at times.
//!
//! The lookup is not part of the heartbeat that asks for it: it comes right behind, as a timer, and its outcome raises
//! the group's epoch, so that the member learns of it with a later heartbeat. The reference does it so too.

use std::collections::BTreeSet;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::Millis;

use super::Refusal;
use super::group::{ResolvedRegex, count_regex};
use super::records::Records;
use super::step::Step;
use super::target::After;
use crate::effects::Effects;
use crate::group::GroupMachine;
use ottla_protocol::topic_pattern::TopicPattern;

/// Expressions are not resolved more often than this.
const REFRESH_INTERVAL_MIN: Millis = Millis(10_000);

/// What became of a member's expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegexChange {
    None,
    Updated,
    /// And what it stands for is known, so that the assignment can follow at once.
    UpdatedAndResolved,
}

pub(super) struct RegexUpdate {
    pub(super) change: RegexChange,
    pub(super) must_resolve: bool,
}

impl GroupMachine {
    pub(super) fn follow_regex(
        &self,
        now: Millis,
        group_id: &str,
        after: &After<'_>,
        records: &mut Records<'_>,
    ) -> Result<RegexUpdate, Refusal> {
        let (group, old, new) = (after.group, after.old, after.new);
        let mut is_unknown = false;
        let mut change = RegexChange::None;
        if old.regex != new.regex {
            change = RegexChange::Updated;
            let count = |regex| group.regex_members.get(regex).copied().unwrap_or(0);
            if let Some(regex) = old.subscribed_regex().filter(|regex| count(*regex) == 1) {
                records.regex_tombstone(regex);
            }
            match new.subscribed_regex() {
                Some(regex) if count(regex) == 0 => {
                    validate(regex)?;
                    is_unknown = true;
                }
                Some(regex) if group.regexes.contains_key(regex) => {
                    change = RegexChange::UpdatedAndResolved;
                }
                Some(_) => {}
                None => change = RegexChange::UpdatedAndResolved,
            }
        }
        let must_resolve = self.must_resolve(now, group_id, after, is_unknown);
        Ok(RegexUpdate {
            change,
            must_resolve,
        })
    }

    fn must_resolve(
        &self,
        now: Millis,
        group_id: &str,
        after: &After<'_>,
        is_unknown: bool,
    ) -> bool {
        let group = after.group;
        if !is_unknown && group.regex_members.is_empty() {
            return false;
        }
        let soft = self.soft.consumers.get(group_id);
        if soft.is_some_and(|soft| soft.is_resolving) {
            return false;
        }
        let last = group.regexes.values().next();
        let last_at = last.map_or(Millis(i64::MIN), |resolved| resolved.resolved_at);
        if now <= last_at.plus(REFRESH_INTERVAL_MIN) {
            return false;
        }
        let subscribed = after.regex_members().len();
        let interval = Millis(self.settings.consumer.regex_refresh_interval_ms);
        let is_outdated = is_unknown
            || subscribed != group.regexes.len()
            || last.map_or(0, |resolved| resolved.version) < self.soft.topics_version.unwrap_or(-1)
            || now > last_at.plus(interval);
        is_outdated && subscribed > 0
    }

    /// Finds out what the group's expressions stand for.
    pub(in crate::group) fn resolve_regexes(
        &mut self,
        now: Millis,
        group_id: &str,
        out: &mut Effects<Self>,
    ) {
        if let Some(soft) = self.soft.consumers.get_mut(group_id) {
            soft.is_resolving = false;
        }
        let Some(group) = self.hard.consumer_group(group_id) else {
            return;
        };
        let mut records = Records::new(group_id);
        let mut topics = group.topics.clone();
        let mut bumps = false;
        let nothing = ResolvedRegex::default();
        for regex in group.regex_members.keys() {
            let resolved = ResolvedRegex {
                topics: self.matching(regex),
                version: self.metadata_version(),
                resolved_at: now,
            };
            let old = group.regexes.get(regex).unwrap_or(&nothing);
            if old.topics != resolved.topics {
                bumps = true;
                count_regex(&mut topics, &old.topics, -1);
                count_regex(&mut topics, &resolved.topics, 1);
            }
            records.regex(regex, &resolved);
        }
        let hash = self.topics.group_hash(topics.keys().map(String::as_str));
        let mut step = Step {
            group_id: group_id.to_owned(),
            ..Default::default()
        };
        if bumps || hash != group.metadata_hash {
            let epoch = group.epoch.saturating_add(1);
            records.group_epoch(epoch, hash);
            step.refreshed = Some(epoch);
        }
        step.records = records.take();
        self.take_step(now, step, Vec::new(), out);
    }

    /// An expression that cannot be read comes from a record that somebody else wrote: it matches nothing.
    fn matching(&self, regex: &str) -> BTreeSet<String> {
        let Ok(pattern) = TopicPattern::parse(regex) else {
            return BTreeSet::new();
        };
        let names = self.topics.names().filter(|name| pattern.matches(name));
        names.map(str::to_owned).collect()
    }
}

fn validate(regex: &str) -> Result<(), Refusal> {
    match TopicPattern::parse(regex) {
        Ok(_) => Ok(()),
        Err(reason) => Err(Refusal::new(
            ErrorCode::InvalidRegularExpression,
            format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {reason}."),
        )),
    }
}
