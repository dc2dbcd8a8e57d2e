//! One segment: a file of batches with its offset and time index.
//!
//! Always: the first `size` bytes of the file are the segment; whatever the file has beyond is not part of the log.
//! Descriptors are opened on demand and can be let go at any time (`release`). Not here: which segment is active, when
//! to roll, when to flush.

use std::sync::atomic::{AtomicBool, Ordering};

use ottla_protocol::records::batch::{BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD};
use ottla_protocol::types::{Millis, Offset};
use parking_lot::Mutex;

use crate::disk::{Context, DiskError, OpenMode, SharedFile, is_zeros};
use crate::errors::{Corruption, Fault, ReadError};
use crate::index::{OffsetEntry, Place, SparseIndex, TimeEntry};
use crate::names;
use crate::placement::{Look, Step, step_at};
use crate::scan::{Bounds, HEADER_WINDOW, Window, header_at};

/// The largest timestamp of a segment, and the last offset of the first batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Largest {
    pub(crate) timestamp: Millis,
    pub(crate) offset: Offset,
}

impl Largest {
    /// The batch's part in it. None without records: the cleaner empties batches whose producers it must remember, and
    /// `kafka-dump-log` takes an entry for a timestamp that no record has for a fault.
    pub(crate) fn of(header: &BatchHeader) -> Option<Self> {
        let has_one = header.record_count > 0 && header.max_timestamp.0 >= 0;
        has_one.then(|| Self {
            timestamp: header.max_timestamp,
            offset: header.last_offset(),
        })
    }
}

/// What is known of the largest timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known<T> {
    NotYet,
    Known(Option<T>),
}

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base: Offset,
    pub(crate) size: u64,
    pub(crate) offsets: SparseIndex<OffsetEntry>,
    pub(crate) times: SparseIndex<TimeEntry>,
    pub(crate) largest: Mutex<Known<Largest>>,
    /// Stretches that are no batches, by position.
    pub(crate) corrupt: Mutex<Vec<Corruption>>,
    file: Mutex<Option<SharedFile>>,
    /// An index entry turned out to be wrong, or the index much sparser than it should be.
    suspect: AtomicBool,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located {
    pub(crate) position: u64,
    pub(crate) header: BatchHeader,
}

impl Segment {
    pub(crate) fn sealed(base: Offset, size: u64) -> Self {
        Self {
            base,
            size,
            offsets: SparseIndex::sealed(),
            times: SparseIndex::sealed(),
            largest: Mutex::new(Known::NotYet),
            corrupt: Mutex::new(Vec::new()),
            file: Mutex::new(None),
            suspect: AtomicBool::new(false),
        }
    }

    /// A new, empty segment to append to.
    pub(crate) fn active(base: Offset) -> Self {
        let mut segment = Self::sealed(base, 0);
        segment.offsets = SparseIndex::resume(0, None);
        segment.times = SparseIndex::resume(0, None);
        segment.largest = Mutex::new(Known::Known(None));
        segment
    }

    /// The file, opened if it isn't.
    pub(crate) fn file(&self, place: Place<'_>) -> Result<SharedFile, DiskError> {
        let mut slot = self.file.lock();
        if let Some(file) = slot.as_ref() {
            return Ok(file.clone());
        }
        let path = place.path(names::LOG);
        let file = place
            .disk
            .open(&path, OpenMode::ReadWrite)
            .during("open", &path)?;
        *slot = Some(file.clone());
        Ok(file)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.file.lock().is_some()
    }

    pub(crate) fn release(&self) {
        *self.file.lock() = None;
        self.offsets.forget_block();
        self.times.forget_block();
    }

    pub(crate) fn suspect_index(&self) {
        self.suspect.store(true, Ordering::Relaxed);
    }

    pub(crate) fn take_suspicion(&self) -> bool {
        self.suspect.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn bounds(&self, offset_end: Offset) -> Bounds {
        Bounds {
            end: self.size,
            base: self.base,
            offset_end,
        }
    }

    /// The damaged stretch that a position lies in, if one is known.
    pub(crate) fn corrupt_at(&self, position: u64) -> Option<Corruption> {
        self.corrupt
            .lock()
            .iter()
            .find(|c| c.covers(position))
            .cloned()
    }

    /// Remembers a stretch without a valid batch.
    pub(crate) fn note_corrupt(&self, stretch: Corruption) {
        let mut corrupt = self.corrupt.lock();
        let at = corrupt.partition_point(|c| c.position < stretch.position);
        corrupt.insert(at, stretch);
    }

    /// Where the first damaged stretch behind a position begins.
    pub(crate) fn next_corrupt_after(&self, position: u64) -> Option<u64> {
        self.corrupt
            .lock()
            .iter()
            .map(|c| c.position)
            .find(|p| *p > position)
    }

    /// The first batch that ends at or after `target`. None: the segment has none. `hint` is a position where a batch
    /// begins whose offsets are at most `target`.
    pub(crate) fn locate(
        &self,
        place: Place<'_>,
        target: Offset,
        offset_end: Offset,
        hint: Option<u64>,
        interval: u32,
    ) -> Result<Option<Located>, ReadError> {
        let file = self.file(place)?;
        let bounds = self.bounds(offset_end);
        let mut window = Window::new(file.as_ref(), HEADER_WINDOW);
        if let Some(position) = hint
            && self.corrupt_at(position).is_none()
            && let Ok(header) = header_at(&mut window, position, self.base, bounds)
                .map_err(|e| place.read_failed(e))?
            && header.base_offset <= target.max(self.base)
            && header.last_offset() >= target
        {
            return Ok(Some(Located { position, header }));
        }
        let (mut position, mut next) = self.floor(place, target, bounds, &mut window)?;
        let start = position;
        let mut last_size = 0;
        while position < self.size {
            if let Some(known) = self.corrupt_at(position) {
                if target < known.next_offset {
                    return Err(known.into());
                }
                next = known.next_offset;
                position = known.end();
                continue;
            }
            let file = file.as_ref();
            match step_at(file, &mut window, position, next, bounds, Look::Headers)
                .map_err(|e| place.read_failed(e))?
            {
                Step::Batch { header, .. } if header.last_offset() >= target => {
                    // Between two index entries lie at most an interval and one batch.
                    let sparse = 4 * (u64::from(interval) + last_size);
                    if position - start > sparse.max(64 << 10) {
                        self.suspect_index();
                    }
                    return Ok(Some(Located { position, header }));
                }
                Step::Batch { header, .. } => {
                    next = header.next_offset();
                    last_size = header.size_in_bytes() as u64;
                    position += last_size;
                }
                Step::Damage {
                    end,
                    next: to,
                    reason,
                } => self.note_met(position, next, end, to, reason),
                Step::End(reason) => {
                    self.note_met(position, next, bounds.end, bounds.offset_end, reason);
                }
            }
        }
        Ok(None)
    }

    /// Remembers a stretch without a valid batch that a walk ran into.
    pub(crate) fn note_met(
        &self,
        position: u64,
        first_offset: Offset,
        end: u64,
        next_offset: Offset,
        reason: Fault,
    ) {
        self.note_corrupt(Corruption {
            segment: self.base,
            position,
            bytes: end - position,
            first_offset,
            next_offset,
            reason,
        });
    }

    /// A position from where a walk meets the batch that holds `target`, and the offset to be expected there: by the index
    /// if its entry proves right, else the beginning.
    pub(crate) fn floor(
        &self,
        place: Place<'_>,
        target: Offset,
        bounds: Bounds,
        window: &mut Window<'_>,
    ) -> Result<(u64, Offset), DiskError> {
        let floor = self.offsets.floor(place, |e| e.offset <= target)?;
        let Some(entry) = floor else {
            return Ok((0, self.base));
        };
        if let Some(header) = self.batch_of_entry(place, entry, bounds, window)? {
            return Ok((u64::from(entry.position), header.base_offset));
        }
        self.suspect_index();
        Ok((0, self.base))
    }

    /// The batch that an index entry points at, if it is there and ends with the entry's offset.
    pub(crate) fn batch_of_entry(
        &self,
        place: Place<'_>,
        entry: OffsetEntry,
        bounds: Bounds,
        window: &mut Window<'_>,
    ) -> Result<Option<BatchHeader>, DiskError> {
        let position = u64::from(entry.position);
        if position + BATCH_OVERHEAD as u64 > bounds.end {
            return Ok(None);
        }
        let header =
            header_at(window, position, self.base, bounds).map_err(|e| place.read_failed(e))?;
        Ok(header.ok().filter(|h| h.last_offset() == entry.offset))
    }

    /// Whether the batch that a time index entry names is there and has its timestamp; its place.
    pub(crate) fn time_entry_batch(
        &self,
        place: Place<'_>,
        entry: TimeEntry,
        offset_end: Offset,
        interval: u32,
    ) -> Result<Option<Located>, DiskError> {
        match self.locate(place, entry.offset, offset_end, None, interval) {
            Ok(found) => Ok(found.filter(|l| {
                l.header.last_offset() == entry.offset && l.header.max_timestamp == entry.timestamp
            })),
            Err(ReadError::Disk(e)) => Err(e),
            Err(_) => Ok(None),
        }
    }

    /// Where the batches end, if they go on to `offset_end` and nothing but zeros follows them.
    pub(crate) fn size_without_zeros(
        &self,
        place: Place<'_>,
        offset_end: Offset,
    ) -> Result<Option<u64>, DiskError> {
        let file = self.file(place)?;
        let zeros_from = |at| is_zeros(file.as_ref(), at).map_err(|e| place.read_failed(e));
        // Few batches end with so many of them.
        let few = self.size.saturating_sub(LOG_OVERHEAD as u64);
        if self.size == 0 || !zeros_from(few)? {
            return Ok(None);
        }
        let bounds = self.bounds(offset_end);
        let mut window = Window::new(file.as_ref(), HEADER_WINDOW);
        let last = Offset(offset_end.0 - 1);
        let (mut position, mut next) = self.floor(place, last, bounds, &mut window)?;
        while let Ok(header) =
            header_at(&mut window, position, next, bounds).map_err(|e| place.read_failed(e))?
        {
            position += header.size_in_bytes() as u64;
            next = header.next_offset();
        }
        let ends_there = next == offset_end && position < self.size;
        Ok((ends_there && zeros_from(position)?).then_some(position))
    }

    /// Takes note of a batch that now is part of the segment: index entries when enough bytes passed, and the largest
    /// timestamp. `since_entry` counts bytes since the last index entry.
    pub(crate) fn index_batch(
        &mut self,
        position: u64,
        header: &BatchHeader,
        since_entry: &mut u64,
        interval: u32,
    ) {
        let last_offset = header.last_offset();
        let largest = self.largest.get_mut();
        if let Some(of) = Largest::of(header)
            && match largest {
                Known::Known(Some(l)) => of.timestamp > l.timestamp,
                _ => true,
            }
        {
            *largest = Known::Known(Some(of));
        }
        // Beyond 4 GiB the format has no position; such a segment rolls before it gets there.
        if *since_entry > u64::from(interval)
            && let Ok(position) = u32::try_from(position)
        {
            self.offsets.push(OffsetEntry {
                offset: last_offset,
                position,
            });
            self.push_time_entry();
            *since_entry = 0;
        }
        *since_entry += header.size_in_bytes() as u64;
    }

    /// Puts the largest timestamp so far into the time index.
    pub(crate) fn push_time_entry(&mut self) {
        if let Known::Known(Some(largest)) = *self.largest.get_mut() {
            self.times.push(TimeEntry {
                timestamp: largest.timestamp,
                offset: largest.offset,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Log;

    /// Ten thousand idle partitions are some ten megabytes, not a hundred.
    #[test]
    fn an_idle_partition_takes_a_kilobyte_or_so() {
        assert!(size_of::<Log>() <= 640, "{}", size_of::<Log>());
        assert!(size_of::<Segment>() <= 400, "{}", size_of::<Segment>());
    }
}
