//! The directories that hold partitions: which is whose, what their checkpoints say, which of them failed.
//!
//! Always: a directory that failed once stays offline until the next start; nothing in it is acknowledged again.
//! If it holds the metadata log, or no other is left, the server ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ottla_log::checkpoint::{PartitionOffsets, read_offsets, write_offsets};
use ottla_log::disk::{DiskError, SharedDisk};
use ottla_log::{clean_shutdown, names};
use ottla_protocol::types::{Offset, PartitionIndex};
use ottla_protocol::wire::Uuid;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::{error, warn};

/// One log directory.
#[derive(Debug)]
pub(crate) struct LogDir {
    pub(crate) path: PathBuf,
    pub(crate) id: Uuid,
    pub(crate) disk: SharedDisk,
    /// The last stop was a clean one: logs open without a scan.
    pub(crate) was_clean: bool,
    holds_metadata: bool,
    offline: AtomicBool,
    partitions: AtomicUsize,
    /// What the checkpoints said at start, for partitions that have not been opened yet, and what they are to say.
    offsets: Mutex<Checkpoints>,
}

#[derive(Debug, Default)]
struct Checkpoints {
    recovery_points: PartitionOffsets,
    log_starts: PartitionOffsets,
    changed: bool,
}

/// Where a partition stands, as the checkpoints tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpointed {
    pub(crate) recovery_point: Offset,
    pub(crate) log_start: Offset,
}

impl Checkpointed {
    pub(crate) const NEVER: Self = Self {
        recovery_point: Offset::ZERO,
        log_start: Offset::ZERO,
    };
}

impl LogDir {
    /// Reads the checkpoints of a directory that is locked and known to be ours.
    pub(crate) fn load(
        disk: SharedDisk,
        path: &Path,
        id: Uuid,
        holds_metadata: bool,
    ) -> Result<Self, DiskError> {
        let was_clean = clean_shutdown::read(&*disk, path)?.is_some();
        let read = |name: &str| {
            let file = path.join(name);
            read_offsets(&*disk, &file).unwrap_or_else(|error| {
                // The logs know better: they are scanned from their start then.
                warn!(file = %file.display(), "checkpoint ignored: {error}");
                PartitionOffsets::new()
            })
        };
        let offsets = Checkpoints {
            recovery_points: read(names::RECOVERY_POINTS),
            log_starts: read(names::LOG_STARTS),
            changed: false,
        };
        Ok(Self {
            path: path.to_owned(),
            id,
            was_clean,
            holds_metadata,
            offline: AtomicBool::new(false),
            partitions: AtomicUsize::new(0),
            offsets: Mutex::new(offsets),
            disk,
        })
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    pub(crate) fn partition_added(&self) {
        self.partitions.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn partition_removed(&self) {
        self.partitions.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn checkpointed(&self, topic: &str, index: PartitionIndex) -> Checkpointed {
        let offsets = self.offsets.lock();
        let key = (topic.to_owned(), index);
        let get = |of: &PartitionOffsets| of.get(&key).copied().unwrap_or(Offset::ZERO);
        Checkpointed {
            recovery_point: get(&offsets.recovery_points),
            log_start: get(&offsets.log_starts),
        }
    }

    /// Notes where a partition stands; `write_checkpoints` puts it on disk.
    pub(crate) fn note(&self, topic: &str, index: PartitionIndex, now: Checkpointed) {
        let mut offsets = self.offsets.lock();
        let key = (topic.to_owned(), index);
        let before = offsets
            .recovery_points
            .insert(key.clone(), now.recovery_point);
        let start_before = match now.log_start {
            Offset::ZERO => offsets.log_starts.remove(&key).or(Some(Offset::ZERO)),
            start => offsets.log_starts.insert(key, start),
        };
        offsets.changed |=
            before != Some(now.recovery_point) || start_before != Some(now.log_start);
    }

    pub(crate) fn forget(&self, topic: &str, index: PartitionIndex) {
        let mut offsets = self.offsets.lock();
        let key = (topic.to_owned(), index);
        let known = offsets.recovery_points.remove(&key).is_some();
        offsets.changed |= offsets.log_starts.remove(&key).is_some() || known;
    }

    /// Replaces the checkpoint files if anything was noted since the last time.
    pub(crate) fn write_checkpoints(&self) -> Result<(), DiskError> {
        let (recovery_points, log_starts) = {
            let mut offsets = self.offsets.lock();
            if !std::mem::take(&mut offsets.changed) || self.is_offline() {
                return Ok(());
            }
            (offsets.recovery_points.clone(), offsets.log_starts.clone())
        };
        let write = |name: &str, offsets: &PartitionOffsets| {
            let entries: Vec<_> = offsets
                .iter()
                .map(|((topic, index), offset)| (topic.as_str(), *index, *offset))
                .collect();
            write_offsets(&*self.disk, &self.path.join(name), entries.into_iter())
        };
        write(names::RECOVERY_POINTS, &recovery_points)?;
        write(names::LOG_STARTS, &log_starts)
    }
}

/// All log directories of the node.
#[derive(Debug)]
pub(crate) struct LogDirs {
    dirs: Vec<Arc<LogDir>>,
    /// Why the server has to end.
    fatal: mpsc::UnboundedSender<String>,
}

impl LogDirs {
    pub(crate) fn new(dirs: Vec<Arc<LogDir>>, fatal: mpsc::UnboundedSender<String>) -> Self {
        assert!(!dirs.is_empty(), "a server has a log directory");
        Self { dirs, fatal }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter()
    }

    /// The directory that has the partition's folder, else the one with the fewest partitions.
    pub(crate) fn place(&self, folder: &str) -> Arc<LogDir> {
        if self.dirs.len() > 1 {
            let has_it = |dir: &&Arc<LogDir>| {
                let metadata = dir.path.join(folder).join(names::PARTITION_METADATA);
                dir.disk.info(&metadata).is_ok()
            };
            if let Some(dir) = self.dirs.iter().find(has_it) {
                return dir.clone();
            }
        }
        let load = |dir: &&Arc<LogDir>| (dir.is_offline(), dir.partitions.load(Ordering::Relaxed));
        self.dirs
            .iter()
            .min_by_key(load)
            .expect("a server has a log directory")
            .clone()
    }

    /// Takes a directory out of service after a write or sync failed in it: what the kernel could not write it has
    /// forgotten, so asking again would prove nothing.
    pub(crate) fn fail(&self, dir: &LogDir, why: &dyn std::fmt::Display) {
        if dir.offline.swap(true, Ordering::AcqRel) {
            return;
        }
        error!(dir = %dir.path.display(), "log directory is offline: {why}");
        if dir.holds_metadata || self.dirs.iter().all(|dir| dir.is_offline()) {
            let text = format!(
                "log directory {} failed and the server cannot go on without it: {why}",
                dir.path.display()
            );
            drop(self.fatal.send(text));
        }
    }

    /// The directory of the metadata log.
    pub(crate) fn metadata_dir(&self) -> &Arc<LogDir> {
        let dir = self.dirs.iter().find(|dir| dir.holds_metadata);
        dir.expect("one directory holds the metadata log")
    }

    pub(crate) fn write_checkpoints(&self) {
        for dir in &self.dirs {
            if let Err(error) = dir.write_checkpoints() {
                self.disk_trouble(dir, &error);
            }
        }
    }

    /// A disk that is full recovers without a restart; any other trouble ends the directory.
    pub(crate) fn disk_trouble(&self, dir: &LogDir, error: &DiskError) {
        if error.is_full() {
            warn!(dir = %dir.path.display(), "{error}");
        } else {
            self.fail(dir, error);
        }
    }
}
