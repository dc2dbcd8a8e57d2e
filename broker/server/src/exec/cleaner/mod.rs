//! The threads that compact logs, and which log is cleaned next (KIP-58, KIP-354).
//!
//! Owns: the choice (what is beyond `max.compaction.lag.ms` first, then the dirtiest), the threads and their settings, the
//! limit of bytes per second (`pace`), the partitions that cannot be cleaned.
//! Always: one thread at a time works on a partition; it stops within moments when the server ends, the partition goes
//! or its directory fails. Memory for maps of keys is taken for a pass and given back after it.
//! Not here: what cleaning is (`ottla_log::compaction`), and the partition's part in it (`partition::cleaning`).

mod pace;
mod settings;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ottla_log::compaction::{Cleanable, CleaningError};
use ottla_protocol::types::PartitionIndex;
use ottla_protocol::wire::Uuid;
use parking_lot::{Condvar, Mutex};
use tracing::{error, info, warn};

use super::Storage;
use super::partition::{Cleaned, CleaningMeans, Partition};
use crate::clock;
use pace::{IoLimit, Pacer};
pub(crate) use settings::CleanerSettings;

/// For how many times `log.cleaner.backoff.ms` a log is left alone after a pass that the disk has ended.
const PAUSE_BACKOFFS: u32 = 4;

type Key = (Uuid, PartitionIndex);

#[derive(Default)]
pub(crate) struct Cleaner {
    state: Mutex<State>,
    /// Rings when the settings change or the server stops.
    changed: Condvar,
    /// As many threads as the settings say; those above it end.
    wanted_threads: AtomicUsize,
    stopped: AtomicBool,
    limit: IoLimit,
    /// One thread chooses at a time.
    choosing: Mutex<()>,
}

#[derive(Default)]
struct State {
    is_started: bool,
    settings: CleanerSettings,
    /// Which of the threads run.
    threads: Vec<bool>,
    handles: Vec<JoinHandle<()>>,
    at_work: HashSet<Key>,
    /// Left alone until the next start, since the next pass would meet the same trouble.
    uncleanable: HashSet<Key>,
    /// Left alone until then: a disk that had no room for a pass may have some later.
    not_before: HashMap<Key, Instant>,
    /// Passes that ended with trouble of the disk.
    given_up: u64,
}

impl State {
    fn is_left_alone(&self, key: &Key, now: Instant) -> bool {
        self.at_work.contains(key)
            || self.uncleanable.contains(key)
            || self.not_before.get(key).is_some_and(|until| *until > now)
    }
}

struct Choice {
    partition: Arc<Partition>,
    cleanable: Cleanable,
}

impl Cleaner {
    pub(crate) fn start(&self, storage: &Arc<Storage>, settings: CleanerSettings) {
        self.state.lock().is_started = true;
        self.configure(storage, settings);
    }

    /// Goes on with other settings, if it was started.
    pub(crate) fn configure(&self, storage: &Arc<Storage>, settings: CleanerSettings) {
        let mut state = self.state.lock();
        if !state.is_started || self.stopped.load(Ordering::Acquire) {
            return;
        }
        self.wanted_threads
            .store(settings.threads, Ordering::Release);
        self.limit.set(settings.io_bytes_per_second);
        state.handles.retain(|handle| !handle.is_finished());
        let count = state.threads.len().max(settings.threads);
        state.threads.resize(count, false);
        for index in 0..settings.threads {
            if std::mem::replace(&mut state.threads[index], true) {
                continue;
            }
            let storage = storage.clone();
            let thread = std::thread::Builder::new().name(format!("cleaner-{index}"));
            match thread.spawn(move || storage.cleaner.run(&storage, index)) {
                Ok(handle) => state.handles.push(handle),
                Err(error) => {
                    state.threads[index] = false;
                    error!("no thread for the log cleaner: {error}");
                }
            }
        }
        state.settings = settings;
        self.changed.notify_all();
    }

    /// Has every pass end where it is, which harms nothing, and waits for it.
    pub(crate) fn stop(&self) {
        let handles = {
            let mut state = self.state.lock();
            self.stopped.store(true, Ordering::Release);
            self.changed.notify_all();
            std::mem::take(&mut state.handles)
        };
        for handle in handles {
            drop(handle.join());
        }
    }

    #[cfg(test)]
    pub(crate) fn is_at_work(&self) -> bool {
        !self.state.lock().at_work.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn given_up(&self) -> u64 {
        self.state.lock().given_up
    }

    #[cfg(test)]
    pub(crate) fn uncleanable(&self) -> usize {
        self.state.lock().uncleanable.len()
    }

    /// A thread's life.
    fn run(&self, storage: &Storage, index: usize) {
        while self.is_wanted(index) {
            let has_cleaned = self.clean_next(storage, index);
            storage.each_compacted(|partition| partition.apply_retention(clock::now()));
            if !has_cleaned {
                self.rest(index);
            }
        }
    }

    fn is_wanted(&self, index: usize) -> bool {
        let mut state = self.state.lock();
        let wanted = self.may_go_on(index);
        if !wanted {
            state.threads[index] = false;
        }
        wanted
    }

    /// Whether this thread is still to work.
    fn may_go_on(&self, index: usize) -> bool {
        !self.stopped.load(Ordering::Acquire) && index < self.wanted_threads.load(Ordering::Acquire)
    }

    /// There was nothing to clean: waits for `log.cleaner.backoff.ms`.
    fn rest(&self, index: usize) {
        let begun = Instant::now();
        let mut state = self.state.lock();
        while self.may_go_on(index) {
            let left = state.settings.backoff.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return;
            }
            // Settings that change may shorten the wait.
            self.changed.wait_for(&mut state, left);
        }
    }

    /// Waits as the limit of bytes per second wants it, or until something changes.
    fn pause(&self, time: Duration) {
        let mut state = self.state.lock();
        if !self.stopped.load(Ordering::Acquire) {
            self.changed.wait_for(&mut state, time);
        }
    }

    /// Cleans the log that needs it most. False: there was none, or it came to nothing.
    fn clean_next(&self, storage: &Storage, index: usize) -> bool {
        let Some(choice) = self.choose(storage) else {
            return false;
        };
        let partition = &choice.partition;
        let settings = self.state.lock().settings.clone();
        let means = CleaningMeans {
            map_bytes: settings.map_bytes(),
            load_factor: settings.load_factor,
            io_buffer_bytes: settings.io_buffer_bytes(),
        };
        let begun = Instant::now();
        let mut pacer = Pacer::new(self, index, partition);
        let outcome = partition.clean(&choice.cleanable, means, &mut pacer);
        let has_cleaned = outcome.is_ok();
        match outcome {
            Ok(cleaned) => tell(&choice, &cleaned, begun.elapsed()),
            Err(error) => self.give_up(storage, partition, &error),
        }
        self.state.lock().at_work.remove(&partition.key());
        has_cleaned
    }

    /// What is overdue first, the dirtiest of it, and the dirtiest otherwise. It then is this thread's.
    fn choose(&self, storage: &Storage) -> Option<Choice> {
        let _one_at_a_time = self.choosing.lock();
        let begun = Instant::now();
        let mut known = HashSet::new();
        let mut best: Option<Choice> = None;
        storage.each_compacted(|partition| {
            let key = partition.key();
            known.insert(key);
            if self.state.lock().is_left_alone(&key, begun) {
                return;
            }
            let cleanable = match partition.cleanable(clock::now()) {
                Ok(Some(cleanable)) => cleanable,
                Ok(None) => return,
                Err(error) => return storage.dirs.disk_trouble(&partition.dir(), &error),
            };
            let urgency = |of: &Cleanable| (of.overdue_ms.is_some(), of.dirty_ratio());
            if best
                .as_ref()
                .is_none_or(|best| urgency(&cleanable) > urgency(&best.cleanable))
            {
                let partition = partition.clone();
                best = Some(Choice {
                    partition,
                    cleanable,
                });
            }
        });
        let mut state = self.state.lock();
        state.uncleanable.retain(|key| known.contains(key));
        state.not_before.retain(|_, until| *until > begun);
        if let Some(choice) = &best {
            state.at_work.insert(choice.partition.key());
        }
        best
    }

    fn give_up(&self, storage: &Storage, partition: &Partition, error: &CleaningError) {
        if partition.is_deleted() {
            return;
        }
        match error {
            // The last of them has ended the directory.
            CleaningError::Stopped | CleaningError::LogChanged | CleaningError::HalfSwapped(_) => {}
            CleaningError::Disk(error) => {
                storage.dirs.disk_trouble(&partition.dir(), error);
                let mut state = self.state.lock();
                let pause = state.settings.backoff * PAUSE_BACKOFFS;
                state
                    .not_before
                    .insert(partition.key(), Instant::now() + pause);
                state.given_up += 1;
                warn!(
                    topic = %partition.topic.name, partition = %partition.index, given_up = state.given_up,
                    again_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                    "a pass over the log is given up, and the log is as it was: {error}"
                );
            }
            error => {
                let mut state = self.state.lock();
                state.uncleanable.insert(partition.key());
                error!(
                    topic = %partition.topic.name, partition = %partition.index,
                    uncleanable = state.uncleanable.len(),
                    "the log cannot be compacted and is left as it is until the next start: {error}"
                );
            }
        }
    }
}

fn tell(choice: &Choice, cleaned: &Cleaned, took: Duration) {
    let Choice {
        partition,
        cleanable,
    } = choice;
    let stats = &cleaned.stats;
    info!(
        topic = %partition.topic.name, partition = %partition.index, from = %cleanable.first_dirty, to = %cleaned.end,
        bytes_before = stats.bytes_read, bytes_after = stats.bytes_written,
        records_before = stats.records_read, records_after = stats.records_written,
        map_utilization = cleaned.map_utilization, seconds = took.as_secs_f64(), "log compacted"
    );
    if stats.records_without_key > 0 {
        warn!(
            topic = %partition.topic.name, partition = %partition.index, records = stats.records_without_key,
            "records without a key were dropped by compaction"
        );
    }
}

impl Storage {
    /// Partitions with `compact` in their `cleanup.policy`.
    fn each_compacted(&self, mut look: impl FnMut(&Arc<Partition>)) {
        for topic in self.topics.all() {
            if topic.topic.settings.load().is_compacted {
                topic.all().iter().for_each(&mut look);
            }
        }
    }
}
