//! What can go wrong with a log, one type per kind of operation.

use std::fmt;

use ottla_protocol::types::Offset;

use crate::disk::DiskError;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl OpenError {
    /// The disk's part in it, if any.
    #[must_use]
    pub fn disk(&self) -> Option<&DiskError> {
        match self {
            Self::Disk(error) => Some(error),
        }
    }
}

impl AppendError {
    /// The disk's part in it, if any.
    #[must_use]
    pub fn disk(&self) -> Option<&DiskError> {
        match self {
            Self::Disk(error) => Some(error),
            _ => None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The caller validates before it appends, so this is a record set it should not have let through.
    #[error("not a sequence of whole batches: {0}")]
    Malformed(&'static str),
    #[error("{bytes} bytes of batches do not fit a segment of {segment_bytes}")]
    LargerThanSegment { bytes: u64, segment_bytes: u64 },
    /// Batches that keep their own offsets must begin at or after the log's end.
    #[error("offset {offset} lies before the log's end {end}")]
    OutOfOrder { offset: Offset, end: Offset },
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("offset {offset} is not within {start} to {end}")]
    OutOfRange {
        offset: Offset,
        start: Offset,
        end: Offset,
    },
    #[error(transparent)]
    Corrupt(#[from] Corruption),
}

/// A stretch of a segment that holds no valid batch although something valid follows, or although it was flushed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// Base offset of the segment.
    pub segment: Offset,
    /// Where in the segment's file the stretch begins, and how long it is.
    pub position: u64,
    pub bytes: u64,
    /// The first offset that cannot be read.
    pub first_offset: Offset,
    /// The first offset after the stretch.
    pub next_offset: Offset,
    pub reason: Fault,
}

impl Corruption {
    pub(crate) fn covers(&self, position: u64) -> bool {
        (self.position..self.end()).contains(&position)
    }

    /// Position after the stretch.
    pub(crate) fn end(&self) -> u64 {
        self.position + self.bytes
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "offsets {} to {} cannot be read: {} bytes at position {} of segment {} are no valid batch ({})",
            self.first_offset,
            self.next_offset.0 - 1,
            self.bytes,
            self.position,
            self.segment,
            self.reason
        )
    }
}

impl std::error::Error for Corruption {}

/// What made bytes in a segment something else than the next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("fewer bytes left than a batch header has")]
    ShortHeader,
    #[error("the batch is longer than what is left of the file")]
    ShortBatch,
    #[error("impossible batch length")]
    BadLength,
    #[error("unknown record format")]
    BadMagic,
    #[error("offsets do not follow the batch before")]
    BadOffset,
    #[error("checksum does not match")]
    BadCrc,
    /// What a crash leaves of a file that was allocated ahead, or had grown and was not written yet.
    #[error("nothing but zeros")]
    Unwritten,
}
