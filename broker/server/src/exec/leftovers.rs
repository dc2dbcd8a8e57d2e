//! Folders in the log directories that no partition owns: what a crash left of deletions, and what nobody knows.
//!
//! Always: only what was renamed for its removal is removed. A folder whose topic the metadata log does not know is
//! renamed out of the way and kept: if the metadata was lost, it is all that is left of the data.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ottla_coordination::controller::MetadataImage;
use ottla_log::names;
use ottla_log::partition_metadata;
use ottla_protocol::types::PartitionIndex;
use tracing::warn;

use super::log_dirs::LogDir;
use super::{Storage, metadata_log};
use crate::clock;
use crate::data_dirs::random_id;

/// Ending of a folder that was found without a topic, as the reference names it.
const STRAY: &str = "-stray";

/// Looks through all directories, once, when the metadata is loaded.
pub(crate) fn clear(storage: &Storage, image: &MetadataImage) {
    for dir in storage.dirs.online() {
        let entries = match dir.disk.list(&dir.path) {
            Ok(entries) => entries,
            Err(error) => {
                warn!(dir = %dir.path.display(), "cannot look for left-over folders: {error}");
                continue;
            }
        };
        for folder in entries.into_iter().filter(|entry| entry.is_dir) {
            if names::is_delete_dir(&folder.name) {
                let path = dir.path.join(&folder.name);
                storage
                    .keeper
                    .remove_folder_later(dir.clone(), path, clock::now());
            } else if let Some((topic, index)) = names::parse_partition_dir(&folder.name)
                && topic != metadata_log::TOPIC
                && !is_known(dir, image, &folder.name, topic, index)
            {
                set_aside(dir, &folder.name, topic, index);
            }
        }
    }
}

/// A partition that lies in two directories: which of them is out of date only an operator can tell.
#[derive(Debug, thiserror::Error)]
#[error(
    "partition {folder} lies in the log directories {} and {}: it is likely that one of them failed while the \
     partition was moved. Remove or rename the folder in the one that failed", first.display(), second.display()
)]
pub(crate) struct Duplicate {
    folder: String,
    first: PathBuf,
    second: PathBuf,
}

/// Refuses a partition's folder in more than one directory, before any log is opened.
pub(crate) fn refuse_duplicates(storage: &Storage, image: &MetadataImage) -> Result<(), Duplicate> {
    let mut seen = BTreeSet::new();
    for dir in storage.dirs.of_partitions().filter(|dir| !dir.is_offline()) {
        for folder in dir.disk.list(&dir.path).unwrap_or_default() {
            let Some((topic, _)) = names::parse_partition_dir(&folder.name) else {
                continue;
            };
            if seen.insert(folder.name.clone()) {
                continue;
            }
            let Some(topic) = image.topics().by_name(topic) else {
                continue;
            };
            if let [first, second, ..] = &storage.dirs.with_folder(&folder.name, topic.id())[..] {
                return Err(Duplicate {
                    folder: folder.name,
                    first: first.path.clone(),
                    second: second.path.clone(),
                });
            }
        }
    }
    Ok(())
}

/// A folder of a topic that was made anew under its name is the partition's own business when it opens.
fn is_known(
    dir: &LogDir,
    image: &MetadataImage,
    folder: &str,
    topic: &str,
    index: PartitionIndex,
) -> bool {
    let id = partition_metadata::read(&*dir.disk, &dir.path.join(folder));
    let by_id = match id {
        Ok(Some(id)) => image.topics().by_id(id).is_some(),
        _ => false,
    };
    by_id || image.topics().partition(topic, index).is_some()
}

fn set_aside(dir: &LogDir, folder: &str, topic: &str, index: PartitionIndex) {
    let from = dir.path.join(folder);
    let unique = u128::from_be_bytes(random_id().0);
    let aside = names::delete_dir(topic, index, unique);
    let aside = format!("{}{STRAY}", aside.trim_end_matches(names::DELETE_DIR));
    warn!(
        folder = %from.display(), renamed = %aside,
        "the metadata knows no such partition: its folder is kept under another name, and can be removed by hand"
    );
    if let Err(error) = dir.disk.rename(&from, &dir.path.join(aside)) {
        warn!(folder = %from.display(), "cannot rename: {error}");
    }
    dir.forget(topic, index);
}
