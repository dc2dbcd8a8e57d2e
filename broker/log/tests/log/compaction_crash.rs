//! S-17: a crash after every single change that a clean, a deletion of segments or a roll makes on the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_log::compaction::OffsetMap;
use ottla_log::disk::{OpenMode, write_full};
use ottla_log::testing::{Crash, FaultyDisk, MemoryDisk, Random};
use ottla_log::{Log, LogConfig, OpenInput, RecoveryReport, SharedDisk, txn_index};
use ottla_protocol::types::{Millis, Offset};

use crate::cleaning::*;
use crate::support::*;

const CRASHES: [Crash; 4] = [
    Crash::Process,
    Crash::LoseAll,
    Crash::Torn,
    Crash::Scattered,
];

/// A log of several groups of segments: values that were replaced, some by a tombstone in a later group.
pub(crate) fn history(segment_bytes: u64) -> (Arc<MemoryDisk>, LogConfig) {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let config = LogConfig {
        segment_bytes,
        ..small()
    };
    let (mut log, _) = open(&disk, &config, UNKNOWN);
    for i in 0..6_i64 {
        let key = format!("key {i}");
        let old = format!("the first value of key {i}, which is to go");
        append(
            &mut log,
            keyed(100 + i, &[(&key, Some(&old)), ("hot", Some("x"))]),
        );
    }
    for i in 0..6_i64 {
        let key = format!("key {i}");
        let new = format!("the second value of key {i}, which is to stay");
        let new = (i % 3 != 0).then_some(new.as_str());
        append(&mut log, keyed(200 + i, &[(&key, new), ("hot", Some("y"))]));
    }
    log.roll(Millis(0)).unwrap();
    append(&mut log, keyed(300, &[("last", Some("1"))]));
    log.close().unwrap();
    (memory, config)
}

fn input(recovery_point: Offset) -> OpenInput {
    OpenInput {
        recovery_point,
        log_start: Offset::ZERO,
        clean_shutdown: false,
    }
}

pub(crate) type Contents = BTreeMap<i64, (String, Option<String>)>;

pub(crate) fn contents_of(log: &Log) -> Contents {
    let all = contents(log).into_iter();
    all.map(|(offset, key, value)| (offset, (key, value)))
        .collect()
}

/// What a consumer of the whole log ends up with.
pub(crate) fn last_values(contents: &Contents) -> BTreeMap<String, String> {
    let mut last = BTreeMap::new();
    for (key, value) in contents.values() {
        match value {
            Some(value) => last.insert(key.clone(), value.clone()),
            None => last.remove(key),
        };
    }
    last
}

/// Runs `act` on a copy of the disk that dies after so many changes, then opens what the crash has left. None: `act` was
/// done before.
fn crash_after(
    memory: &MemoryDisk,
    config: &LogConfig,
    changes: u64,
    how: Crash,
    act: &dyn Fn(&mut Log) -> bool,
) -> Option<(SharedDisk, Log, RecoveryReport)> {
    let seed = changes * 7 + how as u64;
    crash_after_seeded(memory, config, changes, (how, seed), act)
}

fn crash_after_seeded(
    memory: &MemoryDisk,
    config: &LogConfig,
    changes: u64,
    (how, seed): (Crash, u64),
    act: &dyn Fn(&mut Log) -> bool,
) -> Option<(SharedDisk, Log, RecoveryReport)> {
    let copy = memory.fork();
    let shared: SharedDisk = Arc::new(copy.clone());
    let dying = FaultyDisk::new(shared.clone());
    let on_dying: SharedDisk = dying.clone();
    let (mut log, _) = open(&on_dying, config, input(Offset(0)));
    log.flush_now().unwrap();
    let recovery_point = log.flushed_end();
    dying.cut_off_after(changes);
    let done = act(&mut log);
    assert!(done || dying.is_cut_off());
    if !dying.is_cut_off() {
        return None;
    }
    drop(log);
    copy.crash(how, &mut Random::new(seed));
    let (log, report) = open(&shared, config, input(recovery_point));
    Some((shared, log, report))
}

fn assert_whole(report: &RecoveryReport, told: &str) {
    assert!(report.truncated.is_none(), "{told}: {report:?}");
    assert!(report.corrupt.is_empty(), "{told}: {report:?}");
    assert!(report.lost.is_none(), "{told}: {report:?}");
}

pub(crate) fn assert_tidy(disk: &SharedDisk, told: &str) {
    for entry in disk.list(dir()).unwrap() {
        let unfinished = [".cleaned", ".swap", ".deleted"]
            .iter()
            .any(|ending| entry.name.ends_with(ending));
        assert!(!unfinished, "{told}: {} is left", entry.name);
    }
}

/// S-17, the clean: no last value is lost, and no tombstone before its time.
#[test]
fn a_crash_in_any_step_of_a_clean_loses_nothing() {
    let (now, tombstones) = (1000, 2);
    let (memory, config) = history(400);
    let disk: SharedDisk = memory.clone();
    let (log, _) = open(&disk, &config, UNKNOWN);
    let before = contents_of(&log);
    let values = last_values(&before);
    drop(log);
    // Some segments become one.
    let config = LogConfig {
        segment_bytes: 800,
        ..config
    };
    let mut crashes = 0;
    for how in CRASHES {
        for changes in 0.. {
            let told = format!("{how:?} after {changes} changes");
            let act = |log: &mut Log| try_clean(log, None, now).is_ok();
            let Some((disk, mut log, report)) = crash_after(&memory, &config, changes, how, &act)
            else {
                break;
            };
            crashes += 1;
            assert_whole(&report, &told);
            assert_tidy(&disk, &told);
            let after = contents_of(&log);
            assert!(
                after.iter().all(|(o, r)| before.get(o) == Some(r)),
                "{told}"
            );
            assert_eq!(last_values(&after), values, "{told}");
            assert_eq!(log.end(), Offset(25), "{told}");

            // The next pass knows nothing of this one, and makes up for it.
            let end = compact(&mut log, 0, now).end;
            assert_eq!(end, Offset(24), "{told}");
            let cleaned = contents_of(&log);
            assert_eq!(last_values(&cleaned), values, "{told}");
            let dead = cleaned
                .values()
                .filter(|(_, value)| value.is_none())
                .count();
            assert_eq!(dead, tombstones, "{told}");
            assert_eq!(cleaned.len(), values.len() + tombstones, "{told}");
        }
    }
    assert!(crashes > 100, "{crashes} crashes");
}

/// S-17: where a clean drops a tombstone, what it deleted has gone before. It can be that late: the map of the pass that
/// gave the tombstone its horizon was too small to know of it.
#[test]
fn a_crash_in_a_clean_that_drops_tombstones_brings_nothing_back() {
    let (memory, config) = history(600);
    let disk: SharedDisk = memory.clone();
    let (mut log, _) = open(&disk, &config, UNKNOWN);
    log.flush_now().unwrap();
    let cleanable = log
        .cleanable(None, log.end(), &KEEP_LONG, Millis(1000))
        .unwrap();
    let none = Producers::new();
    let mut six_keys = OffsetMap::new(7 * 24, 0.9, [3; 16]);
    let pass = clean_with(
        &mut log,
        &cleanable,
        &mut six_keys,
        &none,
        1000,
        &mut |_| true,
    );
    assert_eq!(pass.unwrap().end, Offset(10));
    let before = contents_of(&log);
    assert!(
        before.contains_key(&0),
        "the first value of key 0 is still there"
    );
    let of_tombstone = batches_in(&log)
        .into_iter()
        .find(|(h, _)| h.base_offset == Offset(12));
    assert_eq!(of_tombstone.unwrap().0.delete_horizon(), Some(Millis(2000)));
    let values = last_values(&before);
    log.close().unwrap();
    for how in CRASHES {
        for changes in 0.. {
            let told = format!("{how:?} after {changes} changes");
            let act = |log: &mut Log| try_clean(log, None, 2000).is_ok();
            let Some((disk, mut log, report)) = crash_after(&memory, &config, changes, how, &act)
            else {
                break;
            };
            assert_whole(&report, &told);
            assert_tidy(&disk, &told);
            let after = contents_of(&log);
            assert_eq!(last_values(&after), values, "{told}");
            assert_eq!(log.end(), Offset(25), "{told}");
            compact(&mut log, 0, 2000);
            let cleaned = contents_of(&log);
            assert!(!cleaned.contains_key(&12), "{told}: the tombstone has gone");
            assert_eq!(last_values(&cleaned), values, "{told}");
        }
    }
}

/// S-17, deletion: nothing goes that was not to go, and what is to go goes from the oldest on, also where the disk mixes
/// up the order.
#[test]
fn a_crash_in_any_step_of_a_deletion_takes_nothing_else() {
    let (memory, config) = history(400);
    let config = LogConfig {
        retention_bytes: 500,
        ..config
    };
    let delete = |log: &mut Log| {
        let deleted = log.apply_retention(log.end(), Millis(0));
        deleted.is_ok_and(|segments| {
            let disk = log.disk().clone();
            segments.iter().all(|s| s.remove(disk.as_ref()).is_ok())
        })
    };
    let disk: SharedDisk = Arc::new(memory.fork());
    let (mut log, _) = open(&disk, &config, UNKNOWN);
    let before = contents_of(&log);
    delete(&mut log);
    let to_stay = contents_of(&log);
    assert!(to_stay.len() < before.len());
    for how in CRASHES {
        for changes in 0.. {
            let told = format!("{how:?} after {changes} changes");
            let Some((disk, log, report)) = crash_after(&memory, &config, changes, how, &delete)
            else {
                break;
            };
            assert_whole(&report, &told);
            assert_tidy(&disk, &told);
            let after = contents_of(&log);
            let known =
                |all: &Contents, some: &Contents| some.iter().all(|(o, r)| all.get(o) == Some(r));
            assert!(known(&before, &after) && known(&after, &to_stay), "{told}");
            let from_start = before.range(log.start().0..).count();
            assert_eq!(after.len(), from_start, "{told}");
            assert_eq!(log.end(), Offset(25), "{told}");
        }
    }
}

/// S-17, roll: nothing flushed is lost and no offset is given out twice.
#[test]
fn a_crash_in_any_step_of_a_roll_loses_nothing() {
    let (memory, config) = history(400);
    let disk: SharedDisk = memory.clone();
    let (log, _) = open(&disk, &config, UNKNOWN);
    let before = contents_of(&log);
    drop(log);
    for how in CRASHES {
        for changes in 0.. {
            let told = format!("{how:?} after {changes} changes");
            let act = |log: &mut Log| {
                let mut more = keyed(400, &[("new", Some("1"))]);
                let rolled = log.roll(Millis(0));
                let appended = rolled.is_ok()
                    && log
                        .append(&mut more, EPOCH, ottla_log::Timestamps::Create, Millis(0))
                        .is_ok();
                appended && log.flush_now().is_ok()
            };
            let Some((_, mut log, report)) = crash_after(&memory, &config, changes, how, &act)
            else {
                break;
            };
            assert!(
                report.corrupt.is_empty() && report.lost.is_none(),
                "{told}: {report:?}"
            );
            let mut after = contents_of(&log);
            let new = after.remove(&25);
            assert!(
                new.is_none_or(|r| r == ("new".into(), Some("1".into()))),
                "{told}"
            );
            assert_eq!(after, before, "{told}");
            let end = log.end();
            let appended = append(&mut log, keyed(500, &[("next", Some("1"))]));
            assert_eq!(appended.base_offset, end, "{told}");
        }
    }
}

/// S-17: in whatever order a power cut keeps names, what a clean leaves of an aborted transaction stays in the index.
#[test]
fn a_crash_in_any_step_of_a_clean_keeps_the_index_of_aborted_transactions() {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let config = small();
    let (mut log, _) = open(&disk, &config, UNKNOWN);
    let value = [("a", Some("aborted"))];
    append(&mut log, produced(7, 0, true, 10, &value));
    append(&mut log, marker(7, false, 20));
    log.roll(Millis(0)).unwrap();
    append(&mut log, keyed(30, &[("z", Some("1"))]));
    let path = segment_path(0, "txnindex");
    let index = disk.open(&path, OpenMode::Create).unwrap();
    let numbers = [7_i64, 0, 1, 0].map(i64::to_be_bytes);
    let entry = [&[0, 0], numbers.as_flattened()].concat();
    write_full(index.as_ref(), &entry, 0).unwrap();
    index.sync_data().unwrap();
    log.close().unwrap();
    for changes in 0.. {
        let act = |log: &mut Log| try_clean(log, None, 1000).is_ok();
        let mut done = false;
        for seed in 0..64 {
            let how = Crash::Scattered;
            let Some((disk, _, report)) =
                crash_after_seeded(&memory, &config, changes, (how, seed), &act)
            else {
                done = true;
                break;
            };
            let told = format!("after {changes} changes, seed {seed}");
            assert_whole(&report, &told);
            let entries = txn_index::read(disk.as_ref(), dir(), Offset::ZERO).unwrap();
            assert_eq!(entries.len(), 1, "{told}");
        }
        if done {
            assert!(changes > 10, "{changes} changes");
            return;
        }
    }
}
