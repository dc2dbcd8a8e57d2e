//! One record: reading it from a slice without copying.
//!
//! ```text
//! length varint | attributes i8 | timestamp delta varlong | offset delta varint | key length varint, key
//! | value length varint, value | header count varint | per header: key length varint, key, value length varint, value
//! ```
//! Negative lengths of keys, values and header values are null; header keys are never null.

use bytes::Bytes;

use super::batch::{BatchHeader, TimestampType, sequence_after};
use super::error::RecordError;
use super::varint::{VarintError, read_varint, read_varlong};
use crate::types::{Millis, Offset};

/// A record of a batch, borrowed from its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Place in the log.
    pub offset: Offset,
    /// The producer's time, or the append time where the batch says so.
    pub timestamp: Millis,
    /// The idempotent producer's sequence, or -1.
    pub sequence: i32,
    /// Bytes the record takes in the uncompressed batch, its length included.
    pub size_in_bytes: usize,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; none is a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// The headers in order.
    pub headers: Headers<'a>,
}

/// A record's header. Keys may repeat. They should be UTF-8, but nobody checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// A record that keeps the buffer alive that it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Place in the log.
    pub offset: Offset,
    /// The producer's time, or the append time where the batch says so.
    pub timestamp: Millis,
    /// The idempotent producer's sequence, or -1.
    pub sequence: i32,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers in order.
    pub headers: Vec<OwnedHeader>,
}

/// A header that keeps the buffer alive that it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedHeader {
    /// Its name.
    pub key: Bytes,
    /// Its value.
    pub value: Option<Bytes>,
}

impl Record<'_> {
    /// The same as slices of `buffer`, which must be where the record was read from.
    #[must_use]
    pub fn to_owned_in(&self, buffer: &Bytes) -> OwnedRecord {
        OwnedRecord {
            offset: self.offset,
            timestamp: self.timestamp,
            sequence: self.sequence,
            key: self.key.map(|key| buffer.slice_ref(key)),
            value: self.value.map(|value| buffer.slice_ref(value)),
            headers: self
                .headers
                .map(|header| OwnedHeader {
                    key: buffer.slice_ref(header.key),
                    value: header.value.map(|value| buffer.slice_ref(value)),
                })
                .collect(),
        }
    }
}

/// The headers of one record, read as they are asked for; their structure has been checked with the record's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    rest: &'a [u8],
    count: u32,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        read_header(&mut self.rest).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Each header takes two bytes at least, and the record has that many.
        (self.count as usize, Some(self.count as usize))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// The parts of a record before the batch gives them their meaning.
pub(super) struct Fields<'a> {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Headers<'a>,
    pub(super) size_in_bytes: usize,
}

impl<'a> Fields<'a> {
    /// Reads the record that `input` starts with and moves past it.
    pub(super) fn read(input: &mut &'a [u8]) -> Result<Self, &'static str> {
        let before = input.len();
        let size = read_varint(input).map_err(VarintError::reason)?;
        let size = usize::try_from(size).map_err(|_| "its length is negative")?;
        let (mut body, rest) = input
            .split_at_checked(size)
            .ok_or("its length exceeds what is left of the batch")?;
        *input = rest;
        let fields = Self::read_body(&mut body, before - rest.len())?;
        if !body.is_empty() {
            return Err("its length exceeds its fields");
        }
        Ok(fields)
    }

    fn read_body(body: &mut &'a [u8], size_in_bytes: usize) -> Result<Self, &'static str> {
        // The attributes of a record mean nothing so far.
        *body = body.get(1..).ok_or("it is empty")?;
        let timestamp_delta = read_varlong(body).map_err(VarintError::reason)?;
        let offset_delta = read_varint(body).map_err(VarintError::reason)?;
        let key = read_nullable(body)?;
        let value = read_nullable(body)?;
        let count = read_varint(body).map_err(VarintError::reason)?;
        let count = u32::try_from(count).map_err(|_| "its header count is negative")?;
        if count as usize > body.len() {
            return Err("its header count exceeds what is left of it");
        }
        let headers = Headers { rest: body, count };
        for _ in 0..count {
            read_header(body)?;
        }
        Ok(Self {
            timestamp_delta,
            offset_delta,
            key,
            value,
            headers,
            size_in_bytes,
        })
    }

    pub(super) fn in_batch(self, batch: &BatchHeader) -> Record<'a> {
        Record {
            // Wrapping, since a hostile batch may hold any numbers; a broker never lets such a batch in.
            offset: Offset(
                batch
                    .base_offset
                    .0
                    .wrapping_add(i64::from(self.offset_delta)),
            ),
            timestamp: record_timestamp(batch, self.timestamp_delta),
            sequence: sequence_after(batch.base_sequence, self.offset_delta),
            size_in_bytes: self.size_in_bytes,
            key: self.key,
            value: self.value,
            headers: self.headers,
        }
    }
}

/// A record's timestamp from its delta.
pub(super) fn record_timestamp(batch: &BatchHeader, delta: i64) -> Millis {
    match batch.timestamp_type() {
        TimestampType::CreateTime => Millis(batch.base_timestamp.0.wrapping_add(delta)),
        TimestampType::LogAppendTime => batch.max_timestamp,
    }
}

pub(super) fn malformed(index: u32, reason: &'static str) -> RecordError {
    RecordError::Malformed { index, reason }
}

fn read_header<'a>(input: &mut &'a [u8]) -> Result<Header<'a>, &'static str> {
    let key = read_nullable(input)?.ok_or("a header has no key")?;
    let value = read_nullable(input)?;
    Ok(Header { key, value })
}

fn read_nullable<'a>(input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let length = read_varint(input).map_err(VarintError::reason)?;
    let Ok(length) = usize::try_from(length) else {
        return Ok(None);
    };
    let (bytes, rest) = input
        .split_at_checked(length)
        .ok_or("a length exceeds what is left of it")?;
    *input = rest;
    Ok(Some(bytes))
}
