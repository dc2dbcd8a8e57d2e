//! What one partition remembers of its idempotent and transactional producers (KIP-98).
//!
//! Owns: epoch and sequence checks, the last five batches of each producer for telling duplicates, where transactions
//! begin and what their markers end, the first unstable offset, expiry.
//! Always: the remembered batches of a producer are of its current epoch, in order and without gaps; a sequence
//! number follows 2^31-1 with 0; `check` and `check_marker` change nothing, `apply` and `apply_marker` believe what is on the log.
//! Not here: whether a coordinator may decide, the bytes of the snapshot and the transaction index.

mod producer;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use super::FENCES_STAND;
use super::coordinator::TransactionVersion;
use super::verification::{Askings, Verification};
use producer::{BatchSeen, ProducerState};

/// A batch with a producer id, as its header tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub first_sequence: i32,
    pub last_sequence: i32,
    /// Last offset minus base offset.
    pub offset_delta: i32,
    pub max_timestamp: Millis,
    pub is_transactional: bool,
}

/// The end of a producer's transaction, as a control batch on the log tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnMarker {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    /// Else aborted.
    pub committed: bool,
    pub coordinator_epoch: i32,
    pub timestamp: Millis,
}

/// A transaction whose marker is on the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTxn {
    pub producer_id: ProducerId,
    pub committed: bool,
    pub first_offset: Offset,
    /// Offset of the marker.
    pub last_offset: Offset,
    /// Where the first transaction of another producer that is still open begins, else behind the marker: what the
    /// transaction index keeps with an aborted one. The high watermark plays no part in it.
    pub last_stable_offset: Offset,
}

/// Who brings a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Client(Verification),
    /// A coordinator on behalf of a producer (TxnOffsetCommit): its batches have no sequence, and none is a duplicate.
    Coordinator(Verification),
}

/// Whether a batch may be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Append,
    /// It is on the log already: the producer gets the answer that it missed.
    Duplicate(Duplicate),
}

/// Where a batch was appended the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub base_offset: Offset,
    pub last_offset: Offset,
    pub timestamp: Millis,
}

/// All producers of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerStates {
    producers: BTreeMap<ProducerId, ProducerState>,
    /// First offsets of open transactions.
    open_transactions: BTreeSet<(Offset, ProducerId)>,
    /// First offsets of transactions whose markers the high watermark has not passed yet, with the markers' offsets.
    unreplicated: BTreeMap<(Offset, ProducerId), Offset>,
    askings: Askings,
}

impl ProducerStates {
    /// Decides about a batch that is to be appended.
    pub fn check(&self, batch: &ProducerBatch, origin: Origin) -> Result<Verdict, ErrorCode> {
        let producer = self.producers.get(&batch.producer_id);
        if let (Origin::Client(_), Some(producer)) = (origin, producer)
            && let Some(duplicate) = producer.find_duplicate(batch)
        {
            return Ok(Verdict::Duplicate(duplicate));
        }
        if FENCES_STAND && producer.is_some_and(|it| batch.producer_epoch < it.epoch) {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        let (Origin::Client(verification) | Origin::Coordinator(verification)) = origin;
        if batch.is_transactional && !self.is_open(batch) {
            self.askings.check(batch, verification)?;
        }
        if let Origin::Client(_) = origin {
            self.check_sequence(batch, producer)?;
        }
        let is_open = producer.is_some_and(|producer| producer.transaction_start.is_some());
        if is_open && !batch.is_transactional {
            return Err(ErrorCode::InvalidTxnState);
        }
        Ok(Verdict::Append)
    }

    fn check_sequence(
        &self,
        batch: &ProducerBatch,
        producer: Option<&ProducerState>,
    ) -> Result<(), ErrorCode> {
        // A producer may outlive what we remember of it (expiry, retention): any sequence starts it (KIP-360).
        let follows = producer.is_none_or(|it| batch.first_sequence == it.next_sequence(batch));
        let is_unknown = producer.is_none_or(|it| it.batches.is_empty());
        let leaves_gap = batch.is_transactional && self.askings.leaves_gap(batch, is_unknown);
        match follows && !leaves_gap {
            true => Ok(()),
            false => Err(ErrorCode::OutOfOrderSequenceNumber),
        }
    }

    /// Whether the batch's transaction is open here.
    fn is_open(&self, batch: &ProducerBatch) -> bool {
        self.producers
            .get(&batch.producer_id)
            .is_some_and(|it| it.transaction_start.is_some() && it.epoch == batch.producer_epoch)
    }

    /// What a batch can show for its transaction. With a guard, the coordinator is to be asked before the
    /// batch is appended.
    pub fn begin_verification(
        &mut self,
        batch: &ProducerBatch,
        supports_epoch_bump: bool,
        now: Millis,
    ) -> Result<Verification, ErrorCode> {
        let producer = self.producers.get(&batch.producer_id);
        if FENCES_STAND && producer.is_some_and(|it| batch.producer_epoch < it.epoch) {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if self.is_open(batch) {
            return Ok(Verification::Open);
        }
        let guard = self.askings.begin(batch, supports_epoch_bump, now);
        Ok(Verification::Asked(guard))
    }

    /// Whether the coordinator is being asked about a producer. These states alone know of that: a batch that comes back with
    /// a guard is refused by states that were read from the log anew.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        !self.askings.is_empty()
    }

    /// All that is known of a producer, for who looks into a refusal.
    #[must_use]
    pub fn told_of(&self, producer_id: ProducerId) -> impl Debug {
        (
            self.producers.get(&producer_id),
            self.askings.told_of(producer_id),
        )
    }

    /// Remembers a batch that is on the log at `base_offset`: after `check`, or when reading the log.
    pub fn apply(&mut self, batch: &ProducerBatch, base_offset: Offset) {
        let producer = self
            .producers
            .entry(batch.producer_id)
            .or_insert_with(|| ProducerState::new(batch.producer_epoch));
        producer.enter_epoch(batch.producer_epoch);
        producer.remember(BatchSeen {
            last_sequence: batch.last_sequence,
            last_offset: base_offset.plus(i64::from(batch.offset_delta)),
            offset_delta: batch.offset_delta,
            timestamp: batch.max_timestamp,
        });
        producer.last_timestamp = batch.max_timestamp;
        if batch.is_transactional {
            self.askings.appended(batch.producer_id);
        }
        if batch.is_transactional && producer.transaction_start.is_none() {
            producer.transaction_start = Some(base_offset);
            self.open_transactions
                .insert((base_offset, batch.producer_id));
        }
    }

    /// Decides about a marker that a coordinator wants written. With KIP-890 it begins a new epoch, so that one which
    /// comes late can't end the next transaction; one that comes again, when its own has ended, may (KIP-1228).
    pub fn check_marker(
        &self,
        marker: &TxnMarker,
        version: TransactionVersion,
    ) -> Result<(), ErrorCode> {
        let Some(producer) = self.producers.get(&marker.producer_id) else {
            return Ok(());
        };
        let is_same = marker.producer_epoch == producer.epoch;
        let is_late = if version.supports_epoch_bump() && is_same {
            producer.transaction_start.is_some() && marker.producer_epoch.0 != i16::MAX
        } else {
            marker.producer_epoch < producer.epoch
        };
        if is_late {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if marker.coordinator_epoch < producer.coordinator_epoch {
            return Err(ErrorCode::TransactionCoordinatorFenced);
        }
        Ok(())
    }

    /// The transaction that a marker ends which is on the log at `offset`. One of a producer that wrote nothing here, or
    /// ended its transaction already, ends none.
    #[must_use]
    pub fn completed_by(&self, marker: &TxnMarker, offset: Offset) -> Option<CompletedTxn> {
        let producer_id = marker.producer_id;
        let first_offset = self.producers.get(&producer_id)?.transaction_start?;
        let mut open = self.open_transactions.iter();
        let next_open = open.find(|(_, id)| *id != producer_id);
        Some(CompletedTxn {
            producer_id,
            committed: marker.committed,
            first_offset,
            last_offset: offset,
            last_stable_offset: next_open.map_or(offset.next(), |(first, _)| *first),
        })
    }

    /// Remembers a marker that is on the log at `offset`, and tells which transaction it ended.
    pub fn apply_marker(&mut self, marker: &TxnMarker, offset: Offset) -> Option<CompletedTxn> {
        let completed = self.completed_by(marker, offset);
        self.askings
            .ended(marker.producer_id, marker.producer_epoch);
        let producer = self
            .producers
            .entry(marker.producer_id)
            .or_insert_with(|| ProducerState::new(marker.producer_epoch));
        // The coordinator fences a producer by ending its transaction in a higher epoch.
        producer.enter_epoch(marker.producer_epoch);
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_timestamp = marker.timestamp;
        producer.transaction_start = None;
        if let Some(txn) = &completed {
            let txn = (txn.first_offset, txn.producer_id);
            self.open_transactions.remove(&txn);
            self.unreplicated.insert(txn, offset);
        }
        completed
    }

    /// Takes note that everything below the high watermark is decided for good.
    pub fn high_watermark_at(&mut self, high_watermark: Offset) {
        self.unreplicated
            .retain(|_, marker| *marker >= high_watermark);
    }

    /// Where the first transaction begins that is open, or whose marker may still be lost: readers of committed records
    /// stop there.
    #[must_use]
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let open = self.open_transactions.first();
        let unreplicated = self.unreplicated.keys().next();
        open.into_iter()
            .chain(unreplicated)
            .min()
            .map(|(first, _)| *first)
    }

    /// Forgets producers that have been silent for `expiration_ms` and have no open transaction.
    pub fn expire(&mut self, now: Millis, expiration_ms: i64) {
        self.askings.expire(now, expiration_ms);
        self.producers.retain(|_, producer| {
            producer.transaction_start.is_some()
                || now.0.saturating_sub(producer.last_timestamp.0) < expiration_ms
        });
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }
}
