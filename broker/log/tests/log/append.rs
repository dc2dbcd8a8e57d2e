//! Appending: offsets, epochs, times, rolling.

use ottla_log::disk::OpenMode;
use ottla_log::{AppendError, LogConfig, Offsets, Timestamps, names};
use ottla_protocol::records::{BatchHeader, TimestampType};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

use crate::support::*;

#[test]
fn batches_get_the_next_offsets_and_the_leaders_epoch_in_place() {
    let (_, mut log) = new_log(LogConfig::default());
    append(&mut log, batch(1, &[b"a", b"b"]));
    let mut set = [batch(2, &[b"c"]), batch(3, &[b"d", b"e"])].concat();
    let epoch = Offsets::Assign {
        leader_epoch: LeaderEpoch(5),
    };
    let appended = log
        .append(&mut set, epoch, Timestamps::Create, Millis(0))
        .unwrap();
    assert_eq!(
        (appended.base_offset, appended.last_offset),
        (Offset(2), Offset(4))
    );
    assert_eq!(log.end(), Offset(5));
    let header = BatchHeader::read(&set).unwrap();
    assert_eq!(header.base_offset, Offset(2));
    assert_eq!(header.partition_leader_epoch, LeaderEpoch(5));
    let (records, _) = read_all(&log, 0);
    let values: Vec<_> = records.iter().map(|r| r.1.as_slice()).collect();
    assert_eq!(values, [b"a", b"b", b"c", b"d", b"e"]);
    assert_eq!(offsets(&records), [0, 1, 2, 3, 4]);
    assert_eq!(
        log.epochs().end_of(LeaderEpoch(0), log.end()).unwrap().end,
        Offset(2)
    );
}

#[test]
fn append_time_is_put_into_the_header_only_and_the_checksum_stays_right() {
    let (_, mut log) = new_log(LogConfig::default());
    let mut set = batch(1, &[b"a"]);
    let appended = log
        .append(&mut set, EPOCH, Timestamps::LogAppend, Millis(77))
        .unwrap();
    assert_eq!(appended.log_append_time, Some(Millis(77)));
    let header = ottla_protocol::records::check_batch(&set).unwrap();
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(header.max_timestamp, Millis(77));
}

#[test]
fn a_follower_keeps_offsets_and_never_goes_back() {
    let (_, mut log) = new_log(LogConfig::default());
    let mut set = batch(1, &[b"a", b"b"]);
    ottla_protocol::records::batch::patch_base_offset_and_epoch(
        &mut set,
        Offset(10),
        LeaderEpoch(3),
    );
    let again = set.clone();
    let appended = log
        .append(&mut set, Offsets::Keep, Timestamps::Create, Millis(0))
        .unwrap();
    assert_eq!((appended.base_offset, log.end()), (Offset(10), Offset(12)));
    assert_eq!(log.epochs().latest(), Some(LeaderEpoch(3)));
    let refused = log.append(
        &mut again.clone(),
        Offsets::Keep,
        Timestamps::Create,
        Millis(0),
    );
    assert!(matches!(
        refused,
        Err(AppendError::OutOfOrder {
            offset: Offset(10),
            end: Offset(12)
        })
    ));
}

#[test]
fn what_is_no_run_of_whole_batches_is_refused_and_changes_nothing() {
    let (_, mut log) = new_log(LogConfig {
        segment_bytes: 500,
        ..LogConfig::default()
    });
    let whole = batch(1, &[b"a"]);
    for odd in [
        Vec::new(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], &[0; 20]].concat(),
    ] {
        let refused = log.append(&mut odd.clone(), EPOCH, Timestamps::Create, Millis(0));
        assert!(
            matches!(refused, Err(AppendError::Malformed(_))),
            "{} bytes",
            odd.len()
        );
    }
    let refused = log.append(&mut sized(1, 600), EPOCH, Timestamps::Create, Millis(0));
    assert!(matches!(
        refused,
        Err(AppendError::LargerThanSegment { .. })
    ));
    assert_eq!((log.end(), log.size_bytes()), (Offset::ZERO, 0));
}

#[test]
fn a_segment_that_would_grow_too_large_rolls_and_reading_crosses_over() {
    let (_, mut log) = new_log(LogConfig {
        segment_bytes: 300,
        ..LogConfig::default()
    });
    let rolled: Vec<_> = (0..6)
        .map(|i| append(&mut log, sized(i, 50)).rolled.map(|o| o.0))
        .collect();
    assert_eq!(rolled, [None, None, Some(2), None, Some(4), None]);
    assert_eq!(log.segment_count(), 3);
    assert_eq!(offsets(&read_all(&log, 0).0), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_segment_rolls_when_its_records_span_segment_ms() {
    let config = LogConfig {
        segment_ms: Millis(1000),
        ..LogConfig::default()
    };
    let (_, mut log) = new_log(config);
    append(&mut log, sized(5000, 10));
    assert_eq!(append(&mut log, sized(6000, 10)).rolled, None);
    assert_eq!(append(&mut log, sized(6001, 10)).rolled, Some(Offset(2)));
}

#[test]
fn jitter_brings_a_segments_roll_forward_and_never_by_more_than_it_may() {
    for (jitter_ms, random, rolls_at) in [(300, 7_000_450, 751), (0, 7, 1001), (5000, 1999, 2)] {
        let config = LogConfig {
            segment_ms: Millis(1000),
            segment_jitter_ms: Millis(jitter_ms),
            ..LogConfig::default()
        };
        let (_, mut log) = new_log(config);
        log.set_roll_jitter(random);
        append(&mut log, sized(5000, 10));
        assert_eq!(
            append(&mut log, sized(5000 + rolls_at - 1, 10)).rolled,
            None
        );
        let rolled = append(&mut log, sized(5000 + rolls_at, 10)).rolled;
        assert_eq!(rolled, Some(Offset(2)), "{jitter_ms}");
        // The next segment has its own.
        assert_eq!(
            append(&mut log, sized(5000 + rolls_at + 1000, 10)).rolled,
            None
        );
    }
}

#[test]
fn a_segment_rolls_when_its_index_is_full() {
    let config = LogConfig {
        segment_index_bytes: 36,
        index_interval_bytes: 1,
        ..LogConfig::default()
    };
    let (_, mut log) = new_log(config);
    let rolled: Vec<_> = (0..5)
        .map(|i| append(&mut log, sized(i, 50)).rolled.map(|o| o.0))
        .collect();
    // Three time entries fit, and the last of them is kept for the roll itself.
    assert_eq!(rolled, [None, None, None, Some(3), None]);
}

#[test]
fn offsets_that_a_segment_cannot_count_begin_a_new_one() {
    let (_, mut log) = new_log(LogConfig::default());
    append(&mut log, sized(1, 10));
    let mut far = batch(1, &[b"far"]);
    let there = Offset(i64::from(i32::MAX) + 1);
    ottla_protocol::records::batch::patch_base_offset_and_epoch(&mut far, there, LeaderEpoch(0));
    let appended = log
        .append(&mut far, Offsets::Keep, Timestamps::Create, Millis(0))
        .unwrap();
    assert_eq!(appended.rolled, Some(there));
    assert_eq!(offsets(&read_all(&log, 0).0), [0, there.0]);
}

#[test]
fn who_looks_into_the_index_of_a_log_that_is_open_misses_only_the_last_seconds() {
    let config = LogConfig {
        index_interval_bytes: 1,
        ..LogConfig::default()
    };
    let (disk, mut log) = new_log(config);
    let index = segment_path(0, names::OFFSET_INDEX);
    let mut entries_after = |now: i64| {
        let mut set = sized(0, 50);
        log.append(&mut set, EPOCH, Timestamps::Create, Millis(now))
            .expect("an append");
        let file = disk.open(&index, OpenMode::Read).expect("an index");
        file.len().expect("a length") / 8
    };
    // The first batch has no entry.
    let entries = [0, 1, 4_000, 5_001, 9_000, 10_001].map(&mut entries_after);
    assert_eq!(entries, [0, 1, 1, 3, 3, 5]);
}
