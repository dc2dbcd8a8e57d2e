//! DeleteRecords (21): raises the start of logs (KIP-107).
//!
//! - v2: flexible. Offset -1 stands for the high watermark.

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

const INVALID_LOW_WATERMARK: i64 = -1;

pub(crate) fn handle(
    context: &Context<'_>,
    request: DeleteRecordsRequest,
) -> Answer<DeleteRecordsResponse> {
    let topics = request.topics.iter().map(|topic| DeleteRecordsTopicResult {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|wanted| delete(context.broker, &topic.name, wanted))
            .collect(),
        ..Default::default()
    });
    Answer::now(DeleteRecordsResponse {
        topics: topics.collect(),
        ..Default::default()
    })
}

fn delete(
    broker: &Broker,
    topic: &str,
    wanted: &DeleteRecordsPartition,
) -> DeleteRecordsPartitionResult {
    let result = raise_start(broker, topic, wanted);
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
) -> Result<Offset, ErrorCode> {
    let partition = broker
        .storage
        .topics
        .partition(topic, wanted.partition_index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if is_internal_topic(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    if !partition.settings().is_deleted_from {
        return Err(ErrorCode::PolicyViolation);
    }
    partition.delete_records(Offset(wanted.offset), clock::now())
}
