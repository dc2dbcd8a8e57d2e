//! Producer snapshots and transaction indexes against what the batches say.

use std::path::Path;

use ottla_protocol::types::Offset;

use super::producers::{Aborted, Producers};
use crate::disk::{Disk, DiskError};
use crate::producer_snapshot::{self, ProducerEntry, SnapshotError};
use crate::txn_index::AbortedTxn;

/// A snapshot at the offset that the walk has come to. What it alone knows is learnt. `strict`: producers that have
/// batches on the log are compared.
pub(super) fn check(
    disk: &dyn Disk,
    dir: &Path,
    at: Offset,
    producers: &mut Producers,
    strict: bool,
) -> Result<Result<(), String>, DiskError> {
    let entries = match producer_snapshot::read(disk, dir, at) {
        Ok(entries) => entries,
        Err(SnapshotError::Malformed { reason, .. }) => return Ok(Err(reason.to_owned())),
        Err(SnapshotError::Disk(e)) => return Err(e),
    };
    let last = producer_snapshot::last_of_each(&entries);
    for entry in last.values() {
        if entry.last_offset >= at || entry.current_txn_first_offset >= at {
            let id = entry.producer_id;
            return Ok(Err(format!(
                "producer {id} has offsets behind the snapshot's own"
            )));
        }
        if strict
            && let Some(known) = producers.entry(entry.producer_id)
            && !agrees(entry, known)
        {
            let id = entry.producer_id;
            return Ok(Err(format!(
                "what it says of producer {id} is not what the log says"
            )));
        }
    }
    producers.learn(last);
    Ok(Ok(()))
}

fn agrees(entry: &ProducerEntry, log: &ProducerEntry) -> bool {
    entry.epoch == log.epoch
        && (entry.last_offset, entry.last_sequence) == (log.last_offset, log.last_sequence)
        && (entry.current_txn_first_offset < Offset::ZERO)
            == (log.current_txn_first_offset < Offset::ZERO)
}

/// The entries of one segment's transaction index, and the abort markers in it. `log_start`: transactions that began
/// before it are known to the index alone. `was_damaged`: so are those whose first batches are lost.
pub(super) fn compare_aborted(
    markers: &[Aborted],
    entries: &[AbortedTxn],
    log_start: Offset,
    was_damaged: bool,
) -> Result<(), String> {
    let mut rest = entries.iter().peekable();
    let mut markers = markers.to_vec();
    markers.sort_by_key(|marker| match marker {
        Aborted::Known(txn) => txn.last_offset,
        Aborted::Unknown { last_offset, .. } => *last_offset,
    });
    for marker in &markers {
        match marker {
            Aborted::Known(txn) => {
                let entry = rest.next_if(|entry| entry.last_offset == txn.last_offset);
                let stable = |entry: &AbortedTxn| {
                    entry.last_stable_offset == txn.last_stable_offset
                        || entry.last_stable_offset < log_start
                        || was_damaged
                };
                let fits = entry.is_some_and(|entry| {
                    entry.producer_id == txn.producer_id
                        && (entry.first_offset == txn.first_offset
                            || was_damaged && entry.first_offset < txn.first_offset)
                        && stable(entry)
                });
                if !fits {
                    let at = txn.last_offset;
                    return Err(format!("no entry fits the abort marker at offset {at}"));
                }
            }
            Aborted::Unknown {
                producer_id,
                last_offset,
            } => {
                let entry = rest.next_if(|entry| entry.last_offset == *last_offset);
                let fits = entry.is_none_or(|entry| {
                    entry.producer_id == *producer_id
                        && (entry.first_offset < log_start || was_damaged)
                });
                if !fits {
                    return Err(format!(
                        "the entry of the marker at offset {last_offset} does not fit it"
                    ));
                }
            }
        }
    }
    match rest.next() {
        None => Ok(()),
        Some(entry) => Err(format!(
            "no abort marker lies at offset {}",
            entry.last_offset
        )),
    }
}
