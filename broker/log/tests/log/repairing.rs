//! A repaired folder is sound, has every record that was not damaged itself, and what was taken out lies aside.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ottla_log::disk::{Disk, read_file};
use ottla_log::repair::{plan, repair};
use ottla_log::testing::{Call, Crash, FaultyDisk, MemoryDisk, Random};
use ottla_log::verify::{self, Expected, PartitionReport, Severity};
use ottla_log::{LogConfig, SharedDisk, names};
use ottla_protocol::types::Offset;

use crate::support::*;
use crate::verifying::{files, rich};

const ASIDE: &str = "/aside/topic-0";

const CLEAN: Expected = Expected {
    is_clean: true,
    recovery_point: None,
    log_start: None,
    high_watermark: None,
    is_cleaned: false,
    topic_id: None,
};

fn look(disk: &dyn Disk, deep: bool) -> PartitionReport {
    verify::verify(disk, dir(), &CLEAN, deep).unwrap()
}

fn is_sound(report: &PartitionReport) -> bool {
    report.findings.iter().all(|f| f.severity == Severity::Note)
}

fn mend(disk: &SharedDisk, config: &LogConfig, report: &PartitionReport) {
    let config = Arc::new(config.clone());
    repair(disk, dir(), &CLEAN, report, Path::new(ASIDE), &config).unwrap();
}

/// Records by offset, through the log itself.
fn records(memory: &MemoryDisk, config: &LogConfig, end: Offset) -> BTreeMap<i64, Vec<u8>> {
    let disk: SharedDisk = Arc::new(memory.fork());
    let (log, report) = open(&disk, config, clean(end));
    assert!(report.is_quiet(), "{report:?}");
    let (found, damaged) = read_all(&log, 0);
    assert_eq!(damaged, 0);
    found.into_iter().collect()
}

/// Offsets in what the repair takes out.
fn taken(report: &PartitionReport) -> Vec<std::ops::Range<i64>> {
    let stretch = |m: &verify::Mend| m.stretch.first_offset.0..m.stretch.next_offset.0;
    report.mends.iter().map(stretch).collect()
}

fn assert_mended(
    memory: &MemoryDisk,
    config: &LogConfig,
    before: &BTreeMap<i64, Vec<u8>>,
    what: &str,
) {
    let damaged = look(memory, false);
    assert!(!is_sound(&damaged), "{what}");
    let disk: SharedDisk = Arc::new(memory.fork());
    mend(&disk, config, &damaged);
    let repaired = look(disk.as_ref(), true);
    assert!(is_sound(&repaired), "{what}: {:#?}", repaired.findings);
    let fork: SharedDisk = disk.clone();
    let (log, report) = open(&fork, config, clean(repaired.log_end));
    assert!(report.is_quiet(), "{what}: {report:?}");
    let after: BTreeMap<i64, Vec<u8>> = read_all(&log, 0).0.into_iter().collect();
    let lost = taken(&damaged);
    // A damaged batch at the end takes only itself with it.
    let is_lost = |offset: &i64| {
        lost.iter().any(|range| range.contains(offset)) || *offset >= repaired.log_end.0
    };
    for (offset, value) in before {
        if is_lost(offset) {
            continue;
        }
        assert_eq!(after.get(offset), Some(value), "{what}: offset {offset}");
    }
    assert!(
        before.keys().filter(|o| is_lost(o)).count() <= 2 * lost.len(),
        "{what}"
    );
}

#[test]
fn a_sound_folder_needs_nothing() {
    let (memory, _) = rich(&dense());
    assert_eq!(plan(&look(memory.as_ref(), true)), []);
}

#[test]
fn after_any_flip_a_repair_leaves_a_sound_folder_with_every_other_record() {
    let config = dense();
    let (memory, end) = rich(&config);
    let before = records(&memory, &config, end);
    let names: Vec<String> = files(&memory)
        .into_iter()
        .filter(|name| name != names::PARTITION_METADATA)
        .collect();
    for seed in seeds(1) {
        let _print = PrintSeed {
            seed,
            test: "after_any_flip",
        };
        let mut random = Random::new(seed);
        for _ in 0..120 {
            let disk = memory.fork();
            let name = &names[random.below(names.len() as u64) as usize];
            let mut what = String::new();
            disk.with_bytes(&dir().join(name), |bytes| {
                let (at, bit) = (random.below(bytes.len() as u64) as usize, random.below(8));
                bytes[at] ^= 1 << bit;
                what = format!("bit {bit} of byte {at} of {name}");
            })
            .unwrap();
            assert_mended(&disk, &config, &before, &what);
        }
    }
}

#[test]
fn a_stretch_of_garbage_and_a_torn_tail_are_taken_out_and_kept_byte_for_byte() {
    let config = LogConfig::default();
    let (memory, _, end) = numbered(&config, 30);
    let before = records(&memory, &config, end);
    let path = segment_path(0, names::LOG);
    let mut original = Vec::new();
    let mut one = 0;
    memory
        .with_bytes(&path, |b| {
            one = b.len() / 30;
            b[one * 10 + 5..one * 12 + 50].fill(0xee);
            b.truncate(one * 29 + 40);
            original = b.clone();
        })
        .unwrap();
    let report = look(memory.as_ref(), false);
    let steps: Vec<String> = plan(&report).iter().map(ToString::to_string).collect();
    assert_eq!(
        steps[0],
        format!(
            "00000000000000000000.log: move the {} bytes at {} aside, put an empty batch for offsets 10 to 12 in their place",
            one * 3,
            one * 10
        )
    );
    assert!(steps[1].ends_with("the end, aside"), "{steps:?}");
    assert_mended(&memory, &config, &before, "garbage");
    let disk: SharedDisk = memory.clone();
    mend(&disk, &config, &report);
    let kept =
        |name: &str| read_file(disk.as_ref(), &Path::new(ASIDE).join(name), 1 << 20).unwrap();
    let stretch = format!("00000000000000000000.log@{}", one * 10);
    assert_eq!(kept(&stretch), original[one * 10..one * 13]);
    let tail = format!("00000000000000000000.log@{}", one * 29);
    assert_eq!(kept(&tail), original[one * 29..]);
    // Whoever asks for a lost offset goes on behind it.
    let (log, _) = open(&disk, &config, clean(look(disk.as_ref(), false).log_end));
    assert_eq!(log.end(), Offset(29));
    let found = offsets(&read_all(&log, 0).0);
    assert_eq!(found, (0..10).chain(13..29).collect::<Vec<_>>());
}

/// The disk fails at every changing call in turn, and the power goes; the next try finishes what was begun.
#[test]
fn a_repair_that_was_interrupted_anywhere_is_finished_by_the_next() {
    let config = dense();
    let (memory, end) = rich(&config);
    let before = records(&memory, &config, end);
    let names = files(&memory);
    let logs: Vec<&String> = names.iter().filter(|n| n.ends_with(".log")).collect();
    for name in [logs[0], logs[1]] {
        memory
            .with_bytes(&dir().join(name), |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            })
            .unwrap();
    }
    let damaged = look(memory.as_ref(), false);
    let lost = taken(&damaged);
    let shared = Arc::new(config.clone());
    let mut random = Random::new(16);
    for call in [
        Call::Write,
        Call::SetLen,
        Call::SyncData,
        Call::SyncDir,
        Call::Rename,
    ] {
        let mut calls = 0;
        loop {
            let inner = Arc::new(memory.fork());
            let disk = FaultyDisk::new(inner.clone());
            disk.fail_from(call, calls, 5);
            let faulty: SharedDisk = disk;
            let ended = repair(&faulty, dir(), &CLEAN, &damaged, Path::new(ASIDE), &shared);
            inner.crash(Crash::Scattered, &mut random);
            let again: SharedDisk = inner.clone();
            mend(&again, &config, &look(inner.as_ref(), false));
            let repaired = look(inner.as_ref(), true);
            assert!(
                is_sound(&repaired),
                "{call:?} {calls}: {:#?}",
                repaired.findings
            );
            let (log, _) = open(&again, &config, clean(repaired.log_end));
            let after: BTreeMap<i64, Vec<u8>> = read_all(&log, 0).0.into_iter().collect();
            for (offset, value) in &before {
                if !lost.iter().any(|range| range.contains(offset)) {
                    assert_eq!(
                        after.get(offset),
                        Some(value),
                        "{call:?} {calls}: offset {offset}"
                    );
                }
            }
            if ended.is_ok() {
                break;
            }
            calls += 1;
        }
        assert!(calls > 1, "{call:?} is not called");
    }
}
