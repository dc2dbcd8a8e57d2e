//! What a cluster has, as a file that says it.
//!
//! Always: applied to the same cluster, the file changes nothing. Left out: the cluster's own topics, values that a topic does
//! not have of its own, and what comes and goes while replicas move.

use std::collections::BTreeMap;

use ottla_client::admin::Admin;
use serde_yaml::{Mapping, Value};

use super::file::VERSION;
use super::present::{Present, PresentTopic, is_own, is_passing};
use crate::connect::failed;
use crate::nearest;
use crate::stop::Failure;

/// What is exported.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Those of these names, or all.
    pub topics: Vec<String>,
    pub cluster_id: bool,
    pub groups: bool,
}

/// Groups of other types have offsets of another kind, or none.
const KINDS: &[&str] = &["classic", "consumer"];

pub async fn export(admin: &Admin, extent: &Extent) -> Result<Value, Failure> {
    let is_chosen =
        |name: &str| extent.topics.is_empty() || extent.topics.iter().any(|chosen| chosen == name);
    let groups = match extent.groups {
        true => group_ids(admin).await?,
        false => Vec::new(),
    };
    let present = Present::gather(
        admin,
        |topic| !topic.is_internal && is_chosen(&topic.name),
        groups.iter().map(String::as_str),
    )
    .await?;
    if let Some(missing) = extent
        .topics
        .iter()
        .find(|name| !present.names.contains_key(*name))
    {
        let failure = Failure::new(format!("There is no topic '{missing}'."));
        let hint = nearest::topic(missing, admin).await;
        return Err(hint.into_iter().fold(failure, Failure::hint));
    }
    Ok(Value::Mapping(document(&present, extent)))
}

async fn group_ids(admin: &Admin) -> Result<Vec<String>, Failure> {
    let (groups, unanswered) = admin
        .list_groups(&[], &[])
        .await
        .map_err(failed("listGroups"))?;
    if let Some((broker, error)) = unanswered.into_iter().next() {
        let failure = failed("listGroups")(error);
        return Err(failure.hint(format!("Broker {} does not tell its groups.", broker.0)));
    }
    let has_offsets = |kind: &Option<String>| {
        let mut kinds = KINDS.iter();
        kind.as_deref()
            .is_none_or(|kind| kinds.any(|known| known.eq_ignore_ascii_case(kind)))
    };
    let groups = groups.into_iter().filter(|group| has_offsets(&group.kind));
    Ok(groups.map(|group| group.id).collect())
}

fn document(present: &Present, extent: &Extent) -> Mapping {
    let mut map = Mapping::new();
    map.insert("version".into(), VERSION.into());
    if let (true, Some(id)) = (extent.cluster_id, &present.cluster_id) {
        map.insert("cluster_id".into(), id.as_str().into());
    }
    let topics = present
        .topics
        .iter()
        .map(|(name, there)| (name.as_str().into(), topic(there)));
    map.insert("topics".into(), Value::Mapping(topics.collect()));
    let groups = present.groups.iter().filter_map(|(group, there)| {
        let mut by_topic: BTreeMap<&str, Mapping> = BTreeMap::new();
        for (at, offset) in &there.offsets {
            let topic = present.topics.get(&at.topic);
            if topic.is_some_and(|topic| at.partition < topic.partitions) {
                let partitions = by_topic.entry(&at.topic).or_default();
                partitions.insert(at.partition.into(), (*offset).into());
            }
        }
        let offsets = by_topic
            .into_iter()
            .map(|(topic, at)| (topic.into(), Value::Mapping(at)));
        let offsets: Mapping = offsets.collect();
        let entry = Mapping::from_iter([("offsets".into(), Value::Mapping(offsets.clone()))]);
        (!offsets.is_empty()).then(|| (group.as_str().into(), Value::Mapping(entry)))
    });
    let groups: Mapping = groups.collect();
    if !groups.is_empty() {
        map.insert("groups".into(), Value::Mapping(groups));
    }
    map
}

fn topic(there: &PresentTopic) -> Value {
    let mut map = Mapping::new();
    map.insert("partitions".into(), there.partitions.into());
    if let Some(factor) = there.replication_factor {
        map.insert("replication_factor".into(), factor.into());
    }
    let own = there
        .configs
        .iter()
        .filter(|entry| is_own(entry) && !is_passing(&entry.name));
    let configs =
        own.filter_map(|entry| Some((entry.name.as_str().into(), value(entry.value.as_deref()?))));
    map.insert("configs".into(), Value::Mapping(configs.collect()));
    Value::Mapping(map)
}

/// Whole numbers and truth values as such, for the eye; anything else as a text, which says exactly what it says.
fn value(text: &str) -> Value {
    match (text, text.parse::<i64>()) {
        ("true", _) => Value::Bool(true),
        ("false", _) => Value::Bool(false),
        (_, Ok(number)) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}
