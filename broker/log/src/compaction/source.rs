//! The batches of a segment that is being cleaned, one after the other, each whole and with its checksum verified.
//!
//! Always: memory is one buffer of the configured size; it grows for a single batch that is larger, once that batch's
//! checksum has proved that it is one, and shrinks again. The first byte that is no batch ends the pass.

use std::io;
use std::ops::Range;

use ottla_protocol::records::batch::{BATCH_OVERHEAD, BatchHeader, computed_crc};
use ottla_protocol::types::Offset;

use super::errors::CleaningError;
use crate::disk::{DiskError, DiskFile, OpenMode, SharedFile, read_full};
use crate::errors::{Corruption, Fault};
use crate::index::Place;
use crate::names;
use crate::scan::{
    Bounds, FULL_WINDOW, MAGIC_AT, Window, check_header, find_valid_batch, valid_batch_at,
};

/// A segment as it was when the pass began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceSegment {
    pub(super) base: Offset,
    pub(super) size: u64,
    /// Exclusive: base of the next segment.
    pub(super) end: Offset,
}

impl SourceSegment {
    pub(super) fn open(&self, place: Place<'_>) -> Result<SharedFile, CleaningError> {
        let path = place.path(names::LOG);
        match place.disk.open(&path, OpenMode::Read) {
            // Sealed segments are renamed when they are deleted, and there is no other way for one to go.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(CleaningError::LogChanged),
            Err(source) => Err(CleaningError::Disk(DiskError {
                what: "open",
                path,
                source,
            })),
            Ok(file) => Ok(file),
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            end: self.size,
            base: self.base,
            offset_end: self.end,
        }
    }
}

pub(super) struct Source<'a> {
    file: &'a dyn DiskFile,
    place: Place<'a>,
    segment: SourceSegment,
    buffer_bytes: usize,
    /// Bytes of the file from `buffer_start` on.
    buffer: &'a mut Vec<u8>,
    buffer_start: u64,
    /// Where the next batch begins, and the lowest offset that it can have.
    position: u64,
    next: Offset,
    /// The batch that `advance` has found, in the buffer.
    current: Range<usize>,
}

impl<'a> Source<'a> {
    /// Begins at `position`, where a batch begins.
    pub(super) fn new(
        file: &'a dyn DiskFile,
        place: Place<'a>,
        segment: SourceSegment,
        position: u64,
        buffer: &'a mut Vec<u8>,
        buffer_bytes: usize,
    ) -> Self {
        buffer.clear();
        Self {
            file,
            place,
            segment,
            buffer_bytes: buffer_bytes.max(BATCH_OVERHEAD),
            buffer,
            buffer_start: position,
            position,
            next: segment.base,
            current: 0..0,
        }
    }

    /// Goes to the next batch. None: the segment ends.
    pub(super) fn advance(&mut self) -> Result<Option<BatchHeader>, CleaningError> {
        let left = self.segment.size.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        let header = self.have(BATCH_OVERHEAD)?;
        let checked = check_header(&self.buffer[header], self.next, left, self.segment.bounds());
        let header = match checked {
            Ok(header) => header,
            Err(fault) => return Err(self.fault(fault)),
        };
        let size = header.size_in_bytes();
        if size > self.buffer_bytes {
            self.verify_large()?;
        }
        let batch = self.have(size)?;
        if batch.len() < size {
            return Err(self.fault(Fault::ShortBatch));
        }
        if computed_crc(&self.buffer[batch.clone()]) != header.crc {
            return Err(self.fault(Fault::BadCrc));
        }
        self.current = batch;
        self.position += size as u64;
        self.next = header.next_offset();
        Ok(Some(header))
    }

    /// The batch that was last advanced to.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.current.clone()]
    }

    /// Whether the batch that was last advanced to is the segment's last.
    pub(super) fn is_last(&self) -> bool {
        self.position >= self.segment.size
    }

    /// Before a buffer is grown for it: whether the batch is one.
    fn verify_large(&mut self) -> Result<(), CleaningError> {
        let mut window = Window::new(self.file, FULL_WINDOW);
        let bounds = self.segment.bounds();
        let checked = valid_batch_at(&mut window, self.position, self.next, bounds)
            .map_err(|e| self.read_failed(e))?;
        checked.map(|_| ()).map_err(|fault| self.fault(fault))
    }

    /// Where in the buffer `len` bytes from the position on are, fewer at the end of the file.
    fn have(&mut self, len: usize) -> Result<Range<usize>, CleaningError> {
        let held = self.buffer_start + self.buffer.len() as u64;
        if self.position + len as u64 > held {
            // What is left of the buffer moves to its front.
            let done = usize::try_from(self.position - self.buffer_start).unwrap_or(usize::MAX);
            self.buffer.drain(..done.min(self.buffer.len()));
            self.buffer_start = self.position;
            let kept = self.buffer.len();
            let in_file = self.segment.size - self.position;
            let wanted = (len.max(self.buffer_bytes) as u64).min(in_file) as usize;
            self.buffer.resize(wanted, 0);
            if wanted <= self.buffer_bytes {
                self.buffer.shrink_to(self.buffer_bytes);
            }
            let from = self.position + kept as u64;
            let read = read_full(self.file, &mut self.buffer[kept..], from)
                .map_err(|e| self.read_failed(e))?;
            self.buffer.truncate(kept + read);
        }
        let start = usize::try_from(self.position - self.buffer_start).unwrap_or(usize::MAX);
        Ok(start..self.buffer.len().min(start + len))
    }

    fn read_failed(&self, source: io::Error) -> CleaningError {
        CleaningError::Disk(self.place.read_failed(source))
    }

    /// What to say of the place that no batch begins at.
    fn fault(&self, reason: Fault) -> CleaningError {
        let start = usize::try_from(self.position - self.buffer_start).unwrap_or(usize::MAX);
        let magic = self.buffer.get(start.saturating_add(MAGIC_AT)).copied();
        if let (Fault::BadMagic, Some(magic @ (0 | 1))) = (reason, magic) {
            return CleaningError::OldFormat {
                segment: self.segment.base,
                position: self.position,
                magic,
            };
        }
        let bounds = self.segment.bounds();
        let found = find_valid_batch(self.file, self.position + 1, self.next, bounds);
        let (end, next_offset) = match found {
            Ok(Some((end, header))) => (end, header.base_offset),
            Ok(None) => (self.segment.size, self.segment.end),
            Err(e) => return self.read_failed(e),
        };
        CleaningError::Corrupt(Corruption {
            segment: self.segment.base,
            position: self.position,
            bytes: end - self.position,
            first_offset: self.next,
            next_offset,
            reason,
        })
    }
}
