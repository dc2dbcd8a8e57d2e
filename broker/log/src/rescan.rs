//! Going over one segment's batches again: to find the end of the log, to verify what a crash may have torn, to build
//! indexes anew.
//!
//! Always: an index is resumed only behind an entry whose batch is really there; everything behind is indexed again, as
//! an append would have done it.

use std::io;
use std::path::PathBuf;

use ottla_protocol::records::batch::BatchHeader;
use ottla_protocol::types::Offset;

use crate::disk::{Context, DiskError, DiskFile};
use crate::errors::{Corruption, Fault};
use crate::index::{Entry, OffsetEntry, Place, SparseIndex, TimeEntry, ordered_entries};
use crate::names;
use crate::placement::{Look, Step, step_at};
use crate::scan::{Bounds, FULL_WINDOW, HEADER_WINDOW, Window, header_at};
use crate::segment::{Known, Largest, Segment};

/// How far files are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The server stopped cleanly: only what is needed to go on is read, and the first surprise ends the scan.
    Clean { recovery_point: Offset },
    /// Batches below the recovery point and index entries that prove right.
    Flushed { recovery_point: Offset },
    /// Batches, but no index.
    BatchesOnly,
}

impl Trust {
    /// Batches from here on are verified.
    fn verify_from(self) -> Offset {
        match self {
            Self::Flushed { recovery_point } => recovery_point,
            Self::Clean { .. } | Self::BatchesOnly => Offset(i64::MAX),
        }
    }

    /// What is known to have been flushed: the only witness of a batch behind a gap that nothing follows.
    fn flushed_end(self) -> Offset {
        match self {
            Self::Flushed { recovery_point } | Self::Clean { recovery_point } => recovery_point,
            Self::BatchesOnly => Offset(i64::MAX),
        }
    }

    fn is_clean(self) -> bool {
        matches!(self, Self::Clean { .. })
    }
}

/// What a scan found.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// End of the last valid batch, and the offset after it.
    pub(crate) position: u64,
    pub(crate) next: Offset,
    /// Why the scan ended before the file did.
    pub(crate) fault: Option<Fault>,
    /// Valid batches that were met, and stretches that are known to be damaged and kept.
    pub(crate) batches: u64,
    pub(crate) verified_batches: u64,
    pub(crate) verified_bytes: u64,
    pub(crate) since_entry: u64,
    /// The first batch that was met has a leader epoch nobody knew of.
    pub(crate) unknown_epoch: bool,
    /// The index files were not what they should be.
    pub(crate) rebuilt: Vec<PathBuf>,
}

pub(crate) struct Rescan<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) interval: u32,
    /// Exclusive bound of the segment's offsets.
    pub(crate) offset_end: Offset,
    pub(crate) trust: Trust,
}

/// Where a scan begins.
struct Resume {
    position: u64,
    next: Offset,
    largest: Option<Largest>,
    damaged: bool,
}

impl Rescan<'_> {
    /// Scans to the end of the segment, or of what is valid. The segment's indexes end up open for more, in memory;
    /// its damaged stretches are noted.
    pub(crate) fn run(
        &self,
        segment: &mut Segment,
        on_batch: &mut dyn FnMut(&BatchHeader),
    ) -> Result<Scanned, DiskError> {
        let bounds = segment.bounds(self.offset_end);
        let resume = match self.trust {
            Trust::BatchesOnly => Resume {
                position: 0,
                next: segment.base,
                largest: None,
                damaged: true,
            },
            _ if segment.size == 0 => Resume {
                position: 0,
                next: segment.base,
                largest: None,
                damaged: false,
            },
            _ => self.resume(segment, bounds)?,
        };
        let indexed_largest = resume.largest;
        let mut scanned = self.walk(segment, bounds, resume, on_batch)?;
        let largest = *segment.largest.get_mut();
        // A clean stop leaves the largest timestamp in the index. A younger tail means that part of it is lost.
        let lost = indexed_largest.is_some() && largest != Known::Known(indexed_largest);
        if self.trust.is_clean() && lost && scanned.fault.is_none() {
            let again = Rescan {
                trust: Trust::BatchesOnly,
                place: self.place,
                ..*self
            };
            scanned = again.run(segment, &mut |_| ())?;
        }
        Ok(scanned)
    }

    fn resume(&self, segment: &mut Segment, bounds: Bounds) -> Result<Resume, DiskError> {
        let from_start = |segment: &mut Segment, damaged| {
            segment.offsets = SparseIndex::resume(0, None);
            segment.times = SparseIndex::resume(0, None);
            Resume {
                position: 0,
                next: segment.base,
                largest: None,
                damaged,
            }
        };
        let below = self.trust.verify_from();
        let Some(offsets) = self.entries::<OffsetEntry>(segment, |e| e.offset < below)? else {
            return Ok(from_start(segment, true));
        };
        let Some(entry) = offsets.last() else {
            // Complete for a segment that is short; one that is not has lost its entries.
            let damaged =
                self.trust.is_clean() && segment.size > 4 * u64::from(self.interval) + (64 << 10);
            let first_above = self.entries::<OffsetEntry>(segment, |_| true)?;
            let none_at_all = first_above.is_none_or(|o| o.last().is_none());
            let no_times = !self.place_has(names::TIME_INDEX);
            return Ok(from_start(segment, (damaged && none_at_all) || no_times));
        };
        let file = segment.file(self.place)?;
        let mut window = Window::new(file.as_ref(), HEADER_WINDOW);
        let Some(first) = segment.batch_of_entry(self.place, entry, bounds, &mut window)? else {
            return Ok(from_start(segment, true));
        };
        // A clean stop has put the largest timestamp at the end, wherever its batch is.
        let all = self.trust.is_clean();
        let times = self.entries::<TimeEntry>(segment, |e| all || e.offset <= entry.offset)?;
        let Some((times, newest)) = times.and_then(|t| t.last().map(|newest| (t, newest))) else {
            return Ok(from_start(segment, true));
        };
        segment.offsets = offsets;
        let named = segment.time_entry_batch(self.place, newest, self.offset_end, self.interval)?;
        let Some(named) = named else {
            return Ok(from_start(segment, true));
        };
        segment.times = times;
        let mut largest = Largest {
            timestamp: newest.timestamp,
            offset: newest.offset,
        };
        let position = u64::from(entry.position);
        if !self.trust.is_clean() {
            // The time index may have lost entries that the offset index has.
            let mut at = named.position;
            while at < position {
                let header = header_at(&mut window, at, segment.base, bounds);
                let Ok(header) = header.during("read", &self.place.path(names::LOG))? else {
                    break;
                };
                if let Some(of) = Largest::of(&header)
                    && of.timestamp > largest.timestamp
                {
                    largest = of;
                }
                at += header.size_in_bytes() as u64;
            }
        }
        Ok(Resume {
            position,
            next: first.base_offset,
            largest: Some(largest),
            damaged: false,
        })
    }

    fn place_has(&self, suffix: &str) -> bool {
        self.place.disk.info(&self.place.path(suffix)).is_ok()
    }

    /// The index up to the last entry that satisfies the condition. None: there is no such file.
    fn entries<E: Entry>(
        &self,
        segment: &Segment,
        holds: impl Fn(E) -> bool,
    ) -> Result<Option<SparseIndex<E>>, DiskError> {
        let ordered = if self.trust.is_clean() {
            if !self.place_has(E::SUFFIX) {
                return Ok(None);
            }
            SparseIndex::sealed()
        } else {
            // No batch is smaller than its header, so a sound index has no more entries than that.
            let limit = usize::try_from(segment.size).unwrap_or(usize::MAX) / 61 + 1;
            match ordered_entries::<E>(self.place, limit)? {
                None => return Ok(None),
                Some(entries) => SparseIndex::resume(entries, None),
            }
        };
        let (entries, last) = ordered.floor_on_disk(self.place, holds)?;
        Ok(Some(SparseIndex::resume(entries, last)))
    }

    fn walk(
        &self,
        segment: &mut Segment,
        bounds: Bounds,
        resume: Resume,
        on_batch: &mut dyn FnMut(&BatchHeader),
    ) -> Result<Scanned, DiskError> {
        let path = self.place.path(names::LOG);
        if resume.position == 0 {
            segment.offsets = SparseIndex::resume(0, None);
            segment.times = SparseIndex::resume(0, None);
        }
        *segment.largest.get_mut() = Known::Known(resume.largest);
        let verify_from = self.trust.verify_from();
        let is_verified =
            |c: &mut Corruption| c.position >= resume.position && c.first_offset >= verify_from;
        let known: Vec<_> = segment
            .corrupt
            .get_mut()
            .extract_if(.., is_verified)
            .collect();
        let mut scanned = Scanned {
            position: resume.position,
            next: resume.next,
            fault: None,
            batches: 0,
            verified_batches: 0,
            verified_bytes: 0,
            since_entry: 0,
            unknown_epoch: false,
            rebuilt: Vec::new(),
        };
        if resume.damaged {
            scanned.rebuilt = [names::OFFSET_INDEX, names::TIME_INDEX]
                .map(|s| self.place.path(s))
                .into();
        }
        if segment.size == 0 {
            return Ok(scanned);
        }
        let file = segment.file(self.place)?;
        let mut headers = Window::new(file.as_ref(), HEADER_WINDOW);
        let mut full = Window::new(file.as_ref(), FULL_WINDOW);
        while scanned.position < bounds.end {
            let (at, next) = (scanned.position, scanned.next);
            // Known damage that this scan does not verify anew.
            if let Some(known) = segment.corrupt_at(at) {
                (scanned.position, scanned.next) = (known.end(), known.next_offset);
                scanned.since_entry += known.bytes;
                scanned.batches += 1;
                continue;
            }
            let step = self.step(file.as_ref(), &mut headers, &mut full, at, next, bounds);
            match step.during("read", &path)? {
                Step::Batch { header, .. } => {
                    if header.base_offset >= verify_from {
                        scanned.verified_batches += 1;
                        scanned.verified_bytes += header.size_in_bytes() as u64;
                    }
                    segment.index_batch(at, &header, &mut scanned.since_entry, self.interval);
                    on_batch(&header);
                    scanned.position += header.size_in_bytes() as u64;
                    scanned.next = header.next_offset();
                    scanned.batches += 1;
                }
                Step::Damage { reason, .. } if self.trust.is_clean() => {
                    scanned.fault = Some(reason);
                    return Ok(scanned);
                }
                Step::Damage {
                    end,
                    next: to,
                    reason,
                } => {
                    segment.note_met(at, next, end, to, reason);
                    scanned.since_entry += end - at;
                    (scanned.position, scanned.next) = (end, to);
                }
                Step::End(fault) => {
                    // What was damage before is no torn tail now.
                    if let Some(known) = known.iter().find(|c| c.position == at) {
                        segment.note_corrupt(known.clone());
                        continue;
                    }
                    scanned.fault = Some(fault);
                    return Ok(scanned);
                }
            }
        }
        Ok(scanned)
    }

    /// What comes next: by its header alone below what is to be verified.
    fn step(
        &self,
        file: &dyn DiskFile,
        headers: &mut Window<'_>,
        full: &mut Window<'_>,
        position: u64,
        next: Offset,
        bounds: Bounds,
    ) -> io::Result<Step> {
        let verify_from = self.trust.verify_from();
        let by_header = match next < verify_from {
            true => Some(step_at(
                file,
                headers,
                position,
                next,
                bounds,
                Look::Headers,
            )?),
            false => None,
        };
        let step = match by_header {
            Some(Step::Batch { header, .. }) if header.base_offset >= verify_from => None,
            step => step,
        };
        let step = match step {
            Some(step) => step,
            None => step_at(file, full, position, next, bounds, Look::Whole)?,
        };
        Ok(match step {
            // A torn or rotten tail looks like this, and nothing that was written here leaves a gap.
            Step::Batch {
                header,
                witnessed: false,
            } if header.next_offset() > self.trust.flushed_end() => Step::End(Fault::BadOffset),
            step => step,
        })
    }
}
