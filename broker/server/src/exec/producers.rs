//! Bringing the state of idempotent producers back from a partition's log, and keeping it beside it.
//!
//! The log is the truth; a snapshot, written when a segment is begun, only saves reading what came before. A missing or
//! damaged one costs time and nothing else.

use ottla_coordination::txn::{ProducerBatch, ProducerStates};
use ottla_log::disk::{Disk, DiskError};
use ottla_log::{Log, producer_snapshot};
use ottla_protocol::messages::internal::producer_snapshot::ProducerEntry;
use ottla_protocol::records::BatchHeader;
use ottla_protocol::types::Offset;
use tracing::warn;

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

/// Takes the newest snapshot that can be read and replays the batches after it.
pub(super) fn load(log: &Log, disk: &dyn Disk) -> Result<ProducerStates, DiskError> {
    let (mut states, from) =
        newest_snapshot(log, disk).unwrap_or_else(|| (ProducerStates::default(), log.start()));
    log.scan_batches(from, &mut |header| {
        if let Some(batch) = producer_batch(header).filter(|_| !header.is_control()) {
            states.apply(&batch, header.base_offset);
        }
    })?;
    Ok(states)
}

fn newest_snapshot(log: &Log, disk: &dyn Disk) -> Option<(ProducerStates, Offset)> {
    let usable = log
        .producer_snapshots()
        .iter()
        .rev()
        .filter(|at| (log.start()..=log.end()).contains(at));
    for at in usable {
        match producer_snapshot::read(disk, log.dir(), *at) {
            Ok(entries) => {
                let entries: Vec<_> = entries.iter().map(to_message).collect();
                return Some((ProducerStates::from_entries(&entries), *at));
            }
            Err(error) => warn!("producer snapshot ignored: {error}"),
        }
    }
    None
}

/// Keeps the state as it is before a segment's first batch. On a full disk it is done without; any other error is the
/// directory's end, like that of every other write or sync.
pub(super) fn write_snapshot(
    log: &Log,
    disk: &dyn Disk,
    at: Offset,
    states: &ProducerStates,
) -> Result<(), DiskError> {
    let entries: Vec<_> = states.to_entries().iter().map(from_message).collect();
    match producer_snapshot::write(disk, log.dir(), at, &entries) {
        Err(error) if error.is_full() => {
            warn!("producer snapshot not written: {error}");
            Ok(())
        }
        other => other,
    }
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
