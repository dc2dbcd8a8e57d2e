//! What members of a group tell each other through the coordinator: subscriptions and assignments.
//!
//! An int16 version stands before each; versions above the known ones start the same by promise (KIP-429).

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

use ottla_protocol::{
    messages::{
        ConsumerProtocolAssignment, ConsumerProtocolSubscription, Message,
        common::{
            consumer_protocol_assignment::TopicPartition as AssignedTopic,
            consumer_protocol_subscription::TopicPartition as OwnedTopic,
        },
    },
    wire::{DecodeError, Reader, StrBytes},
};

use crate::{
    admin::TopicPartition,
    consumer::assignors::{Assigned, Member},
};

/// `protocol_type` of consumer groups.
pub(super) const PROTOCOL_TYPE: &str = "consumer";

/// What a member joins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) topics: Vec<String>,
    pub(super) owned: Vec<TopicPartition>,
    pub(super) generation: i32,
    pub(super) rack: String,
    pub(super) user_data: Option<Bytes>,
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<&str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for at in partitions {
        topics.entry(&at.topic).or_default().push(at.partition);
    }
    topics
}

pub(super) fn encode_subscription(subscription: &Subscription) -> Bytes {
    let owned = |(topic, partitions): (&str, Vec<i32>)| OwnedTopic {
        topic: topic.into(),
        partitions,
        ..Default::default()
    };
    let mut topics = subscription.topics.clone();
    topics.sort();
    versioned(&ConsumerProtocolSubscription {
        topics: topics.iter().map(Into::into).collect(),
        user_data: subscription.user_data.clone(),
        owned_partitions: by_topic(&subscription.owned)
            .into_iter()
            .map(owned)
            .collect(),
        generation_id: subscription.generation,
        rack_id: (!subscription.rack.is_empty()).then(|| subscription.rack.as_str().into()),
        ..Default::default()
    })
}

/// The subscription of a member as the leader needs it.
pub(super) fn decode_member(
    id: &str,
    instance_id: Option<&str>,
    metadata: Bytes,
) -> Result<Member, DecodeError> {
    let subscription: ConsumerProtocolSubscription = decode(metadata)?;
    let owned = subscription.owned_partitions.into_iter();
    Ok(Member {
        id: id.to_owned(),
        instance_id: instance_id.map(str::to_owned),
        rack: subscription.rack_id.as_deref().map(str::to_owned),
        topics: subscription
            .topics
            .iter()
            .map(|topic| topic.to_string())
            .collect(),
        owned: flat(owned.map(|owned| (owned.topic, owned.partitions))),
        generation: Some(subscription.generation_id).filter(|generation| *generation >= 0),
        user_data: subscription.user_data,
    })
}

fn flat(topics: impl Iterator<Item = (StrBytes, Vec<i32>)>) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for (topic, partitions) in topics {
        let named = |partition| TopicPartition::new(&*topic, partition);
        all.extend(partitions.into_iter().map(named));
    }
    all
}

pub(super) fn encode_assignment(assigned: &Assigned) -> Bytes {
    let topic = |(topic, partitions): (&str, Vec<i32>)| AssignedTopic {
        topic: topic.into(),
        partitions,
        ..Default::default()
    };
    versioned(&ConsumerProtocolAssignment {
        assigned_partitions: by_topic(&assigned.partitions)
            .into_iter()
            .map(topic)
            .collect(),
        user_data: assigned.user_data.clone(),
        ..Default::default()
    })
}

/// Nothing at all is what a member without an assignment may get.
pub(super) fn decode_assignment(bytes: Bytes) -> Result<Assigned, DecodeError> {
    if bytes.is_empty() {
        return Ok(Assigned::default());
    }
    let assignment: ConsumerProtocolAssignment = decode(bytes)?;
    let topics = assignment.assigned_partitions.into_iter();
    Ok(Assigned {
        partitions: flat(topics.map(|assigned| (assigned.topic, assigned.partitions))),
        user_data: assignment.user_data,
    })
}

fn versioned<M: Message>(message: &M) -> Bytes {
    let body = message.to_bytes(M::MAX_VERSION);
    let mut bytes = BytesMut::with_capacity(2 + body.len());
    bytes.put_i16(M::MAX_VERSION);
    bytes.put_slice(&body);
    bytes.freeze()
}

fn decode<M: Message>(bytes: Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16("version")?;
    M::decode(&mut reader, version.min(M::MAX_VERSION))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_encoded_comes_back() {
        let subscription = Subscription {
            topics: vec!["b".to_owned(), "a".to_owned()],
            owned: vec![TopicPartition::new("a", 1)],
            generation: 4,
            rack: "r".to_owned(),
            user_data: Some(Bytes::from_static(b"mine")),
        };
        let member = decode_member("m", Some("i"), encode_subscription(&subscription)).unwrap();
        let expected = Member {
            id: "m".to_owned(),
            instance_id: Some("i".to_owned()),
            rack: Some("r".to_owned()),
            topics: BTreeSet::from(["a".to_owned(), "b".to_owned()]),
            owned: subscription.owned,
            generation: Some(4),
            user_data: subscription.user_data,
        };
        assert_eq!(member, expected);

        let assigned = Assigned {
            partitions: vec![
                TopicPartition::new("a", 0),
                TopicPartition::new("a", 2),
                TopicPartition::new("b", 1),
            ],
            user_data: Some(Bytes::from_static(b"yours")),
        };
        let decoded = decode_assignment(encode_assignment(&assigned)).unwrap();
        assert_eq!(decoded, assigned);
        assert_eq!(
            decode_assignment(Bytes::new()).unwrap(),
            Assigned::default()
        );
    }

    #[test]
    fn newer_versions_are_read_as_the_newest_known_and_garbage_is_refused() {
        let mut newer = encode_subscription(&Subscription::default()).to_vec();
        newer[1] = 9;
        newer.extend_from_slice(b"what later versions add");
        assert!(decode_member("m", None, newer.into()).is_ok());
        assert!(decode_member("m", None, Bytes::from_static(&[0xff, 0xff, 0, 0])).is_err());
        assert!(decode_assignment(Bytes::from_static(&[0])).is_err());
        assert!(decode_assignment(Bytes::from_static(&[0, 3, 0x7f, 0xff, 0xff, 0xff])).is_err());
    }
}
