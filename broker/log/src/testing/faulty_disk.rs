//! A disk that fails when it is told to: the N-th call of a kind, or of any, returns an error, or does only a part.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use ottla_protocol::types::Millis;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::Random;
use crate::disk::{DirEntry, Disk, DiskFile, FileInfo, OpenMode, SharedDisk, SharedFile, Space};

/// Calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Open,
    Read,
    Write,
    SetLen,
    SyncData,
    SyncDir,
    Rename,
    Remove,
    MakeDir,
    /// Listing a directory and looking at a path.
    Look,
    Reserve,
    /// Each of them.
    Any,
}

impl Call {
    fn is(self, made: Self) -> bool {
        self == made || self == Self::Any
    }
}

#[derive(Clone, Debug)]
enum Outcome {
    Error {
        os_error: i32,
        sticky: bool,
    },
    /// Writes half and reports it.
    Short,
    /// Waits at the barrier first.
    Held(Arc<Barrier>),
}

#[derive(Debug)]
struct Fault {
    call: Call,
    /// Calls of this kind that still succeed.
    after: u64,
    outcome: Outcome,
}

#[derive(Debug, Default)]
struct Plan {
    faults: Mutex<Vec<Fault>>,
    calls: AtomicU64,
    /// Reads and writes are short or interrupted at random.
    choppy: Mutex<Option<Random>>,
    is_cut_off: RwLock<bool>,
    /// How many more changes are made before the disk is cut off.
    changes_left: Mutex<Option<u64>>,
}

type Faults = Arc<Plan>;

impl Plan {
    fn lock(&self) -> parking_lot::MutexGuard<'_, Vec<Fault>> {
        self.faults.lock()
    }

    /// `plugged`, for a call that changes something.
    fn changing(&self) -> io::Result<RwLockReadGuard<'_, bool>> {
        if let Some(left) = &mut *self.changes_left.lock() {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => *self.is_cut_off.write() = true,
            }
        }
        self.plugged()
    }

    /// Held during a call, so that none is under way once the disk is cut off.
    fn plugged(&self) -> io::Result<RwLockReadGuard<'_, bool>> {
        let is_cut_off = self.is_cut_off.read();
        if *is_cut_off {
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(is_cut_off)
    }
}

#[derive(Debug)]
pub struct FaultyDisk {
    inner: SharedDisk,
    faults: Faults,
}

#[derive(Debug)]
struct FaultyFile {
    inner: SharedFile,
    faults: Faults,
}

impl FaultyDisk {
    #[must_use]
    pub fn new(inner: SharedDisk) -> Arc<Self> {
        Arc::new(Self {
            inner,
            faults: Faults::default(),
        })
    }

    /// After `after` more calls of this kind, one fails with an error of the operating system (28: no space, 5: I/O).
    pub fn fail_once(&self, call: Call, after: u64, os_error: i32) {
        self.faults.lock().push(Fault {
            call,
            after,
            outcome: Outcome::Error {
                os_error,
                sticky: false,
            },
        });
    }

    /// Like `fail_once`, and so do all that follow, until `heal`.
    pub fn fail_from(&self, call: Call, after: u64, os_error: i32) {
        self.faults.lock().push(Fault {
            call,
            after,
            outcome: Outcome::Error {
                os_error,
                sticky: true,
            },
        });
    }

    /// After `after` more writes, one writes only half.
    pub fn write_short(&self, after: u64) {
        self.faults.lock().push(Fault {
            call: Call::Write,
            after,
            outcome: Outcome::Short,
        });
    }

    /// Takes the disk away from whoever uses it, for good: a process that is dead does nothing any more, but its threads
    /// live on in a test.
    pub fn cut_off(&self) {
        *self.faults.is_cut_off.write() = true;
    }

    /// `cut_off` after so many more calls that change something: what a crash in the middle leaves.
    pub fn cut_off_after(&self, changes: u64) {
        *self.faults.changes_left.lock() = Some(changes);
    }

    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        *self.faults.is_cut_off.read()
    }

    /// The next call of this kind waits until somebody else comes to the barrier.
    #[must_use]
    pub fn hold_once(&self, call: Call) -> Arc<Barrier> {
        let barrier = Arc::new(Barrier::new(2));
        self.faults.lock().push(Fault {
            call,
            after: 0,
            outcome: Outcome::Held(barrier.clone()),
        });
        barrier
    }

    /// From now on reads and writes do a part only, or are interrupted by a signal before they did anything.
    pub fn be_choppy(&self, random: Random) {
        *self.faults.choppy.lock() = Some(random);
    }

    /// How many calls were made so far, of any kind.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.faults.calls.load(Ordering::Relaxed)
    }

    pub fn heal(&self) {
        self.faults.lock().clear();
        *self.faults.choppy.lock() = None;
    }
}

/// What the next call of a kind is to do. None: its work.
fn next(faults: &Faults, call: Call) -> Option<Outcome> {
    faults.calls.fetch_add(1, Ordering::Relaxed);
    let mut faults = faults.lock();
    let i = faults.iter().position(|f| f.call.is(call))?;
    if faults[i].after > 0 {
        faults[i].after -= 1;
        return None;
    }
    let outcome = faults[i].outcome.clone();
    if !matches!(outcome, Outcome::Error { sticky: true, .. }) {
        faults.remove(i);
    }
    Some(outcome)
}

/// How much of a read or write of so many bytes is done.
fn chopped(faults: &Faults, len: usize) -> io::Result<usize> {
    let mut choppy = faults.choppy.lock();
    let Some(random) = choppy.as_mut().filter(|_| len > 1) else {
        return Ok(len);
    };
    if random.one_in(3) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    Ok(1 + random.below(len as u64) as usize)
}

fn check(faults: &Faults, call: Call) -> io::Result<()> {
    match next(faults, call) {
        Some(Outcome::Error { os_error, .. }) => Err(io::Error::from_raw_os_error(os_error)),
        Some(Outcome::Held(barrier)) => {
            barrier.wait();
            Ok(())
        }
        Some(Outcome::Short) | None => Ok(()),
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile> {
        let _plugged = match mode {
            OpenMode::Create => self.faults.changing()?,
            OpenMode::Read | OpenMode::ReadWrite => self.faults.plugged()?,
        };
        check(&self.faults, Call::Open)?;
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(FaultyFile {
            inner,
            faults: self.faults.clone(),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _plugged = self.faults.changing()?;
        check(&self.faults, Call::Rename)?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let _plugged = self.faults.changing()?;
        check(&self.faults, Call::Remove)?;
        self.inner.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let _plugged = self.faults.changing()?;
        check(&self.faults, Call::Remove)?;
        self.inner.remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let _plugged = self.faults.changing()?;
        check(&self.faults, Call::MakeDir)?;
        self.inner.create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let _plugged = self.faults.plugged()?;
        check(&self.faults, Call::Look)?;
        self.inner.list(dir)
    }

    fn info(&self, path: &Path) -> io::Result<FileInfo> {
        let _plugged = self.faults.plugged()?;
        check(&self.faults, Call::Look)?;
        self.inner.info(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let _plugged = self.faults.changing()?;
        check(&self.faults, Call::SyncDir)?;
        self.inner.sync_dir(dir)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let _plugged = self.faults.plugged()?;
        self.inner.space(path)
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let _plugged = self.faults.plugged()?;
        check(&self.faults, Call::Read)?;
        let len = chopped(&self.faults, buf.len())?;
        self.inner.read_at(&mut buf[..len], position)
    }

    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        let _plugged = self.faults.changing()?;
        match next(&self.faults, Call::Write) {
            None => {
                let len = chopped(&self.faults, buf.len())?;
                self.inner.write_at(&buf[..len], position)
            }
            Some(Outcome::Held(barrier)) => {
                barrier.wait();
                self.inner.write_at(buf, position)
            }
            Some(Outcome::Short) => self.inner.write_at(&buf[..buf.len().div_ceil(2)], position),
            Some(Outcome::Error { os_error, .. }) => {
                // A disk that fills up takes what still fits.
                self.inner.write_at(&buf[..buf.len() / 2], position)?;
                Err(io::Error::from_raw_os_error(os_error))
            }
        }
    }

    fn len(&self) -> io::Result<u64> {
        let _plugged = self.faults.plugged()?;
        check(&self.faults, Call::Look)?;
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _plugged = self.faults.changing()?;
        check(&self.faults, Call::SetLen)?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let _plugged = self.faults.changing()?;
        check(&self.faults, Call::SyncData)?;
        self.inner.sync_data()
    }

    fn set_modified(&self, time: Millis) -> io::Result<()> {
        let _plugged = self.faults.changing()?;
        self.inner.set_modified(time)
    }

    fn reserve(&self, from: u64, len: u64) -> io::Result<()> {
        let _plugged = self.faults.changing()?;
        check(&self.faults, Call::Reserve)?;
        self.inner.reserve(from, len)
    }

    fn os_file(&self) -> Option<&fs::File> {
        self.inner.os_file()
    }
}
