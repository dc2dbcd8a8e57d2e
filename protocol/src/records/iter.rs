//! The records of one batch.

use bytes::Bytes;

use super::batch::{BATCH_OVERHEAD, BatchHeader};
use super::error::RecordError;
use super::outline::Outline;
use super::record::{Fields, OwnedRecord, Record, malformed};
use super::run::Run;
use crate::compress::{Compression, InflateLimits};

/// A batch whose records can be read: its header, and the records inflated if they were compressed.
#[derive(Clone, Debug)]
pub struct Records {
    /// The batch's header.
    pub header: BatchHeader,
    payload: Bytes,
}

impl Records {
    /// Opens a batch. What is not compressed is not copied; the CRC is not looked at.
    pub fn open(batch: &Bytes, limits: InflateLimits) -> Result<Self, RecordError> {
        let (header, packed) = split(batch)?;
        let payload = match header.compression()? {
            Compression::None => batch.slice_ref(packed),
            codec => Bytes::from(codec.inflate(packed, limits)?),
        };
        Ok(Self { header, payload })
    }

    /// The records, borrowed.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self.header, &self.payload)
    }

    /// The records from where a reader has stopped.
    #[must_use]
    pub fn iter_from(&self, cursor: Cursor) -> Iter<'_> {
        Iter {
            rest: self.payload.get(cursor.at..).unwrap_or_default(),
            read: cursor.read,
            ..self.iter()
        }
    }

    /// Where this reader of these records has stopped, for whoever can't keep the borrow.
    #[must_use]
    pub fn cursor(&self, iter: &Iter<'_>) -> Cursor {
        Cursor {
            at: self.payload.len().saturating_sub(iter.rest.len()),
            read: iter.read,
        }
    }

    /// The records, each keeping the buffer alive.
    pub fn owned(&self) -> impl Iterator<Item = Result<OwnedRecord, RecordError>> + '_ {
        self.iter()
            .map(|record| record.map(|record| record.to_owned_in(&self.payload)))
    }

    /// The bytes of all records, uncompressed. Slices of records can be turned into `Bytes` of it by `slice_ref`.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<Record<'a>, RecordError>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// A place between two records of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    at: usize,
    read: u32,
}

/// The records of a batch, borrowed from it where it is not compressed and from `inflated` where it is; that buffer's
/// memory is used again and again. The CRC is not looked at.
pub fn records_of<'a>(
    batch: &'a [u8],
    limits: InflateLimits,
    inflated: &'a mut Vec<u8>,
) -> Result<Iter<'a>, RecordError> {
    let (header, packed) = split(batch)?;
    let payload = match header.compression()? {
        Compression::None => packed,
        codec => {
            codec.inflate_into(packed, limits, inflated)?;
            inflated
        }
    };
    Ok(Iter::new(header, payload))
}

/// Header and records part of a batch that must be there to its end; what follows it is left alone.
pub(super) fn split(batch: &[u8]) -> Result<(BatchHeader, &[u8]), RecordError> {
    let header = BatchHeader::read(batch)?;
    let size = header.size_in_bytes();
    let packed = batch
        .get(BATCH_OVERHEAD..size)
        .ok_or(RecordError::Incomplete {
            size,
            available: batch.len(),
        })?;
    Ok((header, packed))
}

/// Reads records one after the other: as many as the header says, and then there must be no bytes left. After an error
/// nothing more comes.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    header: BatchHeader,
    rest: &'a [u8],
    read: u32,
    failed: bool,
}

impl<'a> Iter<'a> {
    pub(super) const fn new(header: BatchHeader, payload: &'a [u8]) -> Self {
        Self {
            header,
            rest: payload,
            read: 0,
            failed: false,
        }
    }

    pub(super) fn next_fields(&mut self) -> Result<Option<Fields<'a>>, RecordError> {
        if self.is_at_end()? {
            return Ok(None);
        }
        let fields = Fields::read(&mut self.rest).map_err(|reason| malformed(self.read, reason))?;
        self.read += 1;
        Ok(Some(fields))
    }

    /// The next record's outline, for whoever does not want more.
    #[inline]
    pub(super) fn next_outline(&mut self) -> Result<Option<Outline>, RecordError> {
        if self.is_at_end()? {
            return Ok(None);
        }
        let outline = Outline::read(&mut self.rest);
        let outline = outline.map_err(|reason| malformed(self.read, reason))?;
        self.read += 1;
        Ok(Some(outline))
    }

    /// Goes past the plain records that come next.
    pub(super) fn next_run(&mut self) -> Run {
        let count = u32::try_from(self.header.record_count).unwrap_or(0);
        let run = Run::read(&mut self.rest, count - self.read.min(count), self.read);
        self.read += run.count;
        run
    }

    #[inline]
    fn is_at_end(&self) -> Result<bool, RecordError> {
        let count = self.header.record_count;
        let total = u32::try_from(count).map_err(|_| RecordError::Count(count))?;
        if self.read == total {
            // The reference does not look at what follows a count of 0.
            return if self.rest.is_empty() || total == 0 {
                Ok(true)
            } else {
                Err(RecordError::BytesLeft(count))
            };
        }
        if self.rest.is_empty() {
            return Err(RecordError::MissingRecords {
                found: self.read,
                count,
            });
        }
        Ok(false)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.next_fields() {
            Ok(fields) => Some(Ok(fields?.in_batch(&self.header))),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}
