//! Batches in a row, as a segment file or a Fetch reply holds them. CRCs are not looked at.

use bytes::Bytes;

use super::batch::{BatchHeader, frame_size};
use super::error::RecordError;

/// One batch within a record set.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Its header.
    pub header: BatchHeader,
    /// All of its bytes, header included.
    pub bytes: &'a [u8],
}

/// The batches of a record set, one after the other. A batch cut off at the end is not an error but the end, as
/// consumers need it: a broker may cut a Fetch reply anywhere. After an error nothing more comes.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    failed: bool,
}

/// Walks the batches of a record set.
#[must_use]
pub const fn batches(records: &[u8]) -> Batches<'_> {
    Batches {
        rest: records,
        failed: false,
    }
}

/// Walks the batches of a record set, each as a slice that keeps the buffer alive.
pub fn batches_of(
    records: &Bytes,
) -> impl Iterator<Item = Result<(BatchHeader, Bytes), RecordError>> + '_ {
    batches(records).map(|batch| batch.map(|batch| (batch.header, records.slice_ref(batch.bytes))))
}

impl<'a> Batches<'a> {
    /// What has not been walked; after the end: the batch that was cut off, if any.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn step(&mut self) -> Result<Option<Batch<'a>>, RecordError> {
        let Some(size) = frame_size(self.rest)? else {
            return Ok(None);
        };
        let Some((bytes, rest)) = self.rest.split_at_checked(size) else {
            return Ok(None);
        };
        let header = BatchHeader::read(bytes)?;
        self.rest = rest;
        Ok(Some(Batch { header, bytes }))
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step().transpose();
        self.failed = matches!(step, Some(Err(_)));
        step
    }
}
