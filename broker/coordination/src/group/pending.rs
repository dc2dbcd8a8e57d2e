//! Offsets that transactions have sent and nobody has decided on: they count once the transaction is committed.
//!
//! Always: both orders tell the same, and no level of either is empty.
//! Not here: who may send them, and when transactions end.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::internal::OffsetCommitKey;
use ottla_protocol::types::ProducerId;

use super::state::CommittedOffset;

type Place = (String, i32);

/// All that are pending, by group and by producer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PendingOffsets {
    by_group: BTreeMap<String, BTreeMap<Place, BTreeMap<ProducerId, CommittedOffset>>>,
    by_producer: BTreeMap<ProducerId, BTreeSet<(String, Place)>>,
}

impl PendingOffsets {
    /// Whether the group has any.
    #[must_use]
    pub fn has_group(&self, group_id: &str) -> bool {
        self.by_group.contains_key(group_id)
    }

    /// Whether the offset committed for the partition may be another before long.
    #[must_use]
    pub fn has(&self, group_id: &str, topic: &str, partition: i32) -> bool {
        let Some(places) = self.by_group.get(group_id) else {
            return false;
        };
        places.contains_key(&(topic.to_owned(), partition))
    }

    /// The producers whose transactions are open.
    pub fn producers(&self) -> impl Iterator<Item = ProducerId> {
        self.by_producer.keys().copied()
    }

    /// The group's partitions, each with what transactions have sent for it.
    pub(super) fn of_group<'a>(
        &'a self,
        group_id: &str,
    ) -> impl Iterator<Item = (&'a str, i32, impl Iterator<Item = &'a CommittedOffset>)> {
        let places = self.by_group.get(group_id).into_iter().flatten();
        places.map(|((topic, partition), sent)| (topic.as_str(), *partition, sent.values()))
    }

    /// The groups that have any.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.by_group.keys().map(String::as_str)
    }

    pub(super) fn add(
        &mut self,
        producer_id: ProducerId,
        key: &OffsetCommitKey,
        sent: CommittedOffset,
    ) {
        let place = (key.topic.to_string(), key.partition);
        let of_producer = self.by_producer.entry(producer_id).or_default();
        of_producer.insert((key.group.to_string(), place.clone()));
        let places = self.by_group.entry(key.group.to_string()).or_default();
        places.entry(place).or_default().insert(producer_id, sent);
    }

    /// Takes out what the producer's transaction has sent: group, topic, partition and offset.
    pub(super) fn end(
        &mut self,
        producer_id: ProducerId,
    ) -> Vec<(String, String, i32, CommittedOffset)> {
        let sent = self.by_producer.remove(&producer_id).unwrap_or_default();
        let mut ended = Vec::with_capacity(sent.len());
        for (group_id, place) in sent {
            if let Some(offset) = self.take(&group_id, &place, producer_id) {
                ended.push((group_id, place.0, place.1, offset));
            }
        }
        ended
    }

    /// The partition's offset was deleted, and with it what would take its place.
    pub(super) fn forget(&mut self, group_id: &str, topic: &str, partition: i32) {
        let place = (topic.to_owned(), partition);
        let Some(sent) = self.by_group.get(group_id).and_then(|all| all.get(&place)) else {
            return;
        };
        let producers: Vec<ProducerId> = sent.keys().copied().collect();
        for producer_id in producers {
            self.take(group_id, &place, producer_id);
            if let Some(places) = self.by_producer.get_mut(&producer_id) {
                places.remove(&(group_id.to_owned(), place.clone()));
                if places.is_empty() {
                    self.by_producer.remove(&producer_id);
                }
            }
        }
    }

    fn take(
        &mut self,
        group_id: &str,
        place: &Place,
        producer_id: ProducerId,
    ) -> Option<CommittedOffset> {
        let places = self.by_group.get_mut(group_id)?;
        let sent = places.get_mut(place)?;
        let offset = sent.remove(&producer_id);
        if sent.is_empty() {
            places.remove(place);
        }
        if places.is_empty() {
            self.by_group.remove(group_id);
        }
        offset
    }
}
