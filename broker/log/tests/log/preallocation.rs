//! `preallocate`: files of full length, of which only the batches are the log.

use std::path::Path;

use ottla_log::{LogConfig, SharedDisk};
use ottla_protocol::types::{Millis, Offset};

use crate::support::*;

const SEGMENT_BYTES: u64 = 4096;

fn preallocated() -> LogConfig {
    LogConfig {
        segment_bytes: SEGMENT_BYTES,
        preallocate: true,
        ..LogConfig::default()
    }
}

/// Lengths of the segments' files, in order.
fn lengths(disk: &SharedDisk, dir: &Path) -> Vec<u64> {
    let mut names: Vec<String> = disk
        .list(dir)
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .filter(|name| name.ends_with(".log"))
        .collect();
    names.sort();
    let length = |name: &String| disk.info(&dir.join(name)).unwrap().len;
    names.iter().map(length).collect()
}

#[test]
fn a_segment_has_its_full_length_until_it_is_sealed_or_closed() {
    let disk: SharedDisk = memory();
    let (mut log, _) = open(&disk, &preallocated(), UNKNOWN);
    let dir = log.dir().to_owned();
    assert_eq!(lengths(&disk, &dir), [SEGMENT_BYTES]);
    append(&mut log, batch(1, &[b"a"]));
    log.flush_now().unwrap();
    log.release_files().unwrap();
    assert_eq!(lengths(&disk, &dir), [SEGMENT_BYTES], "idle");
    let first = log.size_bytes();
    log.roll(Millis(0)).unwrap();
    assert_eq!(lengths(&disk, &dir), [first, SEGMENT_BYTES]);
    append(&mut log, batch(2, &[b"b"]));
    log.close().unwrap();
    assert_eq!(lengths(&disk, &dir), [first, first]);

    let (mut log, report) = open(&disk, &preallocated(), UNKNOWN);
    assert!(report.is_quiet(), "{report:?}");
    append(&mut log, batch(3, &[b"c"]));
    assert_eq!(offsets(&read_all(&log, 0).0), [0, 1, 2]);
}

#[test]
fn a_kill_leaves_zeros_that_are_cut_without_a_word() {
    let disk: SharedDisk = memory();
    let (mut log, _) = open(&disk, &preallocated(), UNKNOWN);
    for i in 0..5 {
        append(&mut log, batch(i, &[numbered_value(i).as_bytes()]));
    }
    let dir = log.dir().to_owned();
    drop(log);
    assert_eq!(lengths(&disk, &dir), [SEGMENT_BYTES]);
    let (log, report) = open(&disk, &preallocated(), UNKNOWN);
    assert!(report.is_quiet(), "{report:?}");
    assert_eq!(log.end(), Offset(5));
    assert_numbered(&read_all(&log, 0).0);
    drop(log);

    // One that nothing was written to.
    let empty: SharedDisk = memory();
    let (log, _) = open(&empty, &preallocated(), UNKNOWN);
    drop(log);
    let (mut log, report) = open(&empty, &preallocated(), UNKNOWN);
    assert!(report.is_quiet(), "{report:?}");
    assert_eq!(log.end(), Offset(0));
    append(&mut log, batch(1, &[b"a"]));
}
