//! Builds batches, byte for byte as the reference does where nothing is compressed.

use super::batch::{
    Attributes, BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD, MAGIC, NO_SEQUENCE, NO_TIMESTAMP,
    TimestampType, computed_crc,
};
use super::error::RecordError;
use super::iter::{Iter, split};
use super::record::Header;
use super::varint::{varint_size, write_varint, write_varlong};
use crate::compress::{CompressError, Compression, InflateLimits};
use crate::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

/// The most that length, attributes and deltas of a record take.
const RECORD_OVERHEAD_MAX: usize = 21;

/// Why a batch cannot take a record or be finished.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A batch's length is an i32.
    #[error("the batch would be longer than {} bytes", i32::MAX)]
    TooLarge,
    /// Only -1 is below zero and means "none".
    #[error("invalid timestamp {0}: it is negative")]
    Timestamp(i64),
    /// Offset deltas rise.
    #[error(
        "offset {offset} is not between the last one and base offset {base} plus {}",
        i32::MAX
    )]
    Offset {
        /// The one given.
        offset: i64,
        /// The batch's base offset.
        base: i64,
    },
    /// No record was appended; see [`empty_batch`].
    #[error("the batch has no records")]
    Empty,
    /// The codec failed.
    #[error(transparent)]
    Compress(#[from] CompressError),
}

/// Collects records and makes a batch of them. Without settings: offsets from 0, leader epoch -1, no producer, no
/// compression, the producer's timestamps.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    compression: Compression,
    level: Option<i32>,
    append_time: Option<Millis>,
    delete_horizon: Option<Millis>,
    last_offset: Option<Offset>,
    next_offset: Offset,
    /// The records, with room for the header in front.
    buffer: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new(Compression::None)
    }
}

impl BatchBuilder {
    /// An empty batch.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        Self {
            header: BatchHeader {
                base_offset: Offset::ZERO,
                batch_length: 0,
                partition_leader_epoch: LeaderEpoch(-1),
                magic: MAGIC,
                crc: 0,
                attributes: Attributes::default().with_compression(compression),
                last_offset_delta: 0,
                base_timestamp: NO_TIMESTAMP,
                max_timestamp: NO_TIMESTAMP,
                producer_id: ProducerId::NONE,
                producer_epoch: ProducerEpoch(-1),
                base_sequence: NO_SEQUENCE,
                record_count: 0,
            },
            compression,
            level: None,
            append_time: None,
            delete_horizon: None,
            last_offset: None,
            next_offset: Offset::ZERO,
            buffer: vec![0; BATCH_OVERHEAD],
        }
    }

    /// The codec's level; without it the codec's default.
    #[must_use]
    pub const fn level(mut self, level: Option<i32>) -> Self {
        self.level = level;
        self
    }

    /// Offset of the first record.
    #[must_use]
    pub const fn base_offset(mut self, offset: Offset) -> Self {
        self.header.base_offset = offset;
        self.next_offset = offset;
        self
    }

    /// Epoch of the leader that appends.
    #[must_use]
    pub const fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.header.partition_leader_epoch = epoch;
        self
    }

    /// One append time for all records in place of their own times.
    #[must_use]
    pub const fn append_time(mut self, now: Millis) -> Self {
        self.header.attributes = self
            .header
            .attributes
            .with_timestamp_type(TimestampType::LogAppendTime);
        self.append_time = Some(now);
        self
    }

    /// The idempotent producer and the first record's sequence.
    #[must_use]
    pub const fn producer(
        mut self,
        id: ProducerId,
        epoch: ProducerEpoch,
        base_sequence: i32,
    ) -> Self {
        self.set_producer(id, epoch, base_sequence);
        self
    }

    /// As [`Self::producer`], for a batch that gets its sequence when it is sent.
    pub const fn set_producer(&mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
    }

    /// Puts the batch into the producer's transaction.
    #[must_use]
    pub const fn transactional(mut self, transactional: bool) -> Self {
        self.header.attributes = self.header.attributes.with_transactional(transactional);
        self
    }

    /// The records are markers for brokers.
    #[must_use]
    pub const fn control(mut self, control: bool) -> Self {
        self.header.attributes = self.header.attributes.with_control(control);
        self
    }

    /// When the cleaner may drop the batch's tombstones; timestamps become relative to it (KIP-534).
    #[must_use]
    pub const fn delete_horizon(mut self, horizon: Option<Millis>) -> Self {
        self.header.attributes = self
            .header
            .attributes
            .with_delete_horizon(horizon.is_some());
        self.delete_horizon = horizon;
        self
    }

    /// The offset of the last record that the batch once had, which the cleaner keeps.
    #[must_use]
    pub const fn last_offset(mut self, offset: Offset) -> Self {
        self.last_offset = Some(offset);
        self
    }

    /// Adds a record at the next offset; returns its place in the batch.
    pub fn append(
        &mut self,
        timestamp: Millis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<i32, BuildError> {
        self.append_at(self.next_offset, timestamp, key, value, headers)
    }

    /// Adds a record at an offset above the last one; returns its offset delta.
    pub fn append_at(
        &mut self,
        offset: Offset,
        timestamp: Millis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<i32, BuildError> {
        if timestamp < NO_TIMESTAMP {
            return Err(BuildError::Timestamp(timestamp.0));
        }
        let base = self.header.base_offset;
        let delta = i32::try_from(offset.since(base))
            .ok()
            .filter(|delta| *delta >= 0 && offset >= self.next_offset)
            .ok_or(BuildError::Offset {
                offset: offset.0,
                base: base.0,
            })?;
        let base_timestamp = if self.header.record_count == 0 {
            self.delete_horizon.unwrap_or(timestamp)
        } else {
            self.header.base_timestamp
        };
        let body = Body {
            timestamp_delta: timestamp.0.saturating_sub(base_timestamp.0),
            offset_delta: delta,
            key,
            value,
            headers,
        };
        let size = body.size();
        if self.buffer.len() + size > i32::MAX as usize - RECORD_OVERHEAD_MAX {
            return Err(BuildError::TooLarge);
        }
        self.buffer.reserve(size + RECORD_OVERHEAD_MAX);
        // Checked above: the whole batch fits an i32.
        write_varint(size as i32, &mut self.buffer);
        body.write(&mut self.buffer);

        self.header.base_timestamp = base_timestamp;
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        self.header.last_offset_delta = delta;
        self.header.record_count += 1;
        self.next_offset = offset.next();
        Ok(delta)
    }

    /// The header as it is so far, without length and CRC.
    #[must_use]
    pub const fn header(&self) -> BatchHeader {
        self.header
    }

    /// Records so far.
    #[must_use]
    pub const fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// Whether there are no records yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.header.record_count == 0
    }

    /// Size of the batch if it were built now without compression.
    #[must_use]
    pub const fn size_in_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The latest timestamp so far, -1 without records.
    #[must_use]
    pub const fn max_timestamp(&self) -> Millis {
        self.header.max_timestamp
    }

    /// The batch.
    pub fn build(mut self) -> Result<Vec<u8>, BuildError> {
        if self.is_empty() {
            return Err(BuildError::Empty);
        }
        if let Some(last_offset) = self.last_offset {
            let base = self.header.base_offset;
            self.header.last_offset_delta = i32::try_from(last_offset.since(base))
                .ok()
                .filter(|_| last_offset.next() >= self.next_offset)
                .ok_or(BuildError::Offset {
                    offset: last_offset.0,
                    base: base.0,
                })?;
        }
        if let Some(now) = self.append_time {
            self.header.max_timestamp = now;
        }
        let batch = if self.compression == Compression::None {
            self.buffer
        } else {
            let records = &self.buffer[BATCH_OVERHEAD..];
            let mut packed = Vec::with_capacity(BATCH_OVERHEAD + records.len() / 2);
            packed.resize(BATCH_OVERHEAD, 0);
            self.compression
                .compress(self.level, records, &mut packed)?;
            packed
        };
        seal(self.header, batch)
    }
}

/// What a record of these parts takes at most, its length included.
#[must_use]
pub fn record_size_max(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) -> usize {
    RECORD_OVERHEAD_MAX + parts_size(key, value, headers)
}

/// What is left of a batch whose last record the cleaner has removed: the header alone, so that the producer's sequence
/// and the offsets are not forgotten.
#[must_use]
pub fn empty_batch(of: &BatchHeader) -> [u8; BATCH_OVERHEAD] {
    let mut header = *of;
    header.batch_length = (BATCH_OVERHEAD - LOG_OVERHEAD) as i32;
    header.attributes = header
        .attributes
        .with_compression(Compression::None)
        .with_delete_horizon(false);
    header.base_timestamp = NO_TIMESTAMP;
    header.record_count = 0;
    header.crc = computed_crc(&header.encode());
    header.encode()
}

/// The same records under another codec, numbered without gaps from the batch's base offset, as a topic with its own
/// `compression.type` wants them. The batch has been validated, and so holds no records out of order where it is
/// compressed: what it inflates to is passed on as it is, and never held as a whole.
pub fn recompress(
    batch: &[u8],
    compression: Compression,
    level: Option<i32>,
    limits: InflateLimits,
    bytes_max: usize,
) -> Result<Vec<u8>, RecompressError> {
    let (header, packed) = split(batch)?;
    let made = match header.compression()? {
        Compression::None => rebuild(header, packed, compression, level)?,
        codec => {
            let measured = measure(codec, packed, limits)?;
            let mut made = vec![0; BATCH_OVERHEAD];
            let mut inflater = codec.inflater(packed, limits).map_err(RecordError::from)?;
            let fits = compression
                .transcode(level, &mut inflater, measured, &mut made, bytes_max)
                .map_err(RecordError::from)?;
            if !fits {
                return Err(RecompressError::TooLarge { bytes_max });
            }
            let known = Attributes::default()
                .with_compression(compression)
                .with_timestamp_type(header.timestamp_type())
                .with_transactional(header.is_transactional())
                .with_control(header.is_control());
            let header = BatchHeader {
                attributes: known,
                ..header
            };
            seal(header, made)?
        }
    };
    if made.len() > bytes_max {
        return Err(RecompressError::TooLarge { bytes_max });
    }
    Ok(made)
}

/// How much a payload inflates to.
fn measure(codec: Compression, packed: &[u8], limits: InflateLimits) -> Result<u64, RecordError> {
    let mut inflater = codec.inflater(packed, limits)?;
    let mut piece = [0; 4 << 10];
    while inflater.read(&mut piece)? > 0 {}
    Ok(inflater.produced())
}

fn rebuild(
    header: BatchHeader,
    payload: &[u8],
    compression: Compression,
    level: Option<i32>,
) -> Result<Vec<u8>, RecompressError> {
    let mut builder = BatchBuilder::new(compression)
        .level(level)
        .base_offset(header.base_offset)
        .leader_epoch(header.partition_leader_epoch)
        .producer(
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        )
        .transactional(header.is_transactional())
        .control(header.is_control());
    if header.timestamp_type() == TimestampType::LogAppendTime {
        builder = builder.append_time(header.max_timestamp);
    }
    let mut headers = Vec::new();
    for record in Iter::new(header, payload) {
        let record = record?;
        headers.clear();
        headers.extend(record.headers);
        builder.append(record.timestamp, record.key, record.value, &headers)?;
    }
    Ok(builder.build()?)
}

/// Why a batch could not be compressed anew.
#[derive(Debug, thiserror::Error)]
pub enum RecompressError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] RecordError),
    /// It could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It has become longer than it may be.
    #[error("compressed anew the batch is longer than the {bytes_max} bytes that are allowed")]
    TooLarge {
        /// The most that was allowed.
        bytes_max: usize,
    },
}

/// Writes the header over the first bytes of `batch`, with the length and CRC that it has.
fn seal(mut header: BatchHeader, mut batch: Vec<u8>) -> Result<Vec<u8>, BuildError> {
    header.batch_length =
        i32::try_from(batch.len() - LOG_OVERHEAD).map_err(|_| BuildError::TooLarge)?;
    batch[..BATCH_OVERHEAD].copy_from_slice(&header.encode());
    super::batch::patch_crc(&mut batch);
    Ok(batch)
}

struct Body<'a> {
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: &'a [Header<'a>],
}

impl Body<'_> {
    fn size(&self) -> usize {
        1 + varint_size(self.timestamp_delta)
            + varint_size(i64::from(self.offset_delta))
            + parts_size(self.key, self.value, self.headers)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(0); // Attributes, of which none is defined.
        write_varlong(self.timestamp_delta, out);
        write_varint(self.offset_delta, out);
        write_nullable(self.key, out);
        write_nullable(self.value, out);
        write_varlong(self.headers.len() as i64, out);
        for header in self.headers {
            write_nullable(Some(header.key), out);
            write_nullable(header.value, out);
        }
    }
}

fn parts_size(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) -> usize {
    let headers_size: usize = headers
        .iter()
        .map(|header| nullable_size(Some(header.key)) + nullable_size(header.value))
        .sum();
    nullable_size(key) + nullable_size(value) + varint_size(headers.len() as i64) + headers_size
}

fn nullable_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_size(bytes.len() as i64) + bytes.len())
}

fn write_nullable(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some(bytes) = bytes else {
        return write_varint(-1, out);
    };
    write_varlong(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}
