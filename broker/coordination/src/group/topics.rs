//! What groups see of the cluster's topics: ids, partition counts, and a hash that tells whether any of it changed.
//!
//! Always: a view of one [`MetadataImage`], so a clone costs a few counters and nothing changes under a reader. The
//! hashes are the reference's, byte for byte: they are written into group records, and a group that comes from there
//! must not see a change where there is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::types::Offset;
use ottla_protocol::wire::Uuid;
use twox_hash::XxHash3_64;

use crate::controller::MetadataImage;
use crate::controller::image::TopicImage;

/// Names the way a topic is hashed; another way would be another number.
const TOPIC_HASH_MAGIC: u8 = 0;

/// The topics of one metadata image. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    image: MetadataImage,
    /// Of topics that groups are subscribed to, as each join needs them. They come from the image and go with it.
    hashes: BTreeMap<Uuid, i64>,
}

impl Topics {
    #[must_use]
    pub fn new(image: MetadataImage) -> Self {
        Self {
            image,
            hashes: BTreeMap::new(),
        }
    }

    /// The image's end in the metadata log; a later image has a higher one.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.image.end()
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.image.topics().iter().map(|topic| topic.name())
    }

    #[must_use]
    pub fn id(&self, name: &str) -> Option<Uuid> {
        Some(self.image.topics().by_name(name)?.id())
    }

    #[must_use]
    pub fn name(&self, id: Uuid) -> Option<&str> {
        Some(self.image.topics().by_id(id)?.name())
    }

    /// How many partitions the topic has; none where there is no such topic.
    #[must_use]
    pub fn partition_count(&self, id: Uuid) -> usize {
        let topic = self.image.topics().by_id(id);
        topic.map_or(0, |topic| topic.partitions().len())
    }

    /// A number that changes with the topic's id, partitions, or the racks of their replicas; 0 for a topic that does
    /// not exist (the reference's `Utils.computeTopicHash`).
    #[must_use]
    pub fn hash(&self, name: &str) -> i64 {
        let topic = self.image.topics().by_name(name);
        topic.map_or(0, |topic| self.topic_hash(topic))
    }

    /// Keeps the topics' hashes, which take a look at each partition.
    pub(super) fn remember<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            if let Some(topic) = self.image.topics().by_name(name)
                && !self.hashes.contains_key(&topic.id())
            {
                self.hashes.insert(topic.id(), self.topic_hash(topic));
            }
        }
    }

    fn topic_hash(&self, topic: &Arc<TopicImage>) -> i64 {
        match self.hashes.get(&topic.id()) {
            Some(hash) => *hash,
            None => self.compute_hash(topic),
        }
    }

    fn compute_hash(&self, topic: &Arc<TopicImage>) -> i64 {
        let mut bytes = vec![TOPIC_HASH_MAGIC];
        let id = topic.id();
        let (most, least) = id.0.split_at(8);
        bytes.extend(most.iter().rev().chain(least.iter().rev()));
        put_string(&mut bytes, topic.name());
        put_int(&mut bytes, topic.partitions().len());
        for (index, partition) in topic.partitions() {
            bytes.extend(index.0.to_le_bytes());
            let brokers = partition.replicas.iter();
            let mut racks: Vec<&str> = brokers
                .filter_map(|id| self.image.cluster().broker(*id)?.rack.as_deref())
                .collect();
            racks.sort_unstable();
            for rack in racks {
                put_int(&mut bytes, rack.encode_utf16().count());
                put_string(&mut bytes, rack);
            }
        }
        XxHash3_64::oneshot(&bytes).cast_signed()
    }

    /// One number for all of the named topics that exist; 0 for none (`Utils.computeGroupHash`). Names in order.
    pub fn group_hash<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> i64 {
        let mut bytes = Vec::new();
        for topic in names
            .into_iter()
            .filter_map(|name| self.image.topics().by_name(name))
        {
            bytes.extend(self.topic_hash(topic).to_le_bytes());
        }
        if bytes.is_empty() {
            return 0;
        }
        XxHash3_64::oneshot(&bytes).cast_signed()
    }
}

/// As the reference's hash library feeds strings: UTF-16 and then their length.
fn put_string(bytes: &mut Vec<u8>, text: &str) {
    let mut length = 0;
    for unit in text.encode_utf16() {
        bytes.extend(unit.to_le_bytes());
        length += 1;
    }
    put_int(bytes, length);
}

fn put_int(bytes: &mut Vec<u8>, number: usize) {
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    bytes.extend(number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::metadata::{
        MetadataRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord,
    };

    use super::*;

    fn image(topics: &[(&str, &str, &[&[i32]])]) -> Topics {
        let mut image = MetadataImage::default();
        for (broker_id, rack) in [(0, None), (1, Some("rack-a")), (2, Some("rack-b"))] {
            let broker = RegisterBrokerRecord {
                broker_id,
                rack: rack.map(Into::into),
                ..Default::default()
            };
            image.apply(Offset(0), &MetadataRecord::RegisterBroker(broker));
        }
        for (name, id, partitions) in topics {
            let topic_id = Uuid::parse(id).unwrap();
            let topic = TopicRecord {
                name: (*name).into(),
                topic_id,
                ..Default::default()
            };
            image.apply(Offset(0), &MetadataRecord::Topic(topic));
            for (index, replicas) in partitions.iter().enumerate() {
                let partition = PartitionRecord {
                    topic_id,
                    partition_id: i32::try_from(index).unwrap(),
                    replicas: replicas.to_vec(),
                    ..Default::default()
                };
                image.apply(Offset(0), &MetadataRecord::Partition(partition));
            }
        }
        Topics::new(image)
    }

    /// The numbers are what `Utils` of Kafka 4.3.1 gives for the same topics.
    #[test]
    fn what_is_remembered_is_what_is_computed() {
        let orders = "AAAAAAAAAAAAAAAAAAAAAQ";
        let mut topics = image(&[("orders", orders, &[&[1], &[2]])]);
        let computed = topics.group_hash(["orders"]);
        topics.remember(["orders", "missing"]);
        assert_eq!(topics.hashes.len(), 1);
        assert_eq!(topics.group_hash(["orders"]), computed);
    }

    #[test]
    fn hashes_are_the_references() {
        let wide: Vec<&[i32]> = vec![&[0]; 200];
        let topics = image(&[
            ("orders", "l4bW6aMHuhN4l9ByxAJihA", &[&[0], &[0], &[0]]),
            ("payments.v1", "BOyehsRf482F-o92wrZLUg", &[&[2, 1], &[1, 1]]),
            ("wide", "R9uuPclq2L5NCWVU7E7Npg", &wide),
        ]);
        assert_eq!(topics.hash("orders"), 323_246_816_347_771_363);
        assert_eq!(topics.hash("payments.v1"), -6_960_002_589_070_943_818);
        assert_eq!(topics.hash("wide"), 1_750_721_373_493_501_563);
        assert_eq!(topics.hash("missing"), 0);
        assert_eq!(topics.group_hash(["orders"]), -6_131_038_817_661_999_035);
        assert_eq!(topics.group_hash(["missing"]), 0);
    }

    #[test]
    fn a_topic_that_does_not_exist_leaves_the_hash_of_a_group_as_it_is() {
        let topics = image(&[
            ("orders", "l4bW6aMHuhN4l9ByxAJihA", &[&[0]]),
            ("payments", "BOyehsRf482F-o92wrZLUg", &[&[0]]),
        ]);
        let both = topics.group_hash(["orders", "payments"]);
        assert_eq!(topics.group_hash(["missing", "orders", "payments"]), both);
        assert_ne!(topics.group_hash(["orders"]), both);
    }
}
