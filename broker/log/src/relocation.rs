//! Copying a partition's folder to another disk while the log goes on, and letting the log go on in the copy.
//!
//! Files are copied as they are, so that segments, indexes, producer snapshots, epochs and what compaction has taken
//! away are the same afterwards. Always: nothing of the original is changed; what `Relocation` says is copied is
//! durable. The caller sees to it that no segment is deleted or replaced meanwhile, and holds the log for the last
//! step only. Not here: names of folders, which directory is the partition's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ottla_protocol::types::Offset;

use crate::disk::{
    Context, DiskError, OpenMode, SharedDisk, SharedFile, make_folder, read_full, write_full,
};
use crate::log::Log;
use crate::names;

/// How much is copied between two looks at whether to go on.
const CHUNK: usize = 1 << 20;

/// Which disk a copy failed on.
#[derive(Debug, thiserror::Error)]
pub enum RelocationError {
    #[error("{0}")]
    Source(DiskError),
    #[error("{0}")]
    Destination(DiskError),
    #[error("it was stopped")]
    Stopped,
}

/// Where a segment's batches begin in offsets, and how many bytes of its file they are. The last is the active one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentExtent {
    pub base: Offset,
    pub bytes: u64,
}

/// A copy that is being made.
#[derive(Debug)]
pub struct Relocation {
    from: Place,
    to: Place,
    /// Bytes of each segment that are in the copy.
    segments: BTreeMap<Offset, u64>,
    /// Segments that are there as a whole with all that belongs to them.
    finished: u64,
}

#[derive(Debug)]
struct Place {
    disk: SharedDisk,
    dir: PathBuf,
}

impl Log {
    /// What there is to copy at this moment.
    #[must_use]
    pub fn extents(&self) -> Vec<SegmentExtent> {
        let extent = |segment: &crate::segment::Segment| SegmentExtent {
            base: segment.base,
            bytes: segment.size,
        };
        self.segments.iter().map(extent).collect()
    }

    /// The log goes on in a folder that a `Relocation` has finished.
    ///
    /// # Panics
    /// If something is not flushed: the copy would not be what the log believes it to be.
    pub fn relocated(&mut self, disk: SharedDisk, dir: PathBuf) {
        self.close_files();
        self.disk = disk;
        self.dir = dir;
        self.active.nothing_ahead();
        self.active.index_dirty = true;
    }
}

impl Relocation {
    /// Begins a copy in a folder of its own, which is made.
    pub fn begin(
        from: (SharedDisk, &Path),
        to: (SharedDisk, &Path),
    ) -> Result<Self, RelocationError> {
        make_folder(to.0.as_ref(), to.1).map_err(RelocationError::Destination)?;
        let place = |(disk, dir): (SharedDisk, &Path)| Place {
            disk,
            dir: dir.to_owned(),
        };
        Ok(Self {
            from: place(from),
            to: place(to),
            segments: BTreeMap::new(),
            finished: 0,
        })
    }

    /// Bytes of batches that are in the copy.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.values().sum()
    }

    /// Offsets below this one are in the copy.
    #[must_use]
    pub fn end(&self) -> Option<Offset> {
        self.segments.keys().next_back().copied()
    }

    /// Copies what is not yet; how many bytes that was. `go_on` is told of each piece and may end it.
    pub fn round(
        &mut self,
        extents: &[SegmentExtent],
        go_on: &mut dyn FnMut(&Self, u64) -> bool,
    ) -> Result<u64, RelocationError> {
        let mut copied = 0;
        let begun = usize::try_from(self.finished).unwrap_or(usize::MAX);
        for (i, extent) in extents.iter().enumerate().skip(begun) {
            copied += self.copy_batches(*extent, go_on)?;
            if i + 1 < extents.len() {
                self.finish_segment(extent.base)?;
                self.finished += 1;
            }
        }
        Ok(copied)
    }

    /// The last step, with the log at rest and flushed: afterwards the copy is whole and durable.
    pub fn finish(&mut self, extents: &[SegmentExtent]) -> Result<(), RelocationError> {
        self.round(extents, &mut |_, _| true)?;
        let entries = self.from.disk.list(&self.from.dir);
        let entries = entries
            .during("list", &self.from.dir)
            .map_err(RelocationError::Source)?;
        let active = extents.last().map(|extent| extent.base);
        for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
            let of_segment = names::parse_segment_file(&entry.name);
            let is_copied = match of_segment {
                Some((base, names::LOG)) => {
                    if Some(base) == active {
                        self.sync(&entry.name)?;
                    }
                    true
                }
                // Snapshots are written when their segment is begun already, and at other times.
                Some((_, names::PRODUCER_SNAPSHOT)) => false,
                Some((base, _)) => Some(base) != active,
                None => false,
            };
            let is_waste = entry.name.ends_with(names::DELETED) || entry.name.ends_with(".tmp");
            if !is_copied && !is_waste {
                self.copy_whole(&entry.name)?;
            }
        }
        let dir = &self.to.dir;
        let synced = self.to.disk.sync_dir(dir).during("sync directory", dir);
        synced.map_err(RelocationError::Destination)
    }

    fn copy_batches(
        &mut self,
        extent: SegmentExtent,
        go_on: &mut dyn FnMut(&Self, u64) -> bool,
    ) -> Result<u64, RelocationError> {
        let begun = self.segments.get(&extent.base).copied().unwrap_or(0);
        let name = file_name(extent.base, names::LOG);
        let source = self.from.open(&name, OpenMode::Read);
        let source = source.map_err(RelocationError::Source)?;
        let copy = self.to.open(&name, OpenMode::Create);
        let copy = copy.map_err(RelocationError::Destination)?;
        self.segments.entry(extent.base).or_default();
        let mut position = begun;
        while position < extent.bytes {
            let wanted = (extent.bytes - position).min(CHUNK as u64);
            let mut chunk = vec![0; usize::try_from(wanted).unwrap_or(CHUNK)];
            self.copy_chunk(&source, &copy, &mut chunk, position, &name)?;
            position += chunk.len() as u64;
            self.segments.insert(extent.base, position);
            if !go_on(self, chunk.len() as u64) {
                return Err(RelocationError::Stopped);
            }
        }
        Ok(position.saturating_sub(begun))
    }

    fn copy_chunk(
        &self,
        source: &SharedFile,
        copy: &SharedFile,
        chunk: &mut [u8],
        position: u64,
        name: &str,
    ) -> Result<(), RelocationError> {
        let path = self.from.dir.join(name);
        let read = read_full(source.as_ref(), chunk, position).during("read", &path);
        if read.map_err(RelocationError::Source)? < chunk.len() {
            let cut = Err(std::io::ErrorKind::UnexpectedEof.into()).during("read", &path);
            return cut.map_err(RelocationError::Source);
        }
        let path = self.to.dir.join(name);
        let written = write_full(copy.as_ref(), chunk, position).during("write", &path);
        written.map_err(RelocationError::Destination)
    }

    /// A segment that gets nothing appended any more: what belongs to it, and all of it durable.
    fn finish_segment(&mut self, base: Offset) -> Result<(), RelocationError> {
        let log = file_name(base, names::LOG);
        self.sync(&log)?;
        // Its file is as old as its last record: retention goes by it where records have no timestamps.
        let path = self.from.dir.join(&log);
        let info = self.from.disk.info(&path).during("look at", &path);
        let modified = info.map_err(RelocationError::Source)?.modified;
        let copy = self.to.open(&log, OpenMode::ReadWrite);
        let aged = copy.and_then(|file| {
            file.set_modified(modified)
                .during("set the time of", &self.to.dir.join(&log))
        });
        aged.map_err(RelocationError::Destination)?;
        for suffix in [names::OFFSET_INDEX, names::TIME_INDEX, names::TXN_INDEX] {
            self.copy_whole(&file_name(base, suffix))?;
        }
        Ok(())
    }

    fn sync(&self, name: &str) -> Result<(), RelocationError> {
        let file = self.to.open(name, OpenMode::ReadWrite);
        let synced = file.and_then(|file| file.sync_data().during("sync", &self.to.dir.join(name)));
        synced.map_err(RelocationError::Destination)
    }

    /// A small file; one that is not there is left out.
    fn copy_whole(&self, name: &str) -> Result<(), RelocationError> {
        let source = match self.from.open(name, OpenMode::Read) {
            Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(RelocationError::Source)?,
        };
        let len = source.len().during("measure", &self.from.dir.join(name));
        let len = len.map_err(RelocationError::Source)?;
        let copy = self.to.open(name, OpenMode::Create);
        let copy = copy.map_err(RelocationError::Destination)?;
        let mut position = 0;
        while position < len {
            let wanted = (len - position).min(CHUNK as u64);
            let mut chunk = vec![0; usize::try_from(wanted).unwrap_or(CHUNK)];
            self.copy_chunk(&source, &copy, &mut chunk, position, name)?;
            position += wanted;
        }
        let path = self.to.dir.join(name);
        let ended = copy.set_len(len).during("cut", &path);
        let synced = ended.and_then(|()| copy.sync_data().during("sync", &path));
        synced.map_err(RelocationError::Destination)
    }
}

impl Place {
    fn open(&self, name: &str, mode: OpenMode) -> Result<SharedFile, DiskError> {
        let path = self.dir.join(name);
        self.disk.open(&path, mode).during("open", &path)
    }
}

fn file_name(base: Offset, suffix: &str) -> String {
    format!("{:020}.{suffix}", base.0)
}
