//! A disk in memory that knows what was synced, and forgets the rest when the power is cut.
//!
//! The strictest disk that the standard allows: bytes and lengths are durable after `sync_data` of their file, names
//! after `sync_dir` of their directory, and of what was not synced a power cut keeps any part, in any order, with the
//! torn write cut at any byte or 512 byte sector. What a crash leaves depends on nothing but the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::types::Millis;
use parking_lot::Mutex;

use super::random::Random;
use crate::disk::{DirEntry, Disk, DiskFile, FileInfo, OpenMode, SharedFile, Space};

const SECTOR: u64 = 512;
/// Files larger than this are a bug in the test or in what it tests.
const FILE_MAX: u64 = 1 << 30;

/// How much of what was not synced survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process died, the kernel lived: nothing is lost.
    Process,
    /// Nothing that was not synced survives.
    LoseAll,
    /// Any part of it does: writes in order up to some point, the last of them torn.
    Torn,
    /// Any part of it in any order, of names too.
    Scattered,
}

#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Grows with every crash; handles from before are dead.
    boots: u64,
    files: Vec<Content>,
    names: Names,
    durable_names: Names,
    /// Changes of names that no `sync_dir` has covered yet, in order.
    name_changes: Vec<NameChange>,
    capacity: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    dirs: BTreeSet<PathBuf>,
}

#[derive(Debug, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// As it was set; it does not move by itself.
    modified: Millis,
}

#[derive(Clone, Debug)]
enum Change {
    Write { position: u64, bytes: Vec<u8> },
    SetLen(u64),
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(PathBuf, usize),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
    MakeDir(PathBuf),
    RemoveDir(PathBuf),
}

#[derive(Debug)]
struct MemoryFile {
    state: Arc<Mutex<State>>,
    id: usize,
    boot: u64,
    writable: bool,
}

impl MemoryDisk {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on there is room for so many bytes, and no more.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Cuts the power. Open files are dead; the disk holds what survived, durably.
    pub fn crash(&self, how: Crash, random: &mut Random) {
        let mut state = self.state.lock();
        state.boots += 1;
        let keep_names = |random: &mut Random, n: u64| match how {
            Crash::Process | Crash::Scattered => n,
            Crash::LoseAll => 0,
            Crash::Torn => random.below(n + 1),
        };
        let mut changes = std::mem::take(&mut state.name_changes);
        if how == Crash::Process {
            // As they are: a change of one directory that was made after one of another may not go before it.
            state.durable_names = state.names.clone();
            changes.clear();
        }
        if how == Crash::Scattered {
            changes.retain(|_| random.one_in(2));
        }
        // Each directory has its own journal here, which is less order than most file systems give.
        let dirs: BTreeSet<PathBuf> = changes.iter().map(|c| c.dir().to_owned()).collect();
        for dir in dirs {
            let of_dir: Vec<_> = changes.iter().filter(|c| c.dir() == dir).collect();
            let kept = keep_names(random, of_dir.len() as u64);
            for change in of_dir
                .into_iter()
                .take(usize::try_from(kept).unwrap_or(usize::MAX))
            {
                state.durable_names.apply(change);
            }
        }
        state.durable_names.drop_unreachable();
        state.names = state.durable_names.clone();
        for content in &mut state.files {
            content.crash(how, random);
        }
    }

    /// How many changes of names no sync has covered.
    #[must_use]
    pub fn unsynced_names(&self) -> usize {
        self.state.lock().name_changes.len()
    }

    /// Cuts the power: of the changes of names that no sync has covered those survive that are chosen by their number, of
    /// bytes nothing.
    pub fn crash_keeping_names(&self, is_kept: impl Fn(usize) -> bool) {
        let mut i = 0;
        self.state.lock().name_changes.retain(|_| {
            i += 1;
            is_kept(i - 1)
        });
        let mut state = self.state.lock();
        for change in std::mem::take(&mut state.name_changes) {
            state.durable_names.apply(&change);
        }
        drop(state);
        self.crash(Crash::LoseAll, &mut Random::new(0));
    }

    /// Changes bytes behind everybody's back, as rot does. Tests only use it between a crash or close and an open.
    pub fn with_bytes(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.state.lock();
        let id = state.lookup(path)?;
        change(&mut state.files[id].now);
        let content = &mut state.files[id];
        content.durable = content.now.clone();
        content.unsynced.clear();
        Ok(())
    }

    /// A second disk with the same durable and volatile content.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.state.lock();
        let files = state.files.iter().map(|c| Content {
            now: c.now.clone(),
            durable: c.durable.clone(),
            unsynced: c.unsynced.clone(),
            modified: c.modified,
        });
        let copy = State {
            boots: state.boots,
            files: files.collect(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            name_changes: state.name_changes.clone(),
            capacity: state.capacity,
        };
        Self {
            state: Arc::new(Mutex::new(copy)),
        }
    }
}

impl Names {
    fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Create(path, id) => {
                self.files.insert(path.clone(), *id);
            }
            NameChange::Remove(path) => {
                self.files.remove(path);
            }
            NameChange::Rename(from, to) => self.rename(from, to),
            NameChange::MakeDir(path) => {
                self.dirs.insert(path.clone());
            }
            NameChange::RemoveDir(path) => {
                self.dirs.retain(|d| !d.starts_with(path));
                self.files.retain(|f, _| !f.starts_with(path));
            }
        }
    }

    /// A directory that was synced holds its files before its own name is durable, and loses them with it.
    fn drop_unreachable(&mut self) {
        let Self { files, dirs } = self;
        files.retain(|file, _| file.parent().is_some_and(|dir| dirs.contains(dir)));
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        if let Some(id) = self.files.remove(from) {
            self.files.insert(to.to_owned(), id);
            return;
        }
        let moved = |path: &PathBuf| path.strip_prefix(from).ok().map(|rest| to.join(rest));
        let files = std::mem::take(&mut self.files);
        self.files = files
            .into_iter()
            .map(|(p, id)| (moved(&p).unwrap_or(p), id))
            .collect();
        let dirs = std::mem::take(&mut self.dirs);
        // Joining an empty rest would end the path with a separator.
        self.dirs = dirs
            .into_iter()
            .map(|p| {
                if p == from {
                    to.to_owned()
                } else {
                    moved(&p).unwrap_or(p)
                }
            })
            .collect();
    }
}

impl NameChange {
    fn dir(&self) -> &Path {
        let path = match self {
            Self::Create(p, _) | Self::Remove(p) | Self::MakeDir(p) | Self::RemoveDir(p) => p,
            Self::Rename(from, _) => from,
        };
        path.parent().unwrap_or(path)
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.unsynced.push(change);
    }

    fn crash(&mut self, how: Crash, random: &mut Random) {
        let unsynced = std::mem::take(&mut self.unsynced);
        if how == Crash::Process {
            self.durable = self.now.clone();
            return;
        }
        let mut survived = self.durable.clone();
        let n = unsynced.len() as u64;
        match how {
            Crash::Process | Crash::LoseAll => {}
            Crash::Torn => {
                let whole = random.below(n + 1);
                let mut changes = unsynced.into_iter();
                for change in changes
                    .by_ref()
                    .take(usize::try_from(whole).unwrap_or(usize::MAX))
                {
                    apply(&mut survived, &change);
                }
                if let Some(Change::Write { position, bytes }) = changes.next() {
                    tear(&mut survived, position, &bytes, random);
                }
            }
            Crash::Scattered => {
                for change in unsynced {
                    match change {
                        Change::Write { position, bytes } if random.one_in(2) => {
                            tear(&mut survived, position, &bytes, random);
                        }
                        change if random.one_in(2) => apply(&mut survived, &change),
                        _ => {}
                    }
                }
            }
        }
        self.now = survived.clone();
        self.durable = survived;
    }
}

/// A write of which only a part reached the disk: up to some byte, or only some of its sectors.
fn tear(bytes: &mut Vec<u8>, position: u64, written: &[u8], random: &mut Random) {
    if random.one_in(2) {
        let cut = random.below(written.len() as u64 + 1) as usize;
        apply(
            bytes,
            &Change::Write {
                position,
                bytes: written[..cut].to_vec(),
            },
        );
        return;
    }
    let mut at = 0;
    while at < written.len() {
        let to_sector_end = SECTOR - (position + at as u64) % SECTOR;
        let end = written.len().min(at + to_sector_end as usize);
        if random.one_in(2) {
            let part = Change::Write {
                position: position + at as u64,
                bytes: written[at..end].to_vec(),
            };
            apply(bytes, &part);
        }
        at = end;
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write {
            position,
            bytes: written,
        } => {
            let start = *position as usize;
            let end = start + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(written);
        }
        Change::SetLen(len) => bytes.resize(*len as usize, 0),
    }
}

impl State {
    fn lookup(&self, path: &Path) -> io::Result<usize> {
        self.names
            .files
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename(&mut self, change: NameChange) {
        self.names.apply(&change);
        self.name_changes.push(change);
    }

    fn used(&self) -> u64 {
        self.names
            .files
            .values()
            .map(|id| self.files[*id].now.len() as u64)
            .sum()
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile> {
        let mut state = self.state.lock();
        let id = match state.lookup(path) {
            Ok(id) => id,
            Err(_) if mode == OpenMode::Create => {
                if !path.parent().is_some_and(|d| state.names.dirs.contains(d)) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                let id = state.files.len();
                state.files.push(Content::default());
                state.rename(NameChange::Create(path.to_owned(), id));
                id
            }
            Err(e) => return Err(e),
        };
        let boot = state.boots;
        let writable = mode != OpenMode::Read;
        Ok(Arc::new(MemoryFile {
            state: self.state.clone(),
            id,
            boot,
            writable,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.files.contains_key(from) && !state.names.dirs.contains(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.rename(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.lookup(path)?;
        state.rename(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.dirs.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.rename(NameChange::RemoveDir(path.to_owned()));
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let missing: Vec<_> = path
            .ancestors()
            .filter(|d| !state.names.dirs.contains(*d))
            .collect();
        for dir in missing.into_iter().rev() {
            state.rename(NameChange::MakeDir(dir.to_owned()));
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.state.lock();
        if !state.names.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = |path: &&PathBuf| path.parent() == Some(dir);
        let entry = |path: &PathBuf, is_dir| {
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default()
                .to_owned();
            DirEntry { name, is_dir }
        };
        let files = state
            .names
            .files
            .keys()
            .filter(inside)
            .map(|p| entry(p, false));
        let dirs = state
            .names
            .dirs
            .iter()
            .filter(inside)
            .map(|p| entry(p, true));
        Ok(files.chain(dirs).collect())
    }

    fn info(&self, path: &Path) -> io::Result<FileInfo> {
        let state = self.state.lock();
        if state.names.dirs.contains(path) {
            return Ok(FileInfo {
                len: 0,
                modified: Millis(0),
            });
        }
        let id = state.lookup(path)?;
        Ok(FileInfo {
            len: state.files[id].now.len() as u64,
            modified: state.files[id].modified,
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let changes = std::mem::take(&mut state.name_changes);
        for change in changes {
            if change.dir() == dir {
                state.durable_names.apply(&change);
            } else {
                state.name_changes.push(change);
            }
        }
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let state = self.state.lock();
        let total = state.capacity.unwrap_or(FILE_MAX);
        Ok(Space {
            total,
            free: total.saturating_sub(state.used()),
        })
    }
}

impl MemoryFile {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        if state.boots != self.boot {
            return Err(io::Error::other(
                "the machine was restarted since this file was opened",
            ));
        }
        act(&mut state)
    }

    fn change(&self, change: Change, end: u64) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if end > FILE_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.with(|state| {
            let growth = end.saturating_sub(state.files[self.id].now.len() as u64);
            if state.capacity.is_some_and(|c| state.used() + growth > c) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.files[self.id].change(change);
            Ok(())
        })
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.with(|state| {
            let bytes = &state.files[self.id].now;
            let start = usize::try_from(position)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            let n = buf.len().min(bytes.len() - start);
            buf[..n].copy_from_slice(&bytes[start..start + n]);
            Ok(n)
        })
    }

    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize> {
        let end = position.saturating_add(buf.len() as u64);
        self.change(
            Change::Write {
                position,
                bytes: buf.to_vec(),
            },
            end,
        )?;
        Ok(buf.len())
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|state| Ok(state.files[self.id].now.len() as u64))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len), len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|state| {
            let content = &mut state.files[self.id];
            content.durable = content.now.clone();
            content.unsynced.clear();
            Ok(())
        })
    }

    fn set_modified(&self, time: Millis) -> io::Result<()> {
        self.with(|state| {
            state.files[self.id].modified = time;
            Ok(())
        })
    }

    fn reserve(&self, _from: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn os_file(&self) -> Option<&fs::File> {
        None
    }
}
