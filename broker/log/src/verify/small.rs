//! What else lies in a partition's folder.

use std::path::Path;

use ottla_protocol::types::Offset;
use ottla_protocol::wire::Uuid;

use super::finding::{Finding, Kind, MISSING, Severity, Stretch};
use crate::checkpoint::CheckpointError;
use crate::disk::{Disk, DiskError};
use crate::partition_metadata::{self, PartitionMetadataError};
use crate::{damage, names};

/// Left-over files, and files beside segments that are not there.
pub(super) fn check_names(files: &[String], logs: &[Offset], found: &mut dyn FnMut(Finding)) {
    for name in files {
        let unfinished = [names::DELETED, names::CLEANED, names::SWAP, ".tmp", ".part"];
        if unfinished.iter().any(|end| name.ends_with(end)) {
            let message = "of something that was not finished; the next start deals with it";
            found(Finding::new(Severity::Note, Kind::LeftOver, name, message));
            continue;
        }
        let beside = [names::OFFSET_INDEX, names::TIME_INDEX, names::TXN_INDEX];
        if let Some((base, suffix)) = names::parse_segment_file(name)
            && beside.contains(&suffix)
            && !logs.contains(&base)
        {
            let message = "its segment is not there; the next start removes it";
            found(Finding::new(Severity::Note, Kind::LeftOver, name, message));
        }
    }
}

pub(super) fn check_partition_metadata(
    disk: &dyn Disk,
    dir: &Path,
    expected: Option<Uuid>,
    found: &mut dyn FnMut(Finding),
) -> Result<(), DiskError> {
    let mut say = |severity, message: String| {
        let kind = Kind::PartitionMetadata;
        found(Finding::new(
            severity,
            kind,
            names::PARTITION_METADATA,
            message,
        ));
    };
    match partition_metadata::read(disk, dir) {
        Ok(None) => say(Severity::Note, MISSING.to_owned()),
        Ok(Some(id)) => {
            if let Some(right) = expected.filter(|right| *right != id) {
                say(
                    Severity::Damage,
                    format!("topic id {id}, which is {right} by the metadata"),
                );
            }
        }
        Err(PartitionMetadataError::Malformed { .. }) => {
            say(
                Severity::Damage,
                "it does not hold a version and a topic id".to_owned(),
            );
        }
        Err(PartitionMetadataError::Disk(e)) => return Err(e),
    }
    Ok(())
}

/// Our note of damage: what it names has to be damaged.
pub(super) fn check_damage(
    disk: &dyn Disk,
    dir: &Path,
    stretches: &[(Offset, Stretch)],
    found: &mut dyn FnMut(Finding),
) -> Result<(), DiskError> {
    let remembered = match damage::read(disk, dir) {
        Ok(remembered) => remembered,
        Err(CheckpointError::Malformed { reason, .. }) => {
            found(Finding::new(
                Severity::Derived,
                Kind::DamageCheckpoint,
                names::DAMAGE,
                reason,
            ));
            return Ok(());
        }
        Err(CheckpointError::Disk(e)) => return Err(e),
    };
    for known in remembered {
        let is_there = stretches.iter().any(|(segment, stretch)| {
            *segment == known.segment
                && stretch.position < known.position + known.bytes
                && known.position < stretch.position + stretch.bytes
        });
        if !is_there {
            let message = format!(
                "it remembers damage at position {} of segment {}, where there is none",
                known.position, known.segment
            );
            found(Finding::new(
                Severity::Derived,
                Kind::DamageCheckpoint,
                names::DAMAGE,
                message,
            ));
        }
    }
    Ok(())
}
