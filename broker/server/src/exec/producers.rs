//! Bringing the state of producers back from a partition's log, and keeping it beside it.
//!
//! The log is the truth. A snapshot, written where a segment begins and at the log's end by a clean stop, saves reading
//! what came before it; a missing or damaged one costs time and nothing else. The indexes of aborted transactions are
//! believed as far as their batches were flushed and their sums fit; everything else is made anew from the same
//! reading (`txn_indexes`).
//!
//! Snapshots are written for partitions without producers, too. An empty one is ten bytes, and says that a reader of
//! committed records need not look for transactions before it: so nobody pays for transactions who has none but by
//! reading one small file. Apache Kafka writes them for the same reason, and takes a log without any, after a clean
//! stop, for one without producers.

use ottla_coordination::txn::{CompletedTxn, ProducerBatch, ProducerStates, TxnMarker};
use ottla_log::disk::{Disk, DiskError};
use ottla_log::{Log, producer_snapshot};
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::messages::internal::producer_snapshot::ProducerEntry;
use ottla_protocol::records::{BatchHeader, Records};
use ottla_protocol::types::Offset;
use tracing::warn;

use super::txn_indexes::TxnIndexes;

/// A batch as the producer state sees it; none for batches of other producers.
pub(crate) fn producer_batch(header: &BatchHeader) -> Option<ProducerBatch> {
    header.has_producer_id().then(|| ProducerBatch {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        first_sequence: header.base_sequence,
        last_sequence: header.last_sequence(),
        offset_delta: header.last_offset_delta,
        max_timestamp: header.max_timestamp,
        is_transactional: header.is_transactional(),
    })
}

/// What of a log has to be read for the state of its producers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Snapshots behind it may tell of batches that were lost, and indexes of them may not be whole.
    pub(super) trusted_end: Offset,
    /// Nothing behind it is of a producer.
    pub(super) end: Offset,
}

/// Takes the newest snapshot that can be read and replays the batches after it.
pub(super) fn load(
    log: &mut Log,
    disk: &dyn Disk,
    extent: Extent,
) -> Result<ProducerStates, DiskError> {
    let mut indexes = TxnIndexes::survey(log)?;
    let newest = indexes
        .first_insane()
        .map_or(extent.trusted_end, |segment| {
            segment.min(extent.trusted_end)
        });
    let (mut states, from) = newest_snapshot(log, disk, newest.min(extent.end))
        .unwrap_or_else(|| (ProducerStates::default(), log.start()));
    log.scan_producers(from, extent.end, &mut |header, control| {
        if let Some(txn) = replay(&mut states, header, control) {
            indexes.completed(&txn);
        }
    })?;
    indexes.mend(log, from)?;
    log.write_txn_sums(log.end())?;
    Ok(states)
}

fn replay(
    states: &mut ProducerStates,
    header: &BatchHeader,
    control: Option<&[u8]>,
) -> Option<CompletedTxn> {
    if header.is_control() {
        let Some(marker) = control.and_then(|batch| marker(header, batch)) else {
            warn!(offset = %header.base_offset, "a control batch cannot be understood: passed over");
            return None;
        };
        return states.apply_marker(&marker, header.base_offset);
    }
    if let Some(batch) = producer_batch(header) {
        states.apply(&batch, header.base_offset);
    }
    None
}

/// The marker in a control batch of a producer.
pub(crate) fn marker(header: &BatchHeader, batch: &[u8]) -> Option<TxnMarker> {
    let records =
        Records::open(&bytes::Bytes::copy_from_slice(batch), InflateLimits::STRICT).ok()?;
    let record = records.iter().next()?.ok()?;
    TxnMarker::of_record(header, &record)
}

fn newest_snapshot(log: &Log, disk: &dyn Disk, end: Offset) -> Option<(ProducerStates, Offset)> {
    let usable = log
        .producer_snapshots()
        .iter()
        .rev()
        .filter(|at| (log.start()..=end).contains(at));
    for at in usable {
        match producer_snapshot::read(disk, log.dir(), *at) {
            Ok(entries) => {
                let entries: Vec<_> = entries.iter().map(to_message).collect();
                return Some((ProducerStates::from_snapshot(&entries), *at));
            }
            Err(error) => warn!("producer snapshot ignored: {error}"),
        }
    }
    None
}

/// Keeps the state as it is before a segment's first batch. On a full disk it is done without; any other error is the
/// directory's end, like that of every other write.
pub(super) fn snapshot_at_roll(
    log: &Log,
    disk: &dyn Disk,
    at: Offset,
    states: &ProducerStates,
) -> Result<(), DiskError> {
    match write_snapshot(log, disk, at, states) {
        Err(error) if error.is_full() => {
            warn!("producer snapshot not written: {error}");
            Ok(())
        }
        other => other,
    }
}

/// Keeps the state at the log's end, for whoever opens the log next.
pub(super) fn snapshot_at_close(
    log: &Log,
    disk: &dyn Disk,
    states: &ProducerStates,
) -> Result<(), DiskError> {
    write_snapshot(log, disk, log.end(), states)
}

/// Durable where it says anything: one that is lost without having said anything is as good as one that says nothing.
fn write_snapshot(
    log: &Log,
    disk: &dyn Disk,
    at: Offset,
    states: &ProducerStates,
) -> Result<(), DiskError> {
    let entries: Vec<_> = states.to_snapshot().iter().map(from_message).collect();
    if entries.is_empty() {
        return producer_snapshot::write_unsynced(disk, log.dir(), at, &entries);
    }
    producer_snapshot::write(disk, log.dir(), at, &entries)
}

fn to_message(entry: &producer_snapshot::ProducerEntry) -> ProducerEntry {
    ProducerEntry {
        producer_id: entry.producer_id.0,
        epoch: entry.epoch.0,
        last_sequence: entry.last_sequence,
        last_offset: entry.last_offset.0,
        offset_delta: entry.offset_delta,
        timestamp: entry.timestamp.0,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_first_offset: entry.current_txn_first_offset.0,
        ..Default::default()
    }
}

fn from_message(entry: &ProducerEntry) -> producer_snapshot::ProducerEntry {
    producer_snapshot::ProducerEntry {
        producer_id: entry.producer_id.into(),
        epoch: entry.epoch.into(),
        last_sequence: entry.last_sequence,
        last_offset: entry.last_offset.into(),
        offset_delta: entry.offset_delta,
        timestamp: entry.timestamp.into(),
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_first_offset: entry.current_txn_first_offset.into(),
    }
}
