//! All producers of a partition as entries of a snapshot, and back.

use ottla_protocol::messages::internal::producer_snapshot::ProducerEntry;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use super::ProducerStates;
use super::producer::{BatchSeen, NO_SEQUENCE, ProducerState};

impl ProducerStates {
    /// Of each producer its last batch.
    #[must_use]
    pub fn to_entries(&self) -> Vec<ProducerEntry> {
        let entries = self.producers.iter().map(|(id, producer)| {
            let last = producer.batches.back();
            producer.entry(*id, last, producer.last_timestamp)
        });
        entries.collect()
    }

    /// What a snapshot keeps: of each producer all batches that are remembered, the last one last. Whoever takes one for each
    /// producer, as Apache Kafka does, so takes the last.
    #[must_use]
    pub fn to_snapshot(&self) -> Vec<ProducerEntry> {
        let mut entries = Vec::with_capacity(self.producers.len());
        for (id, producer) in &self.producers {
            let earlier = producer.batches.len().saturating_sub(1);
            for batch in producer.batches.iter().take(earlier) {
                entries.push(producer.entry(*id, Some(batch), batch.timestamp));
            }
            let last = producer.batches.back();
            entries.push(producer.entry(*id, last, producer.last_timestamp));
        }
        entries
    }

    /// The state that a snapshot kept.
    #[must_use]
    pub fn from_snapshot(entries: &[ProducerEntry]) -> Self {
        let mut states = Self::default();
        for entry in entries {
            let (id, epoch) = (ProducerId(entry.producer_id), ProducerEpoch(entry.epoch));
            let fresh = || ProducerState::new(epoch);
            let producer = states.producers.entry(id).or_insert_with(fresh);
            producer.enter_epoch(epoch);
            producer.last_timestamp = Millis(entry.timestamp);
            producer.coordinator_epoch = entry.coordinator_epoch;
            // A producer whose last word was a marker has no batch; one of a coordinator has no sequence.
            let is_batch = entry.last_offset >= 0 && entry.offset_delta >= 0;
            if is_batch && entry.last_sequence >= NO_SEQUENCE {
                producer.remember(BatchSeen {
                    last_sequence: entry.last_sequence,
                    last_offset: Offset(entry.last_offset),
                    offset_delta: entry.offset_delta,
                    timestamp: Millis(entry.timestamp),
                });
            }
            let start = Offset(entry.current_txn_first_offset);
            let start = (start >= Offset::ZERO).then_some(start);
            let before = std::mem::replace(&mut producer.transaction_start, start);
            states
                .open_transactions
                .extend(start.map(|start| (start, id)));
            if let Some(before) = before.filter(|before| Some(*before) != start) {
                states.open_transactions.remove(&(before, id));
            }
        }
        states
    }
}
