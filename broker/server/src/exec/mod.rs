//! Carries out what is decided: partitions and their files, flushes, timers.

pub(crate) mod flusher;
pub(crate) mod keeper;
pub(crate) mod log_dirs;
pub(crate) mod partition;
pub(crate) mod topic;
pub(crate) mod waits;

use flusher::Flusher;
use keeper::Keeper;
use log_dirs::LogDirs;
use topic::Topics;

/// Everything that concerns partitions and their files.
pub(crate) struct Storage {
    pub(crate) dirs: LogDirs,
    pub(crate) topics: Topics,
    pub(crate) flusher: Flusher,
    pub(crate) keeper: Keeper,
}

impl Storage {
    pub(crate) fn new(dirs: LogDirs) -> Self {
        Self { dirs, topics: Topics::default(), flusher: Flusher::default(), keeper: Keeper::default() }
    }
}
