//! OffsetFetch (9).
//!
//! - v2: null asks for all topics; an error for the reply as a whole. v7: pending transactions can be waited for.
//! - v8: several groups at once (KIP-709). v9: members of the new protocol. v10: topics by id (KIP-848).

use ottla_coordination::controller::MetadataImage;
use ottla_coordination::group::{Command, Response, offset_fetch_error};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::offset_fetch::request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::offset_fetch::response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ottla_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use ottla_protocol::wire::StrBytes;

use super::group::{error_of, reply_all};
use super::{Answer, Context};

const ERROR_OF_ALL_FROM: i16 = 2;
const GROUPS_FROM: i16 = 8;
const TOPIC_IDS_FROM: i16 = 10;
const NO_OFFSET: i64 = -1;

/// What is needed of a group's part of the request once its machine has answered.
struct Wanted {
    group_id: StrBytes,
    /// Topics whose ids nobody knows.
    unknown: Vec<OffsetFetchResponseTopics>,
    asked: Option<Vec<OffsetFetchRequestTopics>>,
}

pub(crate) fn handle(
    context: &Context<'_>,
    request: OffsetFetchRequest,
) -> Answer<OffsetFetchResponse> {
    let version = context.version;
    let require_stable = request.require_stable;
    let image = context.broker.image.load();
    let asked = groups_of(version, request).into_iter().map(|mut group| {
        let unknown = match (&mut group.topics, version) {
            (Some(topics), TOPIC_IDS_FROM..) => name_topics(&image, topics),
            _ => Vec::new(),
        };
        let wanted = Wanted {
            group_id: group.group_id.clone(),
            unknown,
            asked: group.topics.clone(),
        };
        let group_id = group.group_id.clone();
        (
            wanted,
            context.broker.groups.ask(
                &group_id,
                Command::OffsetFetch {
                    group,
                    require_stable,
                },
            ),
        )
    });
    let broker = context.broker.clone();
    reply_all(asked.collect(), move |answers| {
        let image = broker.image.load();
        let groups = answers.into_iter().map(|(wanted, answer)| match answer {
            Ok(Response::OffsetFetch(mut group)) => {
                // An error of the group is all that is told of it.
                if version >= TOPIC_IDS_FROM && group.error_code == 0 {
                    identify_topics(&image, &mut group.topics);
                    group.topics.extend(wanted.unknown);
                }
                group
            }
            other => failed(version, &wanted, error_of(other)),
        });
        respond(version, groups.collect())
    })
}

fn groups_of(version: i16, request: OffsetFetchRequest) -> Vec<OffsetFetchRequestGroup> {
    if version >= GROUPS_FROM {
        return request.groups;
    }
    let topics = request.topics.map(|topics| {
        let topic = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..Default::default()
        });
        topic.collect()
    });
    vec![OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics,
        ..Default::default()
    }]
}

/// Gives topics that are told by id their names. Those that are not known are taken out, and answered for.
fn name_topics(
    image: &MetadataImage,
    topics: &mut Vec<OffsetFetchRequestTopics>,
) -> Vec<OffsetFetchResponseTopics> {
    let mut unknown = Vec::new();
    topics.retain_mut(|topic| match image.topics().by_id(topic.topic_id) {
        Some(found) => {
            topic.name = found.name().into();
            true
        }
        None => {
            unknown.push(without_offsets(topic, ErrorCode::UnknownTopicId));
            false
        }
    });
    unknown
}

/// Gives topics of an answer their ids; those of topics that are gone cannot be told.
fn identify_topics(image: &MetadataImage, topics: &mut Vec<OffsetFetchResponseTopics>) {
    topics.retain_mut(|topic| {
        if topic.topic_id.is_zero()
            && let Some(found) = image.topics().by_name(&topic.name)
        {
            topic.topic_id = found.id();
        }
        !topic.topic_id.is_zero()
    });
}

fn failed(version: i16, wanted: &Wanted, error: ErrorCode) -> OffsetFetchResponseGroup {
    if version >= ERROR_OF_ALL_FROM {
        return offset_fetch_error(&wanted.group_id, error);
    }
    // Version 1 has room for errors in partitions only.
    let asked = wanted.asked.iter().flatten();
    OffsetFetchResponseGroup {
        group_id: wanted.group_id.clone(),
        topics: asked.map(|topic| without_offsets(topic, error)).collect(),
        ..Default::default()
    }
}

fn without_offsets(
    topic: &OffsetFetchRequestTopics,
    error: ErrorCode,
) -> OffsetFetchResponseTopics {
    let partition = |index: &i32| OffsetFetchResponsePartitions {
        partition_index: *index,
        committed_offset: NO_OFFSET,
        committed_leader_epoch: -1,
        metadata: Some("".into()),
        error_code: error.code(),
        ..Default::default()
    };
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(partition).collect(),
        ..Default::default()
    }
}

fn respond(version: i16, mut groups: Vec<OffsetFetchResponseGroup>) -> OffsetFetchResponse {
    if version >= GROUPS_FROM {
        return OffsetFetchResponse {
            groups,
            ..Default::default()
        };
    }
    let group = groups.pop().unwrap_or_default();
    OffsetFetchResponse {
        error_code: group.error_code,
        topics: group.topics.into_iter().map(topic_of_one_group).collect(),
        ..Default::default()
    }
}

fn topic_of_one_group(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
        ..Default::default()
    };
    OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
        ..Default::default()
    }
}
