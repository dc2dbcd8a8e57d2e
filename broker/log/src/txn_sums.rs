//! `txn-index-checkpoint`: what the transaction indexes of a partition have to hold, so that one that is missing,
//! changed or of another log is noticed.
//!
//! A segment in which nothing was aborted has no `.txnindex`, and an entry has no checksum: without this file a lost
//! index says that every transaction was committed. Always: the file is a hint. Where it and an index disagree the log
//! decides: its markers are read again and the index made anew, so that no order of crashes between the two does any
//! harm. A sum, once taken, goes with the index as the log changes it and is never taken again from what the disk
//! says later. The reference knows no file of this name and leaves it alone. Layout: `docs/format/checkpoints.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use ottla_protocol::types::Offset;

use crate::checkpoint;
use crate::disk::{Context, Disk, DiskError, read_file_if_there, remove_if_there, replace_file};
use crate::log::Log;
use crate::names;
use crate::txn_index::{self, AbortedTxn};

/// A line per segment in which something was aborted.
const SIZE_MAX: u64 = 64 << 20;

/// What the entries of one index come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub entries: u64,
    /// CRC-32C of their bytes.
    pub crc: u32,
}

/// The sums of all indexes of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxnSums {
    /// Entries whose markers lie below it are counted; nothing is said of others.
    pub end: Offset,
    /// By base offset of the segment. A segment that is not here has no such entries.
    pub by_segment: BTreeMap<Offset, Sum>,
}

/// The sums as the log keeps them.
#[derive(Debug, Default)]
pub(crate) struct KeptSums {
    sums: TxnSums,
    /// Segments whose index the log itself has changed, other than by adding to it.
    changed: BTreeSet<Offset>,
    /// The file says something else, or cannot be read.
    is_stale: bool,
}

impl TxnSums {
    /// Whether these can be the entries of that segment's index.
    #[must_use]
    pub fn fits(&self, segment: Offset, entries: &[AbortedTxn]) -> bool {
        let mut found = Sum::default();
        found.add(entries.iter().filter(|txn| txn.last_offset < self.end));
        found == self.by_segment.get(&segment).copied().unwrap_or_default()
    }

    /// Counts all entries of an index that was not counted yet.
    pub(crate) fn count(&mut self, segment: Offset, entries: &[AbortedTxn]) {
        let mut sum = Sum::default();
        sum.add(entries.iter().filter(|txn| txn.last_offset < self.end));
        if sum.entries > 0 {
            self.by_segment.insert(segment, sum);
        }
    }

    #[must_use]
    pub fn render(&self) -> String {
        let mut lines = String::new();
        for (segment, sum) in &self.by_segment {
            let _ = writeln!(lines, "{segment} {} {}", sum.entries, sum.crc);
        }
        let crc = crc32c::crc32c(format!("{}\n{lines}", self.end).as_bytes());
        let header = checkpoint::header(1 + self.by_segment.len());
        format!("{header}{} {crc}\n{lines}", self.end)
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut end = None;
        let mut by_segment = BTreeMap::new();
        checkpoint::parse(bytes, |fields| match fields {
            [offset, _crc] if end.is_none() => {
                end = Some(Offset(offset.parse().ok()?));
                Some(())
            }
            [segment, entries, crc] if end.is_some() => {
                let segment = Offset(segment.parse().ok()?);
                let sum = Sum {
                    entries: entries.parse().ok().filter(|entries| *entries > 0)?,
                    crc: crc.parse().ok()?,
                };
                by_segment.insert(segment, sum).is_none().then_some(())
            }
            _ => None,
        })?;
        let end = end.ok_or_else(|| "it ends before it says how far it goes".to_owned())?;
        let sums = Self { end, by_segment };
        match sums.render().as_bytes() == bytes {
            true => Ok(sums),
            false => Err("its checksum does not fit".to_owned()),
        }
    }
}

impl Sum {
    fn add<'a>(&mut self, entries: impl Iterator<Item = &'a AbortedTxn>) {
        for txn in entries {
            self.entries += 1;
            self.crc = crc32c::crc32c_append(self.crc, &txn_index::render(*txn));
        }
    }
}

/// What a folder's file says; `Err` in the inner result: what is wrong with it. None: it is not there.
pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Result<TxnSums, String>>, DiskError> {
    let bytes = read_file_if_there(disk, &dir.join(names::TXN_SUMS), SIZE_MAX);
    match bytes {
        Err(e) if e.source.kind() == std::io::ErrorKind::InvalidData => {
            Ok(Some(Err(e.source.to_string())))
        }
        other => Ok(other?.map(|bytes| TxnSums::parse(&bytes))),
    }
}

/// Replaces the file, durably; it goes where nothing was aborted.
pub fn write(disk: &dyn Disk, dir: &Path, sums: &TxnSums) -> Result<(), DiskError> {
    let path = dir.join(names::TXN_SUMS);
    if sums.by_segment.is_empty() {
        remove_if_there(disk, &path)?;
        return disk.sync_dir(dir).during("sync directory", dir);
    }
    replace_file(disk, &path, sums.render().as_bytes())
}

impl KeptSums {
    /// As a log finds them that is being opened.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path) -> Result<Self, DiskError> {
        let (sums, is_stale) = match read(disk, dir)? {
            None => (TxnSums::default(), false),
            Some(Ok(sums)) => (sums, false),
            Some(Err(_)) => (TxnSums::default(), true),
        };
        Ok(Self {
            sums,
            changed: BTreeSet::new(),
            is_stale,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sums.by_segment.is_empty()
    }

    /// Whether an index is what the log left there.
    pub(crate) fn fits(&self, segment: Offset, entries: &[AbortedTxn]) -> bool {
        self.changed.contains(&segment) || self.sums.fits(segment, entries)
    }

    /// The log has made a segment's index another one, or none.
    pub(crate) fn changed(&mut self, segment: Offset) {
        self.is_stale |= self.sums.by_segment.remove(&segment).is_some();
        self.changed.insert(segment);
    }

    /// The log's end was cut.
    pub(crate) fn truncated(&mut self, end: Offset) {
        self.is_stale |= self.sums.end > end && !self.is_empty();
        self.sums.end = self.sums.end.min(end);
    }

    /// Counts what was added to a segment's index.
    fn extend(&mut self, segment: Offset, entries: &[AbortedTxn]) {
        let is_new = self.changed.contains(&segment);
        let counted = self.sums.end;
        let added = |txn: &&AbortedTxn| is_new || txn.last_offset >= counted;
        if entries.iter().any(|txn| added(&txn)) {
            let sum = self.sums.by_segment.entry(segment).or_default();
            sum.add(entries.iter().filter(added));
            self.is_stale = true;
        }
    }
}

impl Log {
    /// Makes the sums of the transaction indexes durable if they have changed. A marker at `end`, or behind it, may have
    /// no entry yet. On a full disk the file stays as it is until the next time: it then costs a reading of the log.
    pub fn write_txn_sums(&mut self, end: Offset) -> Result<(), DiskError> {
        for segment in &self.txn_indexes {
            let entries = txn_index::read(self.disk.as_ref(), &self.dir, *segment);
            match entries {
                Ok(entries) => self.txn_sums.extend(*segment, &entries),
                // Whoever reads it is told; the sum that was taken of it stands.
                Err(e) if e.source.kind() == std::io::ErrorKind::InvalidData => {}
                Err(e) => return Err(e),
            }
        }
        self.txn_sums.changed.clear();
        self.txn_sums.sums.end = end;
        if !self.txn_sums.is_stale {
            return Ok(());
        }
        match write(self.disk.as_ref(), &self.dir, &self.txn_sums.sums) {
            Err(e) if e.is_full() => Ok(()),
            other => {
                self.txn_sums.is_stale = other.is_err();
                other
            }
        }
    }
}
