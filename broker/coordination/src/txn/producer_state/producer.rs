//! One producer, as a partition remembers it: its epoch, its last batches, and where its transaction begins.

use std::collections::VecDeque;

use ottla_protocol::messages::internal::producer_snapshot::ProducerEntry;
use ottla_protocol::records::batch::sequence_after;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use super::{Duplicate, ProducerBatch};

/// As many as a producer may have in flight without losing its order.
const BATCHES_REMEMBERED: usize = 5;
pub(super) const NO_SEQUENCE: i32 = -1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProducerState {
    pub(super) epoch: ProducerEpoch,
    pub(super) batches: VecDeque<BatchSeen>,
    pub(super) last_timestamp: Millis,
    pub(super) coordinator_epoch: i32,
    pub(super) transaction_start: Option<Offset>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchSeen {
    pub(super) last_sequence: i32,
    pub(super) last_offset: Offset,
    pub(super) offset_delta: i32,
    pub(super) timestamp: Millis,
}

impl BatchSeen {
    pub(super) fn first_sequence(&self) -> i32 {
        sequence_after(self.last_sequence, -self.offset_delta)
    }

    pub(super) fn base_offset(&self) -> Offset {
        Offset(
            self.last_offset
                .0
                .saturating_sub(i64::from(self.offset_delta)),
        )
    }
}

impl ProducerState {
    pub(super) fn new(epoch: ProducerEpoch) -> Self {
        Self {
            epoch,
            batches: VecDeque::new(),
            last_timestamp: Millis(-1),
            coordinator_epoch: -1,
            transaction_start: None,
        }
    }

    pub(super) fn enter_epoch(&mut self, epoch: ProducerEpoch) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    pub(super) fn remember(&mut self, batch: BatchSeen) {
        if self.batches.len() == BATCHES_REMEMBERED {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
    }

    pub(super) fn entry(
        &self,
        id: ProducerId,
        batch: Option<&BatchSeen>,
        timestamp: Millis,
    ) -> ProducerEntry {
        ProducerEntry {
            producer_id: id.0,
            epoch: self.epoch.0,
            last_sequence: batch.map_or(NO_SEQUENCE, |batch| batch.last_sequence),
            last_offset: batch.map_or(-1, |batch| batch.last_offset.0),
            offset_delta: batch.map_or(0, |batch| batch.offset_delta),
            timestamp: timestamp.0,
            coordinator_epoch: self.coordinator_epoch,
            current_txn_first_offset: self.transaction_start.map_or(-1, |start| start.0),
            ..Default::default()
        }
    }

    /// With what a batch has to begin.
    pub(super) fn next_sequence(&self, batch: &ProducerBatch) -> i32 {
        match self.batches.back() {
            Some(last) if batch.producer_epoch == self.epoch => {
                sequence_after(last.last_sequence, 1).max(0)
            }
            _ => 0,
        }
    }

    pub(super) fn find_duplicate(&self, batch: &ProducerBatch) -> Option<Duplicate> {
        if batch.producer_epoch != self.epoch {
            return None;
        }
        let seen = self.batches.iter().find(|seen| {
            seen.first_sequence() == batch.first_sequence
                && seen.last_sequence == batch.last_sequence
        })?;
        Some(Duplicate {
            base_offset: seen.base_offset(),
            last_offset: seen.last_offset,
            timestamp: seen.timestamp,
        })
    }
}
