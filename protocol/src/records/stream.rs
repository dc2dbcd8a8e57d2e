//! Walks the records of a compressed batch without ever holding more than one buffer of what they inflate to: keys,
//! values and headers are stepped over. Each thread keeps its buffer for the next batch.

use std::cell::Cell;

use super::error::RecordError;
use super::outline::Outline;
use super::record::malformed;
use super::run::Run;
use super::varint::{VarintError, read_varint, read_varlong};
use crate::compress::{CompressError, Inflater};

/// The longest number.
const NUMBER_BYTES_MAX: usize = 10;
/// What is left of one piece, and room for a whole block of the size that Java's LZ4 has.
const BUFFER_BYTES: usize = (64 << 10) + NUMBER_BYTES_MAX;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

pub(super) struct Outlines<'a> {
    input: Input<'a>,
    read: u32,
}

/// A place among the records that are inflated.
pub(super) struct Mark {
    start: usize,
    read: u32,
}

/// A structure that is wrong, or a stream that is.
enum Trouble {
    Structure(&'static str),
    Stream(CompressError),
}

impl From<&'static str> for Trouble {
    fn from(reason: &'static str) -> Self {
        Self::Structure(reason)
    }
}

impl From<CompressError> for Trouble {
    fn from(error: CompressError) -> Self {
        Self::Stream(error)
    }
}

impl From<VarintError> for Trouble {
    fn from(error: VarintError) -> Self {
        Self::Structure(error.reason())
    }
}

impl<'a> Outlines<'a> {
    pub(super) fn new(inflater: Inflater<'a>) -> Self {
        let mut buffer = BUFFER.take();
        buffer.resize(BUFFER_BYTES, 0);
        Self {
            input: Input {
                inflater,
                buffer,
                start: 0,
                end: 0,
            },
            read: 0,
        }
    }

    /// The next record; `None` where the stream ends instead.
    pub(super) fn next(&mut self) -> Result<Option<Outline>, RecordError> {
        match self.read_record() {
            Ok(outline) => {
                self.read += 1;
                Ok(outline)
            }
            Err(Trouble::Structure(reason)) => Err(malformed(self.read, reason)),
            Err(Trouble::Stream(error)) => Err(error.into()),
        }
    }

    /// The plain records that come next, as far as they are inflated, and where they begin. The first one's offset delta
    /// should be `offset_delta`.
    pub(super) fn next_run(&mut self, count_max: u32, offset_delta: u32) -> (Run, Mark) {
        let mark = Mark {
            start: self.input.start,
            read: self.read,
        };
        let mut rest = &self.input.buffer[self.input.start..self.input.end];
        let run = Run::read(&mut rest, count_max, offset_delta);
        self.input.start = self.input.end - rest.len();
        self.read += run.count;
        (run, mark)
    }

    /// Back to the beginning of the run that was the last thing read.
    pub(super) fn rewind(&mut self, mark: &Mark) {
        self.input.start = mark.start;
        self.read = mark.read;
    }

    /// Whether nothing is left.
    pub(super) fn at_end(&mut self) -> Result<bool, RecordError> {
        Ok(self.input.at_end()?)
    }

    fn read_record(&mut self) -> Result<Option<Outline>, Trouble> {
        let input = &mut self.input;
        if input.at_end()? {
            return Ok(None);
        }
        // Mostly the whole record is at hand; what it says wrong, if anything, is found out piece by piece.
        let mut rest = &input.buffer[input.start..input.end];
        if let Ok(outline) = Outline::read(&mut rest) {
            input.start = input.end - rest.len();
            return Ok(Some(outline));
        }
        let size = u64::try_from(input.varint()?).map_err(|_| "its length is negative")?;
        let end = input.position() + size;
        input.skip(1, end)?;
        let timestamp_delta = input.varlong()?;
        let offset_delta = input.varint()?;
        let has_key = input.skip_nullable(end)?;
        input.skip_nullable(end)?;
        let headers = u64::try_from(input.varint()?).map_err(|_| "its header count is negative")?;
        if headers > end.saturating_sub(input.position()) {
            return Err("its header count exceeds what is left of it".into());
        }
        for _ in 0..headers {
            if !input.skip_nullable(end)? {
                return Err("a header has no key".into());
            }
            input.skip_nullable(end)?;
        }
        if input.position() != end {
            return Err("its length is not that of its fields".into());
        }
        Ok(Some(Outline {
            timestamp_delta,
            offset_delta,
            has_key,
        }))
    }
}

struct Input<'a> {
    inflater: Inflater<'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Drop for Input<'_> {
    fn drop(&mut self) {
        BUFFER.set(std::mem::take(&mut self.buffer));
    }
}

impl Input<'_> {
    /// Bytes consumed so far.
    fn position(&self) -> u64 {
        self.inflater.produced() - (self.end - self.start) as u64
    }

    fn at_end(&mut self) -> Result<bool, CompressError> {
        self.fill(1)?;
        Ok(self.start == self.end)
    }

    /// Makes `wanted` bytes available, fewer only where the stream ends.
    fn fill(&mut self, wanted: usize) -> Result<(), CompressError> {
        if self.end - self.start >= wanted {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted {
            let n = self.inflater.read(&mut self.buffer[self.end..])?;
            if n == 0 {
                break;
            }
            self.end += n;
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<i32, Trouble> {
        self.number(read_varint)
    }

    fn varlong(&mut self) -> Result<i64, Trouble> {
        self.number(read_varlong)
    }

    fn number<T>(
        &mut self,
        read: impl FnOnce(&mut &[u8]) -> Result<T, VarintError>,
    ) -> Result<T, Trouble> {
        self.fill(NUMBER_BYTES_MAX)?;
        let mut rest = &self.buffer[self.start..self.end];
        let number = read(&mut rest)?;
        self.start = self.end - rest.len();
        Ok(number)
    }

    /// Steps over a length and that many bytes; whether it was not null.
    fn skip_nullable(&mut self, end: u64) -> Result<bool, Trouble> {
        let Ok(length) = u64::try_from(self.varint()?) else {
            return Ok(false);
        };
        self.skip(length, end)?;
        Ok(true)
    }

    /// Steps over bytes of a record that ends at `end`.
    fn skip(&mut self, mut count: u64, end: u64) -> Result<(), Trouble> {
        if count > end.saturating_sub(self.position()) {
            return Err("a length exceeds what is left of it".into());
        }
        while count > 0 {
            if self.at_end()? {
                return Err("its length exceeds what is left of the batch".into());
            }
            let available = self.end - self.start;
            let step = usize::try_from(count).map_or(available, |count| count.min(available));
            self.start += step;
            count -= step as u64;
        }
        Ok(())
    }
}
