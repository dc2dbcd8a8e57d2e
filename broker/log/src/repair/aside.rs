//! The folder that keeps what a repair takes out.

use std::path::{Path, PathBuf};

use crate::disk::{
    Context, Disk, DiskError, OpenMode, make_folder, read_full, remove_if_there, write_full,
};

const BLOCK: usize = 256 << 10;

pub(super) struct Aside<'a> {
    disk: &'a dyn Disk,
    from: &'a Path,
    to: PathBuf,
}

impl<'a> Aside<'a> {
    pub(super) fn new(disk: &'a dyn Disk, from: &'a Path, to: &Path) -> Result<Self, DiskError> {
        make_folder(disk, to)?;
        Ok(Self {
            disk,
            from,
            to: to.to_owned(),
        })
    }

    /// Copies a whole file and then removes it; one that is not there is fine.
    pub(super) fn take(&self, name: &str) -> Result<(), DiskError> {
        let path = self.from.join(name);
        let Ok(info) = self.disk.info(&path) else {
            return Ok(());
        };
        self.copy(name, name, 0, info.len)?;
        remove_if_there(self.disk, &path)?;
        self.disk
            .sync_dir(self.from)
            .during("sync directory", self.from)
    }

    /// Copies a part of a file, durably; the copy is called `<name>@<position>`.
    pub(super) fn keep(&self, name: &str, position: u64, bytes: u64) -> Result<(), DiskError> {
        self.copy(name, &format!("{name}@{position}"), position, bytes)
    }

    fn copy(&self, name: &str, kept: &str, position: u64, bytes: u64) -> Result<(), DiskError> {
        let (from, to) = (self.from.join(name), self.to.join(kept));
        let source = self
            .disk
            .open(&from, OpenMode::Read)
            .during("open", &from)?;
        let copy = self
            .disk
            .open(&to, OpenMode::Create)
            .during("create", &to)?;
        copy.set_len(0).during("empty", &to)?;
        let mut done = 0;
        let mut block = vec![0; BLOCK];
        while done < bytes {
            let len = usize::try_from(bytes - done).unwrap_or(BLOCK).min(BLOCK);
            let read = read_full(source.as_ref(), &mut block[..len], position + done);
            let read = read.during("read", &from)?;
            if read == 0 {
                break;
            }
            write_full(copy.as_ref(), &block[..read], done).during("write", &to)?;
            done += read as u64;
        }
        copy.sync_data().during("sync", &to)?;
        self.disk
            .sync_dir(&self.to)
            .during("sync directory", &self.to)
    }
}
