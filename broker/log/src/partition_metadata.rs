//! `partition.metadata`: which topic id a partition's folder belongs to, so that a topic made anew under an old name
//! does not inherit the old one's records.

use std::path::Path;

use ottla_protocol::wire::Uuid;

use crate::disk::{Disk, DiskError, read_file_if_there, replace_file, write_file};
use crate::{names, properties_text};

const SIZE_MAX: u64 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum PartitionMetadataError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{path} does not hold a version and a topic id")]
    Malformed { path: String },
}

/// The topic id of a partition's folder; None where there is no such file.
pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Uuid>, PartitionMetadataError> {
    let path = dir.join(names::PARTITION_METADATA);
    let Some(bytes) = read_file_if_there(disk, &path, SIZE_MAX)? else {
        return Ok(None);
    };
    match parse(&bytes) {
        Some(id) => Ok(Some(id)),
        None => Err(PartitionMetadataError::Malformed {
            path: path.display().to_string(),
        }),
    }
}

/// Replaces the file, durably.
pub fn write(disk: &dyn Disk, dir: &Path, topic_id: Uuid) -> Result<(), DiskError> {
    replace_file(
        disk,
        &dir.join(names::PARTITION_METADATA),
        &render(topic_id),
    )
}

/// Makes the file in a folder without a log. The first flush of the log that is begun there makes it durable, before
/// anything in the log is: a power cut can leave the file torn or missing only where nothing was promised.
pub fn begin(disk: &dyn Disk, dir: &Path, topic_id: Uuid) -> Result<(), DiskError> {
    let path = dir.join(names::PARTITION_METADATA);
    write_file(disk, &path, &render(topic_id)).map(drop)
}

fn render(topic_id: Uuid) -> Vec<u8> {
    format!("version: 0\ntopic_id: {topic_id}").into_bytes()
}

#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Uuid> {
    let pairs = properties_text::parse(bytes, ':')?;
    let version: u32 = properties_text::get(&pairs, "version")?.parse().ok()?;
    // Later versions only add lines, and the reference reads them as this one.
    let _ = version;
    Uuid::parse(properties_text::get(&pairs, "topic_id")?).filter(|id| !id.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_reference_writes_and_refuses_the_rest() {
        assert_eq!(
            parse(b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"),
            Some(Uuid::METADATA_TOPIC)
        );
        assert_eq!(
            parse(b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"),
            None,
            "no id"
        );
        assert_eq!(parse(b"version: 0\n"), None);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(&[0; 64]), None);
    }
}
