//! Writes a partition's folder for other programs to look at, for instance the reference's `kafka-dump-log`:
//! several segments, every codec, an idempotent producer's snapshot, an aborted transaction.
//!
//! `cargo run -p ottla-log --example sample_log -- DIR`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ottla_log::producer_snapshot::{self, ProducerEntry};
use ottla_log::txn_index::AbortedTxn;
use ottla_log::{Log, LogConfig, Offsets, OpenInput, RealDisk, Timestamps};
use ottla_protocol::compress::Compression;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

const PRODUCER: ProducerId = ProducerId(4711);
const FIRST_TIME: i64 = 1_700_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("usage: sample_log DIR")?;
    let dir = Path::new(&dir);
    let disk = RealDisk::shared();
    let config = LogConfig {
        segment_bytes: 20_000,
        index_interval_bytes: 1000,
        ..LogConfig::default()
    };
    let input = OpenInput {
        recovery_point: Offset::ZERO,
        log_start: Offset::ZERO,
        clean_shutdown: false,
    };
    let (mut log, _) = Log::open(
        disk.clone(),
        dir,
        Arc::new(config),
        input,
        Millis(FIRST_TIME),
    )?;
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    let mut sequence = 0;
    for i in 0..300_i64 {
        let codec = codecs[usize::try_from(i)? % codecs.len()];
        // Now and then time runs backwards, as it does with several producers.
        let time = FIRST_TIME + i * 1000 - if i % 7 == 0 { 5000 } else { 0 };
        let mut builder = BatchBuilder::new(codec).producer(PRODUCER, ProducerEpoch(0), sequence);
        for j in 0..=i % 4 {
            let value = format!("record {j} of batch {i} {}", "~".repeat(100));
            let key = format!("key {}", i % 10);
            builder.append(
                Millis(time + j),
                Some(key.as_bytes()),
                Some(value.as_bytes()),
                &[],
            )?;
            sequence += 1;
        }
        let mut batch = builder.build()?;
        let offsets = Offsets::Assign {
            leader_epoch: LeaderEpoch(i32::try_from(i / 100)?),
        };
        let timestamps = if i % 11 == 0 {
            Timestamps::LogAppend
        } else {
            Timestamps::Create
        };
        let appended = log.append(&mut batch, offsets, timestamps, Millis(time + 10))?;
        if let Some(at) = appended.rolled {
            let last_offset = Offset(at.0 - 1);
            producer_snapshot::write(
                disk.as_ref(),
                dir,
                at,
                &[ProducerEntry {
                    producer_id: PRODUCER,
                    epoch: ProducerEpoch(0),
                    last_sequence: sequence - 1,
                    last_offset,
                    offset_delta: 0,
                    timestamp: Millis(time),
                    coordinator_epoch: -1,
                    current_txn_first_offset: Offset(-1),
                }],
            )?;
        }
    }
    let txn = AbortedTxn {
        producer_id: PRODUCER,
        first_offset: Offset(3),
        last_offset: Offset(9),
        last_stable_offset: Offset(3),
    };
    log.add_aborted(txn)?;
    log.close()?;
    Ok(())
}
