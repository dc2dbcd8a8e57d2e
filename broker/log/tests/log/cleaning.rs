//! What tests of compaction share: batches with keys, a pass from its first step to its last, what is in a log.

use std::collections::BTreeMap;

use ottla_log::compaction::{
    Cleanable, CleaningError, CleaningStats, CompactionConfig, LastOfProducer, OffsetMap, Pace,
};
use ottla_log::{DeletedSegment, Log, LogConfig};
use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::records::control::{EndTxnMarker, Place};
use ottla_protocol::records::{BatchBuilder, BatchHeader, Records, batches_of, check_batch};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

use crate::support::*;

pub(crate) type Put<'a> = (&'a str, Option<&'a str>);
pub(crate) type Producers = BTreeMap<ProducerId, LastOfProducer>;

/// A batch of keys and values, no value being a tombstone; the timestamps are one millisecond apart.
pub(crate) fn keyed(timestamp: i64, puts: &[Put<'_>]) -> Vec<u8> {
    build(BatchBuilder::default(), timestamp, puts)
}

pub(crate) fn packed(codec: Compression, timestamp: i64, puts: &[Put<'_>]) -> Vec<u8> {
    build(BatchBuilder::new(codec), timestamp, puts)
}

pub(crate) fn produced(
    producer: i64,
    sequence: i32,
    transactional: bool,
    timestamp: i64,
    puts: &[Put<'_>],
) -> Vec<u8> {
    let builder = BatchBuilder::default()
        .producer(ProducerId(producer), ProducerEpoch(0), sequence)
        .transactional(transactional);
    build(builder, timestamp, puts)
}

fn build(mut builder: BatchBuilder, timestamp: i64, puts: &[Put<'_>]) -> Vec<u8> {
    for (i, (key, value)) in puts.iter().enumerate() {
        let at = Millis(timestamp + i as i64);
        let value = value.map(str::as_bytes);
        builder
            .append(at, Some(key.as_bytes()), value, &[])
            .unwrap();
    }
    builder.build().unwrap()
}

pub(crate) fn marker(producer: i64, committed: bool, timestamp: i64) -> Vec<u8> {
    let marker = EndTxnMarker {
        committed,
        coordinator_epoch: 0,
    };
    let place = Place {
        base_offset: Offset::ZERO,
        leader_epoch: LeaderEpoch(0),
        timestamp: Millis(timestamp),
    };
    marker
        .batch(place, ProducerId(producer), ProducerEpoch(0))
        .unwrap()
}

/// Segments of a few batches.
pub(crate) fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 400,
        index_interval_bytes: 100,
        ..LogConfig::default()
    }
}

pub(crate) const KEEP_LONG: CompactionConfig = CompactionConfig {
    min_cleanable_dirty_ratio: 0.0,
    min_lag_ms: Millis(0),
    max_lag_ms: Millis(i64::MAX),
    delete_retention_ms: Millis(1000),
    io_buffer_bytes: 4096,
};

pub(crate) fn new_map() -> OffsetMap {
    OffsetMap::new(1 << 20, 0.9, [3; 16])
}

/// What a whole pass has led to.
pub(crate) struct Cleaned {
    pub(crate) end: Offset,
    pub(crate) deleted: Vec<DeletedSegment>,
    pub(crate) stats: CleaningStats,
}

/// A whole pass with everything that can be chosen.
pub(crate) fn clean_with(
    log: &mut Log,
    cleanable: &Cleanable,
    map: &mut OffsetMap,
    producers: &Producers,
    now: i64,
    pace: &mut dyn Pace,
) -> Result<Cleaned, CleaningError> {
    let job = log.start_cleaning(cleanable, KEEP_LONG, producers.clone(), Millis(now))?;
    let mut pass = job.index(map, pace)?;
    let mut deleted = Vec::new();
    while let Some(cleaned) = pass.next_segment(pace)? {
        deleted.extend(log.swap_in(cleaned, Millis(now))?);
    }
    Ok(Cleaned {
        end: pass.end(),
        deleted,
        stats: pass.stats(),
    })
}

pub(crate) fn try_clean(
    log: &mut Log,
    checkpoint: Option<Offset>,
    now: i64,
) -> Result<Cleaned, CleaningError> {
    let cleanable = log.cleanable(checkpoint, log.end(), &KEEP_LONG, Millis(now))?;
    let none = Producers::new();
    clean_with(log, &cleanable, &mut new_map(), &none, now, &mut |_| true)
}

/// Everything but the active segment, from `checkpoint` on; the next checkpoint.
pub(crate) fn compact(log: &mut Log, checkpoint: i64, now: i64) -> Cleaned {
    log.flush_now().unwrap();
    try_clean(log, Some(Offset(checkpoint)), now).unwrap()
}

/// Makes everything so far cleanable.
pub(crate) fn roll(log: &mut Log) {
    log.roll(Millis(0)).unwrap();
}

/// All batches of a log, in order: no byte of them damaged.
pub(crate) fn batches_in(log: &Log) -> Vec<(BatchHeader, bytes::Bytes)> {
    batches_from(log, log.start())
}

pub(crate) fn batches_from(log: &Log, from: Offset) -> Vec<(BatchHeader, bytes::Bytes)> {
    let mut all = Vec::new();
    let mut from = from;
    while from < log.end() {
        let Some(slice) = log.read(everything(log, from.0)).unwrap() else {
            break;
        };
        for batch in batches_of(&bytes_of(&slice)) {
            let (header, batch) = batch.unwrap();
            check_batch(&batch).unwrap();
            from = header.next_offset();
            all.push((header, batch));
        }
    }
    all
}

/// A record as a test wants to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) offset: i64,
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) timestamp: i64,
}

/// The records of all batches that are no markers.
pub(crate) fn seen_in(log: &Log) -> Vec<Seen> {
    seen_from(log, log.start())
}

/// What a consumer sees that begins somewhere.
pub(crate) fn seen_from(log: &Log, from: Offset) -> Vec<Seen> {
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let mut all = Vec::new();
    for (header, batch) in batches_from(log, from) {
        if header.is_control() {
            continue;
        }
        let records = Records::open(&batch, InflateLimits::LENIENT).unwrap();
        for record in records.owned() {
            let record = record.unwrap();
            all.push(Seen {
                offset: record.offset.0,
                key: record.key.map(text).unwrap_or_default(),
                value: record.value.map(text),
                timestamp: record.timestamp.0,
            });
        }
    }
    all.retain(|s: &Seen| s.offset >= from.0);
    all
}

/// Offsets, keys and values.
pub(crate) fn contents(log: &Log) -> Vec<(i64, String, Option<String>)> {
    let seen = seen_in(log).into_iter();
    seen.map(|s| (s.offset, s.key, s.value)).collect()
}

pub(crate) fn put(offset: i64, key: &str, value: &str) -> (i64, String, Option<String>) {
    (offset, key.to_owned(), Some(value.to_owned()))
}

pub(crate) fn tombstone(offset: i64, key: &str) -> (i64, String, Option<String>) {
    (offset, key.to_owned(), None)
}
