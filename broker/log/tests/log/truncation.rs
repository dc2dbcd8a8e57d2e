//! Truncation at the end, restart elsewhere, deletion of records at the start.

use ottla_log::OpenInput;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};

use crate::support::*;

#[test]
fn a_log_can_be_cut_at_every_offset_and_goes_on_from_there() {
    let config = dense();
    let (memory, _, end) = numbered(&config, 60);
    for to in 0..=60 {
        let disk: ottla_log::SharedDisk = std::sync::Arc::new(memory.fork());
        let (mut log, _) = open(&disk, &config, clean(end));
        for segment in log.truncate_to(Offset(to), Millis(0)).unwrap() {
            segment.remove(disk.as_ref()).unwrap();
        }
        assert_eq!(log.end(), Offset(to));
        assert!(log.flushed_end() <= log.end());
        for i in to..to + 5 {
            append(&mut log, batch(5000 + i, &[numbered_value(i).as_bytes()]));
        }
        let (records, _) = read_all(&log, 0);
        assert_eq!(offsets(&records), (0..to + 5).collect::<Vec<_>>());
        assert_numbered(&records);
        let end = log.close().unwrap();
        let (log, report) = open(&disk, &config, clean(end));
        assert!(report.is_quiet(), "{report:?}");
        assert_eq!(read_all(&log, 0).0.len() as i64, to + 5);
    }
}

#[test]
fn a_cut_in_the_middle_of_a_batch_takes_the_whole_batch() {
    let (_, mut log) = new_log(dense());
    append(&mut log, batch(1, &[b"a", b"b"]));
    append(&mut log, batch(1, &[b"c", b"d", b"e"]));
    log.truncate_to(Offset(4), Millis(0)).unwrap();
    assert_eq!(log.end(), Offset(2));
}

#[test]
fn a_restarted_log_is_empty_at_its_new_offset_and_knows_no_epochs() {
    let (_, disk, end) = numbered(&dense(), 30);
    let (mut log, _) = open(&disk, &dense(), clean(end));
    for segment in log.restart_at(Offset(1000), Millis(0)).unwrap() {
        segment.remove(disk.as_ref()).unwrap();
    }
    assert_eq!(
        (log.start(), log.flushed_end(), log.end()),
        (Offset(1000), Offset(1000), Offset(1000))
    );
    assert_eq!(log.epochs().latest(), None);
    assert_eq!(
        append(&mut log, batch(1, &[b"x"])).base_offset,
        Offset(1000)
    );
    let names: Vec<_> = disk
        .list(dir())
        .unwrap()
        .into_iter()
        .map(|e| e.name)
        .collect();
    assert!(
        names
            .iter()
            .all(|n| n.starts_with("00000000000000001000") || n == "leader-epoch-checkpoint"),
        "{names:?}"
    );
}

#[test]
fn deleted_records_stay_deleted_and_epochs_begin_at_the_new_start() {
    let (_, disk, end) = numbered(&dense(), 30);
    let (mut log, _) = open(&disk, &dense(), clean(end));
    log.set_start(Offset(25)).unwrap();
    log.set_start(Offset(5)).unwrap();
    assert_eq!(log.start(), Offset(25));
    assert_eq!(log.epochs().entries()[0].start, Offset(25));
    let before = log.segment_count();
    let deleted = log.apply_retention(log.end(), Millis(0)).unwrap();
    assert!(!deleted.is_empty() && log.segment_count() == before - deleted.len());
    assert_eq!(offsets(&read_all(&log, 25).0), (25..30).collect::<Vec<_>>());
    assert_eq!(
        log.epochs().end_of(LeaderEpoch(0), log.end()).unwrap().end,
        Offset(30)
    );
    let end = log.close().unwrap();
    let input = OpenInput {
        log_start: Offset(25),
        ..clean(end)
    };
    assert_eq!(open(&disk, &dense(), input).0.start(), Offset(25));
}

/// Everything was deleted by request, then the power was cut before the end was flushed.
#[test]
fn a_log_that_ends_before_its_start_goes_on_at_its_start() {
    let (_, disk, _) = numbered(&dense(), 10);
    let input = OpenInput {
        log_start: Offset(50),
        ..unclean(Offset(10))
    };
    let (mut log, _) = open(&disk, &dense(), input);
    assert_eq!((log.start(), log.end()), (Offset(50), Offset(50)));
    assert_eq!(append(&mut log, batch(1, &[b"x"])).base_offset, Offset(50));
}
