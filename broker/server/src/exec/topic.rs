//! Topics as the data path sees them: their settings in plain values, and their partitions.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_config::resolve::Settings as Values;
use ottla_log::compaction::CompactionConfig;
use ottla_log::{LogConfig, ZeroAhead};
use ottla_protocol::compress::Compression;
use ottla_protocol::types::{Millis, PartitionIndex};
use ottla_protocol::wire::{StrBytes, Uuid};
use parking_lot::RwLock;

use super::partition::Partition;

/// When an acks=all append may be acknowledged, and what a consumer may see (`ottla.durability`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Once it is on disk.
    Disk,
    /// Once it is in the page cache, as the reference does.
    Memory,
}

/// What the topic's configuration says about the data path.
#[derive(Clone, Debug)]
pub(crate) struct TopicSettings {
    pub(crate) log: Arc<LogConfig>,
    pub(crate) durability: Durability,
    pub(crate) message_bytes_max: usize,
    /// None: as the producer compressed it.
    pub(crate) compression: Option<(Compression, Option<i32>)>,
    pub(crate) log_append_time: bool,
    pub(crate) timestamp_before_max_ms: Millis,
    pub(crate) timestamp_after_max_ms: Millis,
    pub(crate) insync_replicas_min: i64,
    /// `cleanup.policy` contains delete.
    pub(crate) is_deleted_from: bool,
    /// `cleanup.policy` contains compact: every record needs a key.
    pub(crate) is_compacted: bool,
    pub(crate) compaction: CompactionConfig,
}

impl TopicSettings {
    pub(crate) fn from_values(values: &Values) -> Self {
        let policies = values.list("cleanup.policy");
        let has = |policy: &str| policies.iter().any(|given| given == policy);
        let deletes = has("delete");
        let ms = |key: &str| Millis(values.number(key));
        let segment_ms = if has("compact") {
            ms("segment.ms").min(ms("max.compaction.lag.ms"))
        } else {
            ms("segment.ms")
        };
        let durability = match values.text("ottla.durability") {
            "memory" => Durability::Memory,
            _ => Durability::Disk,
        };
        let log = LogConfig {
            segment_bytes: values.size("segment.bytes").unwrap_or(0) as u64,
            segment_ms,
            segment_jitter_ms: ms("segment.jitter.ms"),
            segment_index_bytes: u32::try_from(values.number("segment.index.bytes"))
                .unwrap_or(u32::MAX),
            index_interval_bytes: u32::try_from(values.number("index.interval.bytes"))
                .unwrap_or(u32::MAX),
            retention_ms: if deletes {
                ms("retention.ms")
            } else {
                Millis(-1)
            },
            retention_bytes: if deletes {
                values.number("retention.bytes")
            } else {
                -1
            },
            file_delete_delay_ms: ms("file.delete.delay.ms"),
            preallocate: values.boolean("preallocate"),
            zero_ahead: (durability == Durability::Memory).then_some(ZeroAhead::MEASURED),
            flush_messages: values.number("flush.messages"),
            flush_ms: ms("flush.ms"),
            ..LogConfig::default()
        };
        Self {
            log: Arc::new(log),
            durability,
            message_bytes_max: values.size("max.message.bytes").unwrap_or(0),
            compression: compression(values),
            log_append_time: values.text("message.timestamp.type") == "LogAppendTime",
            timestamp_before_max_ms: ms("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: ms("message.timestamp.after.max.ms"),
            insync_replicas_min: values.number("min.insync.replicas"),
            is_deleted_from: deletes,
            is_compacted: has("compact"),
            compaction: CompactionConfig {
                min_cleanable_dirty_ratio: values.double("min.cleanable.dirty.ratio"),
                min_lag_ms: ms("min.compaction.lag.ms"),
                max_lag_ms: ms("max.compaction.lag.ms"),
                delete_retention_ms: ms("delete.retention.ms"),
                // The cleaner has its own.
                ..CompactionConfig::default()
            },
        }
    }
}

fn compression(values: &Values) -> Option<(Compression, Option<i32>)> {
    let level = |key: &str| Some(i32::try_from(values.number(key)).unwrap_or(i32::MAX));
    match values.text("compression.type") {
        "uncompressed" => Some((Compression::None, None)),
        // -1 stands for the codec's default.
        "gzip" => Some((
            Compression::Gzip,
            level("compression.gzip.level").filter(|level| *level != -1),
        )),
        "snappy" => Some((Compression::Snappy, None)),
        "lz4" => Some((Compression::Lz4, level("compression.lz4.level"))),
        "zstd" => Some((Compression::Zstd, level("compression.zstd.level"))),
        _ => None,
    }
}

/// A topic that has partitions here.
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) name: StrBytes,
    pub(crate) settings: ArcSwap<TopicSettings>,
}

/// A topic with its partitions, as the registry holds it.
pub(crate) struct TopicPartitions {
    pub(crate) topic: Arc<Topic>,
    partitions: RwLock<Vec<Arc<Partition>>>,
}

impl TopicPartitions {
    pub(crate) fn get(&self, index: i32) -> Option<Arc<Partition>> {
        self.partitions
            .read()
            .get(usize::try_from(index).ok()?)
            .cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().clone()
    }

    pub(crate) fn set_settings(&self, settings: TopicSettings) {
        self.topic.settings.store(Arc::new(settings));
        self.partitions
            .read()
            .iter()
            .for_each(|partition| partition.settings_changed());
    }
}

/// Every partition of this node, found by topic name or id.
#[derive(Default)]
pub(crate) struct Topics {
    maps: RwLock<Maps>,
}

#[derive(Default)]
struct Maps {
    by_name: HashMap<StrBytes, Arc<TopicPartitions>>,
    by_id: HashMap<Uuid, Arc<TopicPartitions>>,
}

impl Topics {
    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<TopicPartitions>> {
        self.maps.read().by_name.get(name).cloned()
    }

    pub(crate) fn by_id(&self, id: &Uuid) -> Option<Arc<TopicPartitions>> {
        self.maps.read().by_id.get(id).cloned()
    }

    pub(crate) fn partition(&self, name: &str, index: i32) -> Option<Arc<Partition>> {
        self.by_name(name)?.get(index)
    }

    pub(crate) fn all(&self) -> Vec<Arc<TopicPartitions>> {
        self.maps.read().by_id.values().cloned().collect()
    }

    /// Adds a topic, or partitions to one, up to `count`; each new one is made by `create`.
    pub(crate) fn extend(
        &self,
        id: Uuid,
        name: &StrBytes,
        settings: impl FnOnce() -> TopicSettings,
        count: usize,
        mut create: impl FnMut(&Arc<Topic>, PartitionIndex) -> Arc<Partition>,
    ) {
        let known = self.by_id(&id);
        let entry = known.unwrap_or_else(|| {
            let settings = ArcSwap::from_pointee(settings());
            let name = name.detached();
            let topic = Arc::new(Topic {
                id,
                name: name.clone(),
                settings,
            });
            let entry = Arc::new(TopicPartitions {
                topic,
                partitions: RwLock::default(),
            });
            let mut maps = self.maps.write();
            maps.by_name.insert(name, entry.clone());
            maps.by_id.insert(id, entry.clone());
            entry
        });
        let mut partitions = entry.partitions.write();
        while partitions.len() < count {
            let index = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
            let partition = create(&entry.topic, PartitionIndex(index));
            partitions.push(partition);
        }
    }

    /// Takes a topic out; its partitions are the caller's to delete.
    pub(crate) fn remove(&self, id: &Uuid) -> Vec<Arc<Partition>> {
        let mut maps = self.maps.write();
        let Some(entry) = maps.by_id.remove(id) else {
            return Vec::new();
        };
        if maps
            .by_name
            .get(&entry.topic.name)
            .is_some_and(|named| named.topic.id == *id)
        {
            maps.by_name.remove(&entry.topic.name);
        }
        entry.all()
    }
}
