//! The body of a fuzz target: batches whose checksums are right and whose records are anything at all, cleaned.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ottla_protocol::records::batch::{
    Attributes, BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD, MAGIC, computed_crc,
};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

use super::MemoryDisk;
use super::fuzz::read_through;
use crate::api::{Offsets, OpenInput, Timestamps};
use crate::compaction::{CleaningError, CompactionConfig, OffsetMap};
use crate::config::LogConfig;
use crate::log::Log;

/// Splits the input into batches, each of a few bytes for its header and some for its records. Cleaning them ends well or
/// with an error that blames the log, which can be read after either.
pub fn cleaned_batches(data: &[u8]) {
    let disk = Arc::new(MemoryDisk::new());
    let config = LogConfig {
        segment_bytes: 4000,
        ..LogConfig::default()
    };
    let input = OpenInput {
        recovery_point: Offset::ZERO,
        log_start: Offset::ZERO,
        clean_shutdown: false,
    };
    let dir = Path::new("/p-0");
    let (mut log, _) =
        Log::open(disk, dir, Arc::new(config), input, Millis(0)).expect("memory takes a log");
    let mut rest = data;
    while let Some((&[attributes, count, producer, len, time], behind)) = rest.split_first_chunk() {
        let (records, behind) = behind.split_at(usize::from(len).min(behind.len()));
        rest = behind;
        let mut batch = sound_batch(
            BatchHeader {
                attributes: Attributes(i16::from(attributes)),
                last_offset_delta: i32::from(count >> 4),
                record_count: i32::from(count & 15),
                producer_id: ProducerId(i64::from(producer % 4) - 1),
                base_timestamp: Millis(i64::from(time) - 1),
                ..EMPTY
            },
            records,
        );
        let epoch = Offsets::Assign {
            leader_epoch: LeaderEpoch(0),
        };
        log.append(&mut batch, epoch, Timestamps::Create, Millis(0))
            .expect("a sound header is enough for an append");
    }
    log.roll(Millis(0)).expect("memory takes a roll");
    log.flush_now().expect("memory takes a flush");
    for now in [100, 400] {
        if let Err(error) = clean(&mut log, now) {
            assert!(error.is_of_the_log(), "{error}");
        }
        read_through(&log);
        let _ = log.max_timestamp();
        let _ = log.offset_for_timestamp(Millis(1), Offset::ZERO);
    }
}

const EMPTY: BatchHeader = BatchHeader {
    base_offset: Offset::ZERO,
    batch_length: 0,
    partition_leader_epoch: LeaderEpoch(0),
    magic: MAGIC,
    crc: 0,
    attributes: Attributes(0),
    last_offset_delta: 0,
    base_timestamp: Millis(0),
    max_timestamp: Millis(200),
    producer_id: ProducerId::NONE,
    producer_epoch: ProducerEpoch(0),
    base_sequence: 0,
    record_count: 0,
};

fn sound_batch(mut header: BatchHeader, records: &[u8]) -> Vec<u8> {
    let length = BATCH_OVERHEAD - LOG_OVERHEAD + records.len();
    header.batch_length = i32::try_from(length).expect("a few hundred bytes");
    let mut batch = header.encode().to_vec();
    batch.extend_from_slice(records);
    header.crc = computed_crc(&batch);
    batch[..BATCH_OVERHEAD].copy_from_slice(&header.encode());
    batch
}

fn clean(log: &mut Log, now: i64) -> Result<(), CleaningError> {
    let config = CompactionConfig {
        delete_retention_ms: Millis(100),
        io_buffer_bytes: 128,
        ..CompactionConfig::default()
    };
    let cleanable = log.cleanable(None, log.end(), &config, Millis(now))?;
    let mut map = OffsetMap::new(24 * 10, 0.9, [0; 16]);
    let job = log.start_cleaning(&cleanable, config, BTreeMap::new(), Millis(now))?;
    let mut go_on = |_| true;
    let mut pass = job.index(&mut map, &mut go_on)?;
    while let Some(cleaned) = pass.next_segment(&mut go_on)? {
        log.swap_in(cleaned, Millis(now))?;
    }
    Ok(())
}
