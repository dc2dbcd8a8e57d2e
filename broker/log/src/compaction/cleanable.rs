//! How much of a log waits for the cleaner (KIP-58), and for how long already (KIP-354).

use ottla_protocol::records::batch::{BATCH_OVERHEAD, BatchHeader};
use ottla_protocol::types::{Millis, Offset};

use crate::disk::{Context, DiskError, read_full};
use crate::log::Log;
use crate::names;

/// What configuration says about cleaning one log. Names follow the topic keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactionConfig {
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: a record stays uncleaned at least so long.
    pub min_lag_ms: Millis,
    /// `max.compaction.lag.ms`: and at most so long. `i64::MAX`: no limit.
    pub max_lag_ms: Millis,
    /// `delete.retention.ms`: how long a tombstone stays after it was first cleaned.
    pub delete_retention_ms: Millis,
    /// Size of the buffer that is read into and of the one that is written from; a pass has one of each.
    pub io_buffer_bytes: usize,
}

impl Default for CompactionConfig {
    fn default() -> Self {
        Self {
            min_cleanable_dirty_ratio: 0.5,
            min_lag_ms: Millis(0),
            max_lag_ms: Millis(i64::MAX),
            delete_retention_ms: Millis(24 * 3_600_000),
            io_buffer_bytes: 256 << 10,
        }
    }
}

/// What a log offers the cleaner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanable {
    /// Below, no key has two records.
    pub first_dirty: Offset,
    /// Where what must not be cleaned yet begins: the active segment, or what is unstable or too young. A segment's base.
    pub end: Offset,
    /// Bytes of the segments before `first_dirty`, and of those from there to `end`; one that has both counts twice.
    pub clean_bytes: u64,
    pub dirty_bytes: u64,
    /// By how much the oldest dirty record is beyond `max.compaction.lag.ms`; none: it is not.
    pub overdue_ms: Option<Millis>,
    /// The checkpoint is of no use: `first_dirty` is to be written in its place.
    pub checkpoint_was_wrong: bool,
}

impl Cleanable {
    /// The dirty part of what could be cleaned, from 0 to 1.
    #[must_use]
    pub fn dirty_ratio(&self) -> f64 {
        let total = self.clean_bytes + self.dirty_bytes;
        if total == 0 {
            return 0.0;
        }
        self.dirty_bytes as f64 / total as f64
    }

    /// Whether it is worth a pass.
    #[must_use]
    pub fn is_due(&self, config: &CompactionConfig) -> bool {
        self.dirty_bytes > 0
            && (self.overdue_ms.is_some() || self.dirty_ratio() > config.min_cleanable_dirty_ratio)
    }
}

impl Log {
    /// `checkpoint` is what `cleaner-offset-checkpoint` says of this log; nothing at or above `stable_end` (high
    /// watermark and last stable offset) is touched, nor what a power cut could still take: the record that outlives
    /// another must be the more durable one.
    pub fn cleanable(
        &self,
        checkpoint: Option<Offset>,
        stable_end: Offset,
        config: &CompactionConfig,
        now: Millis,
    ) -> Result<Cleanable, DiskError> {
        let known = checkpoint.unwrap_or(self.start());
        let checkpoint_was_wrong = known < self.start() || known > self.end();
        let first_dirty = if checkpoint_was_wrong {
            self.start()
        } else {
            known
        };
        let active = self.segments.len() - 1;
        let first = self.segment_of(first_dirty).min(active);
        let mut uncleanable = first;
        // Wholly stable and flushed, and old enough.
        let bound = stable_end.min(self.flushed_end());
        let lag = config.min_lag_ms.0.max(0);
        while uncleanable < active && self.segment_end(uncleanable) <= bound {
            if lag > 0 && self.newest(uncleanable)?.0 > now.0.saturating_sub(lag) {
                break;
            }
            uncleanable += 1;
        }
        let bytes = |range: &[crate::segment::Segment]| range.iter().map(|s| s.size).sum();
        let clean_end = self.segments.partition_point(|s| s.base < first_dirty);
        Ok(Cleanable {
            first_dirty,
            end: self.segments[uncleanable].base.max(first_dirty),
            clean_bytes: bytes(&self.segments[..clean_end.min(active)]),
            dirty_bytes: bytes(&self.segments[first..uncleanable]),
            overdue_ms: self.overdue(first..active, config.max_lag_ms, now)?,
            checkpoint_was_wrong,
        })
    }

    /// Largest timestamp of a segment; its file's time where its records have none.
    fn newest(&self, i: usize) -> Result<Millis, DiskError> {
        if let Some(largest) = self.largest(i)? {
            return Ok(largest.timestamp);
        }
        let path = self.place(self.segments[i].base).path(names::LOG);
        Ok(self.disk.info(&path).during("look at", &path)?.modified)
    }

    fn overdue(
        &self,
        dirty: std::ops::Range<usize>,
        max_lag_ms: Millis,
        now: Millis,
    ) -> Result<Option<Millis>, DiskError> {
        let clean_until = now.0.saturating_sub(max_lag_ms.0.max(0));
        if clean_until <= 0 {
            return Ok(None);
        }
        let mut earliest = i64::MAX;
        for i in dirty {
            if let Some(first) = self.first_batch_timestamp(i)?.filter(|t| t.0 > 0) {
                earliest = earliest.min(first.0);
            }
        }
        Ok((earliest < clean_until).then(|| Millis(clean_until - earliest)))
    }

    fn first_batch_timestamp(&self, i: usize) -> Result<Option<Millis>, DiskError> {
        let segment = &self.segments[i];
        let place = self.place(segment.base);
        let file = segment.file(place)?;
        self.note_open(i);
        let mut header = [0; BATCH_OVERHEAD];
        let read = read_full(file.as_ref(), &mut header, 0).map_err(|e| place.read_failed(e))?;
        Ok(BatchHeader::read(&header[..read])
            .ok()
            .map(|h| h.max_timestamp))
    }
}
