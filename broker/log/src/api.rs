//! The plain values that go into a log's operations and come out of them.

use std::path::PathBuf;

use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

use crate::disk::{Context, Disk, DiskError, SharedFile, remove_if_there};
use crate::errors::{Corruption, Fault};

/// What the checkpoints of the log directory say about a log that is being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInput {
    /// Everything below was flushed. `Offset::ZERO` when unknown.
    pub recovery_point: Offset,
    /// `Offset::ZERO` when unknown; the first segment's base counts if it is higher.
    pub log_start: Offset,
    /// The directory carries the mark of a clean shutdown: nothing is scanned.
    pub clean_shutdown: bool,
}

/// What opening a log found and did. Worth a log line when it is not `is_quiet`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Bytes whose checksums were verified.
    pub scanned_bytes: u64,
    pub scanned_batches: u64,
    /// A torn tail that was cut off.
    pub truncated: Option<Truncation>,
    /// What was found damaged and kept.
    pub corrupt: Vec<Corruption>,
    /// Index files that were missing or wrong and were made anew.
    pub rebuilt: Vec<PathBuf>,
    /// Left-over files that were removed.
    pub removed: Vec<PathBuf>,
    /// Bases of cleaned segments that a crash had kept from taking their place, which they have now.
    pub swapped: Vec<Offset>,
    /// The log ends here although everything up to `recovery_point` had been flushed: the disk lost it.
    pub lost: Option<LostFlushed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncation {
    pub segment: Offset,
    pub position: u64,
    /// Where the log ends now.
    pub offset: Offset,
    /// Batches that the bytes cut off had begun, as far as their headers tell.
    pub batches: u64,
    /// Bytes cut off here and with the segments that followed and held nothing valid.
    pub bytes: u64,
    pub segments_removed: usize,
    pub reason: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostFlushed {
    pub end: Offset,
    pub recovery_point: Offset,
}

impl Truncation {
    /// What was cut was never written.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.reason == Fault::Unwritten
    }
}

impl RecoveryReport {
    /// Nothing an operator would want to know.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.truncated.as_ref().is_none_or(Truncation::is_quiet)
            && self.corrupt.is_empty()
            && self.rebuilt.is_empty()
            && self.lost.is_none()
    }
}

/// Where the offsets of appended batches come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offsets {
    /// The log gives the next ones and stamps the leader epoch: a leader's append.
    Assign { leader_epoch: LeaderEpoch },
    /// The batches carry theirs, and their epochs: a follower's append, or a copied log.
    Keep,
}

/// `message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamps {
    /// As the producer set them.
    Create,
    /// The time of the append, in the batch header only, as the reference does it.
    LogAppend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// Set with `Timestamps::LogAppend`: what the producer is told.
    pub log_append_time: Option<Millis>,
    /// Base offset of the segment that was begun for this append. The state of producers *before* the append is what
    /// a producer snapshot at this offset has to hold.
    pub rolled: Option<Offset>,
}

/// A run of batches as a range of a segment's file, for `sendfile` or a plain read.
#[derive(Clone, Debug)]
pub struct FileSlice {
    pub file: SharedFile,
    pub position: u64,
    pub len: usize,
    /// Base offset of the first batch; at most the offset asked for, unless compaction took that one.
    pub base_offset: Offset,
}

/// Whether a read may return nothing because the first batch alone is larger than `max_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinimumRead {
    /// The first batch is returned whole, whatever its size, so that every consumer makes progress.
    OneBatch,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    pub from: Offset,
    pub max_bytes: usize,
    /// Exclusive: no batch that reaches this offset is returned.
    pub upper_end: Offset,
    pub minimum: MinimumRead,
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    pub timestamp: Millis,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteReason {
    RetentionMs,
    RetentionBytes,
    /// Wholly before the log's start.
    LogStart,
    Truncated,
    /// A cleaned segment has taken its place.
    Compacted,
}

/// A segment that is no longer part of the log: its files carry the ending `.deleted` and wait for `remove`, so that
/// readers that hold them are not hurried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedSegment {
    pub base_offset: Offset,
    /// Exclusive.
    pub end: Offset,
    pub bytes: u64,
    pub reason: DeleteReason,
    /// When the files may go (`file.delete.delay.ms`).
    pub remove_at: Millis,
    pub files: Vec<PathBuf>,
}

impl DeletedSegment {
    pub fn remove(&self, disk: &dyn Disk) -> Result<(), DiskError> {
        for file in &self.files {
            remove_if_there(disk, file)?;
        }
        if let Some(dir) = self.files.first().and_then(|f| f.parent()) {
            match disk.sync_dir(dir) {
                // The whole partition went meanwhile.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                other => other.during("sync directory", dir)?,
            }
        }
        Ok(())
    }
}
