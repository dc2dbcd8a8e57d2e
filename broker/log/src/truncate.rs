//! Cutting a log: at its end (`truncate_to`, `restart_at`) and at its start (`set_start`).

use std::path::PathBuf;

use ottla_protocol::types::{Millis, Offset};

use crate::api::{DeleteReason, DeletedSegment};
use crate::disk::{Context, DiskError, remove_if_there};
use crate::errors::ReadError;
use crate::log::{Active, Log};
use crate::names;
use crate::producer_snapshot;
use crate::segment::{Known, Segment};

/// Files that go with a segment: its own, and the state of producers before it.
pub(crate) const SUFFIXES: [&str; 5] = {
    let [log, offset_index, time_index, txn_index] = names::SEGMENT_FILES;
    let snapshot = names::PRODUCER_SNAPSHOT;
    [log, offset_index, time_index, txn_index, snapshot]
};

impl Log {
    /// Raises the log's start (DeleteRecords); a lower offset changes nothing. Whole segments below go with the next
    /// `apply_retention`. The caller makes the new start durable in `log-start-offset-checkpoint` before it answers.
    ///
    /// # Panics
    /// If `start` lies behind the end: the caller checks against the high watermark.
    pub fn set_start(&mut self, start: Offset) -> Result<(), DiskError> {
        assert!(
            start <= self.end,
            "log start {start} behind the end {}",
            self.end
        );
        if start <= self.start {
            return Ok(());
        }
        if start > self.flush.end {
            // Else a power cut could leave an end below the start, and offsets would be given out twice.
            self.flush_now()?;
        }
        self.start = start;
        if self.epochs.truncate_start(start) {
            self.flush.epochs_changed();
        }
        self.check();
        Ok(())
    }

    /// Drops every batch that reaches `offset` or lies behind it, durably. If `offset` is in the middle of a batch, the
    /// log ends before that batch. After an error the log is half cut: it has to be dropped and opened again.
    pub fn truncate_to(
        &mut self,
        offset: Offset,
        now: Millis,
    ) -> Result<Vec<DeletedSegment>, DiskError> {
        if offset >= self.end {
            return Ok(Vec::new());
        }
        if offset <= self.segments[0].base {
            return self.restart_at(offset, now);
        }
        // Later segments first: a crash in between leaves a log that only ends too late.
        let keep = self.segments.partition_point(|s| s.base < offset);
        let removed = self.take_segments(keep.., DeleteReason::Truncated, now)?;
        self.end = removed
            .first()
            .map_or(self.end, |r: &DeletedSegment| r.base_offset);
        let i = keep - 1;
        let found = match self.locate_in(i, offset, None) {
            Ok(found) => found.map(|f| (f.position, f.header.base_offset.min(offset))),
            Err(ReadError::Corrupt(damage)) => {
                Some((damage.position, damage.first_offset.min(offset)))
            }
            Err(ReadError::Disk(e)) => return Err(e),
            Err(ReadError::OutOfRange { .. }) => None,
        };
        let (size, end) = found.unwrap_or((self.segments[i].size, offset));
        self.cut_active(size, end, now)?;
        Ok(removed)
    }

    /// Drops everything and goes on at another offset. After an error the log has to be dropped and opened again.
    pub fn restart_at(
        &mut self,
        offset: Offset,
        now: Millis,
    ) -> Result<Vec<DeletedSegment>, DiskError> {
        let removed = self.take_segments(.., DeleteReason::Truncated, now)?;
        self.create_active(offset)?;
        self.segments.push(Segment::active(offset));
        self.active = self.new_active(now);
        self.start = offset;
        self.end = offset;
        self.epochs.truncate_end(Offset(i64::MIN));
        self.flush.truncated(offset);
        self.flush.end = offset;
        self.flush.names_changed();
        self.write_epochs()?;
        if self.flush.folder_owed {
            // A recovery point above zero says that the folder is durable.
            self.flush_now()?;
        }
        self.check();
        Ok(removed)
    }

    /// The last segment becomes the active one, with `size` bytes and the log ending at `end`, or before it where there
    /// was a gap.
    fn cut_active(&mut self, size: u64, end: Offset, now: Millis) -> Result<(), DiskError> {
        self.hints.get_mut().forget_positions();
        let i = self.segments.len() - 1;
        let base = self.segments[i].base;
        let path = self.place(base).path(names::LOG);
        let file = self.segments[i].file(self.place(base))?;
        file.set_len(size).during("cut", &path)?;
        file.sync_data().during("sync", &path)?;
        self.segments[i].size = size;
        self.segments[i]
            .corrupt
            .get_mut()
            .retain(|c| c.position < size);
        self.active = Active::new(now);
        if size > 0 {
            self.active.first_timestamp = Known::NotYet;
        }
        let after_last = self.reindex_active()?;
        let end = end.min(after_last.max(self.start));
        self.end = end;
        self.start = self.start.min(end);
        self.flush.truncated(end);
        // At once: an epoch may be begun again at a lower offset, and a file that says otherwise would be believed. The
        // same goes for everything else that tells of what was cut.
        if self.epochs.truncate_end(end) {
            self.write_epochs()?;
        }
        self.truncate_txn_index(base, end)?;
        self.remove_snapshots_above(end)?;
        self.active.index_dirty = true;
        self.settle_active()?;
        self.sync_active_index()?;
        self.check();
        Ok(())
    }

    fn remove_snapshots_above(&mut self, end: Offset) -> Result<(), DiskError> {
        self.snapshots.retain(|at| *at <= end);
        for entry in self.disk.list(&self.dir).during("list", &self.dir)? {
            if let Some((at, names::PRODUCER_SNAPSHOT)) = names::parse_segment_file(&entry.name)
                && at > end
            {
                producer_snapshot::remove(self.disk.as_ref(), &self.dir, at)?;
            }
        }
        Ok(())
    }

    /// Takes segments out of the log; their files get the ending `.deleted`, durably. Afterwards there may be none.
    ///
    /// From the newest down when cutting the end, from the oldest up when cutting the start, and with a sync for each: a
    /// file system may keep renames in any order, and what remains after a power cut is always one run, whatever becomes
    /// of the checkpoints.
    pub(crate) fn take_segments(
        &mut self,
        range: impl std::ops::RangeBounds<usize>
        + std::slice::SliceIndex<[Segment], Output = [Segment]>
        + Clone,
        reason: DeleteReason,
        now: Millis,
    ) -> Result<Vec<DeletedSegment>, DiskError> {
        self.hints.get_mut().forget_positions();
        let mut deleted = Vec::new();
        let bases: Vec<Offset> = self.segments[range.clone()]
            .iter()
            .map(|s| s.base)
            .collect();
        let last = bases.last().copied();
        let newest_first = last == self.segments.last().map(|s| s.base);
        let order: Vec<Offset> = if newest_first {
            bases.iter().rev().copied().collect()
        } else {
            bases
        };
        if !order.is_empty() && self.flush.names_pending() {
            // A segment that was begun because all others go must not be missing when they have gone.
            self.sync_folder()?;
        }
        let (log, beside) = SUFFIXES.split_at(1);
        for base in &order {
            let mut files = self.mark_deleted(*base, log)?;
            self.sync_folder()?;
            // Without their log these are left-overs to whoever opens the folder.
            files.extend(self.mark_deleted(*base, beside)?);
            let i = self.segments.partition_point(|s| s.base < *base);
            deleted.push(DeletedSegment {
                base_offset: *base,
                end: self.segment_end(i),
                bytes: self.segments[i].size,
                reason,
                remove_at: now.plus(self.config.file_delete_delay_ms),
                files,
            });
        }
        if deleted.is_empty() {
            return Ok(deleted);
        }
        if newest_first {
            // The next segment may begin at the same offset.
            self.sync_folder()?;
        }
        self.segments.drain(range);
        deleted.sort_by_key(|d| d.base_offset);
        Ok(deleted)
    }

    /// Gives a segment's files the ending `.deleted`, those of these kinds, or removes them at once where there is no room.
    pub(crate) fn mark_deleted(
        &mut self,
        base: Offset,
        suffixes: &[&str],
    ) -> Result<Vec<PathBuf>, DiskError> {
        let mut files = Vec::new();
        for suffix in suffixes {
            let path = names::segment_file(&self.dir, base, suffix);
            let mut marked = path.clone().into_os_string();
            marked.push(names::DELETED);
            let marked = PathBuf::from(marked);
            match self.disk.rename(&path, &marked) {
                Ok(()) => files.push(marked),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => match Err(e).during("rename", &path) {
                    // A full disk may have no room for a longer name.
                    Err(e) if e.is_full() => remove_if_there(self.disk.as_ref(), &path)?,
                    other => other?,
                },
            }
        }
        if suffixes.contains(&names::PRODUCER_SNAPSHOT) {
            self.snapshots.retain(|at| *at != base);
        }
        if suffixes.contains(&names::TXN_INDEX) {
            self.txn_indexes.remove(&base);
            self.txn_sums.changed(base);
        }
        Ok(files)
    }
}
