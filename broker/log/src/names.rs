//! Names of files and folders, exactly the reference's.

use std::path::{Path, PathBuf};

use ottla_protocol::types::{Offset, PartitionIndex};

pub const LOG: &str = "log";
pub const OFFSET_INDEX: &str = "index";
pub const TIME_INDEX: &str = "timeindex";
pub const TXN_INDEX: &str = "txnindex";
pub const PRODUCER_SNAPSHOT: &str = "snapshot";
/// Files with the records of one segment and what is derived from them, the primary one first.
pub(crate) const SEGMENT_FILES: [&str; 4] = [LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX];

/// Ending of a file that waits for its removal.
pub const DELETED: &str = ".deleted";
/// Ending of a compacted segment's file that is being written.
pub const CLEANED: &str = ".cleaned";
/// Ending of a compacted segment's file that is complete and about to take the place of older ones.
pub const SWAP: &str = ".swap";
/// Ending of a folder that waits for its removal.
pub const DELETE_DIR: &str = "-delete";
/// Ending of a folder that is being filled on its way to another log directory.
pub const FUTURE_DIR: &str = "-future";

pub const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
/// Ours alone; the reference leaves names that it does not know where they are.
pub const DAMAGE: &str = "damage-checkpoint";
/// Ours alone, too.
pub const TXN_SUMS: &str = "txn-index-checkpoint";
pub const PARTITION_METADATA: &str = "partition.metadata";
pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
pub const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";
pub const META_PROPERTIES: &str = "meta.properties";
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
pub const LOCK: &str = ".lock";

/// Longest name of a file or folder that common file systems take.
const NAME_MAX: usize = 255;

/// `dir/00000000000000000042.log` and its siblings.
#[must_use]
pub fn segment_file(dir: &Path, base: Offset, suffix: &str) -> PathBuf {
    dir.join(format!("{:020}.{suffix}", base.0))
}

/// Splits `00000000000000000042.log` into its offset and `log`.
#[must_use]
pub fn parse_segment_file(name: &str) -> Option<(Offset, &str)> {
    let (digits, suffix) = name.split_once('.')?;
    if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((Offset(digits.parse().ok()?), suffix))
}

/// Folder of a partition: `topic-3`.
#[must_use]
pub fn partition_dir(topic: &str, partition: PartitionIndex) -> String {
    format!("{topic}-{partition}")
}

/// Splits `my-topic-3` at its last dash. None for everything that is not a live partition's folder.
#[must_use]
pub fn parse_partition_dir(name: &str) -> Option<(&str, PartitionIndex)> {
    let (topic, digits) = name.rsplit_once('-')?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty();
    let canonical = digits == "0" || !digits.starts_with('0');
    if topic.is_empty() || !plain || !canonical {
        return None;
    }
    Some((topic, PartitionIndex(digits.parse().ok()?)))
}

/// Folder of a partition that is being deleted: `topic-3.<32 hex digits>-delete`, cut to what a file system takes.
#[must_use]
pub fn delete_dir(topic: &str, partition: PartitionIndex, unique: u128) -> String {
    unique_dir(topic, partition, unique, DELETE_DIR)
}

/// Folder of a partition that is being copied to another log directory: `topic-3.<32 hex digits>-future`, cut likewise.
#[must_use]
pub fn future_dir(topic: &str, partition: PartitionIndex, unique: u128) -> String {
    unique_dir(topic, partition, unique, FUTURE_DIR)
}

/// The partition of a folder that is being filled: its topic, or what is left of a long name, and its number.
#[must_use]
pub fn parse_future_dir(name: &str) -> Option<(&str, PartitionIndex)> {
    let (partition, unique) = name.strip_suffix(FUTURE_DIR)?.rsplit_once('.')?;
    let is_id = unique.len() == 32 && unique.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then(|| parse_partition_dir(partition)).flatten()
}

fn unique_dir(topic: &str, partition: PartitionIndex, unique: u128, ending: &str) -> String {
    let tail = format!("-{partition}.{unique:032x}{ending}");
    let mut keep = topic.len().min(NAME_MAX - tail.len());
    while !topic.is_char_boundary(keep) {
        keep -= 1;
    }
    format!("{}{tail}", &topic[..keep])
}

/// Whether a folder's name says that a deletion was begun and not finished.
#[must_use]
pub fn is_delete_dir(name: &str) -> bool {
    name.ends_with(DELETE_DIR) && name.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_names_go_both_ways() {
        let path = segment_file(Path::new("/d"), Offset(42), LOG);
        assert_eq!(path, Path::new("/d/00000000000000000042.log"));
        assert_eq!(
            parse_segment_file("00000000000000000042.log.deleted"),
            Some((Offset(42), "log.deleted"))
        );
        for odd in [
            "",
            "log",
            "42.log",
            "0000000000000000004x.log",
            "99999999999999999999.log",
        ] {
            assert_eq!(parse_segment_file(odd), None, "{odd}");
        }
    }

    #[test]
    fn partition_folders_split_at_the_last_dash() {
        assert_eq!(
            parse_partition_dir("my-topic-12"),
            Some(("my-topic", PartitionIndex(12)))
        );
        for odd in [
            "topic",
            "topic-",
            "-1",
            "topic-01",
            "topic--delete",
            "t-1.0af3-delete",
            "t-99999999999",
        ] {
            assert_eq!(parse_partition_dir(odd), None, "{odd}");
        }
    }

    #[test]
    fn folder_of_a_deleted_partition_never_gets_too_long() {
        let name = delete_dir(&"t".repeat(249), PartitionIndex(100), 7);
        assert_eq!(name.len(), 255);
        assert!(is_delete_dir(&name));
        let future = future_dir("a.t", PartitionIndex(1), 0xaf);
        assert_eq!(future, "a.t-1.000000000000000000000000000000af-future");
        assert_eq!(parse_future_dir(&future), Some(("a.t", PartitionIndex(1))));
        assert_eq!(parse_future_dir("a.t-1-future"), None);
        assert_eq!(
            delete_dir("t", PartitionIndex(1), 0xaf),
            "t-1.000000000000000000000000000000af-delete"
        );
    }
}
