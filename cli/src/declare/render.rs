//! A plan as people read it, much like a diff, and as data (`docs/json/topics-apply.md`).

use std::fmt::Write as _;

use ottla_client::admin::TopicPartition;
use ottla_protocol::types::BrokerId;
use serde_json::{Value, json};

use super::Carried;
use super::file::Topic;
use super::plan::{ConfigChange, GroupChange, OffsetChange, Plan, ReplicaChange, TopicChange};
use super::replicas::Move;
use crate::output::{Report, Rows, json_error};

/// The version of the JSON.
const JSON_VERSION: u64 = 1;

pub fn text(plan: &Plan) -> String {
    let mut text = String::new();
    for change in &plan.topics {
        topic(change, &mut text);
    }
    for change in &plan.groups {
        group(change, &mut text);
    }
    if !plan.moving.is_empty() {
        let moving = named(&plan.moving);
        let _ = writeln!(text, "  replicas that are on their way: {moving}");
    }
    if !plan.spared.is_empty() {
        let _ = writeln!(
            text,
            "  not in the file and left alone: {}",
            plan.spared.join(", ")
        );
    }
    let _ = writeln!(text, "{}", summary(plan));
    text
}

/// Partitions in a line, at most so many that it stays one.
pub fn named(partitions: &[TopicPartition]) -> String {
    const SHOWN: usize = 20;
    let shown = partitions.iter().take(SHOWN).map(ToString::to_string);
    let more = match partitions.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
}

fn replicas(change: &ReplicaChange, topic: &str, text: &mut String) {
    let from = change
        .from
        .map_or("different numbers".to_owned(), |from| from.to_string());
    let _ = writeln!(text, "  ~ replication_factor: {from} -> {}", change.to);
    for one in &change.moves {
        let partition = one.partition;
        let (from, to) = (ids(&one.from), ids(&one.to));
        let _ = writeln!(text, "    ~ {topic}-{partition}: brokers {from} -> {to}");
    }
}

fn ids(brokers: &[BrokerId]) -> String {
    let ids: Vec<String> = brokers.iter().map(|id| id.0.to_string()).collect();
    ids.join(",")
}

fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return "Nothing to change: the cluster is as the file says.".to_owned();
    }
    let [mut created, mut altered, mut deleted, mut replaced] = [0; 4];
    for change in &plan.topics {
        match change {
            TopicChange::Create { .. } => created += 1,
            TopicChange::Alter { .. } => altered += 1,
            TopicChange::Delete { .. } => deleted += 1,
            TopicChange::Replace { .. } => replaced += 1,
        }
    }
    let groups = plan.groups.len();
    let replaced = match replaced {
        0 => String::new(),
        some => format!(", {some} to delete and make anew"),
    };
    format!(
        "Plan: topics: {created} to create, {altered} to change, {deleted} to delete{replaced}; groups: {groups} to set."
    )
}

fn topic(change: &TopicChange, text: &mut String) {
    match change {
        TopicChange::Create { name, topic } => {
            let _ = writeln!(text, "+ topic {name}");
            if let Some(partitions) = topic.partitions {
                let _ = writeln!(text, "  + partitions: {partitions}");
            }
            new_topic(topic, text);
        }
        TopicChange::Replace { name, from, topic } => {
            let _ = writeln!(
                text,
                "-/+ topic {name}  LOSES DATA: everything in it, as partitions cannot be taken away"
            );
            let to = topic.partitions.unwrap_or_default();
            let _ = writeln!(text, "  ~ partitions: {from} -> {to}");
            new_topic(topic, text);
        }
        TopicChange::Alter {
            name,
            partitions,
            replicas: replica_change,
            configs,
        } => {
            let _ = writeln!(text, "~ topic {name}");
            if let Some(growth) = partitions {
                let (from, to) = (growth.from, growth.to);
                let _ = writeln!(
                    text,
                    "  ~ partitions: {from} -> {to} (keys go to other partitions from then on)"
                );
            }
            if let Some(change) = replica_change {
                replicas(change, name, text);
            }
            for change in configs {
                let _ = writeln!(text, "  {}", config(change));
            }
        }
        TopicChange::Delete { name } => {
            let _ = writeln!(text, "- topic {name}  LOSES DATA: everything in it");
        }
    }
}

fn new_topic(topic: &Topic, text: &mut String) {
    if let Some(factor) = topic.replication_factor {
        let _ = writeln!(text, "  + replication_factor: {factor}");
    }
    for (key, value) in topic.configs.iter().flatten() {
        let _ = writeln!(text, "  + {key}: {value}");
    }
}

fn config(change: &ConfigChange) -> String {
    let key = &change.key;
    let from = change.from.as_deref().unwrap_or("?");
    let after = change.after.as_deref().unwrap_or("the broker's default");
    let change_text = match (&change.to, change.was_own) {
        (Some(to), true) => format!("~ {key}: {from} -> {to}"),
        (Some(to), false) => format!("+ {key}: {to} (the broker has {from})"),
        (None, _) => format!("- {key}: {from} (then {after})"),
    };
    match &change.loss {
        Some(loss) => format!("{change_text}  LOSES DATA: {loss}"),
        None => change_text,
    }
}

fn group(change: &GroupChange, text: &mut String) {
    let sign = if change.offsets.iter().all(|offset| offset.from.is_none()) {
        '+'
    } else {
        '~'
    };
    let _ = writeln!(text, "{sign} group {}", change.group);
    for OffsetChange { at, from, to } in &change.offsets {
        let _ = match from {
            None => writeln!(text, "  + {at}: {to}"),
            Some(from) if from > to => writeln!(
                text,
                "  ~ {at}: {from} -> {to} (backward: {} offsets are read again)",
                from - to
            ),
            Some(from) => writeln!(
                text,
                "  ~ {at}: {from} -> {to} (forward: {} offsets are skipped)",
                to - from
            ),
        };
    }
}

/// `applied` is none for a plan alone.
pub fn report(plan: &Plan, applied: Option<&Carried>) -> Report {
    let rows = Rows {
        within: &["topics|groups"],
        columns: &[
            "kind",
            "name",
            "action",
            "partitions.from",
            "partitions.to",
            "configs",
            "offsets",
            "losses",
        ],
    };
    let value = value(plan, applied);
    Report { value, rows }
}

fn value(plan: &Plan, applied: Option<&Carried>) -> Value {
    let topics = plan.topics.iter().map(topic_json);
    let groups = plan.groups.iter().map(group_json);
    let refusals = applied.map_or(&[][..], |carried| &carried.refusals);
    let refusals = refusals.iter().map(|refusal| {
        json!({ "kind": refusal.kind, "name": refusal.name, "error": json_error(&refusal.error) })
    });
    let moving = applied.map_or(&plan.moving, |carried| &carried.moving);
    json!({
        "version": JSON_VERSION,
        "clusterId": plan.cluster_id,
        "pending": !plan.is_empty() && applied.is_none(),
        "applied": applied.is_some_and(|carried| carried.refusals.is_empty()),
        "moving": moving.iter().map(ToString::to_string).collect::<Vec<String>>(),
        "topics": topics.collect::<Vec<Value>>(),
        "groups": groups.collect::<Vec<Value>>(),
        "spared": plan.spared,
        "problems": plan.problems,
        "refusals": refusals.collect::<Vec<Value>>(),
    })
}

fn topic_json(change: &TopicChange) -> Value {
    let mut moves = Vec::new();
    let (action, partitions, factor, configs) = match change {
        TopicChange::Create { topic, .. } => {
            let partitions = topic.partitions.map(|to| json!({ "from": 0, "to": to }));
            (
                "create",
                partitions,
                topic.replication_factor,
                new_configs(topic),
            )
        }
        TopicChange::Replace { from, topic, .. } => {
            let partitions = json!({ "from": from, "to": topic.partitions });
            (
                "replace",
                Some(partitions),
                topic.replication_factor,
                new_configs(topic),
            )
        }
        TopicChange::Alter {
            partitions,
            replicas,
            configs,
            ..
        } => {
            let partitions =
                partitions.map(|growth| json!({ "from": growth.from, "to": growth.to }));
            moves = replicas
                .iter()
                .flat_map(|change| &change.moves)
                .map(move_json)
                .collect();
            (
                "change",
                partitions,
                replicas.as_ref().map(|change| change.to),
                configs.iter().map(config_json).collect(),
            )
        }
        TopicChange::Delete { .. } => ("delete", None, None, Vec::new()),
    };
    json!({
        "kind": "topic",
        "name": change.name(),
        "action": action,
        "partitions": partitions,
        "replicationFactor": factor,
        "moves": moves,
        "configs": Value::Array(configs),
        "losses": change.losses(),
    })
}

fn new_configs(topic: &Topic) -> Vec<Value> {
    let configs = topic.configs.iter().flatten();
    configs
        .map(|(key, value)| {
            json!({ "key": key, "action": "set", "from": null, "to": value, "loss": null })
        })
        .collect()
}

fn move_json(one: &Move) -> Value {
    let ids = |brokers: &[BrokerId]| -> Vec<i32> { brokers.iter().map(|id| id.0).collect() };
    json!({ "partition": one.partition, "from": ids(&one.from), "to": ids(&one.to) })
}

fn config_json(change: &ConfigChange) -> Value {
    let action = if change.to.is_some() { "set" } else { "delete" };
    json!({
        "key": change.key, "action": action, "from": change.from, "to": change.after, "loss": change.loss,
    })
}

fn group_json(change: &GroupChange) -> Value {
    let offsets = change.offsets.iter().map(|offset| {
        let (topic, partition) = (&offset.at.topic, offset.at.partition);
        json!({ "topic": topic, "partition": partition, "from": offset.from, "to": offset.to })
    });
    let offsets: Vec<Value> = offsets.collect();
    json!({ "kind": "group", "name": change.group, "action": "set", "offsets": offsets })
}
