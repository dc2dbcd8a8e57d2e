//! Ends of transactions on a partition: what readers of committed records see before and after, whatever the disk does.

use std::sync::Arc;

use ottla_coordination::txn::coordinator::{Outcome, TransactionVersion};
use ottla_coordination::txn::{EndTransaction, Origin, Verification};
use ottla_log::MinimumRead;
use ottla_log::testing::{Call, Crash, FaultyDisk, MemoryDisk, Random};
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::{BatchBuilder, check_batch};
use ottla_protocol::types::{Millis, Offset, ProducerEpoch, ProducerId};
use tokio::sync::mpsc;

use super::storage::{partition_on, settled};
use crate::clock;
use crate::exec::Storage;
use crate::exec::partition::{Acks, Append, Isolation, Partition, Read};
use crate::exec::producers::{marker, producer_batch};
use crate::exec::waits::{AckWait, FetchWait};
use crate::exec::watch::Watch;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A partition on a disk of the test's.
struct Node {
    disk: Arc<FaultyDisk>,
    storage: Arc<Storage>,
    partition: Arc<Partition>,
    _fatal: mpsc::UnboundedReceiver<String>,
    /// Of all records. Where it is long ago every marker begins a segment.
    timestamp: Millis,
}

impl Node {
    fn on(memory: &Arc<MemoryDisk>, settings: &[(&str, &str)]) -> Self {
        let disk = FaultyDisk::new(memory.clone());
        let (storage, partition, fatal) = partition_on(&disk, settings, 1 << 20);
        Self {
            disk,
            storage,
            partition,
            _fatal: fatal,
            timestamp: clock::now(),
        }
    }

    fn new() -> Self {
        Self::on(&Arc::default(), &[])
    }

    /// One record of the producer's transaction.
    async fn send(&self, producer: i64, sequence: i32) -> Result<Offset, ErrorCode> {
        let mut builder = BatchBuilder::new(Compression::None)
            .producer(ProducerId(producer), ProducerEpoch(0), sequence)
            .transactional(true);
        builder
            .append(self.timestamp, None, Some(b"x"), &[])
            .unwrap();
        let mut batch = builder.build().unwrap();
        let header = check_batch(&batch).unwrap();
        let how = Append {
            acks: Acks::All,
            log_append_time: false,
            producer: producer_batch(&header),
            origin: Origin::Client(Verification::Waived),
        };
        let mut wait = None;
        let placed = self
            .partition
            .append(&mut batch, how, &mut wait, clock::now())?;
        settled(wait).await?;
        Ok(placed.base_offset)
    }

    async fn end(&self, producer: i64, outcome: Outcome) -> Result<Offset, ErrorCode> {
        let end = EndTransaction {
            producer_id: ProducerId(producer),
            producer_epoch: ProducerEpoch(1),
            outcome,
            coordinator_epoch: 3,
            transaction_version: TransactionVersion(2),
        };
        let mut wait = None;
        let placed = self
            .partition
            .append_marker(&end, &mut wait, clock::now())?;
        settled(wait).await?;
        Ok(placed.base_offset)
    }

    fn read(&self, isolation: Isolation) -> Read {
        let (bytes, minimum) = (1 << 20, MinimumRead::OneBatch);
        let now = clock::now();
        let from = self.partition.bounds(now).unwrap().log_start;
        let read = self.partition.read(from, bytes, minimum, isolation, now);
        read.unwrap()
    }

    fn last_stable(&self) -> Offset {
        self.partition.bounds(clock::now()).unwrap().last_stable
    }

    /// Producers and where their aborted transactions begin, as a reader of committed records learns of them.
    fn aborted(&self) -> Vec<(i64, i64)> {
        let aborted = self.read(Isolation::ReadCommitted).aborted;
        let pairs = aborted
            .iter()
            .map(|txn| (txn.producer_id.0, txn.first_offset.0));
        pairs.collect()
    }

    /// What the log itself says: where the first open transaction begins, and which were aborted.
    fn told_by_the_log(&self) -> (Offset, Vec<(i64, i64)>) {
        let mut open = std::collections::BTreeMap::new();
        let mut aborted = Vec::new();
        let end = self.partition.with_log(clock::now(), |log, _| {
            log.scan_producers(Offset::ZERO, log.end(), &mut |header, control| {
                let id = header.producer_id.0;
                let Some(batch) = control else {
                    open.entry(id).or_insert(header.base_offset);
                    return;
                };
                let committed = marker(header, batch).unwrap().committed;
                if let (Some(first), false) = (open.remove(&id), committed) {
                    aborted.push((id, first.0));
                }
            })?;
            Ok(log.end())
        });
        let first_open = open.into_values().min();
        (first_open.unwrap_or(end.unwrap()), aborted)
    }
}

#[tokio::test]
async fn readers_of_committed_records_get_on_when_the_marker_is_on_disk() {
    let node = Node::new();
    node.send(7, 0).await.unwrap();
    assert_eq!(node.last_stable(), Offset(0));
    let watch = Arc::new(Watch::default());
    let fetch = watch.wait_with(FetchWait::new(i64::MAX)).unwrap();
    let seen = node.read(Isolation::ReadCommitted);
    assert!(seen.slice.is_none());
    let (bounds, now) = (seen.bounds, clock::now());
    assert!(node.partition.watch(&watch, None, bounds, now));
    let sync = node.disk.hold_once(Call::SyncData);
    let end = EndTransaction {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(1),
        outcome: Outcome::Commit,
        coordinator_epoch: 0,
        transaction_version: TransactionVersion(2),
    };
    let mut wait = None;
    let placed = node
        .partition
        .append_marker(&end, &mut wait, clock::now())
        .unwrap();
    assert_eq!(placed.base_offset, Offset(1));
    assert_eq!(
        node.last_stable(),
        Offset(0),
        "a power cut may take it back"
    );
    sync.wait();
    fetch.wait().ready().await;
    settled(wait).await.unwrap();
    assert_eq!(node.last_stable(), Offset(2));
    let read = node.read(Isolation::ReadCommitted);
    assert!(read.slice.is_some() && read.aborted.is_empty());
}

#[tokio::test]
async fn with_memory_a_marker_counts_at_once() {
    let node = Node::on(&Arc::default(), &[("ottla.durability", "memory")]);
    node.send(7, 0).await.unwrap();
    node.send(8, 0).await.unwrap();
    node.end(7, Outcome::Abort).await.unwrap();
    assert_eq!(node.last_stable(), Offset(1), "8 is still at it");
    assert_eq!(node.aborted(), [(7, 0)]);
    node.end(8, Outcome::Commit).await.unwrap();
    assert_eq!(node.last_stable(), Offset(4));
}

#[tokio::test]
async fn a_marker_that_comes_again_ends_nothing_and_one_that_comes_late_is_refused() {
    let node = Node::new();
    node.send(7, 0).await.unwrap();
    node.end(7, Outcome::Abort).await.unwrap();
    node.end(7, Outcome::Abort).await.unwrap();
    assert_eq!(node.aborted(), [(7, 0)]);
    let late = EndTransaction {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(0),
        outcome: Outcome::Commit,
        coordinator_epoch: 3,
        transaction_version: TransactionVersion(0),
    };
    let of_predecessor = EndTransaction {
        producer_epoch: ProducerEpoch(2),
        coordinator_epoch: 2,
        ..late
    };
    let append = |end| node.partition.append_marker(&end, &mut None, clock::now());
    assert_eq!(append(late), Err(ErrorCode::InvalidProducerEpoch));
    let fenced = Err(ErrorCode::TransactionCoordinatorFenced);
    assert_eq!(append(of_predecessor), fenced);
    assert_eq!(node.last_stable(), Offset(3), "nothing was written");
}

/// The sums said of an index that the first marker of a new segment had no entry, and the index was made anew with a
/// warning at the next start.
#[tokio::test]
async fn an_index_that_begins_with_its_segment_is_believed() {
    let memory = Arc::new(MemoryDisk::new());
    let mut node = Node::on(&memory, &[]);
    node.timestamp = Millis(1);
    node.send(7, 0).await.unwrap();
    node.end(7, Outcome::Abort).await.unwrap();
    let segments = |node: &Node| {
        let found = node.partition.with_log(clock::now(), |log, _| {
            let bases: Vec<_> = log.segment_ranges().map(|(base, _)| base).collect();
            Ok(bases
                .into_iter()
                .map(|base| log.txn_index(base).unwrap())
                .collect::<Vec<_>>())
        });
        found.unwrap()
    };
    let before = segments(&node);
    assert_eq!(before.len(), 2);
    node.storage.close();
    let again = Node::on(&memory, &[]);
    assert_eq!(segments(&again), before);
}

/// A marker is on the log or it is not, and readers are told accordingly, at whatever change of the disk the process or
/// the power ends.
#[tokio::test]
async fn a_crash_between_a_marker_and_its_index_changes_nothing() {
    let mut random = Random::new(7);
    // With memory, a power cut may leave a broken batch between whole ones, which is another story.
    let mild = [Crash::Process, Crash::LoseAll].as_slice();
    let all = [
        Crash::Process,
        Crash::LoseAll,
        Crash::Torn,
        Crash::Scattered,
    ]
    .as_slice();
    let cases = [("disk", all), ("memory", mild)]
        .into_iter()
        .flat_map(|(durability, ways)| [(durability, ways, false), (durability, ways, true)]);
    for (durability, ways, rolls) in cases {
        for (changes, how) in (0..30).flat_map(|n| ways.iter().map(move |how| (n, *how))) {
            let case = format!("{durability}, {rolls}, cut off after {changes}, {how:?}");
            let memory = Arc::new(MemoryDisk::new());
            let settings = [("ottla.durability", durability)];
            let mut node = Node::on(&memory, &settings);
            if rolls {
                node.timestamp = Millis(1);
            }
            for producer in [7, 8, 9] {
                node.send(producer, 0).await.unwrap();
            }
            node.storage.dirs.write_checkpoints();
            node.disk.cut_off_after(changes);
            let mut acknowledged = Vec::new();
            for (producer, outcome) in [
                (7, Outcome::Abort),
                (8, Outcome::Commit),
                (9, Outcome::Abort),
            ] {
                if node.end(producer, outcome).await.is_ok() {
                    acknowledged.push((producer, outcome));
                }
            }
            node.disk.cut_off();
            if how != Crash::Process {
                memory.crash(how, &mut random);
            }
            let again = Node::on(&memory, &settings);
            again.partition.recover(clock::now()).unwrap();
            let wait = AckWait::new();
            again.partition.make_visible(&wait, clock::now()).unwrap();
            settled(Some(wait)).await.unwrap();
            let (stable, aborted) = again.told_by_the_log();
            assert_eq!(
                (again.last_stable(), again.aborted()),
                (stable, aborted.clone()),
                "{case}"
            );
            let is_safe = durability == "disk" || matches!(how, Crash::Process);
            for (producer, outcome) in acknowledged.into_iter().filter(|_| is_safe) {
                let is_aborted = aborted.iter().any(|(id, _)| *id == producer);
                assert_eq!(is_aborted, outcome == Outcome::Abort, "{case}");
                assert!(
                    stable > Offset(producer - 7),
                    "{case}: {producer} is open again"
                );
            }
        }
    }
}

/// The copy that a move makes may have the marker already, and would keep it.
#[tokio::test]
async fn a_marker_that_cannot_be_indexed_while_the_partition_moves_ends_the_directory() {
    let node = Node::new();
    node.send(7, 0).await.unwrap();
    let _moving = node.partition.stop_cleaning();
    node.disk.fail_from(Call::Write, 1, ENOSPC);
    let refused = Err(ErrorCode::KafkaStorageError);
    assert_eq!(node.end(7, Outcome::Abort).await, refused);
    assert!(node.partition.dir().is_offline());
}

/// Without its entry in the index, readers would take for committed what was aborted.
#[tokio::test]
async fn a_marker_that_cannot_be_indexed_is_taken_back() {
    for (error, is_final) in [(ENOSPC, false), (EIO, true)] {
        let node = Node::new();
        node.send(7, 0).await.unwrap();
        // The marker, then the entry, and once more with what room was kept back.
        node.disk.fail_from(Call::Write, 1, error);
        let refused = Err(ErrorCode::KafkaStorageError);
        assert_eq!(node.end(7, Outcome::Abort).await, refused);
        node.disk.heal();
        assert_eq!(node.partition.dir().is_offline(), is_final);
        if is_final {
            continue;
        }
        assert_eq!(node.last_stable(), Offset(0));
        let begun = std::time::Instant::now();
        while node.end(7, Outcome::Abort).await.is_err() {
            assert!(begun.elapsed() < crate::testing::PATIENCE);
            tokio::task::yield_now().await;
        }
        assert_eq!(node.aborted(), [(7, 0)]);
        assert_eq!(
            node.last_stable(),
            Offset(2),
            "at the offset that the first one had"
        );
    }
}
