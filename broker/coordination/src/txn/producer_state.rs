//! What one partition remembers of its idempotent and transactional producers (KIP-98).
//!
//! Owns: epoch and sequence checks, the last five batches of each producer for telling duplicates, where transactions
//! begin and what their markers end, the first unstable offset, expiry.
//! Always: the remembered batches of a producer are of its current epoch, in order and without gaps; a sequence
//! number follows 2^31-1 with 0; `check` and `check_marker` change nothing, `apply` and `apply_marker` believe what is on the log.
//! Not here: whether a coordinator may decide, the bytes of the snapshot and the
//! transaction index.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::internal::producer_snapshot::ProducerEntry;
use ottla_protocol::records::batch::sequence_after;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use super::FENCES_STAND;
use super::coordinator::TransactionVersion;
use super::verification::{Askings, Verification};

/// As many as a producer may have in flight without losing its order.
const BATCHES_REMEMBERED: usize = 5;
const NO_SEQUENCE: i32 = -1;

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

#[derive(Clone, Debug, PartialEq, Eq)]
struct ProducerState {
    epoch: ProducerEpoch,
    batches: VecDeque<BatchSeen>,
    last_timestamp: Millis,
    coordinator_epoch: i32,
    transaction_start: Option<Offset>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BatchSeen {
    last_sequence: i32,
    last_offset: Offset,
    offset_delta: i32,
    timestamp: Millis,
}

impl BatchSeen {
    fn first_sequence(&self) -> i32 {
        sequence_after(self.last_sequence, -self.offset_delta)
    }

    fn base_offset(&self) -> Offset {
        Offset(
            self.last_offset
                .0
                .saturating_sub(i64::from(self.offset_delta)),
        )
    }
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

impl ProducerState {
    fn new(epoch: ProducerEpoch) -> Self {
        Self {
            epoch,
            batches: VecDeque::new(),
            last_timestamp: Millis(-1),
            coordinator_epoch: -1,
            transaction_start: None,
        }
    }

    fn enter_epoch(&mut self, epoch: ProducerEpoch) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    fn remember(&mut self, batch: BatchSeen) {
        if self.batches.len() == BATCHES_REMEMBERED {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
    }

    fn entry(&self, id: ProducerId, batch: Option<&BatchSeen>, timestamp: Millis) -> ProducerEntry {
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
    fn next_sequence(&self, batch: &ProducerBatch) -> i32 {
        match self.batches.back() {
            Some(last) if batch.producer_epoch == self.epoch => {
                sequence_after(last.last_sequence, 1).max(0)
            }
            _ => 0,
        }
    }

    fn find_duplicate(&self, batch: &ProducerBatch) -> Option<Duplicate> {
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
