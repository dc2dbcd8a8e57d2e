//! Flushing in two halves.

use ottla_log::testing::{Crash, Random};
use ottla_log::{LogConfig, Timestamps};
use ottla_protocol::types::{Millis, Offset};

use crate::support::*;

#[test]
fn appends_go_on_while_a_flush_runs_and_are_not_part_of_it() {
    let (_, mut log) = new_log(LogConfig::default());
    append(&mut log, batch(1, &[b"a"]));
    let ticket = log.start_flush().unwrap().unwrap();
    append(&mut log, batch(1, &[b"b"]));
    let flushed = ticket.run().unwrap();
    log.finish_flush(flushed);
    assert_eq!((log.flushed_end(), log.end()), (Offset(1), Offset(2)));
    log.flush_now().unwrap();
    assert_eq!(log.flushed_end(), Offset(2));
    assert!(
        log.start_flush().unwrap().is_none(),
        "nothing is left to flush"
    );
}

#[test]
fn a_flush_from_before_a_truncation_proves_nothing_about_what_came_after() {
    let (_, mut log) = new_log(LogConfig::default());
    append(&mut log, batch(1, &[b"a"]));
    log.flush_now().unwrap();
    append(&mut log, batch(1, &[b"b", b"c"]));
    let ticket = log.start_flush().unwrap().unwrap();
    let flushed = ticket.run().unwrap();
    log.truncate_to(Offset(1), Millis(0)).unwrap();
    append(&mut log, batch(1, &[b"d", b"e"]));
    log.finish_flush(flushed);
    assert_eq!(log.flushed_end(), Offset(1));
}

#[test]
fn a_flush_covers_rolled_segments_and_their_names() {
    let memory = memory();
    let disk: ottla_log::SharedDisk = memory.clone();
    let config = dense();
    let (mut log, _) = open(&disk, &config, UNKNOWN);
    for i in 0..50 {
        append(&mut log, batch(i, &[numbered_value(i).as_bytes()]));
    }
    assert!(log.segment_count() > 2);
    log.flush_now().unwrap();
    let recovery_point = log.flushed_end();
    memory.crash(Crash::LoseAll, &mut Random::new(1));
    let (log, report) = open(&disk, &config, unclean(recovery_point));
    assert_eq!(log.end(), Offset(50), "{report:?}");
    assert_numbered(&read_all(&log, 0).0);
}

#[test]
fn a_log_says_when_a_flush_is_due() {
    let config = LogConfig {
        flush_messages: 3,
        ..LogConfig::default()
    };
    let (_, mut log) = new_log(config);
    assert!(!log.is_flush_due(), "nothing to flush");
    assert_eq!(log.unflushed_since(), None);
    append(&mut log, batch(1, &[b"a", b"b"]));
    assert!(!log.is_flush_due());
    assert_eq!(log.unflushed_since(), Some(Millis(0)));
    append(&mut log, batch(1, &[b"c"]));
    assert!(log.is_flush_due());
    let ticket = log.start_flush().unwrap().unwrap();
    assert_eq!(log.unflushed_since(), None, "what waits is on its way");
    log.append(&mut batch(1, &[b"d"]), EPOCH, Timestamps::Create, Millis(7))
        .unwrap();
    let flushed = ticket.run().unwrap();
    log.finish_flush(flushed);
    assert_eq!(log.unflushed_since(), Some(Millis(7)));
    log.flush_now().unwrap();
    assert!(!log.is_flush_due());
    assert_eq!(log.unflushed_since(), None);
}

/// S-18: what is verified after a crash depends on the recovery point, not on the log's size.
#[test]
fn recovery_reads_from_the_recovery_point_only() {
    let memory = memory();
    let disk: ottla_log::SharedDisk = memory.clone();
    let config = LogConfig {
        segment_bytes: 100_000,
        ..LogConfig::default()
    };
    let (mut log, _) = open(&disk, &config, UNKNOWN);
    for i in 0..3000 {
        append(&mut log, batch(i, &[numbered_value(i).as_bytes()]));
        if i == 2950 {
            log.flush_now().unwrap();
        }
    }
    let recovery_point = log.flushed_end();
    drop(log);
    memory.crash(Crash::Process, &mut Random::new(1));
    let (log, report) = open(&disk, &config, unclean(recovery_point));
    assert_eq!(log.end(), Offset(3000));
    assert_eq!(report.scanned_batches, 49);
    assert!(report.is_quiet(), "{report:?}");
}
