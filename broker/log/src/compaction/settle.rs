//! What a crash has left of a swap, found when a folder is opened: finished where it was complete, discarded where it was
//! not. Folders that the reference has left are treated as it would treat them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ottla_protocol::types::Offset;

use crate::disk::{Context, Disk, DiskError, OpenMode, remove_if_there};
use crate::names;
use crate::scan::{Bounds, HEADER_WINDOW, Window, header_at};
use crate::truncate;

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Files of swaps that had not begun, and of segments that swapped ones replace.
    pub(crate) removed: Vec<PathBuf>,
    /// Bases of the segments whose swap was finished.
    pub(crate) finished: BTreeSet<Offset>,
}

/// Files that belong to a segment in the making: name and base.
fn with_ending<'a>(names: &'a [String], ending: &str) -> Vec<(&'a str, Offset)> {
    names
        .iter()
        .filter_map(|name| {
            let (base, _) = names::parse_segment_file(name.strip_suffix(ending)?)?;
            Some((name.as_str(), base))
        })
        .collect()
}

/// Leaves the folder without `.cleaned` and `.swap` files. `names` is all that is in it.
pub(crate) fn settle(disk: &dyn Disk, dir: &Path, names: &[String]) -> Result<Settled, DiskError> {
    let mut settled = Settled::default();
    let cleaned = with_ending(names, names::CLEANED);
    let swaps = with_ending(names, names::SWAP);
    if cleaned.is_empty() && swaps.is_empty() {
        return Ok(settled);
    }
    // Names get the ending `.swap` from the newest segment down: what lies at or behind one that has not got it is not
    // complete. It goes first, else it would look complete to the next attempt.
    let incomplete_from = cleaned.iter().map(|(_, base)| *base).min();
    let (incomplete, complete): (Vec<_>, Vec<_>) = swaps
        .iter()
        .partition(|(_, base)| incomplete_from.is_some_and(|from| *base >= from));
    for batch in [incomplete, cleaned.iter().collect()] {
        if batch.is_empty() {
            continue;
        }
        for (name, _) in batch {
            let path = dir.join(name);
            remove_if_there(disk, &path)?;
            settled.removed.push(path);
        }
        disk.sync_dir(dir).during("sync directory", dir)?;
    }
    if complete.is_empty() {
        return Ok(settled);
    }
    let live: BTreeSet<Offset> = names
        .iter()
        .filter_map(|name| names::parse_segment_file(name))
        .filter(|(_, suffix)| truncate::SUFFIXES.contains(suffix))
        .map(|(base, _)| base)
        .collect();
    settled.finished = complete.iter().map(|(_, base)| *base).collect();
    let (logs, beside): (Vec<_>, Vec<_>) = complete
        .into_iter()
        .partition(|(name, _)| name.ends_with(&format!(".{}{}", names::LOG, names::SWAP)));
    // With the log itself under its new name, all that it replaces has gone before.
    for (name, base) in &logs {
        let end = end_of(disk, &dir.join(name), *base)?;
        for replaced in live.range(*base..end.max(base.next())) {
            let suffixes = match replaced == base {
                true => &names::SEGMENT_FILES[..],
                false => &truncate::SUFFIXES[..],
            };
            for suffix in suffixes {
                let path = names::segment_file(dir, *replaced, suffix);
                if disk.info(&path).is_ok() {
                    remove_if_there(disk, &path)?;
                    settled.removed.push(path);
                }
            }
        }
    }
    // The old and the new must not be there together under names of the log.
    disk.sync_dir(dir).during("sync directory", dir)?;
    // The logs first: beside a log that still waits, an index is taken for an old one.
    for batch in [logs, beside] {
        if batch.is_empty() {
            continue;
        }
        for (name, _) in batch {
            let from = dir.join(name);
            let to = dir.join(name.strip_suffix(names::SWAP).unwrap_or(name));
            disk.rename(&from, &to).during("rename", &from)?;
        }
        disk.sync_dir(dir).during("sync directory", dir)?;
    }
    Ok(settled)
}

/// The offset behind the last batch of a segment that is whole: it was synced before it got its name.
fn end_of(disk: &dyn Disk, path: &Path, base: Offset) -> Result<Offset, DiskError> {
    let file = disk.open(path, OpenMode::Read).during("open", path)?;
    let bounds = Bounds {
        end: file.len().during("measure", path)?,
        base,
        offset_end: Offset(i64::MAX),
    };
    let mut window = Window::new(file.as_ref(), HEADER_WINDOW);
    let (mut position, mut next) = (0, base);
    while position < bounds.end {
        let Ok(header) = header_at(&mut window, position, next, bounds).during("read", path)?
        else {
            break;
        };
        position += header.size_in_bytes() as u64;
        next = header.next_offset();
    }
    Ok(next)
}
