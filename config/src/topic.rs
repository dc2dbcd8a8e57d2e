//! Keys of a topic. Where a topic does not say, the broker key named as synonym does.

use std::sync::LazyLock;

use crate::def::Type::{Boolean, Double, Int, List, Long, String};
use crate::def::{Def, Table, hours, minutes, same};
use crate::valid::Valid;

/// Every topic key.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| Table::join("topic", &[OWN]));

pub fn lookup(key: &str) -> Option<&'static Def> {
    TABLE.lookup(key)
}

#[rustfmt::skip]
const OWN: &[Def] = &[
    Def::new("cleanup.policy", List).default("delete").valid(Valid::ItemsOf { values: &["compact", "delete"], may_be_empty: true }).effective()
        .synonyms(&[same("log.cleanup.policy")])
        .doc("What happens to old segments: deleted, compacted to the last value of each key, both, or kept for ever if empty."),
    Def::new("compression.gzip.level", Int).default("-1").valid(Valid::RangeOr { min: 1, max: 9, or: -1 }).effective()
        .synonyms(&[same("compression.gzip.level")])
        .doc("Level for gzip when the broker compresses."),
    Def::new("compression.lz4.level", Int).default("9").between(1, 17)
        .synonyms(&[same("compression.lz4.level")])
        .doc("Level for lz4 when the broker compresses."),
    Def::new("compression.type", String).default("producer").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]).effective()
        .synonyms(&[same("compression.type")])
        .doc("How batches are stored; `producer` keeps them as they come."),
    Def::new("compression.zstd.level", Int).default("3").between(-131_072, 22).effective()
        .synonyms(&[same("compression.zstd.level")])
        .doc("Level for zstd when the broker compresses."),
    Def::new("delete.retention.ms", Long).default("86400000").at_least(0).effective()
        .synonyms(&[same("log.cleaner.delete.retention.ms")])
        .doc("How long compaction keeps the mark of a deleted key."),
    Def::new("file.delete.delay.ms", Long).default("60000").at_least(0).effective()
        .synonyms(&[same("log.segment.delete.delay.ms")])
        .doc("How long a removed segment's files stay on disk."),
    Def::new("flush.messages", Long).default("9223372036854775807").at_least(1).effective()
        .synonyms(&[same("log.flush.interval.messages")])
        .doc("After this many records a partition is flushed to disk."),
    Def::new("flush.ms", Long).default("9223372036854775807").at_least(0).effective()
        .synonyms(&[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")])
        .doc("After this long a record is flushed to disk."),
    Def::new("follower.replication.throttled.replicas", List).default("").valid(Valid::ThrottledReplicas)
        .doc("The replicas whose fetching is throttled, as partition:broker, or `*`."),
    Def::new("index.interval.bytes", Int).default("4096").at_least(0).effective()
        .synonyms(&[same("log.index.interval.bytes")])
        .doc("After how many bytes of records the offset index gets an entry."),
    Def::new("leader.replication.throttled.replicas", List).default("").valid(Valid::ThrottledReplicas)
        .doc("The replicas whose serving is throttled, as partition:broker, or `*`."),
    Def::new("local.retention.bytes", Long).default("-2").at_least(-2)
        .synonyms(&[same("log.local.retention.bytes")])
        .doc("How large a partition may grow locally before tiered segments are removed; -2 for `retention.bytes`."),
    Def::new("local.retention.ms", Long).default("-2").at_least(-2)
        .synonyms(&[same("log.local.retention.ms")])
        .doc("How long tiered segments stay locally; -2 for `retention.ms`."),
    Def::new("max.compaction.lag.ms", Long).default("9223372036854775807").at_least(1).effective()
        .synonyms(&[same("log.cleaner.max.compaction.lag.ms")])
        .doc("After this long a record becomes compactable at the latest."),
    Def::new("max.message.bytes", Int).default("1048588").at_least(0).effective()
        .synonyms(&[same("message.max.bytes")])
        .doc("The largest record batch accepted, as compressed."),
    Def::new("message.timestamp.after.max.ms", Long).default("3600000").at_least(0).effective()
        .synonyms(&[same("log.message.timestamp.after.max.ms")])
        .doc("How far a record's timestamp may lie in the future."),
    Def::new("message.timestamp.before.max.ms", Long).default("9223372036854775807").at_least(0).effective()
        .synonyms(&[same("log.message.timestamp.before.max.ms")])
        .doc("How far a record's timestamp may lie in the past."),
    Def::new("message.timestamp.type", String).default("CreateTime").one_of(&["CreateTime", "LogAppendTime"]).effective()
        .synonyms(&[same("log.message.timestamp.type")])
        .doc("Whether records keep the producer's timestamp or get the time of appending."),
    Def::new("min.cleanable.dirty.ratio", Double).default("0.5").between(0, 1).effective()
        .synonyms(&[same("log.cleaner.min.cleanable.ratio")])
        .doc("The share of not yet compacted bytes from which a log is compacted."),
    Def::new("min.compaction.lag.ms", Long).default("0").at_least(0).effective()
        .synonyms(&[same("log.cleaner.min.compaction.lag.ms")])
        .doc("How long a record stays as it is before it may be compacted."),
    Def::new("min.insync.replicas", Int).default("1").at_least(1).effective()
        .synonyms(&[same("min.insync.replicas")])
        .doc("How many replicas must be in sync for a write with acks=all to be accepted."),
    Def::new("ottla.durability", String).default("disk").one_of(&["disk", "memory"]).high().effective()
        .synonyms(&[same("ottla.durability")])
        .doc("What becomes of acknowledged records: `disk` has them flushed before the acknowledgement, `memory` leaves flushing to the operating system."),
    Def::new("preallocate", Boolean).default("false").effective()
        .synonyms(&[same("log.preallocate")])
        .doc("Whether a new segment's file gets its full size at once."),
    Def::new("remote.log.copy.disable", Boolean).default("false")
        .doc("Whether a tiered topic stops copying segments to remote storage."),
    Def::new("remote.log.delete.on.disable", Boolean).default("false")
        .doc("Whether switching tiering off deletes what lies in remote storage."),
    Def::new("remote.storage.enable", Boolean).default("false")
        .doc("Whether segments are also kept in remote storage."),
    Def::new("retention.bytes", Long).default("-1").effective()
        .synonyms(&[same("log.retention.bytes")])
        .doc("How large a partition may grow before old segments are deleted; -1 for no limit."),
    Def::new("retention.ms", Long).default("604800000").at_least(-1).effective()
        .synonyms(&[same("log.retention.ms"), minutes("log.retention.minutes"), hours("log.retention.hours")])
        .doc("How old records may get before their segments are deleted; -1 for no limit."),
    Def::new("segment.bytes", Int).default("1073741824").at_least(1_048_576).effective()
        .synonyms(&[same("log.segment.bytes")])
        .doc("The largest size of a segment's file."),
    Def::new("segment.index.bytes", Int).default("10485760").at_least(4).effective()
        .synonyms(&[same("log.index.size.max.bytes")])
        .doc("The largest size of a segment's offset index."),
    Def::new("segment.jitter.ms", Long).default("0").at_least(0).effective()
        .synonyms(&[same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")])
        .doc("By how much the time of a segment's roll is varied at random."),
    Def::new("segment.ms", Long).default("604800000").at_least(1).effective()
        .synonyms(&[same("log.roll.ms"), hours("log.roll.hours")])
        .doc("After this long a new segment is begun even if the old one is not full."),
    Def::new("unclean.leader.election.enable", Boolean).default("false")
        .synonyms(&[same("unclean.leader.election.enable")])
        .doc("Whether a replica that is not in sync may become leader, at the price of losing records."),
];
