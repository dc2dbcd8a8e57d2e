//! A log in memory for the hosts under test, and a generator of numbers from a seed.

use ottla_coordination::Log;
use ottla_coordination::controller::MetadataImage;
use ottla_coordination::group::topics::Topics;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::metadata::{MetadataRecord, PartitionRecord, TopicRecord};
use ottla_protocol::types::{Millis, Offset};
use ottla_protocol::wire::Uuid;

/// Keeps what was appended; refuses the next append when told to.
#[derive(Debug)]
pub(crate) struct MemoryLog<R> {
    pub(crate) records: Vec<R>,
    pub(crate) refuse_next: Option<ErrorCode>,
}

impl<R> Default for MemoryLog<R> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            refuse_next: None,
        }
    }
}

impl<R> MemoryLog<R> {
    pub(crate) fn end(&self) -> Offset {
        Offset(i64::try_from(self.records.len()).expect("a short log"))
    }
}

impl<R: Clone> Log<R> for MemoryLog<R> {
    fn append(&mut self, _: Millis, records: &[R]) -> Result<Offset, ErrorCode> {
        if let Some(error) = self.refuse_next.take() {
            return Err(error);
        }
        let base = self.end();
        self.records.extend_from_slice(records);
        Ok(base)
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
#[derive(Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("fits")
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            return None;
        }
        items.get(self.below(items.len()))
    }
}

/// A cluster with these topics: name, id, number of partitions.
pub(crate) fn topics<'a>(list: impl IntoIterator<Item = (&'a str, Uuid, usize)>) -> Topics {
    let mut image = MetadataImage::default();
    for (name, topic_id, count) in list {
        let topic = TopicRecord {
            name: name.into(),
            topic_id,
            ..Default::default()
        };
        image.apply(image.end(), &MetadataRecord::Topic(topic));
        for index in 0..count {
            let partition = PartitionRecord {
                topic_id,
                partition_id: i32::try_from(index).expect("not so many partitions"),
                ..Default::default()
            };
            image.apply(image.end(), &MetadataRecord::Partition(partition));
        }
    }
    Topics::new(image)
}
