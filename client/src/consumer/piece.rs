//! One partition's part of a fetch response, from which records are taken a few at a time.
//!
//! Pure. Always: at most one batch is inflated at a time; offsets handed out rise. Skips records before the position
//! (a broker sends whole batches), control batches, and with read_committed those of aborted transactions. Not here:
//! the position, which moves with what this reports.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;

use ottla_protocol::{
    compress::InflateLimits,
    messages::api::fetch::response::AbortedTransaction,
    records::{
        Batch, BatchHeader, Cursor, OwnedHeader, RecordError, Records, batch::computed_crc,
        batches, control::EndTxnMarker,
    },
};

use crate::admin::{Isolation, TopicPartition};

use super::{record::ConsumerRecord, settings::FetchSettings};

#[derive(Debug)]
pub(super) struct Piece {
    pub(super) at: TopicPartition,
    topic: Arc<str>,
    /// Batches not begun yet.
    rest: Bytes,
    open: Option<Open>,
    aborted: Aborted,
    has_batch: bool,
}

/// A batch that is being handed out.
#[derive(Debug)]
struct Open {
    records: Records,
    cursor: Cursor,
    epoch: Option<i32>,
}

/// How far a piece has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Offset of what comes next.
    pub(super) offset: i64,
    pub(super) epoch: Option<i32>,
    pub(super) is_drained: bool,
}

/// What a record set holds at first sight.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where the next fetch begins; none without a whole batch.
    pub(super) next_offset: Option<i64>,
    /// All batches look sound and something follows none of them but a cut-off one.
    pub(super) is_sound: bool,
}

/// Looks at the batch headers alone.
pub(super) fn extent(records: &[u8]) -> Extent {
    let mut next_offset = None;
    for batch in batches(records) {
        let Ok(batch) = batch else {
            return Extent {
                next_offset,
                is_sound: false,
            };
        };
        next_offset = Some(batch.header.next_offset().0);
    }
    Extent {
        next_offset,
        is_sound: next_offset.is_some() || records.is_empty(),
    }
}

impl Piece {
    pub(super) fn new(
        at: TopicPartition,
        topic: Arc<str>,
        records: Bytes,
        aborted: &[AbortedTransaction],
    ) -> Self {
        Self {
            at,
            topic,
            rest: records,
            open: None,
            aborted: Aborted::new(aborted),
            has_batch: false,
        }
    }

    /// Appends records at or after `position`, so that `out` has no more than `records_max`.
    pub(super) fn take(
        &mut self,
        position: i64,
        settings: &FetchSettings,
        records_max: usize,
        out: &mut Vec<ConsumerRecord>,
    ) -> Result<Progress, RecordError> {
        let mut progress = Progress {
            offset: position,
            epoch: None,
            is_drained: false,
        };
        loop {
            if let Some(open) = &mut self.open {
                let from = progress.offset;
                let (last, is_done) = open.take(&self.at, &self.topic, from, records_max, out)?;
                progress.epoch = open.epoch;
                if !is_done {
                    progress.offset = last.map_or(from, |last: i64| last.saturating_add(1));
                    return Ok(progress);
                }
                // Also past records the cleaner has removed from its end.
                progress.offset = from.max(open.records.header.next_offset().0);
                self.open = None;
            }
            match self.next_batch(settings, progress.offset)? {
                Next::Batch(open) => self.open = Some(open),
                Next::Skipped { next_offset } => progress.offset = progress.offset.max(next_offset),
                Next::End => {
                    progress.is_drained = true;
                    return Ok(progress);
                }
            }
            if out.len() >= records_max && self.open.is_some() {
                return Ok(progress);
            }
        }
    }

    fn next_batch(&mut self, settings: &FetchSettings, from: i64) -> Result<Next, RecordError> {
        let Some(batch) = batches(&self.rest).next().transpose()? else {
            // A broker sends the first batch whole, however long it is.
            return match self.has_batch || self.rest.is_empty() {
                true => Ok(Next::End),
                false => Err(RecordError::NoBatch),
            };
        };
        self.has_batch = true;
        let header = batch.header;
        check_crc(&batch, settings)?;
        let bytes = self.rest.slice_ref(batch.bytes);
        self.rest = self.rest.slice(batch.bytes.len()..);
        let next_offset = header.next_offset().0;
        let is_skipped = match settings.isolation {
            Isolation::ReadCommitted => self.aborted.skips(&header, &bytes)?,
            Isolation::ReadUncommitted => header.is_control(),
        };
        // The cleaner leaves a header without records where a producer's last sequence stood.
        let is_empty = header.record_count == 0;
        if is_skipped || is_empty || next_offset <= from {
            return Ok(Next::Skipped { next_offset });
        }
        Ok(Next::Batch(Open {
            records: Records::open(&bytes, InflateLimits::LENIENT)?,
            cursor: Cursor::default(),
            epoch: Some(header.partition_leader_epoch.0).filter(|epoch| *epoch >= 0),
        }))
    }
}

enum Next {
    Batch(Open),
    Skipped { next_offset: i64 },
    End,
}

fn check_crc(batch: &Batch<'_>, settings: &FetchSettings) -> Result<(), RecordError> {
    if !settings.check_crcs {
        return Ok(());
    }
    let (stored, computed) = (batch.header.crc, computed_crc(batch.bytes));
    if stored == computed {
        return Ok(());
    }
    Err(RecordError::Crc { stored, computed })
}

impl Open {
    /// The last offset taken, and whether the batch is done.
    fn take(
        &mut self,
        at: &TopicPartition,
        topic: &Arc<str>,
        from: i64,
        records_max: usize,
        out: &mut Vec<ConsumerRecord>,
    ) -> Result<(Option<i64>, bool), RecordError> {
        let payload = self.records.payload();
        let timestamp_type = self.records.header.timestamp_type();
        let mut last = None;
        let mut iter = self.records.iter_from(self.cursor);
        loop {
            if out.len() >= records_max {
                self.cursor = self.records.cursor(&iter);
                return Ok((last, false));
            }
            let Some(record) = iter.next().transpose()? else {
                return Ok((last, true));
            };
            if record.offset.0 < from {
                continue;
            }
            last = Some(record.offset.0);
            let headers = record.headers.map(|header| OwnedHeader {
                key: payload.slice_ref(header.key),
                value: header.value.map(|value| payload.slice_ref(value)),
            });
            out.push(ConsumerRecord {
                topic: topic.clone(),
                partition: at.partition,
                offset: record.offset.0,
                timestamp: record.timestamp.0,
                timestamp_type,
                leader_epoch: self.epoch,
                key: record.key.map(|key| payload.slice_ref(key)),
                value: record.value.map(|value| payload.slice_ref(value)),
                headers: headers.collect(),
            });
        }
    }
}

/// Which producers' transactions are aborted at the place where the piece is read.
#[derive(Debug, Default)]
struct Aborted {
    /// Not begun yet, by falling first offset.
    ahead: Vec<(i64, i64)>,
    producers: HashSet<i64>,
}

impl Aborted {
    fn new(transactions: &[AbortedTransaction]) -> Self {
        let of = |aborted: &AbortedTransaction| (aborted.first_offset, aborted.producer_id);
        let mut ahead: Vec<(i64, i64)> = transactions.iter().map(of).collect();
        ahead.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            ahead,
            producers: HashSet::new(),
        }
    }

    /// Whether a batch is a marker or belongs to an aborted transaction.
    fn skips(&mut self, header: &BatchHeader, bytes: &Bytes) -> Result<bool, RecordError> {
        if !header.has_producer_id() {
            return Ok(header.is_control());
        }
        let last_offset = header.last_offset().0;
        while let Some((_, producer)) = self.ahead.pop_if(|(first, _)| *first <= last_offset) {
            self.producers.insert(producer);
        }
        if header.is_control() {
            if is_abort(bytes)? {
                self.producers.remove(&header.producer_id.0);
            }
            return Ok(true);
        }
        Ok(header.is_transactional() && self.producers.contains(&header.producer_id.0))
    }
}

fn is_abort(batch: &Bytes) -> Result<bool, RecordError> {
    let records = Records::open(batch, InflateLimits::LENIENT)?;
    let Some(first) = records.iter().next().transpose()? else {
        return Ok(false);
    };
    // A marker that can't be understood is of a newer kind, and ends no transaction known here.
    let marker = EndTxnMarker::from_record(&first).ok().flatten();
    Ok(marker.is_some_and(|marker| !marker.committed))
}

#[cfg(test)]
#[path = "piece_tests.rs"]
mod tests;
