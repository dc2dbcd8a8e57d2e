//! Where the batches of a request are to go, and the response with a place for each.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use ottla_coordination::txn::Verification;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::produce::request::TopicProduceData;
use ottla_protocol::messages::produce::response::{PartitionProduceResponse, TopicProduceResponse};
use ottla_protocol::messages::{ProduceRequest, ProduceResponse};
use ottla_protocol::wire::Records;

use super::failure::Failure;
use crate::api::Context;
use crate::exec::partition::{Partition, Placed};

/// First version that names topics by id.
const TOPIC_IDS_FROM: i16 = 13;

pub(super) const NO_OFFSET: i64 = -1;

/// One partition's batch: where it is to go, and where in the frame it lies.
pub(super) struct Target {
    pub(super) topic: usize,
    pub(super) partition: usize,
    pub(super) to: Arc<Partition>,
    pub(super) range: Range<usize>,
    pub(super) verification: Verification,
    /// Why it is not to be appended.
    pub(super) refused: Option<Failure>,
}

/// Prepares the response, with errors where a partition can't be found, and lists what is to be appended.
pub(super) fn lay_out(
    context: &Context<'_>,
    request: &ProduceRequest,
    frame: &Bytes,
    acks_are_valid: bool,
) -> (ProduceResponse, Vec<Target>) {
    let mut targets = Vec::with_capacity(request.topic_data.len());
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for (topic_index, data) in request.topic_data.iter().enumerate() {
        let topic = if context.version >= TOPIC_IDS_FROM {
            context.broker.storage.topics.by_id(&data.topic_id)
        } else {
            context.broker.storage.topics.by_name(&data.name)
        };
        let mut partition_responses = Vec::with_capacity(data.partition_data.len());
        for (index, partition) in data.partition_data.iter().enumerate() {
            let mut response = PartitionProduceResponse {
                index: partition.index,
                base_offset: NO_OFFSET,
                log_append_time_ms: NO_OFFSET,
                log_start_offset: NO_OFFSET,
                ..Default::default()
            };
            let found = topic.as_ref().and_then(|topic| topic.get(partition.index));
            match found {
                _ if !acks_are_valid => {
                    fill(&mut response, Err(ErrorCode::InvalidRequiredAcks.into()))
                }
                Some(to) => targets.push(Target {
                    topic: topic_index,
                    partition: index,
                    to,
                    range: range_in(frame, partition.records.as_ref()),
                    verification: Verification::Waived,
                    refused: None,
                }),
                None => fill(&mut response, Err(unknown(context, data).into())),
            }
            partition_responses.push(response);
        }
        responses.push(TopicProduceResponse {
            // The known topic's name is memory of its own; the request's would keep the frame.
            name: topic
                .as_ref()
                .map_or_else(|| data.name.detached(), |topic| topic.topic.name.clone()),
            topic_id: data.topic_id,
            partition_responses,
            ..Default::default()
        });
    }
    (
        ProduceResponse {
            responses,
            ..Default::default()
        },
        targets,
    )
}

fn unknown(context: &Context<'_>, data: &TopicProduceData) -> ErrorCode {
    let by_id = context.version >= TOPIC_IDS_FROM;
    if by_id
        && context
            .broker
            .storage
            .topics
            .by_id(&data.topic_id)
            .is_none()
    {
        return ErrorCode::UnknownTopicId;
    }
    ErrorCode::UnknownTopicOrPartition
}

/// Where in the frame a record set lies; record sets are slices of it.
fn range_in(frame: &Bytes, records: Option<&Records>) -> Range<usize> {
    match records {
        Some(Records::Bytes(bytes)) if !bytes.is_empty() => {
            let start = (bytes.as_ptr() as usize).saturating_sub(frame.as_ptr() as usize);
            start..start + bytes.len()
        }
        _ => 0..0,
    }
}

pub(super) fn fill(response: &mut PartitionProduceResponse, result: Result<Placed, Failure>) {
    match result {
        Ok(placed) => {
            response.base_offset = placed.base_offset.0;
            response.log_append_time_ms = placed.log_append_time.map_or(NO_OFFSET, |time| time.0);
            response.log_start_offset = placed.log_start.0;
        }
        Err(failure) => {
            response.error_code = failure.code.code();
            response.error_message = failure.message.map(Into::into);
            response.record_errors = failure.records;
        }
    }
}

pub(super) fn partition_of<'a>(
    response: &'a mut ProduceResponse,
    target: &Target,
) -> Option<&'a mut PartitionProduceResponse> {
    response
        .responses
        .get_mut(target.topic)?
        .partition_responses
        .get_mut(target.partition)
}
