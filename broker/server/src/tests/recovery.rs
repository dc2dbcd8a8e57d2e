//! Starting after a stop that was not clean: what is looked over, what is cut, what stays an error.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_config::resolve::BrokerConfig;
use ottla_coordination::txn::{Origin, Verification};
use ottla_log::checkpoint::read_offsets;
use ottla_log::testing::MemoryDisk;
use ottla_log::{RealDisk, SharedDisk, clean_shutdown, names};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{LeaderEpoch, PartitionIndex};
use ottla_protocol::wire::Uuid;
use tokio::sync::mpsc;

use super::produce_fetch::{fetch, latest, produce, produce_request};
use crate::clock;
use crate::exec::Storage;
use crate::exec::log_dirs::{LogDir, LogDirs, Uses};
use crate::exec::partition::{Acks, Append, Partition};
use crate::exec::topic::TopicSettings;
use crate::testing::{TestServer, batch, eventually};

fn dir(server: &TestServer) -> Arc<LogDir> {
    let dirs = &server.broker().storage.dirs;
    dirs.online().next().expect("a log directory").clone()
}

fn segment(server: &TestServer, partition: &str) -> PathBuf {
    let folder = server.dir.path().join("data").join(partition);
    folder.join("00000000000000000000.log")
}

/// As if nothing had ever been checkpointed: the next start scans everything.
fn forget_recovery_points(server: &TestServer) {
    let path = server.dir.path().join("data").join(names::RECOVERY_POINTS);
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}

fn flip(path: &PathBuf, at: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

/// S-13.
#[test]
fn s13_a_batch_that_rotted_is_an_error_to_readers_over_clean_restarts_and_the_rest_is_readable() {
    let mut server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    for i in 0..10 {
        let value = format!("value {i}");
        assert_eq!(
            produce(&mut client, "t", -1, batch(&[&value])).error_code,
            0
        );
    }
    server.crash();
    let log = segment(&server, "t-0");
    let one = fs::metadata(&log).unwrap().len() / 10;
    flip(&log, 5 * one - 3);
    forget_recovery_points(&server);
    for start in 0..3 {
        server = server.restarted(&[]);
        let mut client = server.connect();
        assert_eq!(
            fetch(&mut client, "t", 4).error_code,
            ErrorCode::CorruptMessage.code(),
            "start {start}"
        );
        for sound in [0, 3, 5, 9] {
            assert_eq!(fetch(&mut client, "t", sound).error_code, 0, "{start}");
        }
        assert_eq!(latest(&mut client, "t"), 10);
        drop(client);
        let dir = dir(&server);
        eventually("all logs are looked over", || !dir.needs_recovery());
        server.stop();
        assert_eq!(dir.was_clean, start > 0);
    }
}

/// Nobody asks for any of them.
#[test]
fn after_a_crash_every_log_is_looked_over_in_the_background_and_torn_tails_are_cut() {
    let mut server = TestServer::start(&[]);
    server.add_topic("t", 20);
    let mut client = server.connect();
    for partition in 0..20 {
        for _ in 0..3 {
            client.call(&produce_request("t", partition, -1, batch(&["x"])), 9);
        }
    }
    server.crash();
    let sound = fs::metadata(segment(&server, "t-7")).unwrap().len();
    fs::write(
        segment(&server, "t-7"),
        [fs::read(segment(&server, "t-7")).unwrap(), vec![7; 5000]].concat(),
    )
    .unwrap();
    forget_recovery_points(&server);
    let server = server.restarted(&[("num.recovery.threads.per.data.dir", "3")]);
    let dir = dir(&server);
    eventually("all logs are looked over", || !dir.needs_recovery());
    let done = dir.tally.so_far();
    assert_eq!((done.logs, done.cut, done.cut_bytes), (20, 1, 5000));
    assert_eq!(done.scanned_bytes, 20 * sound);
    assert_eq!(fs::metadata(segment(&server, "t-7")).unwrap().len(), sound);
}

#[test]
fn s31_after_a_clean_stop_nothing_is_scanned_or_even_opened() {
    let mut server = TestServer::start(&[]);
    server.add_topic("t", 5);
    let mut client = server.connect();
    for partition in 0..5 {
        client.call(&produce_request("t", partition, -1, batch(&["x"])), 9);
    }
    drop(client);
    server.stop();
    let server = server.restarted(&[]);
    let dir = dir(&server);
    assert!(dir.was_clean && !dir.needs_recovery());
    assert_eq!(dir.tally.so_far().logs, 0);
    let mut client = server.connect();
    assert_eq!(latest(&mut client, "t"), 1);
    assert_eq!(dir.tally.so_far().scanned_bytes, 0);
}

/// A directory with three partitions, and no sockets.
fn storage(disk: &SharedDisk) -> (Arc<Storage>, Arc<LogDir>) {
    let dir = LogDir::load(disk.clone(), Path::new("/logs"), Uuid([1; 16]), Uses::Both).unwrap();
    let dir = Arc::new(dir);
    let fatal = mpsc::unbounded_channel().0;
    let storage = Arc::new(Storage::new(LogDirs::new(vec![dir.clone()], fatal)));
    let config = BrokerConfig::load([]).unwrap();
    let settings = TopicSettings::from_values(&config.topic_settings(&Default::default()));
    storage.topics.extend(
        Uuid([2; 16]),
        &"t".into(),
        || settings,
        3,
        |topic, index| Partition::new(storage.clone(), topic.clone(), index, LeaderEpoch(0)),
    );
    (storage, dir)
}

/// Otherwise the next start would believe logs that nobody has looked over since the crash.
#[test]
fn a_clean_stop_before_recovery_has_ended_does_not_call_the_directory_clean() {
    let disk: SharedDisk = Arc::new(MemoryDisk::new());
    disk.create_dir_all(Path::new("/logs")).unwrap();
    let is_marked = || {
        clean_shutdown::read(&*disk, Path::new("/logs"))
            .unwrap()
            .is_some()
    };
    let (first, _) = storage(&disk);
    for entry in first.topics.all() {
        for partition in entry.all() {
            let how = Append {
                acks: Acks::Leader,
                log_append_time: false,
                producer: None,
                origin: Origin::Client(Verification::Waived),
            };
            let mut bytes = batch(&["x"]).to_vec();
            partition
                .append(&mut bytes, how, &mut None, clock::now())
                .unwrap();
        }
    }
    // The signal comes before the threads do.
    let (second, dir) = storage(&disk);
    second.recovery.stop();
    second.recovery.start(&second, 2);
    second.close();
    assert!(dir.needs_recovery() && !is_marked());

    let (third, dir) = storage(&disk);
    third.recovery.start(&third, 2);
    eventually("all logs are looked over", || !dir.needs_recovery());
    third.close();
    assert!(is_marked());
}

/// The recovery point that the next start would find.
fn recovery_point(server: &TestServer) -> i64 {
    let path = server.dir.path().join("data").join(names::RECOVERY_POINTS);
    let found = read_offsets(&*RealDisk::shared(), &path).unwrap();
    let key = ("t".to_owned(), PartitionIndex(0));
    found.get(&key).map_or(0, |offset| offset.0)
}

/// Appends until the recovery point has moved: it never gets idle, which alone would have everything flushed.
fn append_until_the_recovery_point_moves(server: &TestServer, value: &str) {
    let mut client = server.connect();
    eventually("the recovery point moves", || {
        assert_eq!(produce(&mut client, "t", 1, batch(&[value])).error_code, 0);
        recovery_point(server) > 0
    });
}

/// S-18: with `memory` nothing asks for a flush, and still recovery must not have to scan what many seconds have written.
#[test]
fn s18_the_recovery_point_follows_a_heavy_load_that_asks_for_no_flush() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    append_until_the_recovery_point_moves(&server, &"x".repeat(900_000));
}

#[test]
fn flush_ms_flushes_in_the_background_whatever_the_durability() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic_with("t", 1, &[("flush.ms", "40")]);
    append_until_the_recovery_point_moves(&server, "x");
}

#[test]
fn flush_messages_makes_the_append_that_reaches_it_wait_for_the_disk() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic_with("t", 1, &[("flush.messages", "3")]);
    let mut client = server.connect();
    let topics = &server.broker().storage.topics;
    let flushed_end = || {
        let partition = topics.partition("t", 0).expect("a partition");
        let look = partition.with_log(clock::now(), |log, _| Ok(log.flushed_end().0));
        look.unwrap()
    };
    for (records, flushed) in [(1, 0), (1, 0), (1, 3), (2, 3), (4, 9)] {
        let values = vec!["x"; records];
        assert_eq!(produce(&mut client, "t", 1, batch(&values)).error_code, 0);
        assert_eq!(flushed_end(), flushed);
    }
}
