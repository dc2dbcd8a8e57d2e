//! What a pass covers, how it ends, and how segments lie and read afterwards.

use ottla_log::compaction::{CleaningError, CompactionConfig, OffsetMap};
use ottla_log::{LogConfig, MinimumRead, ReadRequest};
use ottla_protocol::types::{Millis, Offset};

use crate::cleaning::*;
use crate::support::*;

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
        segment.remove(log.disk().as_ref()).unwrap();
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
