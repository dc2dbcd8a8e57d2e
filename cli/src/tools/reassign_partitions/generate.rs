//! `--generate`: proposes brokers for the partitions of topics.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::admin::{Admin, TopicPartition};
use ottla_protocol::types::BrokerId;
use serde_json::json;

use crate::java_order;
use crate::output::{Report, Rows};
use crate::stop::Failure;

use super::facts;
use super::placement::{self, Usable};
use super::plan::{self, Assignment, Dirs};
use super::trouble::Trouble;
use super::{Teller, report};

#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) brokers: BTreeSet<BrokerId>,
    pub(super) topics: Vec<String>,
    pub(super) rack_aware: bool,
}

/// `0,1,2`.
pub(super) fn brokers(list: &str) -> Result<BTreeSet<BrokerId>, Trouble> {
    // As Java splits: empty items at the end are no items, and the empty text is one.
    let items = match list.trim_end_matches(',') {
        "" if !list.is_empty() => Vec::new(),
        trimmed => trimmed.split(',').collect(),
    };
    let id = |text: &&str| text.parse().map_err(|_| Trouble::not_a_number(text));
    let ids: Vec<i32> = items.iter().map(id).collect::<Result<_, _>>()?;
    let twice = plan::repeated(&ids);
    match twice.is_empty() {
        true => Ok(ids.into_iter().map(BrokerId).collect()),
        false => Err(Trouble::command(format!(
            "Broker list contains duplicate entries: {}",
            plan::list(twice)
        ))),
    }
}

const ROWS: Rows = Rows {
    within: &["partitions"],
    columns: &["topic", "partition", "currentReplicas", "proposedReplicas"],
};

pub(super) async fn run(
    admin: &Admin,
    wanted: &Wanted,
    teller: &mut Teller<'_>,
) -> Result<Report, Trouble> {
    let topics = wanted.topics.iter().map(String::as_str).collect();
    let current = facts::replicas(admin, &topics).await?;
    let dirs = facts::dirs_of(admin, &current).await?;
    let usable = usable(admin, wanted).await?;
    let proposed = propose(&current, &usable)?;
    teller.line(&format!(
        "Current partition replica assignment\n{}\n",
        plan::text(&current, &dirs)
    ))?;
    let anywhere = Dirs::new();
    teller.line(&format!(
        "Proposed partition reassignment configuration\n{}",
        plan::text(&proposed, &anywhere)
    ))?;
    let row = |(at, replicas): (&TopicPartition, &Vec<BrokerId>)| {
        json!({
            "topic": at.topic,
            "partition": at.partition,
            "currentReplicas": current.get(at).map(|brokers| plan::ids(brokers)),
            "proposedReplicas": plan::ids(replicas),
        })
    };
    let value = json!({
        "current": plan::as_json(&current, &dirs),
        "proposed": plan::as_json(&proposed, &anywhere),
        "partitions": proposed.iter().map(row).collect::<Vec<_>>(),
    });
    Ok(report(value, ROWS))
}

async fn usable(admin: &Admin, wanted: &Wanted) -> Result<Vec<Usable>, Trouble> {
    let cluster = admin.describe_cluster(false).await;
    let cluster = cluster.map_err(Trouble::failed("listNodes"))?;
    let brokers = cluster.nodes.into_iter().map(|node| node.broker);
    let usable: Vec<Usable> = brokers
        .filter(|broker| wanted.brokers.contains(&broker.id))
        .map(|broker| Usable {
            id: broker.id,
            rack: broker.rack.filter(|_| wanted.rack_aware),
        })
        .collect();
    let without = usable.iter().filter(|broker| broker.rack.is_none()).count();
    if wanted.rack_aware && without != 0 && without != usable.len() {
        return Err(Trouble::operation(Failure::new(
            "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica assignment without \
             rack information.",
        )));
    }
    Ok(usable)
}

/// Each topic keeps its numbers of partitions and replicas.
fn propose(current: &Assignment, usable: &[Usable]) -> Result<Assignment, Trouble> {
    let mut by_topic: BTreeMap<&str, Vec<(&TopicPartition, usize)>> = BTreeMap::new();
    for (at, replicas) in current {
        let of_topic = by_topic.entry(&at.topic).or_default();
        of_topic.push((at, replicas.len()));
    }
    let mut proposed = Assignment::new();
    for (topic, mut partitions) in by_topic {
        // Where partitions differ in it, the reference takes the number of the first one that its map yields.
        java_order::sort_by_hash(&mut partitions, Some(current.len() * 4 / 3), |row| {
            java_order::hash_of(row.0)
        });
        let replicas = partitions.first().map_or(0, |row| row.1);
        let placed = placement::place(usable, partitions.len(), replicas, &mut rand::rng());
        let placed = placed.map_err(|error| Trouble::refused(&error))?;
        for (index, brokers) in (0..).zip(placed) {
            proposed.insert(TopicPartition::new(topic, index), brokers);
        }
    }
    Ok(proposed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_brokers_is_of_different_numbers() {
        assert_eq!(brokers("2,1,").unwrap(), [1, 2].map(BrokerId).into());
        assert_eq!(brokers(",,").unwrap(), BTreeSet::new());
        for (list, words) in [
            ("", "For input string: \"\""),
            ("1,,2", "For input string: \"\""),
            ("1,x", "For input string: \"x\""),
            ("1,2,1", "Broker list contains duplicate entries: [1]"),
        ] {
            let (_, failure) = brokers(list).unwrap_err().told().unwrap();
            assert_eq!(failure.message, words, "{list}");
        }
    }
}
