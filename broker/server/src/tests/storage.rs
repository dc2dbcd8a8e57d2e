//! Partitions on disks that fail: what is acknowledged then, and what is not.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::txn::{Origin, ProducerBatch, Verification};
use ottla_log::testing::{Call, FaultyDisk, MemoryDisk};
use ottla_log::{Disk as _, MinimumRead};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{
    LeaderEpoch, Millis, Offset, PartitionIndex, ProducerEpoch, ProducerId,
};
use ottla_protocol::wire::{StrBytes, Uuid};
use tokio::sync::mpsc;

use crate::clock;
use crate::exec::Storage;
use crate::exec::log_dirs::{LogDir, LogDirs, Uses};
use crate::exec::partition::{Acks, Append, Isolation, Partition};
use crate::exec::topic::{Topic, TopicSettings};
use crate::exec::waits::{AckWait, FetchWait};
use crate::exec::watch::Watch;
use crate::testing::{PATIENCE, batch, eventually};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

pub(super) struct Bench {
    disk: Arc<FaultyDisk>,
    storage: Arc<Storage>,
    pub(super) partition: Arc<Partition>,
    fatal: mpsc::UnboundedReceiver<String>,
}

/// A partition with what is on the disk of it, its storage, and where that says why it must end.
pub(super) fn partition_on(
    disk: &Arc<FaultyDisk>,
    settings: &[(&str, &str)],
    segment_bytes: u64,
) -> (
    Arc<Storage>,
    Arc<Partition>,
    mpsc::UnboundedReceiver<String>,
) {
    let path = Path::new("/logs");
    disk.create_dir_all(path).unwrap();
    let dir = LogDir::load(disk.clone(), path, Uuid([1; 16]), Uses::Both).unwrap();
    let (sender, fatal) = mpsc::unbounded_channel();
    let storage = Arc::new(Storage::new(LogDirs::new(vec![Arc::new(dir)], sender)));
    let pairs = settings.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    let config = BrokerConfig::load(pairs).unwrap();
    let mut settings = TopicSettings::from_values(&config.topic_settings(&Default::default()));
    Arc::make_mut(&mut settings.log).segment_bytes = segment_bytes;
    let topic = Arc::new(Topic {
        id: Uuid([2; 16]),
        name: StrBytes::from("t"),
        settings: ArcSwap::from_pointee(settings),
    });
    let partition = Partition::new(storage.clone(), topic, PartitionIndex(0), LeaderEpoch(0));
    (storage, partition, fatal)
}

/// Waits for an acknowledgement.
pub(super) async fn settled(wait: Option<Arc<AckWait>>) -> Result<(), ErrorCode> {
    let Some(wait) = wait else {
        return Ok(());
    };
    wait.release();
    match wait.settled().await {
        true => Ok(()),
        false => Err(ErrorCode::KafkaStorageError),
    }
}

impl Bench {
    pub(super) fn new(durability: &str) -> Self {
        Self::with_segments(durability, 1 << 20)
    }

    fn with_segments(durability: &str, segment_bytes: u64) -> Self {
        let disk = FaultyDisk::new(Arc::new(MemoryDisk::new()));
        let pairs = [("ottla.durability", durability)];
        let (storage, partition, fatal) = partition_on(&disk, &pairs, segment_bytes);
        Self {
            disk,
            storage,
            partition,
            fatal,
        }
    }

    /// Appends one record and waits for its acknowledgement; its offset.
    pub(super) async fn produce(&self, acks: Acks) -> Result<i64, ErrorCode> {
        self.produce_as(None, acks).await
    }

    async fn produce_as(
        &self,
        producer: Option<ProducerBatch>,
        acks: Acks,
    ) -> Result<i64, ErrorCode> {
        let mut bytes = BytesMut::from(&batch(&["x"])[..]);
        let how = Append {
            acks,
            log_append_time: false,
            producer,
            origin: Origin::Client(Verification::Waived),
        };
        let mut wait: Option<Arc<AckWait>> = None;
        let placed = self
            .partition
            .append(&mut bytes, how, &mut wait, clock::now())?;
        settled(wait).await?;
        Ok(placed.base_offset.0)
    }

    fn readable(&self) -> Result<bool, ErrorCode> {
        let read = self.partition.read(
            Offset::ZERO,
            1 << 20,
            MinimumRead::OneBatch,
            Isolation::ReadUncommitted,
            clock::now(),
        )?;
        Ok(read.slice.is_some())
    }
}

#[tokio::test]
async fn s06_nothing_is_acknowledged_after_a_sync_failed() {
    let mut bench = Bench::new("disk");
    assert_eq!(bench.produce(Acks::All).await, Ok(0));
    bench.disk.fail_once(Call::SyncData, 0, EIO);
    assert_eq!(
        bench.produce(Acks::All).await,
        Err(ErrorCode::KafkaStorageError)
    );
    // The next sync would succeed and prove nothing.
    assert_eq!(
        bench.produce(Acks::All).await,
        Err(ErrorCode::KafkaStorageError)
    );
    assert_eq!(
        bench.produce(Acks::Leader).await,
        Err(ErrorCode::KafkaStorageError)
    );
    assert!(bench.partition.dir().is_offline());
    let why = bench
        .fatal
        .recv()
        .await
        .expect("the only directory is lost");
    assert!(why.contains("/logs"), "{why}");
}

#[tokio::test]
async fn who_has_read_everything_is_told_that_the_directory_failed() {
    let bench = Bench::new("disk");
    assert_eq!(bench.produce(Acks::All).await, Ok(0));
    let now = clock::now();
    let seen = bench.partition.bounds(now).unwrap();
    let watch = Arc::new(Watch::default());
    assert!(bench.partition.watch(&watch, Some(3), seen, now));
    bench.disk.fail_once(Call::SyncData, 0, EIO);
    assert_eq!(
        bench.produce(Acks::All).await,
        Err(ErrorCode::KafkaStorageError)
    );
    eventually("the reader is told", || watch.take_changed() == [3]);
}

/// S-06: the snapshot is only a help, but the sync that failed for it may have been another file's, too.
#[tokio::test]
async fn a_sync_that_fails_for_a_producers_snapshot_ends_the_directory_like_any_other() {
    for (call, error, outcome) in [
        (Call::SyncDir, EIO, Err(ErrorCode::KafkaStorageError)),
        (Call::Rename, ENOSPC, Ok(1)),
    ] {
        let bench = Bench::with_segments("memory", 100);
        let batch = |sequence| ProducerBatch {
            producer_id: ProducerId(7),
            producer_epoch: ProducerEpoch(0),
            first_sequence: sequence,
            last_sequence: sequence,
            offset_delta: 0,
            max_timestamp: clock::now(),
            is_transactional: false,
        };
        assert_eq!(bench.produce_as(Some(batch(0)), Acks::Leader).await, Ok(0));
        bench.disk.fail_once(call, 0, error);
        // The second batch begins a segment, and a snapshot is written.
        assert_eq!(
            bench.produce_as(Some(batch(1)), Acks::Leader).await,
            outcome
        );
        assert_eq!(bench.partition.dir().is_offline(), outcome.is_err());
    }
}

/// S-06: of two partitions in one directory, the sync of one fails while that of the other still runs.
#[tokio::test]
async fn a_flush_that_ends_after_its_directory_failed_acknowledges_nothing() {
    let bench = Bench::new("disk");
    assert_eq!(bench.produce(Acks::All).await, Ok(0));
    let sync = bench.disk.hold_once(Call::SyncData);
    let meanwhile = async {
        tokio::task::yield_now().await;
        let dirs = &bench.storage.dirs;
        dirs.fail(&bench.partition.dir(), &"the other partition's sync failed");
        sync.wait();
    };
    let (produced, ()) = tokio::join!(bench.produce(Acks::All), meanwhile);
    assert_eq!(produced, Err(ErrorCode::KafkaStorageError));
}

/// Appends with acks=1 until somebody has to wait, or so many bytes are there; how many were.
fn burst(bench: &Bench, bytes_max: usize, wait: &mut Option<Arc<AckWait>>) -> usize {
    let value = "x".repeat(900_000);
    let mut appended = 0;
    while wait.is_none() && appended < bytes_max {
        let mut bytes = BytesMut::from(&batch(&[&value])[..]);
        appended += bytes.len();
        let how = Append {
            acks: Acks::Leader,
            log_append_time: false,
            producer: None,
            origin: Origin::Client(Verification::Waived),
        };
        let placed = bench.partition.append(&mut bytes, how, wait, clock::now());
        placed.unwrap();
    }
    appended
}

/// S-18: what recovery has to scan has a bound, however much faster than the disk producers are.
#[tokio::test]
async fn s18_a_producer_that_is_far_ahead_of_the_disk_waits_for_it() {
    let bench = Bench::with_segments("disk", 1 << 30);
    let sync = bench.disk.hold_once(Call::SyncData);
    let mut wait = None;
    let appended = burst(&bench, 80 << 20, &mut wait);
    assert!((64 << 20..66 << 20).contains(&appended), "{appended} bytes");
    sync.wait();
    let wait = wait.unwrap();
    wait.release();
    assert!(wait.settled().await);
}

/// S-18: with `memory` the bound is the kernel's; it writes a burst back, and a flush comes once nobody writes any more.
#[tokio::test]
async fn s18_with_memory_nobody_waits_and_a_burst_is_flushed_after_it() {
    let bench = Bench::with_segments("memory", 1 << 30);
    bench.disk.fail_from(Call::SyncData, 0, EIO);
    let mut wait = None;
    burst(&bench, 80 << 20, &mut wait);
    assert!(wait.is_none());
    assert!(!bench.partition.dir().is_offline(), "there was a sync");
    bench.disk.heal();
    let now = clock::now();
    bench.partition.keep(now);
    bench.partition.keep(now.plus(Millis(6000)));
    eventually("the burst is flushed", || {
        let at = bench.partition.dir().checkpointed("t", PartitionIndex(0));
        at.recovery_point > Offset(80)
    });
}

/// S-28: with the clock set back, the background flush of what nobody waits for would have come a day later.
#[tokio::test]
async fn a_clock_that_is_set_back_does_not_put_off_the_background_flush() {
    let bench = Bench::new("disk");
    let mut bytes = BytesMut::from(&batch(&["x"])[..]);
    let how = Append {
        acks: Acks::Leader,
        log_append_time: false,
        producer: None,
        origin: Origin::Client(Verification::Waived),
    };
    let tomorrow = clock::now().plus(Millis(86_400_000));
    let placed = bench.partition.append(&mut bytes, how, &mut None, tomorrow);
    assert!(placed.is_ok());
    bench.partition.keep(clock::now());
    eventually("the record is flushed", || {
        let bounds = bench.partition.bounds(clock::now()).unwrap();
        bounds.high_watermark == Offset(1)
    });
}

#[tokio::test]
async fn s08_a_full_disk_refuses_writes_serves_reads_and_recovers() {
    for durability in ["disk", "memory"] {
        let mut bench = Bench::new(durability);
        assert_eq!(bench.produce(Acks::All).await, Ok(0));
        bench.disk.fail_from(Call::Write, 0, ENOSPC);
        for _ in 0..3 {
            assert_eq!(
                bench.produce(Acks::All).await,
                Err(ErrorCode::KafkaStorageError)
            );
        }
        assert_eq!(bench.readable(), Ok(true), "{durability}");
        bench.disk.heal();
        let mut after = Err(ErrorCode::KafkaStorageError);
        let begun = Instant::now();
        while after.is_err() && begun.elapsed() < PATIENCE {
            tokio::task::yield_now().await;
            after = bench.produce(Acks::All).await;
        }
        assert_eq!(after, Ok(1), "{durability}");
        assert!(bench.fatal.try_recv().is_err());
    }
}

#[tokio::test]
async fn acks_one_waits_for_no_sync_and_is_shown_only_after_one() {
    let bench = Bench::new("disk");
    bench.disk.fail_from(Call::SyncData, u64::MAX, EIO);
    assert_eq!(bench.produce(Acks::Leader).await, Ok(0));
    let bounds = bench.partition.bounds(clock::now()).unwrap();
    assert_eq!(
        (bounds.log_end, bounds.high_watermark),
        (Offset(1), Offset(0))
    );
    // A reader asks for the flush; nobody waits a second for it.
    eventually("the record is shown", || bench.readable() == Ok(true));
}

#[tokio::test]
async fn a_partition_that_nobody_wrote_to_is_read_and_awaited_without_a_folder() {
    let bench = Bench::new("disk");
    let now = clock::now();
    assert_eq!(bench.readable(), Ok(false));
    let seen = bench
        .partition
        .read(
            Offset::ZERO,
            1,
            MinimumRead::OneBatch,
            Isolation::ReadCommitted,
            now,
        )
        .ok()
        .map(|read| read.bounds);
    let watch = Arc::new(Watch::default());
    let waiting = watch.wait_with(FetchWait::new(1)).unwrap();
    assert!(bench.partition.watch(&watch, None, seen.unwrap(), now));
    let past_the_end = bench.partition.read(
        Offset(1),
        1,
        MinimumRead::OneBatch,
        Isolation::ReadCommitted,
        now,
    );
    assert_eq!(past_the_end.err(), Some(ErrorCode::OffsetOutOfRange));
    assert!(bench.disk.list(Path::new("/logs")).unwrap().is_empty());

    assert_eq!(bench.produce(Acks::Leader).await, Ok(0));
    waiting.wait().ready().await;
    assert_eq!(bench.readable(), Ok(true));
}

#[tokio::test]
async fn a_topic_made_anew_does_not_inherit_records() {
    let bench = Bench::new("memory");
    assert_eq!(bench.produce(Acks::Leader).await, Ok(0));
    bench.partition.delete(1, clock::now());
    assert_eq!(
        bench.produce(Acks::Leader).await,
        Err(ErrorCode::UnknownTopicOrPartition)
    );
    let folders = bench.disk.list(Path::new("/logs")).unwrap();
    assert!(
        folders.iter().all(|entry| entry.name != "t-0"),
        "{folders:?}"
    );
}
