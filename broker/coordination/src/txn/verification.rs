//! Producers of whom the coordinator is being asked whether a partition is in their transaction (KIP-890).
//!
//! Always: a guard is good for the first batch of one transaction; the marker of an earlier one takes it back, so that no
//! answer of the coordinator counts that a marker has overtaken.
//! Not here: the asking. Nothing of it outlives a restart: the producer's next request begins anew.

use std::collections::BTreeMap;
use std::fmt::Debug;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};

use super::producer_state::ProducerBatch;

/// What a batch shows for its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Nothing, and nothing is asked for.
    Waived,
    /// The transaction was open here when the request came.
    Open,
    /// The coordinator was asked under this guard.
    Asked(Guard),
}

/// Tells one asking from all others of the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard(u64);

/// The askings of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Askings {
    by_producer: BTreeMap<ProducerId, Asking>,
    last: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Asking {
    guard: Guard,
    /// The lowest that came: a later batch must not be appended before it, or it never could be.
    lowest_sequence: i32,
    epoch: ProducerEpoch,
    supports_epoch_bump: bool,
    begun: Millis,
}

impl Askings {
    /// The guard under which the coordinator is asked for the producer, the same until a batch or a marker comes.
    pub(super) fn begin(
        &mut self,
        batch: &ProducerBatch,
        supports_epoch_bump: bool,
        now: Millis,
    ) -> Guard {
        let last = &mut self.last;
        let asking = self
            .by_producer
            .entry(batch.producer_id)
            .or_insert_with(|| {
                *last += 1;
                Asking {
                    guard: Guard(*last),
                    lowest_sequence: batch.first_sequence,
                    epoch: batch.producer_epoch,
                    supports_epoch_bump,
                    begun: now,
                }
            });
        if batch.producer_epoch > asking.epoch {
            asking.epoch = batch.producer_epoch;
            asking.lowest_sequence = batch.first_sequence;
        } else if batch.producer_epoch == asking.epoch {
            asking.lowest_sequence = asking.lowest_sequence.min(batch.first_sequence);
        }
        asking.guard
    }

    /// Whether the first batch of a transaction may be appended.
    pub(super) fn check(
        &self,
        batch: &ProducerBatch,
        verification: Verification,
    ) -> Result<(), ErrorCode> {
        let asking = self.by_producer.get(&batch.producer_id);
        let is_verified = match verification {
            Verification::Waived => true,
            Verification::Open => false,
            Verification::Asked(guard) => asking.is_some_and(|asking| asking.guard == guard),
        };
        match is_verified {
            true => Ok(()),
            false => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// Whether a batch leaves out what the producer has sent before it, as far as the askings tell. A producer of whom
    /// nothing is known begins with 0 where every transaction has an epoch of its own.
    pub(super) fn leaves_gap(&self, batch: &ProducerBatch, is_unknown: bool) -> bool {
        let Some(asking) = self.by_producer.get(&batch.producer_id) else {
            return false;
        };
        let is_first = asking.supports_epoch_bump && is_unknown;
        batch.first_sequence > asking.lowest_sequence || (is_first && batch.first_sequence != 0)
    }

    /// The transaction is open here from now on, and its state tells the rest.
    pub(super) fn appended(&mut self, producer_id: ProducerId) {
        self.by_producer.remove(&producer_id);
    }

    /// The transaction has ended, and what is being asked for a later one stands: one of a higher epoch, and, where the marker
    /// has the epoch in which the next one begins (KIP-890), one of its own.
    pub(super) fn ended(&mut self, producer_id: ProducerId, epoch: ProducerEpoch) {
        let is_of_next = |asking: &Asking| {
            asking.epoch > epoch || (asking.supports_epoch_bump && asking.epoch == epoch)
        };
        if !self.by_producer.get(&producer_id).is_some_and(is_of_next) {
            self.by_producer.remove(&producer_id);
        }
    }

    /// For who looks into a refusal.
    pub(super) fn told_of(&self, producer_id: ProducerId) -> impl Debug {
        self.by_producer.get(&producer_id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_producer.is_empty()
    }

    pub(super) fn expire(&mut self, now: Millis, expiration_ms: i64) {
        self.by_producer
            .retain(|_, asking| now.0.saturating_sub(asking.begun.0) < expiration_ms);
    }
}
