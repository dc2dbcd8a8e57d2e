//! Walking the batches of a segment's file: header by header, with or without their checksums, and finding the next
//! valid batch behind damage.
//!
//! Always: nothing is believed because of where it stands; memory is bounded by the window, never by a length that was
//! read. Not here: what to do about damage.

use std::io;

use ottla_protocol::records::batch::{BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD};
use ottla_protocol::types::Offset;

use crate::disk::{DiskFile, is_zeros, read_at_least};
use crate::errors::Fault;

/// Window for headers alone: many small batches a read, little waste between large ones.
pub(crate) const HEADER_WINDOW: usize = 4096;
/// Window for reading everything.
pub(crate) const FULL_WINDOW: usize = 256 << 10;

/// Bytes before the part that the checksum covers.
const CRC_COVERS_FROM: usize = 21;
pub(crate) const MAGIC_AT: usize = 16;
const MAGIC: u8 = 2;

/// A file seen through a window that moves as it is read.
pub(crate) struct Window<'a> {
    file: &'a dyn DiskFile,
    size: usize,
    start: u64,
    buf: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, size: usize) -> Self {
        Self {
            file,
            size,
            start: 0,
            buf: Vec::new(),
        }
    }

    /// Up to `len` bytes from `position` on, fewer only at the end of the file. `len` is at most the window's size.
    pub(crate) fn bytes(&mut self, position: u64, len: usize) -> io::Result<&[u8]> {
        assert!(
            len <= self.size,
            "a window is never asked for more than its size"
        );
        let inside = position
            .checked_sub(self.start)
            .and_then(|i| usize::try_from(i).ok());
        let from = match inside {
            Some(from) if from + len <= self.buf.len() => from,
            _ => {
                self.buf.resize(self.size, 0);
                // At the end of a log the rest of the window is never there: no second call to learn that.
                let read = read_at_least(self.file, &mut self.buf, len, position)?;
                self.buf.truncate(read);
                self.start = position;
                0
            }
        };
        let end = self.buf.len().min(from + len);
        Ok(&self.buf[from..end])
    }

    /// Whether a batch's checksum is right. The batch lies within the file.
    pub(crate) fn crc_is_right(&mut self, position: u64, header: &BatchHeader) -> io::Result<bool> {
        let end = position + header.size_in_bytes() as u64;
        let mut at = position + CRC_COVERS_FROM as u64;
        let mut crc = 0;
        while at < end {
            let len = usize::try_from(end - at)
                .unwrap_or(usize::MAX)
                .min(self.size);
            let bytes = self.bytes(at, len)?;
            if bytes.is_empty() {
                return Ok(false);
            }
            crc = crc32c::crc32c_append(crc, bytes);
            at += bytes.len() as u64;
        }
        Ok(crc == header.crc)
    }
}

/// What a walk may meet: where it ends and which offsets belong there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Position after the last byte.
    pub(crate) end: u64,
    /// Base offset of the segment.
    pub(crate) base: Offset,
    /// Exclusive: base of the next segment.
    pub(crate) offset_end: Offset,
}

impl Bounds {
    /// Whether a batch's offsets lie in the segment.
    pub(crate) fn hold(&self, header: &BatchHeader) -> bool {
        let delta = i64::from(header.last_offset_delta);
        let last = header.base_offset.0.checked_add(delta);
        delta >= 0
            && header.base_offset >= self.base
            && last.is_some_and(|last| {
                last < self.offset_end.0 && last - self.base.0 <= i64::from(i32::MAX)
            })
    }

    /// The offset that comes after the segment, if anything tells.
    pub(crate) fn known_offset_end(&self) -> Option<Offset> {
        (self.offset_end != Offset(i64::MAX)).then_some(self.offset_end)
    }
}

/// The header at a position, whatever its offsets; the batch may be longer than the file.
pub(crate) fn shape_at(
    window: &mut Window<'_>,
    position: u64,
    end: u64,
) -> io::Result<Result<BatchHeader, Fault>> {
    if end.saturating_sub(position) < BATCH_OVERHEAD as u64 {
        return Ok(Err(Fault::ShortHeader));
    }
    Ok(shape(window.bytes(position, BATCH_OVERHEAD)?))
}

fn shape(bytes: &[u8]) -> Result<BatchHeader, Fault> {
    let Some(magic) = bytes.get(MAGIC_AT) else {
        return Err(Fault::ShortHeader);
    };
    let length = bytes[8..LOG_OVERHEAD]
        .first_chunk()
        .map_or(0, |b| i32::from_be_bytes(*b));
    if length < (BATCH_OVERHEAD - LOG_OVERHEAD) as i32 {
        return Err(Fault::BadLength);
    }
    if *magic != MAGIC {
        return Err(Fault::BadMagic);
    }
    let header = BatchHeader::read(bytes).map_err(|_| Fault::ShortHeader)?;
    if header.last_offset_delta < 0 {
        return Err(Fault::BadOffset);
    }
    Ok(header)
}

/// The header at a position, if it can be the batch that follows offset `next`.
pub(crate) fn header_at(
    window: &mut Window<'_>,
    position: u64,
    next: Offset,
    bounds: Bounds,
) -> io::Result<Result<BatchHeader, Fault>> {
    let left = bounds.end.saturating_sub(position);
    if left < BATCH_OVERHEAD as u64 {
        return Ok(Err(Fault::ShortHeader));
    }
    let bytes = window.bytes(position, BATCH_OVERHEAD)?;
    Ok(check_header(bytes, next, left, bounds))
}

pub(crate) fn check_header(
    bytes: &[u8],
    next: Offset,
    left: u64,
    bounds: Bounds,
) -> Result<BatchHeader, Fault> {
    let header = shape(bytes)?;
    if header.base_offset < next || !bounds.hold(&header) {
        return Err(Fault::BadOffset);
    }
    if header.size_in_bytes() as u64 > left {
        return Err(Fault::ShortBatch);
    }
    Ok(header)
}

/// `header_at`, and the batch's checksum is right.
pub(crate) fn valid_batch_at(
    window: &mut Window<'_>,
    position: u64,
    next: Offset,
    bounds: Bounds,
) -> io::Result<Result<BatchHeader, Fault>> {
    let header = match header_at(window, position, next, bounds)? {
        Ok(header) => header,
        Err(fault) => return Ok(Err(fault)),
    };
    let right = window.crc_is_right(position, &header)?;
    Ok(if right {
        Ok(header)
    } else {
        Err(Fault::BadCrc)
    })
}

/// The next valid batch at or behind `position`, wherever it begins: the length in front of it may be what is damaged.
pub(crate) fn find_valid_batch(
    file: &dyn DiskFile,
    position: u64,
    next: Offset,
    bounds: Bounds,
) -> io::Result<Option<(u64, BatchHeader)>> {
    let mut window = Window::new(file, FULL_WINDOW);
    // A second window, so that verifying a candidate doesn't move the first.
    let mut candidates = Window::new(file, FULL_WINDOW);
    let mut position = position;
    while position + BATCH_OVERHEAD as u64 <= bounds.end {
        let len = usize::try_from(bounds.end - position)
            .unwrap_or(usize::MAX)
            .min(FULL_WINDOW);
        let bytes = window.bytes(position, len)?;
        if bytes.len() < BATCH_OVERHEAD {
            return Ok(None);
        }
        let starts = bytes.len() - BATCH_OVERHEAD + 1;
        for (i, _) in bytes[MAGIC_AT..MAGIC_AT + starts]
            .iter()
            .enumerate()
            .filter(|(_, b)| **b == MAGIC)
        {
            let at = position + i as u64;
            let left = bounds.end - at;
            if check_header(&bytes[i..], next, left, bounds).is_err() {
                continue;
            }
            if let Ok(header) = valid_batch_at(&mut candidates, at, next, bounds)? {
                return Ok(Some((at, header)));
            }
        }
        position += starts as u64;
    }
    Ok(None)
}

/// How many batches a tail that holds no valid one had begun. None: it is nothing but zeros.
pub(crate) fn tail_at(
    file: &dyn DiskFile,
    position: u64,
    next: Offset,
    bounds: Bounds,
) -> io::Result<Option<u64>> {
    // Fewer zeros could be the first offset of a batch.
    if bounds.end.saturating_sub(position) >= LOG_OVERHEAD as u64 && is_zeros(file, position)? {
        return Ok(None);
    }
    let mut window = Window::new(file, FULL_WINDOW);
    let (mut at, mut next, mut batches) = (position, next, 0);
    while at < bounds.end {
        batches += 1;
        match header_at(&mut window, at, next, bounds)? {
            Ok(header) => {
                at += header.size_in_bytes() as u64;
                next = header.next_offset();
            }
            Err(_) => break,
        }
    }
    Ok(Some(batches))
}
