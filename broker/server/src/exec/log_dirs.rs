//! The directories that hold partitions: which is whose, what their checkpoints say, which of them failed.
//!
//! Always: a directory that failed once stays offline until the next start; nothing in it is acknowledged again.
//! If it holds the metadata log, or no other is left, the server ends. A partition whose directory is not there is
//! offline rather than begun anew elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ottla_coordination::controller::{LOST_DIRECTORY, MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY};
use ottla_log::disk::{DiskError, SharedDisk};
use ottla_log::{clean_shutdown, partition_metadata};
use ottla_protocol::types::{Millis, Offset, PartitionIndex};
use ottla_protocol::wire::Uuid;
use tokio::sync::{Notify, mpsc};
use tracing::{error, warn};

use super::checkpoints::{Checkpointed, Checkpoints};
use super::recovery::Tally;
use super::reserve::Reserve;

/// What a directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uses {
    Partitions,
    /// `metadata.log.dir` that is none of `log.dirs`.
    Metadata,
    Both,
}

/// One log directory.
#[derive(Debug)]
pub(crate) struct LogDir {
    pub(crate) path: PathBuf,
    pub(crate) id: Uuid,
    pub(crate) disk: SharedDisk,
    /// The last stop was a clean one: logs open without a scan.
    pub(crate) was_clean: bool,
    uses: Uses,
    /// It was not, and not every log was looked over since.
    needs_recovery: AtomicBool,
    pub(crate) tally: Tally,
    offline: AtomicBool,
    partitions: AtomicUsize,
    /// What the checkpoints said at start, for partitions that have not been opened yet, and what they are to say.
    checkpoints: Checkpoints,
    pub(crate) reserve: Reserve,
}

impl LogDir {
    /// Reads the checkpoints of a directory that is locked and known to be ours.
    pub(crate) fn load(
        disk: SharedDisk,
        path: &Path,
        id: Uuid,
        uses: Uses,
    ) -> Result<Self, DiskError> {
        let was_clean = clean_shutdown::read(&*disk, path)?.is_some();
        let checkpoints = Checkpoints::read(&*disk, path);
        Ok(Self {
            path: path.to_owned(),
            id,
            was_clean,
            uses,
            needs_recovery: AtomicBool::new(!was_clean),
            tally: Tally::default(),
            offline: AtomicBool::new(false),
            partitions: AtomicUsize::new(0),
            checkpoints,
            reserve: Reserve::none(disk.clone(), path),
            disk,
        })
    }

    /// A directory for partitions that cannot be used.
    pub(crate) fn offline(disk: SharedDisk, path: &Path, id: Option<Uuid>) -> Self {
        Self {
            path: path.to_owned(),
            id: id.unwrap_or(LOST_DIRECTORY),
            reserve: Reserve::none(disk.clone(), path),
            disk,
            was_clean: false,
            uses: Uses::Partitions,
            needs_recovery: AtomicBool::new(true),
            tally: Tally::default(),
            offline: AtomicBool::new(true),
            partitions: AtomicUsize::new(0),
            checkpoints: Checkpoints::default(),
        }
    }

    /// As clients know it.
    pub(crate) fn absolute_path(&self) -> PathBuf {
        std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    /// Keeps room back for a full disk.
    #[must_use]
    pub(crate) fn with_reserve(mut self) -> Self {
        self.reserve.keep();
        self
    }

    /// The mark of a clean shutdown would not be true of the directory.
    pub(crate) fn forbid_clean_mark(&self) {
        self.needs_recovery.store(true, Ordering::Relaxed);
    }

    /// Does something on the disk that a full one must not stand in the way of.
    pub(crate) fn with_room<T>(
        &self,
        attempt: impl FnMut() -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        self.reserve.with_room(|error| Some(error), attempt)
    }

    pub(crate) fn holds_partitions(&self) -> bool {
        self.uses != Uses::Metadata
    }

    fn holds_metadata(&self) -> bool {
        self.uses != Uses::Partitions
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    pub(crate) fn needs_recovery(&self) -> bool {
        self.needs_recovery.load(Ordering::Acquire)
    }

    /// Every log was looked over.
    pub(crate) fn recovered(&self) {
        self.needs_recovery.store(false, Ordering::Release);
    }

    pub(crate) fn partition_added(&self) {
        self.partitions.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn partition_removed(&self) {
        self.partitions.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn checkpointed(&self, topic: &str, index: PartitionIndex) -> Checkpointed {
        self.checkpoints.get(topic, index)
    }

    /// Up to where the cleaner has cleaned a partition, if it ever has.
    pub(crate) fn cleaned_end(&self, topic: &str, index: PartitionIndex) -> Option<Offset> {
        self.checkpoints.cleaned_end(topic, index)
    }

    pub(crate) fn note_cleaned(&self, topic: &str, index: PartitionIndex, end: Offset) {
        self.checkpoints.set_cleaned_end(topic, index, end);
    }

    /// Notes where a partition stands; `write_checkpoints` puts it on disk.
    pub(crate) fn note(&self, topic: &str, index: PartitionIndex, now: Checkpointed) {
        self.checkpoints.set(topic, index, now);
    }

    pub(crate) fn forget(&self, topic: &str, index: PartitionIndex) {
        self.checkpoints.forget(topic, index);
    }

    /// Everything noted so far is on disk when it returns; nothing is, once the directory is offline.
    pub(crate) fn write_checkpoints(&self) -> Result<(), DiskError> {
        if self.is_offline() {
            return Ok(());
        }
        self.with_room(|| self.checkpoints.write(&*self.disk, &self.path))
    }
}

/// All log directories of the node.
#[derive(Debug)]
pub(crate) struct LogDirs {
    dirs: Vec<Arc<LogDir>>,
    /// Stands for every directory that is not among those that are configured.
    lost: Arc<LogDir>,
    /// Why the server has to end.
    fatal: mpsc::UnboundedSender<String>,
    /// Rings when a directory failed that the server can do without.
    failed: Notify,
}

impl LogDirs {
    pub(crate) fn new(dirs: Vec<Arc<LogDir>>, fatal: mpsc::UnboundedSender<String>) -> Self {
        let first = dirs.first().expect("a server has a log directory");
        let lost = LogDir::offline(first.disk.clone(), Path::new(""), None);
        Self {
            dirs,
            lost: Arc::new(lost),
            fatal,
            failed: Notify::new(),
        }
    }

    /// Those that are in use for anything.
    pub(crate) fn online(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter().filter(|dir| !dir.is_offline())
    }

    /// Those for partitions, whether they can be used or not: `log.dirs`.
    pub(crate) fn of_partitions(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter().filter(|dir| dir.holds_partitions())
    }

    /// The ids of those for partitions that can be used.
    pub(crate) fn online_ids(&self) -> Vec<Uuid> {
        let online = self.of_partitions().filter(|dir| !dir.is_offline());
        online.map(|dir| dir.id).collect()
    }

    /// The directories that have a partition's folder, of this topic or of one that cannot be told.
    pub(crate) fn with_folder(&self, folder: &str, topic_id: Uuid) -> Vec<Arc<LogDir>> {
        let has_it = |dir: &&Arc<LogDir>| {
            let path = dir.path.join(folder);
            let there = !dir.is_offline() && dir.disk.info(&path).is_ok();
            there
                && !matches!(partition_metadata::read(&*dir.disk, &path), Ok(Some(id)) if id != topic_id)
        };
        self.of_partitions().filter(has_it).cloned().collect()
    }

    /// The directory for a partition: the one that has its folder; else the one that the metadata names, be it there or
    /// not; else the one with the fewest partitions.
    pub(crate) fn place(&self, folder: &str, topic_id: Uuid, assigned: Uuid) -> Arc<LogDir> {
        let online: Vec<_> = self
            .of_partitions()
            .filter(|dir| !dir.is_offline())
            .collect();
        if let [only] = &online[..]
            && only.id == assigned
        {
            return (*only).clone();
        }
        if let Some(dir) = self.with_folder(folder, topic_id).first() {
            return dir.clone();
        }
        if !matches!(assigned, UNASSIGNED_DIRECTORY | MIGRATING_DIRECTORY) {
            let named = self.of_partitions().find(|dir| dir.id == assigned);
            return named.unwrap_or(&self.lost).clone();
        }
        let load = |dir: &&&Arc<LogDir>| dir.partitions.load(Ordering::Relaxed);
        let least = online.iter().min_by_key(load);
        least.map_or(&self.lost, |dir| *dir).clone()
    }

    /// Waits until a directory has failed since the last time this was asked.
    pub(crate) async fn failure(&self) {
        self.failed.notified().await;
    }

    /// Takes a directory out of service after a write or sync failed in it: what the kernel could not write it has
    /// forgotten, so asking again would prove nothing.
    pub(crate) fn fail(&self, dir: &LogDir, why: &dyn std::fmt::Display) {
        if dir.offline.swap(true, Ordering::AcqRel) {
            return;
        }
        error!(dir = %dir.path.display(), "log directory is offline: {why}");
        if dir.holds_metadata() || self.of_partitions().all(|dir| dir.is_offline()) {
            let text = format!(
                "log directory {} failed and the server cannot go on without it: {why}",
                dir.path.display()
            );
            drop(self.fatal.send(text));
        } else {
            self.failed.notify_one();
        }
    }

    /// The directory of the metadata log.
    pub(crate) fn metadata_dir(&self) -> &Arc<LogDir> {
        let dir = self.dirs.iter().find(|dir| dir.holds_metadata());
        dir.expect("one directory holds the metadata log")
    }

    pub(crate) fn write_checkpoints(&self) {
        for dir in &self.dirs {
            self.write_checkpoints_of(dir);
        }
    }

    /// False: what was noted is not, or not durably, in the checkpoints.
    pub(crate) fn write_checkpoints_of(&self, dir: &LogDir) -> bool {
        match dir.write_checkpoints() {
            Ok(()) => !dir.is_offline(),
            Err(error) => {
                self.disk_trouble(dir, &error);
                false
            }
        }
    }

    /// Lets producers back in where there is space again. True if there still is none somewhere.
    pub(crate) fn look_for_room(&self, now: Millis) -> bool {
        self.online().filter(|dir| dir.reserve.is_full(now)).count() > 0
    }

    /// A disk that is full recovers without a restart, and so does a lack of descriptors; any other trouble ends the
    /// directory.
    pub(crate) fn disk_trouble(&self, dir: &LogDir, error: &DiskError) {
        if error.is_full() {
            dir.reserve.ran_full(error);
        } else if error.is_shortage() {
            warn!(dir = %dir.path.display(), "{error}");
        } else {
            self.fail(dir, error);
        }
    }
}
