//! A partition's folder: opened when it is first used, closed when the server stops, moved away when the topic goes.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_coordination::txn::ProducerStates;
use ottla_log::disk::{Disk, DiskError, make_folder};
use ottla_log::errors::OpenError;
use ottla_log::{Log, OpenInput, names, partition_metadata};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{Millis, Offset};
use tracing::warn;

use super::opened::{Afterwards, Opened, opened};
use super::replica::{Flush, Replica};
use super::{Partition, State};
use crate::exec::checkpoints::Checkpointed;
use crate::exec::producers::Extent;
use crate::exec::topic::Durability;
use crate::exec::watch::{Watch, Watchers};

/// A partition that is not in use.
#[derive(Default)]
pub(super) struct Closed {
    /// Who watches it, perhaps for the first record of a partition that has no folder, watches on.
    pub(super) watchers: Watchers,
    /// Nobody has written to it, and it has no folder. Once known it holds until the partition is opened.
    pub(super) is_unused: bool,
}

impl Partition {
    /// Takes the partition out of service for good and its folder out of the way.
    pub(crate) fn delete(&self, unique: u128, now: Millis) {
        let _not_cleaned = self.stop_cleaning();
        let state = std::mem::replace(&mut *self.state.lock(), State::Deleted);
        match state {
            State::Open(mut replica) => {
                replica.watchers.release();
                for (_, wait) in replica.acks.drain(..) {
                    wait.fail();
                }
            }
            State::Closed(mut closed) => closed.watchers.release(),
            State::Deleted => {}
        }
        let at = self.dir().checkpointed(&self.topic.name, self.index);
        self.dir().forget(&self.topic.name, self.index);
        self.dir().partition_removed();
        if self.dir().is_offline() {
            return;
        }
        let folder = self.folder();
        let doomed = self
            .dir()
            .path
            .join(names::delete_dir(&self.topic.name, self.index, unique));
        match self.dir().disk.rename(&folder, &doomed) {
            Ok(()) => {
                if at.recovery_point == Offset::ZERO {
                    self.keep_name_of_deleted();
                }
                let delay = self.settings().log.file_delete_delay_ms;
                self.storage
                    .keeper
                    .remove_folder_later(self.dir(), doomed, now.plus(delay));
            }
            // Never used.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                warn!(folder = %folder.display(), "cannot rename a deleted partition's folder: {error}")
            }
        }
    }

    /// A folder that was never flushed may lose the topic's id in a power cut. Under its old name a later topic of that name
    /// would take it for its own.
    fn keep_name_of_deleted(&self) {
        let dir = self.dir();
        let synced = dir.disk.sync_dir(&dir.path);
        if let Err(source) = synced {
            let error = DiskError {
                what: "sync directory",
                path: dir.path.clone(),
                source,
            };
            self.storage.dirs.fail(&dir, &error);
        }
    }

    /// Flushes and closes the log, so that the mark of a clean shutdown is true of it.
    pub(crate) fn close(&self) -> Result<(), DiskError> {
        let state = std::mem::replace(&mut *self.state.lock(), State::Closed(Closed::default()));
        let mut replica = match state {
            State::Open(replica) => replica,
            State::Closed(mut closed) => {
                closed.watchers.release();
                return Ok(());
            }
            State::Deleted => return Ok(()),
        };
        let log_start = replica.log.start();
        replica.watchers.release();
        let acks = std::mem::take(&mut replica.acks);
        let snapshot = replica.snapshot_at_close(&*self.dir().disk);
        match snapshot.and_then(|()| replica.log.close()) {
            Ok(recovery_point) => {
                acks.into_iter().for_each(|(_, wait)| wait.release());
                self.dir().note(
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

    /// The directory has failed: whoever waits is told so, and the files are let go of.
    pub(crate) fn leave_failed_directory(&self) {
        let mut state = self.state.lock();
        if !self.dir().is_offline() || matches!(*state, State::Deleted) {
            return;
        }
        match std::mem::replace(&mut *state, State::Closed(Closed::default())) {
            State::Open(mut replica) => self.flush_failed(&mut replica),
            State::Closed(mut closed) => closed.watchers.release(),
            State::Deleted => {}
        }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.dir()
            .path
            .join(names::partition_dir(&self.topic.name, self.index))
    }

    /// A partition that nobody has written to has no folder, and gets none for being looked at.
    pub(crate) fn was_never_used(&self) -> bool {
        match &mut *self.state.lock() {
            State::Closed(closed) => self.is_unused(closed),
            State::Open(_) | State::Deleted => false,
        }
    }

    /// Whether a closed partition has no folder, which is looked for until it is known to be missing: only who opens the
    /// partition makes it.
    fn is_unused(&self, closed: &mut Closed) -> bool {
        if !closed.is_unused {
            closed.is_unused = self.has_no_folder();
        }
        closed.is_unused && !self.dir.load().is_offline()
    }

    /// Adds a reader without making the partition's folder; false if there is one.
    pub(super) fn watch_unused(&self, watch: &Arc<Watch>, place: Option<u64>) -> bool {
        let mut state = self.state.lock();
        let State::Closed(closed) = &mut *state else {
            return false;
        };
        let is_unused = self.is_unused(closed);
        if is_unused {
            closed.watchers.add(watch, place);
        }
        is_unused
    }

    /// The metadata file is in a folder before any record is, but a power cut may leave one without the other. Only what is
    /// known to be missing, and was never there as far as the checkpoints know, counts: any other trouble shows itself when
    /// the log is opened.
    pub(super) fn has_no_folder(&self) -> bool {
        let (dir, folder) = (self.dir(), self.folder());
        let info = dir.disk.info(&folder.join(names::PARTITION_METADATA));
        !dir.is_offline()
            && info.is_err_and(|error| error.kind() == ErrorKind::NotFound)
            && has_no_log(&*dir.disk, &folder)
            && dir.checkpointed(&self.topic.name, self.index) == Checkpointed::NEVER
    }

    pub(super) fn open(&self, now: Millis) -> Result<Opened<'_>, ErrorCode> {
        if self.dir.load().is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        self.storage.open_files.make_room(&self.storage.topics);
        if self.files.touch() {
            let files = &self.storage.open_files;
            files.list(&self.storage.topics, self.topic.id, self.index);
        }
        let mut guard = self.state.lock();
        if let State::Closed(closed) = &mut *guard {
            closed.is_unused = false;
            let mut replica = self.open_log(now)?;
            replica.watchers = std::mem::take(&mut closed.watchers);
            *guard = State::Open(Box::new(replica));
        }
        opened(guard).ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    /// Opens the log if nobody has yet, so that what a crash has left is looked over, and what was not flushed will be.
    pub(crate) fn recover(self: &Arc<Self>, now: Millis) -> Result<(), ErrorCode> {
        if self.was_never_used() {
            return Ok(());
        }
        let mut replica = self.open(now)?;
        if replica.log.flushed_end() < replica.log.end() {
            self.note_use(&mut replica, now);
        }
        Ok(())
    }

    pub(super) fn open_log(&self, now: Millis) -> Result<Replica, ErrorCode> {
        let folder = self.folder();
        let dir = self.dir();
        dir.with_room(|| self.clear_foreign_folder(&folder, now))
            .map_err(|error| self.disk_failed(&error))?;
        let checkpointed = self.dir().checkpointed(&self.topic.name, self.index);
        let input = OpenInput {
            recovery_point: checkpointed.recovery_point,
            log_start: checkpointed.log_start,
            clean_shutdown: self.dir().was_clean,
        };
        let settings = self.settings();
        let opened = dir.reserve.with_room(OpenError::disk, || {
            let config = settings.log.clone();
            Log::open(dir.disk.clone(), &folder, config, input, now)
        });
        let (mut log, report) =
            opened.map_err(|OpenError::Disk(error)| self.disk_failed(&error))?;
        dir.tally.count(&self.topic.name, self.index.0, &report);
        log.begin_epoch(self.leader_epoch());
        let cleaned_end = dir.cleaned_end(&self.topic.name, self.index);
        if cleaned_end.is_some_and(|cleaned| cleaned > log.end()) {
            // The disk lost records; those that take their offsets are not clean.
            dir.note_cleaned(&self.topic.name, self.index, log.end());
        }
        let end = match settings.durability {
            Durability::Memory => log.end(),
            Durability::Disk => log.flushed_end(),
        };
        // An empty log has no producers to be read of.
        let producers = (log.start() == log.end()).then(ProducerStates::default);
        let mut replica = Replica {
            high_watermark: end.max(log.start()),
            unread: Extent {
                trusted_end: log.flushed_end(),
                end: log.end(),
            },
            log,
            producers,
            appended_bytes: 0,
            visible_bytes: 0,
            flush: Flush::Idle,
            acks: VecDeque::new(),
            watchers: Watchers::default(),
            afterwards: Afterwards::default(),
            is_listed: false,
            was_used: false,
            used_at: now,
            flushed_bytes: 0,
            checkpointed_bytes: 0,
        };
        replica.draw_roll_jitter();
        Ok(replica)
    }

    /// A folder of an older topic of the same name is moved away; a new one gets the topic's id.
    pub(super) fn clear_foreign_folder(&self, folder: &Path, now: Millis) -> Result<(), DiskError> {
        let disk = &*self.dir().disk;
        match partition_metadata::read(disk, folder) {
            Ok(Some(id)) if id == self.topic.id => return Ok(()),
            Ok(None) => {}
            Ok(Some(_)) => {
                let unique = u128::from(now.0.unsigned_abs());
                let doomed =
                    self.dir()
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
                    .remove_folder_later(self.dir(), doomed, now);
            }
            // Its records are read with the id of the topic that the metadata log names.
            Err(error) => warn!(folder = %folder.display(), "{error}"),
        }
        if has_no_log(disk, folder) {
            let made = disk.create_dir_all(folder);
            made.map_err(|source| DiskError {
                what: "create directory",
                path: folder.to_owned(),
                source,
            })?;
            return partition_metadata::begin(disk, folder, self.topic.id);
        }
        make_folder(disk, folder)?;
        partition_metadata::write(disk, folder, self.topic.id)
    }

    /// Bytes on disk. A partition that was never used has no folder, and gets none for this.
    pub(crate) fn size_bytes(&self, now: Millis) -> Result<u64, ErrorCode> {
        if self.was_never_used() {
            return Ok(0);
        }
        Ok(self.open(now)?.log.size_bytes())
    }
}

/// Whether a folder is not there, or holds no records.
fn has_no_log(disk: &dyn Disk, folder: &Path) -> bool {
    let is_log = |name: &str| {
        names::parse_segment_file(name).is_some_and(|(_, suffix)| suffix.starts_with(names::LOG))
    };
    match disk.list(folder) {
        Ok(entries) => !entries.iter().any(|entry| is_log(&entry.name)),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}
