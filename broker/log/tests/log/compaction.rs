//! What a pass leaves of a log: records, batches, markers, segments, and how they read afterwards.

use std::collections::BTreeMap;

use ottla_log::compaction::{CleaningError, CompactionConfig, LastOfProducer, OffsetMap};
use ottla_log::txn_index::{self, AbortedTxn};
use ottla_log::{Log, LogConfig, MinimumRead, ReadRequest};
use ottla_protocol::compress::Compression;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use crate::cleaning::*;
use crate::support::*;

/// Makes everything so far cleanable.
fn roll(log: &mut Log) {
    log.roll(Millis(0)).unwrap();
}

#[test]
fn of_each_key_the_last_record_stays_at_its_offset() {
    let (_, mut log) = new_log(small());
    append(&mut log, keyed(10, &[("a", Some("1")), ("b", Some("1"))]));
    append(&mut log, keyed(20, &[("a", Some("2")), ("c", Some("1"))]));
    append(&mut log, keyed(30, &[("a", Some("3"))]));
    roll(&mut log);
    append(&mut log, keyed(40, &[("b", Some("2"))]));
    let cleaned = compact(&mut log, 0, 100);
    assert_eq!(cleaned.end, Offset(5));
    // The active segment is not cleaned, so b's older record stays.
    let expected = [
        put(1, "b", "1"),
        put(3, "c", "1"),
        put(4, "a", "3"),
        put(5, "b", "2"),
    ];
    assert_eq!(contents(&log), expected);
    assert_eq!(log.end(), Offset(6));
    assert_eq!(cleaned.stats.records_read, 5);
    assert_eq!(cleaned.stats.records_written, 3);
}

#[test]
fn a_batch_keeps_its_bounds_and_its_producer_when_records_go() {
    for codec in Compression::ALL {
        let (_, mut log) = new_log(small());
        append(
            &mut log,
            packed(
                codec,
                10,
                &[("a", Some("1")), ("b", Some("1")), ("a", Some("2"))],
            ),
        );
        append(&mut log, packed(codec, 90, &[("b", Some("2"))]));
        roll(&mut log);
        let before = batches_in(&log);
        compact(&mut log, 0, 100);
        let after = batches_in(&log);
        let (old, new) = (&before[0].0, &after[0].0);
        assert_eq!(new.base_offset, old.base_offset);
        assert_eq!(new.last_offset(), old.last_offset());
        assert_eq!(new.record_count, 1);
        assert_eq!(new.compression().unwrap(), codec);
        assert_eq!(new.max_timestamp, Millis(12));
        assert_eq!(after[1].1, before[1].1, "what loses nothing is copied");
        assert_eq!(contents(&log), [put(2, "a", "2"), put(3, "b", "2")]);
    }
}

#[test]
fn a_tombstone_takes_what_is_older_and_goes_when_its_time_has_come() {
    let (_, mut log) = new_log(small());
    append(&mut log, keyed(10, &[("a", Some("1"))]));
    append(&mut log, keyed(20, &[("b", Some("1")), ("a", None)]));
    roll(&mut log);
    append(&mut log, keyed(30, &[("c", Some("1"))]));
    roll(&mut log);
    let end = compact(&mut log, 0, 5000).end;
    let all = [put(1, "b", "1"), tombstone(2, "a"), put(3, "c", "1")];
    assert_eq!(contents(&log), all);
    let horizon = batches_in(&log)[0].0.delete_horizon();
    assert_eq!(
        horizon,
        Some(Millis(6000)),
        "cleaned at 5000, retained for 1000"
    );
    let timestamps: Vec<i64> = seen_in(&log).iter().map(|s| s.timestamp).collect();
    assert_eq!(
        timestamps,
        [20, 21, 30],
        "whatever the base timestamp means"
    );

    // A later pass before the horizon changes nothing, not even the horizon.
    let before = batches_in(&log);
    compact(&mut log, end.0, 5999);
    assert_eq!(batches_in(&log), before);
    compact(&mut log, end.0, 6000);
    assert_eq!(contents(&log), [put(1, "b", "1"), put(3, "c", "1")]);
}

#[test]
fn records_without_a_key_have_no_place_in_a_compacted_log() {
    let (_, mut log) = new_log(small());
    append(&mut log, batch(10, &[b"one", b"two"]));
    append(&mut log, keyed(20, &[("a", Some("1"))]));
    roll(&mut log);
    let cleaned = compact(&mut log, 0, 100);
    assert_eq!(contents(&log), [put(2, "a", "1")]);
    assert_eq!(cleaned.stats.records_without_key, 2);
}

#[test]
fn the_last_batch_of_a_known_producer_stays_if_only_as_an_empty_one() {
    let (_, mut log) = new_log(small());
    append(
        &mut log,
        produced(7, 0, false, 10, &[("a", Some("1")), ("b", Some("1"))]),
    );
    append(
        &mut log,
        produced(8, 0, false, 20, &[("a", Some("2")), ("b", Some("2"))]),
    );
    append(
        &mut log,
        produced(9, 0, false, 30, &[("a", Some("3")), ("b", Some("3"))]),
    );
    roll(&mut log);
    log.flush_now().unwrap();
    let cleanable = log
        .cleanable(None, log.end(), &KEEP_LONG, Millis(100))
        .unwrap();
    let known = LastOfProducer {
        last_data_offset: Some(Offset(3)),
        epoch: ProducerEpoch(0),
    };
    let known = BTreeMap::from([(ProducerId(8), known)]);
    let mut map = new_map();
    clean_with(&mut log, &cleanable, &mut map, &known, 100, &mut |_| true).unwrap();
    let headers: Vec<_> = batches_in(&log).into_iter().map(|(h, _)| h).collect();
    assert_eq!(headers.len(), 2, "producer 7 is forgotten");
    let empty = headers[0];
    assert_eq!(
        (empty.base_offset, empty.last_offset()),
        (Offset(2), Offset(3))
    );
    assert_eq!((empty.record_count, empty.producer_id), (0, ProducerId(8)));
    assert_eq!((empty.base_sequence, empty.last_sequence()), (0, 1));
    assert_eq!(empty.max_timestamp, Millis(21));
    assert_eq!(contents(&log), [put(4, "a", "3"), put(5, "b", "3")]);
}

/// A log whose first transaction commits and whose second aborts, with a line of the transaction index.
fn with_transactions() -> Log {
    let (disk, mut log) = new_log(small());
    append(
        &mut log,
        produced(7, 0, true, 10, &[("a", Some("committed"))]),
    );
    append(&mut log, marker(7, true, 20));
    append(
        &mut log,
        produced(7, 1, true, 30, &[("a", Some("aborted")), ("b", None)]),
    );
    append(&mut log, keyed(35, &[("b", Some("1"))]));
    append(&mut log, marker(7, false, 40));
    let aborted = AbortedTxn {
        producer_id: ProducerId(7),
        first_offset: Offset(2),
        last_offset: Offset(5),
        last_stable_offset: Offset(2),
    };
    let base = log.active_base();
    txn_index::append(disk.as_ref(), dir(), base, aborted).unwrap();
    roll(&mut log);
    append(&mut log, keyed(50, &[("z", Some("1"))]));
    roll(&mut log);
    log
}

#[test]
fn what_was_aborted_goes_and_its_marker_when_a_pass_has_found_nothing_left() {
    let mut log = with_transactions();
    let disk = memory_of(&log);
    let end = compact(&mut log, 0, 5000).end;
    let expected = [put(0, "a", "committed"), put(4, "b", "1"), put(6, "z", "1")];
    assert_eq!(contents(&log), expected);
    let markers = |log: &Log| -> Vec<(i64, Option<Millis>)> {
        let batches = batches_in(log).into_iter();
        let control = batches.filter(|(h, _)| h.is_control());
        control
            .map(|(h, _)| (h.base_offset.0, h.delete_horizon()))
            .collect()
    };
    assert_eq!(markers(&log), [(1, None), (5, None)]);
    let base = Offset::ZERO;
    assert_eq!(txn_index::read(&*disk, dir(), base).unwrap().len(), 1);

    // Nothing of the aborted one is left: its marker gets a horizon, and goes behind it.
    compact(&mut log, end.0, 6000);
    assert_eq!(markers(&log), [(1, None), (5, Some(Millis(7000)))]);
    assert_eq!(txn_index::read(&*disk, dir(), base).unwrap(), []);
    compact(&mut log, end.0, 7000);
    assert_eq!(markers(&log), [(1, None)]);

    // The committed one's record is superseded: the same with its marker.
    append(&mut log, keyed(60, &[("a", Some("2"))]));
    roll(&mut log);
    let end = compact(&mut log, end.0, 8000).end;
    assert_eq!(markers(&log), [(1, None)]);
    compact(&mut log, end.0, 8001);
    assert_eq!(markers(&log), [(1, Some(Millis(9001)))]);
    compact(&mut log, end.0, 9001);
    assert_eq!(markers(&log), []);
    let expected = [put(4, "b", "1"), put(6, "z", "1"), put(7, "a", "2")];
    assert_eq!(contents(&log), expected);
}

fn memory_of(log: &Log) -> ottla_log::SharedDisk {
    log.disk().clone()
}

/// Without the index its records would pass for committed ones, and take the place of others.
#[test]
fn an_abort_that_no_index_names_ends_the_pass() {
    let mut log = with_transactions();
    let disk = memory_of(&log);
    for base in [0, 2, 4, 5] {
        let path = segment_path(base, "txnindex");
        let _ = disk.remove_file(&path);
    }
    log.flush_now().unwrap();
    let before = batches_in(&log);
    let error = try_clean(&mut log, None, 100).err().unwrap();
    assert!(
        matches!(error, CleaningError::UnknownAbort { marker: Offset(5) }),
        "{error}"
    );
    assert!(error.is_of_the_log());
    assert_eq!(batches_in(&log), before);
}

#[test]
fn a_map_that_is_full_ends_the_pass_early_and_the_next_goes_on() {
    let (_, mut log) = new_log(small());
    for i in 0..60 {
        let key = format!("key {}", i % 20);
        append(
            &mut log,
            keyed(i, &[(key.as_str(), Some("x")), ("same", Some("y"))]),
        );
    }
    roll(&mut log);
    log.flush_now().unwrap();
    // Seven entries, of which six are used.
    let mut map = OffsetMap::new(7 * 24, 0.9, [9; 16]);
    let (mut checkpoint, mut passes) = (Offset::ZERO, 0);
    while checkpoint < log.end() {
        let cleanable = log
            .cleanable(Some(checkpoint), log.end(), &KEEP_LONG, Millis(100))
            .unwrap();
        let none = Producers::new();
        let cleaned = clean_with(&mut log, &cleanable, &mut map, &none, 100, &mut |_| true);
        let end = cleaned.unwrap().end;
        assert!(end > checkpoint, "no progress at {checkpoint}");
        checkpoint = end;
        passes += 1;
    }
    assert!(passes > 5, "{passes} passes");
    let left = contents(&log);
    let keys: Vec<_> = left.iter().map(|(_, key, _)| key.clone()).collect();
    assert_eq!(keys.len(), 21, "{left:?}");
    assert_eq!(left.last().unwrap().0, 119);
}

/// A batch with more keys than the map has room for can't be skipped and can't be done at once.
#[test]
fn even_a_batch_that_does_not_fit_the_map_is_got_over() {
    let (_, mut log) = new_log(LogConfig::default());
    let keys: Vec<String> = (0..10).map(|i| format!("key {i}")).collect();
    let puts: Vec<Put<'_>> = keys.iter().map(|k| (k.as_str(), Some("1"))).collect();
    append(&mut log, keyed(0, &puts));
    append(&mut log, keyed(50, &puts));
    roll(&mut log);
    log.flush_now().unwrap();
    let mut map = OffsetMap::new(5 * 24, 0.9, [9; 16]);
    let mut checkpoint = Offset::ZERO;
    for _ in 0..10 {
        let cleanable = log
            .cleanable(Some(checkpoint), log.end(), &KEEP_LONG, Millis(100))
            .unwrap();
        let none = Producers::new();
        let cleaned = clean_with(&mut log, &cleanable, &mut map, &none, 100, &mut |_| true);
        checkpoint = cleaned.unwrap().end;
    }
    assert_eq!(checkpoint, Offset(20));
    let offsets: Vec<i64> = contents(&log).iter().map(|r| r.0).collect();
    assert_eq!(offsets, (10..20).collect::<Vec<_>>());
}

#[test]
fn small_segments_are_joined_and_an_empty_one_is_taken_in_by_the_next_pass() {
    let (_, mut log) = new_log(small());
    for i in 0..40 {
        append(
            &mut log,
            keyed(i, &[("a", Some("some value of some length"))]),
        );
    }
    roll(&mut log);
    let segments = log.segment_count();
    assert!(segments > 8);
    let end = compact(&mut log, 0, 100).end;
    assert_eq!(contents(&log), [put(39, "a", "some value of some length")]);
    append(&mut log, keyed(50, &[("b", Some("1"))]));
    roll(&mut log);
    compact(&mut log, end.0, 200);
    assert_eq!(log.segment_count(), 2, "one cleaned, one active");
    assert_eq!(log.active_base(), Offset(41));
}

#[test]
fn a_read_of_an_offset_that_is_gone_returns_what_follows() {
    let (_, mut log) = new_log(small());
    for i in 0..40 {
        let key = if i % 10 == 9 {
            format!("key {i}")
        } else {
            "same".into()
        };
        append(
            &mut log,
            keyed(
                1000 + i,
                &[(key.as_str(), Some("some value of some length"))],
            ),
        );
        // A consumer that follows leaves its marks.
        log.read(everything(&log, i)).unwrap().unwrap();
    }
    roll(&mut log);
    compact(&mut log, 0, 100);
    let left: Vec<i64> = contents(&log).iter().map(|r| r.0).collect();
    assert_eq!(left, [9, 19, 29, 38, 39]);
    for from in 0..40 {
        let next = left.iter().copied().find(|o| *o >= from).unwrap();
        let slice = log.read(everything(&log, from)).unwrap().unwrap();
        let first = records_in(&bytes_of(&slice))[0].0;
        assert_eq!(first, next, "from {from}");
        assert_eq!(slice.base_offset, Offset(next));
        let answer = log
            .offset_for_timestamp(Millis(1000 + from), Offset::ZERO)
            .unwrap();
        assert_eq!(answer.map(|a| a.offset.0), Some(next), "time {from}");
    }
    // A bound within a gap ends the read before it.
    let request = ReadRequest {
        from: Offset(0),
        max_bytes: usize::MAX,
        upper_end: Offset(15),
        minimum: MinimumRead::OneBatch,
    };
    let slice = log.read(request).unwrap().unwrap();
    assert_eq!(offsets(&records_in(&bytes_of(&slice))), [9]);
}

#[test]
fn readers_of_the_old_segments_go_on_undisturbed() {
    let (_, mut log) = new_log(small());
    for i in 0..10 {
        append(&mut log, keyed(i, &[("same", Some("value"))]));
    }
    roll(&mut log);
    let slice = log.read(everything(&log, 0)).unwrap().unwrap();
    let before = bytes_of(&slice);
    let cleaned = compact(&mut log, 0, 100);
    assert_eq!(bytes_of(&slice), before);
    for segment in cleaned.deleted {
        segment.remove(memory_of(&log).as_ref()).unwrap();
    }
    assert_eq!(bytes_of(&slice), before);
}

#[test]
fn what_is_unstable_or_too_young_is_not_cleanable() {
    let (_, mut log) = new_log(small());
    for i in 0..3 {
        append(
            &mut log,
            keyed(1000 * i, &[("a", Some("1")), ("b", Some("1"))]),
        );
        roll(&mut log);
    }
    log.flush_now().unwrap();
    let at = |stable: i64, config: &CompactionConfig, now: i64| {
        log.cleanable(Some(Offset(0)), Offset(stable), config, Millis(now))
            .unwrap()
    };
    assert_eq!(at(6, &KEEP_LONG, 0).end, Offset(6));
    assert_eq!(
        at(5, &KEEP_LONG, 0).end,
        Offset(4),
        "part of a segment is unstable"
    );
    let lag = CompactionConfig {
        min_lag_ms: Millis(500),
        ..KEEP_LONG
    };
    assert_eq!(
        at(6, &lag, 1500).end,
        Offset(2),
        "segments of 1, 1001 and 2001"
    );
    let overdue = CompactionConfig {
        max_lag_ms: Millis(100),
        min_cleanable_dirty_ratio: 1.0,
        ..KEEP_LONG
    };
    let late = log
        .cleanable(Some(Offset(2)), Offset(6), &overdue, Millis(1500))
        .unwrap();
    assert_eq!(
        late.overdue_ms,
        Some(Millis(399)),
        "the first batch is of 1001"
    );
    assert!(late.is_due(&overdue));
    let in_time = log
        .cleanable(Some(Offset(4)), Offset(6), &overdue, Millis(1500))
        .unwrap();
    assert!(!in_time.is_due(&overdue));
    // Checkpoints that can't be.
    for wrong in [-1, 7] {
        let cleanable = log
            .cleanable(Some(Offset(wrong)), Offset(6), &KEEP_LONG, Millis(0))
            .unwrap();
        assert!(cleanable.checkpoint_was_wrong);
        assert_eq!(cleanable.first_dirty, Offset(0));
    }
}

#[test]
fn nothing_is_cleaned_before_it_is_flushed() {
    let (_, mut log) = new_log(small());
    append(&mut log, keyed(0, &[("a", Some("1"))]));
    roll(&mut log);
    log.flush_now().unwrap();
    append(&mut log, keyed(0, &[("a", Some("2"))]));
    roll(&mut log);
    let cleanable = log
        .cleanable(None, log.end(), &KEEP_LONG, Millis(0))
        .unwrap();
    assert_eq!(cleanable.end, Offset(1));
}

#[test]
fn a_pass_over_a_log_that_was_cut_meanwhile_is_given_up() {
    for cut_end in [true, false] {
        let (disk, mut log) = new_log(small());
        for i in 0..10 {
            append(
                &mut log,
                keyed(i, &[("same", Some("value of some length"))]),
            );
        }
        roll(&mut log);
        log.flush_now().unwrap();
        let cleanable = log
            .cleanable(None, log.end(), &KEEP_LONG, Millis(0))
            .unwrap();
        let job = log
            .start_cleaning(&cleanable, KEEP_LONG, Producers::new(), Millis(0))
            .unwrap();
        let mut map = new_map();
        let mut pass = job.index(&mut map, &mut |_| true).unwrap();
        let cleaned = pass.next_segment(&mut |_| true).unwrap().unwrap();
        if cut_end {
            log.truncate_to(Offset(9), Millis(0)).unwrap();
        } else {
            log.set_start(Offset(8)).unwrap();
            log.apply_retention(Offset(8), Millis(0)).unwrap();
        }
        let before = contents(&log);
        let error = log.swap_in(cleaned, Millis(0)).err().unwrap();
        assert!(matches!(error, CleaningError::LogChanged), "{error}");
        assert_eq!(contents(&log), before);
        let names = disk.list(dir()).unwrap();
        assert!(!names.iter().any(|e| e.name.ends_with(".cleaned")));
    }
}

#[test]
fn a_pass_that_is_told_to_stop_leaves_nothing_behind() {
    let (disk, mut log) = new_log(small());
    for i in 0..10 {
        append(
            &mut log,
            keyed(i, &[("same", Some("value of some length"))]),
        );
    }
    roll(&mut log);
    log.flush_now().unwrap();
    let mut calls = 0;
    let mut last = 0;
    loop {
        let mut left = calls;
        let mut pace = |_| {
            left -= 1;
            left >= 0
        };
        let cleanable = log
            .cleanable(None, log.end(), &KEEP_LONG, Millis(0))
            .unwrap();
        let none = Producers::new();
        match clean_with(&mut log, &cleanable, &mut new_map(), &none, 0, &mut pace) {
            Ok(_) => break,
            Err(e) => assert!(matches!(e, CleaningError::Stopped), "{e}"),
        }
        let names = disk.list(dir()).unwrap();
        assert!(!names.iter().any(|e| e.name.ends_with(".cleaned")));
        last = contents(&log).len();
        calls += 1;
    }
    assert!(calls > 10 && last > 1);
    assert_eq!(contents(&log).len(), 1);
}
