//! `.lock` in a log directory: one broker at a time.
//!
//! Taken twice, because the two kinds do not see each other: `flock` keeps out a second server also within one
//! process, a POSIX record lock keeps out the reference, whose Java runtime takes that kind. Only for real directories;
//! released when dropped or when the process dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock, flock};

use crate::names;

#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{} is in use by another broker", .0.display())]
    Held(PathBuf),
    #[error("cannot lock {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl DirLock {
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(dir.join(names::LOCK));
        Self::lock(dir, file.map_err(|source| Self::failed(dir, source))?)
    }

    /// The lock of a directory that is only looked at: where no broker ever was there is none to take, and none is made.
    pub fn take_if_there(dir: &Path) -> Result<Option<Self>, LockError> {
        let mut options = OpenOptions::new();
        match options.read(true).write(true).open(dir.join(names::LOCK)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Self::failed(dir, source)),
            Ok(file) => Self::lock(dir, file).map(Some),
        }
    }

    fn failed(dir: &Path, source: io::Error) -> LockError {
        LockError::Io {
            path: dir.to_owned(),
            source,
        }
    }

    fn lock(dir: &Path, file: File) -> Result<Self, LockError> {
        let taken = flock(&file, FlockOperation::NonBlockingLockExclusive)
            .and_then(|()| fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive));
        match taken.map_err(io::Error::from) {
            Ok(()) => Ok(Self { _file: file }),
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied
                ) =>
            {
                Err(LockError::Held(dir.to_owned()))
            }
            Err(source) => Err(Self::failed(dir, source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_on_the_same_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = DirLock::take(dir.path()).unwrap();
        assert!(matches!(DirLock::take(dir.path()), Err(LockError::Held(_))));
        assert!(matches!(
            DirLock::take_if_there(dir.path()),
            Err(LockError::Held(_))
        ));
        drop(first);
        DirLock::take(dir.path()).unwrap();
    }

    #[test]
    fn looking_at_a_directory_makes_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        assert!(DirLock::take_if_there(dir.path()).unwrap().is_none());
        assert!(!dir.path().join(names::LOCK).exists());
        drop(DirLock::take(dir.path()).unwrap());
        assert!(DirLock::take_if_there(dir.path()).unwrap().is_some());
    }
}
