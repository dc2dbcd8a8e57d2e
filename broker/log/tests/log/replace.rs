//! S-16: a crash at every step of replacing a small file leaves the old content or the new one, never neither.

use std::path::Path;

use ottla_log::checkpoint::{read_offsets, write_offsets};
use ottla_log::damage::{self, Damaged};
use ottla_log::disk::{DiskError, read_file_if_there};
use ottla_log::meta_properties::{self, MetaProperties};
use ottla_log::producer_snapshot::{self, ProducerEntry};
use ottla_log::testing::{Call, Crash, FaultyDisk, Random};
use ottla_log::{Disk, clean_shutdown, names, partition_metadata};
use ottla_protocol::types::{BrokerId, Millis, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use ottla_protocol::wire::Uuid;

use crate::support::*;

const EIO: i32 = 5;

/// Writes a content that is different for every `n`, and as long as a long one of its kind.
type Write = fn(&dyn Disk, &Path, u8) -> Result<(), DiskError>;

/// Fails if the content makes no sense.
type Check = fn(&dyn Disk, &Path);

fn offset(n: u8) -> Offset {
    Offset(i64::from(n) * 1_000_003)
}

fn checkpoint(disk: &dyn Disk, path: &Path, n: u8) -> Result<(), DiskError> {
    let topics: Vec<String> = (0..40).map(|i| format!("topic-{i}")).collect();
    let entries = topics
        .iter()
        .map(|t| (t.as_str(), PartitionIndex(3), offset(n)));
    write_offsets(disk, path, entries)
}

fn check_checkpoint(disk: &dyn Disk, path: &Path) {
    assert_eq!(read_offsets(disk, path).unwrap().len(), 40);
}

fn entry(n: u8) -> ProducerEntry {
    ProducerEntry {
        producer_id: ProducerId(7),
        epoch: ProducerEpoch(0),
        last_sequence: 4,
        last_offset: offset(n),
        offset_delta: 2,
        timestamp: Millis(5),
        coordinator_epoch: -1,
        current_txn_first_offset: Offset(-1),
    }
}

const SNAPSHOT: &str = "00000000000000000009.snapshot";

const FILES: [(&str, Write, Check); 6] = [
    (
        names::META_PROPERTIES,
        |disk, dir, n| {
            let meta = MetaProperties {
                cluster_id: format!("cluster-{n}"),
                node_id: BrokerId(1),
                directory_id: Some(Uuid([n; 16])),
            };
            meta_properties::write(disk, dir, &meta)
        },
        |disk, dir| {
            meta_properties::read(disk, dir).unwrap().unwrap();
        },
    ),
    (
        names::RECOVERY_POINTS,
        |disk, dir, n| checkpoint(disk, &dir.join(names::RECOVERY_POINTS), n),
        |disk, dir| check_checkpoint(disk, &dir.join(names::RECOVERY_POINTS)),
    ),
    (
        names::CLEAN_SHUTDOWN,
        |disk, dir, n| clean_shutdown::write(disk, dir, i64::from(n)),
        |disk, dir| {
            let mark = clean_shutdown::read(disk, dir).unwrap().unwrap();
            mark.broker_epoch.expect("an epoch");
        },
    ),
    (
        names::PARTITION_METADATA,
        |disk, dir, n| partition_metadata::write(disk, dir, Uuid([n; 16])),
        |disk, dir| {
            partition_metadata::read(disk, dir).unwrap().unwrap();
        },
    ),
    (
        SNAPSHOT,
        |disk, dir, n| producer_snapshot::write(disk, dir, Offset(9), &[entry(n); 30]),
        |disk, dir| {
            producer_snapshot::read(disk, dir, Offset(9)).unwrap();
        },
    ),
    (
        names::DAMAGE,
        |disk, dir, n| {
            let damaged = Damaged {
                segment: Offset(0),
                position: 70,
                bytes: 70,
                first_offset: Offset(1),
                next_offset: offset(n),
            };
            damage::write(disk, dir, &[damaged])
        },
        |disk, dir| assert_eq!(damage::read(disk, dir).unwrap().len(), 1),
    ),
];

#[test]
fn s16_a_replaced_file_is_the_old_or_the_new_one_wherever_the_crash_comes() {
    for (name, write, check) in FILES {
        let content = |disk: &dyn Disk| {
            read_file_if_there(disk, &dir().join(name), 1 << 20)
                .unwrap()
                .expect("never neither")
        };
        let memory = memory();
        memory.create_dir_all(dir()).unwrap();
        memory.sync_dir(dir().parent().unwrap()).unwrap();
        memory.sync_dir(Path::new("/")).unwrap();
        write(memory.as_ref(), dir(), 1).unwrap();
        let old = content(memory.as_ref());
        let whole = memory.fork();
        write(&whole, dir(), 2).unwrap();
        let new = content(&whole);
        let mut steps = 0;
        loop {
            let mut finished = false;
            for (seed, how) in (0..6).zip([Crash::Process, Crash::LoseAll].into_iter().chain([
                Crash::Torn,
                Crash::Scattered,
                Crash::Torn,
                Crash::Scattered,
            ])) {
                let fork = std::sync::Arc::new(memory.fork());
                let faulty = FaultyDisk::new(fork.clone());
                faulty.fail_from(Call::Any, steps, EIO);
                finished = write(faulty.as_ref(), dir(), 2).is_ok();
                fork.crash(how, &mut Random::new(seed));
                let found = content(fork.as_ref());
                let told = format!("{name}: {how:?} after {steps} calls");
                assert!(found == new || (found == old && !finished), "{told}");
                check(fork.as_ref(), dir());
                // The next attempt does not trip over what this one has left.
                write(fork.as_ref(), dir(), 2).unwrap();
                assert_eq!(content(fork.as_ref()), new, "{told}");
            }
            if finished {
                break;
            }
            steps += 1;
        }
        assert!(steps >= 5, "{name}: {steps} steps");
    }
}
