//! Which offset a batch has to have: the one field of weight that no checksum covers.
//!
//! A batch that begins where the one before it ends is believed. One that leaves a gap, as compaction does, needs a
//! witness: what follows it, in the file or as the next segment. A batch that would fit without the gap, so that the one
//! behind it follows at once, is damaged in its base offset alone. Every walk over a segment goes by these rules:
//! recovery, readers and `verify`. Not here: what becomes of damage.

use std::io;

use ottla_protocol::records::batch::{BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD};
use ottla_protocol::types::Offset;

use crate::disk::DiskFile;
use crate::errors::Fault;
use crate::scan::{Bounds, Window, find_valid_batch, shape_at};

/// How closely batches are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Headers,
    /// Checksums, too.
    Whole,
}

/// A batch, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// With the base offset that it has to have.
    pub(crate) header: BatchHeader,
    /// The one that it has.
    pub(crate) found_offset: Offset,
    /// False: it leaves a gap, and there is nothing behind it that could tell whether that is right.
    pub(crate) witnessed: bool,
}

impl Placed {
    pub(crate) fn is_moved(&self) -> bool {
        self.header.base_offset != self.found_offset
    }
}

/// What a walk meets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Batch {
        header: BatchHeader,
        witnessed: bool,
    },
    /// No batch that can be used, but something behind it that can: where, and from which offset on.
    Damage {
        end: u64,
        next: Offset,
        reason: Fault,
    },
    /// Nothing valid here or behind.
    End(Fault),
}

/// What is at a position where offset `next` is to be expected.
pub(crate) fn step_at(
    file: &dyn DiskFile,
    window: &mut Window<'_>,
    position: u64,
    next: Offset,
    bounds: Bounds,
    look: Look,
) -> io::Result<Step> {
    let placed = placed_at(file, window, position, next, bounds, look)?;
    Ok(match placed {
        Ok(placed) if placed.is_moved() => Step::Damage {
            end: position + placed.header.size_in_bytes() as u64,
            next: placed.header.next_offset(),
            reason: Fault::BadOffset,
        },
        Ok(Placed {
            header, witnessed, ..
        }) => Step::Batch { header, witnessed },
        Err(reason) => match batch_behind(file, window, position, next, bounds, reason)? {
            Some((end, header)) => Step::Damage {
                end,
                next: header.base_offset,
                reason,
            },
            None => Step::End(reason),
        },
    })
}

/// A batch with the base offset that it has to have.
pub(crate) fn placed_at(
    file: &dyn DiskFile,
    window: &mut Window<'_>,
    position: u64,
    next: Offset,
    bounds: Bounds,
    look: Look,
) -> io::Result<Result<Placed, Fault>> {
    let header = match batch_at(window, position, bounds, look)? {
        // Garbage has any length; only what belongs here can be too short.
        Err((Fault::ShortBatch, Some(header))) if !follows(&header, next, bounds) => {
            return Ok(Err(Fault::BadOffset));
        }
        Err((fault, _)) => return Ok(Err(fault)),
        Ok(header) => header,
    };
    let found_offset = header.base_offset;
    let placed = |header, witnessed| {
        Ok(Ok(Placed {
            header,
            found_offset,
            witnessed,
        }))
    };
    let fits = follows(&header, next, bounds);
    if look == Look::Whole && fits && found_offset == next {
        return placed(header, true);
    }
    let behind = position + header.size_in_bytes() as u64;
    let following = following(window, behind, bounds, look)?;
    if fits && found_offset == next {
        // A wrong length leads astray, and only a checksum tells whose fault it is that nothing fits there.
        let agrees = following.is_some_and(|following| following >= header.next_offset());
        return match agrees || behind >= bounds.end || window.crc_is_right(position, &header)? {
            true => placed(header, true),
            false => Ok(Err(Fault::BadCrc)),
        };
    }
    let moved = BatchHeader {
        base_offset: next,
        ..header
    };
    if bounds.hold(&moved) && following == Some(moved.next_offset()) {
        return placed(moved, true);
    }
    if !fits {
        return Ok(Err(Fault::BadOffset));
    }
    let witness = match following {
        None => next_whole(file, behind, bounds)?,
        there => there,
    };
    match witness {
        Some(witness) if witness < header.next_offset() => Ok(Err(Fault::BadOffset)),
        witness => placed(header, witness.is_some()),
    }
}

fn follows(header: &BatchHeader, next: Offset, bounds: Bounds) -> bool {
    header.base_offset >= next && bounds.hold(header)
}

/// A batch whatever its base offset; with the fault, the header if it was one.
fn batch_at(
    window: &mut Window<'_>,
    position: u64,
    bounds: Bounds,
    look: Look,
) -> io::Result<Result<BatchHeader, (Fault, Option<BatchHeader>)>> {
    let header = match shape_at(window, position, bounds.end)? {
        Ok(header) => header,
        Err(fault) => return Ok(Err((fault, None))),
    };
    let left = bounds.end - position;
    Ok(if header.size_in_bytes() as u64 > left {
        Err((Fault::ShortBatch, Some(header)))
    } else if look == Look::Whole && !window.crc_is_right(position, &header)? {
        Err((Fault::BadCrc, Some(header)))
    } else {
        Ok(header)
    })
}

/// The offset that comes right behind a batch.
fn following(
    window: &mut Window<'_>,
    behind: u64,
    bounds: Bounds,
    look: Look,
) -> io::Result<Option<Offset>> {
    if behind >= bounds.end {
        return Ok(bounds.known_offset_end());
    }
    let batch = batch_at(window, behind, bounds, look)?;
    Ok(batch.ok().map(|header| header.base_offset))
}

/// The offset of the next whole batch, wherever it is.
fn next_whole(file: &dyn DiskFile, behind: u64, bounds: Bounds) -> io::Result<Option<Offset>> {
    let found = find_valid_batch(file, behind, bounds.base, bounds)?;
    let found = found.map(|(_, header)| header.base_offset);
    Ok(found.or(bounds.known_offset_end()))
}

/// The next whole batch behind a bad one that nothing contradicts: right after it if its length can be right, else
/// wherever one is.
pub(crate) fn batch_behind(
    file: &dyn DiskFile,
    window: &mut Window<'_>,
    position: u64,
    next: Offset,
    bounds: Bounds,
    fault: Fault,
) -> io::Result<Option<(u64, BatchHeader)>> {
    let stands = |window: &mut Window<'_>, at| -> io::Result<Option<BatchHeader>> {
        let placed = placed_at(file, window, at, next, bounds, Look::Whole)?;
        let placed = placed.ok().filter(|placed| !placed.is_moved());
        Ok(placed.map(|placed| placed.header))
    };
    if matches!(fault, Fault::BadCrc | Fault::BadMagic | Fault::BadOffset)
        && let Some(end) = claimed_end(window, position, bounds)?
        && let Some(header) = stands(window, end)?
    {
        return Ok(Some((end, header)));
    }
    let mut from = position + 1;
    while let Some((at, header)) = find_valid_batch(file, from, next, bounds)? {
        if stands(window, at)?.is_some() {
            return Ok(Some((at, header)));
        }
        from = at + header.size_in_bytes() as u64;
    }
    Ok(None)
}

/// Where a batch would end by its length.
fn claimed_end(window: &mut Window<'_>, position: u64, bounds: Bounds) -> io::Result<Option<u64>> {
    let bytes = window.bytes(position, BATCH_OVERHEAD)?;
    let length = bytes.get(8..LOG_OVERHEAD).and_then(<[u8]>::first_chunk);
    let length = length.map_or(0, |length| u32::from_be_bytes(*length));
    let end = position + LOG_OVERHEAD as u64 + u64::from(length);
    Ok((end <= bounds.end).then_some(end))
}
