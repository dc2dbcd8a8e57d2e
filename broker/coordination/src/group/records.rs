//! The records of `__consumer_offsets`, and their bytes.
//!
//! A key starts with its type, a value with its version, two bytes each; a null value is a tombstone. The versions
//! written are the reference's: 3 for groups, 4 for offsets, 1 for offsets with an expiry time of their own.

use bytes::{BufMut, Bytes, BytesMut};
use ottla_protocol::messages::Message;
use ottla_protocol::messages::internal::{
    GroupMetadataKey, GroupMetadataValue, LegacyOffsetCommitKey, LegacyOffsetCommitValue,
    OffsetCommitKey, OffsetCommitValue,
};
use ottla_protocol::types::{ProducerEpoch, ProducerId};
use ottla_protocol::wire::{DecodeError, Reader};
use thiserror::Error;

use super::consumer::ConsumerRecord;
use crate::txn::EndTransaction;

const GROUP_METADATA_VERSION: i16 = 3;
const OFFSET_COMMIT_VERSION: i16 = 4;
const OFFSET_COMMIT_WITH_EXPIRY_VERSION: i16 = 1;

/// A record of `__consumer_offsets`; no value is a tombstone.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupRecord {
    GroupMetadata {
        key: GroupMetadataKey,
        value: Option<GroupMetadataValue>,
    },
    OffsetCommit {
        key: OffsetCommitKey,
        value: Option<OffsetCommitValue>,
    },
    Consumer(ConsumerRecord),
    Transaction(TransactionRecord),
}

/// What a producer's transaction did to offsets. Its bytes are an offset's, or a control record's; that they are a
/// transaction's is told by the header of their batch.
#[derive(Clone, Debug, PartialEq)]
pub enum TransactionRecord {
    /// An offset that counts once the transaction is committed.
    Offset {
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        key: OffsetCommitKey,
        value: OffsetCommitValue,
    },
    /// The marker that ends the producer's transaction.
    End(EndTransaction),
}

/// As what the records of one decision go into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchKind {
    Plain,
    /// One batch of the producer's transaction. Who follows its sequence is somebody else: it begins with 0 again.
    Transactional {
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
    },
    /// A control batch with this marker.
    Marker(EndTransaction),
}

impl BatchKind {
    /// A decision concerns one transaction or none.
    #[must_use]
    pub fn of(records: &[GroupRecord]) -> Self {
        let mut kinds = records.iter().map(GroupRecord::batch_kind);
        let first = kinds.next().unwrap_or(Self::Plain);
        assert!(kinds.all(|kind| kind == first), "records of several kinds");
        let is_alone = records.len() == 1;
        assert!(
            is_alone || !matches!(first, Self::Marker(_)),
            "a marker is a batch of its own"
        );
        first
    }
}

/// A record of `__consumer_offsets` that can't be read.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error("a record of the offsets topic has no key")]
    NoKey,
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl GroupRecord {
    /// Key and value as they go into the log.
    #[must_use]
    pub fn encode(&self) -> (Bytes, Option<Bytes>) {
        match self {
            Self::GroupMetadata { key, value } => (
                with_number(GroupMetadataKey::API_KEY, &key.to_bytes(0)),
                value
                    .as_ref()
                    .map(|value| versioned(value, GROUP_METADATA_VERSION)),
            ),
            Self::OffsetCommit { key, value } => (
                with_number(OffsetCommitKey::API_KEY, &key.to_bytes(0)),
                value
                    .as_ref()
                    .map(|value| versioned(value, offset_commit_version(value))),
            ),
            Self::Consumer(record) => record.encode(),
            Self::Transaction(TransactionRecord::Offset { key, value, .. }) => (
                with_number(OffsetCommitKey::API_KEY, &key.to_bytes(0)),
                Some(versioned(value, offset_commit_version(value))),
            ),
            Self::Transaction(TransactionRecord::End(end)) => end.encode(),
        }
    }

    /// In what kind of batch the record is one of its transaction, or of none.
    fn batch_kind(&self) -> BatchKind {
        match self {
            Self::Transaction(TransactionRecord::Offset {
                producer_id,
                producer_epoch,
                ..
            }) => BatchKind::Transactional {
                producer_id: *producer_id,
                producer_epoch: *producer_epoch,
            },
            Self::Transaction(TransactionRecord::End(end)) => BatchKind::Marker(*end),
            Self::GroupMetadata { .. } | Self::OffsetCommit { .. } | Self::Consumer(_) => {
                BatchKind::Plain
            }
        }
    }

    /// The record as one of a transactional batch. Only offsets wait for the transaction's end.
    #[must_use]
    pub fn in_transaction(self, producer_id: ProducerId, producer_epoch: ProducerEpoch) -> Self {
        match self {
            Self::OffsetCommit {
                key,
                value: Some(value),
            } => Self::Transaction(TransactionRecord::Offset {
                producer_id,
                producer_epoch,
                key,
                value,
            }),
            other => other,
        }
    }

    /// Reads a record; `None` where the type is one that this machine has no part in.
    pub fn decode(key: Option<Bytes>, value: Option<Bytes>) -> Result<Option<Self>, RecordError> {
        let mut key = Reader::new(key.ok_or(RecordError::NoKey)?);
        let key_type = key.i16("type")?;
        match key_type {
            LegacyOffsetCommitKey::API_KEY => {
                let key = LegacyOffsetCommitKey::decode(&mut key, 0)?;
                let value = decode_value::<LegacyOffsetCommitValue>(value)?;
                Ok(Some(from_legacy(key, value)))
            }
            OffsetCommitKey::API_KEY => Ok(Some(Self::OffsetCommit {
                key: OffsetCommitKey::decode(&mut key, 0)?,
                value: decode_value(value)?,
            })),
            GroupMetadataKey::API_KEY => Ok(Some(Self::GroupMetadata {
                key: GroupMetadataKey::decode(&mut key, 0)?,
                value: decode_value(value)?,
            })),
            _ => Ok(ConsumerRecord::decode(key_type, &mut key, value)?.map(Self::Consumer)),
        }
    }

    /// The group that it is about; none where that is not one group.
    #[must_use]
    pub fn group_id(&self) -> Option<&str> {
        match self {
            Self::GroupMetadata { key, .. } => Some(&key.group),
            Self::OffsetCommit { key, .. } => Some(&key.group),
            Self::Consumer(record) => Some(&record.group_id),
            Self::Transaction(TransactionRecord::Offset { key, .. }) => Some(&key.group),
            Self::Transaction(TransactionRecord::End(_)) => None,
        }
    }
}

fn offset_commit_version(value: &OffsetCommitValue) -> i16 {
    if value.expire_timestamp >= 0 {
        OFFSET_COMMIT_WITH_EXPIRY_VERSION
    } else {
        OFFSET_COMMIT_VERSION
    }
}

/// Offsets of key type 0 mean the same as those of type 1; only very old brokers wrote them.
fn from_legacy(key: LegacyOffsetCommitKey, value: Option<LegacyOffsetCommitValue>) -> GroupRecord {
    GroupRecord::OffsetCommit {
        key: OffsetCommitKey {
            group: key.group,
            topic: key.topic,
            partition: key.partition,
            ..Default::default()
        },
        value: value.map(|value| OffsetCommitValue {
            offset: value.offset,
            metadata: value.metadata,
            commit_timestamp: value.commit_timestamp,
            ..Default::default()
        }),
    }
}

pub(crate) fn versioned<M: Message>(message: &M, version: i16) -> Bytes {
    with_number(version, &message.to_bytes(version))
}

pub(crate) fn with_number(number: i16, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(2 + body.len());
    bytes.put_i16(number);
    bytes.put_slice(body);
    bytes.freeze()
}

pub(super) fn decode_value<M: Message>(value: Option<Bytes>) -> Result<Option<M>, RecordError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let mut reader = Reader::new(value);
    let version = reader.i16("version")?;
    Ok(Some(M::decode(&mut reader, version)?))
}
