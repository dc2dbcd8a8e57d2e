//! Finding records by time: exact to the record, with the time index only to skip what cannot matter.

use std::cmp::Reverse;

use bytes::Bytes;
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::records::Records;
use ottla_protocol::records::batch::computed_crc;
use ottla_protocol::types::{Millis, Offset};

use crate::api::TimestampOffset;
use crate::disk::{Context, DiskError, read_full};
use crate::errors::ReadError;
use crate::log::Log;
use crate::names;
use crate::segment::{Known, Largest, Located};

impl Log {
    /// Earliest readable record at or after offset `from` with a timestamp at or after `timestamp`.
    pub fn offset_for_timestamp(
        &self,
        timestamp: Millis,
        from: Offset,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let from = from.max(self.start);
        for i in self.segment_of(from)..self.segments.len() {
            if self.largest(i)?.is_none_or(|l| l.timestamp < timestamp) {
                continue;
            }
            let found = self.first_record(i, from, timestamp)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The record with the largest timestamp, the first of them where several have it. None: no record has one.
    pub fn max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let mut best: Option<Millis> = None;
        let first = self.segment_of(self.start);
        for i in first..self.segments.len() {
            let largest = self.largest_from_start(i)?;
            best = best.max(largest.map(|l| l.timestamp));
        }
        let Some(timestamp) = best else {
            return Ok(None);
        };
        match self.offset_for_timestamp(timestamp, self.start)? {
            Some(found) => Ok(Some(found)),
            None => self.max_timestamp_that_can_be_read(),
        }
    }

    /// The slow way, for when the batch with the largest timestamp is damaged: the next largest, and so on.
    fn max_timestamp_that_can_be_read(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let mut batches = Vec::new();
        for i in self.segment_of(self.start)..self.segments.len() {
            self.walk_segment(i, self.start, &mut |l| {
                batches.push((i, l));
                true
            })?;
        }
        batches.sort_by_key(|(_, l)| (Reverse(l.header.max_timestamp), l.header.base_offset));
        for (i, l) in batches {
            let found = self.record_in_batch(i, l, self.start, l.header.max_timestamp)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Largest timestamp of a segment, counting only batches that reach the log's start.
    fn largest_from_start(&self, i: usize) -> Result<Option<Largest>, DiskError> {
        let largest = self.largest(i)?;
        if largest.is_none_or(|l| l.offset >= self.start) {
            return Ok(largest);
        }
        let mut visible = None;
        self.walk_segment(i, self.start, &mut |l| {
            note_largest(&mut visible, &l);
            true
        })?;
        Ok(visible)
    }

    /// Largest timestamp of a segment. Sealed segments are looked at once; their time index is believed as far as the
    /// batches it names and the segment's last batches agree with it.
    pub(crate) fn largest(&self, i: usize) -> Result<Option<Largest>, DiskError> {
        let segment = &self.segments[i];
        if let Known::Known(known) = *segment.largest.lock() {
            return Ok(known);
        }
        let place = self.place(segment.base);
        let interval = self.config.index_interval_bytes;
        let end = self.segment_end(i);
        let indexed = match segment.times.floor(place, |_| true)? {
            Some(entry) => segment.time_entry_batch(place, entry, end, interval)?,
            None => None,
        };
        let mut largest = indexed.map(|l| Largest {
            timestamp: l.header.max_timestamp,
            offset: l.header.last_offset(),
        });
        let tail = segment.offsets.floor(place, |_| true)?.map(|e| e.offset);
        let from = if indexed.is_some() {
            tail.unwrap_or(segment.base)
        } else {
            segment.base
        };
        let before = largest;
        self.walk_segment(i, from, &mut |l| {
            note_largest(&mut largest, &l);
            true
        })?;
        if let (Some(indexed), true) = (indexed, largest != before) {
            // The tail is younger than the index says: part of the index is lost, so look at all that follows.
            segment.suspect_index();
            largest = before;
            self.walk_from(i, indexed.position, indexed.header.base_offset, &mut |l| {
                note_largest(&mut largest, &l);
                true
            })?;
        }
        *segment.largest.lock() = Known::Known(largest);
        Ok(largest)
    }

    fn first_record(
        &self,
        i: usize,
        from: Offset,
        timestamp: Millis,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let segment = &self.segments[i];
        let place = self.place(segment.base);
        let interval = self.config.index_interval_bytes;
        // Nothing before an entry's batch is as young as the entry.
        let skipped = match segment.times.floor(place, |e| e.timestamp <= timestamp)? {
            Some(e) => segment.time_entry_batch(place, e, self.segment_end(i), interval)?,
            None => None,
        };
        let begin = skipped.map_or(from, |l| l.header.base_offset.max(from));
        let mut result = Ok(None);
        self.walk_segment(i, begin, &mut |l| {
            if l.header.max_timestamp < timestamp || l.header.last_offset() < from {
                return true;
            }
            result = self.record_in_batch(i, l, from, timestamp);
            matches!(result, Ok(None))
        })?;
        result
    }

    fn record_in_batch(
        &self,
        i: usize,
        batch: Located,
        from: Offset,
        timestamp: Millis,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let bytes = self.batch_bytes(i, batch)?;
        // Nobody can read a rotten batch, so the answer is a record behind it.
        if computed_crc(&bytes) != batch.header.crc {
            return Ok(None);
        }
        let Ok(records) = Records::open(&bytes, InflateLimits::default()) else {
            return Ok(None);
        };
        for record in records.iter() {
            let Ok(record) = record else { return Ok(None) };
            if record.timestamp >= timestamp && record.offset >= from {
                return Ok(Some(TimestampOffset {
                    timestamp: record.timestamp,
                    offset: record.offset,
                    leader_epoch: batch.header.partition_leader_epoch,
                }));
            }
        }
        Ok(None)
    }

    fn batch_bytes(&self, i: usize, batch: Located) -> Result<Bytes, DiskError> {
        let segment = &self.segments[i];
        let place = self.place(segment.base);
        // The walk has seen that the file has as many bytes.
        let mut bytes = vec![0; batch.header.size_in_bytes()];
        let file = segment.file(place)?;
        let read = read_full(file.as_ref(), &mut bytes, batch.position);
        bytes.truncate(read.during("read", &place.path(names::LOG))?);
        Ok(bytes.into())
    }
}

fn note_largest(largest: &mut Option<Largest>, batch: &Located) {
    let timestamp = batch.header.max_timestamp;
    if timestamp.0 >= 0 && largest.is_none_or(|l| timestamp > l.timestamp) {
        *largest = Some(Largest {
            timestamp,
            offset: batch.header.last_offset(),
        });
    }
}
