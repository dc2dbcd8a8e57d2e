//! How many files the logs hold open, in all, and letting go of those that were not used for longest.
//!
//! Always: an operation on a log that finds the limit reached makes room first, so that what is open stays within the
//! limit and the few files that operations need for a moment; a log that has something unflushed is flushed before it
//! lets go, because an error of writing back is told to descriptors that were there. Costs the operations nothing but
//! a look at a counter while there is room. Connections have their own share of the process's descriptors.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ottla_log::disk::{DirEntry, FileInfo, OpenMode, Space};
use ottla_log::{Disk, DiskFile, SharedDisk, SharedFile};
use ottla_protocol::types::{Millis, PartitionIndex};
use ottla_protocol::wire::Uuid;
use parking_lot::Mutex;

use super::topic::Topics;

/// The list is looked through for what is gone when it has grown to this.
const LIST_MIN: usize = 1024;
/// Looks at everything that is open before an operation goes on without room.
const TRIES_MAX: u32 = 50;
/// Wait between them, for the flushes that are under way.
const PAUSE: Duration = Duration::from_millis(2);

/// What came of asking a partition to let go of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LetGo {
    /// It has none any more.
    Done,
    /// It was used since it was last asked.
    Used,
    /// It is in use at this moment, or being flushed.
    Busy,
}

/// The count of open files, and the partitions that have some.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    open: Arc<AtomicUsize>,
    limit: usize,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    /// Those that were asked or came longest ago first.
    partitions: VecDeque<(Uuid, PartitionIndex)>,
    look_through_at: usize,
}

impl OpenFiles {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            open: Arc::default(),
            limit,
            list: Mutex::default(),
        }
    }

    /// A disk whose open files are counted here.
    pub(crate) fn counted(&self, disk: SharedDisk) -> SharedDisk {
        Arc::new(CountedDisk {
            disk,
            open: self.open.clone(),
        })
    }

    #[cfg(test)]
    pub(crate) fn open_now(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn has_room(&self) -> bool {
        self.open.load(Ordering::Relaxed) < self.limit
    }

    /// A partition has come to have files open.
    pub(crate) fn list(&self, topics: &Topics, topic_id: Uuid, index: PartitionIndex) {
        let mut list = self.list.lock();
        list.partitions.push_back((topic_id, index));
        if list.partitions.len() > list.look_through_at.max(LIST_MIN) {
            let mut seen = HashSet::new();
            let mut left = std::mem::take(&mut list.partitions);
            left.retain(|key| topics.by_id(&key.0).is_some() && seen.insert(*key));
            list.look_through_at = 2 * left.len();
            list.partitions = left;
        }
    }

    /// Whether even making room has left too many: files that nobody can close are those of answers on their way to
    /// clients. Reading has to wait until they are there.
    pub(crate) fn is_crowded(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.limit.saturating_add(self.limit / 8)
    }

    /// Sees to it that files may be opened, as far as that is possible; the caller holds no partition.
    pub(crate) fn make_room(&self, topics: &Topics) {
        for _ in 0..TRIES_MAX {
            if self.has_room() {
                return;
            }
            // Each may be asked twice: the first time it only forgets that it was used.
            let asked = 2 * self.list.lock().partitions.len();
            let mut any_busy = false;
            for _ in 0..asked {
                if self.has_room() {
                    return;
                }
                any_busy |= self.ask_one(topics) == Some(LetGo::Busy);
            }
            if !any_busy {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn ask_one(&self, topics: &Topics) -> Option<LetGo> {
        let (topic_id, index) = self.list.lock().partitions.pop_front()?;
        let partition = topics.by_id(&topic_id)?.get(index.0)?;
        let answer = partition.let_go_of_files();
        if answer != LetGo::Done {
            self.list.lock().partitions.push_back((topic_id, index));
        }
        Some(answer)
    }
}

impl Default for OpenFiles {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

#[derive(Debug)]
struct CountedDisk {
    disk: SharedDisk,
    open: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct CountedFile {
    file: SharedFile,
    open: Arc<AtomicUsize>,
}

impl Drop for CountedFile {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Disk for CountedDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile> {
        let file = self.disk.open(path, mode)?;
        self.open.fetch_add(1, Ordering::Relaxed);
        let open = self.open.clone();
        Ok(Arc::new(CountedFile { file, open }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.disk.list(dir)
    }

    fn info(&self, path: &Path) -> io::Result<FileInfo> {
        self.disk.info(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.disk.space(path)
    }
}

impl DiskFile for CountedFile {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buf, position)
    }

    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        self.file.write_at(buf, position)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_modified(&self, time: Millis) -> io::Result<()> {
        self.file.set_modified(time)
    }

    fn reserve(&self, from: u64, len: u64) -> io::Result<()> {
        self.file.reserve(from, len)
    }

    fn os_file(&self) -> Option<&fs::File> {
        self.file.os_file()
    }
}
