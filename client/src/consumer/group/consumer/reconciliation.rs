//! From the assignment a member has to the one the coordinator wants it to have.
//!
//! Pure. Always: one reconciliation at a time; what is acknowledged is what the consumer owns. Topics come as ids: those
//! whose names are not known yet wait, the others don't wait for them.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::{
    messages::api::consumer_group_heartbeat::{
        request::TopicPartitions as Owned, response::TopicPartitions as Assigned,
    },
    wire::Uuid,
};

use crate::admin::TopicPartition;

/// Partitions by topic id.
type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// An assignment, and the how manyth of the coordinator's it is: the same partitions in a later round are to be
/// acknowledged again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    number: u64,
    partitions: Partitions,
}

impl Round {
    pub(super) fn to_wire(&self) -> Vec<Owned> {
        let topic = |(id, partitions): (&Uuid, &BTreeSet<i32>)| Owned {
            topic_id: *id,
            partitions: partitions.iter().copied().collect(),
            ..Default::default()
        };
        self.partitions.iter().map(topic).collect()
    }
}

#[derive(Debug, Default)]
pub(super) struct Reconciliation {
    target: Option<Round>,
    /// What the consumer is at work on.
    under_way: Option<Round>,
    current: Option<Round>,
    /// Of the topics in `target` and `current`, as far as they are known.
    names: BTreeMap<Uuid, String>,
}

impl Reconciliation {
    /// The coordinator wants the member to have these partitions.
    pub(super) fn aim_at(&mut self, assigned: Vec<Assigned>) {
        let mut partitions = Partitions::new();
        for topic in assigned {
            let indexes = partitions.entry(topic.topic_id).or_default();
            indexes.extend(topic.partitions);
        }
        let before = self.target.as_ref();
        if before.is_some_and(|target| target.partitions == partitions) {
            return;
        }
        let number = before.map_or(0, |target| target.number + 1);
        self.target = Some(Round { number, partitions });
    }

    /// The partitions the consumer is to have next, where that differs from what it has.
    pub(super) fn begin(
        &mut self,
        name_of: impl Fn(Uuid) -> Option<String>,
    ) -> Option<Vec<TopicPartition>> {
        let target = self.target.as_ref()?;
        if self.under_way.is_some() || self.current.as_ref() == Some(target) {
            return None;
        }
        for id in target.partitions.keys() {
            if let Some(name) = name_of(*id) {
                self.names.insert(*id, name);
            }
        }
        let named = |(id, _): &(&Uuid, &BTreeSet<i32>)| self.names.contains_key(*id);
        let partitions: Partitions = target
            .partitions
            .iter()
            .filter(named)
            .map(|(id, indexes)| (*id, indexes.clone()))
            .collect();
        let round = Round {
            number: target.number,
            partitions,
        };
        match &self.current {
            Some(current) if current.partitions == round.partitions => {
                self.current = Some(round);
                return None;
            }
            // A first assignment of nothing would be news, and wrong.
            None if round.partitions.is_empty() && !target.partitions.is_empty() => return None,
            _ => {}
        }
        let wanted = self.by_name(&round);
        self.under_way = Some(round);
        Some(wanted)
    }

    fn by_name(&self, round: &Round) -> Vec<TopicPartition> {
        let mut partitions = Vec::new();
        for (id, indexes) in &round.partitions {
            let Some(name) = self.names.get(id) else {
                continue;
            };
            partitions.extend(
                indexes
                    .iter()
                    .map(|index| TopicPartition::new(name, *index)),
            );
        }
        partitions.sort();
        partitions
    }

    /// The consumer has what `begin` said.
    pub(super) fn done(&mut self) {
        if let Some(round) = self.under_way.take() {
            let target = self.target.as_ref();
            let is_assigned = |id: &Uuid| {
                round.partitions.contains_key(id)
                    || target.is_some_and(|target| target.partitions.contains_key(id))
            };
            self.names.retain(|id, _| is_assigned(id));
            self.current = Some(round);
        }
    }

    /// What the consumer owns; none before the first assignment.
    pub(super) fn current(&self) -> Option<&Round> {
        self.current.as_ref()
    }

    /// Topics that can't be taken over as long as nobody knows their names.
    pub(super) fn nameless(&self) -> Vec<Uuid> {
        let target = self
            .target
            .iter()
            .flat_map(|target| target.partitions.keys());
        target
            .filter(|id| !self.names.contains_key(*id))
            .copied()
            .collect()
    }
}
