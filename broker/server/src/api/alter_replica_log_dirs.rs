//! AlterReplicaLogDirs (34): has partitions moved to other log directories of this broker (KIP-113). The answer says
//! that a move has begun; DescribeLogDirs shows how far it is.
//!
//! - v2: flexible. Naming the directory that a partition lies in ends a move that is under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::alter_replica_log_dirs::response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use ottla_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
use ottla_protocol::wire::StrBytes;

use super::{Answer, Context};
use crate::broker::Broker;
use crate::clock;
use crate::exec::moves;

pub(crate) fn handle(
    context: &Context<'_>,
    request: AlterReplicaLogDirsRequest,
) -> Answer<AlterReplicaLogDirsResponse> {
    let mut results: BTreeMap<StrBytes, BTreeMap<i32, ErrorCode>> = BTreeMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            let of_topic = results.entry(topic.name.clone()).or_default();
            for index in &topic.partitions {
                let moved = begin(context.broker, &dir.path, &topic.name, *index);
                of_topic.insert(*index, moved.err().unwrap_or(ErrorCode::None));
            }
        }
    }
    let results = results.into_iter().map(|(topic_name, partitions)| {
        let partition =
            |(partition_index, error): (i32, ErrorCode)| AlterReplicaLogDirPartitionResult {
                partition_index,
                error_code: error.code(),
                ..Default::default()
            };
        AlterReplicaLogDirTopicResult {
            topic_name,
            partitions: partitions.into_iter().map(partition).collect(),
            ..Default::default()
        }
    });
    Answer::now(AlterReplicaLogDirsResponse {
        results: results.collect(),
        ..Default::default()
    })
}

fn begin(broker: &Arc<Broker>, path: &str, topic: &str, index: i32) -> Result<(), ErrorCode> {
    let storage = &broker.storage;
    let to = moves::destination(storage, path)?;
    let partition = storage.topics.partition(topic, index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    partition.bounds(clock::now())?;
    let here = Arc::ptr_eq(&partition.dir(), &to);
    // A partition that is not found in the others might be in one that is missing.
    if !here && storage.dirs.of_partitions().any(|dir| dir.is_offline()) {
        return Err(ErrorCode::KafkaStorageError);
    }
    broker.moves.start(broker, &partition, &to);
    Ok(())
}
