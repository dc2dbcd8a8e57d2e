//! Appending and reading on the real disk's page cache. Compare with `dd` or `memcpy` on the same machine in the same
//! minute; a number alone says nothing.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;
use ottla_log::disk::{Disk, OpenMode, read_full, write_full};
use ottla_log::{
    Log, LogConfig, MinimumRead, Offsets, OpenInput, ReadRequest, RealDisk, Timestamps,
};
use ottla_protocol::compress::Compression;
use ottla_protocol::records::{BatchBuilder, Rules, batches, validate_produce};
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

/// What the broker does with a batch: look at every record and the checksum, and append.
#[divan::bench(args = SIZES)]
fn validate_and_append(bencher: Bencher<'_, '_>, bytes: usize) {
    let (_dir, mut log) = new_log(4 << 20);
    let mut set = batch(bytes);
    let rules = Rules::default();
    bencher.counter(BytesCount::new(set.len())).bench_local(|| {
        keep_small(&mut log);
        // The append before put its own offset there.
        set[..8].fill(0);
        validate_produce(&set, &rules).expect("a sound batch");
        log.append(&mut set, EPOCH, Timestamps::Create, Millis(0))
            .expect("an append")
    });
}

/// What the machine allows an append: the checksum that any log has to compute, and the write.
#[divan::bench(args = SIZES)]
fn limit_of_append(bencher: Bencher<'_, '_>, bytes: usize) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = RealDisk
        .open(&dir.path().join("limit"), OpenMode::Create)
        .expect("a new file");
    let set = batch(bytes);
    let mut position = 0;
    bencher.counter(BytesCount::new(set.len())).bench_local(|| {
        if position > 512 << 20 {
            file.set_len(0).expect("a file can be emptied");
            position = 0;
        }
        divan::black_box(crc32c::crc32c(&set));
        write_full(file.as_ref(), &set, position).expect("a write");
        position += set.len() as u64;
    });
}

const READ_BYTES: usize = 256 << 20;
const READ_CHUNK: usize = 1 << 20;

/// Reading a whole log from the page cache into memory, a mebibyte at a time, as a consumer that catches up.
#[divan::bench]
fn read_through(bencher: Bencher<'_, '_>) {
    let (_dir, mut log) = new_log(4 << 20);
    let mut set = batch(64 << 10);
    while log.size_bytes() < READ_BYTES as u64 {
        log.append(&mut set, EPOCH, Timestamps::Create, Millis(0))
            .expect("an append");
    }
    let mut buffer = vec![0; READ_CHUNK];
    let size = usize::try_from(log.size_bytes()).expect("a size in memory");
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        let mut from = log.start();
        while from < log.end() {
            let request = ReadRequest {
                from,
                max_bytes: READ_CHUNK,
                upper_end: log.end(),
                minimum: MinimumRead::OneBatch,
            };
            let slice = log
                .read(request)
                .expect("a read")
                .expect("something to read");
            let bytes = &mut buffer[..slice.len];
            read_full(slice.file.as_ref(), bytes, slice.position).expect("a read");
            // A batch that is cut off by the bound comes again with the next read.
            let last = batches(bytes).last().expect("a batch").expect("sound");
            from = last.header.next_offset();
        }
    });
}

/// What the machine allows `read_through`: the same bytes out of one plain file.
#[divan::bench]
fn limit_of_read_through(bencher: Bencher<'_, '_>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = RealDisk
        .open(&dir.path().join("limit"), OpenMode::Create)
        .expect("a new file");
    let mut buffer = vec![0; READ_CHUNK];
    // Written as a log is: size and place of writes decide about the size of the page cache's folios.
    let set = batch(64 << 10);
    for at in (0..READ_BYTES).step_by(set.len()) {
        write_full(file.as_ref(), &set, at as u64).expect("a write");
    }
    bencher
        .counter(BytesCount::new(READ_BYTES))
        .bench_local(|| {
            for at in (0..READ_BYTES).step_by(READ_CHUNK) {
                read_full(file.as_ref(), &mut buffer, at as u64).expect("a read");
            }
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
