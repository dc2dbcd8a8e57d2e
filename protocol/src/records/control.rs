//! Control records: what brokers tell each other inside of a log.
//!
//! Owns: the key of every control record and the value of transaction markers. Bodies of the quorum's control records
//! are messages like any other.

use super::builder::{BatchBuilder, BuildError};
use super::record::Record;
use crate::compress::Compression;
use crate::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

const KEY_VERSION: i16 = 0;
const MARKER_VERSION: i16 = 0;

/// What a control record says; types of newer brokers are to be ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlType {
    /// The producer's transaction was aborted.
    Abort,
    /// The producer's transaction was committed.
    Commit,
    /// A leader of the metadata quorum took over.
    LeaderChange,
    /// First record of a snapshot.
    SnapshotHeader,
    /// Last record of a snapshot.
    SnapshotFooter,
    /// The quorum's own feature level (KIP-853).
    KRaftVersion,
    /// The quorum's voters (KIP-853).
    KRaftVoters,
    /// Of a broker newer than this one.
    Unknown(i16),
}

/// A control record that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Key or value ends early.
    #[error("a control record's {part} has {length} bytes, which is too short")]
    Short {
        /// Key or value.
        part: &'static str,
        /// Its length.
        length: usize,
    },
    /// No version is negative.
    #[error("a control record's {part} has the negative version {version}")]
    Version {
        /// Key or value.
        part: &'static str,
        /// What it says.
        version: i16,
    },
}

impl ControlType {
    /// The type that a key stands for. Versions above the known one start the same way by promise.
    pub fn from_key(key: &[u8]) -> Result<Self, ControlError> {
        let (version, rest) = split_version("key", key)?;
        let id = rest.first_chunk().ok_or(ControlError::Short {
            part: "key",
            length: key.len(),
        })?;
        if version < 0 {
            return Err(ControlError::Version {
                part: "key",
                version,
            });
        }
        Ok(Self::from_id(i16::from_be_bytes(*id)))
    }

    /// The type of a number.
    #[must_use]
    pub const fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KRaftVersion,
            6 => Self::KRaftVoters,
            other => Self::Unknown(other),
        }
    }

    /// The number of the type.
    #[must_use]
    pub const fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KRaftVersion => 5,
            Self::KRaftVoters => 6,
            Self::Unknown(id) => id,
        }
    }

    /// The record's key.
    #[must_use]
    pub const fn key(self) -> [u8; 4] {
        let [a, b] = KEY_VERSION.to_be_bytes();
        let [c, d] = self.id().to_be_bytes();
        [a, b, c, d]
    }
}

/// The end of a producer's transaction in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// Committed or aborted.
    pub committed: bool,
    /// Epoch of the coordinator that wrote the marker; older ones are fenced by it.
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// The marker in a control record; `None` where the record is of another type.
    pub fn from_record(record: &Record<'_>) -> Result<Option<Self>, ControlError> {
        let committed = match ControlType::from_key(record.key.unwrap_or_default())? {
            ControlType::Abort => false,
            ControlType::Commit => true,
            _ => return Ok(None),
        };
        let value = record.value.unwrap_or_default();
        let (version, rest) = split_version("value", value)?;
        let epoch = rest.first_chunk().ok_or(ControlError::Short {
            part: "value",
            length: value.len(),
        })?;
        if version < 0 {
            return Err(ControlError::Version {
                part: "value",
                version,
            });
        }
        Ok(Some(Self {
            committed,
            coordinator_epoch: i32::from_be_bytes(*epoch),
        }))
    }

    /// The record's value.
    #[must_use]
    pub const fn value(self) -> [u8; 6] {
        let [a, b] = MARKER_VERSION.to_be_bytes();
        let [c, d, e, f] = self.coordinator_epoch.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// The batch that ends the producer's transaction.
    pub fn batch(
        self,
        at: Place,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
    ) -> Result<Vec<u8>, BuildError> {
        let control_type = if self.committed {
            ControlType::Commit
        } else {
            ControlType::Abort
        };
        let mut builder = at
            .builder()
            .producer(producer_id, producer_epoch, super::batch::NO_SEQUENCE)
            .transactional(true);
        builder.append(
            at.timestamp,
            Some(&control_type.key()),
            Some(&self.value()),
            &[],
        )?;
        builder.build()
    }
}

/// Where and when a control batch goes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its offset.
    pub base_offset: Offset,
    /// Epoch of the leader that appends it.
    pub leader_epoch: LeaderEpoch,
    /// The time of its records.
    pub timestamp: Millis,
}

impl Place {
    fn builder(self) -> BatchBuilder {
        BatchBuilder::new(Compression::None)
            .base_offset(self.base_offset)
            .leader_epoch(self.leader_epoch)
            .control(true)
    }
}

/// A batch of one control record, its value already encoded.
pub fn control_batch(
    at: Place,
    control_type: ControlType,
    value: &[u8],
) -> Result<Vec<u8>, BuildError> {
    control_batch_of(at, &[(control_type, value)])
}

/// The same for control records that are all there or none.
pub fn control_batch_of(
    at: Place,
    records: &[(ControlType, &[u8])],
) -> Result<Vec<u8>, BuildError> {
    let mut builder = at.builder();
    for (control_type, value) in records {
        builder.append(at.timestamp, Some(&control_type.key()), Some(value), &[])?;
    }
    builder.build()
}

fn split_version<'a>(part: &'static str, bytes: &'a [u8]) -> Result<(i16, &'a [u8]), ControlError> {
    let (version, rest) = bytes.split_first_chunk().ok_or(ControlError::Short {
        part,
        length: bytes.len(),
    })?;
    Ok((i16::from_be_bytes(*version), rest))
}
