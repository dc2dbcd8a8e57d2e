//! Offsets by time.

use ottla_log::LogConfig;
use ottla_protocol::compress::Compression;
use ottla_protocol::types::{Millis, Offset};

use crate::support::*;

fn by_time(log: &ottla_log::Log, timestamp: i64) -> Option<(i64, i64)> {
    let found = log
        .offset_for_timestamp(Millis(timestamp), Offset::ZERO)
        .unwrap();
    found.map(|f| (f.offset.0, f.timestamp.0))
}

#[test]
fn the_earliest_record_at_or_after_a_time_is_found_within_its_batch() {
    for codec in [
        Compression::None,
        Compression::Gzip,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let (_, mut log) = new_log(LogConfig::default());
        append(&mut log, compressed(codec, 100, &[b"a", b"b", b"c"]));
        append(&mut log, compressed(codec, 200, &[b"d"]));
        assert_eq!(by_time(&log, 0), Some((0, 100)));
        assert_eq!(by_time(&log, 101), Some((1, 101)));
        assert_eq!(by_time(&log, 103), Some((3, 200)));
        assert_eq!(by_time(&log, 201), None);
        let newest = log.max_timestamp().unwrap().unwrap();
        assert_eq!((newest.offset, newest.timestamp), (Offset(3), Millis(200)));
    }
}

#[test]
fn time_that_runs_backwards_does_not_hide_an_earlier_offset() {
    let (_, mut log) = new_log(dense());
    let times = [500, 300, 900, 100, 700, 950, 200, 940, 960, 10];
    for (i, time) in times.iter().cycle().take(60).enumerate() {
        append(
            &mut log,
            batch(time + i as i64 / 10, &[numbered_value(i as i64).as_bytes()]),
        );
    }
    let all: Vec<i64> = times
        .iter()
        .cycle()
        .take(60)
        .enumerate()
        .map(|(i, t)| t + i as i64 / 10)
        .collect();
    for wanted in 0..1000 {
        let expected = all
            .iter()
            .position(|t| *t >= wanted)
            .map(|i| (i as i64, all[i]));
        assert_eq!(by_time(&log, wanted), expected, "time {wanted}");
    }
    let newest = log.max_timestamp().unwrap().unwrap();
    assert_eq!((newest.timestamp.0, newest.offset.0), (965, 58));
}

#[test]
fn records_before_the_start_are_not_found() {
    let (_, mut log) = new_log(dense());
    for i in 0..20 {
        append(&mut log, batch(1000 - i, &[numbered_value(i).as_bytes()]));
    }
    log.set_start(Offset(7)).unwrap();
    assert_eq!(by_time(&log, 0), Some((7, 993)));
    assert_eq!(by_time(&log, 994), None);
    assert_eq!(log.max_timestamp().unwrap().unwrap().offset, Offset(7));
}

#[test]
fn a_log_without_records_has_no_times() {
    let (_, log) = new_log(LogConfig::default());
    assert_eq!(by_time(&log, 0), None);
    assert_eq!(log.max_timestamp().unwrap(), None);
}
