//! Offset and time indexes, entry by entry beside the walk over the batches they point at.

use ottla_protocol::records::batch::BatchHeader;
use ottla_protocol::types::Millis;

use super::finding::MISSING;
use crate::disk::{Context, DiskError, OpenMode, SharedFile, read_full};
use crate::index::{Entry, OffsetEntry, Place, TimeEntry};
use crate::segment::Largest;

const BLOCK_ENTRIES: usize = 1024;

/// The entries of a file, as long as they make sense. What follows the last of them has to be zeros, which is what a
/// crash leaves of a file that was allocated ahead.
struct Entries<E> {
    file: SharedFile,
    path: std::path::PathBuf,
    base: ottla_protocol::types::Offset,
    len: u64,
    read: u64,
    block: Vec<u8>,
    at: usize,
    last: Option<E>,
    number: usize,
}

impl<E: Entry> Entries<E> {
    fn open(place: Place<'_>) -> Result<Option<Self>, DiskError> {
        let path = place.path(E::SUFFIX);
        let file = match place.disk.open(&path, OpenMode::Read) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.during("open", &path)?,
        };
        let len = file.len().during("measure", &path)?;
        Ok(Some(Self {
            file,
            path,
            base: place.base,
            len,
            read: 0,
            block: Vec::new(),
            at: 0,
            last: None,
            number: 0,
        }))
    }

    /// The next entry; an error says what stands in its place.
    fn next(&mut self) -> Result<Option<Result<E, String>>, DiskError> {
        if self.at + E::SIZE > self.block.len() {
            self.block.drain(..self.at);
            self.at = 0;
            let start = self.block.len();
            self.block.resize(start + BLOCK_ENTRIES * E::SIZE, 0);
            let read = read_full(self.file.as_ref(), &mut self.block[start..], self.read);
            let read = read.during("read", &self.path)?;
            self.block.truncate(start + read);
            self.read += read as u64;
        }
        let Some(bytes) = self.block.get(self.at..self.at + E::SIZE) else {
            let rest = self.block.len() - self.at;
            self.at = self.block.len();
            return Ok((rest > 0).then(|| {
                Err(format!(
                    "{} bytes are not a number of whole entries",
                    self.len
                ))
            }));
        };
        self.at += E::SIZE;
        self.number += 1;
        let number = self.number;
        let Some(entry) = E::decode(bytes, self.base) else {
            let zeros = bytes.iter().all(|b| *b == 0) && self.rest_is_zero()?;
            return Ok((!zeros).then(|| Err(format!("entry {number} makes no sense"))));
        };
        if self.last.is_some_and(|last| !entry.follows(last)) {
            return Ok(Some(Err(format!(
                "entry {number} does not rise above the one before"
            ))));
        }
        self.last = Some(entry);
        Ok(Some(Ok(entry)))
    }

    fn rest_is_zero(&mut self) -> Result<bool, DiskError> {
        loop {
            if self.block[self.at..].iter().any(|b| *b != 0) {
                return Ok(false);
            }
            self.block.resize(BLOCK_ENTRIES * E::SIZE, 0);
            let read = read_full(self.file.as_ref(), &mut self.block, self.read);
            let read = read.during("read", &self.path)?;
            self.block.truncate(read);
            (self.at, self.read) = (0, self.read + read as u64);
            if read == 0 {
                return Ok(true);
            }
        }
    }
}

/// One index beside the walk. It gives its opinion once: after the first problem nothing more is compared.
pub(super) struct Check<E> {
    entries: Option<Entries<E>>,
    current: Option<E>,
    /// What is wrong with the file.
    pub(super) problem: Option<String>,
}

impl<E: Entry> Check<E> {
    pub(super) fn open(place: Place<'_>) -> Result<Self, DiskError> {
        let entries = Entries::open(place)?;
        let problem = entries.is_none().then(|| MISSING.to_owned());
        let mut check = Self {
            entries,
            current: None,
            problem,
        };
        check.advance()?;
        Ok(check)
    }

    fn advance(&mut self) -> Result<(), DiskError> {
        self.current = None;
        let Some(entries) = self.entries.as_mut().filter(|_| self.problem.is_none()) else {
            return Ok(());
        };
        match entries.next()? {
            Some(Ok(entry)) => self.current = Some(entry),
            Some(Err(problem)) => self.problem = Some(problem),
            None => {}
        }
        Ok(())
    }

    fn refuse(&mut self, what: &str) {
        let number = self.entries.as_ref().map_or(0, |entries| entries.number);
        self.problem = Some(format!("entry {number} {what}"));
        self.current = None;
    }

    /// The newest entry that was in order.
    fn last(&self) -> Option<E> {
        self.entries.as_ref().and_then(|entries| entries.last)
    }
}

impl Check<OffsetEntry> {
    pub(super) fn on_batch(
        &mut self,
        position: u64,
        header: &BatchHeader,
    ) -> Result<(), DiskError> {
        if let Some(entry) = self.current
            && u64::from(entry.position) <= position
        {
            if u64::from(entry.position) == position && entry.offset == header.last_offset() {
                return self.advance();
            }
            self.refuse("points at no batch that ends with its offset");
        }
        Ok(())
    }

    pub(super) fn at_end(&mut self) {
        if self.current.is_some() {
            self.refuse("points behind the last batch");
        }
    }
}

impl Check<TimeEntry> {
    /// `largest` counts the batch already; an entry has either.
    pub(super) fn on_batch(
        &mut self,
        header: &BatchHeader,
        largest: [Option<Largest>; 2],
    ) -> Result<(), DiskError> {
        while let Some(entry) = self.current {
            if entry.offset > header.last_offset() {
                return Ok(());
            }
            let named = Some((entry.timestamp, entry.offset));
            let right = largest.map(|of| of.map(|l| (l.timestamp, l.offset)));
            if entry.offset != header.last_offset() || !right.contains(&named) {
                self.refuse("names no batch that has its timestamp");
                return Ok(());
            }
            self.advance()?;
        }
        Ok(())
    }

    /// `is_complete`: the segment was sealed, or closed by a clean stop.
    pub(super) fn at_end(&mut self, largest: Option<Largest>, is_complete: bool) {
        if self.current.is_some() {
            self.refuse("points behind the last batch");
        }
        let Some(largest) = largest.filter(|l| is_complete && l.timestamp > Millis(0)) else {
            return;
        };
        if self.problem.is_none() && self.last().is_none_or(|e| e.timestamp < largest.timestamp) {
            self.problem = Some(format!(
                "the last entry is older than the segment's largest timestamp, {}",
                largest.timestamp
            ));
        }
    }
}
