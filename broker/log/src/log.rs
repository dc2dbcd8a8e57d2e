//! One partition's log on one disk: an ordered run of segments, the last of which is active.
//!
//! Always: start ≤ flushed_end ≤ end, and segment n's end is segment n+1's base.
//! Owns: rolling, truncation, retention, recovery after a crash.
//! Not here: high watermark, leadership, locks, clocks. The caller has `&mut Log` and passes `now`.

use std::path::Path;
use std::sync::Arc;

use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

use crate::api::*;
use crate::config::LogConfig;
use crate::disk::{DiskError, SharedDisk, SharedFile};
use crate::epochs::LeaderEpochs;
use crate::errors::{AppendError, OpenError, ReadError};

#[derive(Debug)]
pub struct Log {
    config: Arc<LogConfig>,
}

/// What has to be synced for everything up to `end` to survive a power cut. Run it without holding the log.
#[derive(Debug)]
pub struct FlushTicket {
    end: Offset,
    files: Vec<SharedFile>,
}

/// Proof that a ticket was run without an error.
#[derive(Debug)]
pub struct Flushed {
    end: Offset,
}

impl FlushTicket {
    /// An error is final for the log directory: the kernel has dropped what could not be written, so a second sync
    /// would succeed and prove nothing. Don't run it again; take the directory offline.
    pub fn run(self) -> Result<Flushed, DiskError> {
        let _ = self.files;
        Ok(Flushed { end: self.end })
    }
}

impl Log {
    /// Opens a partition's folder, or begins a log in it (the folder is made if it is missing).
    pub fn open(
        disk: SharedDisk,
        dir: &Path,
        config: Arc<LogConfig>,
        input: OpenInput,
        now: Millis,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let _ = (disk, dir, input, now);
        Ok((Self { config }, RecoveryReport::default()))
    }
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }
    pub fn start(&self) -> Offset {
        unimplemented!()
    }
    pub fn flushed_end(&self) -> Offset {
        unimplemented!()
    }
    pub fn end(&self) -> Offset {
        unimplemented!()
    }
    pub fn size_bytes(&self) -> u64 {
        unimplemented!()
    }
    pub fn epochs(&self) -> &LeaderEpochs {
        unimplemented!()
    }
    /// A leader begins an epoch here although it has written nothing in it yet.
    pub fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        let _ = epoch;
        unimplemented!()
    }
    /// One or more whole, validated batches; offsets and epoch are written into `record_set` in place.
    pub fn append(
        &mut self,
        record_set: &mut [u8],
        offsets: Offsets,
        timestamps: Timestamps,
        now: Millis,
    ) -> Result<Appended, AppendError> {
        let _ = (record_set, offsets, timestamps, now);
        unimplemented!()
    }
    /// None: nothing to read between `from` and the bounds.
    pub fn read(&self, request: ReadRequest) -> Result<Option<FileSlice>, ReadError> {
        let _ = request;
        unimplemented!()
    }
    /// Earliest record with a timestamp at or after `timestamp`, looking at offsets from `from` on.
    pub fn offset_for_timestamp(
        &self,
        timestamp: Millis,
        from: Offset,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let _ = (timestamp, from);
        unimplemented!()
    }
    /// The record with the largest timestamp.
    pub fn max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        unimplemented!()
    }
    /// None: everything is flushed.
    pub fn start_flush(&mut self) -> Result<Option<FlushTicket>, DiskError> {
        unimplemented!()
    }
    pub fn finish_flush(&mut self, flushed: Flushed) {
        let _ = flushed.end;
        unimplemented!()
    }
    /// By `flush.messages` and `flush.ms`.
    pub fn flush_is_due(&self, now: Millis) -> bool {
        let _ = now;
        unimplemented!()
    }
    /// Begins a new segment at the end; false when the active one is empty.
    pub fn roll(&mut self, now: Millis) -> Result<bool, DiskError> {
        let _ = now;
        unimplemented!()
    }
    pub fn truncate_to(
        &mut self,
        offset: Offset,
        now: Millis,
    ) -> Result<Vec<DeletedSegment>, DiskError> {
        let _ = (offset, now);
        unimplemented!()
    }
    /// Drops everything and goes on at another offset.
    pub fn restart_at(
        &mut self,
        offset: Offset,
        now: Millis,
    ) -> Result<Vec<DeletedSegment>, DiskError> {
        let _ = (offset, now);
        unimplemented!()
    }
    /// Raises the log's start (DeleteRecords). Whole segments below go with the next `apply_retention`.
    pub fn set_start(&mut self, start: Offset) -> Result<(), DiskError> {
        let _ = start;
        unimplemented!()
    }
    /// Never takes anything at or above `deletable_end` (the high watermark).
    pub fn apply_retention(
        &mut self,
        deletable_end: Offset,
        now: Millis,
    ) -> Result<Vec<DeletedSegment>, DiskError> {
        let _ = (deletable_end, now);
        unimplemented!()
    }
    /// Offsets of the producer snapshots in the folder, rising.
    pub fn producer_snapshots(&self) -> &[Offset] {
        unimplemented!()
    }
    /// Lets go of file descriptors and memory; everything opens again when asked for.
    pub fn release_files(&mut self) {
        unimplemented!()
    }
    /// Flushes and trims; afterwards a clean-shutdown mark is true of this log.
    pub fn close(self) -> Result<Offset, DiskError> {
        unimplemented!()
    }
}
