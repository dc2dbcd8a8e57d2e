//! Writing one cleaned segment: `<base>.log.cleaned` with its indexes, synced when it is finished.
//!
//! Always: what is dropped before it has taken its place takes its files along. Not here: taking that place (`swap`).

use std::path::{Path, PathBuf};

use ottla_protocol::records::BatchHeader;
use ottla_protocol::types::{Millis, Offset};

use super::errors::CleaningError;
use super::source::SourceSegment;
use crate::disk::{
    Context, DiskError, OpenMode, SharedDisk, SharedFile, remove_if_there, write_full,
};
use crate::index::{Entry, SparseIndex};
use crate::log::SEGMENT_BYTES_MAX;
use crate::names;
use crate::segment::Segment;
use crate::txn_index::{self, AbortedTxn};

/// Index entries that gather before they are written.
const PENDING_MAX: usize = 16 << 10;

/// A segment that is ready to take the place of those it was made from: see `Log::swap_in`. Dropped, it removes its
/// files.
#[derive(Debug)]
pub struct CleanedSegment {
    pub(super) disk: SharedDisk,
    pub(super) dir: PathBuf,
    /// What it was made from: segments in a row, never none.
    pub(super) sources: Vec<SourceSegment>,
    /// The truncations that the log had seen when the pass began.
    pub(super) truncations: u64,
    pub(super) size: u64,
    /// Those of `names::SEGMENT_FILES` that it has.
    pub(super) suffixes: Vec<&'static str>,
    /// Its files still carry the ending `.cleaned`.
    pub(super) pending: bool,
}

impl CleanedSegment {
    /// One that will hold what stays of `sources`.
    pub(super) fn new(
        disk: SharedDisk,
        dir: &Path,
        sources: Vec<SourceSegment>,
        truncations: u64,
    ) -> Self {
        assert!(!sources.is_empty(), "a cleaned segment is made from some");
        Self {
            disk,
            dir: dir.to_owned(),
            sources,
            truncations,
            size: 0,
            suffixes: vec![names::LOG, names::OFFSET_INDEX, names::TIME_INDEX],
            pending: true,
        }
    }

    pub(super) fn base(&self) -> Offset {
        self.sources[0].base
    }

    /// `00000000000000000042.log` with an ending, or none.
    pub(super) fn path(&self, suffix: &str, ending: &str) -> PathBuf {
        names::segment_file(&self.dir, self.base(), &format!("{suffix}{ending}"))
    }

    fn create(&self, suffix: &str) -> Result<(SharedFile, PathBuf), DiskError> {
        let path = self.path(suffix, names::CLEANED);
        let file = self
            .disk
            .open(&path, OpenMode::Create)
            .during("create", &path)?;
        // An earlier pass may have left one.
        file.set_len(0).during("empty", &path)?;
        Ok((file, path))
    }

    pub(super) fn remove_files(&self, ending: &str) -> Result<(), DiskError> {
        for suffix in names::SEGMENT_FILES {
            remove_if_there(self.disk.as_ref(), &self.path(suffix, ending))?;
        }
        Ok(())
    }
}

impl Drop for CleanedSegment {
    fn drop(&mut self) {
        if self.pending {
            // What can't be removed now is removed before the next swap, or when the log opens.
            let _ = self.remove_files(names::CLEANED);
        }
    }
}

/// An output file and how much of it is written.
struct Output {
    file: SharedFile,
    path: PathBuf,
    written: u64,
}

impl Output {
    fn new((file, path): (SharedFile, PathBuf)) -> Self {
        Self {
            file,
            path,
            written: 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        write_full(self.file.as_ref(), bytes, self.written).during("write", &self.path)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_data().during("sync", &self.path)
    }
}

pub(super) struct Sink {
    cleaned: CleanedSegment,
    log: Output,
    offset_index: Output,
    time_index: Output,
    aborted: Vec<AbortedTxn>,
    /// Collects index entries as an active segment would.
    segment: Segment,
    since_entry: u64,
    interval: u32,
    buffer: Vec<u8>,
    buffer_bytes: usize,
}

impl Sink {
    pub(super) fn create(
        cleaned: CleanedSegment,
        interval: u32,
        buffer_bytes: usize,
    ) -> Result<Self, DiskError> {
        Ok(Self {
            log: Output::new(cleaned.create(names::LOG)?),
            offset_index: Output::new(cleaned.create(names::OFFSET_INDEX)?),
            time_index: Output::new(cleaned.create(names::TIME_INDEX)?),
            aborted: Vec::new(),
            segment: Segment::active(cleaned.base()),
            since_entry: 0,
            interval,
            buffer: Vec::new(),
            buffer_bytes,
            cleaned,
        })
    }

    pub(super) fn append(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Result<(), CleaningError> {
        let position = self.log.written + self.buffer.len() as u64;
        if position + batch.len() as u64 > SEGMENT_BYTES_MAX {
            return Err(CleaningError::TooLong {
                segment: self.cleaned.base(),
            });
        }
        self.segment
            .index_batch(position, header, &mut self.since_entry, self.interval);
        if self.segment.offsets.entries() >= PENDING_MAX {
            self.write_entries()?;
        }
        if self.buffer.len() + batch.len() > self.buffer_bytes {
            self.flush()?;
        }
        if batch.len() > self.buffer_bytes {
            self.log.write(batch)?;
        } else {
            self.buffer.extend_from_slice(batch);
        }
        Ok(())
    }

    pub(super) fn aborted(&mut self, txn: AbortedTxn) {
        self.aborted.push(txn);
    }

    /// Writes and syncs everything, names too. `modified` is that of the last source: without timestamps a segment's age is its
    /// file's.
    pub(super) fn finish(mut self, modified: Millis) -> Result<CleanedSegment, DiskError> {
        self.flush()?;
        self.segment.push_time_entry();
        self.write_entries()?;
        for output in [&self.log, &self.offset_index, &self.time_index] {
            output
                .file
                .set_modified(modified)
                .during("set the time of", &output.path)?;
            output.sync()?;
        }
        if !self.aborted.is_empty() {
            let mut index = Output::new(self.cleaned.create(names::TXN_INDEX)?);
            let entries = self.aborted.iter().copied();
            let bytes: Vec<u8> = entries.flat_map(txn_index::render).collect();
            index.write(&bytes)?;
            index.sync()?;
            self.cleaned.suffixes.push(names::TXN_INDEX);
        }
        // A swap of which some names are not there would look as if it had never had them.
        let dir = &self.cleaned.dir;
        let synced = self.cleaned.disk.sync_dir(dir);
        synced.during("sync directory", dir)?;
        self.cleaned.size = self.log.written;
        Ok(self.cleaned)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.log.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn write_entries(&mut self) -> Result<(), DiskError> {
        let base = self.cleaned.base();
        write_index(&mut self.segment.offsets, base, &mut self.offset_index)?;
        write_index(&mut self.segment.times, base, &mut self.time_index)
    }
}

fn write_index<E: Entry>(
    index: &mut SparseIndex<E>,
    base: Offset,
    output: &mut Output,
) -> Result<(), DiskError> {
    let mut bytes = Vec::new();
    for entry in index.take_pending() {
        entry.encode(base, &mut bytes);
    }
    output.write(&bytes)
}
