//! Descriptions as text, in the reference's layout. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write};

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
    pub(super) replicas: Vec<BrokerId>,
    pub(super) adding: Vec<BrokerId>,
    pub(super) removing: Vec<BrokerId>,
}

/// Adds the description of one topic.
pub(super) fn describe(text: &mut String, topic: &Topic, show: Show, live_brokers: &BTreeSet<i32>) {
    match show {
        Show::Everything => head(text, topic),
        Show::Overrides if !topic.configs.set().is_empty() => head(text, topic),
        _ => {}
    }
    for partition in partitions(topic, show, live_brokers) {
        line(text, topic, partition);
    }
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
    // Writing to a string cannot fail.
    write!(text, "Topic: {name}").ok();
    if !id.is_zero() {
        write!(text, "\tTopicId: {id}").ok();
    }
    write!(
        text,
        "\tPartitionCount: {}\tReplicationFactor: {replication_factor}\tConfigs: ",
        partitions.len()
    )
    .ok();
    let configs = topic.configs.in_java_order().into_iter();
    let shown = configs.map(|config| {
        let value = config.value.as_deref().unwrap_or("null");
        format!("{}={value}", config.key)
    });
    join(text, shown);
    text.push('\n');
}

fn line(text: &mut String, topic: &Topic, partition: &PartitionDescription) {
    write!(
        text,
        "\tTopic: {}\tPartition: {}\tLeader: ",
        topic.topic.name, partition.index
    )
    .ok();
    match partition.leader {
        Some(leader) => write!(text, "{}", leader.0).ok(),
        None => write!(text, "none").ok(),
    };
    list(text, "\tReplicas: ", Some(&partition.replicas));
    list(text, "\tIsr: ", Some(&partition.isr));
    if let Some(moving) = topic.reassignments.get(&partition.index) {
        list(text, "\tAdding Replicas: ", Some(&moving.adding));
        list(text, "\tRemoving Replicas: ", Some(&moving.removing));
    }
    list(text, "\tElr: ", partition.elr.as_deref());
    list(
        text,
        "\tLastKnownElr: ",
        partition.last_known_elr.as_deref(),
    );
    text.push('\n');
}

/// Brokers' numbers, as far as they are known.
fn list(text: &mut String, title: &str, brokers: Option<&[BrokerId]>) {
    text.push_str(title);
    match brokers {
        Some(brokers) => join(text, brokers.iter().map(|broker| broker.0)),
        None => text.push_str("N/A"),
    }
}

/// Adds the items with commas between them.
fn join(text: &mut String, items: impl Iterator<Item = impl Display>) {
    for (place, item) in items.enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(text, "{comma}{item}").ok();
    }
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
            moving.adding.contains(id) || moving.removing.contains(id)
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
    use ottla_client::admin::{ConfigLook, ConfigSource};
    use ottla_protocol::wire::{StrBytes, Uuid};

    use super::*;

    fn described(topic: &Topic, show: Show, live_brokers: &BTreeSet<i32>) -> String {
        let mut text = String::new();
        describe(&mut text, topic, show, live_brokers);
        text
    }

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
        let configs = [
            ("min.insync.replicas", "2", ConfigSource::DynamicTopic),
            ("retention.ms", "1", ConfigSource::Default),
        ];
        let texts = configs.map(|(key, value, _)| (StrBytes::from(key), StrBytes::from(value)));
        let looks = texts
            .iter()
            .zip(configs)
            .map(|((name, value), (_, _, source))| ConfigLook {
                name,
                value: Some(value),
                source,
            });
        let topic = TopicDescription {
            name: "t".to_owned(),
            id: Uuid::METADATA_TOPIC,
            is_internal: false,
            partitions,
        };
        Topic {
            topic,
            configs: Configs::of(looks),
            reassignments: BTreeMap::new(),
        }
    }

    #[test]
    fn a_head_line_and_a_line_for_each_partition() {
        let text = described(
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
        let text = described(&topic(vec![unknown]), Show::Everything, &BTreeSet::new());
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
            let text = described(&all, show, &BTreeSet::from([1, 2, 3]));
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
