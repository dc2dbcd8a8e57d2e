//! The storage's housekeeping on one thread: background flushes, checkpoints, retention, removal of deleted files.
//!
//! Always: the thread sleeps until something is due, and for good when nothing ever will be. A record waits for its
//! background flush for one `ROUND` at most; checkpoints are written at most once per round.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_log::DeletedSegment;
use ottla_protocol::types::Millis;
use parking_lot::{Condvar, Mutex};
use tracing::warn;

use super::Storage;
use super::log_dirs::LogDir;
use super::partition::Partition;
use crate::clock;

/// How long an append that nobody waits for may stay in the page cache only, at most.
const ROUND: Duration = Duration::from_secs(1);

const DELAY_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

#[derive(Default)]
struct Jobs {
    /// Partitions with something unflushed.
    listed: Vec<Arc<Partition>>,
    next_round: Option<Instant>,
    removals: Vec<Removal>,
    stopped: bool,
}

struct Removal {
    /// What was asked for in wall time, from then on counted in time that passes.
    at: Instant,
    dir: Arc<LogDir>,
    what: Doomed,
}

enum Doomed {
    Segment(DeletedSegment),
    Folder(PathBuf),
}

#[derive(Default)]
pub(crate) struct Keeper {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

impl Keeper {
    /// The partition has something unflushed: it gets a look in the next round.
    pub(crate) fn list(&self, partition: Arc<Partition>) {
        let mut jobs = self.jobs.lock();
        jobs.listed.push(partition);
        if jobs.next_round.is_none() {
            jobs.next_round = Some(Instant::now() + ROUND);
            self.changed.notify_one();
        }
    }

    pub(crate) fn remove_later(&self, dir: Arc<LogDir>, segment: DeletedSegment) {
        self.add(Removal {
            at: instant(segment.remove_at),
            dir,
            what: Doomed::Segment(segment),
        });
    }

    pub(crate) fn remove_folder_later(&self, dir: Arc<LogDir>, folder: PathBuf, at: Millis) {
        self.add(Removal {
            at: instant(at),
            dir,
            what: Doomed::Folder(folder),
        });
    }

    fn add(&self, removal: Removal) {
        self.jobs.lock().removals.push(removal);
        self.changed.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.jobs.lock().stopped = true;
        self.changed.notify_one();
    }

    /// The thread's life.
    pub(crate) fn run(
        &self,
        storage: &Storage,
        retention_interval: Duration,
        expiration: Duration,
    ) {
        let mut next_retention = Instant::now() + retention_interval;
        loop {
            let Some(due) = self.wait(next_retention) else {
                return;
            };
            for removal in due.removals {
                remove(&removal);
            }
            let now = clock::now();
            let again: Vec<_> = due
                .listed
                .into_iter()
                .filter(|partition| partition.keep(now))
                .collect();
            if due.is_round {
                storage.dirs.write_checkpoints();
                let is_full = storage.dirs.look_for_room(now);
                self.jobs.lock().begin_round(again, is_full);
            }
            if next_retention <= Instant::now() {
                for topic in storage.topics.all() {
                    for partition in topic.all() {
                        partition.apply_retention(clock::now());
                        partition.expire_producers(clock::now(), expiration);
                    }
                }
                next_retention = Instant::now() + retention_interval;
            }
        }
    }

    /// Sleeps until something is due. None: the server stops.
    fn wait(&self, next_retention: Instant) -> Option<Due> {
        let mut jobs = self.jobs.lock();
        loop {
            if jobs.stopped {
                return None;
            }
            let now = Instant::now();
            let is_round = jobs.next_round.is_some_and(|at| at <= now);
            let due: Vec<Removal> = jobs
                .removals
                .extract_if(.., |removal| removal.at <= now)
                .collect();
            if is_round || !due.is_empty() || next_retention <= now {
                let listed = if is_round {
                    std::mem::take(&mut jobs.listed)
                } else {
                    Vec::new()
                };
                return Some(Due {
                    is_round,
                    listed,
                    removals: due,
                });
            }
            let removal = jobs.removals.iter().map(|removal| removal.at).min();
            let wake = [jobs.next_round, removal, Some(next_retention)]
                .into_iter()
                .flatten()
                .min();
            self.changed
                .wait_until(&mut jobs, wake.unwrap_or(next_retention));
        }
    }
}

fn instant(at: Millis) -> Instant {
    let delay_ms = at.0.saturating_sub(clock::now().0).max(0).unsigned_abs();
    let now = Instant::now();
    // A delay beyond what the clock can tell is not waited for in this life: the next start removes what was left.
    now.checked_add(Duration::from_millis(delay_ms))
        .unwrap_or(now + DELAY_MAX)
}

impl Jobs {
    /// Sets the next round, if one is needed. A round without any partition only came for the last checkpoint, or to
    /// see whether a full disk has room again.
    fn begin_round(&mut self, again: Vec<Arc<Partition>>, is_full: bool) {
        let had_work = !again.is_empty() || !self.listed.is_empty() || is_full;
        self.listed.extend(again);
        self.next_round = had_work.then(|| Instant::now() + ROUND);
    }
}

struct Due {
    is_round: bool,
    listed: Vec<Arc<Partition>>,
    removals: Vec<Removal>,
}

fn remove(removal: &Removal) {
    let disk = &*removal.dir.disk;
    let (what, result) = match &removal.what {
        Doomed::Segment(segment) => (
            "segment",
            segment.remove(disk).map_err(|error| error.to_string()),
        ),
        Doomed::Folder(folder) => {
            let removed = disk.remove_dir_all(folder);
            (
                "folder",
                removed.map_err(|error| format!("cannot remove {}: {error}", folder.display())),
            )
        }
    };
    if let Err(error) = result {
        warn!(what, "{error}");
    }
}
