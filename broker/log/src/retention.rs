//! Letting old segments go: because the log's start has passed them, by size, and by time.

use ottla_protocol::types::{Millis, Offset};

use crate::api::{DeleteReason, DeletedSegment};
use crate::disk::{Context, DiskError};
use crate::log::Log;
use crate::names;

impl Log {
    /// One round of housekeeping: deletes whole segments from the oldest on, as the topic's configuration says, and
    /// rebuilds indexes that turned out to be wrong. Nothing at or above `deletable_end` (the high watermark) goes. The
    /// caller removes what is returned once its time has come, and checkpoints the new start.
    pub fn apply_retention(
        &mut self,
        deletable_end: Offset,
        now: Millis,
    ) -> Result<Vec<DeletedSegment>, DiskError> {
        self.repair_suspects()?;
        let reasons = self.reasons_to_delete(deletable_end, now)?;
        if reasons.len() == self.segments.len() {
            self.roll(now)?;
        }
        let mut deleted = Vec::new();
        for of_one_reason in reasons.chunk_by(PartialEq::eq) {
            let count = of_one_reason.len();
            // The start moves first, so that a crash in between finds segments below the start and no gap.
            self.set_start(self.segment_end(count - 1))?;
            deleted.extend(self.take_segments(..count, of_one_reason[0], now)?);
        }
        Ok(deleted)
    }

    /// From when on `apply_retention` may find something to delete if nothing is appended and neither the start nor the
    /// configuration changes. None: never.
    pub fn retention_due(&self) -> Result<Option<Millis>, DiskError> {
        self.expires_at(0)
    }

    /// Why the oldest segments may go, one reason for each of them.
    fn reasons_to_delete(
        &self,
        deletable_end: Offset,
        now: Millis,
    ) -> Result<Vec<DeleteReason>, DiskError> {
        let mut left = self.size_bytes();
        let mut reasons = Vec::new();
        for (i, segment) in self.segments.iter().enumerate() {
            let end = self.segment_end(i);
            let is_active = i + 1 == self.segments.len();
            if end > deletable_end || (is_active && segment.size == 0) {
                break;
            }
            left -= segment.size;
            let too_much =
                u64::try_from(self.config.retention_bytes).is_ok_and(|keep| left >= keep);
            // The active segment does not go for the start's sake alone, as in the reference.
            let reason = if end <= self.start && !is_active {
                DeleteReason::LogStart
            } else if too_much {
                DeleteReason::RetentionBytes
            } else if self.expires_at(i)?.is_some_and(|at| at <= now) {
                DeleteReason::RetentionMs
            } else {
                break;
            };
            reasons.push(reason);
        }
        Ok(reasons)
    }

    /// When a segment is too old. None: never, or it is the active one and empty.
    fn expires_at(&self, i: usize) -> Result<Option<Millis>, DiskError> {
        let keep = self.config.retention_ms.0;
        let is_active = i + 1 == self.segments.len();
        if keep < 0 || (is_active && self.segments[i].size == 0) {
            return Ok(None);
        }
        let expired_from = self.age_base(i)?.0.saturating_add(keep).saturating_add(1);
        Ok(Some(Millis(expired_from)))
    }

    /// What the age of a segment is counted from: its largest timestamp, also one in the future. Without timestamps the
    /// file's age counts.
    fn age_base(&self, i: usize) -> Result<Millis, DiskError> {
        if let Some(largest) = self.largest(i)? {
            return Ok(largest.timestamp);
        }
        let path = self.place(self.segments[i].base).path(names::LOG);
        Ok(self.disk.info(&path).during("look at", &path)?.modified)
    }

    fn repair_suspects(&mut self) -> Result<(), DiskError> {
        for i in 0..self.segments.len() {
            if self.segments[i].take_suspicion() {
                self.rebuild_indexes(i)?;
            }
        }
        Ok(())
    }
}
