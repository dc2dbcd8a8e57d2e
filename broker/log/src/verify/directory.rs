//! A log directory as a whole: which partitions it holds, what its own files say of them, and whether those can be
//! read. A partition's folder alone is looked at with what the directory around it says.

use std::path::{Path, PathBuf};

use ottla_protocol::types::{Offset, PartitionIndex};

use super::finding::{Finding, Kind, MISSING, Severity};
use super::partition::{Expected, bases, files};
use super::walk::{Met, Segment};
use crate::checkpoint::{self, CheckpointError, PartitionOffsets};
use crate::disk::{Context, Disk, DiskError, OpenMode, read_file_if_there};
use crate::meta_properties::MetaPropertiesError;
use crate::{clean_shutdown, meta_properties, names};

const BOOTSTRAP: &str = "bootstrap.checkpoint";
const QUORUM_STATE: &str = "quorum-state";
const METADATA_FOLDER: &str = "__cluster_metadata-0";
const SNAPSHOT_SUFFIX: &str = ".checkpoint";
const QUORUM_STATE_MAX: u64 = 1 << 20;

/// A partition's folder, and what is known of it from outside.
#[derive(Clone, Debug)]
pub struct PartitionFolder {
    /// The folder's name.
    pub name: String,
    pub path: PathBuf,
    pub expected: Expected,
}

#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The log directory, where there is one around a partition's folder.
    pub root: Option<PathBuf>,
    /// In the order of their names.
    pub partitions: Vec<PartitionFolder>,
    /// About the directory's own files.
    pub findings: Vec<Finding>,
}

/// What the files of the directory say of partitions.
struct Checkpoints {
    recovery_points: PartitionOffsets,
    log_starts: PartitionOffsets,
    high_watermarks: PartitionOffsets,
    cleaned: PartitionOffsets,
    is_clean: bool,
}

/// Looks at a log directory, or at one partition's folder.
pub fn survey(disk: &dyn Disk, dir: &Path) -> Result<Directory, DiskError> {
    let own = files(disk, dir)?;
    let is_partition = !bases(&own, names::LOG).is_empty();
    let root = match is_partition {
        false => Some(dir.to_owned()),
        true => dir
            .parent()
            .filter(|parent| is_log_directory(disk, parent))
            .map(Path::to_owned),
    };
    let mut directory = Directory {
        root,
        ..Directory::default()
    };
    let checkpoints = match &directory.root {
        Some(root) => read_checkpoints(disk, root, &mut directory.findings)?,
        None => Checkpoints::none(),
    };
    if is_partition {
        // What is wrong with the directory's own files is not asked for.
        directory.findings.clear();
        let name = dir
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        directory.partitions.push(checkpoints.folder(dir, name));
    } else {
        let mut folders: Vec<_> = disk.list(dir).during("list", dir)?;
        folders.retain(|entry| entry.is_dir);
        folders.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in folders {
            let name = entry.name;
            if names::parse_partition_dir(&name).is_some() || name.ends_with(names::FUTURE_DIR) {
                let path = dir.join(&name);
                directory.partitions.push(checkpoints.folder(&path, name));
            } else {
                let message = "a folder that is no live partition's; it is not looked into";
                let finding = Finding::new(Severity::Note, Kind::LeftOver, name, message);
                directory.findings.push(finding);
            }
        }
        check_own_files(disk, dir, &own, &mut directory.findings)?;
        check_without_folder(&checkpoints, &directory.partitions, &mut directory.findings);
    }
    for folder in &directory.partitions {
        if folder.name == METADATA_FOLDER {
            check_metadata_folder(disk, &folder.path, &mut directory.findings)?;
        }
    }
    Ok(directory)
}

/// Whether it was formatted as one, with or without a partition in it.
pub fn is_log_directory(disk: &dyn Disk, dir: &Path) -> bool {
    disk.info(&dir.join(names::META_PROPERTIES)).is_ok()
}

impl Checkpoints {
    fn none() -> Self {
        Self {
            recovery_points: PartitionOffsets::new(),
            log_starts: PartitionOffsets::new(),
            high_watermarks: PartitionOffsets::new(),
            cleaned: PartitionOffsets::new(),
            is_clean: false,
        }
    }

    fn folder(&self, path: &Path, name: String) -> PartitionFolder {
        let key = names::parse_partition_dir(&name).map(|(topic, p)| (topic.to_owned(), p));
        let of = |offsets: &PartitionOffsets| -> Option<Offset> {
            key.as_ref().and_then(|key| offsets.get(key)).copied()
        };
        let expected = Expected {
            is_clean: self.is_clean,
            recovery_point: of(&self.recovery_points),
            log_start: of(&self.log_starts),
            high_watermark: of(&self.high_watermarks),
            is_cleaned: of(&self.cleaned).is_some(),
            topic_id: None,
        };
        PartitionFolder {
            name,
            path: path.to_owned(),
            expected,
        }
    }
}

fn read_checkpoints(
    disk: &dyn Disk,
    root: &Path,
    findings: &mut Vec<Finding>,
) -> Result<Checkpoints, DiskError> {
    let mut read = |name: &str| match checkpoint::read_offsets(disk, &root.join(name)) {
        Ok(offsets) => Ok(offsets),
        Err(CheckpointError::Malformed { reason, .. }) => {
            findings.push(Finding::new(
                Severity::Derived,
                Kind::Checkpoint,
                name,
                reason,
            ));
            Ok(PartitionOffsets::new())
        }
        Err(CheckpointError::Disk(e)) => Err(e),
    };
    Ok(Checkpoints {
        recovery_points: read(names::RECOVERY_POINTS)?,
        log_starts: read(names::LOG_STARTS)?,
        high_watermarks: read(names::HIGH_WATERMARKS)?,
        cleaned: read(names::CLEANER_OFFSETS)?,
        is_clean: clean_shutdown::read(disk, root)?.is_some(),
    })
}

fn check_own_files(
    disk: &dyn Disk,
    dir: &Path,
    own: &[String],
    findings: &mut Vec<Finding>,
) -> Result<(), DiskError> {
    let reason = match meta_properties::read(disk, dir) {
        Ok(Some(_)) => None,
        Ok(None) => Some(MISSING.to_owned()),
        Err(MetaPropertiesError::Malformed { reason, .. }) => Some(reason),
        Err(MetaPropertiesError::Disk(e)) => return Err(e),
    };
    if let Some(reason) = reason {
        let name = names::META_PROPERTIES;
        findings.push(Finding::new(
            Severity::Damage,
            Kind::MetaProperties,
            name,
            reason,
        ));
    }
    if own.iter().any(|name| name == BOOTSTRAP) {
        check_snapshot(disk, dir, BOOTSTRAP, BOOTSTRAP.to_owned(), findings)?;
    }
    for name in own.iter().filter(|name| name.ends_with(".tmp")) {
        let message = "of something that was not finished";
        findings.push(Finding::new(Severity::Note, Kind::LeftOver, name, message));
    }
    Ok(())
}

fn check_without_folder(
    checkpoints: &Checkpoints,
    folders: &[PartitionFolder],
    findings: &mut Vec<Finding>,
) {
    for (name, offsets) in [
        (names::RECOVERY_POINTS, &checkpoints.recovery_points),
        (names::HIGH_WATERMARKS, &checkpoints.high_watermarks),
    ] {
        let gone = |key: &&(String, PartitionIndex)| {
            let folder = names::partition_dir(&key.0, key.1);
            folders.iter().all(|f| f.name != folder)
        };
        for (topic, partition) in offsets.keys().filter(gone) {
            let message = format!("it has {topic}-{partition}, of which there is no folder here");
            findings.push(Finding::new(
                Severity::Note,
                Kind::Checkpoint,
                name,
                message,
            ));
        }
    }
}

fn check_metadata_folder(
    disk: &dyn Disk,
    dir: &Path,
    findings: &mut Vec<Finding>,
) -> Result<(), DiskError> {
    let in_folder = |name: &str| format!("{METADATA_FOLDER}/{name}");
    for name in files(disk, dir)? {
        if name.ends_with(SNAPSHOT_SUFFIX) {
            check_snapshot(disk, dir, &name, in_folder(&name), findings)?;
        }
    }
    let path = dir.join(QUORUM_STATE);
    let problem = match read_file_if_there(disk, &path, QUORUM_STATE_MAX)? {
        None => Some(MISSING),
        Some(bytes) => {
            let state: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
            let epoch = state
                .as_ref()
                .and_then(|state| state.get("leaderEpoch")?.as_i64());
            epoch
                .is_none()
                .then_some("it does not hold the state of a quorum")
        }
    };
    if let Some(problem) = problem {
        let name = in_folder(QUORUM_STATE);
        findings.push(Finding::new(
            Severity::Damage,
            Kind::QuorumState,
            name,
            problem,
        ));
    }
    Ok(())
}

/// A snapshot of the metadata log: batches from offset 0 on, the first and the last of which are control batches.
fn check_snapshot(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
    shown: String,
    findings: &mut Vec<Finding>,
) -> Result<(), DiskError> {
    let path = dir.join(name);
    let file = disk.open(&path, OpenMode::Read).during("open", &path)?;
    let size = file.len().during("measure", &path)?;
    let segment = Segment {
        path: &path,
        base: Offset::ZERO,
        file: file.as_ref(),
        size,
        offset_end: Offset(i64::MAX),
        is_last: true,
    };
    let mut problem = None;
    let (mut first, mut last) = (None, None);
    segment.walk(&mut |met| {
        match met {
            Met::Batch { header, .. } => {
                first = first.or(Some(header.is_control()));
                last = Some(header.is_control());
            }
            Met::Gap { from, .. } => {
                problem.get_or_insert(format!("record {from} is missing"));
            }
            Met::Bad { stretch, reason } | Met::Tail { stretch, reason } => {
                problem.get_or_insert(format!("position {}: {reason}", stretch.position));
            }
        }
        Ok(())
    })?;
    if problem.is_none() && (first, last) != (Some(true), Some(true)) {
        problem = Some("it has no header or no footer".to_owned());
    }
    if let Some(problem) = problem {
        findings.push(Finding::new(
            Severity::Damage,
            Kind::MetadataSnapshot,
            shown,
            problem,
        ));
    }
    Ok(())
}
