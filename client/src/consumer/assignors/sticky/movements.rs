//! Which partitions were moved from whom to whom, so that none of a topic goes one way while another comes back.

use std::collections::BTreeMap;

use super::{
    hash_order::{bucket, capacity, hash_of, hash_of_partition},
    layout::{Layout, M, P, T},
};

/// From one member to another.
type Way = (M, M);

#[derive(Debug, Default)]
pub(super) struct Movements {
    by_topic: BTreeMap<(T, Way), Moved>,
    by_partition: BTreeMap<P, Way>,
}

/// Partitions of one topic that went one way, each with its hash.
#[derive(Debug, Default)]
struct Moved {
    partitions: Vec<(P, i32)>,
    count_max: usize,
}

impl Moved {
    fn first(&self) -> Option<P> {
        let capacity = capacity(self.count_max);
        let partitions = self.partitions.iter();
        let first = partitions.min_by_key(|(_, hash)| bucket(*hash, capacity));
        first.map(|(p, _)| *p)
    }
}

impl Movements {
    /// The partition to be moved instead of this one: where one of its topic went the other way, that one goes back.
    pub(super) fn instead(&self, layout: &Layout<'_>, p: P, from: M, to: M) -> P {
        let from = self.by_partition.get(&p).map_or(from, |(first, _)| *first);
        let back = self.by_topic.get(&(layout.topic_of(p), (to, from)));
        back.and_then(Moved::first).unwrap_or(p)
    }

    pub(super) fn note(&mut self, layout: &Layout<'_>, p: P, from: M, to: M) {
        let topic = layout.topic_of(p);
        let way = match self.by_partition.remove(&p) {
            Some(before) => {
                self.forget(topic, before, p);
                (before.0, to)
            }
            None => (from, to),
        };
        if way.0 == way.1 {
            return;
        }
        self.by_partition.insert(p, way);
        let moved = self.by_topic.entry((topic, way)).or_default();
        let hash = hash_of_partition(hash_of(layout.topics[topic].name), layout.index_of(p));
        moved.partitions.push((p, hash));
        moved.count_max = moved.count_max.max(moved.partitions.len());
    }

    fn forget(&mut self, topic: T, way: Way, p: P) {
        if let Some(moved) = self.by_topic.get_mut(&(topic, way)) {
            moved.partitions.retain(|(known, _)| *known != p);
            if moved.partitions.is_empty() {
                self.by_topic.remove(&(topic, way));
            }
        }
    }
}
