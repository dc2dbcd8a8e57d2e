//! S-12, S-13: the base offset, which no checksum covers, and the length, by which the next batch is found.

use std::sync::Arc;

use ottla_log::testing::MemoryDisk;
use ottla_log::{
    Fault, Log, LogConfig, MinimumRead, OpenInput, ReadError, ReadRequest, RecoveryReport,
    SharedDisk, names,
};
use ottla_protocol::types::Offset;

use crate::support::*;

const BATCHES: i64 = 20;
const BASE_OFFSET: std::ops::Range<usize> = 0..8;
const LENGTH: std::ops::Range<usize> = 8..12;

/// Each bit of each of the bytes, and all bits of each.
fn flips(bytes: std::ops::Range<usize>) -> impl Iterator<Item = (usize, u8)> {
    bytes.flat_map(|at| {
        (0..8)
            .map(|bit| 1 << bit)
            .chain([0xff])
            .map(move |f| (at, f))
    })
}

/// Changes one byte of a batch of the only segment.
fn flip(memory: &MemoryDisk, batch: i64, at: usize, flip: u8) {
    memory
        .with_bytes(&segment_path(0, names::LOG), |b| {
            let one = b.len() / BATCHES as usize;
            b[one * batch as usize + at] ^= flip;
        })
        .unwrap();
}

/// What becomes of a log of one segment whose batch was hit.
fn opened(
    memory: &MemoryDisk,
    (batch, at, how): (i64, usize, u8),
    input: OpenInput,
) -> (SharedDisk, Log, RecoveryReport) {
    let memory = memory.fork();
    flip(&memory, batch, at, how);
    let disk: SharedDisk = Arc::new(memory);
    let (log, report) = open(&disk, &LogConfig::default(), input);
    (disk, log, report)
}

fn twenty() -> Arc<MemoryDisk> {
    numbered(&LogConfig::default(), BATCHES).0
}

/// Everything but these is read, at its own offset and with its own value, also by readers who come for one batch.
fn assert_all_but(log: &Log, lost: &[i64], told: &str) {
    let expected: Vec<_> = (0..log.end().0).filter(|o| !lost.contains(o)).collect();
    let (records, _) = read_all(log, 0);
    assert_eq!(offsets(&records), expected, "{told}");
    assert_numbered(&records);
    assert_each_but(log, lost, told);
}

fn assert_each_but(log: &Log, lost: &[i64], told: &str) {
    for offset in 0..log.end().0 {
        let request = ReadRequest {
            from: Offset(offset),
            max_bytes: 1,
            upper_end: log.end(),
            minimum: MinimumRead::OneBatch,
        };
        let read = log.read(request);
        if lost.contains(&offset) {
            let told = format!("{told}: {offset} gives {read:?}");
            assert!(matches!(read, Err(ReadError::Corrupt(_))), "{told}");
            continue;
        }
        let records = records_in(&bytes_of(&read.unwrap().unwrap()));
        assert_eq!(offsets(&records), [offset], "{told}");
        assert_numbered(&records);
    }
}

/// As with any damage in the middle, whether it was flushed or not: it is kept, reported, an error to its readers, and
/// what follows is read. A clean start knows it again.
#[test]
fn a_batch_in_the_middle_with_another_base_offset_or_length_hides_nothing_but_itself() {
    let memory = twenty();
    for recovery_point in [Offset::ZERO, Offset(7), Offset(8), Offset(BATCHES)] {
        for (at, how) in flips(BASE_OFFSET.start..LENGTH.end) {
            let told = format!("byte {at} flipped by {how:#x}, flushed up to {recovery_point}");
            let (disk, log, report) = opened(&memory, (7, at, how), unclean(recovery_point));
            assert_eq!(
                (log.end(), report.truncated),
                (Offset(BATCHES), None),
                "{told}"
            );
            assert_eq!((report.corrupt.len(), &report.lost), (1, &None), "{told}");
            let stretch = &report.corrupt[0];
            let bounds = (stretch.first_offset, stretch.next_offset);
            assert_eq!(bounds, (Offset(7), Offset(8)), "{told}");
            assert!(
                BASE_OFFSET.contains(&at) == (stretch.reason == Fault::BadOffset),
                "{told}"
            );
            assert_all_but(&log, &[7], &told);
            let end = log.close().unwrap();
            let (log, report) = open(&disk, &LogConfig::default(), clean(end));
            assert_eq!((log.end(), report.corrupt.len()), (end, 1), "{told}");
            assert_all_but(&log, &[7], &told);
        }
    }
}

/// Nothing tells a base offset that was changed from one behind a gap, so what was not flushed is cut like a torn batch.
#[test]
fn a_last_batch_that_was_not_flushed_is_cut() {
    let memory = twenty();
    for (at, how) in flips(BASE_OFFSET.start..LENGTH.end) {
        for recovery_point in [Offset::ZERO, Offset(BATCHES - 1)] {
            let told = format!("byte {at} flipped by {how:#x}, flushed up to {recovery_point}");
            let (_, mut log, report) =
                opened(&memory, (BATCHES - 1, at, how), unclean(recovery_point));
            assert_eq!(log.end(), Offset(BATCHES - 1), "{told}");
            assert!(
                report.truncated.is_some() && report.lost.is_none(),
                "{told}"
            );
            assert_all_but(&log, &[], &told);
            let value = numbered_value(BATCHES - 1);
            append(&mut log, batch(1, &[value.as_bytes()]));
            assert_all_but(&log, &[], &told);
        }
    }
}

/// The last but one has a witness: what follows it was whole before and is now.
#[test]
fn of_two_batches_that_were_not_flushed_the_first_is_damage_and_the_second_is_read() {
    let memory = twenty();
    for (at, how) in flips(BASE_OFFSET) {
        let told = format!("byte {at} flipped by {how:#x}");
        let victim = BATCHES - 2;
        let (_, log, report) = opened(&memory, (victim, at, how), unclean(Offset(victim)));
        assert_eq!(
            (log.end(), report.truncated),
            (Offset(BATCHES), None),
            "{told}"
        );
        assert_all_but(&log, &[victim], &told);
    }
}

/// A flushed tail is kept as damage and its offsets are not given out again, however the server stopped.
#[test]
fn a_last_batch_that_was_flushed_is_kept_as_damage() {
    let (memory, end) = (twenty(), Offset(BATCHES));
    for input in [clean(end), unclean(end)] {
        for (at, how) in flips(BASE_OFFSET) {
            let told = format!("byte {at} flipped by {how:#x}, {input:?}");
            let (disk, mut log, report) = opened(&memory, (BATCHES - 1, at, how), input);
            assert_eq!((log.end(), report.truncated), (end, None), "{told}");
            assert_eq!(report.corrupt.len(), 1, "{told}");
            assert_all_but(&log, &[BATCHES - 1], &told);
            let log = {
                log.close().unwrap();
                log = open(&disk, &LogConfig::default(), clean(end)).0;
                assert_all_but(&log, &[BATCHES - 1], &told);
                let value = numbered_value(BATCHES);
                append(&mut log, batch(1, &[value.as_bytes()]));
                log
            };
            assert_all_but(&log, &[BATCHES - 1], &told);
        }
    }
}

/// Recovery does not look at segments that were flushed long ago. Whoever asks for the batch, or for one behind it, is
/// told; one who is handed it among others is not, since nobody looks at what is sent.
#[test]
fn readers_meet_a_batch_of_an_older_segment_that_no_scan_has_seen() {
    let config = dense();
    let (memory, _, end) = numbered(&config, 60);
    for (at, how) in flips(BASE_OFFSET.start..LENGTH.end) {
        for (victim, input) in [(3, clean(end)), (4, unclean(end)), (5, unclean(end))] {
            let fork = Arc::new(memory.fork());
            let one = batch(1000, &[numbered_value(0).as_bytes()]).len();
            fork.with_bytes(&segment_path(0, names::LOG), |b| {
                b[one * victim as usize + at] ^= how;
            })
            .unwrap();
            let disk: SharedDisk = fork;
            let (log, report) = open(&disk, &config, input);
            let told = format!("batch {victim} byte {at} flipped by {how:#x}: {report:?}");
            assert_eq!(
                (log.end(), report.truncated.is_none()),
                (end, true),
                "{told}"
            );
            assert_each_but(&log, &[victim], &told);
        }
    }
}

/// Two neighbours hit at once hide each other, and nothing else.
#[test]
fn a_wrong_base_offset_beside_other_damage_hides_no_third_batch() {
    let (memory, content) = (twenty(), 70);
    for (at, how) in flips(BASE_OFFSET) {
        for (offset_of, content_of) in [(7, 8), (8, 7)] {
            let memory = memory.fork();
            flip(&memory, content_of, content, 1);
            let (_, log, report) = opened(&memory, (offset_of, at, how), unclean(Offset::ZERO));
            let told = format!("{offset_of} byte {at} flipped by {how:#x}: {report:?}");
            assert_eq!(
                (log.end(), report.truncated.is_none()),
                (Offset(BATCHES), true),
                "{told}"
            );
            assert_all_but(&log, &[7, 8], &told);
        }
    }
}
