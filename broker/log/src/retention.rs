//! Letting old segments go: by time, by size, and because the log's start has passed them.

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
        let mut deleted = Vec::new();
        let mut excess = i128::from(self.size_bytes()) - i128::from(self.config.retention_bytes);
        let by_size = self.config.retention_bytes >= 0;
        while let Some(oldest) = self.segments.first() {
            let end = self.segment_end(0);
            let bytes = oldest.size;
            let empty_active = self.segments.len() == 1 && bytes == 0;
            if end > deletable_end || empty_active {
                break;
            }
            let reason = if end <= self.start {
                DeleteReason::LogStart
            } else if self.is_expired(now)? {
                DeleteReason::RetentionMs
            } else if by_size && excess >= i128::from(bytes) {
                DeleteReason::RetentionBytes
            } else {
                break;
            };
            if self.segments.len() == 1 {
                self.roll(now)?;
            }
            excess -= i128::from(bytes);
            // The start moves first, so that a crash in between finds segments below the start and no gap.
            self.set_start(end)?;
            deleted.extend(self.take_segments(..1, reason, now)?);
        }
        Ok(deleted)
    }

    /// Whether every record of the oldest segment is older than `retention.ms`. Without timestamps the file's age
    /// counts.
    fn is_expired(&self, now: Millis) -> Result<bool, DiskError> {
        let keep = self.config.retention_ms.0;
        if keep < 0 {
            return Ok(false);
        }
        let newest = match self.largest(0)? {
            Some(largest) => largest.timestamp,
            None => {
                let path = self.place(self.segments[0].base).path(names::LOG);
                self.disk.info(&path).during("look at", &path)?.modified
            }
        };
        Ok(now.0.saturating_sub(newest.0) > keep)
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
