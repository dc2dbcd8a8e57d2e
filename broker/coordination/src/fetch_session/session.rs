//! One session: its partitions, the order in which to read them, and which of them need no look.
//!
//! Always: a partition has one place, which only changes when it gives records; the places in `due` are places of
//! partitions, and what is not due was read to its end, told, and has not changed since as far as the caller knows.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::types::Millis;

use super::{
    FetchPartition, INITIAL_EPOCH, PartitionKey, PartitionResult, TopicNaming, next_epoch,
};

/// What makes a session worth keeping: a follower's, then one with many partitions.
pub(super) type Worth = (bool, usize, i32);

#[derive(Debug)]
pub(super) struct Session<W> {
    pub(super) naming: TopicNaming,
    pub(super) is_follower: bool,
    pub(super) created: Millis,
    pub(super) last_used: Millis,
    pub(super) epoch: i32,
    pub(super) worth: Worth,
    pub(super) watch: W,
    pub(super) partitions: BTreeMap<PartitionKey, CachedPartition>,
    order: BTreeMap<u64, PartitionKey>,
    /// Places of the partitions that the next fetch has to look at.
    due: BTreeSet<u64>,
    next_place: u64,
}

#[derive(Debug)]
pub(super) struct CachedPartition {
    request: FetchPartition,
    place: u64,
    high_watermark: i64,
    log_start_offset: i64,
}

impl<W> Session<W> {
    pub(super) fn new(
        id: i32,
        naming: TopicNaming,
        is_follower: bool,
        now: Millis,
        watch: W,
    ) -> Self {
        Self {
            naming,
            is_follower,
            created: now,
            last_used: now,
            epoch: next_epoch(INITIAL_EPOCH),
            worth: (is_follower, 0, id),
            watch,
            partitions: BTreeMap::new(),
            order: BTreeMap::new(),
            due: BTreeSet::new(),
            next_place: 0,
        }
    }

    /// Takes in what the client wants of a partition, which is looked at with the next fetch, whatever was known of it.
    pub(super) fn add(&mut self, request: &FetchPartition) -> &mut CachedPartition {
        let (order, next_place) = (&mut self.order, &mut self.next_place);
        let cached = self
            .partitions
            .entry(request.key.detached())
            .or_insert_with_key(|key| {
                let place = *next_place;
                *next_place += 1;
                order.insert(place, key.clone());
                CachedPartition {
                    request: FetchPartition {
                        key: key.clone(),
                        ..request.clone()
                    },
                    place,
                    high_watermark: -1,
                    log_start_offset: -1,
                }
            });
        cached.request = FetchPartition {
            key: cached.request.key.clone(),
            ..request.clone()
        };
        self.due.insert(cached.place);
        cached
    }

    pub(super) fn forget(&mut self, key: &PartitionKey) {
        if let Some(cached) = self.partitions.remove(key) {
            self.order.remove(&cached.place);
            self.due.remove(&cached.place);
        }
    }

    /// What was at these places has changed. A partition that has left its place meanwhile is due for that reason.
    pub(super) fn changed(&mut self, places: &[u64]) {
        let held = places.iter().filter(|place| self.order.contains_key(place));
        self.due.extend(held);
    }

    /// Takes in what was found of a partition; says whether the client is to be told.
    pub(super) fn note(&mut self, key: &PartitionKey, result: &PartitionResult) -> bool {
        let Some(cached) = self.partitions.get_mut(key) else {
            return true;
        };
        if result.has_records {
            let from = std::mem::replace(&mut cached.place, self.next_place);
            self.next_place += 1;
            if let Some(key) = self.order.remove(&from) {
                self.order.insert(cached.place, key);
            }
            self.due.remove(&from);
            self.due.insert(cached.place);
        } else if result.is_settled {
            self.due.remove(&cached.place);
        }
        cached.note(result)
    }

    /// What is due, in order, each with its place.
    pub(super) fn due(&self) -> (Vec<FetchPartition>, Vec<u64>) {
        let wanted = self.due.iter().filter_map(|place| {
            let key = self.order.get(place)?;
            Some((self.partitions.get(key)?.request.clone(), *place))
        });
        wanted.unzip()
    }
}

impl CachedPartition {
    /// Takes note of what the client is about to be told; says whether there is anything.
    pub(super) fn note(&mut self, result: &PartitionResult) -> bool {
        let news = result.has_records
            || result.must_tell
            || result.error.is_err()
            || self.high_watermark != result.high_watermark
            || self.log_start_offset != result.log_start_offset;
        // After an error the partition is told again, whatever its high watermark.
        self.high_watermark = if result.error.is_err() {
            -1
        } else {
            result.high_watermark
        };
        self.log_start_offset = result.log_start_offset;
        news
    }
}
