//! Opening a log: what is in the folder, where the log ends, what a crash has torn.
//!
//! After a clean stop only the active segment's tail is looked at. After a crash everything from the recovery point on
//! is verified: a tail without a valid batch behind it is a torn write and is cut; damage with something valid behind
//! it, or below the recovery point, is kept, reported, and an error to readers. Indexes that are missing or wrong are
//! built anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use ottla_protocol::types::{Millis, Offset};
use parking_lot::Mutex;

use crate::api::{LostFlushed, OpenInput, RecoveryReport, Truncation};
use crate::config::LogConfig;
use crate::disk::{Context, DiskError, SharedDisk, read_file_if_there, remove_if_there};
use crate::epochs::LeaderEpochs;
use crate::errors::{Corruption, Fault, OpenError};
use crate::flush::FlushState;
use crate::folder::Folder;
use crate::hints::Hints;
use crate::index::{Place, SparseIndex};
use crate::log::{Active, Log};
use crate::rescan::{Rescan, Scanned, Trust};
use crate::scan::tail_at;
use crate::segment::{Known, Segment};
use crate::txn_sums::KeptSums;
use crate::{names, producer_snapshot};

/// A leader epoch file is a line per change of leadership.
const EPOCHS_MAX: u64 = 64 << 20;

const BLOCK: u64 = 4096;

impl Log {
    /// Opens a partition's folder, or begins a log in it (the folder is made if it is missing).
    pub fn open(
        disk: SharedDisk,
        dir: &Path,
        config: Arc<LogConfig>,
        input: OpenInput,
        now: Millis,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let mut report = RecoveryReport::default();
        let folder = Folder::survey(&disk, dir)?;
        for path in &folder.left_over {
            remove_if_there(disk.as_ref(), path)?;
        }
        report.removed = folder.left_over;
        report.removed.extend(folder.settled.removed);
        report.swapped = folder.settled.finished.into_iter().collect();
        let mut segments = Vec::with_capacity(folder.logs.len().max(1));
        for &base in &folder.logs {
            let path = names::segment_file(dir, base, names::LOG);
            let size = disk.info(&path).during("look at", &path)?.len;
            segments.push(Segment::sealed(base, size));
        }
        let mut log = Self {
            disk,
            dir: dir.to_owned(),
            config,
            segments,
            active: Active::new(now),
            start: input.log_start.max(Offset::ZERO),
            end: Offset::ZERO,
            flush: FlushState::new(Offset::ZERO),
            epochs: LeaderEpochs::default(),
            snapshots: folder.snapshots.iter().copied().collect(),
            txn_indexes: folder.txn_indexes,
            aborted_end: Offset::ZERO,
            txn_sums: KeptSums::default(),
            hints: Mutex::new(Hints::default()),
        };
        if folder.has_txn_sums {
            log.txn_sums = KeptSums::open(log.disk.as_ref(), dir)?;
        }
        if log.segments.is_empty() {
            log.begin()?;
            return Ok((log, report));
        }
        log.give_back_zeros(input.clean_shutdown)?;
        let remembered = match folder.has_damage {
            true => log.recall_damage()?,
            false => Vec::new(),
        };
        let mut stale_epochs = log.read_epochs()?;
        let clean = input.clean_shutdown
            && log.open_clean(input.recovery_point, &mut stale_epochs, &mut report)?;
        if !clean {
            log.recover(input.recovery_point, &mut stale_epochs, &mut report)?;
        }
        log.rebuild_missing(&folder.offset_indexes, &folder.time_indexes, &mut report)?;
        log.settle_start(input, clean, &mut report)?;
        if stale_epochs {
            log.rebuild_epochs()?;
        }
        if log.epochs.truncate_end(log.end) {
            log.write_epochs()?;
        }
        if log.epochs.truncate_start(log.start) {
            log.flush.epochs_changed();
        }
        log.txn_sums.truncated(log.end);
        if !log.txn_indexes.is_empty() {
            log.aborted_end = log.end;
        }
        report.corrupt = log.damage();
        log.keep_damage(&remembered)?;
        log.segments.iter().for_each(Segment::release);
        log.check();
        Ok((log, report))
    }

    /// Zeros were written ahead of a segment, or it was preallocated, and when it was sealed they were cut off; a power cut may
    /// have taken that back.
    fn give_back_zeros(&mut self, clean: bool) -> Result<(), DiskError> {
        for i in 0..self.segments.len() - 1 {
            // A file system keeps lengths by the block. What was closed in order is rarely looked at.
            if clean && !self.segments[i].size.is_multiple_of(BLOCK) {
                continue;
            }
            let end = self.segments[i + 1].base;
            let segment = &self.segments[i];
            let place = self.place(segment.base);
            if let Some(size) = segment.size_without_zeros(place, end)? {
                let path = place.path(names::LOG);
                let file = segment.file(place)?;
                file.set_len(size).during("cut", &path)?;
                file.sync_data().during("sync", &path)?;
                self.segments[i].size = size;
            }
            self.segments[i].release();
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), DiskError> {
        self.create_active(self.start)?;
        self.segments.push(Segment::active(self.start));
        self.active = self.new_active(self.active.created);
        self.end = self.start;
        self.flush = FlushState::new(self.start);
        self.flush.owe_folder();
        Ok(())
    }

    /// Finds the end as a clean stop left it; false when the folder doesn't look like one.
    fn open_clean(
        &mut self,
        recovery_point: Offset,
        stale_epochs: &mut bool,
        report: &mut RecoveryReport,
    ) -> Result<bool, DiskError> {
        let i = self.segments.len() - 1;
        let trust = Trust::Clean { recovery_point };
        if i > 0 && self.segments[i].size == 0 {
            // Begun where the one before it ends, unless it is of a roll that failed.
            let base = self.segments[i].base;
            let before = self.rescan(i - 1, Offset(i64::MAX), trust)?;
            self.segments[i - 1].offsets = SparseIndex::sealed();
            self.segments[i - 1].times = SparseIndex::sealed();
            if before.fault.is_some() || before.next > base {
                return Ok(false);
            }
        }
        let scanned = self.rescan(i, Offset(i64::MAX), trust)?;
        if scanned.fault.is_some() {
            return Ok(false);
        }
        *stale_epochs |= scanned.unknown_epoch;
        self.become_active(&scanned, scanned.rebuilt.is_empty());
        report.rebuilt.extend(scanned.rebuilt);
        Ok(true)
    }

    fn rescan(&mut self, i: usize, offset_end: Offset, trust: Trust) -> Result<Scanned, DiskError> {
        let Self {
            disk,
            dir,
            segments,
            config,
            epochs,
            flush,
            ..
        } = self;
        let segment = &mut segments[i];
        let place = Place {
            disk: disk.as_ref(),
            dir,
            base: segment.base,
        };
        let rescan = Rescan {
            place,
            interval: config.index_interval_bytes,
            offset_end,
            trust,
        };
        let (mut is_first, mut unknown) = (true, false);
        let mut scanned = rescan.run(segment, &mut |header| {
            let epoch = header.partition_leader_epoch;
            if epochs.latest().is_none_or(|latest| epoch > latest) {
                // The scan began somewhere in this epoch, not where the epoch did.
                unknown |= is_first;
                if epochs.assign(epoch, header.base_offset) {
                    flush.epochs_changed();
                }
            }
            is_first = false;
        })?;
        scanned.unknown_epoch = unknown;
        Ok(scanned)
    }

    /// The last segment goes on behind what a scan of it found.
    fn become_active(&mut self, scanned: &Scanned, trusted: bool) {
        self.end = scanned.next;
        self.active.since_entry = scanned.since_entry;
        self.active.index_dirty = !trusted;
        if !trusted {
            // A crash gives no reserved blocks back.
            self.active.reserved_end = self.active_segment().size + 1;
        }
        if self.active_segment().size > 0 {
            self.active.first_timestamp = Known::NotYet;
        }
    }

    /// Makes the last segment's indexes ready to go on, after its end was moved; the offset after its last batch.
    pub(crate) fn reindex_active(&mut self) -> Result<Offset, DiskError> {
        let i = self.segments.len() - 1;
        let trust = Trust::Flushed {
            recovery_point: Offset(i64::MAX),
        };
        let scanned = self.rescan(i, self.end, trust)?;
        self.active.since_entry = scanned.since_entry;
        Ok(scanned.next)
    }

    /// Builds both indexes of a segment anew.
    pub(crate) fn rebuild_indexes(&mut self, i: usize) -> Result<(), DiskError> {
        let scanned = self.rescan(i, self.segment_end(i), Trust::BatchesOnly)?;
        if i + 1 == self.segments.len() {
            self.active.since_entry = scanned.since_entry;
            return Ok(());
        }
        self.seal(i)
    }

    fn seal(&mut self, i: usize) -> Result<(), DiskError> {
        let Self {
            disk,
            dir,
            segments,
            ..
        } = self;
        let segment = &mut segments[i];
        let place = Place {
            disk: disk.as_ref(),
            dir,
            base: segment.base,
        };
        segment.push_time_entry();
        segment.offsets.seal(place)?;
        segment.times.seal(place)?;
        place.sync_indexes()
    }

    /// Sealed segments whose index files are not there get new ones.
    fn rebuild_missing(
        &mut self,
        offset_indexes: &BTreeSet<Offset>,
        time_indexes: &BTreeSet<Offset>,
        report: &mut RecoveryReport,
    ) -> Result<(), DiskError> {
        for i in 0..self.segments.len() - 1 {
            let base = self.segments[i].base;
            let missing: Vec<_> = [
                (offset_indexes.contains(&base), names::OFFSET_INDEX),
                (time_indexes.contains(&base), names::TIME_INDEX),
            ]
            .into_iter()
            .filter(|(there, _)| !there)
            .map(|(_, suffix)| names::segment_file(&self.dir, base, suffix))
            .filter(|path| !report.rebuilt.contains(path))
            .collect();
            if !missing.is_empty() {
                self.rebuild_indexes(i)?;
                report.rebuilt.extend(missing);
            }
        }
        Ok(())
    }

    /// Verifies everything from the recovery point on, and decides what is a torn tail and what is damage.
    fn recover(
        &mut self,
        recovery_point: Offset,
        stale_epochs: &mut bool,
        report: &mut RecoveryReport,
    ) -> Result<(), DiskError> {
        let first = self.segment_of(recovery_point);
        let trust = Trust::Flushed { recovery_point };
        let mut scans = Vec::new();
        for i in first..self.segments.len() {
            let offset_end = self
                .segments
                .get(i + 1)
                .map_or(Offset(i64::MAX), |next| next.base);
            let scanned = self.rescan(i, offset_end, trust)?;
            report.scanned_bytes += scanned.verified_bytes;
            report.scanned_batches += scanned.verified_batches;
            report.rebuilt.extend(scanned.rebuilt.iter().cloned());
            *stale_epochs |= i == first && scanned.unknown_epoch;
            scans.push(scanned);
        }
        // The log ends in the last segment that holds anything valid, or that held something flushed; later ones can
        // only be empty or garbage.
        let holds = |(i, scan): (usize, &Scanned)| {
            let rotted = scan.fault.is_some_and(|fault| !is_short(fault));
            scan.batches > 0 || (rotted && self.segments[first + i].base < recovery_point)
        };
        let last = scans.iter().enumerate().rposition(holds).unwrap_or(0);
        let ends_well = scans[last].fault.is_none();
        let next_is_new = scans.get(last + 1).is_some_and(|_| {
            let next = &self.segments[first + last + 1];
            ends_well && next.size == 0 && next.base == scans[last].next
        });
        let keep = first + last + 1 + usize::from(next_is_new);
        let removed = self.remove_from(keep)?;
        for (i, scanned) in scans.iter().enumerate().take(last) {
            self.keep_damaged_end(first + i, scanned, self.segments[first + i + 1].base);
        }
        let scanned = &scans[last];
        let end = self.end_of_last(first + last, scanned, recovery_point, report)?;
        if let Some(truncated) = &mut report.truncated {
            truncated.segments_removed = removed.0;
            truncated.bytes += removed.1;
            if truncated.is_quiet() {
                let behind = scans.get(last + 1).and_then(|s| s.fault);
                truncated.reason = behind.unwrap_or(truncated.reason);
            }
        } else if removed.1 > 0 {
            report.truncated = Some(Truncation {
                segment: self.segments[first + last].base,
                position: scanned.position,
                offset: end,
                batches: 0,
                bytes: removed.1,
                segments_removed: removed.0,
                reason: scans
                    .get(last + 1)
                    .and_then(|s| s.fault)
                    .unwrap_or(Fault::BadOffset),
            });
        }
        self.end = end;
        let active = self.segments.len() - 1;
        if next_is_new {
            self.active.since_entry = 0;
        } else {
            self.become_active(scanned, false);
            self.end = end;
        }
        for i in first..active {
            self.seal(i)?;
        }
        if end < recovery_point {
            report.lost = Some(LostFlushed {
                end,
                recovery_point,
            });
        }
        Ok(())
    }

    /// Removes segments that hold nothing valid, newest first; how many, and their bytes.
    fn remove_from(&mut self, keep: usize) -> Result<(usize, u64), DiskError> {
        let (mut count, mut bytes) = (0, 0);
        while self.segments.len() > keep {
            let Some(segment) = self.segments.pop() else {
                break;
            };
            self.txn_indexes.remove(&segment.base);
            self.txn_sums.changed(segment.base);
            for suffix in names::SEGMENT_FILES {
                let path = names::segment_file(&self.dir, segment.base, suffix);
                remove_if_there(self.disk.as_ref(), &path)?;
            }
            count += 1;
            bytes += segment.size;
        }
        if count > 0 {
            self.disk
                .sync_dir(&self.dir)
                .during("sync directory", &self.dir)?;
        }
        Ok((count, bytes))
    }

    /// A segment that is followed by valid ones keeps its end, readable or not.
    fn keep_damaged_end(&mut self, i: usize, scanned: &Scanned, next_offset: Offset) {
        let Some(reason) = scanned.fault else { return };
        let segment = &mut self.segments[i];
        segment.note_corrupt(Corruption {
            segment: segment.base,
            position: scanned.position,
            bytes: segment.size - scanned.position,
            first_offset: scanned.next,
            next_offset,
            reason,
        });
    }

    /// Where the log ends, after its last segment with anything valid was cut, or kept with a damaged end.
    fn end_of_last(
        &mut self,
        i: usize,
        scanned: &Scanned,
        recovery_point: Offset,
        report: &mut RecoveryReport,
    ) -> Result<Offset, DiskError> {
        let Some(reason) = scanned.fault else {
            return Ok(scanned.next);
        };
        if scanned.next < recovery_point && !is_short(reason) {
            // This was flushed once and rotted since: its bytes may be worth something to somebody.
            self.keep_damaged_end(i, scanned, recovery_point);
            return Ok(recovery_point);
        }
        let segment = &mut self.segments[i];
        let place = Place {
            disk: self.disk.as_ref(),
            dir: &self.dir,
            base: segment.base,
        };
        let path = place.path(names::LOG);
        let file = segment.file(place)?;
        let bounds = segment.bounds(Offset(i64::MAX));
        let tail = tail_at(file.as_ref(), scanned.position, scanned.next, bounds);
        let batches = tail.during("read", &path)?;
        report.truncated = Some(Truncation {
            segment: segment.base,
            position: scanned.position,
            offset: scanned.next,
            batches: batches.unwrap_or(0),
            bytes: segment.size - scanned.position,
            segments_removed: 0,
            reason: batches.map_or(Fault::Unwritten, |_| reason),
        });
        segment.size = scanned.position;
        file.set_len(scanned.position).during("cut", &path)?;
        file.sync_data().during("sync", &path)?;
        self.truncate_txn_index(self.segments[i].base, scanned.next)?;
        Ok(scanned.next)
    }

    /// Start and flushed end, once the end is known.
    fn settle_start(
        &mut self,
        input: OpenInput,
        clean: bool,
        report: &mut RecoveryReport,
    ) -> Result<(), OpenError> {
        // A crash may have left names that were never synced; the folder's own where no flush has ever ended.
        if !clean {
            self.flush.names_changed();
            if input.recovery_point == Offset::ZERO {
                self.flush.owe_folder();
            }
        }
        self.start = self.start.max(self.segments[0].base);
        if self.start > self.end {
            // Everything that is left was deleted by request before the crash.
            let start = self.start;
            let now = self.active.created;
            for segment in self.restart_at(start, now)? {
                segment.remove(self.disk.as_ref())?;
                report.removed.extend(segment.files);
            }
            return Ok(());
        }
        let flushed = if clean {
            self.end
        } else {
            input.recovery_point.min(self.end)
        };
        self.flush.end = flushed.max(self.start);
        let snapshots = std::mem::take(&mut self.snapshots);
        let newest = snapshots.iter().rfind(|at| **at <= self.end).copied();
        for at in snapshots {
            // A clean stop writes one at the end, which nobody needs once there is a newer one.
            let is_at_segment = self.segments.iter().any(|s| s.base == at);
            if at <= self.end && (is_at_segment || Some(at) == newest) {
                self.snapshots.push(at);
            } else {
                producer_snapshot::remove(self.disk.as_ref(), &self.dir, at)?;
                report
                    .removed
                    .push(names::segment_file(&self.dir, at, names::PRODUCER_SNAPSHOT));
            }
        }
        Ok(())
    }

    /// Reads the leader epoch file; true when it is of no use.
    fn read_epochs(&mut self) -> Result<bool, DiskError> {
        let path = self.dir.join(names::LEADER_EPOCHS);
        let bytes = match read_file_if_there(self.disk.as_ref(), &path, EPOCHS_MAX) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(true),
            Err(e) if e.source.kind() == std::io::ErrorKind::InvalidData => return Ok(true),
            Err(e) => return Err(e),
        };
        if !bytes.ends_with(b"\n") {
            // Torn in its first writing: what is left of the last number may look like one.
            return Ok(true);
        }
        match LeaderEpochs::parse(&bytes) {
            Ok(epochs) => {
                self.epochs = epochs;
                Ok(self.epochs.entries().is_empty())
            }
            Err(_) => Ok(true),
        }
    }

    fn rebuild_epochs(&mut self) -> Result<(), DiskError> {
        let mut epochs = LeaderEpochs::default();
        self.scan_batches(self.start, &mut |header| {
            let epoch = header.partition_leader_epoch;
            if epochs.latest().is_none_or(|latest| epoch > latest) {
                epochs.assign(epoch, header.base_offset);
            }
        })?;
        if epochs != self.epochs {
            self.epochs = epochs;
            self.flush.epochs_changed();
        }
        Ok(())
    }
}

/// The file ends too early, which rot does not do.
fn is_short(fault: Fault) -> bool {
    matches!(fault, Fault::ShortHeader | Fault::ShortBatch)
}
