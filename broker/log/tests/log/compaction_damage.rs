//! S-13: cleaning what is damaged, what is unusual, and what somebody else has left half done.

use std::sync::Arc;

use ottla_log::compaction::{CleaningError, CompactionConfig};
use ottla_log::disk::{OpenMode, read_file, write_full};
use ottla_log::testing::{Call, Crash, FaultyDisk, MemoryDisk, Random};
use ottla_log::{Log, LogConfig, ReadError, SharedDisk};
use ottla_protocol::compress::Compression;
use ottla_protocol::types::{Millis, Offset};

use crate::cleaning::*;
use crate::support::*;

/// A few segments, all of them dirty, in all codecs, and the bytes of them.
fn dirty_log() -> (Arc<MemoryDisk>, Log) {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &small(), UNKNOWN);
    for (i, codec) in (0..).zip(Compression::ALL.iter().cycle().take(8)) {
        let value = format!("the value of {i}");
        append(
            &mut log,
            packed(
                *codec,
                100 + i,
                &[("a", Some(&value)), ("b", None), ("c", Some("c"))],
            ),
        );
    }
    log.roll(Millis(0)).unwrap();
    log.flush_now().unwrap();
    (memory, log)
}

/// A flipped bit is an error that names the place, or it is where nothing is covered by a checksum and nothing depends
/// on it (the leader epoch). The log stays as it was.
#[test]
fn a_flipped_bit_anywhere_in_the_dirty_part_is_never_wrong_data() {
    let (_, mut log) = dirty_log();
    compact(&mut log, 0, 1000);
    let right = contents(&log);
    let (memory, log) = dirty_log();
    let bases: Vec<Offset> = segment_bases(log.disk());
    drop(log);
    let mut random = Random::new(4);
    let (mut errors, mut unnoticed) = (0, 0);
    for base in &bases[..bases.len() - 1] {
        let path = segment_path(base.0, "log");
        let len = read_file(memory.as_ref(), &path, 1 << 20).unwrap().len();
        for at in 0..len {
            let copy = memory.fork();
            let shared: SharedDisk = Arc::new(copy.clone());
            let (mut log, _) = open(&shared, &small(), clean(Offset(24)));
            let bit = 1 << random.below(8);
            copy.with_bytes(&path, |bytes| bytes[at] ^= bit).unwrap();
            let before: Vec<_> = shared.list(dir()).unwrap();
            match try_clean(&mut log, Some(Offset(0)), 1000) {
                Ok(_) => {
                    assert_eq!(contents(&log), right, "byte {at} of {base}");
                    unnoticed += 1;
                }
                Err(e) => {
                    assert!(e.is_of_the_log(), "byte {at} of {base}: {e}");
                    assert!(e.to_string().contains(&format!("segment {base}")), "{e}");
                    assert_eq!(shared.list(dir()).unwrap(), before, "byte {at} of {base}");
                    errors += 1;
                }
            }
        }
    }
    assert_eq!(unnoticed, 8 * 4, "the leader epochs of eight batches");
    assert!(errors > 600, "{errors}");
}

/// A clean start scans nothing and a reader computes no checksum, but a pass reads all: what it finds is not handed out.
#[test]
fn what_a_pass_has_met_is_an_error_to_readers_from_then_on() {
    let (memory, mut log) = dirty_log();
    let path = segment_path(0, "log");
    memory.with_bytes(&path, |bytes| bytes[70] ^= 1).unwrap();
    let first = everything(&log, 0);
    assert!(log.read(first).unwrap().is_some(), "nobody has looked");
    let Err(CleaningError::Corrupt(found)) = try_clean(&mut log, None, 0) else {
        panic!("the checksum is wrong");
    };
    assert_eq!(found.first_offset, Offset(0));
    assert!(log.remember_damage(&found).unwrap());
    assert!(!log.remember_damage(&found).unwrap(), "known");
    let is_refused = |log: &Log| matches!(log.read(first), Err(ReadError::Corrupt(_)));
    assert!(is_refused(&log));
    let (next, end) = (found.next_offset, log.end());
    assert!(log.read(everything(&log, next.0)).unwrap().is_some());
    log.close().unwrap();

    let disk: SharedDisk = memory.clone();
    let (log, report) = open(&disk, &small(), clean(end));
    assert_eq!(report.corrupt, std::slice::from_ref(&found));
    assert!(is_refused(&log));
    drop(log);

    // Mended since the pass has met it.
    memory.with_bytes(&path, |bytes| bytes[70] ^= 1).unwrap();
    let (mut log, _) = open(&disk, &small(), clean(end));
    assert!(!log.remember_damage(&found).unwrap());
    assert!(!is_refused(&log));
}

fn segment_bases(disk: &SharedDisk) -> Vec<Offset> {
    let names = disk.list(dir()).unwrap();
    let parsed = names
        .iter()
        .filter_map(|e| ottla_log::names::parse_segment_file(&e.name));
    let mut bases: Vec<Offset> = parsed
        .filter(|(_, suffix)| *suffix == "log")
        .map(|(b, _)| b)
        .collect();
    bases.sort_unstable();
    bases
}

#[test]
fn messages_of_an_old_format_end_the_pass() {
    let (memory, mut log) = dirty_log();
    let path = segment_path(0, "log");
    memory.with_bytes(&path, |bytes| bytes[16] = 1).unwrap();
    let error = try_clean(&mut log, None, 0).err().unwrap();
    assert!(
        matches!(error, CleaningError::OldFormat { magic: 1, .. }),
        "{error}"
    );
    assert!(error.is_of_the_log());
}

#[test]
fn a_damaged_transaction_index_ends_the_pass() {
    let (memory, mut log) = dirty_log();
    let path = segment_path(0, "txnindex");
    let file = ottla_log::Disk::open(memory.as_ref(), &path, OpenMode::Create).unwrap();
    write_full(file.as_ref(), &[0xff; 34], 0).unwrap();
    let error = try_clean(&mut log, None, 0).err().unwrap();
    assert!(matches!(error, CleaningError::TxnIndex(_)), "{error}");
}

/// The buffer grows for a batch, and only for one that proves to be one.
#[test]
fn batches_larger_than_the_buffer_are_cleaned_like_others() {
    let (_, mut log) = new_log(LogConfig {
        segment_bytes: 100_000,
        ..small()
    });
    let large = "v".repeat(20_000);
    for i in 0..6 {
        append(&mut log, keyed(i, &[("small", Some("s"))]));
        append(
            &mut log,
            keyed(i, &[("large", Some(&large)), ("other", Some(&large))]),
        );
    }
    log.roll(Millis(0)).unwrap();
    log.flush_now().unwrap();
    let tiny = CompactionConfig {
        io_buffer_bytes: 100,
        ..KEEP_LONG
    };
    let cleanable = log.cleanable(None, log.end(), &tiny, Millis(0)).unwrap();
    let job = log
        .start_cleaning(&cleanable, tiny, Producers::new(), Millis(0))
        .unwrap();
    let mut map = new_map();
    let mut go_on = |_| true;
    let mut pass = job.index(&mut map, &mut go_on).unwrap();
    while let Some(cleaned) = pass.next_segment(&mut go_on).unwrap() {
        log.swap_in(cleaned, Millis(0)).unwrap();
    }
    let offsets: Vec<i64> = contents(&log).iter().map(|r| r.0).collect();
    assert_eq!(offsets, [15, 16, 17]);
}

/// Where nothing at all is left, the last batch stays as an empty one: it is where a crash finds the log's end.
#[test]
fn the_end_of_a_log_is_known_although_all_its_records_have_gone() {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &small(), UNKNOWN);
    append(&mut log, keyed(0, &[("a", Some("1"))]));
    append(&mut log, keyed(0, &[("a", None)]));
    log.roll(Millis(0)).unwrap();
    compact(&mut log, 0, 1000);
    compact(&mut log, 2, 2000);
    assert_eq!(contents(&log), []);
    drop(log);
    memory.crash(Crash::LoseAll, &mut Random::new(1));
    let (log, report) = open(&disk, &small(), UNKNOWN);
    assert_eq!(log.end(), Offset(2), "{report:?}");
}

/// A segment without timestamps is as old as its file; a cleaned one is as old as those it was made from.
#[test]
fn a_cleaned_segment_keeps_the_age_of_the_newest_it_was_made_from() {
    let (disk, mut log) = new_log(small());
    append(&mut log, keyed(0, &[("a", Some("1"))]));
    log.roll(Millis(0)).unwrap();
    append(&mut log, keyed(0, &[("a", Some("2"))]));
    log.roll(Millis(0)).unwrap();
    for (base, modified) in [(0, 5000), (1, 7000)] {
        let path = segment_path(base, "log");
        let file = disk.open(&path, OpenMode::ReadWrite).unwrap();
        file.set_modified(Millis(modified)).unwrap();
    }
    compact(&mut log, 0, 9000);
    let info = disk.info(&segment_path(0, "log")).unwrap();
    assert_eq!(info.modified, Millis(7000));
}

#[test]
fn a_disk_that_is_full_ends_the_pass_and_the_log_goes_on() {
    let memory = memory();
    let faulty = FaultyDisk::new(memory);
    let disk: SharedDisk = faulty.clone();
    let (mut log, _) = open(&disk, &small(), UNKNOWN);
    for i in 0..10 {
        append(&mut log, keyed(i, &[("a", Some("the same key each time"))]));
    }
    log.roll(Millis(0)).unwrap();
    log.flush_now().unwrap();
    let before = contents(&log);
    let mut failures = 0;
    for after in 0.. {
        faulty.fail_once(Call::Write, after, 28);
        let cleaned = try_clean(&mut log, None, 0);
        faulty.heal();
        let Err(error) = cleaned else { break };
        assert!(
            matches!(&error, CleaningError::Disk(e) if e.is_full()),
            "{error}"
        );
        // Groups that were done before have taken their place.
        assert_eq!(contents(&log).last(), before.last());
        let names = disk.list(dir()).unwrap();
        assert!(!names.iter().any(|e| e.name.ends_with(".cleaned")));
        failures += 1;
    }
    assert!(failures >= 2, "{failures}");
    append(&mut log, keyed(50, &[("b", Some("1"))]));
    assert_eq!(contents(&log).len(), 2);
}

/// What the reference leaves when it is killed between its steps, one file in each state at least.
#[test]
fn a_swap_that_another_broker_began_is_finished_or_discarded() {
    let cleaned_contents = {
        let (_, mut log) = dirty_log();
        compact(&mut log, 0, 1000);
        contents(&log)
    };
    // (what is renamed to .swap, whether the first segment's old files are still there, what comes of it)
    for (endings, finished) in [
        (["cleaned", "cleaned", "cleaned"], false),
        (["swap", "cleaned", "cleaned"], false),
        (["swap", "swap", "swap"], true),
    ] {
        let (memory, mut log) = dirty_log();
        let before = contents(&log);
        let cleanable = log
            .cleanable(None, log.end(), &KEEP_LONG, Millis(1000))
            .unwrap();
        let whole = LogConfig {
            segment_bytes: 1 << 20,
            ..small()
        };
        log.set_config(Arc::new(whole));
        let job = log
            .start_cleaning(&cleanable, KEEP_LONG, Producers::new(), Millis(1000))
            .unwrap();
        let mut map = new_map();
        let mut go_on = |_| true;
        let mut pass = job.index(&mut map, &mut go_on).unwrap();
        let cleaned = pass.next_segment(&mut go_on).unwrap().unwrap();
        let disk: SharedDisk = memory.clone();
        for (suffix, ending) in ["log", "index", "timeindex"].iter().zip(endings) {
            let from = segment_path(0, &format!("{suffix}.cleaned"));
            let to = segment_path(0, &format!("{suffix}.{ending}"));
            disk.rename(&from, &to).unwrap();
        }
        drop(log);
        std::mem::forget(cleaned);
        let (log, report) = open(&disk, &small(), UNKNOWN);
        let told = format!("{endings:?}: {report:?}");
        assert_eq!(
            report.swapped,
            if finished { vec![Offset(0)] } else { vec![] },
            "{told}"
        );
        assert_eq!(
            contents(&log),
            if finished { &cleaned_contents } else { &before }[..],
            "{told}"
        );
        assert_eq!(log.end(), Offset(24), "{told}");
        let names = disk.list(dir()).unwrap();
        let left = names
            .iter()
            .find(|e| e.name.ends_with(".swap") || e.name.ends_with(".cleaned"));
        assert!(left.is_none(), "{told}");
    }
}
