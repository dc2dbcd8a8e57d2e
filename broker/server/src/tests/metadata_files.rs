//! S-16 for the files of the metadata quorum, and damage of any kind in them.

use std::path::Path;
use std::sync::Arc;

use ottla_coordination::controller::MetadataImage;
use ottla_coordination::quorum::QuorumState;
use ottla_log::Disk;
use ottla_log::disk::read_file_if_there;
use ottla_log::testing::{Call, Crash, FaultyDisk, MemoryDisk, Random};
use ottla_protocol::messages::metadata::{MetadataRecord, TopicRecord};
use ottla_protocol::types::{BrokerId, LeaderEpoch, Millis, Offset};
use ottla_protocol::wire::Uuid;

use crate::exec::metadata_snapshot::{self as snapshot, SnapshotId};
use crate::exec::quorum_records::QuorumRecords;
use crate::exec::quorum_state;
use crate::fuzz;

const DIR: &str = "/logs/__cluster_metadata-0";
const EIO: i32 = 5;

const ID: SnapshotId = SnapshotId {
    end: Offset(42),
    epoch: LeaderEpoch(3),
};

fn disk() -> MemoryDisk {
    let memory = MemoryDisk::new();
    memory.create_dir_all(Path::new(DIR)).unwrap();
    for dir in Path::new(DIR).ancestors().skip(1) {
        memory.sync_dir(dir).unwrap();
    }
    memory
}

fn state(epoch: i32) -> QuorumState {
    QuorumState {
        leader_id: Some(BrokerId(1)),
        leader_epoch: LeaderEpoch(epoch),
        ..Default::default()
    }
}

fn content(topics: u8) -> snapshot::Content {
    snapshot::Content {
        image: image(topics),
        quorum: QuorumRecords::default(),
        last_timestamp: Millis(5),
    }
}

fn image(topics: u8) -> MetadataImage {
    let mut image = MetadataImage::default();
    for i in 0..topics {
        let topic = TopicRecord {
            name: format!("topic-{i}").as_str().into(),
            topic_id: Uuid([i + 1; 16]),
            ..Default::default()
        };
        image.apply(Offset(41), &MetadataRecord::Topic(topic));
    }
    image
}

const CRASHES: [Crash; 6] = [
    Crash::Process,
    Crash::LoseAll,
    Crash::Torn,
    Crash::Scattered,
    Crash::Torn,
    Crash::Scattered,
];

/// Crashes a write at each of its calls; `write` says whether it thinks that it was done, `check` gets the disk then.
fn crash_at_every_step(
    memory: &MemoryDisk,
    write: impl Fn(&dyn Disk) -> bool,
    check: impl Fn(&dyn Disk, bool),
) {
    for steps in 0.. {
        let mut is_done = false;
        for (seed, how) in (0..).zip(CRASHES) {
            let fork = memory.fork();
            let faulty = FaultyDisk::new(Arc::new(fork.clone()));
            faulty.fail_from(Call::Any, steps, EIO);
            is_done = write(&*faulty);
            fork.crash(how, &mut Random::new(seed));
            check(&fork, is_done);
            assert!(write(&fork), "what was left is in nobody's way");
            check(&fork, true);
        }
        if is_done {
            assert!(steps >= 5, "{steps} steps");
            return;
        }
    }
}

#[test]
fn s16_a_crash_leaves_the_old_quorum_state_or_the_new_one() {
    let memory = disk();
    let folder = Path::new(DIR);
    quorum_state::write(&memory, folder, &state(7)).unwrap();
    crash_at_every_step(
        &memory,
        |disk| quorum_state::write(disk, folder, &state(8)).is_ok(),
        |disk, is_done| {
            let found = quorum_state::read(disk, folder).unwrap().unwrap();
            let epoch = found.leader_epoch.0;
            assert!(epoch == 8 || (epoch == 7 && !is_done), "epoch {epoch}");
        },
    );
}

#[test]
fn s16_a_crash_leaves_a_whole_snapshot_of_the_metadata_or_none() {
    let memory = disk();
    let folder = Path::new(DIR);
    let older = SnapshotId {
        end: Offset(20),
        ..ID
    };
    let write = |disk: &dyn Disk, id, topics| {
        snapshot::write(disk, folder, id, &content(topics), Millis(6)).is_ok()
    };
    assert!(write(&memory, older, 3));
    crash_at_every_step(
        &memory,
        |disk| write(disk, ID, 4),
        |disk, is_done| {
            let (id, found) = snapshot::load_newest(disk, folder).unwrap().unwrap();
            let topics = found.image.topics().len();
            let is_old = (id, topics) == (older, 3);
            assert!((id, topics) == (ID, 4) || (is_old && !is_done));
        },
    );
}

#[test]
fn metadata_files_of_any_content() {
    let memory = disk();
    let folder = Path::new(DIR);
    quorum_state::write(&memory, folder, &state(7)).unwrap();
    snapshot::write(&memory, folder, ID, &content(5), Millis(6)).unwrap();
    let names = memory.list(folder).unwrap().into_iter();
    let files: Vec<Vec<u8>> = names
        .map(|entry| read_file_if_there(&memory, &folder.join(entry.name), 1 << 20))
        .map(|read| read.unwrap().unwrap())
        .collect();
    assert_eq!(files.len(), 2);
    let mut random = Random::new(16);
    for round in 0..4000 {
        let mut bytes = files[round % 2].clone();
        for _ in 0..random.below(4) {
            let at = random.below(bytes.len() as u64 + 1) as usize;
            match random.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.splice(at..at, [0xff, 0x7f]).for_each(drop),
                _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                _ => bytes.push(0),
            }
        }
        fuzz::metadata_files(&bytes);
    }
}
