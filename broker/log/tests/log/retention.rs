//! Retention by time and by size.

use ottla_log::{DeleteReason, Log, LogConfig, SharedDisk};
use ottla_protocol::types::{Millis, Offset};

use crate::support::*;

/// Five segments of two batches each, timestamps 1000 to 1009.
fn ten_batches(config: LogConfig) -> (SharedDisk, Log) {
    let (disk, mut log) = new_log(LogConfig {
        segment_bytes: 300,
        ..config
    });
    for i in 0..10 {
        append(&mut log, sized(1000 + i, 50));
    }
    assert_eq!(log.segment_count(), 5);
    (disk, log)
}

fn bases(deleted: &[ottla_log::DeletedSegment]) -> Vec<i64> {
    deleted.iter().map(|d| d.base_offset.0).collect()
}

#[test]
fn segments_go_when_their_youngest_record_is_too_old() {
    let config = LogConfig {
        retention_ms: Millis(100),
        ..LogConfig::default()
    };
    let (disk, mut log) = ten_batches(config);
    assert!(
        log.apply_retention(log.end(), Millis(1101))
            .unwrap()
            .is_empty()
    );
    // Segments end with timestamps 1001, 1003, 1005 …
    let deleted = log.apply_retention(log.end(), Millis(1104)).unwrap();
    assert_eq!(bases(&deleted), [0, 2]);
    assert!(
        deleted
            .iter()
            .all(|d| d.reason == DeleteReason::RetentionMs)
    );
    assert_eq!(log.start(), Offset(4));
    assert_eq!(deleted[0].remove_at, Millis(1104 + 60_000));
    let names = || {
        disk.list(dir())
            .unwrap()
            .into_iter()
            .filter(|e| e.name.ends_with(".deleted"))
            .count()
    };
    assert_eq!(names(), 6);
    for segment in deleted {
        segment.remove(disk.as_ref()).unwrap();
    }
    assert_eq!(names(), 0);
}

#[test]
fn everything_can_expire_and_the_log_goes_on_at_its_end() {
    let config = LogConfig {
        retention_ms: Millis(100),
        ..LogConfig::default()
    };
    let (_, mut log) = ten_batches(config);
    let deleted = log.apply_retention(log.end(), Millis(5000)).unwrap();
    assert_eq!(bases(&deleted), [0, 2, 4, 6, 8]);
    assert_eq!(
        (log.start(), log.end(), log.size_bytes()),
        (Offset(10), Offset(10), 0)
    );
    assert!(
        log.apply_retention(log.end(), Millis(9000))
            .unwrap()
            .is_empty()
    );
    assert_eq!(append(&mut log, sized(1, 5)).base_offset, Offset(10));
}

#[test]
fn size_is_brought_down_by_whole_segments_only() {
    let config = LogConfig {
        retention_ms: Millis(-1),
        retention_bytes: 600,
        ..LogConfig::default()
    };
    let (_, mut log) = ten_batches(config);
    let deleted = log.apply_retention(log.end(), Millis(5000)).unwrap();
    assert!(
        deleted
            .iter()
            .all(|d| d.reason == DeleteReason::RetentionBytes)
    );
    assert!(log.size_bytes() >= 600, "never below what is to be kept");
    assert!(log.size_bytes() - deleted[0].bytes < 600);
}

#[test]
fn nothing_at_or_above_the_high_watermark_goes() {
    let config = LogConfig {
        retention_ms: Millis(0),
        ..LogConfig::default()
    };
    let (_, mut log) = ten_batches(config);
    assert_eq!(
        bases(&log.apply_retention(Offset(5), Millis(5000)).unwrap()),
        [0, 2]
    );
}

#[test]
fn what_the_start_has_passed_goes_first_then_by_size_then_by_time() {
    let config = LogConfig {
        retention_ms: Millis(0),
        retention_bytes: 600,
        ..LogConfig::default()
    };
    let (_, mut log) = ten_batches(config);
    log.set_start(Offset(3)).unwrap();
    let deleted = log.apply_retention(Offset(8), Millis(1006)).unwrap();
    let reasons: Vec<_> = deleted.iter().map(|d| d.reason).collect();
    // Of segments of 250 bytes or so three are kept by size; the one that ends at the high watermark is too young.
    use DeleteReason::{LogStart, RetentionBytes, RetentionMs};
    assert_eq!(reasons, [LogStart, RetentionBytes, RetentionMs]);
    assert_eq!(log.start(), Offset(6));
}

#[test]
fn the_active_segment_stays_when_all_its_records_were_deleted_but_not_when_they_are_too_old() {
    let config = LogConfig {
        retention_ms: Millis(100),
        ..LogConfig::default()
    };
    let (_, mut log) = ten_batches(config);
    log.set_start(log.end()).unwrap();
    let deleted = log.apply_retention(log.end(), Millis(1000)).unwrap();
    assert_eq!(bases(&deleted), [0, 2, 4, 6]);
    assert_eq!(log.segment_count(), 1);
    let deleted = log.apply_retention(log.end(), Millis(1110)).unwrap();
    assert_eq!(bases(&deleted), [8]);
    assert_eq!((log.start(), log.end()), (Offset(10), Offset(10)));
}

#[test]
fn one_record_of_the_future_keeps_its_segment_and_all_that_follow() {
    let config = LogConfig {
        segment_bytes: 300,
        retention_ms: Millis(100),
        ..LogConfig::default()
    };
    let (_, mut log) = new_log(config);
    for timestamp in [1000, 1001, 1002, 900_000, 1004, 1005] {
        append(&mut log, sized(timestamp, 50));
    }
    assert_eq!(log.retention_due().unwrap(), Some(Millis(1102)));
    let deleted = log.apply_retention(log.end(), Millis(5000)).unwrap();
    assert_eq!(bases(&deleted), [0]);
    assert_eq!(log.retention_due().unwrap(), Some(Millis(900_101)));
    assert!(
        log.apply_retention(log.end(), Millis(900_100))
            .unwrap()
            .is_empty()
    );
    let deleted = log.apply_retention(log.end(), Millis(900_101)).unwrap();
    assert_eq!(bases(&deleted), [2, 4]);
    assert_eq!(log.retention_due().unwrap(), None, "nothing is left");
}

#[test]
fn records_without_timestamps_are_as_old_as_their_file() {
    let config = LogConfig {
        segment_bytes: 300,
        retention_ms: Millis(100),
        ..LogConfig::default()
    };
    let (disk, mut log) = new_log(config);
    for _ in 0..4 {
        append(&mut log, sized(-1, 50));
    }
    let modified = disk.info(&segment_path(0, "log")).unwrap().modified;
    let at = |later: i64| Millis(modified.0 + later);
    assert_eq!(log.retention_due().unwrap(), Some(at(101)));
    assert!(log.apply_retention(log.end(), at(100)).unwrap().is_empty());
    assert_eq!(
        bases(&log.apply_retention(Offset(2), at(101)).unwrap()),
        [0]
    );
}

#[test]
fn what_is_kept_for_ever_is_never_due() {
    let config = LogConfig {
        retention_ms: Millis(-1),
        ..LogConfig::default()
    };
    let (_, mut log) = ten_batches(config);
    assert_eq!(log.retention_due().unwrap(), None);
    assert!(
        log.apply_retention(log.end(), Millis(i64::MAX))
            .unwrap()
            .is_empty()
    );
}

/// S-27: a consumer holds a slice of a segment that goes.
#[test]
fn a_reader_finishes_what_it_was_given() {
    let config = LogConfig {
        retention_ms: Millis(0),
        ..LogConfig::default()
    };
    let (disk, mut log) = ten_batches(config);
    let slice = log.read(everything(&log, 0)).unwrap().unwrap();
    for segment in log.apply_retention(log.end(), Millis(5000)).unwrap() {
        segment.remove(disk.as_ref()).unwrap();
    }
    assert_eq!(offsets(&records_in(&bytes_of(&slice))), [0, 1]);
    assert!(log.read(everything(&log, 0)).is_err());
}

#[test]
fn left_over_files_of_a_crash_are_removed_when_the_log_opens() {
    let config = LogConfig {
        retention_ms: Millis(0),
        ..LogConfig::default()
    };
    let (disk, mut log) = ten_batches(config.clone());
    log.apply_retention(Offset(5), Millis(5000)).unwrap();
    log.close().unwrap();
    let (log, report) = open(&disk, &config, UNKNOWN);
    assert_eq!(report.removed.len(), 6);
    assert_eq!(log.start(), Offset(4));
}

#[test]
fn producer_snapshots_stay_at_segments_and_at_the_end_only() {
    let (disk, log) = ten_batches(LogConfig::default());
    let end = log.close().unwrap();
    for at in [2, 3, 5, 8, 10, 11] {
        ottla_log::producer_snapshot::write(disk.as_ref(), dir(), Offset(at), &[]).unwrap();
    }
    let (mut log, _) = open(&disk, &LogConfig::default(), clean(end));
    assert_eq!(log.producer_snapshots(), [Offset(2), Offset(8), Offset(10)]);
    log.truncate_to(Offset(9), Millis(0)).unwrap();
    assert_eq!(log.producer_snapshots(), [Offset(2), Offset(8)]);
    let left = disk.list(dir()).unwrap();
    assert_eq!(
        left.iter()
            .filter(|e| e.name.ends_with(".snapshot"))
            .count(),
        2
    );
}
