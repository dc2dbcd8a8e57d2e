//! Why a pass ended without an end.

use ottla_protocol::records::RecordError;
use ottla_protocol::records::builder::BuildError;
use ottla_protocol::records::control::ControlError;
use ottla_protocol::types::Offset;

use crate::disk::DiskError;
use crate::errors::Corruption;

#[derive(Debug, thiserror::Error)]
pub enum CleaningError {
    /// The log is as it was. What it means for its directory is the caller's to say, as for any other work on the log.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A cleaned segment was on its way to its place. Some of the files have their new names and some the old ones, which
    /// opening the log settles: until then it is of no use, and its directory has to go offline.
    #[error("a swap of segments has failed half-way: {0}")]
    HalfSwapped(DiskError),
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    #[error("segment {segment} holds messages of format {magic} at position {position}")]
    OldFormat {
        segment: Offset,
        position: u64,
        magic: u8,
    },
    /// The checksum is right, and yet the content is not that of a batch.
    #[error("the batch at offset {offset} of segment {segment} cannot be read: {source}")]
    Unreadable {
        segment: Offset,
        offset: Offset,
        source: RecordError,
    },
    #[error("the control batch at offset {offset} cannot be read: {source}")]
    Control {
        offset: Offset,
        source: ControlError,
    },
    /// What stays of a batch cannot be made a batch again.
    #[error("the batch at offset {offset} of segment {segment} cannot be written anew: {source}")]
    Rewrite {
        segment: Offset,
        offset: Offset,
        source: BuildError,
    },
    #[error("a transaction index is damaged: {0}")]
    TxnIndex(DiskError),
    /// An abort marker whose transaction has records, but no entry in the index: they would be taken for committed.
    #[error("no transaction index names the transaction that the marker at offset {marker} aborts")]
    UnknownAbort { marker: Offset },
    /// The rewritten batches have grown beyond what a segment can be.
    #[error("what stays of segment {segment} is longer than a segment can be")]
    TooLong { segment: Offset },
    /// The caller's `Pace` said so.
    #[error("cleaning was stopped")]
    Stopped,
    /// Segments of the pass were deleted or cut meanwhile.
    #[error("the log changed while it was cleaned")]
    LogChanged,
}

impl CleaningError {
    /// The next pass would meet the same: the partition is to be left alone, and shown.
    #[must_use]
    pub fn is_of_the_log(&self) -> bool {
        !matches!(
            self,
            Self::Disk(_) | Self::HalfSwapped(_) | Self::Stopped | Self::LogChanged
        )
    }
}
