//! DeleteRecords (21): raises the start of logs (KIP-107).
//!
//! - v2: flexible. Offset -1 stands for the high watermark.

use std::sync::Arc;

use ottla_coordination::controller::is_internal_topic;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::delete_records::request::DeleteRecordsPartition;
use ottla_protocol::messages::delete_records::response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use ottla_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use ottla_protocol::types::Offset;

use super::{Answer, Context};
use crate::broker::Broker;
use crate::clock;
use crate::exec::Storage;
use crate::exec::partition::Partition;

const INVALID_LOW_WATERMARK: i64 = -1;

pub(crate) fn handle(
    context: &Context<'_>,
    request: DeleteRecordsRequest,
) -> Answer<DeleteRecordsResponse> {
    let mut raised = Vec::new();
    let topics = request.topics.iter().map(|topic| DeleteRecordsTopicResult {
        name: topic.name.detached(),
        partitions: topic
            .partitions
            .iter()
            .map(|wanted| delete(context.broker, &topic.name, wanted, &mut raised))
            .collect(),
        ..Default::default()
    });
    let mut response = DeleteRecordsResponse {
        topics: topics.collect(),
        ..Default::default()
    };
    if raised.is_empty() {
        return Answer::now(response);
    }
    let storage = context.broker.storage.clone();
    Answer::later(async move {
        let written = tokio::task::spawn_blocking(move || all_durable(&storage, &raised)).await;
        if !written.unwrap_or(false) {
            fail_all(&mut response);
        }
        response
    })
}

/// What was deleted stays deleted: the new starts are in the checkpoints before anybody hears of them.
fn all_durable(storage: &Storage, raised: &[Arc<Partition>]) -> bool {
    // Written once for each directory: the second time there is nothing left to write.
    raised
        .iter()
        .all(|partition| storage.dirs.write_checkpoints_of(&partition.dir()))
}

fn fail_all(response: &mut DeleteRecordsResponse) {
    let topics = response.topics.iter_mut();
    for partition in topics.flat_map(|topic| &mut topic.partitions) {
        if partition.error_code == ErrorCode::None.code() {
            partition.error_code = ErrorCode::KafkaStorageError.code();
            partition.low_watermark = INVALID_LOW_WATERMARK;
        }
    }
}

fn delete(
    broker: &Broker,
    topic: &str,
    wanted: &DeleteRecordsPartition,
    raised: &mut Vec<Arc<Partition>>,
) -> DeleteRecordsPartitionResult {
    let result = raise_start(broker, topic, wanted, raised);
    DeleteRecordsPartitionResult {
        partition_index: wanted.partition_index,
        low_watermark: result.map_or(INVALID_LOW_WATERMARK, |start| start.0),
        error_code: result.err().unwrap_or(ErrorCode::None).code(),
        ..Default::default()
    }
}

fn raise_start(
    broker: &Broker,
    topic: &str,
    wanted: &DeleteRecordsPartition,
    raised: &mut Vec<Arc<Partition>>,
) -> Result<Offset, ErrorCode> {
    let partition = broker
        .storage
        .topics
        .partition(topic, wanted.partition_index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if is_internal_topic(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let settings = partition.settings();
    if settings.is_compacted && !settings.is_deleted_from {
        return Err(ErrorCode::PolicyViolation);
    }
    let start = partition.delete_records(Offset(wanted.offset), clock::now())?;
    raised.push(partition);
    Ok(start)
}
