//! S-08: producers fill the disk. What was acknowledged stays, what must be written still is, and all goes on without
//! a restart when there is space.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ottla_coordination::controller::{Command, Response};
use ottla_coordination::txn::{Origin, Verification};
use ottla_log::testing::{Call, Crash, FaultyDisk, MemoryDisk, Random};
use ottla_log::{Disk as _, MinimumRead};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_topics::request::CreatableTopicConfig;
use ottla_protocol::messages::delete_topics::request::DeleteTopicState;
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, Offset};
use ottla_protocol::wire::Uuid;

use super::power_cut::Node;
use crate::clock;
use crate::exec::cleaner::CleanerSettings;
use crate::exec::log_dirs::{LogDir, Uses};
use crate::exec::partition::{Acks, Append, Isolation};
use crate::testing::{batch, eventually};

const DIR: &str = "/logs";
const ENOSPC: i32 = 28;
const RESERVE: &str = "/logs/.ottla-reserve";
const SMALL: u64 = 400 << 10;
const STEP: u64 = 60 << 10;
/// Longer than between two looks for space.
const PAUSE: Millis = Millis(1000);

struct FullDisk {
    memory: Arc<MemoryDisk>,
    node: Node,
    acknowledged: i64,
    /// Runs ahead of the clock, so that nothing has to be waited for.
    now: Millis,
}

impl FullDisk {
    fn new() -> Self {
        let memory = Arc::new(MemoryDisk::new());
        memory.create_dir_all(Path::new(DIR)).unwrap();
        memory.sync_dir(Path::new("/")).unwrap();
        memory.set_capacity(Some(SMALL));
        let node = Self::start(&memory);
        Self {
            memory,
            node,
            acknowledged: 0,
            now: clock::now(),
        }
    }

    fn start(memory: &Arc<MemoryDisk>) -> Node {
        let disk = memory.clone();
        let dir = LogDir::load(disk, Path::new(DIR), Uuid([7; 16]), Uses::Both).unwrap();
        Node::on(dir.with_reserve())
    }

    fn restart(&mut self, how: Crash) {
        self.memory.crash(how, &mut Random::new(1));
        self.node = Self::start(&self.memory);
    }

    async fn produce(&mut self) -> Result<(), ErrorCode> {
        let value = format!("{:>2000}", self.acknowledged);
        let mut bytes = BytesMut::from(&batch(&[&value])[..]);
        let how = Append {
            acks: Acks::All,
            log_append_time: false,
            producer: None,
            origin: Origin::Client(Verification::Waived),
        };
        let mut wait = None;
        let partition = self.node.broker.storage.topics.partition("t", 0).unwrap();
        let placed = partition.append(&mut bytes, how, &mut wait, self.now)?;
        if let Some(wait) = wait {
            wait.release();
            assert!(wait.settled().await, "no sync failed");
        }
        assert_eq!(
            placed.base_offset.0, self.acknowledged,
            "nothing in between"
        );
        self.acknowledged += 1;
        Ok(())
    }

    async fn fill(&mut self) {
        while self.produce().await.is_ok() {}
        for _ in 0..5 {
            assert_eq!(self.produce().await, Err(ErrorCode::KafkaStorageError));
        }
        assert!(!self.has_reserve(), "given up");
    }

    fn has_reserve(&self) -> bool {
        self.memory.info(Path::new(RESERVE)).is_ok()
    }

    /// Whether the record at an offset can be read.
    fn has(&self, offset: i64) -> bool {
        let partition = self.node.broker.storage.topics.partition("t", 0).unwrap();
        let isolation = Isolation::ReadUncommitted;
        let read = partition.read(
            Offset(offset),
            1,
            MinimumRead::OneBatch,
            isolation,
            self.now,
        );
        read.is_ok_and(|read| read.slice.is_some_and(|s| s.base_offset == Offset(offset)))
    }

    async fn delete(&self, name: &str) -> ErrorCode {
        let topics = vec![DeleteTopicState {
            name: Some(name.into()),
            ..Default::default()
        }];
        let command = Command::DeleteTopics { topics };
        match self
            .node
            .broker
            .controller
            .ask(&self.node.broker, command)
            .await
        {
            Ok(Response::DeleteTopics(results)) => ErrorCode::from_code(results[0].error_code),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn s08_a_disk_full_of_records_keeps_them_and_takes_more_when_there_is_space() {
    let mut disk = FullDisk::new();
    disk.node.create("t").await.unwrap();
    assert!(disk.has_reserve());
    for cycle in 0..20 {
        disk.memory.set_capacity(Some(SMALL + cycle * STEP));
        disk.now = disk.now.plus(PAUSE);
        disk.fill().await;
        // Reading, making, deleting and checkpoints go on.
        assert!(disk.has(0) && disk.has(disk.acknowledged - 1), "{cycle}");
        let name = format!("made-in-{cycle}");
        assert_eq!(disk.node.create(&name).await, Ok(()), "{cycle}");
        assert_eq!(disk.delete(&name).await, ErrorCode::None, "{cycle}");
        disk.node.broker.storage.dirs.write_checkpoints();
        disk.memory
            .set_capacity(Some(SMALL + cycle * STEP + STEP / 2));
        disk.now = disk.now.plus(PAUSE);
        assert_eq!(disk.produce().await, Ok(()), "{cycle}");
        assert!(disk.has_reserve(), "made again");
    }
    assert!(disk.node.fatal.try_recv().is_err(), "no directory was lost");
    for how in [Crash::LoseAll, Crash::Process] {
        disk.restart(how);
        eventually("the records are shown", || disk.has(disk.acknowledged - 1));
        for offset in 0..disk.acknowledged {
            assert!(
                disk.has(offset),
                "{how:?}: {offset} of {}",
                disk.acknowledged
            );
        }
    }
}

#[tokio::test]
async fn s08_a_topic_deleted_from_a_full_disk_makes_room() {
    let mut disk = FullDisk::new();
    disk.node.create("t").await.unwrap();
    disk.fill().await;
    let partition = disk.node.broker.storage.topics.partition("t", 0).unwrap();
    let end = Offset(disk.acknowledged);
    assert_eq!(partition.delete_records(end, disk.now), Ok(end));
    assert_eq!(disk.delete("t").await, ErrorCode::None);
    assert_eq!(disk.node.create("t").await, Ok(()));
    disk.acknowledged = 0;
    assert_eq!(disk.produce().await, Err(ErrorCode::KafkaStorageError));
    // The keeper does so once `file.delete.delay.ms` is over.
    for folder in disk.memory.list(Path::new(DIR)).unwrap() {
        if folder.name.ends_with("-delete") {
            let path = Path::new(DIR).join(folder.name);
            disk.memory.remove_dir_all(&path).unwrap();
        }
    }
    disk.now = disk.now.plus(PAUSE);
    assert_eq!(disk.produce().await, Ok(()));
    assert!(disk.node.fatal.try_recv().is_err());
}

#[tokio::test]
async fn s08_a_broker_that_starts_on_a_full_disk_serves_what_is_there() {
    let mut disk = FullDisk::new();
    disk.node.create("t").await.unwrap();
    disk.fill().await;
    // Somebody else has taken even the room that was kept back.
    let space = disk.memory.space(Path::new(DIR)).unwrap();
    disk.memory
        .set_capacity(Some(space.total - space.free + 2000));
    disk.restart(Crash::Process);
    // Shown once they are flushed again: nobody knows whether they were.
    eventually("the records are shown", || disk.has(disk.acknowledged - 1));
    assert!(disk.has(0));
    assert_eq!(disk.produce().await, Err(ErrorCode::KafkaStorageError));
    disk.memory.set_capacity(Some(2 * SMALL));
    disk.now = disk.now.plus(PAUSE).plus(PAUSE);
    assert_eq!(disk.produce().await, Ok(()));
    assert!(disk.node.fatal.try_recv().is_err());
}

/// A pass that had no room is given up, whatever step it was in, and a later one does its work.
#[tokio::test]
async fn s08_compaction_on_a_full_disk_is_given_up_and_tried_again() {
    const RECORDS: i64 = 6;
    for call in [Call::Open, Call::Write, Call::Rename] {
        let memory = Arc::new(MemoryDisk::new());
        memory.create_dir_all(Path::new(DIR)).unwrap();
        memory.sync_dir(Path::new("/")).unwrap();
        let faulty = FaultyDisk::new(memory);
        let disk = faulty.clone();
        let dir = LogDir::load(disk, Path::new(DIR), Uuid([7; 16]), Uses::Both).unwrap();
        let mut node = Node::on(dir);
        let policy = CreatableTopicConfig {
            name: "cleanup.policy".into(),
            value: Some("compact".into()),
            ..Default::default()
        };
        node.create_with("t", vec![policy]).await.unwrap();
        let partition = node.broker.storage.topics.partition("t", 0).unwrap();
        for i in 0..RECORDS {
            let mut builder = BatchBuilder::default();
            let value = i.to_string();
            let (key, value) = (Some(&b"k"[..]), Some(value.as_bytes()));
            // A segment each, by `segment.ms`.
            let timestamp = Millis(i << 40);
            builder.append(timestamp, key, value, &[]).unwrap();
            let mut bytes = BytesMut::from(&builder.build().unwrap()[..]);
            let how = Append {
                acks: Acks::All,
                log_append_time: false,
                producer: None,
                origin: Origin::Client(Verification::Waived),
            };
            let mut wait = None;
            let placed = partition.append(&mut bytes, how, &mut wait, clock::now());
            assert_eq!(placed.unwrap().base_offset, Offset(i));
            let wait = wait.unwrap();
            wait.release();
            assert!(wait.settled().await, "no sync failed");
        }
        faulty.fail_once(call, 0, ENOSPC);
        let settings = CleanerSettings {
            threads: 1,
            load_factor: 0.9,
            backoff: Duration::from_millis(5),
            ..Default::default()
        };
        let storage = &node.broker.storage;
        storage.cleaner.start(storage, settings);
        let cleaned_end = || partition.dir().cleaned_end("t", partition.index);
        eventually("the last pass has come to the end", || {
            cleaned_end() == Some(Offset(RECORDS - 1))
        });
        storage.cleaner.stop();
        assert_eq!(storage.cleaner.given_up(), 1, "{call:?}");
        assert!(!partition.dir().is_offline());
        assert!(node.fatal.try_recv().is_err());
    }
}
