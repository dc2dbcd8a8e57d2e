//! Checking a folder finds whatever was done to it, and nothing in a sound one.

use std::sync::Arc;

use ottla_log::disk::Disk;
use ottla_log::producer_snapshot::{self, ProducerEntry};
use ottla_log::testing::{MemoryDisk, Random};
use ottla_log::txn_index::AbortedTxn;
use ottla_log::verify::{self, Expected, Finding, Kind, Severity};
use ottla_log::{Log, LogConfig, Offsets, SharedDisk, Timestamps, names, partition_metadata};
use ottla_protocol::compress::Compression;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::records::control::{EndTxnMarker, Place};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};
use ottla_protocol::wire::Uuid;

use crate::support::*;

const CLEAN: Expected = Expected {
    is_clean: true,
    recovery_point: None,
    log_start: None,
    high_watermark: None,
    is_cleaned: false,
    topic_id: None,
};

fn transactional(producer: i64, sequence: i32, timestamp: i64, value: &str) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::Snappy)
        .producer(ProducerId(producer), ProducerEpoch(0), sequence)
        .transactional(true);
    builder
        .append(Millis(timestamp), None, Some(value.as_bytes()), &[])
        .unwrap();
    builder.build().unwrap()
}

fn marker(producer: i64, committed: bool, timestamp: i64) -> Vec<u8> {
    let marker = EndTxnMarker {
        committed,
        coordinator_epoch: 3,
    };
    let at = Place {
        base_offset: Offset(0),
        leader_epoch: LeaderEpoch(0),
        timestamp: Millis(timestamp),
    };
    marker
        .batch(at, ProducerId(producer), ProducerEpoch(0))
        .unwrap()
}

fn append_in(log: &mut Log, epoch: i32, mut set: Vec<u8>) -> Offset {
    let offsets = Offsets::Assign {
        leader_epoch: LeaderEpoch(epoch),
    };
    log.append(&mut set, offsets, Timestamps::Create, Millis(0))
        .unwrap()
        .base_offset
}

/// Several segments with plain batches, a committed and an aborted transaction, two leader epochs, every kind of file.
pub(crate) fn rich(config: &LogConfig) -> (Arc<MemoryDisk>, Offset) {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, config, UNKNOWN);
    for i in 0..20 {
        append_in(
            &mut log,
            0,
            batch(1000 + i, &[numbered_value(i).as_bytes()]),
        );
    }
    for (producer, committed) in [(7, true), (8, false)] {
        let first = append_in(
            &mut log,
            0,
            transactional(producer, 0, 1030, &numbered_value(0)),
        );
        append_in(&mut log, 0, batch(1031, &[b"between"]));
        append_in(
            &mut log,
            0,
            transactional(producer, 1, 1032, &numbered_value(1)),
        );
        let last = append_in(&mut log, 0, marker(producer, committed, 1033));
        if !committed {
            let txn = AbortedTxn {
                producer_id: ProducerId(producer),
                first_offset: first,
                last_offset: last,
                last_stable_offset: last.next(),
            };
            log.add_aborted(txn).unwrap();
        }
    }
    let end_of_epoch = log.end();
    for i in end_of_epoch.0..end_of_epoch.0 + 20 {
        append_in(
            &mut log,
            5,
            batch(1000 + i, &[numbered_value(i).as_bytes()]),
        );
    }
    let entry = |producer: i64, last_offset: Offset| ProducerEntry {
        producer_id: ProducerId(producer),
        epoch: ProducerEpoch(0),
        last_sequence: 1,
        last_offset,
        offset_delta: 0,
        timestamp: Millis(1033),
        coordinator_epoch: 3,
        current_txn_first_offset: Offset(-1),
    };
    // Of a batch before the last one.
    let earlier = ProducerEntry {
        last_sequence: 0,
        ..entry(7, Offset(21))
    };
    let entries = [earlier, entry(7, Offset(22)), entry(8, Offset(26))];
    let end = log.close().unwrap();
    producer_snapshot::write(disk.as_ref(), dir(), end, &entries).unwrap();
    partition_metadata::write(disk.as_ref(), dir(), Uuid::METADATA_TOPIC).unwrap();
    (memory, end)
}

pub(crate) fn check(disk: &dyn Disk, deep: bool) -> Vec<Finding> {
    verify::verify(disk, dir(), &CLEAN, deep).unwrap().findings
}

pub(crate) fn files(disk: &MemoryDisk) -> Vec<String> {
    let mut names: Vec<String> = disk
        .list(dir())
        .unwrap()
        .into_iter()
        .map(|e| e.name)
        .collect();
    names.sort();
    names
}

#[test]
fn a_sound_folder_is_found_sound() {
    let (memory, end) = rich(&dense());
    assert!(files(&memory).len() > 12, "{:?}", files(&memory));
    let expected = Expected {
        recovery_point: Some(end),
        high_watermark: Some(end),
        log_start: Some(Offset(0)),
        topic_id: Some(Uuid::METADATA_TOPIC),
        ..CLEAN
    };
    let report = verify::verify(memory.as_ref(), dir(), &expected, true).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.log_start, report.log_end), (Offset(0), end));
    assert_eq!(report.records, end.0 as u64);
    assert!(report.segments > 2);
}

/// Only the topic's id carries no meaning within the folder.
#[test]
fn each_of_a_thousand_random_flips_is_found() {
    let (memory, _) = rich(&dense());
    let names: Vec<String> = files(&memory)
        .into_iter()
        .filter(|name| name != names::PARTITION_METADATA)
        .collect();
    for seed in seeds(1) {
        let _print = PrintSeed {
            seed,
            test: "each_of_a_thousand_random_flips_is_found",
        };
        let mut random = Random::new(seed);
        for _ in 0..1000 {
            let name = &names[random.below(names.len() as u64) as usize];
            let disk = memory.fork();
            let (mut at, mut bit) = (0, 0);
            disk.with_bytes(&dir().join(name), |bytes| {
                (at, bit) = (random.below(bytes.len() as u64) as usize, random.below(8));
                bytes[at] ^= 1 << bit;
            })
            .unwrap();
            let found = check(&disk, false);
            assert!(
                found.iter().any(|f| f.severity > Severity::Note),
                "bit {bit} of byte {at} of {name}"
            );
        }
    }
}

#[test]
fn what_was_done_is_told() {
    let (memory, end) = rich(&dense());
    let kinds = |change: &dyn Fn(&MemoryDisk)| -> Vec<&'static str> {
        let disk = memory.fork();
        change(&disk);
        check(&disk, false).iter().map(|f| f.kind.name()).collect()
    };
    let first = segment_path(0, names::LOG);
    let edit = |path: &std::path::Path, at: usize, value: u8| {
        let path = path.to_owned();
        move |disk: &MemoryDisk| disk.with_bytes(&path, |b| b[at] = value).unwrap()
    };
    assert_eq!(kinds(&edit(&first, 70, 0xee))[0], "stretch");
    assert_eq!(
        kinds(&edit(&first, 0, 1)),
        ["offset"],
        "the base offset alone"
    );
    assert_eq!(kinds(&edit(&first, 15, 1)), ["epoch"], "the epoch alone");
    let index = segment_path(0, names::OFFSET_INDEX);
    assert_eq!(kinds(&edit(&index, 7, 1)), ["offset-index"]);
    let times = segment_path(0, names::TIME_INDEX);
    assert_eq!(kinds(&edit(&times, 7, 1)), ["time-index"]);
    let epochs = dir().join(names::LEADER_EPOCHS);
    assert_eq!(kinds(&edit(&epochs, 4, b'9')), ["leader-epochs"]);
    assert_eq!(
        kinds(&|disk: &MemoryDisk| disk.remove_file(&index).unwrap()),
        ["offset-index"]
    );
    let snapshot = segment_path(end.0, names::PRODUCER_SNAPSHOT);
    assert_eq!(kinds(&edit(&snapshot, 20, 9)), ["producer-snapshot"]);
    // A segment in the middle is gone.
    let second = files(&memory)
        .into_iter()
        .filter(|name| name.ends_with(".log"))
        .nth(1)
        .unwrap();
    let gone = kinds(&|disk: &MemoryDisk| disk.remove_file(&dir().join(&second)).unwrap());
    assert_eq!(
        gone[..2],
        ["gap", "left-over"],
        "and its indexes are left, {gone:?}"
    );
}

#[test]
fn a_tail_that_was_torn_and_an_end_that_was_lost_are_told() {
    let (memory, _, end) = numbered(&LogConfig::default(), 10);
    let path = segment_path(0, names::LOG);
    let mut one = 0;
    memory
        .with_bytes(&path, |b| {
            one = b.len() / 10;
            b.truncate(one * 9 + 7);
        })
        .unwrap();
    let expected = Expected {
        recovery_point: Some(end),
        ..Expected::default()
    };
    let report = verify::verify(memory.as_ref(), dir(), &expected, false).unwrap();
    let kinds: Vec<Kind> = report.findings.iter().map(|f| f.kind).collect();
    assert_eq!(report.log_end, Offset(9));
    assert!(
        kinds.contains(&Kind::Tail) && kinds.contains(&Kind::Lost),
        "{kinds:?}"
    );
    let tail = report.findings[0].stretch.unwrap();
    assert_eq!((tail.position, tail.bytes), (one as u64 * 9, 7));
}

/// The reference allocates index files ahead; a crash leaves their ends zero.
#[test]
fn an_index_that_was_allocated_ahead_is_sound() {
    let (memory, _) = rich(&dense());
    for suffix in [names::OFFSET_INDEX, names::TIME_INDEX] {
        let path = segment_path(0, suffix);
        memory
            .with_bytes(&path, |b| b.resize(b.len() + 24 * 1000, 0))
            .unwrap();
    }
    assert_eq!(check(memory.as_ref(), false), []);
}

#[test]
fn records_that_contradict_their_batch_are_found_by_looking_deep() {
    let (memory, _, _) = numbered(&LogConfig::default(), 3);
    memory
        .with_bytes(&segment_path(0, names::LOG), |bytes| {
            // One record more than there is, under a checksum that fits.
            bytes[60] = 2;
            let length = u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
            let crc = crc32c::crc32c(&bytes[21..12 + length]);
            bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        })
        .unwrap();
    let shallow = check(memory.as_ref(), false);
    assert!(shallow.iter().all(|f| f.severity == Severity::Note));
    let deep = check(memory.as_ref(), true);
    assert_eq!(deep[0].kind, Kind::Content, "{deep:?}");
}
