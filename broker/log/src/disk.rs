//! What the log asks of a file system, as a trait, so that tests can put a forgetful, full or failing disk under it.
//!
//! Always: every call is synchronous and does one thing; durability comes only from `DiskFile::sync_data` (bytes and
//! length of one file) and `Disk::sync_dir` (names in one directory). Not here: retries, caching, any knowledge of
//! segments.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_protocol::types::Millis;
use rustix::io::Errno;

/// A disk that many logs share.
pub type SharedDisk = Arc<dyn Disk>;

/// An open file that a log, a flush and any number of readers hold at the same time.
pub type SharedFile = Arc<dyn DiskFile>;

/// How a file is to be opened. Nothing here truncates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    Read,
    ReadWrite,
    /// Read and write; made if it is not there.
    Create,
}

/// What a directory holds, without asking for anything beyond names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    pub name: String,
    pub is_dir: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileInfo {
    pub len: u64,
    pub modified: Millis,
}

/// Size of a file system and what an unprivileged process may still use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    pub free: u64,
}

pub trait Disk: Send + Sync + fmt::Debug {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile>;
    /// Replaces `to` where it exists.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes the directory and the missing ones above it; fine if it exists.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    /// Of a file or a directory.
    fn info(&self, path: &Path) -> io::Result<FileInfo>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    fn space(&self, path: &Path) -> io::Result<Space>;
}

pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Like `pread`: may return fewer bytes than asked for; 0 means end of file.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;
    /// Like `pwrite`: may write fewer bytes than given.
    fn write_at(&self, buf: &[u8], position: u64) -> io::Result<usize>;
    fn len(&self) -> io::Result<u64>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    fn sync_data(&self) -> io::Result<()>;
    /// Sets the time that `FileInfo::modified` tells.
    fn set_modified(&self, time: Millis) -> io::Result<()>;
    /// Reserves blocks beyond the end without changing the length (`FALLOC_FL_KEEP_SIZE`).
    fn reserve(&self, from: u64, len: u64) -> io::Result<()>;
    /// The operating system's file, for `sendfile`; none on disks that are not real.
    fn os_file(&self) -> Option<&fs::File>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A disk call that failed: what was tried, on which path, and the operating system's word for it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", path.display())]
pub struct DiskError {
    pub what: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl DiskError {
    /// No space, no quota: writing may work again later, reading works now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }

    /// The process or the machine has run out of descriptors or memory for a moment: nothing is wrong with the disk.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
        let shortages = shortages.map(|errno| Some(errno.raw_os_error()));
        shortages.contains(&self.source.raw_os_error())
    }
}

/// Says what failed where, at the place that knows.
pub(crate) trait Context<T> {
    fn during(self, what: &'static str, path: &Path) -> Result<T, DiskError>;
}

impl<T> Context<T> for io::Result<T> {
    fn during(self, what: &'static str, path: &Path) -> Result<T, DiskError> {
        self.map_err(|source| DiskError {
            what,
            path: path.to_owned(),
            source,
        })
    }
}

/// Reads until the buffer is full or the file ends; how much there was.
pub fn read_full(file: &dyn DiskFile, buf: &mut [u8], position: u64) -> io::Result<usize> {
    let len = buf.len();
    read_at_least(file, buf, len, position)
}

/// Reads until there are `least` bytes or the file ends; how much there was. More is taken where it comes at once.
pub fn read_at_least(
    file: &dyn DiskFile,
    buf: &mut [u8],
    least: usize,
    position: u64,
) -> io::Result<usize> {
    let mut done = 0;
    while done < least {
        match file.read_at(&mut buf[done..], position + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Whether there is nothing but zeros from a position to the end of the file.
pub fn is_zeros(file: &dyn DiskFile, position: u64) -> io::Result<bool> {
    let mut buf = vec![0; 64 << 10];
    let mut at = position;
    loop {
        let read = read_at_least(file, &mut buf, 1, at)?;
        if buf[..read].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
        at += read as u64;
    }
}

/// Writes all of the buffer, going on after short writes and interruptions.
pub fn write_full(file: &dyn DiskFile, buf: &[u8], position: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buf.len() {
        match file.write_at(&buf[done..], position + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// A whole small file. Refuses more than `limit` bytes: none of the files read this way is large when it is sound.
pub fn read_file(disk: &dyn Disk, path: &Path, limit: u64) -> Result<Vec<u8>, DiskError> {
    let file = disk.open(path, OpenMode::Read).during("open", path)?;
    let len = file.len().during("measure", path)?;
    if len > limit {
        let too_large = io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{len} bytes, more than the {limit} that such a file can have"),
        );
        return Err(too_large).during("read", path);
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    let read = read_full(file.as_ref(), &mut bytes, 0).during("read", path)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// `read_file`, where a file that is not there is an answer and no error.
pub fn read_file_if_there(
    disk: &dyn Disk,
    path: &Path,
    limit: u64,
) -> Result<Option<Vec<u8>>, DiskError> {
    match read_file(disk, path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Makes a small file, or gives it another content. Nothing of it is durable, and a crash may leave any part.
pub(crate) fn write_file(
    disk: &dyn Disk,
    path: &Path,
    content: &[u8],
) -> Result<SharedFile, DiskError> {
    let file = disk.open(path, OpenMode::Create).during("create", path)?;
    file.set_len(0).during("empty", path)?;
    write_full(file.as_ref(), content, 0).during("write", path)?;
    Ok(file)
}

/// Puts a new content in a file's place so that a crash leaves the old or the new one, never a mixture: temporary
/// file, sync, rename, sync of the directory.
pub fn replace_file(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<(), DiskError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let file = write_file(disk, &temporary, content)?;
    file.sync_data().during("sync", &temporary)?;
    disk.rename(&temporary, path).during("rename to", path)?;
    if let Some(dir) = path.parent() {
        disk.sync_dir(dir).during("sync directory", dir)?;
    }
    Ok(())
}

/// Makes a folder whose name survives a power cut, and those of the missing ones above it; one that is there already gets
/// it again.
pub fn make_folder(disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
    let is_missing =
        |level: &&Path| matches!(disk.info(level), Err(e) if e.kind() == io::ErrorKind::NotFound);
    let levels = dir
        .ancestors()
        .filter(|level| !level.as_os_str().is_empty());
    let mut made: Vec<&Path> = levels.take_while(is_missing).collect();
    if made.is_empty() {
        made.push(dir);
    }
    disk.create_dir_all(dir).during("create directory", dir)?;
    for parent in made.into_iter().rev().filter_map(folder_above) {
        disk.sync_dir(parent).during("sync directory", parent)?;
    }
    Ok(())
}

/// The directory that holds a folder's name.
pub(crate) fn folder_above(dir: &Path) -> Option<&Path> {
    let parent = dir.parent()?;
    // A relative path of one part lies in the working directory.
    Some(match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    })
}

/// Removes a file; one that is already gone is fine.
pub fn remove_if_there(disk: &dyn Disk, path: &Path) -> Result<(), DiskError> {
    match disk.remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).during("remove", path),
        _ => Ok(()),
    }
}
