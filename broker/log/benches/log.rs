//! Appending and reading on the real disk's page cache. Compare with `dd` or `memcpy` on the same machine in the same
//! minute; a number alone says nothing.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;
use ottla_log::{
    Log, LogConfig, MinimumRead, Offsets, OpenInput, ReadRequest, RealDisk, Timestamps,
};
use ottla_protocol::compress::Compression;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

const SIZES: [usize; 3] = [1 << 10, 16 << 10, 64 << 10];
const EPOCH: Offsets = Offsets::Assign {
    leader_epoch: LeaderEpoch(0),
};

fn main() {
    divan::main();
}

fn new_log(reserve_bytes: u64) -> (tempfile::TempDir, Log) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = LogConfig {
        reserve_bytes,
        segment_bytes: 256 << 20,
        ..LogConfig::default()
    };
    let input = OpenInput {
        recovery_point: Offset::ZERO,
        log_start: Offset::ZERO,
        clean_shutdown: false,
    };
    let (log, _) = Log::open(
        RealDisk::shared(),
        &dir.path().join("t-0"),
        Arc::new(config),
        input,
        Millis(0),
    )
    .expect("a new log opens");
    (dir, log)
}

fn batch(bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = vec![b'x'; 1000];
    while builder.size_in_bytes() + 1000 < bytes.max(1100) {
        builder
            .append(Millis(1), None, Some(&value), &[])
            .expect("fits");
    }
    builder.build().expect("a batch")
}

/// What is written is let go now and then, so that a long run doesn't fill the disk.
fn keep_small(log: &mut Log) {
    if log.size_bytes() > 512 << 20 {
        for segment in log
            .restart_at(log.end(), Millis(0))
            .expect("a log restarts")
        {
            segment.remove(&RealDisk).expect("files can be removed");
        }
    }
}

#[divan::bench(args = SIZES)]
fn append(bencher: Bencher<'_, '_>, bytes: usize) {
    let (_dir, mut log) = new_log(4 << 20);
    let mut set = batch(bytes);
    bencher.counter(BytesCount::new(set.len())).bench_local(|| {
        keep_small(&mut log);
        log.append(&mut set, EPOCH, Timestamps::Create, Millis(0))
            .expect("an append")
    });
}

#[divan::bench(args = SIZES)]
fn append_without_reserving(bencher: Bencher<'_, '_>, bytes: usize) {
    let (_dir, mut log) = new_log(0);
    let mut set = batch(bytes);
    bencher.counter(BytesCount::new(set.len())).bench_local(|| {
        keep_small(&mut log);
        log.append(&mut set, EPOCH, Timestamps::Create, Millis(0))
            .expect("an append")
    });
}

/// A consumer that follows the end: its place is remembered.
#[divan::bench]
fn read_at_the_end(bencher: Bencher<'_, '_>) {
    let (_dir, mut log) = new_log(4 << 20);
    let mut set = batch(16 << 10);
    let mut from = Offset::ZERO;
    bencher.bench_local(|| {
        keep_small(&mut log);
        from = log.end();
        log.append(&mut set, EPOCH, Timestamps::Create, Millis(0))
            .expect("an append");
        let request = ReadRequest {
            from,
            max_bytes: 1 << 20,
            upper_end: log.end(),
            minimum: MinimumRead::OneBatch,
        };
        log.read(request)
            .expect("a read")
            .expect("something to read")
            .len
    });
}

/// A consumer anywhere in 64 MiB: index search and header walk, no record bytes.
#[divan::bench]
fn read_anywhere(bencher: Bencher<'_, '_>) {
    let (_dir, mut log) = new_log(4 << 20);
    let mut set = batch(16 << 10);
    for _ in 0..4096 {
        log.append(&mut set, EPOCH, Timestamps::Create, Millis(0))
            .expect("an append");
    }
    let end = log.end();
    let mut from = 0;
    bencher.bench_local(|| {
        from = (from + 7919) % end.0;
        let request = ReadRequest {
            from: Offset(from),
            max_bytes: 1 << 20,
            upper_end: end,
            minimum: MinimumRead::OneBatch,
        };
        log.read(request)
            .expect("a read")
            .expect("something to read")
            .len
    });
}

/// Opening a small partition after a clean stop.
#[divan::bench]
fn open_clean(bencher: Bencher<'_, '_>) {
    let (dir, mut log) = new_log(4 << 20);
    let mut set = batch(1 << 10);
    for _ in 0..10 {
        log.append(&mut set, EPOCH, Timestamps::Create, Millis(0))
            .expect("an append");
    }
    let recovery_point = log.close().expect("a log closes");
    let disk = RealDisk::shared();
    let config = Arc::new(LogConfig::default());
    let input = OpenInput {
        recovery_point,
        log_start: Offset::ZERO,
        clean_shutdown: true,
    };
    let path = dir.path().join("t-0");
    bencher.bench_local(|| {
        Log::open(disk.clone(), &path, config.clone(), input, Millis(0)).expect("a log opens")
    });
}
