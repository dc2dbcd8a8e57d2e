//! S-06, S-08, S-09: disks that fill up, fail, and write short.

use ottla_log::testing::{Call, FaultyDisk};
use ottla_log::{AppendError, Log, LogConfig, SharedDisk, Timestamps};
use ottla_protocol::types::{Millis, Offset};

use crate::support::*;

const NO_SPACE: i32 = 28;
const IO: i32 = 5;

fn log_on_faulty_disk(config: &LogConfig) -> (std::sync::Arc<FaultyDisk>, SharedDisk, Log) {
    let faulty = FaultyDisk::new(memory());
    let disk: SharedDisk = faulty.clone();
    let (log, _) = open(&disk, config, UNKNOWN);
    (faulty, disk, log)
}

#[test]
fn a_full_disk_refuses_the_append_keeps_reading_and_recovers_when_there_is_room() {
    let (faulty, disk, mut log) = log_on_faulty_disk(&LogConfig::default());
    append(&mut log, batch(1, &[b"before"]));
    faulty.fail_from(Call::Write, 0, NO_SPACE);
    for _ in 0..3 {
        let refused = log.append(
            &mut batch(2, &[b"no room"]),
            EPOCH,
            Timestamps::Create,
            Millis(0),
        );
        let Err(AppendError::Disk(error)) = refused else {
            panic!("{refused:?}")
        };
        assert!(error.is_full());
        assert_eq!(log.end(), Offset(1));
        assert_eq!(offsets(&read_all(&log, 0).0), [0]);
    }
    faulty.heal();
    append(&mut log, batch(3, &[b"after"]));
    log.close().unwrap();
    let (log, report) = open(&disk, &LogConfig::default(), UNKNOWN);
    assert!(report.is_quiet(), "{report:?}");
    let values: Vec<_> = read_all(&log, 0).0.into_iter().map(|r| r.1).collect();
    assert_eq!(values, [b"before".to_vec(), b"after".to_vec()]);
}

#[test]
fn a_short_write_is_continued() {
    let (faulty, disk, mut log) = log_on_faulty_disk(&LogConfig::default());
    for i in 0..20 {
        faulty.write_short(0);
        faulty.write_short(0);
        append(&mut log, batch(i, &[numbered_value(i).as_bytes()]));
    }
    log.close().unwrap();
    let (log, report) = open(&disk, &LogConfig::default(), UNKNOWN);
    assert!(report.is_quiet());
    assert_numbered(&read_all(&log, 0).0);
    assert_eq!(log.end(), Offset(20));
}

/// The failed append's bytes could not be cut off either: nothing is appended before they are.
#[test]
fn bytes_of_a_failed_append_never_become_part_of_the_log() {
    let (faulty, disk, mut log) = log_on_faulty_disk(&LogConfig::default());
    append(&mut log, batch(1, &[b"a"]));
    faulty.fail_once(Call::Write, 0, IO);
    faulty.fail_from(Call::SetLen, 0, IO);
    let two = [batch(2, &[b"b"]), batch(2, &[b"b"])].concat();
    for _ in 0..2 {
        assert!(
            log.append(&mut two.clone(), EPOCH, Timestamps::Create, Millis(0))
                .is_err()
        );
    }
    faulty.heal();
    append(&mut log, batch(3, &[b"c"]));
    assert_eq!(log.end(), Offset(2));
    drop(log);
    let (log, _) = open(&disk, &LogConfig::default(), UNKNOWN);
    let values: Vec<_> = read_all(&log, 0).0.into_iter().map(|r| r.1).collect();
    assert_eq!(values, [b"a", b"c"]);
}

#[test]
fn a_roll_that_fails_half_way_leaves_the_old_segment_in_use() {
    for call in [Call::Open, Call::Write, Call::SetLen] {
        for after in 0..4 {
            let (faulty, _, mut log) = log_on_faulty_disk(&dense());
            let mut appended = 0;
            faulty.fail_once(call, after + 6, NO_SPACE);
            for i in 0..60 {
                let mut set = batch(i, &[numbered_value(appended).as_bytes()]);
                if log
                    .append(&mut set, EPOCH, Timestamps::Create, Millis(0))
                    .is_ok()
                {
                    appended += 1;
                }
            }
            let (records, damaged) = read_all(&log, 0);
            assert_eq!(
                (records.len() as i64, damaged),
                (appended, 0),
                "{call:?} {after}"
            );
            assert_numbered(&records);
        }
    }
}

#[test]
fn a_failed_sync_flushes_nothing() {
    for (call, error) in [(Call::SyncData, IO), (Call::SyncDir, IO)] {
        let (faulty, _, mut log) = log_on_faulty_disk(&LogConfig::default());
        append(&mut log, batch(1, &[b"a"]));
        log.flush_now().unwrap();
        append(&mut log, batch(2, &[b"b"]));
        log.roll(Millis(0)).unwrap();
        let ticket = log.start_flush().unwrap().unwrap();
        faulty.fail_once(call, 0, error);
        assert!(ticket.run().is_err());
        assert_eq!(log.flushed_end(), Offset(1), "{call:?}");
    }
}
