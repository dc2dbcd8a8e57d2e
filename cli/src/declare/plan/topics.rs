//! Topics: which are made, changed and deleted.

use ottla_client::admin::TopicPartition;

use super::configs::{self, ConfigChange};
use super::{Plan, Rules};
use crate::declare::file::{Declared, Topic};
use crate::declare::present::{Present, PresentTopic};
use crate::declare::replicas::{self, Brokers, Move, Placed};

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
    /// Partitions cannot be taken away, so a topic that is to have fewer is deleted and made anew.
    Replace {
        name: String,
        from: i32,
        /// All that it is to have.
        topic: Topic,
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

impl TopicChange {
    pub fn name(&self) -> &str {
        match self {
            Self::Create { name, .. }
            | Self::Alter { name, .. }
            | Self::Delete { name }
            | Self::Replace { name, .. } => name,
        }
    }

    /// What is lost by it, in words.
    pub fn losses(&self) -> Vec<String> {
        match self {
            Self::Create { .. } => Vec::new(),
            Self::Delete { name } => vec![format!("topic {name} is deleted with everything in it")],
            Self::Replace { name, from, topic } => vec![format!(
                "topic {name} is deleted with everything in it and made anew, with {} partitions instead of {from}",
                topic.partitions.unwrap_or_default()
            )],
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

pub(super) fn plan(declared: &Declared, present: &Present, rules: Rules, plan: &mut Plan) {
    for (name, topic) in declared.topics.iter().flatten() {
        match present.topics.get(name) {
            None => plan.topics.push(TopicChange::Create {
                name: name.clone(),
                topic: topic.clone(),
            }),
            Some(there) if topic.partitions.is_some_and(|to| to < there.partitions) => {
                replace(name, topic, there, present, plan);
            }
            Some(there) => alter(name, topic, there, &present.brokers, plan),
        }
    }
    if rules.prune {
        prune(declared, present, plan);
    }
}

fn replace(name: &str, topic: &Topic, there: &PresentTopic, present: &Present, plan: &mut Plan) {
    if present
        .names
        .get(name)
        .is_some_and(|is_internal| *is_internal)
    {
        plan.problems.push(format!(
            "topic {name} has {} partitions and cannot have fewer: it is the cluster's own",
            there.partitions
        ));
        return;
    }
    if let Some(wanted) = &topic.configs {
        configs::changes(name, wanted, &there.configs, &mut plan.problems);
    }
    let own = || configs::own(&there.configs);
    plan.topics.push(TopicChange::Replace {
        name: name.to_owned(),
        from: there.partitions,
        topic: Topic {
            partitions: topic.partitions,
            replication_factor: topic.replication_factor.or(there.replication_factor),
            configs: Some(topic.configs.clone().unwrap_or_else(own)),
        },
    });
}

fn alter(name: &str, topic: &Topic, there: &PresentTopic, brokers: &Brokers, plan: &mut Plan) {
    let from = there.partitions;
    let grown = topic.partitions.filter(|to| *to > from);
    let growth = grown.map(|to| Growth { from, to });
    let replicas = topic
        .replication_factor
        .and_then(|to| replica_change(name, to, there, brokers, plan));
    let configs = match &topic.configs {
        Some(configs) => configs::changes(name, configs, &there.configs, &mut plan.problems),
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
        let named = |placed: &Placed| TopicPartition::new(name, placed.partition);
        let moving = there.placed.iter().filter(|placed| placed.is_moving);
        plan.moving.extend(moving.map(named));
        let behind = there.placed.iter().filter(|placed| placed.is_behind());
        plan.behind.extend(behind.map(named));
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
