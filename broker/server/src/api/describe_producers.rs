//! DescribeProducers (61): who has written to a partition, and whose transaction is open there (KIP-664).

use ottla_coordination::controller::{ApiError, validate_topic_name};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_producers::response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use ottla_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use ottla_protocol::types::Millis;

use super::{Answer, Context};
use crate::broker::Broker;
use crate::clock;

pub(crate) fn handle(
    context: &Context<'_>,
    request: DescribeProducersRequest,
) -> Answer<DescribeProducersResponse> {
    let now = clock::now();
    let topics = request.topics.iter().map(|topic| {
        let indexes = topic.partition_indexes.iter();
        TopicResponse {
            name: topic.name.detached(),
            partitions: indexes
                .map(|index| describe(context.broker, &topic.name, *index, now))
                .collect(),
            ..Default::default()
        }
    });
    Answer::now(DescribeProducersResponse {
        topics: topics.collect(),
        ..Default::default()
    })
}

fn describe(broker: &Broker, topic: &str, index: i32, now: Millis) -> PartitionResponse {
    let mut response = PartitionResponse {
        partition_index: index,
        ..Default::default()
    };
    match known(broker, topic) {
        Ok(()) => match producers(broker, topic, index, now) {
            Ok(producers) => response.active_producers = producers,
            Err(code) => response.error_code = code.code(),
        },
        Err(refusal) => {
            response.error_code = refusal.code.code();
            response.error_message = refusal.message.map(Into::into);
        }
    }
    response
}

/// What is wrong with a topic is told in words, too.
fn known(broker: &Broker, topic: &str) -> Result<(), ApiError> {
    validate_topic_name(topic)?;
    match broker.storage.topics.by_name(topic) {
        Some(_) => Ok(()),
        None => {
            let code = ErrorCode::UnknownTopicOrPartition;
            Err(ApiError::new(code, code.text()))
        }
    }
}

fn producers(
    broker: &Broker,
    topic: &str,
    index: i32,
    now: Millis,
) -> Result<Vec<ProducerState>, ErrorCode> {
    let partition = broker.storage.topics.partition(topic, index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let entries = partition.active_producers(now)?;
    let states = entries.iter().map(|entry| ProducerState {
        producer_id: entry.producer_id,
        producer_epoch: entry.epoch.into(),
        last_sequence: entry.last_sequence,
        last_timestamp: entry.timestamp,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_start_offset: entry.current_txn_first_offset,
        ..Default::default()
    });
    Ok(states.collect())
}
