//! From what a file says and what the cluster has to what is to be done. Pure.
//!
//! Always: a plan for a cluster that is as the file says is empty; what cannot be done is a problem, and with one nothing is
//! done at all.

mod configs;
mod groups;
mod topics;

use std::collections::BTreeMap;

use ottla_client::admin::TopicPartition;
use ottla_protocol::types::BrokerId;

use super::file::Declared;
use super::present::Present;

pub(super) use configs::{ConfigChange, maybe};
pub(super) use groups::{GroupChange, OffsetChange, partitions_in_question};
pub(super) use topics::{ReplicaChange, TopicChange};

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
    /// Partitions with as many replicas as the file says, not all of which are in sync.
    pub(super) behind: Vec<TopicPartition>,
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
        self.names(|change| matches!(change, TopicChange::Delete { .. }))
    }

    /// Topics that are deleted and made anew.
    pub fn replacements(&self) -> Vec<&str> {
        self.names(|change| matches!(change, TopicChange::Replace { .. }))
    }

    fn names(&self, is_meant: impl Fn(&TopicChange) -> bool) -> Vec<&str> {
        let meant = self.topics.iter().filter(|change| is_meant(change));
        meant.map(TopicChange::name).collect()
    }
}

pub(super) fn plan(declared: &Declared, present: &Present, rules: Rules) -> Plan {
    let mut plan = Plan {
        cluster_id: present.cluster_id.clone(),
        ..Plan::default()
    };
    topics::plan(declared, present, rules, &mut plan);
    match plan.replacements().as_slice() {
        [] => groups::plan(declared, present, rules, &mut plan),
        // With a topic goes what groups have committed of it.
        gone => {
            let present = present.without(gone);
            groups::plan(declared, &present, rules, &mut plan);
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declare::present::PresentTopic;
    use crate::declare::replicas::Placed;

    /// A broker that has not heard of the end of a move shows all replicas already, and the old ones in sync.
    #[test]
    fn as_many_replicas_as_the_file_says_may_still_not_be_in_sync() {
        let mut declared = Declared::default();
        let file = "topics: {moved: {replication_factor: 2}}";
        declared.add("topics.yaml", file).unwrap();
        let placed = |partition, isr: &[i32], is_moving| Placed {
            partition,
            replicas: vec![BrokerId(1), BrokerId(2)],
            isr: isr.iter().copied().map(BrokerId).collect(),
            is_moving,
        };
        let topic = PresentTopic {
            partitions: 3,
            replication_factor: Some(2),
            placed: vec![
                placed(0, &[1], false),
                placed(1, &[2, 1], false),
                placed(2, &[1], true),
            ],
            ..PresentTopic::default()
        };
        let present = Present {
            names: [("moved".to_owned(), false)].into(),
            topics: [("moved".to_owned(), topic)].into(),
            ..Present::default()
        };
        let rules = Rules {
            prune: false,
            move_offsets: true,
        };
        let plan = plan(&declared, &present, rules);
        assert!(plan.is_empty() && plan.problems.is_empty(), "{plan:?}");
        assert_eq!(plan.behind, [TopicPartition::new("moved", 0)]);
        assert_eq!(plan.moving, [TopicPartition::new("moved", 2)]);
    }
}
