//! Building batches, opening logs, reading them back.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ottla_log::testing::MemoryDisk;
use ottla_log::{
    Appended, Disk as _, FileSlice, Log, LogConfig, MinimumRead, Offsets, OpenInput, ReadError,
    ReadRequest, RecoveryReport, SharedDisk, Timestamps,
};
use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::records::{BatchBuilder, Records, batches_of};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

/// The seeds of a random test: a few, or `OTTLA_SEEDS` of them, or only the one that failed, `OTTLA_SEED`.
pub(crate) fn seeds(few: u64) -> std::ops::Range<u64> {
    let number = |key| Some(std::env::var(key).ok()?.parse::<u64>().expect("a number"));
    match number("OTTLA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("OTTLA_SEEDS").unwrap_or(few),
    }
}

/// Says how to repeat what failed.
pub(crate) struct PrintSeed {
    pub(crate) seed: u64,
    pub(crate) test: &'static str,
}

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, test } = self;
            let again = format!("again: OTTLA_SEED={seed} cargo test -p ottla-log {test}");
            let _ = writeln!(std::io::stderr(), "{again}");
        }
    }
}

pub(crate) const DIR: &str = "/data/topic-0";

pub(crate) fn dir() -> &'static Path {
    Path::new(DIR)
}

pub(crate) fn segment_path(base: i64, suffix: &str) -> std::path::PathBuf {
    ottla_log::names::segment_file(dir(), Offset(base), suffix)
}

/// One record per value, one millisecond apart.
pub(crate) fn batch(timestamp: i64, values: &[&[u8]]) -> Vec<u8> {
    compressed(Compression::None, timestamp, values)
}

pub(crate) fn compressed(codec: Compression, timestamp: i64, values: &[&[u8]]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for (i, value) in values.iter().enumerate() {
        builder
            .append(Millis(timestamp + i as i64), None, Some(value), &[])
            .unwrap();
    }
    builder.build().unwrap()
}

/// A batch of one record with so many bytes of value.
pub(crate) fn sized(timestamp: i64, len: usize) -> Vec<u8> {
    batch(timestamp, &[&vec![b'x'; len]])
}

pub(crate) const UNKNOWN: OpenInput = OpenInput {
    recovery_point: Offset::ZERO,
    log_start: Offset::ZERO,
    clean_shutdown: false,
};

pub(crate) fn clean(recovery_point: Offset) -> OpenInput {
    OpenInput {
        recovery_point,
        log_start: Offset::ZERO,
        clean_shutdown: true,
    }
}

pub(crate) fn unclean(recovery_point: Offset) -> OpenInput {
    OpenInput {
        recovery_point,
        log_start: Offset::ZERO,
        clean_shutdown: false,
    }
}

/// With a directory for partitions on it that outlives a power cut.
pub(crate) fn memory() -> Arc<MemoryDisk> {
    let memory = MemoryDisk::new();
    memory.create_dir_all(Path::new("/data")).unwrap();
    memory.sync_dir(Path::new("/")).unwrap();
    Arc::new(memory)
}

pub(crate) fn open(
    disk: &SharedDisk,
    config: &LogConfig,
    input: OpenInput,
) -> (Log, RecoveryReport) {
    Log::open(
        disk.clone(),
        dir(),
        Arc::new(config.clone()),
        input,
        Millis(0),
    )
    .unwrap()
}

pub(crate) fn new_log(config: LogConfig) -> (SharedDisk, Log) {
    let disk: SharedDisk = memory();
    let (log, report) = open(&disk, &config, UNKNOWN);
    assert!(report.is_quiet());
    (disk, log)
}

pub(crate) const EPOCH: Offsets = Offsets::Assign {
    leader_epoch: LeaderEpoch(0),
};

pub(crate) fn append(log: &mut Log, mut set: Vec<u8>) -> Appended {
    log.append(&mut set, EPOCH, Timestamps::Create, Millis(0))
        .unwrap()
}

pub(crate) fn everything(log: &Log, from: i64) -> ReadRequest {
    ReadRequest {
        from: Offset(from),
        max_bytes: usize::MAX,
        upper_end: log.end(),
        minimum: MinimumRead::OneBatch,
    }
}

pub(crate) fn bytes_of(slice: &FileSlice) -> Bytes {
    let mut bytes = vec![0; slice.len];
    let read = ottla_log::disk::read_full(slice.file.as_ref(), &mut bytes, slice.position).unwrap();
    assert_eq!(read, slice.len, "a slice lies within its file");
    bytes.into()
}

/// Offset and value of every record in whole batches of these bytes, up to the first whose checksum is wrong; whether
/// there was one.
pub(crate) fn checked_records(bytes: &Bytes) -> (Vec<(i64, Vec<u8>)>, Option<Offset>) {
    let mut records = Vec::new();
    for batch in batches_of(bytes) {
        let Ok((header, batch)) = batch else {
            return (records, None);
        };
        if ottla_protocol::records::check_batch(&batch).is_err() {
            return (records, Some(header.next_offset()));
        }
        for record in Records::open(&batch, InflateLimits::default())
            .unwrap()
            .owned()
        {
            let record = record.unwrap();
            records.push((record.offset.0, record.value.unwrap_or_default().to_vec()));
        }
    }
    (records, None)
}

pub(crate) fn records_in(bytes: &Bytes) -> Vec<(i64, Vec<u8>)> {
    let (records, rotten) = checked_records(bytes);
    assert_eq!(rotten, None, "a batch has a wrong checksum");
    records
}

/// Everything from `from` on, to the end. Damage is passed over and counted.
pub(crate) fn read_all(log: &Log, from: i64) -> (Vec<(i64, Vec<u8>)>, usize) {
    let (records, damaged, until) = read_what_is_there(log, from);
    let end = log.end();
    assert!(
        until >= end,
        "nothing to read at {until}, and the log ends at {end}"
    );
    (records, damaged)
}

/// The same, and up to where there was anything to read.
pub(crate) fn read_what_is_there(log: &Log, from: i64) -> (Vec<(i64, Vec<u8>)>, usize, Offset) {
    let (mut records, mut damaged, mut from) = (Vec::new(), 0, Offset(from));
    while from < log.end() {
        match log.read(everything(log, from.0)) {
            Ok(Some(slice)) => {
                let bytes = bytes_of(&slice);
                let (found, rotten) = checked_records(&bytes);
                // Rot that no scan has seen is met by the client, which checks what it gets.
                damaged += usize::from(rotten.is_some());
                // The last batch may have lost its last records, or all of them.
                let after = batches_of(&bytes).filter_map(Result::ok).last();
                let after = after.map(|(header, _)| header.next_offset());
                from = rotten.or(after).expect("a slice holds a batch");
                records.extend(found.into_iter().filter(|(o, _)| *o >= log.start().0));
            }
            Ok(None) => break,
            Err(ReadError::Corrupt(stretch)) => {
                damaged += 1;
                assert!(stretch.next_offset > from);
                from = stretch.next_offset;
            }
            Err(e) => panic!("{e}"),
        }
    }
    (records, damaged, from)
}

pub(crate) fn offsets(records: &[(i64, Vec<u8>)]) -> Vec<i64> {
    records.iter().map(|r| r.0).collect()
}

/// A log of `n` batches of one record and 100 bytes or so each, the value saying the offset; closed cleanly.
pub(crate) fn numbered(config: &LogConfig, n: i64) -> (Arc<MemoryDisk>, SharedDisk, Offset) {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, config, UNKNOWN);
    for i in 0..n {
        append(&mut log, batch(1000 + i, &[numbered_value(i).as_bytes()]));
    }
    let end = log.close().unwrap();
    (memory, disk, end)
}

pub(crate) fn numbered_value(i: i64) -> String {
    format!("{i:040}")
}

pub(crate) fn assert_numbered(records: &[(i64, Vec<u8>)]) {
    for (offset, value) in records {
        assert_eq!(value, numbered_value(*offset).as_bytes());
    }
}

/// Index entries every other batch or so, and small segments.
pub(crate) fn dense() -> LogConfig {
    LogConfig {
        index_interval_bytes: 200,
        segment_bytes: 2000,
        ..LogConfig::default()
    }
}
