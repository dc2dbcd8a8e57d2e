//! DescribeLogDirs (35): directories, their space, and what lies in them (KIP-113).
//!
//! - v3: an error for the reply as a whole. v4: sizes of the volume (KIP-827). v5: cordoned directories (KIP-1066),
//!   of which there are none here.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_log_dirs::response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_protocol::wire::StrBytes;

use super::{Answer, Context};
use crate::clock;
use crate::exec::log_dirs::LogDir;
use crate::exec::moves::Move;
use crate::exec::partition::Partition;

const UNKNOWN_BYTES: i64 = -1;

pub(crate) fn handle(
    context: &Context<'_>,
    request: DescribeLogDirsRequest,
) -> Answer<DescribeLogDirsResponse> {
    let storage = &context.broker.storage;
    let wanted: Option<HashSet<(&str, i32)>> = request.topics.as_ref().map(|topics| {
        let of_topic = topics.iter().flat_map(|topic| {
            topic
                .partitions
                .iter()
                .map(move |partition| (topic.topic.as_str(), *partition))
        });
        of_topic.collect()
    });
    let is_wanted = |partition: &Partition| {
        let key = (partition.topic.name.as_str(), partition.index.0);
        wanted.as_ref().is_none_or(|wanted| wanted.contains(&key))
    };
    let mut partitions: Vec<Arc<Partition>> = storage
        .topics
        .all()
        .iter()
        .flat_map(|topic| topic.all())
        .collect();
    partitions.retain(|partition| is_wanted(partition));
    let mut moves = context.broker.moves.all();
    moves.retain(|wanted| is_wanted(&wanted.partition));
    let dirs = storage.dirs.of_partitions();
    let results = dirs.map(|dir| describe(dir, &partitions, &moves));
    Answer::now(DescribeLogDirsResponse {
        results: results.collect(),
        ..Default::default()
    })
}

fn describe(
    dir: &Arc<LogDir>,
    partitions: &[Arc<Partition>],
    moves: &[Arc<Move>],
) -> DescribeLogDirsResult {
    let path = dir.absolute_path();
    let log_dir = StrBytes::from(path.to_string_lossy().into_owned());
    if dir.is_offline() {
        let error_code = ErrorCode::KafkaStorageError.code();
        return DescribeLogDirsResult {
            error_code,
            log_dir,
            ..Default::default()
        };
    }
    let now = clock::now();
    let mut topics: BTreeMap<StrBytes, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in partitions
        .iter()
        .filter(|partition| Arc::ptr_eq(&partition.dir(), dir))
    {
        let bytes = partition.size_bytes(now).unwrap_or(0);
        topics
            .entry(partition.topic.name.clone())
            .or_default()
            .push(DescribeLogDirsPartition {
                partition_index: partition.index.0,
                partition_size: i64::try_from(bytes).unwrap_or(i64::MAX),
                ..Default::default()
            });
    }
    let coming = moves.iter().filter(|wanted| Arc::ptr_eq(&wanted.to, dir));
    for wanted in coming.filter(|wanted| wanted.may_go_on()) {
        topics
            .entry(wanted.partition.topic.name.clone())
            .or_default()
            .push(future(wanted));
    }
    let topics = topics.into_iter().map(|(name, mut partitions)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic {
            name,
            partitions,
            ..Default::default()
        }
    });
    let space = dir.disk.space(&dir.path).ok();
    let bytes = |bytes: Option<u64>| {
        bytes.map_or(UNKNOWN_BYTES, |bytes| {
            i64::try_from(bytes).unwrap_or(i64::MAX)
        })
    };
    DescribeLogDirsResult {
        log_dir,
        topics: topics.collect(),
        total_bytes: bytes(space.map(|space| space.total)),
        usable_bytes: bytes(space.map(|space| space.free)),
        ..Default::default()
    }
}

/// A partition on its way into the directory: how much of it is there, and how many records are missing.
fn future(wanted: &Move) -> DescribeLogDirsPartition {
    let end = wanted.partition.bounds(clock::now());
    let lag = end.map_or(UNKNOWN_BYTES, |bounds| {
        bounds.log_end.since(wanted.copied_end()).max(0)
    });
    DescribeLogDirsPartition {
        partition_index: wanted.partition.index.0,
        partition_size: i64::try_from(wanted.copied_bytes()).unwrap_or(i64::MAX),
        offset_lag: lag,
        is_future_key: true,
        ..Default::default()
    }
}
