//! `<base>.txnindex`: the aborted transactions whose markers lie in a segment, for readers of committed records only.
//!
//! Owns: the file format (34 bytes an entry, `docs/format/txn-index.md`) and the lookup. Most segments have no such
//! file. Not here: which transactions are aborted; the caller tells.

use std::io;
use std::path::Path;

use ottla_protocol::types::{Offset, ProducerId};

use crate::disk::{
    Context, Disk, DiskError, OpenMode, SharedFile, read_file_if_there, read_full, remove_if_there,
    replace_file, write_full,
};
use crate::names;
use crate::producer_snapshot::Fields;

const VERSION: i16 = 0;
const ENTRY: usize = 34;
const SIZE_MAX: u64 = 1 << 30;
/// A lookup reads so many entries at a time.
const BLOCK: u64 = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    /// Offset of the abort marker.
    pub last_offset: Offset,
    /// The last stable offset when the marker was written: later entries can't concern offsets below it.
    pub last_stable_offset: Offset,
}

/// Adds a transaction to the index of the segment that holds its marker. Nothing of it is durable yet.
pub(crate) fn append(
    disk: &dyn Disk,
    dir: &Path,
    segment: Offset,
    txn: AbortedTxn,
) -> Result<(), DiskError> {
    let path = names::segment_file(dir, segment, names::TXN_INDEX);
    let file = disk.open(&path, OpenMode::Create).during("open", &path)?;
    let len = file.len().during("measure", &path)?;
    let whole = len - len % ENTRY as u64;
    write_full(file.as_ref(), &render(txn), whole).during("write", &path)
}

/// Every entry of a segment. A tail that is no whole entry is left out: it was never finished.
pub fn read(disk: &dyn Disk, dir: &Path, segment: Offset) -> Result<Vec<AbortedTxn>, DiskError> {
    let path = names::segment_file(dir, segment, names::TXN_INDEX);
    let bytes = read_file_if_there(disk, &path, SIZE_MAX)?.unwrap_or_default();
    parse(&bytes)
        .map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))
        .during("read", &path)
}

/// `overlapping`, straight from the file: a binary search and then as many entries as are needed, however many there are.
pub fn lookup(
    disk: &dyn Disk,
    dir: &Path,
    segment: Offset,
    from: Offset,
    end: Offset,
) -> Result<(Vec<AbortedTxn>, bool), DiskError> {
    let path = names::segment_file(dir, segment, names::TXN_INDEX);
    let file = match disk.open(&path, OpenMode::Read) {
        // It went with its segment a moment ago.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), true)),
        other => other.during("open", &path)?,
    };
    search(&file, from, end).during("read", &path)
}

fn search(file: &SharedFile, from: Offset, end: Offset) -> io::Result<(Vec<AbortedTxn>, bool)> {
    let count = file.len()? / ENTRY as u64;
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = block_at(file, middle, 1)?;
        if entry.first().is_some_and(|txn| txn.last_offset < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let mut found = Vec::new();
    while low < count {
        let block = block_at(file, low, BLOCK.min(count - low))?;
        if block.is_empty() {
            break;
        }
        let (overlapping, go_on) = overlapping(&block, from, end);
        found.extend(overlapping);
        if !go_on {
            return Ok((found, false));
        }
        low += block.len() as u64;
    }
    Ok((found, true))
}

fn block_at(file: &SharedFile, entry: u64, count: u64) -> io::Result<Vec<AbortedTxn>> {
    let mut bytes = vec![0; ENTRY * count as usize];
    let read = read_full(file.as_ref(), &mut bytes, entry * ENTRY as u64)?;
    let invalid = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
    parse(&bytes[..read]).map_err(invalid)
}

/// Gives a segment this index in place of the one it has, durably; none where nothing was aborted.
pub fn replace(
    disk: &dyn Disk,
    dir: &Path,
    segment: Offset,
    entries: &[AbortedTxn],
) -> Result<(), DiskError> {
    let path = names::segment_file(dir, segment, names::TXN_INDEX);
    if entries.is_empty() {
        return remove_if_there(disk, &path);
    }
    let bytes: Vec<u8> = entries.iter().flat_map(|txn| render(*txn)).collect();
    replace_file(disk, &path, &bytes)
}

/// Whether a file's content can be a segment's index at all: whole entries, in order, with markers in the segment.
#[must_use]
pub fn parse_sane(bytes: &[u8], segment: Offset, segment_end: Offset) -> Option<Vec<AbortedTxn>> {
    let entries = parse(bytes).ok()?;
    let is_whole = entries.len() * ENTRY == bytes.len();
    let is_sane = |txn: &AbortedTxn| {
        (segment..segment_end).contains(&txn.last_offset)
            && (Offset::ZERO..=txn.last_offset.next()).contains(&txn.last_stable_offset)
            && txn.producer_id >= ProducerId(0)
    };
    (is_whole && entries.iter().all(is_sane)).then_some(entries)
}

/// Keeps the entries whose markers lie before `end`, and none behind one that makes no sense; durably.
pub(crate) fn truncate(
    disk: &dyn Disk,
    dir: &Path,
    segment: Offset,
    end: Offset,
) -> Result<(), DiskError> {
    let path = names::segment_file(dir, segment, names::TXN_INDEX);
    let Some(bytes) = read_file_if_there(disk, &path, SIZE_MAX)? else {
        return Ok(());
    };
    let kept = parse_prefix(&bytes)
        .0
        .partition_point(|t| t.last_offset < end);
    let file = disk
        .open(&path, OpenMode::ReadWrite)
        .during("open", &path)?;
    if kept * ENTRY == bytes.len() {
        return Ok(());
    }
    file.set_len((kept * ENTRY) as u64).during("cut", &path)?;
    file.sync_data().during("sync", &path)
}

/// The aborted transactions that a reader of `from` to `end` has to know, out of one segment's entries; whether the
/// next segment has to be asked too.
#[must_use]
pub fn overlapping(entries: &[AbortedTxn], from: Offset, end: Offset) -> (Vec<AbortedTxn>, bool) {
    let mut found = Vec::new();
    for txn in entries {
        if txn.last_offset >= from && txn.first_offset < end {
            found.push(*txn);
        }
        if txn.last_stable_offset >= end {
            return (found, false);
        }
    }
    (found, true)
}

#[must_use]
pub fn render(txn: AbortedTxn) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
    let numbers = [
        txn.producer_id.0,
        txn.first_offset.0,
        txn.last_offset.0,
        txn.last_stable_offset.0,
    ];
    for (field, number) in bytes[2..].chunks_exact_mut(8).zip(numbers) {
        field.copy_from_slice(&number.to_be_bytes());
    }
    bytes
}

/// The entries up to the first that is wrong.
pub(crate) fn parse_sound(bytes: &[u8]) -> Vec<AbortedTxn> {
    parse_prefix(bytes).0
}

pub fn parse(bytes: &[u8]) -> Result<Vec<AbortedTxn>, &'static str> {
    match parse_prefix(bytes) {
        (entries, None) => Ok(entries),
        (_, Some(reason)) => Err(reason),
    }
}

/// The entries up to the first that is wrong, and what is wrong with it.
fn parse_prefix(bytes: &[u8]) -> (Vec<AbortedTxn>, Option<&'static str>) {
    let mut entries: Vec<AbortedTxn> = Vec::new();
    for chunk in bytes.chunks_exact(ENTRY) {
        let mut f = Fields(chunk);
        if f.i16() != Some(VERSION) {
            return (
                entries,
                Some("unknown version of a transaction index entry"),
            );
        }
        let (Some(id), Some(first), Some(last), Some(stable)) =
            (f.i64(), f.i64(), f.i64(), f.i64())
        else {
            return (entries, Some("entry cut short"));
        };
        let rises = entries.last().is_none_or(|e| e.last_offset.0 < last);
        if !rises || first < 0 || first > last {
            return (
                entries,
                Some("offsets of transaction index entries are out of order"),
            );
        }
        entries.push(AbortedTxn {
            producer_id: ProducerId(id),
            first_offset: Offset(first),
            last_offset: Offset(last),
            last_stable_offset: Offset(stable),
        });
    }
    (entries, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txn(first: i64, last: i64, stable: i64) -> AbortedTxn {
        AbortedTxn {
            producer_id: ProducerId(7),
            first_offset: Offset(first),
            last_offset: Offset(last),
            last_stable_offset: Offset(stable),
        }
    }

    #[test]
    fn entries_go_both_ways_and_an_unfinished_tail_is_ignored() {
        let mut bytes = render(txn(1, 5, 1)).to_vec();
        bytes.extend(render(txn(2, 9, 6)));
        bytes.extend([0; 10]);
        assert_eq!(parse(&bytes).unwrap(), [txn(1, 5, 1), txn(2, 9, 6)]);
        assert!(parse(&[0xff; 34]).is_err());
        assert!(parse(&[render(txn(2, 9, 6)), render(txn(1, 5, 1))].concat()).is_err());
    }

    #[test]
    fn a_lookup_finds_what_reading_everything_finds() {
        let disk = crate::testing::MemoryDisk::new();
        let dir = Path::new("/t-0");
        disk.create_dir_all(dir).unwrap();
        let entries: Vec<AbortedTxn> = (0..1000).map(|n| txn(n * 10, n * 10 + 5, n * 10)).collect();
        replace(&disk, dir, Offset(0), &entries).unwrap();
        for (from, end) in [(0, 1), (6, 9), (4444, 4446), (5000, 9990), (9996, 20_000)] {
            let (from, end) = (Offset(from), Offset(end));
            let found = lookup(&disk, dir, Offset(0), from, end).unwrap();
            assert_eq!(found, overlapping(&entries, from, end), "{from} to {end}");
        }
    }

    #[test]
    fn what_cannot_be_an_index_of_its_segment_is_not_sane() {
        let sane = [render(txn(1, 15, 1)), render(txn(2, 19, 20))].concat();
        assert!(parse_sane(&sane, Offset(10), Offset(20)).is_some());
        assert!(parse_sane(&sane, Offset(16), Offset(20)).is_none());
        assert!(parse_sane(&sane, Offset(10), Offset(19)).is_none());
        assert!(parse_sane(&sane[..40], Offset(10), Offset(20)).is_none());
        let stable_behind_the_marker = render(txn(1, 15, 17));
        assert!(parse_sane(&stable_behind_the_marker, Offset(10), Offset(20)).is_none());
        assert_eq!(parse_sane(b"", Offset(10), Offset(20)), Some(Vec::new()));
    }

    #[test]
    fn a_reader_learns_of_transactions_that_overlap_its_range() {
        let entries = [txn(1, 5, 1), txn(2, 9, 6), txn(12, 20, 30)];
        let (found, go_on) = overlapping(&entries, Offset(6), Offset(11));
        assert_eq!(found, [txn(2, 9, 6)]);
        assert!(!go_on, "nothing later begins below offset 30");
        assert!(overlapping(&entries[..2], Offset(0), Offset(11)).1);
    }
}
