//! Carries out what is decided: partitions and their files, flushes, timers.

pub(crate) mod auto_create;
mod bell;
mod bootstrap;
pub(crate) mod checkpoints;
pub(crate) mod cleaner;
pub(crate) mod config_rules;
pub(crate) mod controller;
pub(crate) mod deadlines;
pub(crate) mod dir_failures;
pub(crate) mod features;
pub(crate) mod flusher;
pub(crate) mod groups;
pub(crate) mod keeper;
pub(crate) mod leftovers;
pub(crate) mod log_dirs;
pub(crate) mod markers;
mod metadata_loaded;
pub(crate) mod metadata_log;
pub(crate) mod metadata_preflight;
pub(crate) mod metadata_snapshot;
mod metadata_versions;
pub(crate) mod moves;
pub(crate) mod open_files;
pub(crate) mod partition;
pub(crate) mod producer_ids;
pub(crate) mod producers;
pub(crate) mod publish;
pub(crate) mod quorum_records;
pub(crate) mod quorum_state;
pub(crate) mod recovery;
pub(crate) mod registration;
mod replay;
mod reserve;
pub(crate) mod shard;
pub(crate) mod topic;
pub(crate) mod transactions;
mod txn_indexes;
pub(crate) mod waits;
pub(crate) mod watch;

use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_coordination::controller::DirectoryAssignment;
use ottla_log::clean_shutdown;
use ottla_protocol::types::PartitionIndex;
use ottla_protocol::wire::Uuid;
use parking_lot::Mutex;
use tracing::warn;

use bell::Bell;
use cleaner::Cleaner;
use flusher::Flusher;
use keeper::Keeper;
use log_dirs::LogDirs;
use open_files::OpenFiles;
use recovery::Recovery;
use topic::Topics;

/// Everything that concerns partitions and their files.
pub(crate) struct Storage {
    pub(crate) dirs: LogDirs,
    pub(crate) topics: Topics,
    pub(crate) flusher: Flusher,
    pub(crate) bell: Bell,
    pub(crate) keeper: Keeper,
    pub(crate) cleaner: Cleaner,
    pub(crate) open_files: OpenFiles,
    /// Directories that partitions were put into and the controller does not know yet.
    untold_directories: Mutex<Vec<DirectoryAssignment>>,
    pub(crate) recovery: Recovery,
}

impl Storage {
    pub(crate) fn new(dirs: LogDirs) -> Self {
        Self {
            dirs,
            topics: Topics::default(),
            flusher: Flusher::default(),
            bell: Bell::default(),
            keeper: Keeper::default(),
            cleaner: Cleaner::default(),
            open_files: OpenFiles::default(),
            untold_directories: Mutex::default(),
            recovery: Recovery::default(),
        }
    }

    /// With a bound on open files; the directories' disks are counted by it.
    #[must_use]
    pub(crate) fn with_open_files(mut self, open_files: OpenFiles) -> Self {
        self.open_files = open_files;
        self
    }

    pub(crate) fn tell_directory(
        &self,
        topic_id: Uuid,
        partition: PartitionIndex,
        directory: Uuid,
    ) {
        self.untold_directories.lock().push(DirectoryAssignment {
            topic_id,
            partition,
            directory,
        });
    }

    /// What the controller has to be told of partitions' directories, once.
    pub(crate) fn take_untold_directories(&self) -> Vec<DirectoryAssignment> {
        std::mem::take(&mut self.untold_directories.lock())
    }
}

/// A node alone has no use for its epoch after a restart.
const NO_BROKER_EPOCH: i64 = -1;

/// Threads that close partitions when the server stops.
const CLOSING_THREADS: usize = 16;

impl Storage {
    /// Flushes and closes every partition, writes the checkpoints and leaves the mark of a clean shutdown in every
    /// directory in which all of that went well, and whose logs were looked over since the last crash.
    pub(crate) fn close(&self) {
        self.recovery.stop();
        let partitions: Vec<_> = self
            .topics
            .all()
            .iter()
            .flat_map(|topic| topic.all())
            .collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..CLOSING_THREADS.min(partitions.len()) {
                scope.spawn(|| {
                    while let Some(partition) = partitions.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        if let Err(error) = partition.close() {
                            partition.dir().forbid_clean_mark();
                            self.dirs.disk_trouble(&partition.dir(), &error);
                        }
                    }
                });
            }
        });
        self.dirs.write_checkpoints();
        for dir in self.dirs.online().filter(|dir| !dir.needs_recovery()) {
            if let Err(error) = clean_shutdown::write(&*dir.disk, &dir.path, NO_BROKER_EPOCH) {
                warn!("{error}");
            }
        }
    }
}
