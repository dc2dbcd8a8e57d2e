//! Offset and time indexes, held against the segment they belong to.

use std::io::Write as _;

use ottla_cli::{Context, Failure, Stop};
use ottla_log::disk::{DiskFile, read_full};

use super::java::JavaFile;
use super::log_file::{Batches, Found, last_offset};
use super::record::max_timestamp;
use super::{FINDINGS_MAX, Findings, Plan};

const OFFSET_ENTRY: usize = 8;
const TIME_ENTRY: usize = 12;
/// Lookups look first among the entries in so many bytes at the end, as the reference does: in an index that is out of
/// order it makes a difference.
const WARM_BYTES: usize = 8192;

pub(super) fn dump_offsets(
    file: &JavaFile,
    plan: &Plan,
    findings: &mut Findings,
    cx: &mut Context,
) -> Result<(), Stop> {
    let base = file.base_offset()?;
    let log = file.sibling(".log");
    let (log_file, log_len) = log.open_log()?;
    let index = Index::<OFFSET_ENTRY>::open(file, base)?;
    if index.entries == 0 {
        return Ok(writeln!(cx.out, "{file} is empty.")?);
    }
    if plan.sanity_only {
        index.check_sanity(|(_, offset)| offset < base)?;
        return Ok(writeln!(cx.out, "{file} passed sanity check.")?);
    }
    let Ok(message_max) = u64::try_from(plan.message_bytes_max) else {
        return Err(Stop::failed(format!(
            "Invalid size: {}",
            plan.message_bytes_max
        )));
    };
    // Windows are kept from entry to entry; where a slice ends is set for each.
    let mut batches = Batches::new(log_file.as_ref(), &log, 0, log_len);
    for i in 0..index.entries {
        let (position, offset) = index.entry(i)?;
        // The end of a file that was allocated ahead is zeros.
        if offset == base && i > 0 {
            return Ok(());
        }
        let position = slice_start(position, log_len, &log)?;
        batches.seek(position, log_len.min(position + message_max));
        let batch = batches.next()?.ok_or_else(|| no_batch(&log, position))?;
        let found = last_offset_of(&mut batches, &batch)?;
        if found != offset {
            let mismatches = findings.mismatches.of(file);
            if mismatches.len() < FINDINGS_MAX {
                mismatches.insert(std::cmp::Reverse(offset), found);
            }
        }
        if !plan.verifies_only {
            writeln!(cx.out, "offset: {offset} position: {position}")?;
        }
    }
    Ok(())
}

/// The entries of `.index`: position and offset.
pub(super) fn each_offset(
    file: &JavaFile,
    on_entry: &mut dyn FnMut(i64, i64) -> Result<(), Stop>,
) -> Result<(), Stop> {
    Index::<OFFSET_ENTRY>::open(file, file.base_offset()?)?.each(on_entry)
}

/// The entries of `.timeindex`: timestamp and offset.
pub(super) fn each_time(
    file: &JavaFile,
    on_entry: &mut dyn FnMut(i64, i64) -> Result<(), Stop>,
) -> Result<(), Stop> {
    Index::<TIME_ENTRY>::open(file, file.base_offset()?)?.each(on_entry)
}

/// Where a slice that begins at an index entry's position begins.
fn slice_start(position: i64, log_len: u64, log: &JavaFile) -> Result<u64, Stop> {
    let start = u64::try_from(position)
        .map_err(|_| Stop::failed(format!("Invalid position: {position} in read from {log}")))?;
    if start > log_len {
        return Err(Stop::failed(format!(
            "Slice from position {position} exceeds end position of {log} ({log_len})"
        )));
    }
    Ok(start)
}

fn no_batch(log: &JavaFile, position: u64) -> Stop {
    Failure::new(format!("{log} holds no whole batch at position {position}"))
        .hint("The index points there. A batch larger than --max-message-size counts as none.")
        .into()
}

fn last_offset_of(batches: &mut Batches<'_>, batch: &Found) -> Result<i64, Stop> {
    // The two formats before have one message, or the last of several, for a batch.
    if batch.magic < 2 {
        return Ok(batch.offset);
    }
    Ok(last_offset(&batches.header(batch)?))
}

pub(super) fn dump_times(
    file: &JavaFile,
    plan: &Plan,
    findings: &mut Findings,
    cx: &mut Context,
) -> Result<(), Stop> {
    let base = file.base_offset()?;
    let log = file.sibling(".log");
    let (log_file, log_len) = log.open_log()?;
    let offsets_name = file.sibling(".index");
    let offsets = Index::<OFFSET_ENTRY>::open(&offsets_name, base)?;
    let times = Index::<TIME_ENTRY>::open(file, base)?;
    if plan.sanity_only {
        let first = times.entry_if(0)?.map_or(-1, |(timestamp, _)| timestamp);
        times.check_sanity(|(timestamp, offset)| timestamp < first || offset < base)?;
        return Ok(writeln!(cx.out, "{file} passed sanity check.")?);
    }
    let mut chain = Chain::default();
    let mut before = -1;
    for i in 0..times.entries {
        let (timestamp, offset) = times.entry(i)?;
        if offset == base && i > 0 {
            return Ok(());
        }
        let position = slice_start(offsets.position_below(offset)?, log_len, &log)?;
        let mut batches = Batches::new(log_file.as_ref(), &log, position, log_len);
        match find(&mut batches, offset)? {
            Some((batch, last)) if last == offset => {
                // The reference walks on to the end before it looks at what it found.
                chain.walk(batches, batch.position)?;
                let mut batches = Batches::new(log_file.as_ref(), &log, position, log_len);
                let largest = largest_timestamp(&mut batches, &batch)?;
                if largest != timestamp {
                    push(findings.times.of(file), (timestamp, largest));
                }
                if before >= timestamp {
                    push(findings.times_out_of_order.of(file), (timestamp, before));
                }
            }
            found => {
                let last = found.map_or(-1, |(_, last)| last);
                push(findings.offsets_not_found.of(file), (offset, last));
                if let Some((batch, _)) = found {
                    chain.walk(batches, batch.position)?;
                }
            }
        }
        if !plan.verifies_only {
            writeln!(cx.out, "timestamp: {timestamp} offset: {offset}")?;
        }
        before = timestamp;
    }
    Ok(())
}

fn push(findings: &mut Vec<(i64, i64)>, pair: (i64, i64)) {
    if findings.len() < FINDINGS_MAX {
        findings.push(pair);
    }
}

/// The first batch that reaches an offset, and its last offset.
fn find(batches: &mut Batches<'_>, offset: i64) -> Result<Option<(Found, i64)>, Stop> {
    while let Some(batch) = batches.next()? {
        let last = last_offset_of(batches, &batch)?;
        if last >= offset {
            return Ok(Some((batch, last)));
        }
    }
    Ok(None)
}

fn largest_timestamp(batches: &mut Batches<'_>, batch: &Found) -> Result<i64, Stop> {
    if batch.magic < 2 {
        return Err(Stop::failed(format!(
            "Messages of format {} are not compared with a time index.",
            batch.magic
        )));
    }
    let header = batches.header(batch)?;
    max_timestamp(&header, batches.whole(batch)?)
}

/// Batches from which a walk is known to reach the end of the file: entries of one index share their walks.
#[derive(Default)]
struct Chain {
    /// Of the last walk, and the batches at whose positions it might be joined.
    known: std::collections::BTreeSet<u64>,
}

/// A walk is joined at one of these many batches; more would only cost memory.
const CHAIN_MAX: usize = 1 << 16;

impl Chain {
    /// Goes on to the end, or to where a walk has been before.
    fn walk(&mut self, mut batches: Batches<'_>, from: u64) -> Result<(), Stop> {
        if self.known.contains(&from) || self.known.contains(&batches.position) {
            return Ok(());
        }
        let mut met = vec![from];
        loop {
            let at = batches.position;
            if batches.next()?.is_none() || self.known.contains(&at) {
                break;
            }
            // Evenly: every other of those met is forgotten when they become too many.
            if met.len() == CHAIN_MAX {
                let mut keep = false;
                met.retain(|_| {
                    keep = !keep;
                    keep
                });
            }
            met.push(at);
        }
        if self.known.len() + met.len() > 2 * CHAIN_MAX {
            self.known.clear();
        }
        self.known.extend(met);
        Ok(())
    }
}

/// An index file, read entry by entry.
struct Index<'a, const ENTRY: usize> {
    name: &'a JavaFile,
    file: ottla_log::SharedFile,
    base: i64,
    len: u64,
    entries: usize,
    block: std::cell::RefCell<(u64, Vec<u8>)>,
}

impl<'a, const ENTRY: usize> Index<'a, ENTRY> {
    fn open(name: &'a JavaFile, base: i64) -> Result<Self, Stop> {
        let (file, len) = name.open()?;
        Ok(Self {
            name,
            file,
            base,
            len,
            entries: usize::try_from(len).unwrap_or(usize::MAX) / ENTRY,
            block: Default::default(),
        })
    }

    /// Position or timestamp, and offset.
    fn entry(&self, i: usize) -> Result<(i64, i64), Stop> {
        let at = (i * ENTRY) as u64;
        let mut block = self.block.borrow_mut();
        let inside = at
            .checked_sub(block.0)
            .and_then(|at| usize::try_from(at).ok());
        let from = match inside {
            Some(from) if from + ENTRY <= block.1.len() => from,
            _ => {
                block.1.resize(ENTRY * 1024, 0);
                let read = read_full(self.file.as_ref() as &dyn DiskFile, &mut block.1, at);
                let read = read.map_err(|error| self.name.failed(&error))?;
                block.1.truncate(read);
                block.0 = at;
                0
            }
        };
        let bytes = block.1.get(from..from + ENTRY).unwrap_or(&[0; ENTRY]);
        let int = |at: usize| {
            let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
            i64::from(field.map_or(0, |field| i32::from_be_bytes(*field)))
        };
        if ENTRY == OFFSET_ENTRY {
            return Ok((int(4), self.base.wrapping_add(int(0))));
        }
        let timestamp = bytes.first_chunk().map_or(0, |t| i64::from_be_bytes(*t));
        Ok((timestamp, self.base.wrapping_add(int(8))))
    }

    fn each(&self, on_entry: &mut dyn FnMut(i64, i64) -> Result<(), Stop>) -> Result<(), Stop> {
        for i in 0..self.entries {
            let (first, offset) = self.entry(i)?;
            // The end of a file that was allocated ahead is zeros.
            if offset == self.base && i > 0 {
                break;
            }
            on_entry(first, offset)?;
        }
        Ok(())
    }

    fn entry_if(&self, i: usize) -> Result<Option<(i64, i64)>, Stop> {
        (i < self.entries).then(|| self.entry(i)).transpose()
    }

    /// What decides at a start whether the index is built anew; `is_wrong` looks at the last entry.
    fn check_sanity(&self, is_wrong: impl Fn((i64, i64)) -> bool) -> Result<(), Stop> {
        let last = self
            .entries
            .checked_sub(1)
            .map(|i| self.entry(i))
            .transpose()?;
        if last.is_some_and(is_wrong) {
            return Err(Stop::failed(format!(
                "Corrupt index found, index file ({}) has non-zero size but its last entry lies before its first or \
                 before the base offset {}",
                self.name.absolute(),
                self.base
            )));
        }
        if !self.len.is_multiple_of(ENTRY as u64) {
            return Err(Stop::failed(format!(
                "Index file {} is corrupt, found {} bytes which is neither positive nor a multiple of {ENTRY}",
                self.name.absolute(),
                self.len
            )));
        }
        Ok(())
    }
}

impl Index<'_, OFFSET_ENTRY> {
    /// The position of the last entry at or below an offset; 0 where there is none.
    fn position_below(&self, offset: i64) -> Result<i64, Stop> {
        let Some(last) = self.entries.checked_sub(1) else {
            return Ok(0);
        };
        let warm = last.saturating_sub(WARM_BYTES / OFFSET_ENTRY);
        let (mut low, mut high) = if self.entry(warm)?.1 < offset {
            (warm, last)
        } else if self.entry(0)?.1 > offset {
            return Ok(0);
        } else {
            (0, warm)
        };
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let (position, found) = self.entry(middle)?;
            match found.cmp(&offset) {
                std::cmp::Ordering::Greater => high = middle - 1,
                std::cmp::Ordering::Less => low = middle,
                std::cmp::Ordering::Equal => return Ok(position),
            }
        }
        Ok(self.entry(low)?.0)
    }
}
