//! Room that is kept back on a disk, so that what has to be written still can be when producers have filled it: the
//! metadata log, checkpoints, what opening and closing a log need.
//!
//! It is a file of the lesser of 64 MiB and a hundredth of the disk. The first write that finds no space gives it back
//! and from then on no records are taken in; when there is room for it again it is made anew, and they are.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ottla_log::SharedDisk;
use ottla_log::disk::{DiskError, OpenMode, remove_if_there};
use ottla_protocol::types::Millis;
use parking_lot::Mutex;
use tracing::{error, info, warn};

const FILE: &str = ".ottla-reserve";
const BYTES_MAX: u64 = 64 << 20;
const SHARE: u64 = 100;
/// What has to be free beside the reserve before producers are let in again, so that they are not sent away at once.
const MARGIN_MAX: u64 = 1 << 20;
/// How long to wait between two looks for space.
const LOOK_INTERVAL_MS: i64 = 500;

/// The room kept back on one log directory's disk.
#[derive(Debug)]
pub(crate) struct Reserve {
    disk: SharedDisk,
    dir: PathBuf,
    /// 0: none is kept.
    bytes: u64,
    is_full: AtomicBool,
    next_look: AtomicI64,
    /// Held while the file is made or removed.
    file: Mutex<()>,
}

impl Reserve {
    pub(crate) fn none(disk: SharedDisk, dir: &Path) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            bytes: 0,
            is_full: AtomicBool::new(false),
            next_look: AtomicI64::new(0),
            file: Mutex::new(()),
        }
    }

    /// Keeps room back from now on. Where there is none to keep, the disk is full from the start.
    pub(crate) fn keep(&mut self) {
        let Ok(space) = self.disk.space(&self.dir) else {
            return;
        };
        self.bytes = BYTES_MAX.min(space.total / SHARE);
        match self.make() {
            Ok(()) => {}
            Err(error) if error.is_full() => self.ran_full(&error),
            Err(error) => {
                // A file system that cannot reserve, most likely.
                warn!(dir = %self.dir.display(), "no room is kept back for a full disk: {error}");
                self.bytes = 0;
            }
        }
    }

    /// Whether records are refused because there was no space for some. Looks now and then whether there is again.
    pub(crate) fn is_full(&self, now: Millis) -> bool {
        if !self.is_full.load(Ordering::Relaxed) {
            return false;
        }
        let look = self.next_look.load(Ordering::Relaxed);
        let next = now.0.saturating_add(LOOK_INTERVAL_MS);
        // A clock that was set back must not make the wait longer.
        let is_due = now.0 >= look || next < look;
        let order = Ordering::Relaxed;
        if is_due
            && self
                .next_look
                .compare_exchange(look, next, order, order)
                .is_ok()
        {
            self.look_for_room();
        }
        self.is_full.load(Ordering::Relaxed)
    }

    fn look_for_room(&self) {
        let needed = self.bytes.saturating_add(self.bytes.min(MARGIN_MAX));
        match self.disk.space(&self.dir) {
            Ok(space) if space.free >= needed => {}
            _ => return,
        }
        match self.make() {
            Ok(()) => {
                self.is_full.store(false, Ordering::Relaxed);
                info!(dir = %self.dir.display(), "there is space again: records are taken in");
            }
            Err(error) if error.is_full() => {}
            Err(error) => warn!(dir = %self.dir.display(), "{error}"),
        }
    }

    /// A write has found no space: what is kept back is given up for what cannot wait.
    pub(crate) fn ran_full(&self, why: &DiskError) {
        if self.is_full.swap(true, Ordering::Relaxed) {
            return;
        }
        error!(dir = %self.dir.display(), "the disk is full, no records are taken in until there is space: {why}");
        if let Err(error) = self.release() {
            warn!(dir = %self.dir.display(), "{error}");
        }
    }

    /// Does something that cannot wait for space; if there is none, once more with the room that was kept back.
    pub(crate) fn with_room<T, E>(
        &self,
        is_full: impl Fn(&E) -> Option<&DiskError>,
        mut attempt: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let outcome = attempt();
        match &outcome {
            Err(error) => match is_full(error).filter(|error| error.is_full()) {
                Some(full) => self.ran_full(full),
                None => return outcome,
            },
            Ok(_) => return outcome,
        }
        attempt()
    }

    /// Blocks are taken, not only promised by a length.
    fn make(&self) -> Result<(), DiskError> {
        let _alone = self.file.lock();
        let path = self.dir.join(FILE);
        let failed = |source| DiskError {
            what: "keep room in",
            path: path.clone(),
            source,
        };
        if self.bytes == 0 {
            return Ok(());
        }
        let taken = self.disk.open(&path, OpenMode::Create).and_then(|file| {
            if file.len()? == self.bytes {
                return Ok(());
            }
            file.set_len(0)?;
            file.reserve(0, self.bytes)?;
            file.set_len(self.bytes)
        });
        taken.map_err(failed).inspect_err(|_| {
            // Half a reserve is none, and its length would be believed at the next start.
            drop(self.disk.remove_file(&path));
        })
    }

    fn release(&self) -> Result<(), DiskError> {
        let _alone = self.file.lock();
        let path = self.dir.join(FILE);
        remove_if_there(&*self.disk, &path)
    }
}
