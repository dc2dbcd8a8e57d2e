//! Sparse index files: fixed-size entries that rise, one every so many bytes of log.
//!
//! Two kinds share this code: the offset index (`.index`, offset to position) and the time index (`.timeindex`,
//! largest timestamp so far to offset). Layout: `docs/format/indexes.md`.
//!
//! Always: everything here is derived from the log and is believed only after the batch it points at was looked at.
//! New entries gather in memory and are written every few seconds, at a roll and at a close; what a crash loses is indexed
//! again by recovery, so index files are synced only when their segment is sealed. No descriptor is kept between calls.

use std::io;
use std::path::Path;

use ottla_protocol::types::{Millis, Offset};
use parking_lot::Mutex;

use crate::disk::{Context, Disk, DiskError, DiskFile, OpenMode, read_full, write_full};
use crate::names;

/// Entries that gather, at most, before they are written.
pub(crate) const PENDING_MAX: usize = 512;
/// A binary search ends in one read of so many bytes.
const BLOCK: usize = 4096;

/// Where a segment's files are.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) dir: &'a Path,
    pub(crate) base: Offset,
}

impl Place<'_> {
    /// Names the file only when something went wrong: lookups are too frequent to build its path each time.
    pub(crate) fn read_failed(&self, source: io::Error) -> DiskError {
        DiskError {
            what: "read",
            path: self.path(names::LOG),
            source,
        }
    }

    /// A sealed segment's indexes are durable before the recovery point leaves it behind.
    pub(crate) fn sync_indexes(&self) -> Result<(), DiskError> {
        for suffix in [names::OFFSET_INDEX, names::TIME_INDEX] {
            let path = self.path(suffix);
            let file = self
                .disk
                .open(&path, OpenMode::Create)
                .during("open", &path)?;
            file.sync_data().during("sync", &path)?;
        }
        Ok(())
    }

    pub(crate) fn path(&self, suffix: &str) -> std::path::PathBuf {
        names::segment_file(self.dir, self.base, suffix)
    }
}

pub(crate) trait Entry: Copy {
    const SIZE: usize;
    const SUFFIX: &'static str;
    fn decode(bytes: &[u8], base: Offset) -> Option<Self>;
    fn encode(self, base: Offset, out: &mut Vec<u8>);
    /// Both keys rise from one entry to the next.
    fn follows(self, before: Self) -> bool;
}

/// The batch that ends with `offset` begins at `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    pub(crate) offset: Offset,
    pub(crate) position: u32,
}

/// Up to here the largest timestamp was `timestamp`, in the batch that ends with `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: Millis,
    pub(crate) offset: Offset,
}

fn relative(offset: Offset, base: Offset) -> [u8; 4] {
    let relative = i32::try_from(offset.since(base)).expect("a segment's offsets fit 31 bits");
    relative.to_be_bytes()
}

impl Entry for OffsetEntry {
    const SIZE: usize = 8;
    const SUFFIX: &'static str = names::OFFSET_INDEX;

    fn decode(bytes: &[u8], base: Offset) -> Option<Self> {
        let (relative, position) = bytes.split_first_chunk::<4>()?;
        let relative = i64::from(i32::from_be_bytes(*relative));
        let position = u32::from_be_bytes(*position.first_chunk()?);
        // The end of a file that the reference allocated ahead is zeros. No true entry has a zero offset: the first
        // is written only after some other batch.
        (relative > 0).then_some(Self {
            offset: base.plus(relative),
            position,
        })
    }

    fn encode(self, base: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&relative(self.offset, base));
        out.extend_from_slice(&self.position.to_be_bytes());
    }

    fn follows(self, before: Self) -> bool {
        self.offset > before.offset && self.position > before.position
    }
}

impl Entry for TimeEntry {
    const SIZE: usize = 12;
    const SUFFIX: &'static str = names::TIME_INDEX;

    fn decode(bytes: &[u8], base: Offset) -> Option<Self> {
        let (timestamp, relative) = bytes.split_first_chunk::<8>()?;
        let timestamp = i64::from_be_bytes(*timestamp);
        let relative = i64::from(i32::from_be_bytes(*relative.first_chunk()?));
        let zeros = timestamp == 0 && relative == 0;
        (timestamp >= 0 && relative >= 0 && !zeros).then_some(Self {
            timestamp: Millis(timestamp),
            offset: base.plus(relative),
        })
    }

    fn encode(self, base: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.0.to_be_bytes());
        out.extend_from_slice(&relative(self.offset, base));
    }

    fn follows(self, before: Self) -> bool {
        self.timestamp > before.timestamp && self.offset >= before.offset
    }
}

/// The index of one segment. Of a sealed one nothing but the block that was looked into last is in memory; the active one
/// knows its length and its newest entries, too.
#[derive(Debug)]
pub(crate) struct SparseIndex<E> {
    active: Option<Tail<E>>,
    /// Who reads on finds the next entry here, and the file is not opened for each read.
    block: Mutex<Option<Box<Block>>>,
}

#[derive(Debug)]
struct Tail<E> {
    written: usize,
    pending: Vec<E>,
    last: Option<E>,
}

impl<E: Entry> SparseIndex<E> {
    pub(crate) const fn sealed() -> Self {
        Self {
            active: None,
            block: Mutex::new(None),
        }
    }

    /// Goes on after the first `written` entries of the file, the last of which is given.
    pub(crate) fn resume(written: usize, last: Option<E>) -> Self {
        Self {
            active: Some(Tail {
                written,
                pending: Vec::new(),
                last,
            }),
            block: Mutex::new(None),
        }
    }

    pub(crate) fn entries(&self) -> usize {
        self.active
            .as_ref()
            .map_or(0, |t| t.written + t.pending.len())
    }

    pub(crate) fn last(&self) -> Option<E> {
        self.active.as_ref().and_then(|t| t.last)
    }

    /// Adds an entry if it rises above the last one.
    pub(crate) fn push(&mut self, entry: E) {
        let tail = self
            .active
            .as_mut()
            .expect("only the active segment's index grows");
        if tail.last.is_none_or(|last| entry.follows(last)) {
            tail.pending.push(entry);
            tail.last = Some(entry);
        }
    }

    /// Entries that are in memory only.
    pub(crate) fn pending(&self) -> usize {
        self.active.as_ref().map_or(0, |t| t.pending.len())
    }

    /// Hands over what has gathered, for someone who writes the file himself.
    pub(crate) fn take_pending(&mut self) -> Vec<E> {
        let tail = self
            .active
            .as_mut()
            .expect("only an index that grows has entries to write");
        std::mem::take(&mut tail.pending)
    }

    /// Brings the file up to date: its length is what is valid, whatever stood behind before.
    pub(crate) fn write(&mut self, place: Place<'_>) -> Result<(), DiskError> {
        let Some(tail) = &mut self.active else {
            return Ok(());
        };
        let path = place.path(E::SUFFIX);
        let file = place
            .disk
            .open(&path, OpenMode::Create)
            .during("open", &path)?;
        let start = (tail.written * E::SIZE) as u64;
        let mut bytes = Vec::with_capacity(tail.pending.len() * E::SIZE);
        for entry in &tail.pending {
            entry.encode(place.base, &mut bytes);
        }
        write_full(file.as_ref(), &bytes, start).during("write", &path)?;
        let end = start + bytes.len() as u64;
        if file.len().during("measure", &path)? != end {
            file.set_len(end).during("cut", &path)?;
        }
        tail.written += tail.pending.len();
        tail.pending = Vec::new();
        Ok(())
    }

    pub(crate) fn seal(&mut self, place: Place<'_>) -> Result<(), DiskError> {
        self.write(place)?;
        self.active = None;
        Ok(())
    }

    /// The last entry that satisfies a condition which holds for a first part of the entries.
    pub(crate) fn floor(
        &self,
        place: Place<'_>,
        holds: impl Fn(E) -> bool,
    ) -> Result<Option<E>, DiskError> {
        if let Some(tail) = &self.active {
            let n = tail.pending.partition_point(|e| holds(*e));
            if n > 0 {
                return Ok(Some(tail.pending[n - 1]));
            }
        }
        let mut block = self.block.lock();
        if let Some(known) = &*block {
            let (n, found) = known.floor(place.base, &holds);
            if known.is_sure_of::<E>(n, self.written().unwrap_or(known.in_all)) {
                return Ok(found);
            }
        }
        let read = self.block_on_disk(place, &holds)?;
        let (_, found) = read.floor(place.base, &holds);
        *block = Some(Box::new(read));
        Ok(found)
    }

    /// How many entries of the file satisfy the condition, and the last of them. A file that is missing has none.
    pub(crate) fn floor_on_disk(
        &self,
        place: Place<'_>,
        holds: impl Fn(E) -> bool,
    ) -> Result<(usize, Option<E>), DiskError> {
        Ok(self.block_on_disk(place, &holds)?.floor(place.base, &holds))
    }

    /// The block of the file in which the last entry lies that satisfies the condition.
    fn block_on_disk(
        &self,
        place: Place<'_>,
        holds: &impl Fn(E) -> bool,
    ) -> Result<Block, DiskError> {
        let path = place.path(E::SUFFIX);
        let file = match place.disk.open(&path, OpenMode::Read) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Block::default()),
            other => other.during("open", &path)?,
        };
        let len = file.len().during("measure", &path)?;
        let in_file = usize::try_from(len).unwrap_or(usize::MAX) / E::SIZE;
        let entries = self.written().map_or(in_file, |n| n.min(in_file));
        search::<E>(file.as_ref(), place.base, entries, holds).during("read", &path)
    }

    /// How many entries of the active segment are in the file.
    fn written(&self) -> Option<usize> {
        self.active.as_ref().map(|tail| tail.written)
    }

    /// Lets go of what can be had again from disk.
    pub(crate) fn forget_block(&self) {
        *self.block.lock() = None;
    }
}

/// Some entries of a file, one after the other.
#[derive(Debug, Default)]
struct Block {
    first: usize,
    bytes: Vec<u8>,
    /// How many entries the file had then.
    in_all: usize,
}

impl Block {
    /// How many of the file's entries satisfy the condition, and the last of them, if it is in the block.
    fn floor<E: Entry>(&self, base: Offset, holds: &impl Fn(E) -> bool) -> (usize, Option<E>) {
        let entry = |i: usize| E::decode(&self.bytes[i * E::SIZE..][..E::SIZE], base);
        let (mut low, mut high) = (0, self.entries::<E>());
        while low < high {
            let middle = low + (high - low) / 2;
            match entry(middle).is_some_and(holds) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        (self.first + low, low.checked_sub(1).and_then(entry))
    }

    /// Whether no other block has to be asked: neither one before nor one behind.
    fn is_sure_of<E: Entry>(&self, n: usize, in_all: usize) -> bool {
        let knows_before = n > self.first || self.first == 0;
        knows_before && (n < self.first + self.entries::<E>() || n == in_all)
    }

    fn entries<E: Entry>(&self) -> usize {
        self.bytes.len() / E::SIZE
    }
}

/// Binary search down to one block.
fn search<E: Entry>(
    file: &dyn DiskFile,
    base: Offset,
    entries: usize,
    holds: &impl Fn(E) -> bool,
) -> io::Result<Block> {
    let (mut low, mut high) = (0, entries);
    while (high - low) * E::SIZE > BLOCK {
        let middle = low + (high - low) / 2;
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..E::SIZE];
        let read = read_full(file, bytes, (middle * E::SIZE) as u64)?;
        if read == E::SIZE && E::decode(bytes, base).is_some_and(holds) {
            low = middle
        } else {
            high = middle
        }
    }
    // Who reads on asks for what follows next.
    high = entries.min(low + BLOCK / E::SIZE);
    let mut bytes = vec![0; (high - low) * E::SIZE];
    let read = read_full(file, &mut bytes, (low * E::SIZE) as u64)?;
    bytes.truncate(read - read % E::SIZE);
    Ok(Block {
        first: low,
        bytes,
        in_all: entries,
    })
}

/// What a check of a whole file found: how many of its first entries are in order. None: no such file.
pub(crate) fn ordered_entries<E: Entry>(
    place: Place<'_>,
    limit: usize,
) -> Result<Option<usize>, DiskError> {
    let path = place.path(E::SUFFIX);
    let file = match place.disk.open(&path, OpenMode::Read) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.during("open", &path)?,
    };
    let (mut entries, mut position, mut last) = (0, 0, None::<E>);
    let mut block = vec![0; 16 * BLOCK / E::SIZE * E::SIZE];
    loop {
        let read = read_full(file.as_ref(), &mut block, position).during("read", &path)?;
        for bytes in block[..read].chunks_exact(E::SIZE) {
            let entry = E::decode(bytes, place.base);
            let Some(entry) = entry.filter(|e| last.is_none_or(|l| e.follows(l))) else {
                return Ok(Some(entries));
            };
            last = Some(entry);
            entries += 1;
        }
        if read < block.len() || entries >= limit {
            return Ok(Some(entries));
        }
        position += read as u64;
    }
}
