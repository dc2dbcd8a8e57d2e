//! After a stop that was not clean: looking over every log, in the background, while the server serves already.
//!
//! Always: a partition that a request asks for is recovered at once, on that request's thread, whatever waits here; one
//! that fails or was not reached keeps its directory from being marked as cleanly stopped, so that the next start looks
//! again. Internal topics go first: groups wait for them. Deliberately not here: what recovery does to a log
//! (`ottla_log::Log::open`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ottla_log::{Corruption, Fault, RecoveryReport};
use ottla_protocol::errors::ErrorCode;
use parking_lot::Mutex;
use tracing::{error, info, warn};

use super::Storage;
use super::log_dirs::LogDir;
use super::partition::Partition;
use crate::clock;

/// How often a recovery that takes long says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What was met when the logs of a directory were opened, whoever had them opened.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) logs: u64,
    pub(crate) scanned_bytes: u64,
    pub(crate) cut: u64,
    pub(crate) cut_bytes: u64,
    pub(crate) damaged: u64,
}

impl Tally {
    /// Counts one log that was opened, and tells of everything in it that was not as it should be.
    pub(super) fn count(&self, topic: &str, partition: i32, report: &RecoveryReport) {
        let mut counts = self.0.lock();
        counts.logs += 1;
        counts.scanned_bytes += report.scanned_bytes;
        counts.damaged += report.corrupt.len() as u64;
        if let Some(cut) = report.truncated.as_ref().filter(|cut| !cut.is_quiet()) {
            counts.cut += 1;
            counts.cut_bytes += cut.bytes;
        }
        drop(counts);
        tell(topic, partition, report);
    }

    pub(crate) fn so_far(&self) -> Counts {
        *self.0.lock()
    }
}

/// One line for each thing that an operator would want to know.
/// A stretch of a log that cannot be read, whoever has found it.
pub(super) fn tell_damage(topic: &str, partition: i32, damage: &Corruption) {
    error!(
        topic,
        partition, "{damage}; readers of these offsets get CORRUPT_MESSAGE"
    );
}

pub(super) fn tell(topic: &str, partition: i32, report: &RecoveryReport) {
    if let Some(cut) = &report.truncated {
        if cut.reason == Fault::Unwritten {
            info!(topic, partition, offset = %cut.offset, bytes = cut.bytes, "space that was never written is given back");
        } else {
            warn!(
                topic, partition, offset = %cut.offset, segment = %cut.segment, position = cut.position,
                bytes = cut.bytes, batches = cut.batches, segments = cut.segments_removed,
                "the log's end was torn and is cut off: {}", cut.reason
            );
        }
    }
    for damage in &report.corrupt {
        tell_damage(topic, partition, damage);
    }
    if let Some(lost) = &report.lost {
        error!(
            topic, partition, end = %lost.end, recovery_point = %lost.recovery_point,
            "the disk lost records that had been flushed"
        );
    }
    for file in &report.rebuilt {
        info!(topic, partition, file = %file.display(), "index built anew");
    }
}

/// The threads that recover.
#[derive(Default)]
pub(crate) struct Recovery {
    threads: Mutex<Vec<JoinHandle<()>>>,
    stopped: Arc<AtomicBool>,
}

/// The logs of one directory.
struct Job {
    dir: Arc<LogDir>,
    partitions: Vec<Arc<Partition>>,
    next: AtomicUsize,
    failed: AtomicUsize,
    /// Threads that have not ended.
    working: AtomicUsize,
    begun: Instant,
    told: Mutex<Instant>,
    stopped: Arc<AtomicBool>,
}

impl Recovery {
    /// Begins with every directory that was not stopped cleanly.
    pub(crate) fn start(&self, storage: &Storage, threads_per_dir: usize) {
        let mut partitions: Vec<_> = storage
            .topics
            .all()
            .iter()
            .flat_map(|topic| topic.all())
            .collect();
        partitions.sort_by_key(|partition| !partition.topic.name.starts_with("__"));
        for dir in storage.dirs.online().filter(|dir| dir.needs_recovery()) {
            let in_dir = partitions.iter().filter(|p| Arc::ptr_eq(&p.dir(), dir));
            let partitions: Vec<_> = in_dir.cloned().collect();
            let threads = threads_per_dir.min(partitions.len());
            let now = Instant::now();
            let job = Arc::new(Job {
                dir: dir.clone(),
                partitions,
                next: AtomicUsize::new(0),
                failed: AtomicUsize::new(0),
                working: AtomicUsize::new(threads),
                begun: now,
                told: Mutex::new(now),
                stopped: self.stopped.clone(),
            });
            if threads == 0 {
                dir.recovered();
            }
            for _ in 0..threads {
                self.start_thread(job.clone());
            }
        }
    }

    fn start_thread(&self, job: Arc<Job>) {
        let started = std::thread::Builder::new()
            .name("recovery".to_owned())
            .spawn({
                let job = job.clone();
                move || job.work()
            });
        match started {
            Ok(thread) => self.threads.lock().push(thread),
            Err(error) => {
                error!("cannot start a thread that recovers logs: {error}");
                job.end_thread();
            }
        }
    }

    /// Ends after the logs that are being looked at.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            drop(thread.join());
        }
    }
}

impl Job {
    fn work(&self) {
        while !self.stopped.load(Ordering::Relaxed) && !self.dir.is_offline() {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(partition) = self.partitions.get(i) else {
                break;
            };
            match partition.recover(clock::now()) {
                // Deleted meanwhile, or fine.
                Ok(()) | Err(ErrorCode::UnknownTopicOrPartition) => {}
                Err(_) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.tell_progress(i + 1);
        }
        self.end_thread();
    }

    fn tell_progress(&self, done: usize) {
        let Some(mut told) = self.told.try_lock() else {
            return;
        };
        if told.elapsed() >= PROGRESS_EVERY {
            *told = Instant::now();
            info!(dir = %self.dir.path.display(), done, of = self.partitions.len(), "recovering logs");
        }
    }

    /// The last thread tells how it went.
    fn end_thread(&self) {
        if self.working.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let reached = self.next.load(Ordering::Relaxed) > self.partitions.len();
        let failed = self.failed.load(Ordering::Relaxed);
        if reached && failed == 0 {
            self.dir.recovered();
        }
        let counts = self.dir.tally.so_far();
        let took_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let how = match (reached, failed) {
            (false, _) => "recovery was interrupted and begins anew at the next start",
            (true, 0) => "logs recovered",
            (true, _) => "some logs could not be recovered; the next start tries again",
        };
        info!(
            dir = %self.dir.path.display(), partitions = self.partitions.len(), logs = counts.logs,
            scanned_bytes = counts.scanned_bytes, cut = counts.cut, cut_bytes = counts.cut_bytes,
            damaged = counts.damaged, failed, took_ms, "{how}"
        );
    }
}
