//! S-14: an index of aborted transactions that is not what the log left there is noticed, whatever has become of it.

use std::sync::Arc;

use ottla_log::disk::{OpenMode, read_file, write_full};
use ottla_log::testing::{Crash, MemoryDisk, Random};
use ottla_log::txn_index::{self, AbortedTxn};
use ottla_log::{Log, LogConfig, SharedDisk, names};
use ottla_protocol::types::{Millis, Offset, ProducerId};

use crate::support::{append, batch, clean, dir, memory, open, segment_path, sized, unclean};

const SUMS: &str = "txn-index-checkpoint";

fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 500,
        ..LogConfig::default()
    }
}

/// A batch that stands for a transaction, and one for its marker.
fn abort(log: &mut Log) -> AbortedTxn {
    let first = append(log, sized(1000, 100)).last_offset;
    let marker = append(log, sized(1000, 10)).last_offset;
    let txn = AbortedTxn {
        producer_id: ProducerId(7),
        first_offset: first,
        last_offset: marker,
        last_stable_offset: marker.next(),
    };
    log.add_aborted(txn).unwrap();
    txn
}

/// Several segments: with two aborted transactions, with one, and with none. Stopped cleanly at the offset.
fn stopped() -> (Arc<MemoryDisk>, Vec<AbortedTxn>, Offset) {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &small(), unclean(Offset::ZERO));
    let mut txns = vec![abort(&mut log), abort(&mut log)];
    log.roll(Millis(0)).unwrap();
    txns.push(abort(&mut log));
    log.roll(Millis(0)).unwrap();
    append(&mut log, batch(1000, &[b"nobody's"]));
    let end = log.close().unwrap();
    (memory, txns, end)
}

/// The indexes that are believed, segment by segment.
fn believed(log: &Log) -> Vec<Option<Vec<AbortedTxn>>> {
    let segments: Vec<Offset> = log.segment_ranges().map(|(base, _)| base).collect();
    let indexes = segments.iter().map(|base| log.txn_index(*base).unwrap());
    indexes.collect()
}

fn right(txns: &[AbortedTxn]) -> Vec<Option<Vec<AbortedTxn>>> {
    vec![Some(txns[..2].to_vec()), Some(vec![txns[2]]), Some(vec![])]
}

fn put(disk: &SharedDisk, path: &std::path::Path, bytes: &[u8]) {
    let file = disk.open(path, OpenMode::Create).unwrap();
    file.set_len(0).unwrap();
    write_full(file.as_ref(), bytes, 0).unwrap();
}

#[test]
fn an_aborted_transaction_is_on_disk_with_its_marker() {
    for how in [
        Crash::Process,
        Crash::LoseAll,
        Crash::Torn,
        Crash::Scattered,
    ] {
        let memory = memory();
        let disk: SharedDisk = memory.clone();
        let (mut log, _) = open(&disk, &small(), unclean(Offset::ZERO));
        let txn = abort(&mut log);
        log.flush_now().unwrap();
        let later = abort(&mut log);
        let flushed = log.flushed_end();
        drop(log);
        memory.crash(how, &mut Random::new(1));
        let (log, _) = open(&disk, &small(), unclean(flushed));
        let found = txn_index::read(disk.as_ref(), dir(), Offset::ZERO).unwrap();
        assert_eq!(found[0], txn, "{how:?}");
        assert!(found[1..].iter().all(|t| *t == later), "{how:?}");
        assert!(log.has_aborted(), "{how:?}");
    }
}

#[test]
fn an_index_that_is_missing_changed_or_anothers_is_not_believed() {
    let (memory, txns, end) = stopped();
    let disk: SharedDisk = memory.clone();
    let reopened = |memory: &MemoryDisk| {
        let disk: SharedDisk = Arc::new(memory.clone());
        believed(&open(&disk, &small(), clean(end)).0)
    };
    assert_eq!(reopened(&memory.fork()), right(&txns));

    let (first, second) = (segment_path(0, "txnindex"), txns[1].last_offset.next());
    let copy = memory.fork();
    ottla_log::Disk::remove_file(&copy, &first).unwrap();
    let mut expected = right(&txns);
    expected[0] = None;
    assert_eq!(reopened(&copy), expected, "missing");

    let bytes = read_file(disk.as_ref(), &first, 1 << 20).unwrap();
    for bit in 0..bytes.len() * 8 {
        let copy = memory.fork();
        copy.with_bytes(&first, |bytes| bytes[bit / 8] ^= 1 << (bit % 8))
            .unwrap();
        assert_eq!(reopened(&copy), expected, "bit {bit}");
    }
    for len in 0..bytes.len() {
        let copy = memory.fork();
        copy.with_bytes(&first, |bytes| bytes.truncate(len))
            .unwrap();
        assert_eq!(reopened(&copy), expected, "cut to {len}");
    }

    // A plausible one where none was.
    let copy = memory.fork();
    let shared: SharedDisk = Arc::new(copy.clone());
    let last = end.0 - 1;
    let made_up = AbortedTxn {
        first_offset: Offset(last),
        last_offset: Offset(last),
        last_stable_offset: Offset(last),
        ..txns[0]
    };
    let third = txns[2].last_offset.next();
    assert!(second < third);
    put(
        &shared,
        &segment_path(third.0, "txnindex"),
        &txn_index::render(made_up),
    );
    let mut expected = right(&txns);
    expected[2] = None;
    assert_eq!(reopened(&copy), expected, "made up");
}

#[test]
fn a_changed_sum_costs_a_reading_of_the_log_and_lets_nothing_wrong_through() {
    let (memory, txns, end) = stopped();
    let path = dir().join(SUMS);
    let disk: SharedDisk = memory.clone();
    let bytes = read_file(disk.as_ref(), &path, 1 << 20).unwrap();
    for bit in 0..bytes.len() * 8 {
        let copy = memory.fork();
        copy.with_bytes(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8))
            .unwrap();
        let shared: SharedDisk = Arc::new(copy);
        let (mut log, _) = open(&shared, &small(), clean(end));
        for (found, right) in believed(&log).into_iter().zip(right(&txns)) {
            assert!(found.is_none() || found == right, "bit {bit}: {found:?}");
        }
        // Made anew from the log, they are believed again.
        let segments: Vec<Offset> = log.segment_ranges().map(|(base, _)| base).collect();
        for (segment, right) in segments.iter().zip(right(&txns)) {
            let right = right.unwrap_or_default();
            if log.txn_index(*segment).unwrap().as_ref() != Some(&right) {
                log.replace_txn_index(*segment, &right).unwrap();
            }
        }
        log.close().unwrap();
        let (log, _) = open(&shared, &small(), clean(end));
        assert_eq!(believed(&log), right(&txns), "bit {bit}");
    }
}

#[test]
fn sums_follow_what_the_log_does_to_its_indexes() {
    let (memory, txns, end) = stopped();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &small(), clean(end));
    // The marker of the third transaction is cut off, and another lies at the same offset.
    log.truncate_to(txns[2].last_offset, Millis(0)).unwrap();
    let other = abort(&mut log);
    assert_ne!(other, txns[2]);
    let end = log.close().unwrap();
    let (mut log, _) = open(&disk, &small(), clean(end));
    let expected = [Some(txns[..2].to_vec()), Some(vec![other])];
    assert_eq!(believed(&log), expected);

    log.set_start(txns[1].last_offset.next()).unwrap();
    let deleted = log.apply_retention(log.end(), Millis(0)).unwrap();
    assert_eq!(deleted.len(), 1);
    let end = log.close().unwrap();
    let (mut log, _) = open(&disk, &small(), clean(end));
    assert_eq!(believed(&log), expected[1..]);

    log.restart_at(Offset(100), Millis(0)).unwrap();
    log.close().unwrap();
    assert!(
        disk.info(&dir().join(SUMS)).is_err(),
        "nothing is left to say"
    );
}

#[test]
fn rot_that_came_while_the_log_was_open_is_not_summed_up() {
    let (memory, txns, end) = stopped();
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &small(), clean(end));
    memory
        .with_bytes(&segment_path(0, "txnindex"), |bytes| bytes[9] ^= 1)
        .unwrap();
    let another = abort(&mut log);
    let end = log.close().unwrap();
    let (log, _) = open(&disk, &small(), clean(end));
    let expected = [None, Some(vec![txns[2]]), Some(vec![another])];
    assert_eq!(believed(&log), expected);
    assert_eq!(SUMS, names::TXN_SUMS);
}
