//! One partition that this node leads: its log, the state of its producers, and who waits for it.
//!
//! Always: log start ≤ high watermark ≤ log end; with `ottla.durability=disk` also high watermark ≤ flushed end, so
//! nothing is shown or acknowledged (acks=all) that a power cut could take back.
//! The folder is opened when the partition is first used, and made by the first append: thousands of idle ones cost
//! nothing, and neither does reading or awaiting what nobody has written. One lock per partition; an append happens on
//! the task of the connection that brought it.

mod append;
mod cleaning;
mod flushing;
mod life;
mod moving;
mod opened;
mod replica;
mod residence;
mod retention;
mod transactions;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_log::disk::DiskError;
use ottla_log::errors::ReadError;
use ottla_log::txn_index::AbortedTxn;
use ottla_log::{FileSlice, Log, MinimumRead, ReadRequest, names};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, PartitionIndex};
use ottla_protocol::wire::Uuid;
use parking_lot::Mutex;
use tracing::error;

use super::Storage;
use super::log_dirs::LogDir;
use super::topic::{Topic, TopicSettings};
use super::waits::AckWait;
use super::watch::Watch;
pub(crate) use append::{Acks, Append, Placed};
use cleaning::CleaningGate;
pub(crate) use cleaning::{Cleaned, CleaningMeans};
use life::Closed;
pub(crate) use moving::MoveError;
use replica::Replica;
use residence::Residence;
use retention::NextLook;

pub(crate) struct Partition {
    pub(crate) topic: Arc<Topic>,
    pub(crate) index: PartitionIndex,
    /// Changes only behind the lock of `state`.
    dir: ArcSwap<LogDir>,
    leader_epoch: AtomicI32,
    storage: Arc<Storage>,
    files: Residence,
    /// While it is closed: when retention and the cleaner have to look at it again.
    next_look: NextLook,
    next_cleaning: NextLook,
    cleaning: CleaningGate,
    state: Mutex<State>,
}

enum State {
    /// Not used since the start, or let go of since.
    Closed(Closed),
    Open(Box<Replica>),
    /// The topic is gone.
    Deleted,
}

/// Which records a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

/// Offsets of a partition at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) log_start: Offset,
    pub(crate) high_watermark: Offset,
    pub(crate) last_stable: Offset,
    pub(crate) log_end: Offset,
}

/// What a read found.
pub(crate) struct Read {
    pub(crate) slice: Option<FileSlice>,
    pub(crate) bounds: Bounds,
    /// With read_committed: the transactions whose records in the slice are to be left out.
    pub(crate) aborted: Vec<AbortedTxn>,
}

impl Read {
    fn nothing(bounds: Bounds) -> Self {
        Self {
            slice: None,
            bounds,
            aborted: Vec::new(),
        }
    }
}

impl Bounds {
    /// A partition that nobody has written to.
    const EMPTY: Self = Self {
        log_start: Offset::ZERO,
        high_watermark: Offset::ZERO,
        last_stable: Offset::ZERO,
        log_end: Offset::ZERO,
    };

    /// Where a reader has to stop.
    pub(crate) fn readable_end(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::ReadUncommitted => self.high_watermark,
            Isolation::ReadCommitted => self.last_stable,
        }
    }
}

impl Partition {
    /// A partition that the metadata puts into no particular directory.
    #[cfg(test)]
    pub(crate) fn new(
        storage: Arc<Storage>,
        topic: Arc<Topic>,
        index: PartitionIndex,
        epoch: LeaderEpoch,
    ) -> Arc<Self> {
        let unassigned = ottla_coordination::controller::UNASSIGNED_DIRECTORY;
        Self::assigned(storage, topic, index, epoch, unassigned)
    }

    /// A partition of which the metadata says in which directory it lies. Where it lies elsewhere, the controller is to
    /// be told.
    pub(crate) fn assigned(
        storage: Arc<Storage>,
        topic: Arc<Topic>,
        index: PartitionIndex,
        epoch: LeaderEpoch,
        directory: Uuid,
    ) -> Arc<Self> {
        let folder = names::partition_dir(&topic.name, index);
        let dir = storage.dirs.place(&folder, topic.id, directory);
        dir.partition_added();
        if dir.id != directory && !dir.is_offline() {
            storage.tell_directory(topic.id, index, dir.id);
        }
        Arc::new(Self {
            topic,
            index,
            dir: ArcSwap::new(dir),
            leader_epoch: AtomicI32::new(epoch.0),
            storage,
            files: Residence::default(),
            next_look: NextLook::at_once(),
            next_cleaning: NextLook::at_once(),
            cleaning: CleaningGate::default(),
            state: Mutex::new(State::Closed(Closed::default())),
        })
    }

    /// The directory that the partition lies in.
    pub(crate) fn dir(&self) -> Arc<LogDir> {
        self.dir.load_full()
    }

    /// What tells it from all others, also from those of older topics of the same name.
    pub(crate) fn key(&self) -> (Uuid, PartitionIndex) {
        (self.topic.id, self.index)
    }

    pub(crate) fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    pub(crate) fn set_leader_epoch(&self, epoch: LeaderEpoch) {
        if self.leader_epoch.swap(epoch.0, Ordering::AcqRel) != epoch.0 {
            match &mut *self.state.lock() {
                State::Closed(closed) => closed.watchers.release(),
                State::Open(replica) => replica.watchers.release(),
                State::Deleted => {}
            }
        }
    }

    /// Checks the epoch that a client believes to be current (KIP-320); -1 asks for nothing.
    pub(crate) fn check_leader_epoch(&self, claimed: LeaderEpoch) -> Result<(), ErrorCode> {
        match claimed {
            LeaderEpoch(..0) => Ok(()),
            claimed if claimed < self.leader_epoch() => Err(ErrorCode::FencedLeaderEpoch),
            claimed if claimed > self.leader_epoch() => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    pub(crate) fn settings(&self) -> arc_swap::Guard<Arc<TopicSettings>> {
        self.topic.settings.load()
    }

    /// Reads batches as a range of a segment's file.
    pub(crate) fn read(
        self: &Arc<Self>,
        from: Offset,
        bytes_max: usize,
        minimum: MinimumRead,
        isolation: Isolation,
        now: Millis,
    ) -> Result<Read, ErrorCode> {
        if self.was_never_used() {
            let bounds = Bounds::EMPTY;
            return match from {
                Offset::ZERO => Ok(Read::nothing(bounds)),
                _ => Err(ErrorCode::OffsetOutOfRange),
            };
        }
        let mut replica = self.open(now)?;
        self.note_use(&mut replica, now);
        let bounds = self.true_bounds(&mut replica)?;
        if from < bounds.log_start || from > bounds.log_end {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if bounds.high_watermark < bounds.log_end {
            self.demand_flush(&mut replica);
        }
        let upper_end = bounds.readable_end(isolation);
        if from >= upper_end || (bytes_max == 0 && minimum == MinimumRead::Nothing) {
            return Ok(Read::nothing(bounds));
        }
        if self.storage.open_files.is_crowded() && replica.log.open_files() == 0 {
            // A later fetch finds room, when answers that hold files have been sent.
            return Ok(Read::nothing(bounds));
        }
        let request = ReadRequest {
            from,
            max_bytes: bytes_max,
            upper_end,
            minimum,
        };
        let read = |log: &Log| {
            let slice = log.read(request)?;
            let aborted = match (&slice, isolation) {
                (Some(slice), Isolation::ReadCommitted) if log.may_have_aborted(from) => {
                    log.aborted_txns(from, log.end_of_slice(slice)?.min(upper_end))?
                }
                _ => Vec::new(),
            };
            Ok(Read {
                slice,
                bounds,
                aborted,
            })
        };
        read(&replica.log).map_err(|error| self.read_failed(&error))
    }

    fn true_bounds(&self, replica: &mut Replica) -> Result<Bounds, ErrorCode> {
        replica
            .true_bounds(&*self.dir().disk)
            .map_err(|error| self.disk_failed(&error))
    }

    /// Looks at the log without changing anything that others see.
    pub(crate) fn with_log<T>(
        &self,
        now: Millis,
        look: impl FnOnce(&mut Log, Bounds) -> Result<T, ReadError>,
    ) -> Result<T, ErrorCode> {
        let mut replica = self.open(now)?;
        let bounds = self.true_bounds(&mut replica)?;
        look(&mut replica.log, bounds).map_err(|error| self.read_failed(&error))
    }

    pub(crate) fn bounds(&self, now: Millis) -> Result<Bounds, ErrorCode> {
        if self.was_never_used() {
            return Ok(Bounds::EMPTY);
        }
        let mut replica = self.open(now)?;
        self.true_bounds(&mut replica)
    }

    /// Asks that everything appended so far becomes visible; true if that takes a flush, which is counted on
    /// `wait`.
    pub(crate) fn make_visible(
        self: &Arc<Self>,
        wait: &Arc<AckWait>,
        now: Millis,
    ) -> Result<bool, ErrorCode> {
        if self.was_never_used() {
            return Ok(false);
        }
        let mut replica = self.open(now)?;
        let is_behind = replica.high_watermark < replica.log.end();
        if is_behind {
            replica.wait_for_flush(wait);
            self.demand_flush(&mut replica);
        }
        Ok(is_behind)
    }

    /// Has a reader told of what comes after it has `seen` so much. False if more can be read already: the caller then
    /// reads again.
    pub(crate) fn watch(
        self: &Arc<Self>,
        watch: &Arc<Watch>,
        place: Option<u64>,
        seen: Bounds,
        now: Millis,
    ) -> bool {
        if seen == Bounds::EMPTY && self.watch_unused(watch, place) {
            return true;
        }
        let Ok(mut replica) = self.open(now) else {
            return false;
        };
        let bounds = replica.bounds();
        // The end of the log may have moved, which a reader does not see.
        let is_same = seen
            == Bounds {
                log_end: seen.log_end,
                ..bounds
            };
        if is_same {
            replica.watchers.add(watch, place);
            if seen.log_end < bounds.log_end {
                self.demand_flush(&mut replica);
            }
        }
        is_same
    }

    /// Raises the log's start (DeleteRecords). It is durable once the directory's checkpoints are written.
    pub(crate) fn delete_records(&self, before: Offset, now: Millis) -> Result<Offset, ErrorCode> {
        let mut replica = self.open(now)?;
        let bounds = replica.bounds();
        let before = if before == Offset(-1) {
            bounds.high_watermark
        } else {
            before
        };
        if before < Offset::ZERO || before > bounds.high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if before > bounds.log_start {
            self.dir()
                .with_room(|| replica.log.set_start(before))
                .map_err(|error| self.disk_failed(&error))?;
            self.note(&replica);
            replica.watchers.release();
        }
        Ok(replica.log.start())
    }

    /// Applies new settings to an open log.
    pub(crate) fn settings_changed(&self) {
        let mut state = self.state.lock();
        if let State::Open(replica) = &mut *state {
            replica.log.set_config(self.settings().log.clone());
        }
        // Under the lock, so that a look that began with the old settings ends before.
        self.next_look.reset();
        self.next_cleaning.reset();
    }

    /// Forgets producers that have been silent for long.
    pub(crate) fn expire_producers(&self, now: Millis, expiration: Duration) {
        if let State::Open(replica) = &mut *self.state.lock()
            && let Some(states) = &mut replica.producers
        {
            states.expire(
                now,
                i64::try_from(expiration.as_millis()).unwrap_or(i64::MAX),
            );
        }
    }

    fn read_failed(&self, error: &ReadError) -> ErrorCode {
        match error {
            ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ReadError::Disk(error) => {
                error!("{error}");
                ErrorCode::KafkaStorageError
            }
            ReadError::Corrupt(corruption) => {
                error!(topic = %self.topic.name, partition = %self.index, "{corruption}");
                ErrorCode::CorruptMessage
            }
        }
    }

    fn disk_failed(&self, error: &DiskError) -> ErrorCode {
        self.storage.dirs.disk_trouble(&self.dir(), error);
        ErrorCode::KafkaStorageError
    }
}
