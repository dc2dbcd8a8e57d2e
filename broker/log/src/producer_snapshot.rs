//! `<offset>.snapshot`: the state of idempotent and transactional producers just before that offset.
//!
//! Owns: the file format, which is the reference's (`docs/format/producer-snapshot.md`). Not here: what the state
//! means and when a sequence is in order.

use std::collections::BTreeMap;
use std::path::Path;

use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use crate::disk::{
    Context, Disk, DiskError, OpenMode, read_file, remove_if_there, replace_file, write_full,
};
use crate::names;

const VERSION: i16 = 1;
/// Version and checksum; what follows is covered by the checksum.
const COVERED_FROM: usize = 6;
const ENTRY: usize = 46;
const SIZE_MAX: u64 = 1 << 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerEntry {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    /// Of the last batch; -1 with `last_offset`: it wrote none, only a marker.
    pub last_sequence: i32,
    pub last_offset: Offset,
    /// Last offset minus first offset of the last batch.
    pub offset_delta: i32,
    pub timestamp: Millis,
    pub coordinator_epoch: i32,
    /// First offset of the open transaction; -1: none.
    pub current_txn_first_offset: Offset,
}

/// A producer may have several entries, one for each of its last batches: the last one tells where it is.
#[must_use]
pub fn last_of_each(entries: &[ProducerEntry]) -> BTreeMap<ProducerId, ProducerEntry> {
    let by_id = entries.iter().map(|entry| (entry.producer_id, *entry));
    by_id.collect()
}

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{path}: {reason}")]
    Malformed { path: String, reason: &'static str },
}

pub fn read(disk: &dyn Disk, dir: &Path, at: Offset) -> Result<Vec<ProducerEntry>, SnapshotError> {
    let path = names::segment_file(dir, at, names::PRODUCER_SNAPSHOT);
    let bytes = read_file(disk, &path, SIZE_MAX)?;
    parse(&bytes).map_err(|reason| SnapshotError::Malformed {
        path: path.display().to_string(),
        reason,
    })
}

/// Not durable when it returns: a torn one is noticed by its checksum, and the log has all that it says.
pub fn write_unsynced(
    disk: &dyn Disk,
    dir: &Path,
    at: Offset,
    entries: &[ProducerEntry],
) -> Result<(), DiskError> {
    let path = names::segment_file(dir, at, names::PRODUCER_SNAPSHOT);
    let file = disk.open(&path, OpenMode::Create).during("create", &path)?;
    file.set_len(0).during("empty", &path)?;
    write_full(file.as_ref(), &render(entries), 0).during("write", &path)
}

/// Durable when it returns.
pub fn write(
    disk: &dyn Disk,
    dir: &Path,
    at: Offset,
    entries: &[ProducerEntry],
) -> Result<(), DiskError> {
    let path = names::segment_file(dir, at, names::PRODUCER_SNAPSHOT);
    replace_file(disk, &path, &render(entries))
}

pub fn remove(disk: &dyn Disk, dir: &Path, at: Offset) -> Result<(), DiskError> {
    remove_if_there(
        disk,
        &names::segment_file(dir, at, names::PRODUCER_SNAPSHOT),
    )
}

#[must_use]
pub fn render(entries: &[ProducerEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(COVERED_FROM + 4 + entries.len() * ENTRY);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    let count = i32::try_from(entries.len()).expect("producers are bounded far below");
    bytes.extend_from_slice(&count.to_be_bytes());
    for e in entries {
        bytes.extend_from_slice(&e.producer_id.0.to_be_bytes());
        bytes.extend_from_slice(&e.epoch.0.to_be_bytes());
        bytes.extend_from_slice(&e.last_sequence.to_be_bytes());
        bytes.extend_from_slice(&e.last_offset.0.to_be_bytes());
        bytes.extend_from_slice(&e.offset_delta.to_be_bytes());
        bytes.extend_from_slice(&e.timestamp.0.to_be_bytes());
        bytes.extend_from_slice(&e.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&e.current_txn_first_offset.0.to_be_bytes());
    }
    let crc = crc32c::crc32c(&bytes[COVERED_FROM..]);
    bytes[2..COVERED_FROM].copy_from_slice(&crc.to_be_bytes());
    bytes
}

pub fn parse(bytes: &[u8]) -> Result<Vec<ProducerEntry>, &'static str> {
    let mut head = Fields(bytes);
    let (Some(version), Some(crc), Some(count)) = (head.i16(), head.i32(), head.i32()) else {
        return Err("shorter than its own header");
    };
    if version != VERSION {
        return Err("unknown version");
    }
    if crc32c::crc32c(&bytes[COVERED_FROM..]).to_be_bytes() != crc.to_be_bytes() {
        return Err("checksum does not match");
    }
    let rest = head.0;
    if usize::try_from(count)
        .ok()
        .and_then(|n| n.checked_mul(ENTRY))
        != Some(rest.len())
    {
        return Err("number of entries does not match the length");
    }
    rest.chunks_exact(ENTRY)
        .map(|e| entry(e).ok_or("entry cut short"))
        .collect()
}

fn entry(bytes: &[u8]) -> Option<ProducerEntry> {
    let mut f = Fields(bytes);
    Some(ProducerEntry {
        producer_id: ProducerId(f.i64()?),
        epoch: ProducerEpoch(f.i16()?),
        last_sequence: f.i32()?,
        last_offset: Offset(f.i64()?),
        offset_delta: f.i32()?,
        timestamp: Millis(f.i64()?),
        coordinator_epoch: f.i32()?,
        current_txn_first_offset: Offset(f.i64()?),
    })
}

/// Big-endian numbers off the front of a slice.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(n: i64) -> Vec<ProducerEntry> {
        (0..n)
            .map(|i| ProducerEntry {
                producer_id: ProducerId(4000 + i),
                epoch: ProducerEpoch(1),
                last_sequence: 9,
                last_offset: Offset(100 + i),
                offset_delta: 3,
                timestamp: Millis(1_700_000_000_000),
                coordinator_epoch: -1,
                current_txn_first_offset: Offset(-1),
            })
            .collect()
    }

    #[test]
    fn a_snapshot_goes_both_ways() {
        for n in [0, 1, 7] {
            assert_eq!(parse(&render(&sample(n))).unwrap(), sample(n));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = render(&sample(2));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&damaged).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(parse(&bytes[..len]).is_err(), "cut to {len}");
        }
    }
}
