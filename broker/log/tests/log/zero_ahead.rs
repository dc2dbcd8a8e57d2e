//! S-11: zeros written ahead of appends, bytes of the file that are no part of the log.

use ottla_log::testing::{Call, FaultyDisk};
use ottla_log::{Log, LogConfig, SharedDisk, ZeroAhead};
use ottla_protocol::types::{Millis, Offset};

use crate::support::*;

const FROM: u64 = 150;
const AHEAD: u64 = 1000;
const NO_SPACE: i32 = 28;

fn ahead() -> LogConfig {
    LogConfig {
        zero_ahead: Some(ZeroAhead {
            from_bytes: FROM,
            bytes: AHEAD,
        }),
        ..LogConfig::default()
    }
}

fn file_length(disk: &SharedDisk, base: i64) -> u64 {
    disk.info(&segment_path(base, "log")).unwrap().len
}

fn append_numbered(log: &mut Log, numbers: std::ops::Range<i64>) {
    for i in numbers {
        append(log, batch(i, &[numbered_value(i).as_bytes()]));
    }
}

#[test]
fn a_small_segment_has_none_and_a_larger_one_up_to_the_next_multiple_until_it_is_idle() {
    let (disk, mut log) = new_log(ahead());
    append_numbered(&mut log, 0..1);
    let one = log.size_bytes();
    assert!(one < FROM);
    assert_eq!(file_length(&disk, 0), one);
    append_numbered(&mut log, 1..5);
    assert_eq!(file_length(&disk, 0), AHEAD);
    append_numbered(&mut log, 5..15);
    assert_eq!(file_length(&disk, 0), 2 * AHEAD);
    assert_numbered(&read_all(&log, 0).0);
    log.flush_now().unwrap();
    log.release_files().unwrap();
    assert_eq!(file_length(&disk, 0), log.size_bytes());
    append_numbered(&mut log, 15..16);
    assert_eq!(file_length(&disk, 0), 2 * AHEAD);
    assert_numbered(&read_all(&log, 0).0);
}

#[test]
fn they_are_cut_off_where_the_segment_is_sealed_or_closed() {
    let (disk, mut log) = new_log(ahead());
    append_numbered(&mut log, 0..5);
    let first = log.size_bytes();
    assert!(first < file_length(&disk, 0));
    log.roll(Millis(0)).unwrap();
    assert_eq!(file_length(&disk, 0), first);
    append_numbered(&mut log, 5..10);
    log.close().unwrap();
    assert_eq!(file_length(&disk, 0), first);
    assert_eq!(file_length(&disk, 5), first);
    let (log, report) = open(&disk, &ahead(), UNKNOWN);
    assert!(report.is_quiet(), "{report:?}");
    assert_numbered(&read_all(&log, 0).0);
}

#[test]
fn a_kill_leaves_them_and_they_are_cut_without_a_word() {
    let (disk, mut log) = new_log(ahead());
    append_numbered(&mut log, 0..5);
    let size = log.size_bytes();
    drop(log);
    assert_eq!(file_length(&disk, 0), AHEAD);
    let (mut log, report) = open(&disk, &ahead(), UNKNOWN);
    assert!(report.is_quiet(), "{report:?}");
    assert_eq!((log.end(), log.size_bytes()), (Offset(5), size));
    append_numbered(&mut log, 5..10);
    assert_numbered(&read_all(&log, 0).0);
}

#[test]
fn a_power_cut_that_takes_the_cut_of_a_sealed_segment_back_leaves_no_zeros_for_readers() {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &ahead(), UNKNOWN);
    append_numbered(&mut log, 0..5);
    let size = log.size_bytes();
    log.flush_now().unwrap();
    log.roll(Millis(0)).unwrap();
    assert_eq!(file_length(&disk, 0), size);
    drop(log);
    memory.crash_keeping_names(|_| true);
    assert_eq!(file_length(&disk, 0), AHEAD, "nobody had synced the length");

    let (mut log, report) = open(&disk, &ahead(), unclean(Offset(5)));
    assert!(report.corrupt.is_empty(), "{report:?}");
    assert_eq!(file_length(&disk, 0), size);
    append_numbered(&mut log, 5..8);
    assert_numbered(&read_all(&log, 0).0);
}

#[test]
fn what_is_appended_after_a_truncation_stands_where_the_log_ends() {
    let (disk, mut log) = new_log(ahead());
    append_numbered(&mut log, 0..12);
    log.truncate_to(Offset(3), Millis(0)).unwrap();
    append_numbered(&mut log, 3..20);
    assert_numbered(&read_all(&log, 0).0);
    drop(log);
    let (log, _) = open(&disk, &ahead(), UNKNOWN);
    assert_eq!(log.end(), Offset(20));
    assert_numbered(&read_all(&log, 0).0);
}

#[test]
fn where_they_do_not_fit_the_append_may() {
    let faulty = FaultyDisk::new(memory());
    let disk: SharedDisk = faulty.clone();
    let (mut log, _) = open(&disk, &ahead(), UNKNOWN);
    append_numbered(&mut log, 0..2);
    assert!(
        log.size_bytes() >= FROM,
        "zeros come before the next append"
    );
    // Half of them are written before the disk is full.
    faulty.fail_once(Call::Write, 0, NO_SPACE);
    append_numbered(&mut log, 2..20);
    assert_numbered(&read_all(&log, 0).0);
    log.close().unwrap();
    assert_eq!(file_length(&disk, 0), log_size(&disk));
    let (log, report) = open(&disk, &ahead(), UNKNOWN);
    assert!(report.is_quiet(), "{report:?}");
    assert_numbered(&read_all(&log, 0).0);
}

/// Of the log that is closed, as who opens it finds it.
fn log_size(disk: &SharedDisk) -> u64 {
    open(disk, &ahead(), UNKNOWN).0.size_bytes()
}
