//! Going over the batches of one segment, with every checksum, and saying what is no batch.
//!
//! Unlike recovery this looks at everything, and a batch whose base offset alone is wrong is met with the right one.

use std::path::Path;

use ottla_protocol::records::batch::BatchHeader;
use ottla_protocol::types::Offset;

use super::finding::Stretch;
use crate::disk::{Context, DiskError, DiskFile};
use crate::errors::Fault;
use crate::placement::{Look, batch_behind, placed_at};
use crate::scan::{Bounds, FULL_WINDOW, HEADER_WINDOW, Window};

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
        let bounds = Bounds {
            end: self.size,
            base: self.base,
            offset_end: self.offset_end,
        };
        let (mut position, mut next) = (0, self.base);
        while position < self.size {
            let placed = placed_at(self.file, &mut window, position, next, bounds, Look::Whole);
            match placed.during("read", path)? {
                Ok(placed) => {
                    let (header, found_offset) = (placed.header, placed.found_offset);
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
                    let behind =
                        batch_behind(self.file, &mut window, position, next, bounds, reason);
                    let behind = behind.during("read", path)?;
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
}
