//! Reading: from an offset to a range of a file. No record bytes pass through here.

use ottla_protocol::records::batch::BatchHeader;
use ottla_protocol::types::Offset;

use crate::api::{FileSlice, MinimumRead, ReadRequest};
use crate::disk::{Context, DiskError};
use crate::errors::{Corruption, ReadError};
use crate::log::Log;
use crate::names;
use crate::placement::{Look, Step, step_at};
use crate::scan::{HEADER_WINDOW, Window};
use crate::segment::Located;

impl Log {
    /// The batches from the one that holds `from` on, out of one segment: as many bytes as asked for, so that the last
    /// batch may be cut (every client expects that), but nothing at or above `upper_end` and nothing behind damage.
    /// None: nothing to read between `from` and the bounds.
    pub fn read(&self, request: ReadRequest) -> Result<Option<FileSlice>, ReadError> {
        let ReadRequest {
            from,
            max_bytes,
            upper_end,
            minimum,
        } = request;
        self.check_range(from)?;
        let upper = upper_end.min(self.end);
        if from >= upper {
            if from == self.end {
                let active = self.active_segment();
                self.hints.lock().remember(active.base, from, active.size);
            }
            return Ok(None);
        }
        let Some((i, found)) = self.locate(from)? else {
            return Ok(None);
        };
        if found.header.last_offset() >= upper {
            return Ok(None);
        }
        let first = found.header.size_in_bytes();
        if first > max_bytes && minimum == MinimumRead::Nothing {
            return Ok(None);
        }
        // The first batch is below the bound, whatever else a rotten file makes of where the bound lies.
        let end = self.readable_end(i, found, upper)?;
        let available = usize::try_from(end.saturating_sub(found.position))
            .unwrap_or(usize::MAX)
            .max(first);
        let segment = &self.segments[i];
        Ok(Some(FileSlice {
            file: segment.file(self.place(segment.base))?,
            position: found.position,
            len: available.min(max_bytes.max(first)),
            base_offset: found.header.base_offset,
        }))
    }

    /// Calls back with the header of every batch that ends at or after `from`, in order: what the state of producers
    /// is rebuilt from, beginning at the newest snapshot. Damaged stretches are passed over.
    pub fn scan_batches(
        &self,
        from: Offset,
        on_batch: &mut dyn FnMut(&BatchHeader),
    ) -> Result<(), DiskError> {
        let from = from.max(self.start);
        if from >= self.end {
            return Ok(());
        }
        for i in self.segment_of(from)..self.segments.len() {
            self.walk_segment(i, from, &mut |located| {
                if located.header.last_offset() >= from {
                    on_batch(&located.header);
                }
                true
            })?;
        }
        Ok(())
    }

    pub(crate) fn check_range(&self, offset: Offset) -> Result<(), ReadError> {
        if offset < self.start || offset > self.end {
            return Err(ReadError::OutOfRange {
                offset,
                start: self.start,
                end: self.end,
            });
        }
        Ok(())
    }

    /// The first batch that ends at or after an offset, and its segment.
    fn locate(&self, from: Offset) -> Result<Option<(usize, Located)>, ReadError> {
        for i in self.segment_of(from)..self.segments.len() {
            let segment = &self.segments[i];
            let hint = if from <= segment.base {
                Some(0)
            } else {
                self.hints.lock().position(segment.base, from)
            };
            let found = self.locate_in(i, from, hint)?;
            if let Some(found) = found {
                return Ok(Some((i, found)));
            }
        }
        Ok(None)
    }

    pub(crate) fn locate_in(
        &self,
        i: usize,
        target: Offset,
        hint: Option<u64>,
    ) -> Result<Option<Located>, ReadError> {
        let segment = &self.segments[i];
        let place = self.place(segment.base);
        let interval = self.config.index_interval_bytes;
        let found = segment.locate(place, target, self.segment_end(i), hint, interval);
        self.note_open(i);
        found
    }

    /// Position in a segment where reading has to stop: what follows is at or above `upper`, or damaged, or not there.
    fn readable_end(&self, i: usize, found: Located, upper: Offset) -> Result<u64, ReadError> {
        let segment = &self.segments[i];
        let mut end = segment.size;
        if upper < self.segment_end(i) {
            let hint = self.hints.lock().position(segment.base, upper);
            end = match hint {
                Some(position) => position,
                None => match self.locate_in(i, upper, None) {
                    Ok(bound) => bound.map_or(end, |b| b.position),
                    Err(ReadError::Corrupt(damage)) => damage.position,
                    Err(e) => return Err(e),
                },
            };
        }
        if let Some(damage) = segment.next_corrupt_after(found.position) {
            end = end.min(damage);
        } else if upper <= self.segment_end(i) {
            self.hints.lock().remember(segment.base, upper, end);
        }
        Ok(end)
    }

    /// Keeps the number of sealed segments that hold a descriptor small.
    pub(crate) fn note_open(&self, i: usize) {
        if i + 1 == self.segments.len() {
            return;
        }
        let evicted = self.hints.lock().sealed_opened(self.segments[i].base);
        if let Some(base) = evicted {
            self.release_segment(base);
        }
    }

    /// Calls back with every batch of a segment, from the one that holds `from` on, until it says no.
    pub(crate) fn walk_segment(
        &self,
        i: usize,
        from: Offset,
        visit: &mut dyn FnMut(Located) -> bool,
    ) -> Result<(), DiskError> {
        let segment = &self.segments[i];
        let (position, next) = match self.locate_in(i, from.max(segment.base), None) {
            Ok(None) => return Ok(()),
            Ok(Some(found)) => (found.position, found.header.base_offset),
            Err(ReadError::Corrupt(Corruption {
                position,
                bytes,
                next_offset,
                ..
            })) => (position + bytes, next_offset),
            Err(ReadError::Disk(e)) => return Err(e),
            // A segment has no range of its own to be outside of.
            Err(ReadError::OutOfRange { .. }) => return Ok(()),
        };
        self.walk_from(i, position, next, visit)
    }

    /// `walk_segment` from a position where a batch begins.
    pub(crate) fn walk_from(
        &self,
        i: usize,
        position: u64,
        next: Offset,
        visit: &mut dyn FnMut(Located) -> bool,
    ) -> Result<(), DiskError> {
        let segment = &self.segments[i];
        let place = self.place(segment.base);
        let path = place.path(names::LOG);
        let file = segment.file(place)?;
        let bounds = segment.bounds(self.segment_end(i));
        let mut window = Window::new(file.as_ref(), HEADER_WINDOW);
        let (mut position, mut next) = (position, next);
        while position < bounds.end {
            if let Some(known) = segment.corrupt_at(position) {
                (position, next) = (known.end(), known.next_offset);
                continue;
            }
            let file = file.as_ref();
            let step = step_at(file, &mut window, position, next, bounds, Look::Headers);
            match step.during("read", &path)? {
                Step::Batch { header, .. } => {
                    if !visit(Located { position, header }) {
                        return Ok(());
                    }
                    position += header.size_in_bytes() as u64;
                    next = header.next_offset();
                }
                Step::Damage { end, next: to, .. } => (position, next) = (end, to),
                Step::End(_) => return Ok(()),
            }
        }
        Ok(())
    }
}
