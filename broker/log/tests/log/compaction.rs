//! What a pass leaves of records, batches and markers.

use std::collections::BTreeMap;

use ottla_log::Log;
use ottla_log::compaction::{CleaningError, LastOfProducer};
use ottla_log::disk::read_file_if_there;
use ottla_log::txn_index::{self, AbortedTxn};
use ottla_log::verify::Kind;
use ottla_protocol::compress::Compression;
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};

use crate::cleaning::*;
use crate::support::*;

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
    clean_but_remember_producer_8(&mut log);
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

fn clean_but_remember_producer_8(log: &mut Log) {
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
    clean_with(log, &cleanable, &mut map, &known, 100, &mut |_| true).unwrap();
}

/// `kafka-dump-log` looks for a record with the timestamp, and finds "a timestamp mismatch" without.
#[test]
fn the_time_index_names_no_batch_that_was_emptied() {
    let (disk, mut log) = new_log(small());
    let values = [("a", Some("1")), ("b", Some("1"))];
    append(&mut log, produced(7, 0, false, 10, &values));
    append(&mut log, produced(8, 0, false, 90, &values));
    append(&mut log, produced(9, 0, false, 30, &values));
    roll(&mut log);
    clean_but_remember_producer_8(&mut log);
    let empty = batches_in(&log)[0].0;
    assert_eq!((empty.record_count, empty.max_timestamp), (0, Millis(91)));
    let path = segment_path(0, ottla_log::names::TIME_INDEX);
    let entries = read_file_if_there(&*disk, &path, 1 << 20).unwrap();
    let (timestamp, offset) = (31_i64.to_be_bytes(), 5_i32.to_be_bytes());
    assert_eq!(entries, Some([&timestamp[..], &offset[..]].concat()));
    log.close().unwrap();
    let found = crate::verifying::check(&*disk, true);
    assert!(found.iter().all(|f| f.kind != Kind::TimeIndex), "{found:?}");
}

/// A log whose first transaction commits and whose second aborts, with a line of the transaction index.
fn with_transactions() -> Log {
    let (_, mut log) = new_log(small());
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
    log.add_aborted(aborted).unwrap();
    roll(&mut log);
    append(&mut log, keyed(50, &[("z", Some("1"))]));
    roll(&mut log);
    log
}

#[test]
fn what_was_aborted_goes_and_its_marker_when_a_pass_has_found_nothing_left() {
    let mut log = with_transactions();
    let disk = log.disk().clone();
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

/// Without the index its records would pass for committed ones, and take the place of others.
#[test]
fn an_abort_that_no_index_names_ends_the_pass() {
    let mut log = with_transactions();
    let disk = log.disk().clone();
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
