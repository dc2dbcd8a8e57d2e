//! S-13, S-14: bytes that changed anywhere in a partition's folder give an error, a shorter log or the truth, never a
//! panic and never wrong data.
//!
//! What no checksum covers cannot be told from the truth: the first offset and the leader epoch in a batch's header, and
//! the files of text. Where those were hit, a record may stand at another offset; its content is still what was written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_log::producer_snapshot::{self, ProducerEntry};
use ottla_log::testing::{MemoryDisk, Random};
use ottla_log::txn_index::AbortedTxn;
use ottla_log::{
    Log, LogConfig, MinimumRead, Offsets, ReadError, ReadRequest, SharedDisk, Timestamps, names,
};
use ottla_protocol::records::BatchHeader;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

use crate::support::*;

const RECORDS: i64 = 60;

fn entry(at: i64) -> ProducerEntry {
    ProducerEntry {
        producer_id: ProducerId(7),
        epoch: ProducerEpoch(0),
        last_sequence: 4,
        last_offset: Offset(at - 1),
        offset_delta: 0,
        timestamp: Millis(5),
        coordinator_epoch: -1,
        current_txn_first_offset: Offset(-1),
    }
}

/// A folder with every kind of file in it, and its end.
fn folder(config: &LogConfig) -> (Arc<MemoryDisk>, Vec<PathBuf>, Offset) {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, config, UNKNOWN);
    for i in 0..RECORDS {
        let mut set = batch(1000 + i * 10, &[numbered_value(i).as_bytes()]);
        let epoch = Offsets::Assign {
            leader_epoch: LeaderEpoch((i / 25) as i32),
        };
        let appended = log
            .append(&mut set, epoch, Timestamps::Create, Millis(0))
            .unwrap();
        if let Some(at) = appended.rolled {
            producer_snapshot::write(disk.as_ref(), dir(), at, &[entry(at.0); 3]).unwrap();
        }
    }
    let ranges: Vec<_> = log.segment_ranges().collect();
    for (base, end) in ranges {
        let aborted = AbortedTxn {
            producer_id: ProducerId(7),
            first_offset: base,
            last_offset: Offset(end.0 - 1),
            last_stable_offset: end,
        };
        log.replace_txn_index(base, &[aborted]).unwrap();
    }
    let end = log.close().unwrap();
    let names = disk.list(dir()).unwrap().into_iter().map(|e| e.name);
    let files: Vec<_> = names.map(|name| dir().join(name)).collect();
    for kind in ["log", "index", "timeindex", "txnindex", "snapshot"] {
        assert!(
            files
                .iter()
                .any(|f| f.extension().is_some_and(|e| e == kind))
        );
    }
    (memory, files, end)
}

/// Changes a few bytes of a file, or its length; true if that hit what no checksum covers.
fn spoil(memory: &MemoryDisk, path: &Path, random: &mut Random) -> bool {
    let is_log = path.extension().is_some_and(|e| e == names::LOG);
    let mut uncovered = false;
    memory
        .with_bytes(path, |bytes| {
            let one = batch(1000, &[numbered_value(0).as_bytes()]).len();
            for _ in 0..=random.below(8) {
                if bytes.is_empty() {
                    return;
                }
                let at = random.below(bytes.len() as u64) as usize;
                match random.below(10) {
                    0 => bytes.truncate(at),
                    1 => {
                        let len = random.below(300) as usize;
                        let noise = random.bytes(len);
                        bytes.extend(noise);
                    }
                    2 => bytes[at..].fill(0),
                    3 => bytes[at] = random.number() as u8,
                    _ => bytes[at] ^= 1 << random.below(8),
                }
                // Batches are all of one size here, unless a length moved them.
                let in_batch = at % one;
                uncovered |= is_log && (in_batch < 8 || (12..16).contains(&in_batch));
            }
        })
        .unwrap();
    uncovered
}

/// Every record that a client can get, asking for one batch at a time and checking what comes.
fn readable(log: &Log) -> Vec<(i64, Vec<u8>)> {
    let (mut records, mut from) = (Vec::new(), log.start());
    while from < log.end() {
        let request = ReadRequest {
            from,
            max_bytes: 1,
            upper_end: log.end(),
            minimum: MinimumRead::OneBatch,
        };
        let next = match log.read(request) {
            Ok(Some(slice)) => {
                let (found, _) = checked_records(&bytes_of(&slice));
                records.extend(found);
                let bytes = bytes_of(&slice);
                BatchHeader::read(&bytes).unwrap().next_offset()
            }
            Ok(None) => return records,
            Err(ReadError::Corrupt(stretch)) => stretch.next_offset,
            Err(e) => panic!("{e}"),
        };
        assert!(next > from, "reading goes forward");
        from = next;
    }
    records
}

fn check(log: &Log, disk: &SharedDisk, uncovered: bool, told: &str) {
    let records = readable(log);
    let mut seen = BTreeSet::new();
    for (offset, value) in &records {
        let number: i64 = std::str::from_utf8(value).unwrap().parse().unwrap();
        assert_eq!(value, numbered_value(number).as_bytes(), "{told}");
        assert!(seen.insert(number) || uncovered, "{told}: {number} twice");
        assert!(
            *offset == number || uncovered,
            "{told}: {number} at {offset}"
        );
    }
    for time in [0, 1205, 1599, i64::MAX] {
        let found = log.offset_for_timestamp(Millis(time), Offset::ZERO);
        if let Some(found) = found.unwrap() {
            let offset = (found.timestamp.0 - 1000) / 10;
            assert!(found.timestamp.0 >= time && (0..RECORDS).contains(&offset));
            assert!(found.offset == Offset(offset) || uncovered, "{told}");
        }
    }
    if let Some(newest) = log.max_timestamp().unwrap() {
        assert!(
            newest.timestamp <= Millis(1000 + (RECORDS - 1) * 10),
            "{told}"
        );
    }
    let mut before = Offset(-1);
    for start in log.epochs().entries() {
        assert!(start.start > before, "{told}");
        before = start.start;
    }
    for at in log.producer_snapshots() {
        // Wholly right or an error.
        if let Ok(entries) = producer_snapshot::read(disk.as_ref(), dir(), *at) {
            assert_eq!(entries, [entry(at.0); 3], "{told}");
        }
    }
    let _ = log.aborted_txns(log.start(), log.end());
    log.scan_batches(Offset::ZERO, &mut |_| ()).unwrap();
}

#[test]
fn bytes_that_changed_anywhere_in_a_folder_never_become_wrong_data() {
    let config = dense();
    let (memory, files, end) = folder(&config);
    for seed in seeds(250) {
        let _print = PrintSeed {
            seed,
            test: "bytes_that_changed",
        };
        let mut random = Random::new(seed);
        let fork = Arc::new(memory.fork());
        let mut uncovered = false;
        let mut told = format!("seed {seed}:");
        for _ in 0..=random.below(3) {
            let path = &files[random.below(files.len() as u64) as usize];
            uncovered |= spoil(&fork, path, &mut random);
            told.push_str(&format!(" {}", path.file_name().unwrap().display()));
        }
        let disk: SharedDisk = fork;
        let input = match random.below(4) {
            0 => clean(end),
            1 => unclean(end),
            2 => unclean(Offset::ZERO),
            _ => unclean(Offset(random.below(RECORDS as u64) as i64)),
        };
        let (mut log, _) = open(&disk, &config, input);
        check(&log, &disk, uncovered, &told);
        // It goes on, and what was found once is found again.
        let at = log.end();
        let number = format!("{:040}", RECORDS - 1);
        let appended = append(&mut log, batch(1, &[number.as_bytes()]));
        assert_eq!(appended.base_offset, at, "{told}");
        log.apply_retention(Offset::ZERO, Millis(0)).unwrap();
        let end = log.close().unwrap();
        let (log, _) = open(&disk, &config, clean(end));
        check(&log, &disk, true, &told);
        assert_eq!(log.end(), end, "{told}");
    }
}
