//! What the checkpoint files of a log directory say of its partitions, and are to say.
//!
//! Always: one thread at a time writes, and whoever asked for what another one is writing waits for it, so that
//! `write` returns only when everything noted before is on disk. Deliberately not here: when to write (`keeper`).

use std::path::Path;

use ottla_log::checkpoint::{PartitionOffsets, read_offsets, write_offsets};
use ottla_log::disk::{Disk, DiskError};
use ottla_log::names;
use ottla_protocol::types::{Offset, PartitionIndex};
use parking_lot::Mutex;
use tracing::warn;

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

/// The checkpoint files of one directory.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    recovery_points: Checkpoint,
    log_starts: Checkpoint,
    /// Where the cleaner has come to; nothing is said of partitions that it has not met.
    cleaned_ends: Checkpoint,
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Checkpoint(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    offsets: PartitionOffsets,
    /// The file says something else.
    is_changed: bool,
}

impl Checkpoints {
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Self {
        Self {
            recovery_points: Checkpoint::read(disk, dir, names::RECOVERY_POINTS),
            log_starts: Checkpoint::read(disk, dir, names::LOG_STARTS),
            cleaned_ends: Checkpoint::read(disk, dir, names::CLEANER_OFFSETS),
            writing: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, topic: &str, index: PartitionIndex) -> Checkpointed {
        let key = (topic.to_owned(), index);
        Checkpointed {
            recovery_point: self.recovery_points.get(&key).unwrap_or(Offset::ZERO),
            log_start: self.log_starts.get(&key).unwrap_or(Offset::ZERO),
        }
    }

    pub(crate) fn set(&self, topic: &str, index: PartitionIndex, at: Checkpointed) {
        let key = (topic.to_owned(), index);
        let start = Some(at.log_start).filter(|start| *start != Offset::ZERO);
        self.log_starts.set(key.clone(), start);
        self.recovery_points.set(key, Some(at.recovery_point));
    }

    pub(crate) fn forget(&self, topic: &str, index: PartitionIndex) {
        let key = (topic.to_owned(), index);
        self.log_starts.set(key.clone(), None);
        self.cleaned_ends.set(key.clone(), None);
        self.recovery_points.set(key, None);
    }

    pub(crate) fn cleaned_end(&self, topic: &str, index: PartitionIndex) -> Option<Offset> {
        self.cleaned_ends.get(&(topic.to_owned(), index))
    }

    pub(crate) fn set_cleaned_end(&self, topic: &str, index: PartitionIndex, end: Offset) {
        self.cleaned_ends.set((topic.to_owned(), index), Some(end));
    }

    /// Replaces the files that have something new to say, durably.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
        let _one_at_a_time = self.writing.lock();
        self.recovery_points
            .write(disk, &dir.join(names::RECOVERY_POINTS))?;
        self.log_starts.write(disk, &dir.join(names::LOG_STARTS))?;
        self.cleaned_ends
            .write(disk, &dir.join(names::CLEANER_OFFSETS))
    }
}

type Key = (String, PartitionIndex);

impl Checkpoint {
    fn read(disk: &dyn Disk, dir: &Path, name: &str) -> Self {
        let file = dir.join(name);
        let offsets = read_offsets(disk, &file).unwrap_or_else(|error| {
            // The logs know better: they are scanned from their start then.
            warn!(file = %file.display(), "checkpoint ignored: {error}");
            PartitionOffsets::new()
        });
        Self(Mutex::new(Content {
            offsets,
            is_changed: false,
        }))
    }

    fn get(&self, key: &Key) -> Option<Offset> {
        self.0.lock().offsets.get(key).copied()
    }

    fn set(&self, key: Key, offset: Option<Offset>) {
        let mut content = self.0.lock();
        let before = match offset {
            Some(offset) => content.offsets.insert(key, offset),
            None => content.offsets.remove(&key),
        };
        content.is_changed |= before != offset;
    }

    fn write(&self, disk: &dyn Disk, file: &Path) -> Result<(), DiskError> {
        let offsets = {
            let mut content = self.0.lock();
            if !std::mem::take(&mut content.is_changed) {
                return Ok(());
            }
            content.offsets.clone()
        };
        let entries: Vec<_> = offsets
            .iter()
            .map(|((topic, index), offset)| (topic.as_str(), *index, *offset))
            .collect();
        let written = write_offsets(disk, file, entries.into_iter());
        if written.is_err() {
            // A disk that was full may have room the next time.
            self.0.lock().is_changed = true;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ottla_log::testing::{Call, FaultyDisk, MemoryDisk};

    use super::*;

    const DIR: &str = "/logs";

    fn at(recovery_point: i64, log_start: i64) -> Checkpointed {
        Checkpointed {
            recovery_point: Offset(recovery_point),
            log_start: Offset(log_start),
        }
    }

    #[test]
    fn what_could_not_be_written_is_written_the_next_time() {
        let disk = FaultyDisk::new(Arc::new(MemoryDisk::new()));
        let dir = Path::new(DIR);
        disk.create_dir_all(dir).unwrap();
        let checkpoints = Checkpoints::read(&*disk, dir);
        checkpoints.set("t", PartitionIndex(0), at(7, 3));
        for call in [Call::Write, Call::Rename, Call::Write] {
            disk.fail_once(call, 0, 28);
            assert!(checkpoints.write(&*disk, dir).is_err());
            let found = Checkpoints::read(&*disk, dir).get("t", PartitionIndex(0));
            assert_ne!(found, at(7, 3));
        }
        checkpoints.write(&*disk, dir).unwrap();
        let found = Checkpoints::read(&*disk, dir);
        assert_eq!(found.get("t", PartitionIndex(0)), at(7, 3));
        assert_eq!(found.get("t", PartitionIndex(1)), Checkpointed::NEVER);
        // Nothing new, nothing written.
        disk.fail_once(Call::Write, 0, 28);
        checkpoints.set("t", PartitionIndex(0), at(7, 3));
        checkpoints.write(&*disk, dir).unwrap();
    }
}
