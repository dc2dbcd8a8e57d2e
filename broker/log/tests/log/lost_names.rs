//! S-17: a power cut in any step of deleting segments, or of cutting a log's end, on a file system that keeps any part of
//! the names that were changed and not synced.

use std::sync::Arc;

use ottla_log::disk::{OpenMode, write_full};
use ottla_log::testing::{Crash, FaultyDisk, MemoryDisk, Random};
use ottla_log::{Log, LogConfig, OpenInput, SharedDisk};
use ottla_protocol::types::{Millis, Offset};

use crate::support::*;

const RECORDS: i64 = 8;

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 250,
        retention_ms: Millis(100),
        ..LogConfig::default()
    }
}

/// Four segments of two batches, the first two with an index of aborted transactions.
fn four_segments() -> Arc<MemoryDisk> {
    let (memory, disk, end) = numbered(&config(), RECORDS);
    for base in [0, 2] {
        let path = segment_path(base, "txnindex");
        let index = disk.open(&path, OpenMode::Create).unwrap();
        let numbers = [7_i64, base, base + 1, base].map(i64::to_be_bytes);
        write_full(
            index.as_ref(),
            &[&[0, 0], numbers.as_flattened()].concat(),
            0,
        )
        .unwrap();
        index.sync_data().unwrap();
    }
    disk.sync_dir(dir()).unwrap();
    let (log, _) = open(&disk, &config(), clean(end));
    assert_eq!(log.segment_count(), 4);
    log.close().unwrap();
    memory
}

/// Calls `check` with every log that a power cut in any step of `act` can leave, the log start's checkpoint being lost.
fn every_power_cut(act: &dyn Fn(&mut Log) -> bool, check: &dyn Fn(&SharedDisk, &Log, &str)) {
    let memory = four_segments();
    let inputs = [unclean(Offset(RECORDS)), UNKNOWN];
    for changes in 0.. {
        let cut = memory.fork();
        let dying = FaultyDisk::new(Arc::new(cut.clone()));
        let on_dying: SharedDisk = dying.clone();
        let (mut log, _) = open(&on_dying, &config(), clean(Offset(RECORDS)));
        dying.cut_off_after(changes);
        let done = act(&mut log);
        if !dying.is_cut_off() {
            assert!(done && changes > 8, "{changes} changes");
            return;
        }
        drop(log);
        let names = cut.unsynced_names();
        assert!(names <= 10, "{names} names to choose from");
        for chosen in 0..1_u32 << names {
            for input in inputs {
                let left = cut.fork();
                left.crash_keeping_names(|i| chosen & (1 << i) != 0);
                let told = format!("after {changes} changes, names {chosen:#b}, {input:?}");
                let disk: SharedDisk = Arc::new(left);
                let (log, _) = open(&disk, &config(), OpenInput { ..input });
                check(&disk, &log, &told);
            }
        }
    }
}

/// What is left is one run, and a segment that is left has its index of aborted transactions.
fn assert_one_run(disk: &SharedDisk, log: &Log, told: &str) {
    let (records, damaged) = read_all(log, log.start().0);
    let run: Vec<_> = (log.start().0..log.end().0).collect();
    assert_eq!((offsets(&records), damaged), (run, 0), "{told}");
    assert_numbered(&records);
    let aborted = log.aborted_txns(log.start(), log.end()).unwrap();
    let expected = [0, 2].map(|base| (log.start().0..log.end().0).contains(&base));
    let found = [0, 2].map(|base| aborted.iter().any(|txn| txn.first_offset == Offset(base)));
    assert_eq!(found, expected, "{told}");
    for base in [0, 2, 4, 6] {
        let is_there = |suffix| disk.info(&segment_path(base, suffix)).is_ok();
        assert!(is_there("log") || !is_there("txnindex"), "{told}");
    }
}

#[test]
fn a_deletion_of_some_segments_leaves_no_hole() {
    let act = |log: &mut Log| log.apply_retention(Offset(6), Millis(9999)).is_ok();
    every_power_cut(&act, &|disk, log, told| {
        assert_one_run(disk, log, told);
        assert_eq!(log.end(), Offset(RECORDS), "{told}");
        assert!(log.start() <= Offset(6), "{told}");
    });
}

/// The segment that was begun in their place is there before the first of them goes, or offsets would begin anew.
#[test]
fn a_deletion_of_all_segments_keeps_the_end() {
    let act = |log: &mut Log| log.apply_retention(log.end(), Millis(9999)).is_ok();
    every_power_cut(&act, &|disk, log, told| {
        assert_one_run(disk, log, told);
        assert_eq!(log.end(), Offset(RECORDS), "{told}");
    });
}

#[test]
fn cutting_the_end_leaves_no_hole() {
    let act = |log: &mut Log| log.truncate_to(Offset(3), Millis(0)).is_ok();
    every_power_cut(&act, &|disk, log, told| {
        let (records, _) = read_all(log, 0);
        assert_numbered(&records);
        assert_eq!(log.start(), Offset::ZERO, "{told}");
        let run: Vec<_> = (0..records.len() as i64).collect();
        assert!(run.len() >= 3, "{told}");
        assert_eq!(offsets(&records), run, "{told}");
        assert!(disk.list(dir()).is_ok(), "{told}");
    });
}

/// Cutting it writes the leader epochs, durably and with them the folder's files, but nobody had synced the folder's own name.
#[test]
fn a_log_that_was_cut_to_nothing_before_its_first_flush_keeps_its_folder() {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &config(), UNKNOWN);
    append(&mut log, batch(1000, &[numbered_value(0).as_bytes()]));
    log.truncate_to(Offset(0), Millis(0)).unwrap();
    let end = log.close().unwrap();
    let (mut log, _) = open(&disk, &config(), clean(end));
    append(&mut log, batch(1000, &[numbered_value(0).as_bytes()]));
    log.flush_now().unwrap();
    drop(log);
    memory.crash(Crash::LoseAll, &mut Random::new(0));
    let (log, _) = open(&disk, &config(), unclean(Offset(0)));
    assert_eq!(offsets(&read_all(&log, 0).0), [0]);
}
