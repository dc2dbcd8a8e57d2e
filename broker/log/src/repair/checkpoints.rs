//! The directory's checkpoint files after its partitions were repaired.

use std::path::Path;

use ottla_protocol::types::Offset;

use super::RepairError;
use super::aside::Aside;
use crate::checkpoint::{self, CheckpointError};
use crate::disk::Disk;
use crate::names;

/// Puts offsets behind the end of a log right, and files that cannot be read aside: what is not in them is found by
/// looking at the logs at the next start. `ends`: folder and log end of every partition.
pub fn repair_checkpoints(
    disk: &dyn Disk,
    root: &Path,
    ends: &[(String, Offset)],
    aside: &Path,
) -> Result<(), RepairError> {
    let files = [
        names::RECOVERY_POINTS,
        names::HIGH_WATERMARKS,
        names::LOG_STARTS,
        names::CLEANER_OFFSETS,
    ];
    for file in files {
        let path = root.join(file);
        let mut offsets = match checkpoint::read_offsets(disk, &path) {
            Ok(offsets) => offsets,
            Err(CheckpointError::Malformed { .. }) => {
                Aside::new(disk, root, aside)?.take(file)?;
                continue;
            }
            Err(CheckpointError::Disk(e)) => return Err(e.into()),
        };
        let mut changed = false;
        for (folder, end) in ends {
            let Some((topic, partition)) = names::parse_partition_dir(folder) else {
                continue;
            };
            if let Some(offset) = offsets.get_mut(&(topic.to_owned(), partition))
                && *offset > *end
            {
                *offset = *end;
                changed = true;
            }
        }
        if changed {
            let entries = offsets
                .iter()
                .map(|((topic, p), offset)| (topic.as_str(), *p, *offset));
            checkpoint::write_offsets(disk, &path, entries)?;
        }
    }
    Ok(())
}
