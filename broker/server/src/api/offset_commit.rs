//! OffsetCommit (8).
//!
//! - v5: no retention time of its own any more (KIP-211). v6: leader epochs (KIP-320). v7: static members (KIP-345).
//! - v9: GROUP_ID_NOT_FOUND and STALE_MEMBER_EPOCH are possible (KIP-848).
//! - v10: topics by id (KIP-848).

use ottla_coordination::controller::MetadataImage;
use ottla_coordination::controller::image::TopicImage;
use ottla_coordination::group::{Command, Response, UnknownGroup, offset_commit_error};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_commit::response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use ottla_protocol::types::PartitionIndex;

use super::group::{error_of, reply};
use super::{Answer, Context};

const NOT_FOUND_FROM: i16 = 9;
const TOPIC_IDS_FROM: i16 = 10;

pub(crate) fn handle(
    context: &Context<'_>,
    mut request: OffsetCommitRequest,
) -> Answer<OffsetCommitResponse> {
    let image = context.broker.image.load();
    let by_id = context.version >= TOPIC_IDS_FROM;
    let mut refused = Vec::new();
    let topics = std::mem::take(&mut request.topics);
    let known = topics
        .into_iter()
        .filter_map(|topic| known(&image, topic, by_id, &mut refused));
    request.topics = known.collect();
    if request.topics.is_empty() {
        return Answer::now(OffsetCommitResponse {
            topics: refused,
            ..Default::default()
        });
    }
    let asked = request.clone();
    let command = Command::OffsetCommit {
        request,
        unknown_group: if context.version >= NOT_FOUND_FROM {
            UnknownGroup::NotFound
        } else {
            UnknownGroup::Legacy
        },
    };
    let answer = context.broker.groups.ask(&asked.group_id, command);
    reply(answer, move |answer| {
        let decided = match answer {
            Ok(Response::OffsetCommit(decided)) => decided,
            other => offset_commit_error(&asked, error_of(other)),
        };
        merge(refused, decided)
    })
}

/// What of a topic exists, with the topic's name; what does not is answered in `refused`.
pub(super) fn known(
    image: &MetadataImage,
    mut topic: OffsetCommitRequestTopic,
    by_id: bool,
    refused: &mut Vec<OffsetCommitResponseTopic>,
) -> Option<OffsetCommitRequestTopic> {
    let found = if by_id {
        image.topics().by_id(topic.topic_id)
    } else {
        image.topics().by_name(&topic.name)
    };
    let Some(found) = found else {
        let error = if by_id {
            ErrorCode::UnknownTopicId
        } else {
            ErrorCode::UnknownTopicOrPartition
        };
        refused.push(refuse(&topic, &topic.partitions, error));
        return None;
    };
    // Both are stored: by its id an offset is told from one of a deleted topic of the same name.
    topic.name = found.name().into();
    topic.topic_id = found.id();
    let exists = |partition: &OffsetCommitRequestPartition| {
        TopicImage::partition(found, PartitionIndex(partition.partition_index)).is_some()
    };
    let partitions = std::mem::take(&mut topic.partitions);
    let (existing, missing): (Vec<_>, Vec<_>) = partitions.into_iter().partition(exists);
    if !missing.is_empty() {
        refused.push(refuse(&topic, &missing, ErrorCode::UnknownTopicOrPartition));
    }
    topic.partitions = existing;
    (!topic.partitions.is_empty()).then_some(topic)
}

fn refuse(
    topic: &OffsetCommitRequestTopic,
    partitions: &[OffsetCommitRequestPartition],
    error: ErrorCode,
) -> OffsetCommitResponseTopic {
    let partitions = partitions
        .iter()
        .map(|partition| OffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: error.code(),
            ..Default::default()
        });
    OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
        ..Default::default()
    }
}

/// One entry a topic, also where some of its partitions exist and some do not.
pub(super) fn merge(
    refused: Vec<OffsetCommitResponseTopic>,
    decided: OffsetCommitResponse,
) -> OffsetCommitResponse {
    let mut topics = refused;
    for topic in decided.topics {
        let same = |other: &&mut OffsetCommitResponseTopic| other.name == topic.name;
        match topics.iter_mut().find(same) {
            Some(other) => other.partitions.extend(topic.partitions),
            None => topics.push(topic),
        }
    }
    OffsetCommitResponse {
        topics,
        ..Default::default()
    }
}
