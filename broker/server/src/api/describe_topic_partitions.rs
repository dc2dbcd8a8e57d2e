//! DescribeTopicPartitions (75): topics in pages of a bounded number of partitions (KIP-966).
//!
//! Topics come by name; the cursor of a reply names the first partition that did not fit.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_coordination::controller::image::TopicImage;
use ottla_coordination::controller::{MetadataImage, is_internal_topic, validate_topic_name};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_topic_partitions::request;
use ottla_protocol::messages::describe_topic_partitions::response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use ottla_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use ottla_protocol::types::PartitionIndex;
use ottla_protocol::wire::StrBytes;

use super::access::topic_operations;
use super::metadata::{leader_error, numbers, offline_replicas};
use super::{Answer, Context};

pub(crate) fn handle(
    context: &Context<'_>,
    request: DescribeTopicPartitionsRequest,
) -> Answer<DescribeTopicPartitionsResponse> {
    if request
        .cursor
        .as_ref()
        .is_some_and(|cursor| cursor.partition_index < 0)
    {
        return Answer::Close(
            "the cursor of DescribeTopicPartitions names a negative partition".to_owned(),
        );
    }
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let limit = limit.clamp(1, context.broker.settings.describe_partitions_max);
    let image = context.broker.image.load();
    let names: Vec<StrBytes> = if request.topics.is_empty() {
        let from = request
            .cursor
            .as_ref()
            .map_or("", |cursor| cursor.topic_name.as_str());
        image
            .topics()
            .iter_from(from)
            .map(|topic| topic.name().into())
            .collect()
    } else {
        let names: BTreeSet<StrBytes> =
            request.topics.into_iter().map(|topic| topic.name).collect();
        let from = request
            .cursor
            .as_ref()
            .map_or("", |cursor| cursor.topic_name.as_str());
        names
            .into_iter()
            .filter(|name| name.as_str() >= from)
            .collect()
    };
    Answer::now(page(&image, &names, request.cursor.as_ref(), limit))
}

fn page(
    image: &MetadataImage,
    names: &[StrBytes],
    cursor: Option<&request::Cursor>,
    limit: usize,
) -> DescribeTopicPartitionsResponse {
    let mut response = DescribeTopicPartitionsResponse::default();
    let mut left = limit;
    for name in names {
        let Some(topic) = image.topics().by_name(name) else {
            response.topics.push(unknown(name));
            continue;
        };
        let first = cursor
            .filter(|cursor| cursor.topic_name == *name)
            .map_or(0, |cursor| cursor.partition_index);
        if left == 0 {
            response.next_cursor = Some(cursor_at(name, first));
            break;
        }
        let described = describe(image, topic, first, left);
        left -= described.partitions.len();
        let next = described
            .partitions
            .last()
            .map_or(first, |partition| partition.partition_index + 1);
        response.topics.push(described);
        if topic.partition(PartitionIndex(next)).is_some() {
            response.next_cursor = Some(cursor_at(name, next));
            break;
        }
    }
    response
}

fn cursor_at(topic: &StrBytes, partition_index: i32) -> Cursor {
    Cursor {
        topic_name: topic.clone(),
        partition_index,
        ..Default::default()
    }
}

fn unknown(name: &StrBytes) -> DescribeTopicPartitionsResponseTopic {
    let error = match validate_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    DescribeTopicPartitionsResponseTopic {
        error_code: error.code(),
        name: Some(name.clone()),
        is_internal: is_internal_topic(name),
        topic_authorized_operations: topic_operations(true),
        ..Default::default()
    }
}

fn describe(
    image: &MetadataImage,
    topic: &Arc<TopicImage>,
    first: i32,
    limit: usize,
) -> DescribeTopicPartitionsResponseTopic {
    let partitions = topic
        .partitions()
        .range(PartitionIndex(first)..)
        .take(limit);
    let partitions =
        partitions.map(
            |(index, partition)| DescribeTopicPartitionsResponsePartition {
                error_code: leader_error(partition).code(),
                partition_index: index.0,
                leader_id: partition.leader.map_or(-1, |leader| leader.0),
                leader_epoch: partition.leader_epoch.0,
                replica_nodes: numbers(&partition.replicas),
                isr_nodes: numbers(&partition.isr),
                offline_replicas: offline_replicas(image, partition),
                eligible_leader_replicas: Some(numbers(&partition.eligible_leader_replicas)),
                last_known_elr: Some(numbers(&partition.last_known_elr)),
                ..Default::default()
            },
        );
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name().into()),
        topic_id: topic.id(),
        is_internal: is_internal_topic(topic.name()),
        partitions: partitions.collect(),
        topic_authorized_operations: topic_operations(true),
        ..Default::default()
    }
}
