//! A partition's way from one log directory to another (AlterReplicaLogDirs): a copy that catches up while producers go
//! on, then the swap of the two folders behind the lock.
//!
//! Always: the folder in use is the truth until the swap, and a crash at any moment leaves it, or the copy that is
//! whole; the controller knows the new directory before the swap, so that whoever opens the directories in between
//! knows which of the two was meant.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_log::disk::{DiskError, SharedDisk};
use ottla_log::relocation::{Relocation, RelocationError};
use ottla_log::{names, partition_metadata};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::wire::Uuid;

use super::replica::Flush;
use super::{Partition, State};
use crate::clock;
use crate::data_dirs::random_id;
use crate::exec::log_dirs::LogDir;
use crate::exec::moves::Move;

/// A copy that is behind by no more than this is finished behind the partition's lock.
const LAST_BYTES: u64 = 1 << 20;
/// Wait for a flush of the log that is under way.
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug, thiserror::Error)]
pub(crate) enum MoveError {
    #[error("the copy failed: {0}")]
    Copy(#[from] RelocationError),
    #[error("cannot change folders: {0}")]
    Source(DiskError),
    #[error("the partition cannot be used: {}", .0.text())]
    Partition(ErrorCode),
    #[error("the controller does not take it in")]
    NotAssigned,
}

impl Partition {
    /// Moves the partition, or gives up when the move is not wanted any more. `assign` tells the controller of a
    /// directory and returns once it has taken that in.
    pub(crate) fn move_to(
        self: &Arc<Self>,
        wanted: &Move,
        assign: &dyn Fn(Uuid) -> bool,
    ) -> Result<(), MoveError> {
        let _paused = self.cleaning.pause();
        let (from, to) = (self.dir(), wanted.to.clone());
        if self.was_never_used() && self.take_unused(&from, &to) {
            return match assign(to.id) {
                true => Ok(()),
                false => Err(MoveError::NotAssigned),
            };
        }
        let future = to.path.join(&wanted.folder);
        let mut copy = Relocation::begin(
            (from.disk.clone(), &self.folder()),
            (to.disk.clone(), &future),
        )?;
        // From here on a start knows whose folder it is.
        let named = partition_metadata::write(&*to.disk, &future, self.topic.id);
        named.map_err(RelocationError::Destination)?;
        self.catch_up(&mut copy, wanted)?;
        if !assign(to.id) {
            return Err(MoveError::NotAssigned);
        }
        let swapped = self
            .catch_up(&mut copy, wanted)
            .and_then(|()| self.finish_move(copy, &future, &from, wanted));
        if swapped.is_err() {
            // Best effort: the folder in use is where it was, which a start finds out, too.
            assign(from.id);
        }
        swapped
    }

    /// Where nothing was ever written there is nothing to copy.
    fn take_unused(&self, from: &Arc<LogDir>, to: &Arc<LogDir>) -> bool {
        let mut state = self.state.lock();
        let State::Closed(closed) = &mut *state else {
            return false;
        };
        let is_unused = self.has_no_folder();
        if is_unused {
            self.change_directory(from, to);
            // In the other one it is looked for.
            closed.is_unused = false;
        }
        is_unused
    }

    /// The caller holds the lock.
    fn change_directory(&self, from: &Arc<LogDir>, to: &Arc<LogDir>) {
        let cleaned = from.cleaned_end(&self.topic.name, self.index);
        from.forget(&self.topic.name, self.index);
        from.partition_removed();
        to.partition_added();
        if let Some(end) = cleaned {
            to.note_cleaned(&self.topic.name, self.index, end);
        }
        self.dir.store(to.clone());
    }

    /// Copies until little is missing, at half the speed that the disks would allow.
    fn catch_up(&self, copy: &mut Relocation, wanted: &Move) -> Result<(), MoveError> {
        loop {
            let extents = {
                let replica = self.open(clock::now()).map_err(MoveError::Partition)?;
                replica.log.extents()
            };
            let mut begun = Instant::now();
            let copied = copy.round(&extents, &mut |copy, _| {
                wanted.note(copy.bytes(), copy.end());
                std::thread::sleep(begun.elapsed());
                begun = Instant::now();
                wanted.may_go_on()
            })?;
            if copied <= LAST_BYTES {
                return Ok(());
            }
        }
    }

    /// Copies the rest and swaps the folders.
    fn finish_move(
        self: &Arc<Self>,
        mut copy: Relocation,
        future: &Path,
        from: &Arc<LogDir>,
        wanted: &Move,
    ) -> Result<(), MoveError> {
        let to = &wanted.to;
        let mut replica = loop {
            if !wanted.may_go_on() {
                return Err(RelocationError::Stopped.into());
            }
            let replica = self.open(clock::now()).map_err(MoveError::Partition)?;
            if replica.flush == Flush::Idle {
                break replica;
            }
            drop(replica);
            std::thread::sleep(PAUSE);
        };
        let flushed = replica.log.flush_now();
        flushed.map_err(|error| MoveError::Source(self.blamed(from, error)))?;
        copy.finish(&replica.log.extents())?;
        let unique = u128::from_be_bytes(random_id().0);
        let doomed = from
            .path
            .join(names::delete_dir(&self.topic.name, self.index, unique));
        let current = self.folder();
        let settled = to
            .path
            .join(names::partition_dir(&self.topic.name, self.index));
        self.swap(from, &current, &doomed, (future, &settled, &to.disk))?;
        if let Err(source) = to.disk.sync_dir(&to.path) {
            let error = failed("sync directory", &to.path, source);
            self.storage.dirs.disk_trouble(to, &error);
        }
        replica.log.relocated(to.disk.clone(), settled);
        self.change_directory(from, to);
        let (end, bytes) = (replica.log.flushed_end(), replica.appended_bytes);
        replica.show(end, bytes);
        replica.acknowledge();
        self.note(&replica);
        drop(replica);
        let delay = self.settings().log.file_delete_delay_ms;
        let at = clock::now().plus(delay);
        let keeper = &self.storage.keeper;
        keeper.remove_folder_later(from.clone(), doomed, at);
        Ok(())
    }

    /// The old folder out of the way, durably, then the new one in its place: there are never two.
    fn swap(
        &self,
        from: &Arc<LogDir>,
        current: &Path,
        doomed: &Path,
        (future, settled, to): (&Path, &Path, &SharedDisk),
    ) -> Result<(), MoveError> {
        let refused = |source| MoveError::Source(failed("rename", current, source));
        from.disk.rename(current, doomed).map_err(refused)?;
        let synced = from.disk.sync_dir(&from.path);
        let synced = synced.map_err(|source| failed("sync directory", &from.path, source));
        let swapped = synced.and_then(|()| {
            let renamed = to.rename(future, settled);
            renamed.map_err(|source| failed("rename", future, source))
        });
        swapped.map_err(|error| {
            if let Err(source) = from.disk.rename(doomed, current) {
                self.storage
                    .dirs
                    .fail(from, &failed("rename", doomed, source));
            }
            MoveError::Source(error)
        })
    }

    fn blamed(&self, dir: &Arc<LogDir>, error: DiskError) -> DiskError {
        self.storage.dirs.disk_trouble(dir, &error);
        error
    }
}

fn failed(what: &'static str, path: &Path, source: std::io::Error) -> DiskError {
    DiskError {
        what,
        path: PathBuf::from(path),
        source,
    }
}
