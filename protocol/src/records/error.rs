//! Why a record set was refused, and which error code that is for a producer.

use crate::compress::CompressError;
use crate::errors::ErrorCode;

/// What is wrong with a record set, a batch or a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Nothing, or less than one batch.
    #[error("there is no complete record batch")]
    NoBatch,
    /// A producer may send one batch per partition (KIP-98).
    #[error("there is more than one record batch")]
    SeveralBatches,
    /// Fewer bytes than the header says.
    #[error("the batch is {size} bytes long by its header, but there are only {available}")]
    Incomplete {
        /// What the header says, or the header's own size.
        size: usize,
        /// What is there.
        available: usize,
    },
    /// No batch or message of any format is that short.
    #[error("the batch length {0} is too small")]
    Length(i32),
    /// A message set of an old format.
    #[error("format {0} is no longer supported, only format 2 is")]
    OldMagic(i8),
    /// A format that never was.
    #[error("unknown format {0}")]
    UnknownMagic(i8),
    /// Damaged on its way, or by whoever wrote it.
    #[error("the CRC is {stored} in the header and {computed} over the bytes")]
    Crc {
        /// From the header.
        stored: u32,
        /// Over the bytes.
        computed: u32,
    },
    /// Codec ids 5 to 7 mean nothing.
    #[error("unknown compression id {0}")]
    UnknownCodec(u8),
    /// A producer of an old version must not send zstd, since consumers of that age can't read it (KIP-110).
    #[error("zstd is not allowed in this version of the request")]
    ZstdTooNew,
    /// The payload could not be inflated.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// Producers count from 0; the broker assigns offsets.
    #[error("the base offset should be 0, but it is {0}")]
    BaseOffset(i64),
    /// Above `max.message.bytes`.
    #[error("the batch is {size} bytes long, which exceeds the maximum of {max}")]
    TooLarge {
        /// Size of the batch.
        size: usize,
        /// What the topic allows.
        max: usize,
    },
    /// The last offset is below the first.
    #[error("the last offset delta {0} is negative")]
    OffsetRange(i32),
    /// Zero or negative.
    #[error("the record count {0} is not positive")]
    Count(i32),
    /// A producer's batch has no gaps.
    #[error("the last offset delta is {last_offset_delta}, but the record count is {count}")]
    CountMismatch {
        /// From the header.
        last_offset_delta: i32,
        /// From the header.
        count: i32,
    },
    /// Only brokers write control records.
    #[error("clients are not allowed to write control records")]
    Control,
    /// An idempotent batch has a sequence.
    #[error("the base sequence {0} is negative, but there is a producer id")]
    Sequence(i32),
    /// No producer has an epoch below -1.
    #[error("the producer epoch {0} is invalid")]
    ProducerEpoch(i16),
    /// The request carries no transactional id.
    #[error("the batch is transactional, but the request is not")]
    NotTransactional,
    /// A record does not have the structure of one.
    #[error("record {index} is malformed: {reason}")]
    Malformed {
        /// Which record of the batch, from 0.
        index: u32,
        /// What was found.
        reason: &'static str,
    },
    /// Fewer records than announced.
    #[error("the batch ends after {found} of {count} records")]
    MissingRecords {
        /// Whole records.
        found: u32,
        /// What the header says.
        count: i32,
    },
    /// Bytes after the last announced record.
    #[error("there are bytes after the last of {0} records")]
    BytesLeft(i32),
    /// Records of a compressed batch are not numbered 0, 1, 2 …
    #[error("the offset deltas of the records are not consecutive")]
    OffsetDeltas,
    /// The batch is sound, but some records are not allowed here.
    #[error("{} records were rejected; the first is record {}: {}", .0.len(), .0[0].index, .0[0].reason)]
    Rejected(Vec<RejectedRecord>),
}

/// A record that the topic's configuration does not allow. Produce replies carry these from version 8 on (KIP-467).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Which record of the batch, from 0.
    pub index: u32,
    /// Why.
    pub reason: RejectReason,
}

/// Why a sound record is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// A compacted topic keeps the last record per key.
    #[error("a compacted topic cannot accept a record without a key")]
    NoKey,
    /// Outside of `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`.
    #[error("timestamp {timestamp} is out of range, it should be within [{earliest}, {latest}]")]
    Timestamp {
        /// The record's.
        timestamp: i64,
        /// Lowest allowed.
        earliest: i64,
        /// Highest allowed.
        latest: i64,
    },
    /// Only the broker sets append times.
    #[error("a producer should not set the timestamp type to LogAppendTime")]
    TimestampType,
}

impl RecordError {
    /// The error for the producer. Where the reference trips over its own feet and answers UNKNOWN_SERVER_ERROR
    /// (damaged payloads, unknown codecs, lengths that overflow, overlong varints, odd offset deltas), a code that says
    /// what is wrong and keeps the producer from trying again.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Length(_) | Self::UnknownMagic(_) | Self::Crc { .. } => ErrorCode::CorruptMessage,
            Self::UnknownCodec(_) | Self::ZstdTooNew => ErrorCode::UnsupportedCompressionType,
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::ProducerEpoch(_) => ErrorCode::InvalidProducerEpoch,
            Self::NotTransactional => ErrorCode::TransactionalIdAuthorizationFailed,
            Self::Rejected(records) => {
                let timestamps = records
                    .iter()
                    .any(|record| record.reason != RejectReason::NoKey);
                if timestamps {
                    ErrorCode::InvalidTimestamp
                } else {
                    ErrorCode::InvalidRecord
                }
            }
            Self::NoBatch
            | Self::SeveralBatches
            | Self::Incomplete { .. }
            | Self::OldMagic(_)
            | Self::Compress(_)
            | Self::BaseOffset(_)
            | Self::OffsetRange(_)
            | Self::Count(_)
            | Self::CountMismatch { .. }
            | Self::Control
            | Self::Sequence(_)
            | Self::Malformed { .. }
            | Self::MissingRecords { .. }
            | Self::BytesLeft(_)
            | Self::OffsetDeltas => ErrorCode::InvalidRecord,
        }
    }
}
