//! `damage-checkpoint`: the stretches of a partition's segments that are known to hold no valid batch.
//!
//! Readers get a range of a file and no checksum is computed on the way, so a batch that was once found rotten has to
//! be remembered, or the next clean start would hand it out again. Always: the file is advice and never truth. An
//! entry counts only if the walk over its segment's batches arrives at it and finds no valid batch there, so a file
//! that was repaired, cut or replaced is served again. The reference knows no file of this name and leaves it alone.
//! Layout: `docs/format/checkpoints.md`.

use std::fmt::Write as _;
use std::path::Path;

use ottla_protocol::types::Offset;

use crate::checkpoint::{self, CheckpointError};
use crate::disk::{Context, Disk, DiskError, read_file_if_there, remove_if_there, replace_file};
use crate::errors::{Corruption, Fault};
use crate::index::Place;
use crate::log::Log;
use crate::names;
use crate::placement::{Look, placed_at};
use crate::scan::{FULL_WINDOW, HEADER_WINDOW, Window};
use crate::segment::Segment;

/// A line per damaged stretch; a disk that has more of them is beyond help.
const SIZE_MAX: u64 = 64 << 20;

/// Where a stretch without a valid batch is, as the file remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damaged {
    /// Base offset of the segment.
    pub segment: Offset,
    /// Where in the segment's file the stretch begins, and how long it is.
    pub position: u64,
    pub bytes: u64,
    /// The first offset that cannot be read.
    pub first_offset: Offset,
    /// The first offset after the stretch.
    pub next_offset: Offset,
}

impl From<&Corruption> for Damaged {
    fn from(found: &Corruption) -> Self {
        Self {
            segment: found.segment,
            position: found.position,
            bytes: found.bytes,
            first_offset: found.first_offset,
            next_offset: found.next_offset,
        }
    }
}

/// What is known of a partition's folder, in the order of the log. Nothing where there is no such file.
pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Vec<Damaged>, CheckpointError> {
    let path = dir.join(names::DAMAGE);
    let Some(bytes) = read_file_if_there(disk, &path, SIZE_MAX)? else {
        return Ok(Vec::new());
    };
    parse(&bytes).map_err(|reason| CheckpointError::Malformed {
        path: path.display().to_string(),
        reason,
    })
}

/// Replaces the file, durably; it goes when there is nothing to remember.
pub fn write(disk: &dyn Disk, dir: &Path, damaged: &[Damaged]) -> Result<(), DiskError> {
    let path = dir.join(names::DAMAGE);
    if damaged.is_empty() {
        remove_if_there(disk, &path)?;
        return disk.sync_dir(dir).during("sync directory", dir);
    }
    replace_file(disk, &path, render(damaged).as_bytes())
}

#[must_use]
pub fn render(damaged: &[Damaged]) -> String {
    let mut text = checkpoint::header(damaged.len());
    for d in damaged {
        let _ = writeln!(
            text,
            "{} {} {} {} {}",
            d.segment, d.position, d.bytes, d.first_offset, d.next_offset
        );
    }
    text
}

pub fn parse(bytes: &[u8]) -> Result<Vec<Damaged>, String> {
    let mut damaged: Vec<Damaged> = Vec::new();
    checkpoint::parse(bytes, |fields| {
        let [segment, position, bytes, first, next] = fields else {
            return None;
        };
        let entry = Damaged {
            segment: Offset(segment.parse().ok()?),
            position: position.parse().ok()?,
            bytes: bytes.parse().ok()?,
            first_offset: Offset(first.parse().ok()?),
            next_offset: Offset(next.parse().ok()?),
        };
        let rises = damaged
            .last()
            .is_none_or(|last| (last.segment, last.position) < (entry.segment, entry.position));
        let is_sound = entry.segment.0 >= 0
            && entry.bytes > 0
            && entry.position.checked_add(entry.bytes).is_some()
            && entry.segment <= entry.first_offset
            && entry.first_offset <= entry.next_offset;
        (rises && is_sound).then(|| damaged.push(entry))
    })?;
    Ok(damaged)
}

impl Log {
    /// Puts what the file remembers back into the segments, as far as it is still so; what the file held.
    pub(crate) fn recall_damage(&mut self) -> Result<Vec<Damaged>, DiskError> {
        let remembered = match read(self.disk.as_ref(), &self.dir) {
            Ok(damaged) => damaged,
            Err(CheckpointError::Disk(error)) => return Err(error),
            // Scans find most of it again.
            Err(CheckpointError::Malformed { .. }) => Vec::new(),
        };
        for damaged in &remembered {
            self.note_if_damaged(*damaged)?;
        }
        Ok(remembered)
    }

    /// Remembers what somebody met who read whole batches, as far as it still is so: readers of these offsets get an error
    /// from now on, over restarts too. False: it is not so any more, or known.
    pub fn remember_damage(&mut self, found: &Corruption) -> Result<bool, DiskError> {
        let is_news = self.note_if_damaged(found.into())?;
        if is_news {
            let known: Vec<Damaged> = self.damage().iter().map(Damaged::from).collect();
            write(self.disk.as_ref(), &self.dir, &known)?;
        }
        Ok(is_news)
    }

    fn note_if_damaged(&self, damaged: Damaged) -> Result<bool, DiskError> {
        let segment = self
            .segments
            .binary_search_by_key(&damaged.segment, |s| s.base);
        let Ok(i) = segment else { return Ok(false) };
        if self.segments[i].corrupt_at(damaged.position).is_some() {
            return Ok(false);
        }
        let offset_end = self
            .segments
            .get(i + 1)
            .map_or(Offset(i64::MAX), |next| next.base);
        let place = self.place(damaged.segment);
        let found = still_damaged(&self.segments[i], place, damaged, offset_end)?;
        let is_damaged = found.is_some();
        if let Some(found) = found {
            self.segments[i].note_corrupt(found);
        }
        Ok(is_damaged)
    }

    /// Every damaged stretch that is known, in the order of the log.
    #[must_use]
    pub fn damage(&self) -> Vec<Corruption> {
        self.segments
            .iter()
            .flat_map(|s| s.corrupt.lock().clone())
            .collect()
    }

    /// Brings the file up to what is known, if it says something else.
    pub(crate) fn keep_damage(&self, remembered: &[Damaged]) -> Result<(), DiskError> {
        let known: Vec<Damaged> = self.damage().iter().map(Damaged::from).collect();
        if known == remembered {
            return Ok(());
        }
        write(self.disk.as_ref(), &self.dir, &known)
    }
}

/// What is left of a stretch: from the first batch in it that is not valid to its end. None if all of it is, or if no
/// batch begins there any more.
fn still_damaged(
    segment: &Segment,
    place: Place<'_>,
    damaged: Damaged,
    offset_end: Offset,
) -> Result<Option<Corruption>, DiskError> {
    let end = damaged.position + damaged.bytes;
    if end > segment.size || damaged.next_offset > offset_end {
        return Ok(None);
    }
    let file = segment.file(place)?;
    let bounds = segment.bounds(offset_end);
    let path = place.path(names::LOG);
    let mut headers = Window::new(file.as_ref(), HEADER_WINDOW);
    let first = damaged.first_offset;
    let (mut position, mut next) = segment.floor(place, first, bounds, &mut headers)?;
    while position < damaged.position {
        if let Some(known) = segment.corrupt_at(position) {
            (position, next) = (known.end(), known.next_offset);
            continue;
        }
        let file = file.as_ref();
        let placed = placed_at(file, &mut headers, position, next, bounds, Look::Headers);
        match placed.during("read", &path)? {
            Ok(placed) => {
                position += placed.header.size_in_bytes() as u64;
                next = placed.header.next_offset();
            }
            // New damage on the way, which readers will meet; behind it the file has to be believed.
            Err(_) => (position, next) = (damaged.position, first),
        }
    }
    if position > damaged.position {
        return Ok(None);
    }
    let mut window = Window::new(file.as_ref(), FULL_WINDOW);
    while position < end {
        let file = file.as_ref();
        let placed = placed_at(file, &mut window, position, next, bounds, Look::Whole);
        let reason = match placed.during("read", &path)? {
            Ok(placed)
                if !placed.is_moved() && placed.header.next_offset() <= damaged.next_offset =>
            {
                position += placed.header.size_in_bytes() as u64;
                next = placed.header.next_offset();
                continue;
            }
            // The log was cut in front of the stretch, and written anew.
            Ok(placed) if position + placed.header.size_in_bytes() as u64 > end => {
                return Ok(None);
            }
            Ok(_) => Fault::BadOffset,
            Err(reason) => reason,
        };
        return Ok(Some(Corruption {
            segment: segment.base,
            position,
            bytes: end - position,
            first_offset: next,
            next_offset: damaged.next_offset,
            reason,
        }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damaged(segment: i64, position: u64, first: i64) -> Damaged {
        Damaged {
            segment: Offset(segment),
            position,
            bytes: 70,
            first_offset: Offset(first),
            next_offset: Offset(first + 1),
        }
    }

    #[test]
    fn the_file_goes_both_ways_and_refuses_what_makes_no_sense() {
        let entries = [damaged(0, 0, 0), damaged(0, 140, 2), damaged(9, 70, 10)];
        assert_eq!(
            render(&entries),
            "0\n3\n0 0 70 0 1\n0 140 70 2 3\n9 70 70 10 11\n"
        );
        assert_eq!(parse(render(&entries).as_bytes()).unwrap(), entries);
        assert_eq!(parse(b"").unwrap(), []);
        for nonsense in [
            &b"0\n1\n0 0 0 0 1\n"[..],
            b"0\n1\n0 0 70 2 1\n",
            b"0\n1\n5 0 70 1 2\n",
            b"0\n1\n0 18446744073709551615 70 0 1\n",
            b"0\n2\n0 70 70 1 2\n0 0 70 0 1\n",
            b"0\n1\n0 0 70 0\n",
        ] {
            assert!(parse(nonsense).is_err(), "{nonsense:?}");
        }
    }
}
