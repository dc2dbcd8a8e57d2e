//! Metadata (3): brokers, topics and who leads what.
//!
//! - v0: an empty list asks for all topics; from v1 on null does, and the reply names the controller.
//! - v4: the client says whether topics may be created. Before it, they may.
//! - v8 to v10: bits of allowed operations. v10, v12: topics by id.
//! - v13: an error for the reply as a whole.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ottla_coordination::controller::image::{PartitionImage, TopicImage};
use ottla_coordination::controller::{MetadataImage, is_internal_topic, validate_topic_name};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::api::metadata::request::MetadataRequestTopic;
use ottla_protocol::messages::api::metadata::response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::{StrBytes, Uuid};

use super::access::{cluster_operations, topic_operations};
use super::{Answer, Context};
use crate::broker::Broker;
use crate::exec::auto_create;
use crate::net::Peer;

/// Before it, the absence of a leader cannot be told from an empty list of topics.
const NULL_ASKS_FOR_ALL_FROM: i16 = 1;
/// First version in which the client says whether it wants topics created.
const CREATION_FLAG_FROM: i16 = 4;
const NO_NODE: i32 = -1;

/// What of a request outlives it.
struct Query {
    /// None: all topics.
    topics: Option<Vec<Wanted>>,
    topic_operations: i32,
    cluster_operations: i32,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Name(StrBytes),
    Id(Uuid),
}

pub(crate) fn handle(context: &Context<'_>, request: MetadataRequest) -> Answer<MetadataResponse> {
    let creates = context.version < CREATION_FLAG_FROM || request.allow_auto_topic_creation;
    let query = Query {
        topic_operations: topic_operations(request.include_topic_authorized_operations),
        cluster_operations: cluster_operations(request.include_cluster_authorized_operations),
        topics: wanted(context.version, request.topics),
    };
    let broker = context.broker;
    let missing = if creates {
        missing(&query, &broker.image.load())
    } else {
        Vec::new()
    };
    if missing.is_empty() || !auto_create::is_enabled(broker) {
        return Answer::now(respond(broker, context.peer, &query, &HashMap::new()));
    }
    let (broker, peer) = (broker.clone(), context.peer.clone());
    Answer::later(async move {
        let refused = auto_create::create(&broker, missing).await;
        respond(&broker, &peer, &query, &refused)
    })
}

fn wanted(version: i16, topics: Option<Vec<MetadataRequestTopic>>) -> Option<Vec<Wanted>> {
    let topics = topics?;
    if topics.is_empty() && version < NULL_ASKS_FOR_ALL_FROM {
        return None;
    }
    // Names are copied out of the frame: the reply may have to wait. Kafka's Java client sends an empty name with an id.
    let wanted = |topic: MetadataRequestTopic| match topic.name {
        Some(name) if topic.topic_id.is_zero() => Wanted::Name(name.detached()),
        _ => Wanted::Id(topic.topic_id),
    };
    // Each is told once, as by the reference: an answer must not grow by repeating one large topic.
    let mut seen = BTreeSet::new();
    let mut topics: Vec<Wanted> = topics.into_iter().map(wanted).collect();
    topics.retain(|topic| seen.insert(topic.clone()));
    Some(topics)
}

/// Names of topics that could exist and do not.
fn missing(query: &Query, image: &MetadataImage) -> Vec<StrBytes> {
    let names = query
        .topics
        .iter()
        .flatten()
        .filter_map(|topic| match topic {
            Wanted::Name(name) => Some(name),
            Wanted::Id(_) => None,
        });
    let missing = names
        .filter(|name| image.topics().by_name(name).is_none() && validate_topic_name(name).is_ok());
    missing.cloned().collect()
}

fn respond(
    broker: &Broker,
    peer: &Peer,
    query: &Query,
    refused: &HashMap<StrBytes, ErrorCode>,
) -> MetadataResponse {
    let image = broker.image.load();
    let describe = |topic: &Arc<TopicImage>| describe(&image, topic, query.topic_operations);
    let topics = match &query.topics {
        None => image.topics().iter().map(describe).collect(),
        Some(wanted) => wanted
            .iter()
            .map(|wanted| match wanted {
                Wanted::Name(name) => image
                    .topics()
                    .by_name(name)
                    .map_or_else(|| unknown_name(name, refused, query), describe),
                Wanted::Id(id) => image
                    .topics()
                    .by_id(*id)
                    .map_or_else(|| unknown_id(*id, query), describe),
            })
            .collect(),
    };
    MetadataResponse {
        brokers: vec![this_broker(broker, peer)],
        cluster_id: Some(broker.identity.cluster_id.as_str().into()),
        controller_id: broker.identity.node_id.0,
        topics,
        cluster_authorized_operations: query.cluster_operations,
        ..Default::default()
    }
}

fn this_broker(broker: &Broker, peer: &Peer) -> MetadataResponseBroker {
    let (host, port) = broker.address_for(peer);
    MetadataResponseBroker {
        node_id: broker.identity.node_id.0,
        host: host.into(),
        port,
        rack: broker.settings.rack.as_deref().map(Into::into),
        ..Default::default()
    }
}

fn unknown_name(
    name: &StrBytes,
    refused: &HashMap<StrBytes, ErrorCode>,
    query: &Query,
) -> MetadataResponseTopic {
    let error = match validate_topic_name(name) {
        Ok(()) => refused
            .get(name)
            .copied()
            .unwrap_or(ErrorCode::UnknownTopicOrPartition),
        Err(_) => ErrorCode::InvalidTopicException,
    };
    MetadataResponseTopic {
        error_code: error.code(),
        name: Some(name.clone()),
        is_internal: is_internal_topic(name),
        topic_authorized_operations: query.topic_operations,
        ..Default::default()
    }
}

fn unknown_id(id: Uuid, query: &Query) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: ErrorCode::UnknownTopicId.code(),
        name: None,
        topic_id: id,
        topic_authorized_operations: query.topic_operations,
        ..Default::default()
    }
}

fn describe(
    image: &MetadataImage,
    topic: &Arc<TopicImage>,
    topic_authorized_operations: i32,
) -> MetadataResponseTopic {
    let partitions =
        topic
            .partitions()
            .iter()
            .map(|(index, partition)| MetadataResponsePartition {
                error_code: leader_error(partition).code(),
                partition_index: index.0,
                leader_id: partition.leader.map_or(NO_NODE, |leader| leader.0),
                leader_epoch: partition.leader_epoch.0,
                replica_nodes: numbers(&partition.replicas),
                isr_nodes: numbers(&partition.isr),
                offline_replicas: offline_replicas(image, partition),
                ..Default::default()
            });
    MetadataResponseTopic {
        name: Some(topic.name().into()),
        topic_id: topic.id(),
        is_internal: is_internal_topic(topic.name()),
        partitions: partitions.collect(),
        topic_authorized_operations,
        ..Default::default()
    }
}

/// Replicas on brokers that cannot be reached, or in directories that are offline.
pub(super) fn offline_replicas(image: &MetadataImage, partition: &PartitionImage) -> Vec<i32> {
    let is_online = |id: BrokerId| {
        let broker = image.cluster().broker(id).filter(|broker| !broker.fenced);
        let directory = partition.directory(id);
        broker.is_some_and(|broker| directory.is_none_or(|dir| broker.has_online(dir)))
    };
    let replicas = partition.replicas.iter().copied();
    replicas
        .filter(|id| !is_online(*id))
        .map(|id| id.0)
        .collect()
}

pub(super) fn leader_error(partition: &PartitionImage) -> ErrorCode {
    match partition.leader {
        Some(_) => ErrorCode::None,
        None => ErrorCode::LeaderNotAvailable,
    }
}

pub(super) fn numbers(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}
