//! The results as data: docs/json/topics.md. Pure.

use std::collections::BTreeSet;

use ottla_client::ApiError;
use ottla_client::admin::{ClusterNode, CreatedTopic, PartitionDescription, TopicListing};
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::Uuid;
use serde_json::{Value, json};

use super::configs::Set;
use super::plan::Show;
use super::render::{self, Topic};
use crate::output::{Report, Rows, json_error};

const VERSION: u32 = 1;

pub(super) fn listed<'a>(topics: impl IntoIterator<Item = &'a TopicListing>) -> Report {
    let topic = |topic: &TopicListing| json!({ "topic": topic.name, "id": known(topic.id), "internal": topic.is_internal });
    let topics = topics.into_iter().map(topic).collect();
    report(topics, &["topics"], &["topic", "id", "internal"])
}

/// What `--describe` shows: of each topic the partitions that are meant, and none where only topics are.
pub(super) fn described(topics: &[Topic], show: Show, nodes: &[ClusterNode]) -> Report {
    let live: BTreeSet<i32> = nodes.iter().map(|node| node.broker.id.0).collect();
    let topic = |topic: &Topic| {
        let partitions = render::partitions(topic, show, &live);
        let partitions: Vec<Value> = partitions
            .into_iter()
            .map(|shown| partition(topic, shown, nodes))
            .collect();
        let own = topic.configs.set().iter();
        json!({
            "topic": topic.topic.name,
            "id": known(topic.topic.id),
            "internal": topic.topic.is_internal,
            "partitionCount": topic.topic.partitions.len(),
            "replicationFactor": topic.of_first_partition(),
            "configs": own.map(config).collect::<Vec<_>>(),
            "partitions": partitions,
        })
    };
    let is_meant = |topic: &&Topic| match show {
        Show::Everything => true,
        Show::Overrides => !topic.configs.set().is_empty(),
        Show::Partitions { .. } => !render::partitions(topic, show, &live).is_empty(),
    };
    report(
        topics.iter().filter(is_meant).map(topic).collect(),
        &["topics", "partitions"],
        &[
            "topic",
            "id",
            "internal",
            "partition",
            "leader",
            "leaderHost",
            "leaderPort",
            "leaderRack",
            "replicas",
            "isr",
            "offlineReplicas",
            "addingReplicas",
            "removingReplicas",
            "elr",
            "lastKnownElr",
            "replicationFactor",
            "configs",
        ],
    )
}

pub(super) fn created(topic: &str, created: Option<&CreatedTopic>) -> Report {
    let topic = json!({
        "topic": topic,
        "created": created.is_some(),
        "id": created.and_then(|topic| known(topic.id)),
        // Brokers before 2.4 do not say.
        "partitions": created.map(|topic| topic.partitions).filter(|count| *count > 0),
        "replicationFactor": created.map(|topic| topic.replication_factor).filter(|count| *count > 0),
    });
    report(
        vec![topic],
        &["topics"],
        &["topic", "created", "id", "partitions", "replicationFactor"],
    )
}

/// What became of a change (`altered`, `deleted`) of each topic.
pub(super) fn changed(what: &str, outcomes: &[(String, Result<(), ApiError>)]) -> Report {
    let topic = |(topic, outcome): &(String, Result<(), ApiError>)| {
        let error = outcome.as_ref().err().map(json_error);
        json!({ "topic": topic, what: outcome.is_ok(), "error": error })
    };
    let columns: &[&str] = match what {
        "altered" => &["topic", "altered", "error.code", "error.message"],
        _ => &["topic", "deleted", "error.code", "error.message"],
    };
    report(outcomes.iter().map(topic).collect(), &["topics"], columns)
}

fn report(
    topics: Vec<Value>,
    within: &'static [&'static str],
    columns: &'static [&'static str],
) -> Report {
    Report {
        value: json!({ "version": VERSION, "topics": topics }),
        rows: Rows { within, columns },
    }
}

fn partition(topic: &Topic, partition: &PartitionDescription, nodes: &[ClusterNode]) -> Value {
    let mut nodes = nodes.iter().map(|node| &node.broker);
    let leader = nodes.find(|broker| Some(broker.id) == partition.leader);
    let moving = topic.reassignments.get(&partition.index);
    json!({
        "partition": partition.index,
        "leader": partition.leader.map(|leader| leader.0),
        "leaderHost": leader.map(|broker| &*broker.endpoint.host),
        "leaderPort": leader.map(|broker| broker.endpoint.port),
        "leaderRack": leader.and_then(|broker| broker.rack.as_deref()),
        "replicas": ids(&partition.replicas),
        "isr": ids(&partition.isr),
        "offlineReplicas": ids(&partition.offline),
        "addingReplicas": moving.map_or(Vec::new(), |moving| ids(&moving.adding)),
        "removingReplicas": moving.map_or(Vec::new(), |moving| ids(&moving.removing)),
        "elr": partition.elr.as_deref().map(ids),
        "lastKnownElr": partition.last_known_elr.as_deref().map(ids),
    })
}

fn config(config: &Set) -> Value {
    json!({ "name": config.key, "value": config.value, "source": config.source.name() })
}

fn ids(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

/// Brokers before 2.8 know no ids.
fn known(id: Uuid) -> Option<String> {
    (!id.is_zero()).then(|| id.to_string())
}
