//! Reading: where a slice begins, where it must end.

use ottla_log::testing::{Call, FaultyDisk};
use ottla_log::{LogConfig, MinimumRead, ReadError, ReadRequest, SharedDisk};
use ottla_protocol::types::Offset;

use crate::support::*;

#[test]
fn every_offset_of_every_segment_is_found_before_and_after_reopening() {
    let (_, disk, end) = numbered(&dense(), 100);
    let (log, report) = open(&disk, &dense(), clean(end));
    assert!(report.is_quiet());
    assert!(log.segment_count() > 4);
    for from in 0..100 {
        let slice = log.read(everything(&log, from)).unwrap().unwrap();
        assert_eq!(slice.base_offset, Offset(from));
        assert_numbered(&records_in(&bytes_of(&slice)));
    }
}

#[test]
fn nothing_at_or_above_the_bound_is_returned() {
    let (_, mut log) = new_log(dense());
    for i in 0..30 {
        append(&mut log, batch(i, &[b"one", b"two"]));
    }
    for bound in 0..=60 {
        for from in 0..60 {
            let request = ReadRequest {
                upper_end: Offset(bound),
                ..everything(&log, from)
            };
            let Some(slice) = log.read(request).unwrap() else {
                assert!(bound <= from - from % 2 + 1, "from {from} below {bound}");
                continue;
            };
            let found = offsets(&records_in(&bytes_of(&slice)));
            assert_eq!(
                found[0],
                from - from % 2,
                "the batch that holds the offset, whole"
            );
            assert!(*found.last().unwrap() < bound);
        }
    }
}

#[test]
fn at_least_one_batch_is_returned_whatever_its_size() {
    let (_, mut log) = new_log(LogConfig::default());
    append(&mut log, sized(1, 500));
    append(&mut log, sized(1, 500));
    let whole = bytes_of(&log.read(everything(&log, 0)).unwrap().unwrap()).len();
    let small = ReadRequest {
        max_bytes: 10,
        ..everything(&log, 0)
    };
    assert_eq!(log.read(small).unwrap().unwrap().len, whole / 2);
    let nothing = ReadRequest {
        minimum: MinimumRead::Nothing,
        ..small
    };
    assert!(log.read(nothing).unwrap().is_none());
    let between = ReadRequest {
        max_bytes: whole - 1,
        ..everything(&log, 0)
    };
    assert_eq!(
        log.read(between).unwrap().unwrap().len,
        whole - 1,
        "the last batch may be cut"
    );
}

#[test]
fn offsets_outside_are_refused_with_the_range() {
    let (_, mut log) = new_log(LogConfig::default());
    append(&mut log, batch(1, &[b"a", b"b"]));
    log.set_start(Offset(1)).unwrap();
    assert!(
        log.read(everything(&log, 2)).unwrap().is_none(),
        "the end is inside"
    );
    for outside in [-1, 0, 3] {
        let refused = log.read(everything(&log, outside));
        let Err(ReadError::OutOfRange { start, end, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((start, end), (Offset(1), Offset(2)));
    }
}

#[test]
fn a_reader_that_follows_the_end_sees_each_append() {
    let (_, mut log) = new_log(dense());
    let mut from = 0;
    for i in 0..50 {
        assert!(log.read(everything(&log, from)).unwrap().is_none());
        append(&mut log, batch(i, &[b"x"]));
        if i % 3 == 0 {
            let found = read_all(&log, from).0;
            assert_eq!(found[0].0, from);
            from = log.end().0;
        } else {
            assert!(log.read(everything(&log, from)).unwrap().is_some());
            from = log.end().0;
        }
    }
}

#[test]
fn headers_are_told_from_any_offset_on() {
    let (_, disk, end) = numbered(&dense(), 40);
    let (log, _) = open(&disk, &dense(), clean(end));
    for from in [0, 1, 17, 39, 40] {
        let mut seen = Vec::new();
        log.scan_batches(Offset(from), &mut |h| seen.push(h.base_offset.0))
            .unwrap();
        assert_eq!(seen, (from..40).collect::<Vec<_>>());
    }
}

#[test]
fn the_last_batch_is_found_with_one_read() {
    let faulty = FaultyDisk::new(memory());
    let disk: SharedDisk = faulty.clone();
    let (mut log, _) = open(&disk, &LogConfig::default(), UNKNOWN);
    for n in 0..3 {
        append(&mut log, sized(1000 + n, 100));
    }
    let last = ReadRequest {
        from: Offset(2),
        max_bytes: 1000,
        upper_end: log.end(),
        minimum: MinimumRead::OneBatch,
    };
    // Where it begins is remembered from here on.
    let first = log.read(last).unwrap().expect("a slice");
    faulty.fail_from(Call::Read, 1, 5);
    let again = log.read(last).unwrap().expect("a slice");
    assert_eq!((again.position, again.len), (first.position, first.len));
}

/// Two segments with indexes of several blocks.
fn long_indexes() -> LogConfig {
    LogConfig {
        index_interval_bytes: 1,
        segment_bytes: 160_000,
        ..LogConfig::default()
    }
}

#[test]
fn who_reads_on_opens_the_index_once_for_many_reads() {
    let (memory, _, end) = numbered(&long_indexes(), 2000);
    let faulty = FaultyDisk::new(memory);
    let disk: SharedDisk = faulty.clone();
    let (log, _) = open(&disk, &long_indexes(), clean(end));
    assert_eq!(log.segment_count(), 2);
    let read = |from| log.read(everything(&log, from)).unwrap().unwrap();
    read(100);
    faulty.fail_from(Call::Open, 0, 5);
    for from in 101..400 {
        assert_eq!(read(from).base_offset, Offset(from), "without an open file");
    }
}

#[test]
fn offsets_are_found_in_any_order_in_indexes_of_any_length() {
    let (_, disk, end) = numbered(&long_indexes(), 2000);
    let (mut log, _) = open(&disk, &long_indexes(), clean(end));
    for step in [1, 7, 997] {
        for i in 0..2000 {
            let from = i * step % 2000;
            let slice = log.read(everything(&log, from)).unwrap().unwrap();
            assert_eq!(slice.base_offset, Offset(from));
        }
    }
    // The active segment's index goes on while somebody reads.
    for i in 2000..3000 {
        append(&mut log, batch(1000 + i, &[numbered_value(i).as_bytes()]));
        for from in [i, i - 1, i - 600, i - 1300] {
            let slice = log.read(everything(&log, from)).unwrap().unwrap();
            assert_eq!(slice.base_offset, Offset(from));
        }
    }
}
