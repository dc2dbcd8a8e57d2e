//! The topics, their partitions, and which of them a record goes to.

use std::{collections::HashMap, sync::Arc};

use ottla_protocol::types::BrokerId;

use super::Slot;
use crate::producer::{
    Partitioner, ProduceError, Record,
    partitioner::{Choice, PartitionInput, PartitionState},
};

#[derive(Debug)]
pub(super) struct TopicState {
    name: Arc<str>,
    /// By partition index.
    pub(super) slots: Vec<Slot>,
    pub(super) choice: PartitionState,
    /// Larger batches have been refused.
    pub(super) batch_bytes_max: usize,
}

/// Topics by name. Records for one topic mostly come in a row, so that the last one is looked at first.
#[derive(Debug, Default)]
pub(super) struct Topics {
    all: Vec<TopicState>,
    places: HashMap<Arc<str>, usize>,
    last: usize,
}

impl Topics {
    pub(super) fn find(&mut self, name: &str) -> Option<&mut TopicState> {
        if self
            .all
            .get(self.last)
            .is_none_or(|last| &*last.name != name)
        {
            self.last = *self.places.get(name)?;
        }
        self.all.get_mut(self.last)
    }

    pub(super) fn find_or_add(&mut self, name: &Arc<str>) -> &mut TopicState {
        let place = *self.places.entry(name.clone()).or_insert(self.all.len());
        if place == self.all.len() {
            self.all.push(TopicState::new(name.clone()));
        }
        &mut self.all[place]
    }

    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.all.iter().map(|topic| topic.name.clone()).collect()
    }
}

impl TopicState {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            slots: Vec::new(),
            choice: PartitionState::default(),
            batch_bytes_max: usize::MAX,
        }
    }

    /// Records without a key go to partitions that have a leader, as long as any has.
    pub(super) fn set_leaders(&mut self, leaders: &[Option<BrokerId>]) {
        let with_leader = (0..).zip(leaders).filter(|(_, leader)| leader.is_some());
        let mut available: Vec<i32> = with_leader.map(|(index, _)| index).collect();
        if available.is_empty() {
            available = (0..).zip(leaders).map(|(index, _)| index).collect();
        }
        self.choice.set_available(available);
    }

    /// The partition's index, and whether it is the sticky one.
    pub(super) fn choose(&mut self, partitioner: &Partitioner, record: &Record<'_>) -> (i32, bool) {
        if let Some(partition) = record.partition {
            return (partition, false);
        }
        let input = PartitionInput {
            topic: record.topic,
            key: record.key,
            value: record.value,
            partitions: self.count(),
        };
        match self.choice.choose(partitioner, &input) {
            Choice::Fixed(index) => (index, false),
            Choice::Sticky(index) => (index, true),
        }
    }

    pub(super) fn slot(&self, partition: i32) -> Result<Slot, ProduceError> {
        let found = usize::try_from(partition)
            .ok()
            .and_then(|index| self.slots.get(index));
        found.copied().ok_or_else(|| ProduceError::NoSuchPartition {
            topic: self.name.to_string(),
            partition,
            count: self.count(),
        })
    }

    fn count(&self) -> i32 {
        i32::try_from(self.slots.len()).unwrap_or(i32::MAX)
    }
}
