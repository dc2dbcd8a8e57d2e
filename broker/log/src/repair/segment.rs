//! The segments themselves: patches in place, the end cut, or the file written anew without its damaged stretches.

use std::collections::BTreeMap;
use std::path::Path;

use ottla_protocol::records::batch::{
    Attributes, BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD, MAGIC, NO_SEQUENCE, NO_TIMESTAMP,
    computed_crc,
};
use ottla_protocol::records::control::{EndTxnMarker, Place};
use ottla_protocol::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

use super::aside::Aside;
use super::plan::Step;
use crate::disk::{Context, Disk, DiskError, DiskFile, OpenMode, read_full, write_full};
use crate::names;
use crate::verify::{Mend, Piece};

const BLOCK: usize = 256 << 10;
const EPOCH_AT: u64 = 12;

pub(super) fn repair(
    disk: &dyn Disk,
    dir: &Path,
    aside: &Aside<'_>,
    steps: &[Step],
) -> Result<(), DiskError> {
    let mut mends: BTreeMap<Offset, Vec<&Mend>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::SetOffset {
                segment,
                position,
                right,
            } => patch(
                disk,
                dir,
                aside,
                *segment,
                *position,
                0,
                &right.0.to_be_bytes(),
            )?,
            Step::SetEpoch {
                segment,
                position,
                right,
            } => patch(
                disk,
                dir,
                aside,
                *segment,
                *position,
                EPOCH_AT,
                &right.0.to_be_bytes(),
            )?,
            Step::Mend(mend) => mends.entry(mend.segment).or_default().push(mend),
            Step::SetAside { .. } | Step::Rebuild => {}
        }
    }
    for (segment, mends) in mends {
        let name = format!("{:020}.{}", segment.0, names::LOG);
        for mend in mends.iter().filter(|mend| mend.stretch.bytes > 0) {
            aside.keep(&name, mend.stretch.position, mend.stretch.bytes)?;
        }
        match mends.as_slice() {
            [tail] if tail.is_tail => cut(disk, &dir.join(&name), tail.stretch.position)?,
            mends => rewrite(disk, dir, &name, mends)?,
        }
    }
    Ok(())
}

fn patch(
    disk: &dyn Disk,
    dir: &Path,
    aside: &Aside<'_>,
    segment: Offset,
    position: u64,
    field: u64,
    value: &[u8],
) -> Result<(), DiskError> {
    let name = format!("{:020}.{}", segment.0, names::LOG);
    aside.keep(&name, position, BATCH_OVERHEAD as u64)?;
    let path = dir.join(name);
    let file = disk
        .open(&path, OpenMode::ReadWrite)
        .during("open", &path)?;
    write_full(file.as_ref(), value, position + field).during("write", &path)?;
    file.sync_data().during("sync", &path)
}

fn cut(disk: &dyn Disk, path: &Path, end: u64) -> Result<(), DiskError> {
    let file = disk.open(path, OpenMode::ReadWrite).during("open", path)?;
    file.set_len(end).during("cut", path)?;
    file.sync_data().during("sync", path)
}

/// Another file takes the segment's place at once, so that a crash leaves the one or the other.
fn rewrite(disk: &dyn Disk, dir: &Path, name: &str, mends: &[&Mend]) -> Result<(), DiskError> {
    let (path, fresh_path) = (dir.join(name), dir.join(format!("{name}.tmp")));
    let old = disk.open(&path, OpenMode::Read).during("open", &path)?;
    let fresh = disk
        .open(&fresh_path, OpenMode::Create)
        .during("create", &fresh_path)?;
    fresh.set_len(0).during("empty", &fresh_path)?;
    let size = old.len().during("measure", &path)?;
    let (mut from, mut to) = (0, 0);
    for mend in mends {
        let copied = copy(
            old.as_ref(),
            from..mend.stretch.position,
            fresh.as_ref(),
            to,
        );
        to += copied.during("copy", &fresh_path)?;
        if !mend.is_tail {
            for batch in stand_ins(mend) {
                write_full(fresh.as_ref(), &batch, to).during("write", &fresh_path)?;
                to += batch.len() as u64;
            }
        }
        from = mend.stretch.position + mend.stretch.bytes;
    }
    copy(old.as_ref(), from..size, fresh.as_ref(), to).during("copy", &fresh_path)?;
    fresh.sync_data().during("sync", &fresh_path)?;
    disk.rename(&fresh_path, &path).during("rename to", &path)?;
    disk.sync_dir(dir).during("sync directory", dir)
}

fn copy(
    from: &dyn DiskFile,
    range: std::ops::Range<u64>,
    to: &dyn DiskFile,
    at: u64,
) -> std::io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut done = 0;
    while range.start + done < range.end {
        let left = range.end - range.start - done;
        let len = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let read = read_full(from, &mut block[..len], range.start + done)?;
        if read == 0 {
            break;
        }
        write_full(to, &block[..read], at + done)?;
        done += read as u64;
    }
    Ok(done)
}

/// Batches for the offsets of a stretch: empty ones, and the abort markers that were in it.
fn stand_ins(mend: &Mend) -> Vec<Vec<u8>> {
    let mut batches = Vec::new();
    let mut aborts = mend.lost_aborts.clone();
    aborts.sort_by_key(|(txn, _)| txn.last_offset);
    for piece in &mend.pieces {
        let mut at = piece.from;
        for (txn, epoch) in aborts
            .iter()
            .filter(|(txn, _)| (piece.from..piece.to).contains(&txn.last_offset))
        {
            push_empty(&mut batches, at, txn.last_offset, piece);
            let place = Place {
                base_offset: txn.last_offset,
                leader_epoch: piece.epoch,
                timestamp: NO_TIMESTAMP,
            };
            let marker = EndTxnMarker {
                committed: false,
                coordinator_epoch: 0,
            };
            if let Ok(batch) = marker.batch(place, txn.producer_id, *epoch) {
                batches.push(batch);
                at = txn.last_offset.next();
            }
        }
        push_empty(&mut batches, at, piece.to, piece);
    }
    batches
}

fn push_empty(batches: &mut Vec<Vec<u8>>, from: Offset, to: Offset, piece: &Piece) {
    if from < to {
        batches.push(empty(from, to, piece.epoch).to_vec());
    }
}

/// A batch without records, as the cleaner leaves them.
fn empty(from: Offset, to: Offset, epoch: LeaderEpoch) -> [u8; BATCH_OVERHEAD] {
    let delta = to.since(from) - 1;
    let mut header = BatchHeader {
        base_offset: from,
        batch_length: (BATCH_OVERHEAD - LOG_OVERHEAD) as i32,
        partition_leader_epoch: epoch,
        magic: MAGIC,
        crc: 0,
        attributes: Attributes(0),
        last_offset_delta: i32::try_from(delta).expect("a segment's offsets fit 31 bits"),
        base_timestamp: NO_TIMESTAMP,
        max_timestamp: NO_TIMESTAMP,
        producer_id: ProducerId(-1),
        producer_epoch: ProducerEpoch(-1),
        base_sequence: NO_SEQUENCE,
        record_count: 0,
    };
    header.crc = computed_crc(&header.encode());
    header.encode()
}
