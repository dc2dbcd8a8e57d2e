//! A batch on its way through the producer: open for records, then bytes, perhaps sent more than once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use ottla_protocol::{
    compress::Compression,
    records::{
        BATCH_OVERHEAD, BatchBuilder, BatchHeader, Header,
        batch::{computed_crc, sequence_after},
        builder::{BuildError, record_size_max},
    },
    types::{Millis, ProducerEpoch, ProducerId},
};

use super::{ProduceError, delivery::Completion};

/// Who sends, for brokers that filter duplicates (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: ProducerId,
    pub(super) epoch: ProducerEpoch,
}

/// What makes a batch recognisable when it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) identity: Identity,
    pub(super) sequence: i32,
}

/// The order in which a partition's batches go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchId {
    /// Rises with every batch that is opened.
    pub(super) opened: u64,
    /// Of a batch that was split, where this part of it begins: the first record's place in the whole.
    pub(super) from_record: i32,
}

impl BatchId {
    pub(super) fn new(opened: u64) -> Self {
        Self {
            opened,
            from_record: 0,
        }
    }
}

#[derive(Debug)]
enum Content {
    Open(BatchBuilder),
    Built(Bytes),
}

/// Records for one partition that are sent, acknowledged and fail together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) id: BatchId,
    pub(super) completion: Arc<Completion>,
    pub(super) created: Instant,
    /// What it counts against `buffer.memory`.
    pub(super) reserved_bytes: usize,
    pub(super) record_count: i32,
    /// What it takes before compression.
    pub(super) plain_bytes: usize,
    pub(super) stamp: Option<Stamp>,
    /// How often it has been sent in vain.
    pub(super) failures: u32,
    pub(super) retry_at: Option<Instant>,
    pub(super) last_error: Option<ProduceError>,
    content: Content,
}

impl Batch {
    pub(super) fn open(
        id: BatchId,
        completion: Arc<Completion>,
        created: Instant,
        reserved_bytes: usize,
        (compression, level): (Compression, Option<i32>),
        is_transactional: bool,
    ) -> Self {
        let builder = BatchBuilder::new(compression)
            .level(level)
            .transactional(is_transactional);
        Self {
            id,
            completion,
            created,
            reserved_bytes,
            record_count: 0,
            plain_bytes: builder.size_in_bytes(),
            stamp: None,
            failures: 0,
            retry_at: None,
            last_error: None,
            content: Content::Open(builder),
        }
    }

    /// Adds a record and returns its place.
    pub(super) fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<i32, BuildError> {
        match &mut self.content {
            Content::Open(builder) => {
                let index = builder.append(Millis(timestamp), key, value, headers)?;
                self.record_count = builder.record_count();
                self.plain_bytes = builder.size_in_bytes();
                Ok(index)
            }
            Content::Built(_) => unreachable!("only open batches take records"),
        }
    }

    /// Bytes it takes, before compression while it is open.
    pub(super) fn size(&self) -> usize {
        match &self.content {
            Content::Open(_) => self.plain_bytes,
            Content::Built(bytes) => bytes.len(),
        }
    }

    /// Gives it an identity, or another one than it was built with.
    pub(super) fn set_stamp(&mut self, stamp: Stamp) {
        self.stamp = Some(stamp);
        match &mut self.content {
            Content::Open(builder) => {
                builder.set_producer(stamp.identity.id, stamp.identity.epoch, stamp.sequence);
            }
            Content::Built(bytes) => *bytes = restamped(bytes, stamp),
        }
    }

    /// Its bytes, compressed and sealed when this is called first.
    pub(super) fn bytes(&mut self) -> Result<Bytes, BuildError> {
        if let Content::Built(bytes) = &self.content {
            return Ok(bytes.clone());
        }
        let built = Content::Built(Bytes::new());
        let Content::Open(builder) = std::mem::replace(&mut self.content, built) else {
            return Ok(Bytes::new());
        };
        let bytes = Bytes::from(builder.build()?);
        self.content = Content::Built(bytes.clone());
        Ok(bytes)
    }

    /// Its bytes, where they were asked for before.
    pub(super) fn built(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Open(_) => None,
            Content::Built(bytes) => Some(bytes),
        }
    }

    pub(super) fn next_sequence(&self) -> Option<i32> {
        self.stamp
            .map(|stamp| sequence_after(stamp.sequence, self.record_count))
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.created)
    }
}

/// The same records under another identity: the header changes, and the CRC with it.
fn restamped(bytes: &Bytes, stamp: Stamp) -> Bytes {
    let mut changed = bytes.to_vec();
    let Ok(mut header) = BatchHeader::read(&changed) else {
        return bytes.clone();
    };
    header.producer_id = stamp.identity.id;
    header.producer_epoch = stamp.identity.epoch;
    header.base_sequence = stamp.sequence;
    // Twice: the CRC covers the fields just changed and stands before them.
    for _ in 0..2 {
        if let Some(start) = changed.get_mut(..BATCH_OVERHEAD) {
            start.copy_from_slice(&header.encode());
        }
        header.crc = computed_crc(&changed);
    }
    Bytes::from(changed)
}

/// What a batch with this record alone takes at most.
pub(super) fn lone_batch_size_max(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header<'_>],
) -> usize {
    BATCH_OVERHEAD + record_size_max(key, value, headers)
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::check_batch;

    use super::*;

    fn stamp(epoch: i16, sequence: i32) -> Stamp {
        Stamp {
            identity: Identity {
                id: ProducerId(9),
                epoch: ProducerEpoch(epoch),
            },
            sequence,
        }
    }

    #[test]
    fn a_batch_sent_again_is_the_same_bytes_and_under_a_new_epoch_still_sound() {
        for compression in Compression::ALL {
            let completion = Arc::new(Completion::new("t".into(), 0));
            let mut batch = Batch::open(
                BatchId::new(1),
                completion,
                Instant::now(),
                100,
                (compression, None),
                true,
            );
            for index in 0..3 {
                assert_eq!(
                    batch.append(5, Some(b"k"), Some(b"value"), &[]).unwrap(),
                    index
                );
            }
            batch.set_stamp(stamp(0, 10));
            let first = batch.bytes().unwrap();
            assert_eq!(batch.bytes().unwrap(), first);
            assert_eq!(batch.next_sequence(), Some(13));
            batch.set_stamp(stamp(1, 0));
            let second = batch.bytes().unwrap();
            let header = BatchHeader::read(&second).unwrap();
            assert_eq!((header.producer_epoch.0, header.base_sequence), (1, 0));
            assert!(check_batch(&second).is_ok(), "{compression:?}");
            assert!(header.attributes.is_transactional());
            assert_eq!(first[BATCH_OVERHEAD..], second[BATCH_OVERHEAD..]);
        }
    }
}
