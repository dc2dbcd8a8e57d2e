//! Groups: which get other offsets.

use ottla_client::admin::TopicPartition;

use super::{Plan, Rules};
use crate::declare::file::{Declared, Position, Positions};
use crate::declare::present::{Present, PresentGroup};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChange {
    pub group: String,
    pub offsets: Vec<OffsetChange>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetChange {
    pub at: TopicPartition,
    pub from: Option<i64>,
    pub to: i64,
}

/// The partitions whose ends have to be known for a plan.
pub(in crate::declare) fn partitions_in_question(
    declared: &Declared,
    present: &Present,
) -> Vec<TopicPartition> {
    let mut found = Vec::new();
    for positions in declared.groups.values() {
        for (topic, positions) in positions {
            if let Some(there) = present.topics.get(topic) {
                let indexes = positions.partitions(there.partitions);
                let indexes = indexes
                    .into_iter()
                    .filter(|(index, _)| *index < there.partitions);
                found.extend(indexes.map(|(index, _)| TopicPartition::new(topic, index)));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

impl Positions {
    /// One for each partition that it speaks of, of a topic with so many.
    fn partitions(&self, count: i32) -> Vec<(i32, Position)> {
        match self {
            Self::All(position) => (0..count).map(|index| (index, *position)).collect(),
            Self::Each(each) => each
                .iter()
                .map(|(index, position)| (*index, *position))
                .collect(),
        }
    }
}

pub(super) fn plan(declared: &Declared, present: &Present, rules: Rules, plan: &mut Plan) {
    for (group, positions) in &declared.groups {
        let there = present.groups.get(group).cloned().unwrap_or_default();
        let placing = Placing {
            group,
            there: &there,
            declared,
            present,
            rules,
        };
        let mut offsets = Vec::new();
        for (topic, positions) in positions {
            placing.topic(topic, positions, &mut offsets, &mut plan.problems);
        }
        // What members have not committed yet, they will.
        if offsets.is_empty() || (there.is_active && !rules.move_offsets) {
            continue;
        }
        if there.is_active {
            plan.problems.push(format!(
                "group {group} has members, and only they commit: its offsets can be set when they have left"
            ));
        }
        plan.groups.push(GroupChange {
            group: group.clone(),
            offsets,
        });
    }
}

/// One group, as it is and among what it is in.
struct Placing<'a> {
    group: &'a str,
    there: &'a PresentGroup,
    declared: &'a Declared,
    present: &'a Present,
    rules: Rules,
}

impl Placing<'_> {
    fn topic(
        &self,
        topic: &str,
        positions: &Positions,
        offsets: &mut Vec<OffsetChange>,
        problems: &mut Vec<String>,
    ) {
        let mut complain = |what: String| problems.push(format!("group {}: {what}", self.group));
        let partitions = match self.partitions(topic) {
            Ok(partitions) => partitions,
            Err(problem) => return complain(problem),
        };
        for (index, position) in positions.partitions(partitions) {
            if index >= partitions {
                complain(format!("topic {topic} has no partition {index}"));
                continue;
            }
            match self.change(TopicPartition::new(topic, index), position) {
                Ok(change) => offsets.extend(change),
                Err(problem) => complain(problem),
            }
        }
    }

    /// How many the topic will have.
    fn partitions(&self, topic: &str) -> Result<i32, String> {
        let topics = self.declared.topics.as_ref();
        let new = topics.and_then(|topics| topics.get(topic));
        let new = new.map(|new| new.partitions);
        let old = self.present.topics.get(topic).map(|old| old.partitions);
        match (old, new) {
            (Some(old), new) => Ok(new.flatten().unwrap_or(old).max(old)),
            (None, Some(Some(new))) => Ok(new),
            (None, Some(None)) => Err(format!(
                "how many partitions topic {topic} is to have must be said where groups have offsets in it"
            )),
            (None, None) => Err(format!("there is no topic {topic}")),
        }
    }

    /// None where the group stays where it is.
    fn change(&self, at: TopicPartition, wanted: Position) -> Result<Option<OffsetChange>, String> {
        let from = self.there.offsets.get(&at).copied();
        let to = match (wanted, from) {
            (Position::At(to), Some(from)) if from == to || !self.rules.move_offsets => {
                return Ok(None);
            }
            (Position::At(to), _) => to,
            (_, Some(_)) => return Ok(None),
            (Position::Earliest, None) => self.range(&at)?.0,
            (Position::Latest, None) => self.range(&at)?.1,
        };
        Ok(Some(OffsetChange { at, from, to }))
    }

    /// Where the log begins and ends.
    fn range(&self, at: &TopicPartition) -> Result<(i64, i64), String> {
        let old = self.present.topics.get(&at.topic);
        let is_new = old.is_none_or(|old| at.partition >= old.partitions);
        let range = self.present.ranges.get(at).copied();
        let range = range.or(is_new.then_some((0, 0)));
        range.ok_or_else(|| format!("nobody says where the log of {at} begins and ends"))
    }
}
