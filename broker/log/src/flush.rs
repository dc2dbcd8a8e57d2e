//! Making appended batches durable, in two halves so that nobody waits for a disk while holding the log.
//!
//! `start_flush` collects what has to be synced, `FlushTicket::run` does it without the log, `finish_flush` moves
//! `flushed_end`. Always: `flushed_end` moves only over bytes, lengths and names that were synced after they were made.
//! The first flush covers the folder itself and the small files in it, so that beginning a log waits for no disk.

use std::io::ErrorKind;
use std::path::PathBuf;

use ottla_protocol::types::{Millis, Offset};

use crate::disk::{
    Context, DiskError, OpenMode, SharedDisk, SharedFile, folder_above, replace_file, write_file,
};
use crate::log::Log;
use crate::names;

#[derive(Debug)]
pub(crate) struct FlushState {
    /// Everything below is durable.
    pub(crate) end: Offset,
    /// Files that were created or renamed: how often, and how much of it is durable.
    names_made: u64,
    names_durable: u64,
    /// The folder's name, or a small file in it, may not survive a power cut: nothing in it was ever flushed.
    pub(crate) folder_owed: bool,
    epochs_dirty: bool,
    /// Behind the last marker that a transaction index has got an entry for.
    aborted_end: Offset,
    /// Tickets from before a truncation prove nothing about what came after it.
    truncations: u64,
    /// When the first batch was appended that is not flushed yet.
    waiting_since: Option<Millis>,
}

/// What has to be synced for everything up to `end` to survive a power cut.
#[derive(Debug)]
pub struct FlushTicket {
    end: Offset,
    files: Vec<(SharedFile, PathBuf)>,
    disk: SharedDisk,
    /// Those in which names were made, the outer one first.
    folders: Vec<PathBuf>,
    names_made: u64,
    folder_owed: bool,
    truncations: u64,
    started: Option<Millis>,
}

/// Proof that a ticket was run without an error.
#[derive(Debug)]
pub struct Flushed {
    end: Offset,
    names_made: u64,
    folder_owed: bool,
    truncations: u64,
    waiting_since: Option<Millis>,
}

impl FlushTicket {
    /// The offset that will be flushed up to.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// An error is final for the log directory: the kernel has dropped what could not be written, so a second sync
    /// would succeed and prove nothing. Don't try again; take the directory offline.
    pub fn run(self) -> Result<Flushed, DiskError> {
        for (file, path) in &self.files {
            file.sync_data().during("sync", path)?;
        }
        for folder in &self.folders {
            let synced = self.disk.sync_dir(folder);
            synced.during("sync directory", folder)?;
        }
        Ok(Flushed {
            end: self.end,
            names_made: self.names_made,
            folder_owed: self.folder_owed,
            truncations: self.truncations,
            waiting_since: self.started,
        })
    }
}

impl FlushState {
    pub(crate) const fn new(end: Offset) -> Self {
        Self {
            end,
            names_made: 0,
            names_durable: 0,
            folder_owed: false,
            epochs_dirty: false,
            aborted_end: Offset::ZERO,
            truncations: 0,
            waiting_since: None,
        }
    }

    pub(crate) fn appended(&mut self, now: Millis) {
        self.waiting_since.get_or_insert(now);
    }

    pub(crate) fn names_changed(&mut self) {
        self.names_made += 1;
    }

    pub(crate) fn names_pending(&self) -> bool {
        self.names_durable < self.names_made
    }

    /// The log begins in this folder, or nobody has ever flushed it.
    pub(crate) fn owe_folder(&mut self) {
        self.folder_owed = true;
        self.names_changed();
    }

    pub(crate) fn epochs_changed(&mut self) {
        self.epochs_dirty = true;
    }

    pub(crate) fn aborted(&mut self, marker: Offset) {
        self.aborted_end = marker.next();
    }

    /// Grows with every cut of the log's end.
    pub(crate) fn truncations(&self) -> u64 {
        self.truncations
    }

    pub(crate) fn truncated(&mut self, end: Offset) {
        self.end = self.end.min(end);
        self.truncations += 1;
    }
}

impl Log {
    /// None: everything is flushed. Leader epochs that changed are written here: they must be durable before the
    /// recovery point passes the batches they could be rebuilt from.
    pub fn start_flush(&mut self) -> Result<Option<FlushTicket>, DiskError> {
        if self.flush.epochs_dirty && !self.flush.folder_owed {
            self.write_epochs()?;
        }
        // What has synced the folder (leader epochs, of a log cut to nothing) has not synced the one above it.
        let names_pending = self.flush.names_pending() || self.flush.folder_owed;
        if self.flush.end == self.end && !names_pending {
            return Ok(None);
        }
        let mut files = self.owed_files()?;
        let first = self.segment_of(self.flush.end);
        for (i, segment) in self.segments.iter().enumerate().skip(first) {
            if self.segment_end(i) <= self.flush.end && self.flush.end < self.end {
                continue;
            }
            let place = self.place(segment.base);
            files.push((segment.file(place)?, place.path(names::LOG)));
            let mut beside = Vec::new();
            if i + 1 < self.segments.len() {
                // Sealed: its indexes were written out and will not be looked over again by recovery.
                beside.extend([names::OFFSET_INDEX, names::TIME_INDEX]);
            }
            let may_have_new = self.flush.aborted_end > self.flush.end;
            if may_have_new && self.txn_indexes.contains(&segment.base) {
                beside.push(names::TXN_INDEX);
            }
            for suffix in beside {
                let path = place.path(suffix);
                let file = self.disk.open(&path, OpenMode::Create);
                files.push((file.during("open", &path)?, path));
            }
        }
        let (base, size) = (self.active_segment().base, self.active_segment().size);
        self.hints.get_mut().remember(base, self.end, size);
        let own = names_pending.then_some(self.dir.as_path());
        let above = folder_above(&self.dir).filter(|_| self.flush.folder_owed);
        Ok(Some(FlushTicket {
            end: self.end,
            files,
            disk: self.disk.clone(),
            folders: above.into_iter().chain(own).map(Into::into).collect(),
            names_made: self.flush.names_made,
            folder_owed: self.flush.folder_owed,
            truncations: self.flush.truncations,
            started: self.flush.waiting_since.take(),
        }))
    }

    /// The small files of a folder that nothing was ever flushed in. What a crash leaves of the leader epochs is noticed
    /// when it is not whole, and they are built anew from the batches.
    fn owed_files(&mut self) -> Result<Vec<(SharedFile, PathBuf)>, DiskError> {
        let mut files = Vec::new();
        if !self.flush.folder_owed {
            return Ok(files);
        }
        if self.flush.epochs_dirty {
            let path = self.dir.join(names::LEADER_EPOCHS);
            write_file(self.disk.as_ref(), &path, self.epochs.render().as_bytes())?;
            self.flush.epochs_dirty = false;
        }
        for name in [names::PARTITION_METADATA, names::LEADER_EPOCHS] {
            let path = self.dir.join(name);
            match self.disk.open(&path, OpenMode::ReadWrite) {
                Ok(file) => files.push((file, path)),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e).during("open", &path),
            }
        }
        Ok(files)
    }

    /// Writes the leader epoch file, durably.
    pub(crate) fn write_epochs(&mut self) -> Result<(), DiskError> {
        let path = self.dir.join(names::LEADER_EPOCHS);
        replace_file(self.disk.as_ref(), &path, self.epochs.render().as_bytes())?;
        self.flush.epochs_dirty = false;
        // It has synced the directory, too.
        self.flush.names_durable = self.flush.names_made;
        Ok(())
    }

    pub fn finish_flush(&mut self, flushed: Flushed) {
        self.flush.names_durable = self.flush.names_durable.max(flushed.names_made);
        self.flush.folder_owed &= !flushed.folder_owed;
        if flushed.truncations == self.flush.truncations {
            self.flush.end = self.flush.end.max(flushed.end);
        } else if self.flush.end < self.end {
            self.flush.waiting_since = flushed.waiting_since.or(self.flush.waiting_since);
        }
        self.check();
    }

    /// All three halves at once, for callers that hold the log anyway.
    pub fn flush_now(&mut self) -> Result<(), DiskError> {
        if let Some(ticket) = self.start_flush()? {
            let flushed = ticket.run()?;
            self.finish_flush(flushed);
        }
        Ok(())
    }

    /// By `flush.messages`: as many records are unflushed as may be.
    #[must_use]
    pub fn is_flush_due(&self) -> bool {
        let unflushed = self.end.since(self.flush.end);
        unflushed > 0 && unflushed >= self.config.flush_messages
    }

    /// When the first record was appended that no flush has begun with. Until `flush.ms` later it has to be flushed.
    #[must_use]
    pub fn unflushed_since(&self) -> Option<Millis> {
        self.flush
            .waiting_since
            .filter(|_| self.flush.end < self.end)
    }

    /// Flushes, writes indexes, gives back reserved blocks. Afterwards a clean-shutdown mark is true of this log, with
    /// the returned offset as its recovery point.
    pub fn close(mut self) -> Result<Offset, DiskError> {
        self.trim_left_overs()?;
        self.settle_active()?;
        self.sync_active_index()?;
        self.flush_now()?;
        self.write_txn_sums(self.end)?;
        Ok(self.flush.end)
    }
}
