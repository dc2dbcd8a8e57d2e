//! Going over the batches of one segment, with every checksum, and saying what is no batch.
//!
//! Unlike recovery this does not stop at the first surprise, and it doubts the two fields that no checksum covers: a
//! batch whose base offset alone is wrong shows by the batches around it.

use std::path::Path;

use ottla_protocol::records::batch::{BATCH_OVERHEAD, BatchHeader};
use ottla_protocol::types::Offset;

use super::finding::Stretch;
use crate::disk::{Context, DiskError, DiskFile};
use crate::errors::Fault;
use crate::scan::{Bounds, FULL_WINDOW, HEADER_WINDOW, MAGIC_AT, Window, find_valid_batch};

/// One segment as a walk sees it.
pub(crate) struct Segment<'a> {
    pub(crate) path: &'a Path,
    pub(crate) base: Offset,
    pub(crate) file: &'a dyn DiskFile,
    pub(crate) size: u64,
    /// Exclusive bound of its offsets: the next segment's base, or the largest there is for the last.
    pub(crate) offset_end: Offset,
    pub(crate) is_last: bool,
}

/// What a walk meets, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Met {
    /// A whole batch, its base offset put right if it was wrong.
    Batch {
        position: u64,
        header: BatchHeader,
        /// What stood in the header.
        found_offset: Offset,
    },
    /// Offsets that nothing has, before the batch that comes next.
    Gap {
        position: u64,
        from: Offset,
        to: Offset,
    },
    /// No batch here, but one behind.
    Bad { stretch: Stretch, reason: Fault },
    /// Nothing valid up to the end of the log.
    Tail { stretch: Stretch, reason: Fault },
}

impl Segment<'_> {
    /// Walks to the end of the file; the offset behind the last batch.
    pub(crate) fn walk(
        &self,
        on_met: &mut dyn FnMut(Met) -> Result<(), DiskError>,
    ) -> Result<Offset, DiskError> {
        let path = self.path;
        let all = usize::try_from(self.size).unwrap_or(usize::MAX);
        let mut window = Window::new(self.file, all.clamp(HEADER_WINDOW, FULL_WINDOW));
        let (mut position, mut next) = (0, self.base);
        while position < self.size {
            let placed = self.placed_at(&mut window, position, next);
            match placed.during("read", path)? {
                Ok((header, found_offset)) => {
                    if header.base_offset > next {
                        on_met(Met::Gap {
                            position,
                            from: next,
                            to: header.base_offset,
                        })?;
                    }
                    on_met(Met::Batch {
                        position,
                        header,
                        found_offset,
                    })?;
                    position += header.size_in_bytes() as u64;
                    next = header.next_offset();
                }
                Err(reason) => {
                    let behind = self
                        .behind(&mut window, position, next, reason)
                        .during("read", path)?;
                    let (end, next_offset, is_tail) = match behind {
                        Some((at, header)) => (at, header.base_offset, false),
                        None if self.is_last => (self.size, next, true),
                        None => (self.size, self.offset_end, false),
                    };
                    let stretch = Stretch {
                        position,
                        bytes: end - position,
                        first_offset: next,
                        next_offset,
                    };
                    on_met(if is_tail {
                        Met::Tail { stretch, reason }
                    } else {
                        Met::Bad { stretch, reason }
                    })?;
                    position = end;
                    next = next_offset;
                }
            }
        }
        Ok(next)
    }

    /// A whole batch with the base offset that it has to have, and the one that it has.
    fn placed_at(
        &self,
        window: &mut Window<'_>,
        position: u64,
        next: Offset,
    ) -> std::io::Result<Result<(BatchHeader, Offset), Fault>> {
        let header = match self.whole_at(window, position)? {
            Ok(header) => header,
            Err(fault) => return Ok(Err(fault)),
        };
        let right = self.fit(window, position, header, next)?;
        Ok(right.map(|right| (right, header.base_offset)))
    }

    /// A batch that is whole, whatever its base offset and epoch.
    fn whole_at(
        &self,
        window: &mut Window<'_>,
        position: u64,
    ) -> std::io::Result<Result<BatchHeader, Fault>> {
        let header = match self.header_at(window, position)? {
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

    /// A header that could be one, whatever its offsets.
    fn header_at(
        &self,
        window: &mut Window<'_>,
        position: u64,
    ) -> std::io::Result<Result<BatchHeader, Fault>> {
        let left = self.size.saturating_sub(position);
        if left < BATCH_OVERHEAD as u64 {
            return Ok(Err(Fault::ShortHeader));
        }
        let bytes = window.bytes(position, BATCH_OVERHEAD)?;
        let Some(magic) = bytes.get(MAGIC_AT) else {
            return Ok(Err(Fault::ShortHeader));
        };
        if *magic != 2 {
            return Ok(Err(Fault::BadMagic));
        }
        let Ok(header) = BatchHeader::read(bytes) else {
            return Ok(Err(Fault::BadLength));
        };
        Ok(if header.size_in_bytes() as u64 > left {
            Err(Fault::ShortBatch)
        } else if header.last_offset_delta < 0 {
            Err(Fault::BadOffset)
        } else {
            Ok(header)
        })
    }

    /// A whole batch where it belongs: as it is, if that fits, or with the base offset that its neighbours leave room for.
    fn fit(
        &self,
        window: &mut Window<'_>,
        position: u64,
        header: BatchHeader,
        next: Offset,
    ) -> std::io::Result<Result<BatchHeader, Fault>> {
        if header.base_offset == next && self.holds(&header) {
            return Ok(Ok(header));
        }
        let behind = position + header.size_in_bytes() as u64;
        let moved = BatchHeader {
            base_offset: next,
            ..header
        };
        let following = if behind < self.size {
            self.whole_at(window, behind)?.ok().map(|h| h.base_offset)
        } else if self.is_last {
            None
        } else {
            Some(self.offset_end)
        };
        if self.holds(&moved) && following == Some(moved.next_offset()) {
            return Ok(Ok(moved));
        }
        let rises = header.base_offset > next
            && self.holds(&header)
            && following.is_none_or(|following| following >= header.next_offset());
        Ok(if rises {
            Ok(header)
        } else {
            Err(Fault::BadOffset)
        })
    }

    /// Whether the batch's offsets lie in the segment.
    fn holds(&self, header: &BatchHeader) -> bool {
        let delta = i64::from(header.last_offset_delta);
        let last = header.base_offset.0.checked_add(delta);
        last.is_some_and(|last| {
            last < self.offset_end.0 && last - self.base.0 <= i64::from(i32::MAX)
        }) && header.base_offset >= self.base
    }

    /// The next whole batch behind a bad one: right after it if only its content is damaged, else wherever one is.
    fn behind(
        &self,
        window: &mut Window<'_>,
        position: u64,
        next: Offset,
        fault: Fault,
    ) -> std::io::Result<Option<(u64, BatchHeader)>> {
        let bounds = Bounds {
            end: self.size,
            base: self.base,
            offset_end: self.offset_end,
        };
        if matches!(fault, Fault::BadCrc | Fault::BadMagic)
            && let Some(end) = self.claimed_end(window, position)?
            && let Ok(header) = self.whole_at(window, end)?
            && header.base_offset > next
            && self.holds(&header)
        {
            return Ok(Some((end, header)));
        }
        find_valid_batch(self.file, position + 1, next, bounds)
    }

    /// Where a batch would end by its length.
    fn claimed_end(&self, window: &mut Window<'_>, position: u64) -> std::io::Result<Option<u64>> {
        let bytes = window.bytes(position, BATCH_OVERHEAD)?;
        let length = bytes.get(8..12).and_then(<[u8]>::first_chunk);
        let length = length.map_or(0, |length| u32::from_be_bytes(*length));
        let end = position + 12 + u64::from(length);
        Ok((end <= self.size).then_some(end))
    }
}
