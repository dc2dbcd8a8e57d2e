//! Produce requests and what their responses say, without sending either.

use std::collections::HashMap;

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        ProduceRequest, ProduceResponse,
        api::produce::{
            request::{PartitionProduceData, TopicProduceData},
            response::PartitionProduceResponse,
        },
    },
    wire::{Records, StrBytes, Uuid},
};

use crate::error::ApiError;

use super::{BatchPlace, ProduceError, accumulator::Drained};

/// From this version on topics go by their id (KIP-516).
pub(super) const FIRST_VERSION_BY_ID: i16 = 13;
/// From this version on leaders add partitions to transactions by themselves (KIP-890).
pub(super) const FIRST_VERSION_ADDING: i16 = 12;

/// A request with these batches. `ids` gives the topics' ids, zero where there is none. A batch that can't be built
/// is left out; it stays in `drained` and has no answer then.
pub(super) fn request(
    drained: &mut [Drained],
    transactional_id: Option<StrBytes>,
    ids: impl Fn(&str) -> Uuid,
    acks: i16,
    timeout_ms: i32,
) -> ProduceRequest {
    let mut topic_data: Vec<TopicProduceData> = Vec::new();
    for one in drained {
        let Ok(bytes) = one.batch.bytes() else {
            continue;
        };
        let data = PartitionProduceData {
            index: one.partition,
            records: Some(Records::Bytes(bytes)),
            ..Default::default()
        };
        match topic_data.iter_mut().find(|topic| topic.name == *one.topic) {
            Some(topic) => topic.partition_data.push(data),
            None => topic_data.push(TopicProduceData {
                name: StrBytes::from(&*one.topic),
                topic_id: ids(&one.topic),
                partition_data: vec![data],
                ..Default::default()
            }),
        }
    }
    ProduceRequest {
        transactional_id,
        acks,
        timeout_ms,
        topic_data,
        ..Default::default()
    }
}

/// The answers of a response, to be looked up by topic and partition.
pub(super) struct Answers<'a> {
    by_partition: HashMap<(&'a str, i32), &'a PartitionProduceResponse>,
}

impl<'a> Answers<'a> {
    /// `names` gives the name of a topic id; versions before 13 answer with names.
    pub(super) fn of(response: &'a ProduceResponse, names: &'a HashMap<Uuid, StrBytes>) -> Self {
        let mut by_partition = HashMap::new();
        for topic in &response.responses {
            let name = if topic.topic_id.is_zero() {
                Some(&topic.name)
            } else {
                names.get(&topic.topic_id)
            };
            let Some(name) = name else { continue };
            for partition in &topic.partition_responses {
                by_partition.insert((name.as_str(), partition.index), partition);
            }
        }
        Self { by_partition }
    }

    /// Where the batch is now, or why it is nowhere.
    pub(super) fn outcome(&self, topic: &str, partition: i32) -> Result<BatchPlace, ProduceError> {
        let Some(answer) = self.by_partition.get(&(topic, partition)) else {
            return Err(ProduceError::Api(ApiError {
                code: ErrorCode::UnknownServerError,
                message: Some("The broker's answer does not mention the batch.".to_owned()),
            }));
        };
        match ErrorCode::from_code(answer.error_code) {
            // The broker has it from an earlier attempt, whose answer was lost.
            ErrorCode::None | ErrorCode::DuplicateSequenceNumber => Ok(BatchPlace {
                base_offset: Some(answer.base_offset).filter(|offset| *offset >= 0),
                append_time: Some(answer.log_append_time_ms).filter(|time| *time >= 0),
            }),
            code => Err(ProduceError::Api(ApiError {
                code,
                message: message_of(answer),
            })),
        }
    }
}

/// The broker's words: for the batch, else for the first of its records that is wrong.
fn message_of(answer: &PartitionProduceResponse) -> Option<String> {
    let of_record = || {
        answer
            .record_errors
            .iter()
            .find_map(|record| record.batch_index_error_message.as_deref())
    };
    answer
        .error_message
        .as_deref()
        .or_else(of_record)
        .map(str::to_owned)
}

/// Whether the leader may have moved, so that metadata should be fetched anew.
pub(super) fn may_have_moved(code: Option<ErrorCode>) -> bool {
    matches!(
        code,
        Some(
            ErrorCode::NotLeaderOrFollower
                | ErrorCode::LeaderNotAvailable
                | ErrorCode::UnknownTopicOrPartition
                | ErrorCode::UnknownTopicId
                | ErrorCode::InconsistentTopicId
                | ErrorCode::FencedLeaderEpoch
                | ErrorCode::UnknownLeaderEpoch
                | ErrorCode::ReplicaNotAvailable
                | ErrorCode::KafkaStorageError
        )
    )
}
