//! OffsetDelete (47): drops committed offsets of single partitions (KIP-496).

use ottla_coordination::controller::MetadataImage;
use ottla_coordination::group::{Command, Response, offset_delete_error};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::offset_delete::request::OffsetDeleteRequestTopic;
use ottla_protocol::messages::offset_delete::response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use ottla_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use ottla_protocol::types::PartitionIndex;

use super::group::{error_of, reply};
use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    mut request: OffsetDeleteRequest,
) -> Answer<OffsetDeleteResponse> {
    let image = context.broker.image.load();
    let mut refused = Vec::new();
    let topics = std::mem::take(&mut request.topics);
    let known = topics
        .into_iter()
        .filter_map(|topic| known(&image, topic, &mut refused));
    request.topics = known.collect();
    let group_id = request.group_id.clone();
    let asked = context
        .broker
        .groups
        .ask(&group_id, Command::OffsetDelete(request));
    reply(asked, move |answer| {
        let mut response = match answer {
            Ok(Response::OffsetDelete(response)) => response,
            other => offset_delete_error(error_of(other)),
        };
        if response.error_code == ErrorCode::None.code() {
            merge(&mut response.topics, refused);
        }
        response
    })
}

fn known(
    image: &MetadataImage,
    mut topic: OffsetDeleteRequestTopic,
    refused: &mut Vec<OffsetDeleteResponseTopic>,
) -> Option<OffsetDeleteRequestTopic> {
    let found = image.topics().by_name(&topic.name);
    let exists =
        |index: i32| found.is_some_and(|found| found.partition(PartitionIndex(index)).is_some());
    let partitions = std::mem::take(&mut topic.partitions);
    let (existing, missing): (Vec<_>, Vec<_>) = partitions
        .into_iter()
        .partition(|partition| exists(partition.partition_index));
    if !missing.is_empty() {
        let partitions = missing
            .iter()
            .map(|partition| OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: ErrorCode::UnknownTopicOrPartition.code(),
                ..Default::default()
            });
        refused.push(OffsetDeleteResponseTopic {
            name: topic.name.clone(),
            partitions: partitions.collect(),
            ..Default::default()
        });
    }
    topic.partitions = existing;
    (!topic.partitions.is_empty()).then_some(topic)
}

fn merge(topics: &mut Vec<OffsetDeleteResponseTopic>, refused: Vec<OffsetDeleteResponseTopic>) {
    for topic in refused {
        match topics.iter_mut().find(|other| other.name == topic.name) {
            Some(other) => other.partitions.extend(topic.partitions),
            None => topics.push(topic),
        }
    }
}
