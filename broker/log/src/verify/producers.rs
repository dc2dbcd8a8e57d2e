//! What the batches of a log say of their producers and transactions, to hold snapshots and transaction indexes
//! against and to make them anew.
//!
//! Not here: whether a producer was allowed to write what it wrote.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::records::control::EndTxnMarker;
use ottla_protocol::records::{BatchHeader, Records};
use ottla_protocol::types::{Offset, ProducerId};

use crate::producer_snapshot::ProducerEntry;
use crate::txn_index::AbortedTxn;

/// More producers than a partition can have; beyond it they are not followed any more.
const PRODUCERS_MAX: usize = 1 << 20;
const NONE: Offset = Offset(-1);

#[derive(Debug, Default)]
pub(crate) struct Producers {
    known: BTreeMap<ProducerId, ProducerEntry>,
    open: BTreeSet<(Offset, ProducerId)>,
    pub(crate) too_many: bool,
}

/// An abort marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aborted {
    Known(AbortedTxn),
    /// Nothing of the transaction is on the log, or no longer: it has an entry only if something was.
    Unknown {
        producer_id: ProducerId,
        last_offset: Offset,
    },
}

impl Producers {
    /// A batch of records. Control batches go to `on_marker`.
    pub(crate) fn on_batch(&mut self, header: &BatchHeader) {
        if !header.has_producer_id() || self.is_full(header.producer_id) {
            return;
        }
        let entry = self.enter(header);
        entry.last_sequence = header.last_sequence();
        entry.last_offset = header.last_offset();
        entry.offset_delta = header.last_offset_delta;
        entry.timestamp = header.max_timestamp;
        if header.is_transactional() && entry.current_txn_first_offset == NONE {
            entry.current_txn_first_offset = header.base_offset;
            self.open.insert((header.base_offset, header.producer_id));
        }
    }

    /// A control batch, given as all of its bytes. `Err`: it is none that can be understood.
    pub(crate) fn on_marker(
        &mut self,
        header: &BatchHeader,
        batch: Bytes,
    ) -> Result<Option<Aborted>, ()> {
        if !header.has_producer_id() || self.is_full(header.producer_id) {
            return Ok(None);
        }
        if header.record_count == 0 {
            // The cleaner keeps a producer's last batch after its records are gone.
            self.enter(header);
            return Ok(None);
        }
        let records = Records::open(&batch, InflateLimits::STRICT).map_err(drop)?;
        let record = records.iter().next().ok_or(())?.map_err(drop)?;
        let marker = EndTxnMarker::from_record(&record)
            .map_err(drop)?
            .ok_or(())?;
        let entry = self.enter(header);
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.timestamp = record.timestamp;
        let first_offset = std::mem::replace(&mut entry.current_txn_first_offset, NONE);
        let (producer_id, last_offset) = (header.producer_id, header.base_offset);
        self.open.remove(&(first_offset, producer_id));
        if marker.committed {
            return Ok(None);
        }
        if first_offset == NONE {
            return Ok(Some(Aborted::Unknown {
                producer_id,
                last_offset,
            }));
        }
        let last_stable_offset = self
            .open
            .first()
            .map_or(last_offset.next(), |(first, _)| *first);
        Ok(Some(Aborted::Known(AbortedTxn {
            producer_id,
            first_offset,
            last_offset,
            last_stable_offset,
        })))
    }

    /// A marker that is lost, but of which an index still tells.
    pub(crate) fn on_lost_abort(&mut self, txn: &AbortedTxn) {
        if let Some(entry) = self.known.get_mut(&txn.producer_id) {
            let first = std::mem::replace(&mut entry.current_txn_first_offset, NONE);
            self.open.remove(&(first, txn.producer_id));
        }
    }

    /// Producers whose batches are no longer on the log, from a snapshot.
    pub(crate) fn learn(&mut self, last_of_each: BTreeMap<ProducerId, ProducerEntry>) {
        for (id, entry) in last_of_each {
            if self.is_full(id) || self.known.contains_key(&id) {
                continue;
            }
            self.known.insert(id, entry);
            if entry.current_txn_first_offset >= Offset::ZERO {
                self.open
                    .insert((entry.current_txn_first_offset, entry.producer_id));
            }
        }
    }

    pub(crate) fn entry(&self, id: ProducerId) -> Option<&ProducerEntry> {
        self.known.get(&id)
    }

    pub(crate) fn entries(&self) -> Vec<ProducerEntry> {
        self.known.values().copied().collect()
    }

    fn is_full(&mut self, id: ProducerId) -> bool {
        self.too_many |= self.known.len() >= PRODUCERS_MAX && !self.known.contains_key(&id);
        self.too_many
    }

    /// The producer of a batch, at the batch's epoch: a new epoch forgets the batches of the one before.
    fn enter(&mut self, header: &BatchHeader) -> &mut ProducerEntry {
        let fresh = ProducerEntry {
            producer_id: header.producer_id,
            epoch: header.producer_epoch,
            last_sequence: -1,
            last_offset: NONE,
            offset_delta: 0,
            timestamp: header.max_timestamp,
            coordinator_epoch: -1,
            current_txn_first_offset: NONE,
        };
        let entry = self.known.entry(header.producer_id).or_insert(fresh);
        if entry.epoch != header.producer_epoch {
            *entry = ProducerEntry {
                coordinator_epoch: entry.coordinator_epoch,
                current_txn_first_offset: entry.current_txn_first_offset,
                ..fresh
            };
        }
        entry
    }
}
