//! S-03: a log in a new folder. Nothing is synced before the first flush, and everything by it.

use std::path::Path;
use std::sync::Arc;

use ottla_log::disk::{Disk as _, make_folder};
use ottla_log::testing::{Call, Crash, FaultyDisk, MemoryDisk, Random};
use ottla_log::{
    AppendError, Log, LogConfig, OpenError, OpenInput, SharedDisk, Timestamps, partition_metadata,
};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};
use ottla_protocol::wire::Uuid;

use crate::support::*;

const ID: Uuid = Uuid([3; 16]);
const CRASHES: [Crash; 4] = [
    Crash::Process,
    Crash::LoseAll,
    Crash::Torn,
    Crash::Scattered,
];

#[derive(Debug, Default)]
struct Life {
    /// How many records were flushed, and so promised.
    flushed: i64,
    /// Every step was taken.
    done: bool,
}

fn open_in_folder(disk: &SharedDisk, input: OpenInput) -> Result<Log, OpenError> {
    if !matches!(partition_metadata::read(disk.as_ref(), dir()), Ok(Some(_))) {
        let made = disk.create_dir_all(dir());
        made.and_then(|()| {
            partition_metadata::begin(disk.as_ref(), dir(), ID).map_err(|e| e.source)
        })
        .map_err(|source| ottla_log::DiskError {
            what: "begin",
            path: dir().to_owned(),
            source,
        })?;
    }
    let config = Arc::new(LogConfig::default());
    let (mut log, _) = Log::open(disk.clone(), dir(), config, input, Millis(0))?;
    log.begin_epoch(LeaderEpoch(0));
    Ok(log)
}

/// One record, and a flush that promises it.
fn promise(log: &mut Log, life: &mut Life) -> Result<(), AppendError> {
    let value = numbered_value(log.end().0);
    let mut set = batch(1000, &[value.as_bytes()]);
    log.append(&mut set, EPOCH, Timestamps::Create, Millis(0))?;
    log.flush_now()?;
    life.flushed = log.flushed_end().0;
    Ok(())
}

fn live(disk: &SharedDisk, input: OpenInput) -> Life {
    let mut life = Life::default();
    let Ok(mut log) = open_in_folder(disk, input) else {
        return life;
    };
    life.done = promise(&mut log, &mut life).is_ok() && promise(&mut log, &mut life).is_ok();
    life
}

/// What was promised is there, under the right id and epoch.
fn hold(memory: &Arc<MemoryDisk>, flushed: i64, told: &str) {
    let disk: SharedDisk = memory.clone();
    let id = partition_metadata::read(disk.as_ref(), dir());
    if flushed > 0 {
        assert!(matches!(id, Ok(Some(ID))), "{told}: {id:?}");
    } else {
        assert!(!matches!(id, Ok(Some(other)) if other != ID), "{told}");
    }
    let (log, _) = open(&disk, &LogConfig::default(), unclean(Offset(flushed)));
    let (records, damaged) = read_all(&log, 0);
    assert_eq!(damaged, 0, "{told}");
    assert!(records.len() as i64 >= flushed, "{told}: {records:?}");
    assert_numbered(&records);
    for (offset, _) in &records {
        let epoch = log.epochs().at(Offset(*offset));
        assert_eq!(epoch, Some(LeaderEpoch(0)), "{told}: offset {offset}");
    }
}

#[test]
fn s03_what_the_first_flush_promised_survives_a_power_cut_at_any_step() {
    for how in CRASHES {
        for cut in 0.. {
            let mut done = false;
            for seed in 0..20 {
                let memory = memory();
                let plug = FaultyDisk::new(memory.clone());
                plug.cut_off_after(cut);
                let life = live(&(plug as SharedDisk), UNKNOWN);
                memory.crash(how, &mut Random::new(seed));
                hold(
                    &memory,
                    life.flushed,
                    &format!("{how:?} after {cut} changes, seed {seed}"),
                );
                done = life.done;
            }
            if done {
                break;
            }
        }
    }
}

#[test]
fn s03_a_folder_that_a_killed_process_left_is_made_durable_by_the_next_one() {
    for cut in 0.. {
        let mut done = false;
        for (how, seed) in CRASHES
            .into_iter()
            .flat_map(|c| (0..5).map(move |s| (c, s)))
        {
            let memory = memory();
            let plug = FaultyDisk::new(memory.clone());
            plug.cut_off_after(cut);
            let first = live(&(plug as SharedDisk), UNKNOWN);
            // The memory of the machine lives on, and still nothing of it is durable.
            let disk: SharedDisk = memory.clone();
            let second = live(&disk, unclean(Offset(first.flushed)));
            assert!(second.done && second.flushed >= 2);
            memory.crash(how, &mut Random::new(seed));
            let told = format!("killed after {cut} changes, {how:?}, seed {seed}");
            hold(&memory, second.flushed, &told);
            done = first.done;
        }
        if done {
            return;
        }
    }
}

#[test]
fn nothing_is_synced_before_the_first_flush() {
    let plug = FaultyDisk::new(memory());
    plug.fail_from(Call::SyncData, 0, 5);
    plug.fail_from(Call::SyncDir, 0, 5);
    let mut log = open_in_folder(&(plug.clone() as SharedDisk), UNKNOWN).unwrap();
    append(&mut log, batch(1, &[b"a"]));
    log.start_flush().unwrap().unwrap().run().unwrap_err();
    plug.heal();
    log.start_flush().unwrap().unwrap().run().unwrap();
}

#[test]
fn an_epoch_file_whose_last_line_is_torn_is_not_believed() {
    let memory = memory();
    let disk: SharedDisk = memory.clone();
    let mut log = open_in_folder(&disk, UNKNOWN).unwrap();
    for epoch in [4, 12] {
        let epoch = ottla_log::Offsets::Assign {
            leader_epoch: LeaderEpoch(epoch),
        };
        for _ in 0..15 {
            log.append(&mut batch(1, &[b"a"]), epoch, Timestamps::Create, Millis(0))
                .unwrap();
        }
    }
    log.flush_now().unwrap();
    let epochs = log.epochs().clone();
    assert_eq!(epochs.at(Offset(15)), Some(LeaderEpoch(12)));
    drop(log);
    let path = dir().join(ottla_log::names::LEADER_EPOCHS);
    memory
        .with_bytes(&path, |bytes| bytes.truncate(bytes.len() - 2))
        .unwrap();
    let (log, _) = open(&disk, &LogConfig::default(), UNKNOWN);
    assert_eq!(log.epochs(), &epochs);
}

/// `log.dirs=/a/b/c` on a machine that has only `/a`, or nothing: what lies in a folder whose way there is lost is lost.
#[test]
fn a_folder_that_was_made_is_there_after_a_power_cut_with_all_that_were_missing_above_it() {
    let folder = Path::new("/a/b/c");
    for there in ["/", "/a", "/a/b", "/a/b/c"] {
        let disk = MemoryDisk::new();
        for level in Path::new(there).ancestors() {
            disk.create_dir_all(Path::new(there)).unwrap();
            disk.sync_dir(level).unwrap();
        }
        make_folder(&disk, folder).unwrap();
        assert_eq!(disk.unsynced_names(), 0, "{there} was there");
        disk.crash(Crash::LoseAll, &mut Random::new(0));
        assert!(disk.list(folder).is_ok(), "{there} was there");
    }
}
