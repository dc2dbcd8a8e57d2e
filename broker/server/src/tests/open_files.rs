//! Many partitions and few descriptors: files are opened when they are needed, and those used longest ago are closed.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use bytes::BytesMut;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::txn::{Origin, Verification};
use ottla_log::testing::{Call, FaultyDisk, MemoryDisk};
use ottla_log::{Disk as _, FileSlice, MinimumRead};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{LeaderEpoch, Offset};
use ottla_protocol::wire::{StrBytes, Uuid};
use tokio::sync::mpsc;

use crate::clock;
use crate::exec::Storage;
use crate::exec::log_dirs::{LogDir, LogDirs, Uses};
use crate::exec::open_files::OpenFiles;
use crate::exec::partition::{Acks, Append, Isolation, Partition};
use crate::exec::topic::TopicSettings;
use crate::testing::{PATIENCE, batch, eventually};

const ID: Uuid = Uuid([2; 16]);
const EMFILE: i32 = 24;
/// Files that one operation opens for a moment beside the log's own.
const MOMENTARY: usize = 4;

struct Bench {
    disk: Arc<FaultyDisk>,
    storage: Arc<Storage>,
    fatal: mpsc::UnboundedReceiver<String>,
}

impl Bench {
    fn new(durability: &str, partitions: usize, files_max: usize) -> Self {
        let disk = FaultyDisk::new(Arc::new(MemoryDisk::new()));
        let path = Path::new("/logs");
        disk.create_dir_all(path).unwrap();
        let open_files = OpenFiles::new(files_max);
        let counted = open_files.counted(disk.clone());
        let dir = LogDir::load(counted, path, Uuid([1; 16]), Uses::Both).unwrap();
        let (sender, fatal) = mpsc::unbounded_channel();
        let dirs = LogDirs::new(vec![Arc::new(dir)], sender);
        let storage = Arc::new(Storage::new(dirs).with_open_files(open_files));
        let pairs = [("ottla.durability".to_owned(), durability.to_owned())];
        let config = BrokerConfig::load(pairs).unwrap();
        let settings = || TopicSettings::from_values(&config.topic_settings(&Default::default()));
        let name = StrBytes::from("t");
        storage
            .topics
            .extend(ID, &name, settings, partitions, |topic, index| {
                Partition::new(storage.clone(), topic.clone(), index, LeaderEpoch(0))
            });
        Self {
            disk,
            storage,
            fatal,
        }
    }

    fn partition(&self, index: usize) -> Arc<Partition> {
        let index = i32::try_from(index).unwrap();
        self.storage.topics.partition("t", index).unwrap()
    }

    fn produce(&self, index: usize) -> Result<i64, ErrorCode> {
        let mut bytes = BytesMut::from(&batch(&["x"])[..]);
        let how = Append {
            acks: Acks::Leader,
            log_append_time: false,
            producer: None,
            origin: Origin::Client(Verification::Waived),
        };
        let partition = self.partition(index);
        let placed = partition.append(&mut bytes, how, &mut None, clock::now())?;
        Ok(placed.base_offset.0)
    }

    fn has(&self, index: usize, offset: i64) -> bool {
        self.read(index, offset).is_some()
    }

    fn read(&self, index: usize, offset: i64) -> Option<FileSlice> {
        let read = self.partition(index).read(
            Offset(offset),
            1,
            MinimumRead::OneBatch,
            Isolation::ReadUncommitted,
            clock::now(),
        );
        read.unwrap().slice
    }
}

#[test]
fn s29_hundreds_of_partitions_are_used_with_a_handful_of_files() {
    for durability in ["disk", "memory"] {
        let bench = Bench::new(durability, 200, 8);
        for round in 0..3 {
            for index in 0..200 {
                assert_eq!(bench.produce(index), Ok(round));
                let open = bench.storage.open_files.open_now();
                assert!(open <= 8 + MOMENTARY, "{durability}: {open} files");
            }
        }
        for index in 0..200 {
            eventually("the records are shown", || bench.has(index, 2));
            assert!(bench.has(index, 0));
            assert!(bench.storage.open_files.open_now() <= 8 + MOMENTARY);
        }
    }
}

#[test]
fn s29_producers_on_many_threads_share_the_files() {
    const THREADS: usize = 4;
    let bench = Bench::new("disk", 64, 8);
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let bench = &bench;
            scope.spawn(move || {
                for step in 0..300 {
                    bench.produce((step * 7 + worker * 13) % 64).unwrap();
                    let open = bench.storage.open_files.open_now();
                    assert!(open <= 8 + THREADS * MOMENTARY, "{open} files");
                }
            });
        }
    });
    let ends = (0..64).map(|index| {
        bench
            .partition(index)
            .bounds(clock::now())
            .unwrap()
            .log_end
            .0
    });
    assert_eq!(ends.sum::<i64>(), 1200);
}

/// A fetch of everything holds a file for each partition until its answer is sent: it gets a part, and soon.
#[test]
fn s29_an_answer_holds_no_more_files_than_there_may_be() {
    let bench = Bench::new("memory", 200, 16);
    for index in 0..200 {
        assert_eq!(bench.produce(index), Ok(0));
    }
    let mut left: Vec<usize> = (0..200).collect();
    let mut answers = 0;
    while !left.is_empty() {
        let mut held = Vec::new();
        let begun = Instant::now();
        left.retain(|index| match bench.read(*index, 0) {
            Some(slice) => {
                held.push(slice);
                false
            }
            None => true,
        });
        let wanted = left.len() + held.len();
        assert!(
            held.len() >= wanted.min(8),
            "answer {answers} has {} parts",
            held.len()
        );
        assert!(bench.storage.open_files.open_now() <= 18 + MOMENTARY);
        assert!(
            begun.elapsed() < PATIENCE / 4,
            "nobody waits for room that will not come"
        );
        answers += 1;
    }
    assert!(answers > 5, "{answers}");
}

/// Others may have taken the descriptors: that is no fault of the disk.
#[test]
fn s29_a_file_that_cannot_be_opened_for_want_of_descriptors_costs_one_request() {
    let mut bench = Bench::new("disk", 4, 100);
    assert_eq!(bench.produce(0), Ok(0));
    for call in [Call::Open, Call::SyncDir] {
        bench.disk.fail_once(call, 0, EMFILE);
        // Where it is the folder's sync that fails, it is the flush's, which nobody waits for.
        let refused = bench.produce(1);
        assert!(matches!(refused, Ok(_) | Err(ErrorCode::KafkaStorageError)));
        eventually("it works again", || bench.produce(1).is_ok());
        eventually("what was written is shown", || bench.has(1, 0));
    }
    assert!(bench.fatal.try_recv().is_err());
    assert!(!bench.partition(0).dir().is_offline());
}
