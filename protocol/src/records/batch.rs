//! The 61 bytes in front of a batch's records, and the few changes a broker makes to them in place.
//!
//! ```text
//!  0 base offset i64        8 batch length i32 (of what follows)   12 partition leader epoch i32   16 magic i8 = 2
//! 17 crc u32 (of all after) 21 attributes i16   23 last offset delta i32   27 base timestamp i64   35 max timestamp i64
//! 43 producer id i64        51 producer epoch i16   53 base sequence i32   57 record count i32     61 records
//! ```

use super::error::RecordError;
use crate::compress::Compression;
use crate::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

/// Size of the header.
pub const BATCH_OVERHEAD: usize = 61;
/// Base offset and batch length, which the batch length does not count.
pub const LOG_OVERHEAD: usize = 12;
/// The format that is read and written.
pub const MAGIC: i8 = 2;
/// "No timestamp" in a record or batch.
pub const NO_TIMESTAMP: Millis = Millis(-1);
/// "No sequence" in a batch without a producer id.
pub const NO_SEQUENCE: i32 = -1;

const EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;

/// Messages of format 0 were at least this long; whatever claims to be shorter is garbage in every format.
const LENGTH_MIN: i32 = 14;

const COMPRESSION_BITS: i16 = 0x07;
const LOG_APPEND_TIME_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const DELETE_HORIZON_BIT: i16 = 0x40;
const KNOWN_BITS: i16 = 0x7f;

/// Who set the timestamps of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer, per record.
    #[default]
    CreateTime,
    /// The broker, one for all records.
    LogAppendTime,
}

impl TimestampType {
    /// As in `message.timestamp.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        }
    }
}

/// A batch's attribute bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub i16);

impl Attributes {
    /// The id of the codec, which may be none that exists.
    #[must_use]
    pub const fn compression_id(self) -> u8 {
        (self.0 & COMPRESSION_BITS) as u8
    }

    /// These bits with another codec.
    #[must_use]
    pub const fn with_compression(self, compression: Compression) -> Self {
        Self(self.0 & !COMPRESSION_BITS | compression.id() as i16)
    }

    /// Who set the timestamps.
    #[must_use]
    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// These bits with another timestamp type.
    #[must_use]
    pub const fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(
            LOG_APPEND_TIME_BIT,
            matches!(timestamp_type, TimestampType::LogAppendTime),
        )
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL_BIT != 0
    }

    /// These bits in or out of a transaction.
    #[must_use]
    pub const fn with_transactional(self, transactional: bool) -> Self {
        self.with(TRANSACTIONAL_BIT, transactional)
    }

    /// Whether the records are markers for brokers and not data.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 & CONTROL_BIT != 0
    }

    /// These bits for markers or data.
    #[must_use]
    pub const fn with_control(self, control: bool) -> Self {
        self.with(CONTROL_BIT, control)
    }

    /// Whether the base timestamp says when the cleaner may drop the batch's tombstones (KIP-534).
    #[must_use]
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON_BIT != 0
    }

    /// These bits with or without a delete horizon.
    #[must_use]
    pub const fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(DELETE_HORIZON_BIT, delete_horizon)
    }

    const fn with(self, bit: i16, set: bool) -> Self {
        if set {
            Self(self.0 | bit)
        } else {
            Self(self.0 & !bit)
        }
    }
}

/// A batch's header as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record the batch was built with, also when the cleaner has removed that record.
    pub base_offset: Offset,
    /// Bytes after this field; at least 49.
    pub batch_length: i32,
    /// Leader epoch at which the batch was appended.
    pub partition_leader_epoch: LeaderEpoch,
    /// The format, 2.
    pub magic: i8,
    /// CRC32C of everything after it.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: Attributes,
    /// Offset of the last record relative to the first, also when the cleaner has removed that record.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to.
    pub base_timestamp: Millis,
    /// The latest timestamp, or the append time of all records.
    pub max_timestamp: Millis,
    /// The idempotent producer, or -1.
    pub producer_id: ProducerId,
    /// Its epoch, or -1.
    pub producer_epoch: ProducerEpoch,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads a header without looking at the CRC or at what follows; the batch may be longer than `bytes`.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        frame_size(bytes)?;
        let incomplete = RecordError::Incomplete {
            size: BATCH_OVERHEAD,
            available: bytes.len(),
        };
        let Some(start) = bytes.first_chunk::<LOG_OVERHEAD>() else {
            return Err(incomplete);
        };
        let batch_length = i32::from_be_bytes(field(start, 8));
        if batch_length < (BATCH_OVERHEAD - LOG_OVERHEAD) as i32 {
            return Err(RecordError::Length(batch_length));
        }
        let Some(header) = bytes.first_chunk::<BATCH_OVERHEAD>() else {
            return Err(incomplete);
        };
        Ok(Self {
            base_offset: Offset(i64::from_be_bytes(field(header, 0))),
            batch_length,
            partition_leader_epoch: LeaderEpoch(i32::from_be_bytes(field(header, EPOCH_AT))),
            magic: i8::from_be_bytes(field(header, MAGIC_AT)),
            crc: u32::from_be_bytes(field(header, CRC_AT)),
            attributes: Attributes(i16::from_be_bytes(field(header, ATTRIBUTES_AT))),
            last_offset_delta: i32::from_be_bytes(field(header, 23)),
            base_timestamp: Millis(i64::from_be_bytes(field(header, 27))),
            max_timestamp: Millis(i64::from_be_bytes(field(header, MAX_TIMESTAMP_AT))),
            producer_id: ProducerId(i64::from_be_bytes(field(header, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(header, 51))),
            base_sequence: i32::from_be_bytes(field(header, 53)),
            record_count: i32::from_be_bytes(field(header, 57)),
        })
    }

    /// The header's bytes as the fields say, CRC and length included.
    #[must_use]
    pub fn encode(&self) -> [u8; BATCH_OVERHEAD] {
        let mut header = [0; BATCH_OVERHEAD];
        put(&mut header, 0, self.base_offset.0.to_be_bytes());
        put(&mut header, 8, self.batch_length.to_be_bytes());
        put(
            &mut header,
            EPOCH_AT,
            self.partition_leader_epoch.0.to_be_bytes(),
        );
        put(&mut header, MAGIC_AT, self.magic.to_be_bytes());
        put(&mut header, CRC_AT, self.crc.to_be_bytes());
        put(&mut header, ATTRIBUTES_AT, self.attributes.0.to_be_bytes());
        put(&mut header, 23, self.last_offset_delta.to_be_bytes());
        put(&mut header, 27, self.base_timestamp.0.to_be_bytes());
        put(
            &mut header,
            MAX_TIMESTAMP_AT,
            self.max_timestamp.0.to_be_bytes(),
        );
        put(&mut header, 43, self.producer_id.0.to_be_bytes());
        put(&mut header, 51, self.producer_epoch.0.to_be_bytes());
        put(&mut header, 53, self.base_sequence.to_be_bytes());
        put(&mut header, 57, self.record_count.to_be_bytes());
        header
    }

    /// Bytes of the whole batch, header included.
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        LOG_OVERHEAD + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// Offset of the last record the batch was built with.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    /// Where the next batch may start.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// Sequence of the last record, or -1.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence, self.last_offset_delta)
    }

    /// The codec, if the id is one.
    pub fn compression(&self) -> Result<Compression, RecordError> {
        let id = self.attributes.compression_id();
        Compression::from_id(id).ok_or(RecordError::UnknownCodec(id))
    }

    /// Who set the timestamps.
    #[must_use]
    pub const fn timestamp_type(&self) -> TimestampType {
        self.attributes.timestamp_type()
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes.is_transactional()
    }

    /// Whether the records are markers for brokers and not data.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes.is_control()
    }

    /// When the cleaner may drop the batch's tombstones, where it has said so (KIP-534).
    #[must_use]
    pub fn delete_horizon(&self) -> Option<Millis> {
        self.attributes
            .has_delete_horizon()
            .then_some(self.base_timestamp)
    }

    /// Whether an idempotent producer wrote the batch.
    #[must_use]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > ProducerId::NONE
    }
}

/// The sequence `delta` records after `base`; 0 follows the largest i32. -1 stays -1.
#[must_use]
pub fn sequence_after(base: i32, delta: i32) -> i32 {
    if base < 0 {
        return NO_SEQUENCE;
    }
    let wrapped = (i64::from(base) + i64::from(delta)).rem_euclid(1 << 31);
    // Below 2^31 by the line above.
    wrapped as i32
}

/// Bytes of the batch that starts here, looking at nothing but what all formats share; `None`: not enough bytes to tell.
/// Old formats are an error of their own, after garbage has been ruled out.
pub(super) fn frame_size(bytes: &[u8]) -> Result<Option<usize>, RecordError> {
    let Some(start) = bytes.first_chunk::<LOG_OVERHEAD>() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(field(start, 8));
    if length < LENGTH_MIN {
        return Err(RecordError::Length(length));
    }
    let Some(magic) = bytes.get(MAGIC_AT) else {
        return Ok(None);
    };
    match *magic as i8 {
        MAGIC => Ok(Some(LOG_OVERHEAD + length.unsigned_abs() as usize)),
        magic @ (0 | 1) => Err(RecordError::OldMagic(magic)),
        magic => Err(RecordError::UnknownMagic(magic)),
    }
}

/// CRC32C of what a batch's CRC covers. `batch` is the whole batch, its length already checked.
#[must_use]
pub fn computed_crc(batch: &[u8]) -> u32 {
    crc32c::crc32c(batch.get(ATTRIBUTES_AT..).unwrap_or_default())
}

/// Gives a batch its place in a log. The CRC does not cover these fields, so that a leader need not compute it again.
///
/// # Panics
/// If `batch` is shorter than a header.
pub fn patch_base_offset_and_epoch(batch: &mut [u8], base_offset: Offset, epoch: LeaderEpoch) {
    let header = header_mut(batch);
    put(header, 0, base_offset.0.to_be_bytes());
    put(header, EPOCH_AT, epoch.0.to_be_bytes());
}

/// Sets the append time of all records: the attribute bit and the header's latest timestamp, with a new CRC.
///
/// # Panics
/// If `batch` is shorter than a header.
pub fn patch_append_time(batch: &mut [u8], now: Millis) {
    patch_max_timestamp(batch, TimestampType::LogAppendTime, now);
}

/// Sets timestamp type and latest timestamp, with a new CRC if that changes anything. Attribute bits that mean nothing
/// are cleared on that occasion, as the reference does. `batch` is exactly one whole batch.
///
/// # Panics
/// If `batch` is shorter than a header.
pub fn patch_max_timestamp(batch: &mut [u8], timestamp_type: TimestampType, max_timestamp: Millis) {
    let header = header_mut(batch);
    let attributes = Attributes(i16::from_be_bytes(field(header, ATTRIBUTES_AT)));
    let current = Millis(i64::from_be_bytes(field(header, MAX_TIMESTAMP_AT)));
    if attributes.timestamp_type() == timestamp_type && current == max_timestamp {
        return;
    }
    let attributes = Attributes(attributes.0 & KNOWN_BITS).with_timestamp_type(timestamp_type);
    put(header, ATTRIBUTES_AT, attributes.0.to_be_bytes());
    put(header, MAX_TIMESTAMP_AT, max_timestamp.0.to_be_bytes());
    patch_crc(batch);
}

/// Writes the CRC that the bytes now have.
pub(super) fn patch_crc(batch: &mut [u8]) {
    let crc = computed_crc(batch);
    put(header_mut(batch), CRC_AT, crc.to_be_bytes());
}

fn header_mut(batch: &mut [u8]) -> &mut [u8; BATCH_OVERHEAD] {
    batch
        .first_chunk_mut()
        .expect("a batch is at least as long as its header")
}

/// The field of `N` bytes at a place that the layout above puts inside of the header.
fn field<const N: usize, const H: usize>(header: &[u8; H], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&header[at..at + N]);
    field
}

fn put<const N: usize>(header: &mut [u8; BATCH_OVERHEAD], at: usize, value: [u8; N]) {
    header[at..at + N].copy_from_slice(&value);
}
