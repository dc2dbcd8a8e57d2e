//! Transaction indexes and producer snapshots, made anew from the repaired log and what the old files still told.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use ottla_protocol::types::Offset;

use super::aside::Aside;
use crate::disk::{Context, Disk, DiskError, OpenMode, read_file_if_there, read_full};
use crate::names;
use crate::producer_snapshot::{self, SnapshotError};
use crate::txn_index::{self, AbortedTxn};
use crate::txn_sums::{self, TxnSums};
use crate::verify::producers::{Aborted, Producers};
use crate::verify::walk::{Met, Segment};
use crate::verify::{Kind, PartitionReport, bases, files};

const TXN_INDEX_MAX: u64 = 256 << 20;
/// A marker's batch takes less than a hundred bytes.
const MARKER_BATCH_MAX: usize = 64 << 10;

/// The entries of every transaction index as far as they can be read.
pub(super) fn read_aborted(
    disk: &dyn Disk,
    dir: &Path,
) -> Result<BTreeMap<Offset, Vec<AbortedTxn>>, DiskError> {
    let mut old = BTreeMap::new();
    for base in bases(&files(disk, dir)?, names::TXN_INDEX) {
        let path = names::segment_file(dir, base, names::TXN_INDEX);
        let bytes = read_file_if_there(disk, &path, TXN_INDEX_MAX)?.unwrap_or_default();
        old.insert(base, txn_index::parse_sound(&bytes));
    }
    Ok(old)
}

/// Writes what the report found wrong: transaction indexes of segments, snapshots, and one at the log's end.
pub(super) fn rebuild(
    disk: &dyn Disk,
    dir: &Path,
    aside: &Aside<'_>,
    old: &BTreeMap<Offset, Vec<AbortedTxn>>,
    end: Offset,
    report: &PartitionReport,
) -> Result<(), DiskError> {
    let wrong = |kind: Kind| -> Vec<Offset> {
        let of_kind = report
            .findings
            .iter()
            .filter(|finding| finding.kind == kind);
        of_kind.filter_map(|finding| finding.segment).collect()
    };
    let wrong_indexes = wrong(Kind::TxnIndex);
    let mut wanted = wrong(Kind::ProducerSnapshot);
    wanted.retain(|at| *at < end);
    wanted.push(end);
    wanted.sort();
    wanted.dedup();
    let names = files(disk, dir)?;
    let logs = bases(&names, names::LOG);
    let there = bases(&names, names::PRODUCER_SNAPSHOT);
    let mut pass = Pass {
        disk,
        dir,
        aside,
        producers: Producers::default(),
        there,
        wanted,
    };
    let none = Vec::new();
    for (i, base) in logs.iter().enumerate() {
        let offset_end = logs.get(i + 1).copied();
        let entries = old.get(base).unwrap_or(&none);
        let aborted = pass.segment(*base, offset_end, entries)?;
        if wrong_indexes.contains(base) {
            txn_index::replace(disk, dir, *base, &aborted)?;
        }
    }
    if !wrong_indexes.is_empty() {
        write_txn_sums(disk, dir, end)?;
    }
    pass.snapshots_before(end)
}

/// Of the indexes as they are now.
fn write_txn_sums(disk: &dyn Disk, dir: &Path, end: Offset) -> Result<(), DiskError> {
    let mut sums = TxnSums {
        end,
        ..TxnSums::default()
    };
    for base in bases(&files(disk, dir)?, names::TXN_INDEX) {
        sums.count(base, &txn_index::read(disk, dir, base)?);
    }
    txn_sums::write(disk, dir, &sums)
}

struct Pass<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    aside: &'a Aside<'a>,
    producers: Producers,
    /// Snapshots that can be read, before the walk.
    there: Vec<Offset>,
    /// Snapshots that are to be written.
    wanted: Vec<Offset>,
}

impl Pass<'_> {
    fn segment(
        &mut self,
        base: Offset,
        offset_end: Option<Offset>,
        old: &[AbortedTxn],
    ) -> Result<Vec<AbortedTxn>, DiskError> {
        let (disk, path) = (self.disk, names::segment_file(self.dir, base, names::LOG));
        let file = disk.open(&path, OpenMode::Read).during("open", &path)?;
        let segment = Segment {
            path: &path,
            base,
            file: file.as_ref(),
            size: file.len().during("measure", &path)?,
            offset_end: offset_end.unwrap_or(Offset(i64::MAX)),
            is_last: offset_end.is_none(),
        };
        let mut aborted = Vec::new();
        segment.walk(&mut |met| {
            let Met::Batch {
                position, header, ..
            } = met
            else {
                return Ok(());
            };
            self.snapshots_before(header.base_offset)?;
            if !header.is_control() {
                self.producers.on_batch(&header);
                return Ok(());
            }
            let mut bytes = vec![0; header.size_in_bytes().min(MARKER_BATCH_MAX)];
            let read = read_full(file.as_ref(), &mut bytes, position).during("read", &path)?;
            bytes.truncate(read);
            match self.producers.on_marker(&header, Bytes::from(bytes)) {
                Ok(Some(Aborted::Known(txn))) => aborted.push(txn),
                Ok(Some(Aborted::Unknown { last_offset, .. })) => {
                    aborted.extend(old.iter().find(|txn| txn.last_offset == last_offset));
                }
                Ok(None) | Err(()) => {}
            }
            Ok(())
        })?;
        Ok(aborted)
    }

    /// Reads or writes the snapshots that tell of the log up to an offset at most.
    fn snapshots_before(&mut self, offset: Offset) -> Result<(), DiskError> {
        while let Some(at) = self.there.first().copied().filter(|at| *at <= offset) {
            self.there.remove(0);
            match producer_snapshot::read(self.disk, self.dir, at) {
                Ok(entries) => {
                    self.producers
                        .learn(producer_snapshot::last_of_each(&entries));
                }
                Err(SnapshotError::Malformed { .. }) => {}
                Err(SnapshotError::Disk(e)) => return Err(e),
            }
        }
        while let Some(at) = self.wanted.first().copied().filter(|at| *at <= offset) {
            self.wanted.remove(0);
            if self.producers.too_many {
                continue;
            }
            self.aside
                .take(&format!("{:020}.{}", at.0, names::PRODUCER_SNAPSHOT))?;
            producer_snapshot::write(self.disk, self.dir, at, &self.producers.entries())?;
        }
        Ok(())
    }
}
