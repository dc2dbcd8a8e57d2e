//! Putting the keys of a log's dirty part into the map.

use ottla_protocol::compress::InflateLimits;
use ottla_protocol::records::BatchHeader;
use ottla_protocol::records::iter::records_of;
use ottla_protocol::types::Offset;

use super::errors::CleaningError;
use super::filter::{Looked, meet_marker};
use super::offset_map::OffsetMap;
use super::pass::{CleaningJob, CleaningStats, Pace, go_on};
use super::source::{Source, SourceSegment};
use super::transactions::Transactions;

pub(super) struct Indexing {
    first_dirty: Offset,
    /// Everything below is in the map.
    end: Offset,
    last_put: Option<Offset>,
    pub(super) transactions: Transactions,
    pub(super) stats: CleaningStats,
    scratch: Vec<u8>,
}

impl Indexing {
    pub(super) fn new(first_dirty: Offset) -> Self {
        Self {
            first_dirty,
            end: first_dirty,
            last_put: None,
            transactions: Transactions::default(),
            stats: CleaningStats::default(),
            scratch: Vec::new(),
        }
    }

    /// Everything below is in the map: up to a batch, unless not even the first one fits, and part of it has to do.
    pub(super) fn end(&self) -> Offset {
        match self.last_put {
            Some(last) if self.end == self.first_dirty => last.next(),
            _ => self.end,
        }
    }

    /// False: the map is full.
    pub(super) fn segment(
        &mut self,
        job: &CleaningJob,
        segment: SourceSegment,
        map: &mut OffsetMap,
        buffer: &mut Vec<u8>,
        pace: &mut dyn Pace,
    ) -> Result<bool, CleaningError> {
        let position = match segment.base < job.first_dirty {
            true => job.first_dirty_position,
            false => 0,
        };
        let place = job.place(segment.base);
        let file = segment.open(place)?;
        let bytes = job.buffer_bytes();
        let mut source = Source::new(file.as_ref(), place, segment, position, buffer, bytes);
        while let Some(header) = source.advance()? {
            let size = header.size_in_bytes() as u64;
            go_on(pace, size)?;
            self.stats.map_bytes_read += size;
            self.stats.map_records_read += u64::try_from(header.record_count).unwrap_or(0);
            let batch = Looked {
                header: &header,
                bytes: source.bytes(),
                segment: segment.base,
                is_last: false,
            };
            if !self.batch(batch, job.first_dirty, map)? {
                return Ok(false);
            }
            self.end = self.end.max(header.next_offset());
        }
        self.end = segment.end;
        Ok(true)
    }

    /// False: the map is full.
    fn batch(
        &mut self,
        batch: Looked<'_>,
        from: Offset,
        map: &mut OffsetMap,
    ) -> Result<bool, CleaningError> {
        let header: &BatchHeader = batch.header;
        let records = records_of(batch.bytes, InflateLimits::LENIENT, &mut self.scratch)
            .map_err(|e| batch.unreadable(e))?;
        if header.is_control() {
            meet_marker(batch, records, &mut self.transactions)?;
            return Ok(true);
        }
        if self.transactions.meet_batch(header) {
            return Ok(true);
        }
        for record in records {
            let record = record.map_err(|e| batch.unreadable(e))?;
            let Some(key) = record.key.filter(|_| record.offset >= from) else {
                continue;
            };
            if !map.put(key, record.offset) {
                return Ok(false);
            }
            self.last_put = Some(record.offset);
        }
        Ok(true)
    }
}
