//! One partition that this node leads: its log, the state of its producers, and who waits for it.
//!
//! Always: log start ≤ high watermark ≤ log end; with `ottla.durability=disk` also high watermark ≤ flushed end, so
//! nothing is shown or acknowledged (acks=all) that a power cut could take back.
//! The folder is opened, and made, when the partition is first used: thousands of idle ones cost nothing. One lock per
//! partition; an append happens on the task of the connection that brought it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ottla_coordination::txn::{ProducerBatch, ProducerStates, Verdict};
use ottla_log::disk::{Disk, DiskError};
use ottla_log::errors::{AppendError, OpenError, ReadError};
use ottla_log::log::{FlushTicket, Flushed};
use ottla_log::{
    FileSlice, Log, MinimumRead, Offsets, OpenInput, ReadRequest, Timestamps, names,
    partition_metadata,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, PartitionIndex};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use tracing::{error, info, warn};

use super::log_dirs::{Checkpointed, LogDir};
use super::topic::{Durability, Topic, TopicSettings};
use super::waits::{AckWait, FetchWait};
use super::{Storage, producers};

pub(crate) struct Partition {
    pub(crate) topic: Arc<Topic>,
    pub(crate) index: PartitionIndex,
    pub(crate) dir: Arc<LogDir>,
    leader_epoch: AtomicI32,
    storage: Arc<Storage>,
    state: Mutex<State>,
}

enum State {
    /// Not used since the start, or let go of since.
    Closed,
    Open(Box<Replica>),
    /// The topic is gone.
    Deleted,
}

/// The part behind the lock.
pub(crate) struct Replica {
    pub(crate) log: Log,
    /// None until the first batch of an idempotent producer.
    producers: Option<ProducerStates>,
    high_watermark: Offset,
    /// Bytes ever appended by this process, and how many of them lie below the high watermark.
    appended_bytes: u64,
    visible_bytes: u64,
    flush: Flush,
    acks: VecDeque<(Offset, Arc<AckWait>)>,
    fetches: Vec<Arc<FetchWait>>,
    /// Waits in the keeper's list for its next round.
    is_listed: bool,
    /// `appended_bytes` in the keeper's last round, and for how many rounds they have not changed.
    bytes_last_round: u64,
    idle_rounds: u32,
}

/// Whether one of the flusher's threads has this partition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    Idle,
    Running,
    /// More was asked for while a flush ran.
    Again,
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

/// After so many of the keeper's rounds without an append everything is flushed, whatever the topic's durability, and
/// the files are closed.
const IDLE_ROUNDS: u32 = 5;

/// What a read found.
pub(crate) struct Read {
    pub(crate) slice: Option<FileSlice>,
    pub(crate) bounds: Bounds,
}

/// Which acknowledgement the producer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    None,
    Leader,
    All,
}

/// How a batch is to be appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Append {
    pub(crate) acks: Acks,
    /// `message.timestamp.type=LogAppendTime`
    pub(crate) log_append_time: bool,
    /// Set for a batch of an idempotent producer.
    pub(crate) producer: Option<ProducerBatch>,
}

/// Where a batch is on the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) base_offset: Offset,
    pub(crate) log_append_time: Option<Millis>,
    pub(crate) log_start: Offset,
}

impl Partition {
    pub(crate) fn new(
        storage: Arc<Storage>,
        topic: Arc<Topic>,
        index: PartitionIndex,
        epoch: LeaderEpoch,
    ) -> Arc<Self> {
        let dir = storage
            .dirs
            .place(&names::partition_dir(&topic.name, index));
        dir.partition_added();
        Arc::new(Self {
            topic,
            index,
            dir,
            leader_epoch: AtomicI32::new(epoch.0),
            storage,
            state: Mutex::new(State::Closed),
        })
    }

    pub(crate) fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    pub(crate) fn set_leader_epoch(&self, epoch: LeaderEpoch) {
        self.leader_epoch.store(epoch.0, Ordering::Release);
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

    /// Appends one validated batch; offset and epoch are written into it in place. What an acknowledgement has to wait
    /// for is counted on `wait`.
    pub(crate) fn append(
        self: &Arc<Self>,
        batch: &mut [u8],
        how: Append,
        wait: &mut Option<Arc<AckWait>>,
        now: Millis,
    ) -> Result<Placed, ErrorCode> {
        let settings = self.settings();
        let mut replica = self.open(now)?;
        if let Some(producer) = &how.producer {
            let states = replica
                .producers(&*self.dir.disk)
                .map_err(|error| self.disk_failed(&error))?;
            if let Verdict::Duplicate(first) = states.check(producer)? {
                let placed = Placed {
                    base_offset: first.base_offset,
                    log_append_time: how.log_append_time.then_some(first.timestamp),
                    log_start: replica.log.start(),
                };
                self.after_append(&mut replica, settings.durability, how.acks, wait, now);
                return Ok(placed);
            }
        }
        let offsets = Offsets::Assign {
            leader_epoch: self.leader_epoch(),
        };
        let timestamps = if how.log_append_time {
            Timestamps::LogAppend
        } else {
            Timestamps::Create
        };
        let appended = replica
            .log
            .append(batch, offsets, timestamps, now)
            .map_err(|error| self.append_failed(&error))?;
        let replica = &mut *replica;
        if let (Some(at), Some(states)) = (appended.rolled, &replica.producers) {
            producers::write_snapshot(&replica.log, &*self.dir.disk, at, states);
        }
        if let (Some(producer), Some(states)) = (&how.producer, &mut replica.producers) {
            states.apply(producer, appended.base_offset);
        }
        replica.appended_bytes += batch.len() as u64;
        if settings.durability == Durability::Memory {
            let (end, bytes) = (replica.log.end(), replica.appended_bytes);
            replica.show(end, bytes);
        }
        self.after_append(replica, settings.durability, how.acks, wait, now);
        Ok(Placed {
            base_offset: appended.base_offset,
            log_append_time: appended.log_append_time,
            log_start: replica.log.start(),
        })
    }

    /// Sees to the flush that an append needs, now or in the keeper's next round.
    fn after_append(
        self: &Arc<Self>,
        replica: &mut Replica,
        durability: Durability,
        acks: Acks,
        wait: &mut Option<Arc<AckWait>>,
        now: Millis,
    ) {
        let by_interval = replica.log.flush_is_due(now);
        let by_acks = acks == Acks::All && durability == Durability::Disk;
        if (by_interval || by_acks) && replica.log.flushed_end() < replica.log.end() {
            if acks != Acks::None {
                replica.wait_for_flush(wait.get_or_insert_with(AckWait::new));
            }
            self.demand_flush(replica);
        } else if durability == Durability::Disk && !replica.fetches.is_empty() {
            self.demand_flush(replica);
        }
        if !replica.is_listed {
            replica.is_listed = true;
            self.storage.keeper.list(self.clone());
        }
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
        let mut replica = self.open(now)?;
        let bounds = replica.bounds();
        if from < bounds.log_start || from > bounds.log_end {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if bounds.high_watermark < bounds.log_end {
            self.demand_flush(&mut replica);
        }
        let upper_end = match isolation {
            Isolation::ReadUncommitted => bounds.high_watermark,
            Isolation::ReadCommitted => bounds.last_stable,
        };
        if from >= upper_end || (bytes_max == 0 && minimum == MinimumRead::Nothing) {
            return Ok(Read {
                slice: None,
                bounds,
            });
        }
        let request = ReadRequest {
            from,
            max_bytes: bytes_max,
            upper_end,
            minimum,
        };
        let slice = replica
            .log
            .read(request)
            .map_err(|error| self.read_failed(&error))?;
        Ok(Read { slice, bounds })
    }

    /// Looks at the log without changing anything that others see.
    pub(crate) fn with_log<T>(
        &self,
        now: Millis,
        look: impl FnOnce(&mut Log, Bounds) -> Result<T, ReadError>,
    ) -> Result<T, ErrorCode> {
        let mut replica = self.open(now)?;
        let bounds = replica.bounds();
        look(&mut replica.log, bounds).map_err(|error| self.read_failed(&error))
    }

    pub(crate) fn bounds(&self, now: Millis) -> Result<Bounds, ErrorCode> {
        Ok(self.open(now)?.bounds())
    }

    /// Asks that everything appended so far becomes visible; true if that takes a flush, which is counted on
    /// `wait`.
    pub(crate) fn make_visible(
        self: &Arc<Self>,
        wait: &Arc<AckWait>,
        now: Millis,
    ) -> Result<bool, ErrorCode> {
        let mut replica = self.open(now)?;
        let is_behind = replica.high_watermark < replica.log.end();
        if is_behind {
            replica.wait_for_flush(wait);
            self.demand_flush(&mut replica);
        }
        Ok(is_behind)
    }

    /// Parks a fetch. False if more than `seen` can be read already: the caller then reads again.
    pub(crate) fn park_fetch(&self, wait: &Arc<FetchWait>, seen: Bounds, now: Millis) -> bool {
        match self.open(now) {
            Ok(mut replica) if replica.bounds() == seen => {
                replica.fetches.push(wait.clone());
                true
            }
            Ok(mut replica) => {
                // Only the end of the log may have moved, which a reader does not see.
                let now_visible = replica.bounds();
                let same = Bounds {
                    log_end: seen.log_end,
                    ..now_visible
                } == seen;
                if same {
                    replica.fetches.push(wait.clone());
                }
                same
            }
            Err(_) => false,
        }
    }

    pub(crate) fn unpark_fetch(&self, wait: &Arc<FetchWait>) {
        if let State::Open(replica) = &mut *self.state.lock() {
            replica.fetches.retain(|parked| !Arc::ptr_eq(parked, wait));
        }
    }

    /// Raises the log's start (DeleteRecords).
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
            replica
                .log
                .set_start(before)
                .map_err(|error| self.disk_failed(&error))?;
            self.note(&replica);
            replica.wake_all();
        }
        Ok(replica.log.start())
    }

    /// Applies new settings to an open log.
    pub(crate) fn settings_changed(&self) {
        if let State::Open(replica) = &mut *self.state.lock() {
            replica.log.set_config(self.settings().log.clone());
        }
    }

    /// Deletes segments that retention lets go and rolls by age; the files go later.
    pub(crate) fn apply_retention(&self, now: Millis) {
        if self.was_never_used() {
            return;
        }
        let Ok(mut replica) = self.open(now) else {
            return;
        };
        let high_watermark = replica.high_watermark;
        match replica.log.apply_retention(high_watermark, now) {
            Ok(segments) if segments.is_empty() => {}
            Ok(segments) => {
                self.note(&replica);
                replica.wake_all();
                drop(replica);
                for segment in segments {
                    info!(
                        topic = %self.topic.name, partition = %self.index, base_offset = %segment.base_offset,
                        bytes = segment.bytes, reason = ?segment.reason, "segment deleted"
                    );
                    self.storage.keeper.remove_later(self.dir.clone(), segment);
                }
            }
            Err(error) => drop(self.disk_failed(&error)),
        }
    }

    /// Forgets producers that have been silent for long.
    pub(crate) fn expire_producers(&self, now: Millis, expiration: Duration) {
        if let State::Open(replica) = &mut *self.state.lock()
            && let Some(states) = &mut replica.producers
        {
            states.expire(now, i64::try_from(expiration.as_millis()).unwrap_or(i64::MAX));
        }
    }

    /// Takes the partition out of service for good and its folder out of the way.
    pub(crate) fn delete(&self, unique: u128, now: Millis) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Deleted);
        if let State::Open(mut replica) = state {
            replica.wake_all();
            for (_, wait) in replica.acks.drain(..) {
                wait.fail();
            }
        }
        self.dir.forget(&self.topic.name, self.index);
        self.dir.partition_removed();
        let folder = self.folder();
        if self.dir.disk.info(&folder).is_err() {
            return;
        }
        let doomed = self
            .dir
            .path
            .join(names::delete_dir(&self.topic.name, self.index, unique));
        match self.dir.disk.rename(&folder, &doomed) {
            Ok(()) => {
                let delay = self.settings().log.file_delete_delay_ms;
                self.storage
                    .keeper
                    .remove_folder_later(self.dir.clone(), doomed, now.plus(delay));
            }
            Err(error) => {
                warn!(folder = %folder.display(), "cannot rename a deleted partition's folder: {error}")
            }
        }
    }

    /// Flushes and closes the log, so that the mark of a clean shutdown is true of it.
    pub(crate) fn close(&self) -> Result<(), DiskError> {
        let state = std::mem::replace(&mut *self.state.lock(), State::Closed);
        let State::Open(mut replica) = state else {
            return Ok(());
        };
        let log_start = replica.log.start();
        replica.wake_all();
        let acks = std::mem::take(&mut replica.acks);
        match replica.log.close() {
            Ok(recovery_point) => {
                acks.into_iter().for_each(|(_, wait)| wait.release());
                self.dir.note(
                    &self.topic.name,
                    self.index,
                    Checkpointed {
                        recovery_point,
                        log_start,
                    },
                );
                Ok(())
            }
            Err(error) => {
                acks.into_iter().for_each(|(_, wait)| wait.fail());
                Err(error)
            }
        }
    }

    /// Bytes on disk. A partition that was never used has no folder, and gets none for this.
    pub(crate) fn size_bytes(&self, now: Millis) -> Result<u64, ErrorCode> {
        if self.was_never_used() {
            return Ok(0);
        }
        Ok(self.open(now)?.log.size_bytes())
    }

    fn folder(&self) -> PathBuf {
        self.dir.path.join(names::partition_dir(&self.topic.name, self.index))
    }

    /// A partition that nobody has written to or read from has no folder, and gets none for being looked at.
    fn was_never_used(&self) -> bool {
        matches!(*self.state.lock(), State::Closed) && self.dir.disk.info(&self.folder()).is_err()
    }

    fn open(&self, now: Millis) -> Result<MappedMutexGuard<'_, Replica>, ErrorCode> {
        if self.dir.is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let mut guard = self.state.lock();
        if matches!(*guard, State::Closed) {
            *guard = State::Open(Box::new(self.open_log(now)?));
        }
        MutexGuard::try_map(guard, |state| match state {
            State::Open(replica) => Some(&mut **replica),
            State::Closed | State::Deleted => None,
        })
        .map_err(|_| ErrorCode::UnknownTopicOrPartition)
    }

    fn open_log(&self, now: Millis) -> Result<Replica, ErrorCode> {
        let folder = self.folder();
        self.clear_foreign_folder(&folder, now)
            .map_err(|error| self.disk_failed(&error))?;
        let checkpointed = self.dir.checkpointed(&self.topic.name, self.index);
        let input = OpenInput {
            recovery_point: checkpointed.recovery_point,
            log_start: checkpointed.log_start,
            clean_shutdown: self.dir.was_clean,
        };
        let settings = self.settings();
        let opened = Log::open(
            self.dir.disk.clone(),
            &folder,
            settings.log.clone(),
            input,
            now,
        );
        let (mut log, report) = opened.map_err(|error| match error {
            OpenError::Disk(error) => self.disk_failed(&error),
            other => {
                error!(folder = %folder.display(), "cannot open the log: {other}");
                ErrorCode::KafkaStorageError
            }
        })?;
        if !report.is_quiet() {
            warn!(folder = %folder.display(), ?report, "log recovered");
        }
        log.begin_epoch(self.leader_epoch());
        let end = match settings.durability {
            Durability::Memory => log.end(),
            Durability::Disk => log.flushed_end(),
        };
        Ok(Replica {
            high_watermark: end.max(log.start()),
            log,
            producers: None,
            appended_bytes: 0,
            visible_bytes: 0,
            flush: Flush::Idle,
            acks: VecDeque::new(),
            fetches: Vec::new(),
            is_listed: false,
            bytes_last_round: 0,
            idle_rounds: 0,
        })
    }

    /// A folder of an older topic of the same name is moved away; a new one gets the topic's id.
    fn clear_foreign_folder(&self, folder: &Path, now: Millis) -> Result<(), DiskError> {
        let disk = &*self.dir.disk;
        match partition_metadata::read(disk, folder) {
            Ok(Some(id)) if id == self.topic.id => return Ok(()),
            Ok(None) => {}
            Ok(Some(_)) => {
                let unique = u128::from(now.0.unsigned_abs());
                let doomed =
                    self.dir
                        .path
                        .join(names::delete_dir(&self.topic.name, self.index, unique));
                warn!(folder = %folder.display(), "the folder belongs to an older topic of this name: deleted");
                disk.rename(folder, &doomed).map_err(|source| DiskError {
                    what: "rename",
                    path: folder.to_owned(),
                    source,
                })?;
                self.storage
                    .keeper
                    .remove_folder_later(self.dir.clone(), doomed, now);
            }
            // Its records are read with the id of the topic that the metadata log names.
            Err(error) => warn!(folder = %folder.display(), "{error}"),
        }
        disk.create_dir_all(folder).map_err(|source| DiskError {
            what: "create",
            path: folder.to_owned(),
            source,
        })?;
        partition_metadata::write(disk, folder, self.topic.id)
    }

    /// Has the flusher sync what is appended, one flush at a time.
    fn demand_flush(self: &Arc<Self>, replica: &mut Replica) {
        match replica.flush {
            Flush::Idle => {
                replica.flush = Flush::Running;
                self.storage.flusher.submit(self.clone());
            }
            Flush::Running | Flush::Again => replica.flush = Flush::Again,
        }
    }

    /// The keeper's round: flushes in the background what nobody waits for. True if the partition is to be looked at
    /// again in the next round.
    pub(crate) fn keep(self: &Arc<Self>, now: Millis) -> bool {
        let durability = self.settings().durability;
        let mut state = self.state.lock();
        let State::Open(replica) = &mut *state else {
            return false;
        };
        let is_idle = replica.appended_bytes == replica.bytes_last_round;
        replica.bytes_last_round = replica.appended_bytes;
        replica.idle_rounds = if is_idle { replica.idle_rounds + 1 } else { 0 };
        let is_flushed = replica.log.flushed_end() == replica.log.end();
        if is_flushed && replica.idle_rounds >= IDLE_ROUNDS {
            replica.log.release_files();
            replica.is_listed = false;
            return false;
        }
        let is_due = durability == Durability::Disk
            || replica.idle_rounds >= IDLE_ROUNDS
            || replica.log.flush_is_due(now);
        if is_due && !is_flushed {
            self.demand_flush(replica);
        }
        true
    }

    /// One of the flusher's threads: syncs until nobody asks for more.
    pub(crate) fn flush(&self) {
        while let Some((ticket, bytes)) = self.start_flush() {
            let flushed = ticket.map(FlushTicket::run).transpose();
            if !self.finish_flush(flushed, bytes) {
                return;
            }
        }
    }

    fn start_flush(&self) -> Option<(Option<FlushTicket>, u64)> {
        let mut state = self.state.lock();
        let State::Open(replica) = &mut *state else {
            return None;
        };
        replica.flush = Flush::Running;
        match replica.log.start_flush() {
            Ok(ticket) => Some((ticket, replica.appended_bytes)),
            Err(error) => {
                self.flush_failed(replica, &error);
                None
            }
        }
    }

    /// Takes in what a flush achieved; true if another one is wanted.
    fn finish_flush(&self, flushed: Result<Option<Flushed>, DiskError>, bytes: u64) -> bool {
        let mut state = self.state.lock();
        let State::Open(replica) = &mut *state else {
            return false;
        };
        match flushed {
            Ok(flushed) => {
                if let Some(flushed) = flushed {
                    replica.log.finish_flush(flushed);
                }
                let end = replica.log.flushed_end();
                replica.show(end, bytes);
                replica.release_acks();
                self.note(replica);
                let again = replica.flush == Flush::Again;
                if !again {
                    replica.flush = Flush::Idle;
                }
                again
            }
            Err(error) => {
                self.flush_failed(replica, &error);
                false
            }
        }
    }

    /// A sync failed: the directory is lost until the next start, and nobody who waited is told otherwise.
    fn flush_failed(&self, replica: &mut Replica, error: &DiskError) {
        replica.flush = Flush::Idle;
        self.storage.dirs.fail(&self.dir, error);
        replica.acks.drain(..).for_each(|(_, wait)| wait.fail());
        replica.wake_all();
    }

    fn note(&self, replica: &Replica) {
        let at = Checkpointed {
            recovery_point: replica.log.flushed_end(),
            log_start: replica.log.start(),
        };
        self.dir.note(&self.topic.name, self.index, at);
    }

    fn append_failed(&self, error: &AppendError) -> ErrorCode {
        match error {
            AppendError::Disk(error) => self.disk_failed(error),
            AppendError::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            AppendError::Malformed(_) | AppendError::OutOfOrder { .. } => {
                error!(topic = %self.topic.name, partition = %self.index, "append refused by the log: {error}");
                ErrorCode::UnknownServerError
            }
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
        self.storage.dirs.disk_trouble(&self.dir, error);
        ErrorCode::KafkaStorageError
    }
}

impl Replica {
    /// The state of the producers, read from the log when the first of them is seen.
    fn producers(&mut self, disk: &dyn Disk) -> Result<&mut ProducerStates, DiskError> {
        if self.producers.is_none() {
            self.producers = Some(producers::load(&self.log, disk)?);
        }
        Ok(self.producers.get_or_insert_default())
    }

    /// Counts on `wait` until everything appended so far is flushed.
    fn wait_for_flush(&mut self, wait: &Arc<AckWait>) {
        wait.add();
        self.acks.push_back((self.log.end(), wait.clone()));
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            log_start: self.log.start(),
            high_watermark: self.high_watermark,
            last_stable: self.high_watermark,
            log_end: self.log.end(),
        }
    }

    /// Moves the high watermark and tells the fetches how much more they can read.
    fn show(&mut self, end: Offset, bytes: u64) {
        if end <= self.high_watermark {
            return;
        }
        self.high_watermark = end;
        let more = bytes.saturating_sub(self.visible_bytes);
        self.visible_bytes = self.visible_bytes.max(bytes);
        for fetch in &self.fetches {
            fetch.grow(more);
        }
    }

    /// Acknowledges everything that is flushed.
    fn release_acks(&mut self) {
        let flushed_end = self.log.flushed_end();
        while let Some((_, wait)) = self.acks.pop_front_if(|(end, _)| *end <= flushed_end) {
            wait.release();
        }
    }

    fn wake_all(&mut self) {
        for fetch in self.fetches.drain(..) {
            fetch.release();
        }
    }
}
