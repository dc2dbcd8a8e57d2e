//! Which records of a batch stay, and what becomes of the batch.

use std::collections::BTreeMap;

use ottla_protocol::compress::InflateLimits;
use ottla_protocol::records::batch::TimestampType;
use ottla_protocol::records::builder::{BuildError, empty_batch};
use ottla_protocol::records::iter::{Iter, records_of};
use ottla_protocol::records::{BatchBuilder, BatchHeader, Record, RecordError};
use ottla_protocol::types::{Millis, Offset, ProducerId};

use super::errors::CleaningError;
use super::offset_map::OffsetMap;
use super::pass::{CleaningStats, LastOfProducer};
use super::transactions::{Marker, Transactions};
use crate::txn_index::AbortedTxn;

/// What a pass decides by.
pub(super) struct Filter<'a> {
    pub(super) map: &'a OffsetMap,
    /// The map knows all keys below.
    pub(super) indexed_end: Offset,
    /// Where the uncleanable part begins.
    pub(super) end: Offset,
    pub(super) producers: &'a BTreeMap<ProducerId, LastOfProducer>,
    pub(super) delete_retention_ms: Millis,
    pub(super) now: Millis,
}

/// Memory that is used again from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    inflated: Vec<u8>,
    kept: Vec<bool>,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Gone,
    AsItWas,
    Anew(Vec<u8>),
}

/// A batch that is looked at.
#[derive(Clone, Copy)]
pub(super) struct Looked<'a> {
    pub(super) header: &'a BatchHeader,
    pub(super) bytes: &'a [u8],
    /// Base of its segment, for messages.
    pub(super) segment: Offset,
    /// Nothing that can be cleaned follows it.
    pub(super) is_last: bool,
}

impl Looked<'_> {
    pub(super) fn unreadable(&self, source: RecordError) -> CleaningError {
        CleaningError::Unreadable {
            segment: self.segment,
            offset: self.header.base_offset,
            source,
        }
    }

    fn rewrite(&self, source: BuildError) -> CleaningError {
        CleaningError::Rewrite {
            segment: self.segment,
            offset: self.header.base_offset,
            source,
        }
    }
}

impl Filter<'_> {
    /// What becomes of a batch, and the aborted transaction that it ends, if the new segment's index has to name it.
    pub(super) fn apply(
        &self,
        batch: Looked<'_>,
        transactions: &mut Transactions,
        scratch: &mut Scratch,
        stats: &mut CleaningStats,
    ) -> Result<(Outcome, Option<AbortedTxn>), CleaningError> {
        let header = batch.header;
        let stays_empty =
            self.is_last_of_producer(header) || header.next_offset() == self.end || batch.is_last;
        stats.records_read += u64::try_from(header.record_count).unwrap_or(0);
        if !header.is_control() && transactions.meet_batch(header) {
            // Nobody has to look into it.
            return Ok((without_records(header, stays_empty), None));
        }
        let Scratch { inflated, kept } = scratch;
        let records = records_of(batch.bytes, InflateLimits::LENIENT, inflated)
            .map_err(|e| batch.unreadable(e))?;
        let marker = match header.is_control() {
            true => Some(meet_marker(batch, records.clone(), transactions)?),
            false => None,
        };
        let idle_marker = marker.is_some_and(Marker::is_idle);
        let expired = header.delete_horizon().is_some_and(|h| h <= self.now);
        let entry = match marker {
            Some(Marker::NeededAbort(txn)) => Some(txn),
            _ => None,
        };

        let drop_records = idle_marker && expired;
        let mut keeps_tombstone = false;
        kept.clear();
        for record in records.clone() {
            let record = record.map_err(|e| batch.unreadable(e))?;
            let keep = !drop_records && (marker.is_some() || self.keeps(&record, header, stats));
            keeps_tombstone |= keep && record.value.is_none();
            kept.push(keep);
        }
        let count = kept.iter().filter(|keep| **keep).count();
        stats.records_written += count as u64;
        if count == 0 {
            return Ok((without_records(header, stays_empty), entry));
        }
        let new_horizon =
            (keeps_tombstone || idle_marker) && !header.attributes.has_delete_horizon();
        if count == kept.len() && !new_horizon {
            return Ok((Outcome::AsItWas, entry));
        }
        let horizon = match new_horizon {
            true => Some(self.now.plus(self.delete_retention_ms)),
            false => header.delete_horizon(),
        };
        let anew = rewrite(batch, records, kept, horizon)?;
        Ok((Outcome::Anew(anew), entry))
    }

    fn keeps(&self, record: &Record<'_>, header: &BatchHeader, stats: &mut CleaningStats) -> bool {
        if record.offset >= self.indexed_end {
            return true;
        }
        let Some(key) = record.key else {
            // A compacted topic has no place for it; it was written before the topic became one.
            stats.records_without_key += 1;
            return false;
        };
        if self.map.get(key).is_some_and(|last| record.offset < last) {
            return false;
        }
        record.value.is_some() || header.delete_horizon().is_none_or(|h| self.now < h)
    }

    /// The batch tells a producer's last sequence, or, of a producer that has written no records, its epoch.
    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        if !header.has_producer_id() {
            return false;
        }
        self.producers
            .get(&header.producer_id)
            .is_some_and(|last| match last.last_data_offset {
                Some(offset) => header.last_offset() == offset,
                None => header.is_control() && header.producer_epoch == last.epoch,
            })
    }
}

/// What becomes of a batch none of whose records stay.
fn without_records(header: &BatchHeader, stays_empty: bool) -> Outcome {
    match stays_empty {
        true if header.record_count == 0 => Outcome::AsItWas,
        true => Outcome::Anew(empty_batch(header).to_vec()),
        false => Outcome::Gone,
    }
}

/// Shows a control batch to the state of transactions.
pub(super) fn meet_marker(
    batch: Looked<'_>,
    mut records: Iter<'_>,
    transactions: &mut Transactions,
) -> Result<Marker, CleaningError> {
    let first = records.next().transpose();
    let first = first.map_err(|e| batch.unreadable(e))?;
    let key = first.map(|record| record.key.unwrap_or_default());
    transactions.meet_marker(batch.header, key)
}

/// The same batch with fewer records, or with another delete horizon.
fn rewrite(
    batch: Looked<'_>,
    records: Iter<'_>,
    kept: &[bool],
    horizon: Option<Millis>,
) -> Result<Vec<u8>, CleaningError> {
    let header = batch.header;
    let codec = header.compression().map_err(|e| batch.unreadable(e))?;
    let mut builder = BatchBuilder::new(codec)
        .base_offset(header.base_offset)
        .last_offset(header.last_offset())
        .leader_epoch(header.partition_leader_epoch)
        .producer(
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        )
        .transactional(header.is_transactional())
        .control(header.is_control())
        .delete_horizon(horizon);
    if header.timestamp_type() == TimestampType::LogAppendTime {
        builder = builder.append_time(header.max_timestamp);
    }
    let mut headers = Vec::new();
    for (record, _) in records.zip(kept).filter(|(_, keep)| **keep) {
        let record = record.map_err(|e| batch.unreadable(e))?;
        headers.clear();
        headers.extend(record.headers);
        builder
            .append_at(
                record.offset,
                record.timestamp,
                record.key,
                record.value,
                &headers,
            )
            .map_err(|e| batch.rewrite(e))?;
    }
    builder.build().map_err(|e| batch.rewrite(e))
}
