//! Reading a log record by record, for the machines that are loaded from it.
//!
//! Always: records come in the order of their offsets, each once, without those of control batches. Memory is bounded
//! by one read, or by one batch where that is larger.

use std::io;

use bytes::Bytes;
use ottla_log::FileSlice;
use ottla_log::disk::read_full;
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::records::{BatchHeader, OwnedRecord, RecordError, Records, batches_of};
use ottla_protocol::types::Offset;

/// Bytes of one read.
pub(crate) const READ_BYTES: usize = 1 << 20;

/// Why a log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("a segment is shorter than its log says")]
    Short,
    #[error("the record at offset {offset} cannot be read: {reason}")]
    Undecodable { offset: Offset, reason: String },
}

/// Hands on every record of the slice from offset `from` on. Returns the offset to go on at.
pub(crate) fn each_record(
    slice: &FileSlice,
    from: Offset,
    handle: impl FnMut(OwnedRecord) -> Result<(), String>,
) -> Result<Offset, ReplayError> {
    each_record_of(&bytes_of(slice)?, from, handle)
}

/// Hands on every whole batch of the slice, control batches too. Returns the offset to go on at.
pub(crate) fn each_batch(
    slice: &FileSlice,
    from: Offset,
    mut handle: impl FnMut(&BatchHeader, &Bytes) -> Result<(), RecordError>,
) -> Result<Offset, ReplayError> {
    let mut next = from;
    for batch in batches_of(&bytes_of(slice)?) {
        let (header, batch) = batch?;
        next = next.max(header.next_offset());
        handle(&header, &batch)?;
    }
    Ok(next)
}

/// What the slice says is in the file.
pub(crate) fn bytes_of(slice: &FileSlice) -> Result<Bytes, ReplayError> {
    let mut bytes = vec![0; slice.len];
    if read_full(&*slice.file, &mut bytes, slice.position)? < bytes.len() {
        return Err(ReplayError::Short);
    }
    Ok(Bytes::from(bytes))
}

/// The same for batches that are in memory.
pub(crate) fn each_record_of(
    bytes: &Bytes,
    from: Offset,
    mut handle: impl FnMut(OwnedRecord) -> Result<(), String>,
) -> Result<Offset, ReplayError> {
    let mut next = from;
    for batch in batches_of(bytes) {
        let (header, batch) = batch?;
        next = next.max(header.next_offset());
        if header.is_control() {
            continue;
        }
        let records = Records::open(&batch, InflateLimits::LENIENT)?;
        for record in records.owned() {
            let record = record?;
            let offset = record.offset;
            if offset >= from {
                handle(record).map_err(|reason| ReplayError::Undecodable { offset, reason })?;
            }
        }
    }
    Ok(next)
}
