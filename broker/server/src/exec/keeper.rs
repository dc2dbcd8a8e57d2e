//! The storage's housekeeping on one thread: background flushes, checkpoints, retention, removal of deleted files.
//!
//! Always: the thread sleeps until something is due, and for good when nothing ever will be. A record waits for its
//! background flush until `flush.ms` is over, with `ottla.durability=disk` for one `ROUND` at most; checkpoints are
//! written once per round, and when a partition has moved far since the last one.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ottla_log::DeletedSegment;
use ottla_protocol::types::Millis;
use parking_lot::{Condvar, Mutex};
use tracing::warn;

use super::Storage;
use super::log_dirs::LogDir;
use super::partition::Partition;
use crate::clock;

/// How long an append that nobody waits for may stay in the page cache only, and a flush in no checkpoint, at most.
pub(crate) const ROUND: Millis = Millis(1000);

/// Checkpoints are not written more often than this, whatever is asked for.
const CHECKPOINT_MIN: Duration = Duration::from_millis(10);

const DELAY_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

#[derive(Default)]
struct Jobs {
    /// Partitions with something unflushed.
    listed: Vec<Arc<Partition>>,
    next_round: Option<Instant>,
    /// A checkpoint is wanted before the next round.
    is_checkpoint_due: bool,
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
    pace: OnceLock<Pace>,
    changed: Condvar,
}

/// How often things are done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) retention: Duration,
    /// `log.flush.offset.checkpoint.interval.ms` and `log.flush.start.offset.checkpoint.interval.ms`, the shorter of them.
    pub(crate) checkpoint: Duration,
}

impl Pace {
    /// From one round to the next, if no flush is due before.
    fn round(&self) -> Duration {
        self.checkpoint.clamp(
            CHECKPOINT_MIN,
            Duration::from_millis(ROUND.0.unsigned_abs()),
        )
    }
}

impl Keeper {
    /// The partition has something unflushed: it gets a look in the next round, or before its flush is due.
    pub(crate) fn list(&self, partition: Arc<Partition>, due: Option<Millis>, now: Millis) {
        let mut jobs = self.jobs.lock();
        jobs.listed.push(partition);
        if jobs.round_within(self.until(due, now)) {
            self.changed.notify_one();
        }
    }

    /// Writes the checkpoints without waiting for the next round.
    pub(crate) fn checkpoint_soon(&self) {
        self.jobs.lock().is_checkpoint_due = true;
        self.changed.notify_one();
    }

    fn until(&self, due: Option<Millis>, now: Millis) -> Duration {
        let round = self.pace.get().map_or(Duration::from_secs(1), Pace::round);
        let due =
            due.map(|due| Duration::from_millis(due.0.saturating_sub(now.0).max(1).unsigned_abs()));
        due.map_or(round, |due| due.min(round))
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

    /// The thread's life. How long producers are remembered may change meanwhile.
    pub(crate) fn run(
        &self,
        storage: &Storage,
        pace: Pace,
        producer_expiration: impl Fn() -> Duration,
    ) {
        let pace = *self.pace.get_or_init(|| pace);
        let mut next_retention = Instant::now() + pace.retention;
        loop {
            let Some(due) = self.wait(next_retention) else {
                return;
            };
            for removal in due.removals {
                remove(&removal);
            }
            if due.is_round {
                let is_full = storage.dirs.look_for_room(clock::now());
                self.hold_round(due.listed, is_full);
            }
            if due.is_round || due.is_checkpoint {
                storage.dirs.write_checkpoints();
            }
            if next_retention <= Instant::now() {
                let expiration = producer_expiration();
                for topic in storage.topics.all() {
                    for partition in topic.all() {
                        partition.apply_retention(clock::now());
                        partition.expire_producers(clock::cautious(), expiration);
                    }
                }
                next_retention = Instant::now() + pace.retention;
            }
        }
    }

    /// Looks at every listed partition, and sets the next round if one is needed. A round without any partition only
    /// comes for the last checkpoint, or to see whether a full disk has room again.
    fn hold_round(&self, listed: Vec<Arc<Partition>>, is_full: bool) {
        let now = clock::now();
        let mut first_due = None::<Millis>;
        let mut again = Vec::new();
        for partition in listed {
            if let Some(due) = partition.keep(now) {
                first_due = Some(first_due.map_or(due, |first| first.min(due)));
                again.push(partition);
            }
        }
        let mut jobs = self.jobs.lock();
        let had_work = !again.is_empty() || !jobs.listed.is_empty() || is_full;
        jobs.listed.extend(again);
        if had_work {
            jobs.round_within(self.until(first_due, now));
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
            if is_round || jobs.is_checkpoint_due || !due.is_empty() || next_retention <= now {
                let listed = if is_round {
                    jobs.next_round = None;
                    std::mem::take(&mut jobs.listed)
                } else {
                    Vec::new()
                };
                return Some(Due {
                    is_round,
                    is_checkpoint: std::mem::take(&mut jobs.is_checkpoint_due),
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
    /// Has the next round begin within some time; true if it would have come later.
    fn round_within(&mut self, within: Duration) -> bool {
        let at = Instant::now() + within;
        let is_sooner = self.next_round.is_none_or(|next| at < next);
        if is_sooner {
            self.next_round = Some(at);
        }
        is_sooner
    }
}

struct Due {
    is_round: bool,
    is_checkpoint: bool,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_come_every_second_or_as_often_as_checkpoints_are_wanted() {
        let round = |checkpoint_ms| {
            let pace = Pace {
                retention: Duration::ZERO,
                checkpoint: Duration::from_millis(checkpoint_ms),
            };
            pace.round().as_millis()
        };
        assert_eq!([60_000, 1000, 200, 0].map(round), [1000, 1000, 200, 10]);
    }

    #[test]
    fn a_round_is_moved_forward_and_never_back() {
        let mut jobs = Jobs::default();
        assert!(jobs.round_within(Duration::from_secs(100)));
        assert!(!jobs.round_within(Duration::from_secs(200)));
        assert!(jobs.round_within(Duration::from_secs(50)));
    }
}
