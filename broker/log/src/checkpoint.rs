//! Checkpoint files: a version, a count, then one line per entry, replaced as a whole.
//!
//! `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint` and `replication-offset-checkpoint` map
//! partitions of a log directory to offsets; `leader-epoch-checkpoint` (see `epochs`) has the same frame. Layout:
//! `docs/format/checkpoints.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use ottla_protocol::types::{Offset, PartitionIndex};

use crate::disk::{Disk, DiskError, read_file_if_there, replace_file};

/// A million partitions with the longest names stay below.
const SIZE_MAX: u64 = 512 << 20;

const VERSION: &str = "0";

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{path}: {reason}")]
    Malformed { path: String, reason: String },
}

/// Offsets by topic and partition, in a fixed order so that equal contents are equal files.
pub type PartitionOffsets = BTreeMap<(String, PartitionIndex), Offset>;

/// Reads one of the three offset checkpoints. A file that is not there or empty holds nothing.
pub fn read_offsets(disk: &dyn Disk, path: &Path) -> Result<PartitionOffsets, CheckpointError> {
    let Some(bytes) = read_file_if_there(disk, path, SIZE_MAX)? else {
        return Ok(PartitionOffsets::new());
    };
    parse_offsets(&bytes).map_err(|reason| CheckpointError::Malformed {
        path: path.display().to_string(),
        reason,
    })
}

/// Replaces one of the three offset checkpoints, durably.
pub fn write_offsets<'a>(
    disk: &dyn Disk,
    path: &Path,
    entries: impl ExactSizeIterator<Item = (&'a str, PartitionIndex, Offset)>,
) -> Result<(), DiskError> {
    let mut text = header(entries.len());
    for (topic, partition, offset) in entries {
        let _ = writeln!(text, "{topic} {partition} {offset}");
    }
    replace_file(disk, path, text.as_bytes())
}

pub fn parse_offsets(bytes: &[u8]) -> Result<PartitionOffsets, String> {
    let mut offsets = PartitionOffsets::new();
    parse(bytes, |fields| match fields {
        [topic, partition, offset] => {
            let partition = partition.parse().ok()?;
            let offset = offset.parse().ok()?;
            offsets.insert(
                ((*topic).to_owned(), PartitionIndex(partition)),
                Offset(offset),
            );
            Some(())
        }
        _ => None,
    })?;
    Ok(offsets)
}

pub(crate) fn header(entries: usize) -> String {
    format!("{VERSION}\n{entries}\n")
}

/// Calls `entry` with the fields of every line; what it refuses makes the file malformed. A file without entries may
/// lack everything after any line, as the reference makes them.
pub(crate) fn parse(
    bytes: &[u8],
    mut entry: impl FnMut(&[&str]) -> Option<()>,
) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not text".to_owned())?;
    let mut lines = text.lines();
    let Some(version) = lines.next() else {
        return Ok(());
    };
    if version != VERSION {
        return Err(format!("version {version:?} is not known, only {VERSION}"));
    }
    let Some(count) = lines.next() else {
        return Ok(());
    };
    let count: usize = count
        .parse()
        .map_err(|_| format!("{count:?} is not a count"))?;
    let mut found = 0;
    for line in lines {
        let mut fields = [""; 5];
        let mut n = 0;
        for field in line.split_ascii_whitespace() {
            *fields
                .get_mut(n)
                .ok_or_else(|| format!("too many fields in {line:?}"))? = field;
            n += 1;
        }
        entry(&fields[..n]).ok_or_else(|| format!("malformed line {line:?}"))?;
        found += 1;
    }
    if found != count {
        return Err(format!("{count} entries announced, {found} found"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_reference_writes() {
        let offsets = parse_offsets(b"0\n2\na-topic 0 12\n__consumer_offsets 49 0\n").unwrap();
        assert_eq!(
            offsets[&("a-topic".to_owned(), PartitionIndex(0))],
            Offset(12)
        );
        assert_eq!(offsets.len(), 2);
        assert!(parse_offsets(b"").unwrap().is_empty());
        assert!(parse_offsets(b"0\n0\n").unwrap().is_empty());
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_reason() {
        for (bytes, reason) in [
            (&b"1\n0\n"[..], "version"),
            (b"0\nx\n", "count"),
            (b"0\n2\nt 0 1\n", "found"),
            (b"0\n1\nt 0\n", "malformed"),
            (b"0\n1\nt 0 1 2 3 4\n", "too many"),
            (b"\xff\xfe", "text"),
        ] {
            let error = parse_offsets(bytes).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
