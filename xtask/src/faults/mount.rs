//! File systems of our own, small and in a file, whose power can be cut.
//!
//! Always: unmounted when the value is dropped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::inject;
use crate::shell::{run, stdout};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Xfs,
    Ext4,
}

pub(super) struct Mount {
    image: PathBuf,
    point: PathBuf,
    power: PathBuf,
    is_mounted: bool,
}

impl Mount {
    pub(super) fn new(kind: Kind, mebibytes: u64, directory: &Path) -> Result<Mount> {
        let image = directory.join("image");
        File::create(&image)?.set_len(mebibytes << 20)?;
        let make: &[&str] = match kind {
            Kind::Xfs => &["mkfs.xfs", "-q"],
            Kind::Ext4 => &["mkfs.ext4", "-q", "-F"],
        };
        stdout(Command::new(make[0]).args(&make[1..]).arg(&image))?;
        let point = directory.join("mount");
        fs::create_dir(&point)?;
        let mut mount = Mount {
            image,
            point,
            power: inject::program("power", directory)?,
            is_mounted: false,
        };
        mount.mount()?;
        Ok(mount)
    }

    /// A folder on it; not its root, where file systems keep things of their own.
    pub(super) fn data(&self) -> PathBuf {
        self.point.join("data")
    }

    /// Everything that is not on the device now will never be. The file system is dead until `revive`.
    pub(super) fn cut_power(&self) -> Result<()> {
        stdout(Command::new(&self.power).arg(&self.point)).map(drop)
    }

    /// What a boot does: the journal is replayed. Nobody may have files open.
    pub(super) fn revive(&mut self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&mut self) -> Result<()> {
        stdout(
            Command::new("mount")
                .args(["-o", "loop"])
                .arg(&self.image)
                .arg(&self.point),
        )?;
        self.is_mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<()> {
        stdout(Command::new("umount").arg(&self.point))?;
        self.is_mounted = false;
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = run(Command::new("umount").arg("--lazy").arg(&self.point));
        }
    }
}
