//! Partitions on their way to another log directory: one thread, one after the other, as long as there are any.
//!
//! Always: a move is known by its `-future` folder, so that one that a stop or a crash interrupts is begun again at the
//! next start; what was copied before is copied anew. A move that fails is given up with a line in the log, and the
//! partition stays where it is.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;

use ottla_coordination::controller::{Command, DirectoryAssignment, MetadataImage, Response};
use ottla_log::relocation::RelocationError;
use ottla_log::{names, partition_metadata};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::Offset;
use ottla_protocol::wire::Uuid;
use parking_lot::Mutex;
use tracing::{error, info, warn};

use super::Storage;
use super::log_dirs::LogDir;
use super::partition::{MoveError, Partition};
use crate::broker::Broker;
use crate::clock;
use crate::data_dirs::random_id;

/// A partition that is to lie in another directory.
pub(crate) struct Move {
    pub(crate) partition: Arc<Partition>,
    pub(crate) to: Arc<LogDir>,
    /// Name of the folder that is being filled.
    pub(crate) folder: String,
    is_cancelled: AtomicBool,
    copied_bytes: AtomicU64,
    copied_end: AtomicI64,
}

impl Move {
    fn new(partition: Arc<Partition>, to: Arc<LogDir>) -> Self {
        let unique = u128::from_be_bytes(random_id().0);
        let folder = names::future_dir(&partition.topic.name, partition.index, unique);
        Self {
            partition,
            to,
            folder,
            is_cancelled: AtomicBool::new(false),
            copied_bytes: AtomicU64::new(0),
            copied_end: AtomicI64::new(0),
        }
    }

    /// Whether it is still wanted, and possible.
    pub(crate) fn may_go_on(&self) -> bool {
        !self.is_cancelled.load(Ordering::Acquire) && !self.to.is_offline()
    }

    pub(crate) fn note(&self, bytes: u64, end: Option<Offset>) {
        self.copied_bytes.store(bytes, Ordering::Relaxed);
        let end = end.map_or(0, |end| end.0);
        self.copied_end.store(end, Ordering::Relaxed);
    }

    pub(crate) fn copied_bytes(&self) -> u64 {
        self.copied_bytes.load(Ordering::Relaxed)
    }

    /// Offsets below are copied.
    pub(crate) fn copied_end(&self) -> Offset {
        Offset(self.copied_end.load(Ordering::Relaxed))
    }

    fn is_of(&self, partition: &Arc<Partition>) -> bool {
        Arc::ptr_eq(&self.partition, partition)
    }
}

#[derive(Default)]
pub(crate) struct Moves(Mutex<State>);

#[derive(Default)]
struct State {
    /// The first is under way.
    queue: VecDeque<Arc<Move>>,
    thread: Option<JoinHandle<()>>,
    is_running: bool,
    is_stopped: bool,
}

impl Moves {
    /// Those that are under way or wait.
    pub(crate) fn all(&self) -> Vec<Arc<Move>> {
        self.0.lock().queue.iter().cloned().collect()
    }

    /// Has a partition moved; an earlier wish for another directory is dropped.
    pub(crate) fn start(&self, broker: &Arc<Broker>, partition: &Arc<Partition>, to: &Arc<LogDir>) {
        let mut state = self.0.lock();
        let mut same = state.queue.iter().filter(|other| other.is_of(partition));
        if same.any(|other| Arc::ptr_eq(&other.to, to) && other.may_go_on()) {
            return;
        }
        state.cancel(partition);
        if Arc::ptr_eq(&partition.dir(), to) || state.is_stopped {
            return;
        }
        let wanted = Arc::new(Move::new(partition.clone(), to.clone()));
        info!(topic = %partition.topic.name, partition = %partition.index, to = %to.path.display(), "partition moves");
        state.queue.push_back(wanted);
        if state.is_running {
            return;
        }
        let broker = broker.clone();
        let thread = std::thread::Builder::new().name("move".to_owned());
        match thread.spawn(move || run(&broker)) {
            Ok(thread) => {
                state.thread = Some(thread);
                state.is_running = true;
            }
            Err(error) => {
                error!("cannot start a thread that moves partitions: {error}");
                state.queue.clear();
            }
        }
    }

    /// Ends what is under way; it is begun again at the next start.
    pub(crate) fn stop(&self) {
        let thread = {
            let mut state = self.0.lock();
            state.is_stopped = true;
            for wanted in &state.queue {
                wanted.is_cancelled.store(true, Ordering::Release);
            }
            state.thread.take()
        };
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }

    fn next(&self) -> Option<Arc<Move>> {
        let mut state = self.0.lock();
        if state.is_stopped || state.queue.is_empty() {
            state.is_running = false;
            return None;
        }
        state.queue.front().cloned()
    }

    fn done(&self, done: &Arc<Move>) {
        let mut state = self.0.lock();
        state.queue.retain(|other| !Arc::ptr_eq(other, done));
    }

    fn is_stopped(&self) -> bool {
        self.0.lock().is_stopped
    }
}

impl State {
    fn cancel(&mut self, partition: &Arc<Partition>) {
        for other in self.queue.iter().filter(|other| other.is_of(partition)) {
            other.is_cancelled.store(true, Ordering::Release);
        }
    }
}

/// The thread's life.
fn run(broker: &Arc<Broker>) {
    while let Some(wanted) = broker.moves.next() {
        let partition = &wanted.partition;
        let assign = |directory| assign(broker, partition, directory);
        let moved = match wanted.may_go_on() {
            true => partition.move_to(&wanted, &assign),
            false => Err(RelocationError::Stopped.into()),
        };
        let (topic, index) = (&partition.topic.name, partition.index);
        match moved {
            Ok(()) => {
                info!(%topic, partition = %index, to = %wanted.to.path.display(), "partition moved");
            }
            // Its folder says that it is wanted.
            Err(_) if broker.moves.is_stopped() => return,
            Err(why) => {
                warn!(%topic, partition = %index, to = %wanted.to.path.display(), "partition not moved: {why}");
                blame(&broker.storage, &wanted, &why);
                discard(&broker.storage, &wanted.to, &wanted.folder);
            }
        }
        broker.moves.done(&wanted);
    }
}

/// A disk that cannot be written is not asked again.
fn blame(storage: &Storage, wanted: &Move, why: &MoveError) {
    if let MoveError::Copy(RelocationError::Destination(error)) = why {
        storage.dirs.disk_trouble(&wanted.to, error);
    }
}

fn discard(storage: &Storage, dir: &Arc<LogDir>, folder: &str) {
    if !dir.is_offline() {
        let path = dir.path.join(folder);
        storage
            .keeper
            .remove_folder_later(dir.clone(), path, clock::now());
    }
}

/// Has the controller note a partition's directory; true once that is durable.
fn assign(broker: &Arc<Broker>, partition: &Arc<Partition>, directory: Uuid) -> bool {
    let command = Command::AssignDirectories {
        broker_id: broker.settings.node_id,
        assignments: vec![DirectoryAssignment {
            topic_id: partition.topic.id,
            partition: partition.index,
            directory,
        }],
    };
    let (answer, must_flush) = broker.controller.submit(command);
    if must_flush {
        broker.controller.flush(broker);
    }
    matches!(
        answer.blocking_recv(),
        Ok(Ok(Response::AssignDirectories(Ok(()))))
    )
}

/// A copy that was whole when a crash came, between the two renames of a swap, becomes the partition's folder. Only
/// where every configured directory is there: else the partition may lie in one that is missing.
pub(crate) fn promote_whole(storage: &Storage, image: &MetadataImage) {
    let dirs: Vec<_> = storage.dirs.of_partitions().collect();
    if dirs.iter().any(|dir| dir.is_offline()) {
        return;
    }
    for dir in dirs {
        for (folder, topic_id) in futures(dir) {
            let topic_id = topic_id.unwrap_or(Uuid::ZERO);
            let Some((topic, (_, index))) = topic_of(image, &folder, topic_id) else {
                continue;
            };
            let name = names::partition_dir(topic.name(), index);
            let partition = topic.partition(index);
            let is_assigned = partition.is_some_and(|p| p.directories.contains(&dir.id));
            if !is_assigned || !storage.dirs.with_folder(&name, topic_id).is_empty() {
                continue;
            }
            let (future, settled) = (dir.path.join(&folder), dir.path.join(&name));
            let renamed = dir.disk.rename(&future, &settled);
            match renamed.and_then(|()| dir.disk.sync_dir(&dir.path)) {
                Ok(()) => {
                    info!(folder = %settled.display(), "a move that a crash interrupted is finished")
                }
                Err(error) => error!(folder = %future.display(), "cannot finish a move: {error}"),
            }
        }
    }
}

/// Begins the moves again that were not finished, ours or the reference's.
pub(crate) fn resume(broker: &Arc<Broker>) {
    let storage = &broker.storage;
    let image = broker.image.load();
    for dir in storage.dirs.of_partitions().filter(|dir| !dir.is_offline()) {
        for (folder, topic_id) in futures(dir) {
            discard(storage, dir, &folder);
            let topic_id = topic_id.unwrap_or(Uuid::ZERO);
            let Some((topic, (_, index))) = topic_of(&image, &folder, topic_id) else {
                continue;
            };
            if let Some(partition) = storage.topics.partition(topic.name(), index.0)
                && !partition.dir().is_offline()
            {
                broker.moves.start(broker, &partition, dir);
            }
        }
    }
}

/// Folders of a directory that were being filled, and of which topic, if that was written yet.
fn futures(dir: &LogDir) -> Vec<(String, Option<Uuid>)> {
    let entries = dir.disk.list(&dir.path).unwrap_or_default().into_iter();
    let folders = entries.filter(|entry| entry.is_dir && entry.name.ends_with(names::FUTURE_DIR));
    folders
        .map(|folder| {
            let id = topic_id(dir, &dir.path.join(&folder.name));
            (folder.name, id)
        })
        .collect()
}

fn topic_id(dir: &LogDir, folder: &Path) -> Option<Uuid> {
    partition_metadata::read(&*dir.disk, folder).ok().flatten()
}

type Named<'a> = (&'a str, ottla_protocol::types::PartitionIndex);

fn topic_of<'a>(
    image: &'a MetadataImage,
    folder: &'a str,
    topic_id: Uuid,
) -> Option<(
    &'a ottla_coordination::controller::image::TopicImage,
    Named<'a>,
)> {
    let named = names::parse_future_dir(folder)?;
    Some((image.topics().by_id(topic_id)?, named))
}

/// The directory of this name, as DescribeLogDirs tells it.
pub(crate) fn destination(storage: &Storage, path: &str) -> Result<Arc<LogDir>, ErrorCode> {
    let is_named = |dir: &&Arc<LogDir>| *dir.absolute_path() == *Path::new(path);
    let dir = storage.dirs.of_partitions().find(is_named);
    let dir = dir.ok_or(ErrorCode::LogDirNotFound)?;
    match dir.is_offline() {
        true => Err(ErrorCode::KafkaStorageError),
        false => Ok(dir.clone()),
    }
}
