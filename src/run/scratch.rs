//! The directory of a run, in the temporary directory.
//!
//! Always: whoever uses one holds the lock of its lock file, and removes it. Where all of them were killed at once, the next
//! run removes it; a minute's grace is for one that was just made and is not locked yet.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

const PREFIX: &str = "ottla-run-";
const GRACE: Duration = Duration::from_secs(60);

pub(super) struct Scratch {
    directory: TempDir,
    _lock: File,
}

impl Scratch {
    pub(super) fn new() -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        let lock = File::create(lock_of(directory.path()))?;
        lock.lock()?;
        sweep(&std::env::temp_dir(), GRACE);
        let _lock = lock;
        Ok(Self { directory, _lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn lock_of(directory: &Path) -> PathBuf {
    directory.join("lock")
}

/// Removes what runs before left that were killed with their brokers. It is a courtesy: that it fails stops nobody.
fn sweep(folder: &Path, grace: Duration) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes())
        {
            let path = entry.path();
            if is_abandoned(&path, grace) {
                fs::remove_dir_all(&path).ok();
            }
        }
    }
}

fn is_abandoned(directory: &Path, grace: Duration) -> bool {
    let Ok(metadata) = fs::symlink_metadata(directory) else {
        return false;
    };
    let is_ours = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    let age = metadata
        .modified()
        .ok()
        .and_then(|made| made.elapsed().ok());
    if !is_ours || age.is_none_or(|age| age < grace) {
        return false;
    }
    match File::open(lock_of(directory)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_swept_and_nothing_else() {
        let folder = TempDir::new().unwrap();
        let make = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(lock_of(&path), "").unwrap();
            path
        };
        let (held, left, other) = (make("ottla-run-a"), make("ottla-run-b"), make("ottla-c"));
        let lock = File::open(lock_of(&held)).unwrap();
        lock.lock().unwrap();
        sweep(folder.path(), GRACE);
        assert!(left.exists(), "it may have been made just now");
        sweep(folder.path(), Duration::ZERO);
        assert_eq!(
            (held.exists(), left.exists(), other.exists()),
            (true, false, true)
        );
    }
}
