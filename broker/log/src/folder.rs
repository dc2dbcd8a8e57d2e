//! What is in a partition's folder, sorted by kind, before anything is opened.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ottla_protocol::types::Offset;

use crate::compaction::settle::{Settled, settle};
use crate::disk::{Context, DirEntry, SharedDisk};
use crate::errors::OpenError;
use crate::names;

/// The files of a partition's folder.
#[derive(Default)]
pub(crate) struct Folder {
    pub(crate) logs: BTreeSet<Offset>,
    pub(crate) offset_indexes: BTreeSet<Offset>,
    pub(crate) time_indexes: BTreeSet<Offset>,
    pub(crate) txn_indexes: BTreeSet<Offset>,
    pub(crate) snapshots: BTreeSet<Offset>,
    /// There is a file that remembers damage.
    pub(crate) has_damage: bool,
    /// There is a file with the sums of transaction indexes.
    pub(crate) has_txn_sums: bool,
    /// Left behind by something that was interrupted.
    pub(crate) left_over: Vec<PathBuf>,
    /// What has become of a swap of cleaned segments that was interrupted.
    pub(crate) settled: Settled,
}

fn names_of_files(entries: Vec<DirEntry>) -> Vec<String> {
    let files = entries.into_iter().filter(|e| !e.is_dir);
    let mut names: Vec<String> = files.map(|e| e.name).collect();
    names.sort();
    names
}

impl Folder {
    /// Lists the folder; one that is missing is made.
    pub(crate) fn survey(disk: &SharedDisk, dir: &Path) -> Result<Self, OpenError> {
        let entries = match disk.list(dir) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                // Its name becomes durable with the first flush.
                disk.create_dir_all(dir).during("create directory", dir)?;
                Vec::new()
            }
            other => other.during("list", dir)?,
        };
        let mut folder = Self::default();
        let mut names = names_of_files(entries);
        let settled = settle(disk.as_ref(), dir, &names)?;
        if !settled.removed.is_empty() || !settled.finished.is_empty() {
            names = names_of_files(disk.list(dir).during("list", dir)?);
        }
        folder.settled = settled;
        for name in &names {
            if [names::DELETED, ".tmp"]
                .iter()
                .any(|end| name.ends_with(end))
            {
                folder.left_over.push(dir.join(name));
                continue;
            }
            folder.has_damage |= name == names::DAMAGE;
            folder.has_txn_sums |= name == names::TXN_SUMS;
            let Some((base, suffix)) = names::parse_segment_file(name) else {
                continue;
            };
            let set = match suffix {
                names::LOG => &mut folder.logs,
                names::OFFSET_INDEX => &mut folder.offset_indexes,
                names::TIME_INDEX => &mut folder.time_indexes,
                names::TXN_INDEX => &mut folder.txn_indexes,
                names::PRODUCER_SNAPSHOT => &mut folder.snapshots,
                _ => continue,
            };
            set.insert(base);
        }
        for (set, suffix) in [
            (&folder.offset_indexes, names::OFFSET_INDEX),
            (&folder.time_indexes, names::TIME_INDEX),
            (&folder.txn_indexes, names::TXN_INDEX),
        ] {
            let orphans = set.difference(&folder.logs);
            folder
                .left_over
                .extend(orphans.map(|base| names::segment_file(dir, *base, suffix)));
        }
        folder.txn_indexes.retain(|base| folder.logs.contains(base));
        Ok(folder)
    }
}
