//! Many partitions: opening is quick and an idle one holds next to nothing. On the real disk, with a generous bound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_log::{Log, LogConfig, RealDisk};
use ottla_protocol::types::{Millis, Offset};

use crate::support::*;

const PARTITIONS: usize = 300;

#[test]
fn idle_partitions_open_quickly_and_hold_no_descriptor() {
    let root = tempfile::tempdir().unwrap();
    let disk = RealDisk::shared();
    let config = Arc::new(LogConfig::default());
    let dir = |i: usize| root.path().join(format!("t-{i}"));
    for i in 0..PARTITIONS {
        let (mut log, _) =
            Log::open(disk.clone(), &dir(i), config.clone(), UNKNOWN, Millis(0)).unwrap();
        for j in 0..3 {
            append(&mut log, batch(j, &[numbered_value(j).as_bytes()]));
        }
        // Not closed: closing syncs, and this test is about opening.
        log.roll(Millis(0)).unwrap();
        append(&mut log, batch(3, &[numbered_value(3).as_bytes()]));
    }
    let started = Instant::now();
    let logs: Vec<Log> = (0..PARTITIONS)
        .map(|i| {
            Log::open(
                disk.clone(),
                &dir(i),
                config.clone(),
                clean(Offset(4)),
                Millis(0),
            )
            .unwrap()
            .0
        })
        .collect();
    let took = started.elapsed();
    assert!(
        logs.iter()
            .all(|l| l.end() == Offset(4) && l.open_files() == 0)
    );
    assert!(
        took < Duration::from_secs(5),
        "{took:?} for {PARTITIONS} partitions"
    );
}
