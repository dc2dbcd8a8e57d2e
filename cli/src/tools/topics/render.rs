//! Descriptions as text, in the reference's layout. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use ottla_client::admin::{PartitionDescription, TopicDescription};
use ottla_protocol::types::BrokerId;

use super::configs::Configs;
use super::plan::Show;

/// A topic with everything a description needs.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) topic: TopicDescription,
    pub(super) configs: Configs,
    /// By partition.
    pub(super) reassignments: BTreeMap<i32, Reassignment>,
}

#[derive(Debug, Clone)]
pub(super) struct Reassignment {
    pub(super) replicas: Vec<i32>,
    pub(super) adding: Vec<i32>,
    pub(super) removing: Vec<i32>,
}

/// The description of one topic.
pub(super) fn describe(topic: &Topic, show: Show, live_brokers: &BTreeSet<i32>) -> String {
    let mut text = String::new();
    match show {
        Show::Everything => head(&mut text, topic),
        Show::Overrides if !topic.configs.set().is_empty() => head(&mut text, topic),
        _ => {}
    }
    for partition in partitions(topic, show, live_brokers) {
        line(&mut text, topic, partition);
    }
    text
}

/// Those that are meant.
pub(super) fn partitions<'a>(
    topic: &'a Topic,
    show: Show,
    live_brokers: &BTreeSet<i32>,
) -> Vec<&'a PartitionDescription> {
    let partitions = topic.topic.partitions.iter();
    match show {
        Show::Everything => partitions.collect(),
        Show::Overrides => Vec::new(),
        Show::Partitions {
            under_replicated,
            unavailable,
            under_min_isr,
            at_min_isr,
        } => {
            let min_isr = topic.configs.min_isr;
            let is_meant = |partition: &&PartitionDescription| {
                let in_sync = partition.isr.len();
                let no_leader = partition.leader.is_none();
                under_replicated && topic.replication_factor(partition) > in_sync
                    || unavailable
                        && partition
                            .leader
                            .is_none_or(|leader| !live_brokers.contains(&leader.0))
                    || under_min_isr && (no_leader || min_isr.is_some_and(|min| in_sync < min))
                    || at_min_isr && min_isr == Some(in_sync)
            };
            partitions.filter(is_meant).collect()
        }
    }
}

fn head(text: &mut String, topic: &Topic) {
    let TopicDescription {
        name,
        id,
        partitions,
        ..
    } = &topic.topic;
    let replication_factor = topic.of_first_partition();
    let configs = topic.configs.in_java_order();
    let configs: Vec<String> = configs
        .into_iter()
        .map(|config| {
            format!(
                "{}={}",
                config.key,
                config.value.as_deref().unwrap_or("null")
            )
        })
        .collect();
    let id = if id.is_zero() {
        String::new()
    } else {
        format!("\tTopicId: {id}")
    };
    // Writing to a string cannot fail.
    writeln!(
        text,
        "Topic: {name}{id}\tPartitionCount: {}\tReplicationFactor: {replication_factor}\tConfigs: {}",
        partitions.len(),
        configs.join(","),
    )
    .ok();
}

fn line(text: &mut String, topic: &Topic, partition: &PartitionDescription) {
    let leader = partition
        .leader
        .map_or_else(|| "none".to_owned(), |leader| leader.0.to_string());
    write!(
        text,
        "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
        topic.topic.name,
        partition.index,
        brokers(&partition.replicas),
        brokers(&partition.isr),
    )
    .ok();
    if let Some(moving) = topic.reassignments.get(&partition.index) {
        let (adding, removing) = (ids(&moving.adding), ids(&moving.removing));
        write!(
            text,
            "\tAdding Replicas: {adding}\tRemoving Replicas: {removing}"
        )
        .ok();
    }
    let or_unknown =
        |list: &Option<Vec<BrokerId>>| list.as_deref().map_or_else(|| "N/A".to_owned(), brokers);
    let (elr, last_known) = (
        or_unknown(&partition.elr),
        or_unknown(&partition.last_known_elr),
    );
    writeln!(text, "\tElr: {elr}\tLastKnownElr: {last_known}").ok();
}

fn brokers(list: &[BrokerId]) -> String {
    let list: Vec<i32> = list.iter().map(|id| id.0).collect();
    ids(&list)
}

fn ids(ids: &[i32]) -> String {
    let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
    ids.join(",")
}

impl Topic {
    /// The topic's replication factor, as far as it has one.
    pub(super) fn of_first_partition(&self) -> usize {
        let first = self.topic.partitions.first();
        first.map_or(0, |first| self.replication_factor(first))
    }

    /// What it will be when a running reassignment is done: replicas that are being added do not count yet.
    fn replication_factor(&self, partition: &PartitionDescription) -> usize {
        let moves = |moving: &Reassignment, id: &BrokerId| {
            moving.adding.contains(&id.0) || moving.removing.contains(&id.0)
        };
        match self.reassignments.get(&partition.index) {
            Some(moving) if partition.replicas.iter().any(|id| moves(moving, id)) => {
                moving.replicas.len().saturating_sub(moving.adding.len())
            }
            _ => partition.replicas.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_client::admin::{ConfigEntry, ConfigSource, ConfigType};
    use ottla_protocol::wire::Uuid;

    use super::*;

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    fn partition(index: i32, isr: &[i32]) -> PartitionDescription {
        PartitionDescription {
            index,
            leader: isr.first().copied().map(BrokerId),
            replicas: ids(&[1, 2, 3]),
            isr: ids(isr),
            elr: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline: Vec::new(),
        }
    }

    fn topic(partitions: Vec<PartitionDescription>) -> Topic {
        let config = |key: &str, value: &str, source: ConfigSource| ConfigEntry {
            name: key.into(),
            value: Some(value.into()),
            source,
            is_read_only: false,
            is_sensitive: false,
            synonyms: Vec::new(),
            kind: ConfigType::Int,
            documentation: None,
        };
        let configs = vec![
            config("min.insync.replicas", "2", ConfigSource::DynamicTopic),
            config("retention.ms", "1", ConfigSource::Default),
        ];
        let topic = TopicDescription {
            name: "t".to_owned(),
            id: Uuid::METADATA_TOPIC,
            is_internal: false,
            partitions,
        };
        Topic {
            topic,
            configs: Configs::of(&configs),
            reassignments: BTreeMap::new(),
        }
    }

    #[test]
    fn a_head_line_and_a_line_for_each_partition() {
        let text = describe(
            &topic(vec![partition(0, &[1, 2, 3])]),
            Show::Everything,
            &BTreeSet::new(),
        );
        assert_eq!(
            text,
            "Topic: t\tTopicId: AAAAAAAAAAAAAAAAAAAAAQ\tPartitionCount: 1\tReplicationFactor: 3\tConfigs: min.insync.replicas=2\n\
             \tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3\tElr: \tLastKnownElr: \n"
        );
    }

    #[test]
    fn what_an_old_broker_does_not_say_is_not_available() {
        let unknown = PartitionDescription {
            elr: None,
            last_known_elr: None,
            leader: None,
            ..partition(0, &[1])
        };
        let text = describe(&topic(vec![unknown]), Show::Everything, &BTreeSet::new());
        assert!(
            text.ends_with("Leader: none\tReplicas: 1,2,3\tIsr: 1\tElr: N/A\tLastKnownElr: N/A\n"),
            "{text}"
        );
    }

    #[test]
    fn partition_filters_choose_lines_and_leave_heads_out() {
        let all = topic(vec![
            partition(0, &[1, 2, 3]),
            partition(1, &[1, 2]),
            partition(2, &[9]),
            partition(3, &[]),
        ]);
        let shown = |show: Show| -> Vec<i32> {
            let text = describe(&all, show, &BTreeSet::from([1, 2, 3]));
            let number = |line: &str| {
                line.split("Partition: ")
                    .nth(1)?
                    .split('\t')
                    .next()?
                    .parse()
                    .ok()
            };
            text.lines().filter_map(number).collect()
        };
        let filter = |under_replicated, unavailable, under_min_isr, at_min_isr| {
            shown(Show::Partitions {
                under_replicated,
                unavailable,
                under_min_isr,
                at_min_isr,
            })
        };
        assert_eq!(filter(true, false, false, false), [1, 2, 3]);
        assert_eq!(filter(false, true, false, false), [2, 3]);
        assert_eq!(filter(false, false, true, false), [2, 3]);
        assert_eq!(filter(false, false, false, true), [1]);
        assert_eq!(filter(false, false, true, true), [1, 2, 3]);
    }
}
