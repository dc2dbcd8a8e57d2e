//! Descriptions as text, in the reference's layout. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;

use ottla_protocol::wire::Uuid;

use super::plan::Show;
use crate::java_order;

/// A topic with everything a description needs.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) id: Uuid,
    /// By index.
    pub(super) partitions: Vec<Partition>,
    pub(super) configs: Vec<Config>,
}

#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub(super) index: i32,
    pub(super) leader: Option<i32>,
    pub(super) replicas: Vec<i32>,
    pub(super) isr: Vec<i32>,
    /// `None`: the broker is too old to say.
    pub(super) elr: Option<Vec<i32>>,
    pub(super) last_known_elr: Option<Vec<i32>>,
    pub(super) reassignment: Option<Reassignment>,
}

#[derive(Debug, Clone)]
pub(super) struct Reassignment {
    pub(super) replicas: Vec<i32>,
    pub(super) adding: Vec<i32>,
    pub(super) removing: Vec<i32>,
}

#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) key: String,
    pub(super) value: Option<String>,
    pub(super) is_default: bool,
}

/// The description of one topic.
pub(super) fn describe(topic: &Topic, show: Show, live_brokers: &BTreeSet<i32>) -> String {
    let mut text = String::new();
    match show {
        Show::Everything => {
            head(&mut text, topic);
            topic
                .partitions
                .iter()
                .for_each(|partition| line(&mut text, &topic.name, partition));
        }
        Show::Overrides if topic.configs.iter().any(|config| !config.is_default) => {
            head(&mut text, topic)
        }
        Show::Overrides => {}
        Show::Partitions {
            under_replicated,
            unavailable,
            under_min_isr,
            at_min_isr,
        } => {
            let min_isr = topic.min_isr();
            for partition in &topic.partitions {
                let in_sync = partition.isr.len();
                let no_leader = partition.leader.is_none();
                let shown = under_replicated && partition.replication_factor() > in_sync
                    || unavailable
                        && partition
                            .leader
                            .is_none_or(|leader| !live_brokers.contains(&leader))
                    || under_min_isr && (no_leader || min_isr.is_some_and(|min| in_sync < min))
                    || at_min_isr && min_isr == Some(in_sync);
                if shown {
                    line(&mut text, &topic.name, partition);
                }
            }
        }
    }
    text
}

fn head(text: &mut String, topic: &Topic) {
    let replication_factor = topic
        .partitions
        .first()
        .map_or(0, Partition::replication_factor);
    let mut configs: Vec<&Config> = topic.configs.iter().collect();
    java_order::sort(&mut configs, None, |config| &config.key);
    let configs: Vec<String> = configs
        .iter()
        .filter(|config| !config.is_default)
        .map(|config| {
            format!(
                "{}={}",
                config.key,
                config.value.as_deref().unwrap_or("null")
            )
        })
        .collect();
    let id = if topic.id.is_zero() {
        String::new()
    } else {
        format!("\tTopicId: {}", topic.id)
    };
    // Writing to a string cannot fail.
    writeln!(
        text,
        "Topic: {}{id}\tPartitionCount: {}\tReplicationFactor: {replication_factor}\tConfigs: {}",
        topic.name,
        topic.partitions.len(),
        configs.join(","),
    )
    .ok();
}

fn line(text: &mut String, topic: &str, partition: &Partition) {
    let leader = partition
        .leader
        .map_or_else(|| "none".to_owned(), |leader| leader.to_string());
    write!(
        text,
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
        partition.index,
        ids(&partition.replicas),
        ids(&partition.isr),
    )
    .ok();
    if let Some(moving) = &partition.reassignment {
        let (adding, removing) = (ids(&moving.adding), ids(&moving.removing));
        write!(
            text,
            "\tAdding Replicas: {adding}\tRemoving Replicas: {removing}"
        )
        .ok();
    }
    let or_unknown =
        |list: &Option<Vec<i32>>| list.as_deref().map_or_else(|| "N/A".to_owned(), ids);
    let (elr, last_known) = (
        or_unknown(&partition.elr),
        or_unknown(&partition.last_known_elr),
    );
    writeln!(text, "\tElr: {elr}\tLastKnownElr: {last_known}").ok();
}

fn ids(ids: &[i32]) -> String {
    let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
    ids.join(",")
}

impl Topic {
    fn min_isr(&self) -> Option<usize> {
        let config = self
            .configs
            .iter()
            .find(|config| config.key == "min.insync.replicas")?;
        config.value.as_ref()?.parse().ok()
    }
}

impl Partition {
    /// What it will be when a running reassignment is done: replicas that are being added do not count yet.
    fn replication_factor(&self) -> usize {
        match &self.reassignment {
            Some(moving)
                if self
                    .replicas
                    .iter()
                    .any(|id| moving.adding.contains(id) || moving.removing.contains(id)) =>
            {
                moving.replicas.len().saturating_sub(moving.adding.len())
            }
            _ => self.replicas.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(index: i32, isr: &[i32]) -> Partition {
        Partition {
            index,
            leader: isr.first().copied(),
            replicas: vec![1, 2, 3],
            isr: isr.to_vec(),
            elr: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            reassignment: None,
        }
    }

    fn topic(partitions: Vec<Partition>) -> Topic {
        let config = |key: &str, value: &str, is_default: bool| Config {
            key: key.to_owned(),
            value: Some(value.to_owned()),
            is_default,
        };
        let configs = vec![
            config("min.insync.replicas", "2", false),
            config("retention.ms", "1", true),
        ];
        Topic {
            name: "t".to_owned(),
            id: Uuid::METADATA_TOPIC,
            partitions,
            configs,
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
        let unknown = Partition {
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
        let none = Show::Partitions {
            under_replicated: false,
            unavailable: false,
            under_min_isr: false,
            at_min_isr: false,
        };
        let Show::Partitions { .. } = none else {
            return;
        };
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
