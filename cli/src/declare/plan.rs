//! From what a file says and what the cluster has to what is to be done. Pure.
//!
//! Always: a plan for a cluster that is as the file says is empty; what cannot be done is a problem, and with one nothing is
//! done at all.

use std::collections::BTreeMap;

use ottla_client::admin::{ConfigEntry, ConfigType, TopicPartition};
use ottla_protocol::types::BrokerId;

use super::file::{Declared, Position, Positions, Topic};
use super::loss;
use super::present::{Present, PresentTopic, inherited, is_own, is_passing};
use super::replicas::{self, Brokers, Move};
use crate::meant::meant;

/// What is done beyond making what is missing and changing what differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Delete topics that the file does not have.
    pub prune: bool,
    /// Move offsets that groups have committed. Without it only what is missing is set.
    pub move_offsets: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub cluster_id: Option<String>,
    pub topics: Vec<TopicChange>,
    pub groups: Vec<GroupChange>,
    /// Why it cannot be carried out.
    pub problems: Vec<String>,
    /// Topics that pruning leaves alone.
    pub spared: Vec<String>,
    /// Partitions of topics in the file whose replicas are on their way to where they shall be.
    pub moving: Vec<TopicPartition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicChange {
    Create {
        name: String,
        topic: Topic,
    },
    Alter {
        name: String,
        partitions: Option<Growth>,
        replicas: Option<ReplicaChange>,
        configs: Vec<ConfigChange>,
    },
    Delete {
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    pub from: i32,
    pub to: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaChange {
    /// None where partitions have different numbers.
    pub from: Option<i16>,
    pub to: i16,
    pub moves: Vec<Move>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    pub key: String,
    /// What counts now; none where the broker does not say.
    pub from: Option<String>,
    /// Whether that is the topic's own value.
    pub was_own: bool,
    /// None to have the broker's value again.
    pub to: Option<String>,
    /// What counts afterwards, where that is known.
    pub after: Option<String>,
    pub loss: Option<String>,
}

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

impl TopicChange {
    pub fn name(&self) -> &str {
        match self {
            Self::Create { name, .. } | Self::Alter { name, .. } | Self::Delete { name } => name,
        }
    }

    /// What is lost by it, in words.
    pub fn losses(&self) -> Vec<String> {
        match self {
            Self::Create { .. } => Vec::new(),
            Self::Delete { name } => vec![format!("topic {name} is deleted with everything in it")],
            Self::Alter { name, configs, .. } => configs
                .iter()
                .filter_map(|change| {
                    let what = change.loss.as_ref()?;
                    Some(format!("topic {name}, {}: {what}", change.key))
                })
                .collect(),
        }
    }
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.groups.is_empty()
    }

    pub fn losses(&self) -> Vec<String> {
        self.topics.iter().flat_map(TopicChange::losses).collect()
    }

    /// The replicas that partitions are to have.
    pub(super) fn moves(&self) -> BTreeMap<TopicPartition, Vec<BrokerId>> {
        let mut all = BTreeMap::new();
        for change in &self.topics {
            if let TopicChange::Alter {
                name,
                replicas: Some(replicas),
                ..
            } = change
            {
                let moves = replicas.moves.iter().map(|one| {
                    let at = TopicPartition::new(name.as_str(), one.partition);
                    (at, one.to.clone())
                });
                all.extend(moves);
            }
        }
        all
    }

    pub fn deletions(&self) -> Vec<&str> {
        let deletions = self
            .topics
            .iter()
            .filter(|change| matches!(change, TopicChange::Delete { .. }));
        deletions.map(TopicChange::name).collect()
    }
}

/// The partitions whose ends have to be known for a plan.
pub(super) fn partitions_in_question(
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

pub(super) fn plan(declared: &Declared, present: &Present, rules: Rules) -> Plan {
    let mut plan = Plan {
        cluster_id: present.cluster_id.clone(),
        ..Plan::default()
    };
    for (name, topic) in declared.topics.iter().flatten() {
        match present.topics.get(name) {
            None => plan.topics.push(TopicChange::Create {
                name: name.clone(),
                topic: topic.clone(),
            }),
            Some(there) => alter(name, topic, there, &present.brokers, &mut plan),
        }
    }
    if rules.prune {
        prune(declared, present, &mut plan);
    }
    for (group, positions) in &declared.groups {
        place(group, positions, declared, present, rules, &mut plan);
    }
    plan
}

fn alter(name: &str, topic: &Topic, there: &PresentTopic, brokers: &Brokers, plan: &mut Plan) {
    let mut growth = None;
    match topic.partitions {
        Some(to) if to > there.partitions => {
            growth = Some(Growth { from: there.partitions, to });
        }
        Some(to) if to < there.partitions => plan.problems.push(format!(
            "topic {name} has {} partitions and cannot have {to}: partitions are never taken away. Delete it and make it anew, \
             which loses its records, or copy them to a topic of another name",
            there.partitions
        )),
        _ => {}
    }
    let replicas = topic
        .replication_factor
        .and_then(|to| replica_change(name, to, there, brokers, plan));
    let configs = match &topic.configs {
        Some(configs) => config_changes(name, configs, &there.configs, &mut plan.problems),
        None => Vec::new(),
    };
    if growth.is_some() || replicas.is_some() || !configs.is_empty() {
        plan.topics.push(TopicChange::Alter {
            name: name.to_owned(),
            partitions: growth,
            replicas,
            configs,
        });
    }
}

fn replica_change(
    name: &str,
    to: i16,
    there: &PresentTopic,
    brokers: &Brokers,
    plan: &mut Plan,
) -> Option<ReplicaChange> {
    let from = there.replication_factor;
    if from == Some(to) {
        let moving = there.placed.iter().filter(|placed| placed.is_moving);
        let moving = moving.map(|placed| TopicPartition::new(name, placed.partition));
        plan.moving.extend(moving);
        return None;
    }
    match replicas::moves(&there.placed, brokers, usize::try_from(to).unwrap_or(0)) {
        Ok(moves) => Some(ReplicaChange { from, to, moves }),
        Err(reason) => {
            let from = from.map_or("several numbers of".to_owned(), |from| from.to_string());
            plan.problems.push(format!(
                "topic {name} has {from} replicas for each partition and cannot have {to}: {reason}"
            ));
            None
        }
    }
}

fn config_changes(
    topic: &str,
    wanted: &BTreeMap<String, String>,
    there: &[ConfigEntry],
    problems: &mut Vec<String>,
) -> Vec<ConfigChange> {
    let entry = |key: &str| there.iter().find(|entry| entry.name == key);
    let known: Vec<&str> = there.iter().map(|entry| entry.name.as_str()).collect();
    let mut changes = Vec::new();
    for (key, to) in wanted {
        match entry(key) {
            Some(entry) if is_own(entry) && is_same(entry, to) => {}
            None if !known.is_empty() => problems.push(format!(
                "topic {topic}: the cluster has no config {key}{}",
                maybe(key, known.iter().copied())
            )),
            entry => changes.push(ConfigChange {
                key: key.clone(),
                from: entry.and_then(|entry| entry.value.clone()),
                was_own: entry.is_some_and(is_own),
                to: Some(to.clone()),
                after: Some(to.clone()),
                loss: None,
            }),
        }
    }
    for entry in there.iter().filter(|entry| is_own(entry)) {
        if !wanted.contains_key(&entry.name) && !is_passing(&entry.name) {
            changes.push(ConfigChange {
                key: entry.name.clone(),
                from: entry.value.clone(),
                was_own: true,
                to: None,
                after: inherited(entry),
                loss: None,
            });
        }
    }
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    let policy = changes.iter().find(|change| change.key == "cleanup.policy");
    let policy = match policy {
        Some(change) => change.after.clone(),
        None => entry("cleanup.policy").and_then(|entry| entry.value.clone()),
    };
    let policy = policy.unwrap_or_default();
    for change in &mut changes {
        if let (Some(from), Some(after)) = (&change.from, &change.after) {
            change.loss = loss::of_change(&change.key, from, after, &policy);
        }
    }
    changes
}

/// `; did you mean …?`, or nothing.
pub(super) fn maybe<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = meant(key, known);
    nearest.map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
}

/// Whether the cluster has this value already, however it is written.
fn is_same(entry: &ConfigEntry, wanted: &str) -> bool {
    let there = entry.value.as_deref().unwrap_or_default();
    let (a, b) = (there.trim(), wanted.trim());
    match entry.kind {
        ConfigType::List => a.split(',').map(str::trim).eq(b.split(',').map(str::trim)),
        ConfigType::Boolean => a.eq_ignore_ascii_case(b),
        ConfigType::Int | ConfigType::Short | ConfigType::Long => {
            a == b || matches!((a.parse::<i64>(), b.parse::<i64>()), (Ok(a), Ok(b)) if a == b)
        }
        ConfigType::Double => {
            a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
        }
        _ => a == b,
    }
}

/// Names that begin with an underscore are by custom those of platforms: `__consumer_offsets`, `_schemas`, `_confluent-…`.
fn prune(declared: &Declared, present: &Present, plan: &mut Plan) {
    let Some(topics) = &declared.topics else {
        let problem = "--prune needs a file with `topics`: without it every topic would be deleted";
        plan.problems.push(problem.to_owned());
        return;
    };
    for (name, is_internal) in &present.names {
        if topics.contains_key(name) || *is_internal {
            continue;
        }
        let kept = declared
            .keep
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => name == pattern,
            });
        match kept || name.starts_with('_') {
            true => plan.spared.push(name.clone()),
            false => plan.topics.push(TopicChange::Delete { name: name.clone() }),
        }
    }
}

fn place(
    group: &str,
    wanted: &BTreeMap<String, Positions>,
    declared: &Declared,
    present: &Present,
    rules: Rules,
    plan: &mut Plan,
) {
    let there = present.groups.get(group).cloned().unwrap_or_default();
    let mut offsets = Vec::new();
    for (topic, positions) in wanted {
        let new = declared
            .topics
            .as_ref()
            .and_then(|topics| topics.get(topic));
        let old = present.topics.get(topic);
        let partitions = match (old.map(|old| old.partitions), new.map(|new| new.partitions)) {
            (Some(old), new) => new.flatten().unwrap_or(old).max(old),
            (None, Some(Some(new))) => new,
            (None, Some(None)) => {
                plan.problems.push(format!(
                    "group {group}: how many partitions topic {topic} is to have must be said where groups have offsets in it"
                ));
                continue;
            }
            (None, None) => {
                plan.problems
                    .push(format!("group {group}: there is no topic {topic}"));
                continue;
            }
        };
        for (index, position) in positions.partitions(partitions) {
            let at = TopicPartition::new(topic, index);
            if index >= partitions {
                plan.problems.push(format!(
                    "group {group}: topic {topic} has no partition {index}"
                ));
                continue;
            }
            let from = there.offsets.get(&at).copied();
            let is_new = old.is_none_or(|old| index >= old.partitions);
            let range = present
                .ranges
                .get(&at)
                .copied()
                .or(is_new.then_some((0, 0)));
            let to = match (position, from, range) {
                (Position::At(to), Some(from), _) if from == to || !rules.move_offsets => continue,
                (Position::At(to), _, _) => to,
                (_, Some(_), _) => continue,
                (Position::Earliest, None, Some((start, _))) => start,
                (Position::Latest, None, Some((_, end))) => end,
                (_, None, None) => {
                    plan.problems.push(format!(
                        "group {group}: nobody says where the log of {at} begins and ends"
                    ));
                    continue;
                }
            };
            offsets.push(OffsetChange { at, from, to });
        }
    }
    // What members have not committed yet, they will.
    if offsets.is_empty() || (there.is_active && !rules.move_offsets) {
        return;
    }
    if there.is_active {
        plan.problems.push(format!(
            "group {group} has members, and only they commit: its offsets can be set when they have left"
        ));
    }
    plan.groups.push(GroupChange {
        group: group.to_owned(),
        offsets,
    });
}
