//! What members of classic groups tell each other through the coordinator, where they are consumers: subscriptions and
//! assignments, each behind its version. The coordinator looks into them where both protocols meet.
//!
//! Versions above the known ones begin as those do, by promise (KIP-429).

use bytes::Bytes;
use ottla_protocol::messages::common::consumer_protocol_assignment::TopicPartition;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, Message};
use ottla_protocol::wire::{DecodeError, Reader};

use super::assignors::Assignment;
use super::records::versioned;
use super::topics::Topics;

/// `protocol_type` of consumers.
pub(super) const CONSUMER: &str = "consumer";

pub(super) fn subscription(metadata: &Bytes) -> Result<ConsumerProtocolSubscription, DecodeError> {
    decode(metadata)
}

/// What a member owns by its subscription, of topics that exist.
pub(super) fn owned(
    subscription: &ConsumerProtocolSubscription,
    topics: &Topics,
) -> Vec<TopicPartitions> {
    let owned = subscription.owned_partitions.iter().filter_map(|owned| {
        Some(TopicPartitions {
            topic_id: topics.id(&owned.topic)?,
            partitions: owned.partitions.clone(),
            ..Default::default()
        })
    });
    owned.collect()
}

/// Nothing at all is what a member has before its first assignment.
pub(super) fn assignment(bytes: &Bytes) -> Result<ConsumerProtocolAssignment, DecodeError> {
    if bytes.is_empty() {
        return Ok(ConsumerProtocolAssignment::default());
    }
    decode(bytes)
}

/// The partitions of an assignment, of topics that exist.
pub(super) fn assigned(assignment: &ConsumerProtocolAssignment, topics: &Topics) -> Assignment {
    let assigned = assignment.assigned_partitions.iter().filter_map(|topic| {
        let partitions = topic.partitions.iter().copied().collect();
        Some((topics.id(&topic.topic)?, partitions))
    });
    assigned.collect()
}

/// An assignment as a member with this subscription reads it: in the version of the subscription.
pub(super) fn to_bytes(
    partitions: impl IntoIterator<Item = (ottla_protocol::wire::Uuid, Vec<i32>)>,
    topics: &Topics,
    metadata: &Bytes,
) -> Result<Bytes, DecodeError> {
    let version = version::<ConsumerProtocolAssignment>(&mut Reader::new(metadata.clone()))?;
    let named = partitions.into_iter().filter_map(|(topic_id, partitions)| {
        Some(TopicPartition {
            topic: topics.name(topic_id)?.into(),
            partitions,
            ..Default::default()
        })
    });
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: named.collect(),
        ..Default::default()
    };
    Ok(versioned(&assignment, version))
}

fn decode<M: Message>(bytes: &Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes.clone());
    let version = version::<M>(&mut reader)?;
    M::decode(&mut reader, version)
}

fn version<M: Message>(reader: &mut Reader) -> Result<i16, DecodeError> {
    let version = reader.i16("version")?.min(M::MAX_VERSION);
    M::check_version(version)?;
    Ok(version)
}
