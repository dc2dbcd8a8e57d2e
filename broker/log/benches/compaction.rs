//! A whole pass over a log on the real disk's page cache, from the first key in the map to the last segment in its place.
//! Bytes are those of the log before. Every fourth record is the last of its key.

use std::collections::BTreeMap;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;
use ottla_log::compaction::{CompactionConfig, OffsetMap};
use ottla_log::testing::Random;
use ottla_log::{Log, LogConfig, Offsets, OpenInput, RealDisk, Timestamps};
use ottla_protocol::compress::Compression;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

const LOG_BYTES: u64 = 64 << 20;
const CODECS: [Compression; 4] = [
    Compression::None,
    Compression::Lz4,
    Compression::Zstd,
    Compression::Gzip,
];

fn main() {
    divan::main();
}

/// Batches of 16 KiB of records of 500 bytes before compression; half of a value's bytes are noise.
fn dirty_log(codec: Compression) -> (tempfile::TempDir, Log) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = LogConfig {
        segment_bytes: 16 << 20,
        ..LogConfig::default()
    };
    let input = OpenInput {
        recovery_point: Offset::ZERO,
        log_start: Offset::ZERO,
        clean_shutdown: false,
    };
    let path = dir.path().join("t-0");
    let (mut log, _) = Log::open(
        RealDisk::shared(),
        &path,
        Arc::new(config),
        input,
        Millis(0),
    )
    .expect("a new log opens");
    let mut random = Random::new(1);
    let keys = LOG_BYTES / 500 / 4;
    let epoch = Offsets::Assign {
        leader_epoch: LeaderEpoch(0),
    };
    let mut written = 0;
    while written < LOG_BYTES {
        let mut builder = BatchBuilder::new(codec);
        while builder.size_in_bytes() < 16 << 10 {
            let key = format!("key {}", random.below(keys));
            let mut value = random.bytes(230);
            value.resize(460, b'x');
            builder
                .append(Millis(1), Some(key.as_bytes()), Some(&value), &[])
                .expect("fits");
        }
        written += builder.size_in_bytes() as u64;
        let mut batch = builder.build().expect("a batch");
        log.append(&mut batch, epoch, Timestamps::Create, Millis(0))
            .expect("an append");
    }
    log.roll(Millis(0)).expect("a roll");
    log.flush_now().expect("a flush");
    (dir, log)
}

fn compact(log: &mut Log, map: &mut OffsetMap) {
    let config = CompactionConfig::default();
    let now = Millis(1);
    let cleanable = log
        .cleanable(None, log.end(), &config, now)
        .expect("a look at the log");
    let job = log
        .start_cleaning(&cleanable, config, BTreeMap::new(), now)
        .expect("a job");
    let mut go_on = |_| true;
    let mut pass = job.index(map, &mut go_on).expect("a map");
    while let Some(cleaned) = pass.next_segment(&mut go_on).expect("a cleaned segment") {
        for old in log.swap_in(cleaned, now).expect("a swap") {
            old.remove(&RealDisk).expect("files can be removed");
        }
    }
}

#[divan::bench(args = CODECS, sample_count = 10, sample_size = 1)]
fn a_pass(bencher: Bencher<'_, '_>, codec: Compression) {
    let mut map = OffsetMap::new(128 << 20, 0.9, [1; 16]);
    bencher
        .counter(BytesCount::new(LOG_BYTES))
        .with_inputs(|| dirty_log(codec))
        .bench_local_refs(|(_dir, log)| compact(log, &mut map));
}

/// The map alone, with keys of 20 bytes.
#[divan::bench]
fn keys_into_the_map(bencher: Bencher<'_, '_>) {
    let mut map = OffsetMap::new(24 << 20, 0.9, [1; 16]);
    let keys: Vec<[u8; 20]> = (0..900_000_u64)
        .map(|n| {
            let mut key = [0; 20];
            key[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
            key
        })
        .collect();
    bencher
        .counter(divan::counter::ItemsCount::new(keys.len()))
        .bench_local(|| {
            map.reset(u64::MAX);
            for (offset, key) in (0..).zip(&keys) {
                assert!(map.put(key, Offset(offset)));
            }
        });
}
