//! A partition's part in compaction: what there is to clean, beginning a pass, and each cleaned segment's way into the
//! log. Its lock is held for those moments only; the pass itself runs beside appends and reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_coordination::txn::ProducerStates;
use ottla_log::Corruption;
use ottla_log::compaction::{
    Cleanable, CleanedSegment, CleaningError, CleaningJob, CleaningStats, CompactionConfig,
    LastOfProducer, OffsetMap, Pace,
};
use ottla_log::disk::DiskError;
use ottla_protocol::types::{Millis, Offset, ProducerId};
use parking_lot::{Mutex, MutexGuard};
use tracing::warn;

use super::replica::Replica;
use super::{Bounds, Partition, State};
use crate::clock;
use crate::data_dirs::random_id;
use crate::exec::recovery::tell_damage;

/// Keeps cleaning, retention and whoever takes the partition's folder away apart.
#[derive(Default)]
pub(super) struct CleaningGate {
    busy: Mutex<()>,
    /// How many want cleaning to stop.
    stops: AtomicUsize,
}

/// Memory for one pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CleaningMeans {
    pub(crate) map_bytes: usize,
    pub(crate) load_factor: f64,
    pub(crate) io_buffer_bytes: usize,
}

/// What a pass has achieved.
#[derive(Debug)]
pub(crate) struct Cleaned {
    pub(crate) end: Offset,
    pub(crate) stats: CleaningStats,
    pub(crate) map_utilization: f64,
}

/// While it lives, nothing is cleaned.
pub(crate) struct NotCleaned<'a> {
    gate: &'a CleaningGate,
    _busy: MutexGuard<'a, ()>,
}

impl Drop for NotCleaned<'_> {
    fn drop(&mut self) {
        self.gate.stops.fetch_sub(1, Ordering::AcqRel);
    }
}

/// While it lives, no segment is deleted or replaced. Unlike `NotCleaned` it keeps nobody else waiting.
pub(super) struct Paused<'a>(&'a CleaningGate);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.stops.fetch_sub(1, Ordering::AcqRel);
    }
}

impl CleaningGate {
    /// Taken by retention, which does not hurry a pass along.
    pub(super) fn try_enter(&self) -> Option<MutexGuard<'_, ()>> {
        let busy = self.busy.try_lock()?;
        (self.stops.load(Ordering::Acquire) == 0).then_some(busy)
    }

    /// Whether somebody relies on the files as they are: a move to another directory, or the partition's end.
    pub(super) fn is_paused(&self) -> bool {
        self.stops.load(Ordering::Acquire) > 0
    }

    /// Waits for what is under way, which ends within moments, and keeps retention and cleaning out.
    pub(super) fn pause(&self) -> Paused<'_> {
        self.stops.fetch_add(1, Ordering::AcqRel);
        drop(self.busy.lock());
        Paused(self)
    }
}

impl Partition {
    /// Ends a pass that is under way, within moments, and keeps others from beginning.
    pub(crate) fn stop_cleaning(&self) -> NotCleaned<'_> {
        self.cleaning.stops.fetch_add(1, Ordering::AcqRel);
        NotCleaned {
            gate: &self.cleaning,
            _busy: self.cleaning.busy.lock(),
        }
    }

    /// Whether a pass may go on.
    pub(crate) fn may_be_cleaned(&self) -> bool {
        self.cleaning.stops.load(Ordering::Acquire) == 0 && !self.dir().is_offline()
    }

    pub(crate) fn is_deleted(&self) -> bool {
        matches!(*self.state.lock(), State::Deleted)
    }

    /// What is worth a pass. None: nothing, or nobody can tell now.
    pub(crate) fn cleanable(self: &Arc<Self>, now: Millis) -> Result<Option<Cleanable>, DiskError> {
        let was_closed = self.is_closed();
        if was_closed && (!self.next_cleaning.is_due(now) || self.was_never_used()) {
            return Ok(None);
        }
        let Ok(mut replica) = self.open(now) else {
            return Ok(None);
        };
        let settings = self.settings();
        let config = &settings.compaction;
        let dir = self.dir();
        let cleaned_end = dir.cleaned_end(&self.topic.name, self.index);
        let offered = |replica: &Replica, bounds: Bounds| {
            let log = &replica.log;
            log.cleanable(cleaned_end, bounds.last_stable, config, now)
        };
        let mut cleanable = offered(&replica, replica.bounds())?;
        if cleanable.is_due(config) {
            // Only now it is worth reading which transactions are open.
            let bounds = replica.true_bounds(&*dir.disk)?;
            cleanable = offered(&replica, bounds)?;
        }
        if cleanable.checkpoint_was_wrong {
            if !settings.is_deleted_from {
                warn!(
                    topic = %self.topic.name, partition = %self.index, checkpoint = ?cleaned_end,
                    log_start = %replica.log.start(), log_end = %replica.log.end(),
                    "the cleaner's checkpoint lies outside the log: all of it counts as not cleaned"
                );
            }
            dir.note_cleaned(&self.topic.name, self.index, cleanable.first_dirty);
        }
        if cleanable.is_due(config) {
            return Ok(Some(cleanable));
        }
        if was_closed {
            // What is closed gets nothing appended, but it may age. While the log is held: a change of the settings
            // that comes now asks for another look.
            let ages = config.min_lag_ms > Millis(0) || config.max_lag_ms < Millis(i64::MAX);
            self.next_cleaning.set(ages.then_some(now));
            drop(replica);
            self.close_if_unused();
        }
        Ok(None)
    }

    /// One pass. Whatever it has achieved when it ends with an error holds.
    pub(crate) fn clean(
        self: &Arc<Self>,
        cleanable: &Cleanable,
        means: CleaningMeans,
        pace: &mut dyn Pace,
    ) -> Result<Cleaned, CleaningError> {
        let _busy = self.cleaning.busy.lock();
        let cleaned = self.clean_through(cleanable, means, pace);
        if let Err(CleaningError::Corrupt(found)) = &cleaned {
            self.remember_damage(found);
        }
        cleaned
    }

    /// A batch that the pass has met rotten is not handed out any more.
    fn remember_damage(self: &Arc<Self>, found: &Corruption) {
        let Ok(mut replica) = self.open(clock::now()) else {
            return;
        };
        let dir = self.dir();
        match dir.with_room(|| replica.log.remember_damage(found)) {
            Ok(true) => tell_damage(&self.topic.name, self.index.0, found),
            Ok(false) => {}
            Err(error) => self.storage.dirs.disk_trouble(&dir, &error),
        }
    }

    fn clean_through(
        self: &Arc<Self>,
        cleanable: &Cleanable,
        means: CleaningMeans,
        pace: &mut dyn Pace,
    ) -> Result<Cleaned, CleaningError> {
        let job = self.start_cleaning(cleanable, means.io_buffer_bytes)?;
        let mut map = map_for(cleanable, means);
        let mut pass = job.index(&mut map, pace)?;
        while let Some(segment) = pass.next_segment(pace)? {
            self.swap_in(segment)?;
        }
        let end = pass.end();
        let dir = self.dir();
        dir.note_cleaned(&self.topic.name, self.index, end);
        self.storage.dirs.write_checkpoints_of(&dir);
        // It may have been opened for this alone.
        self.close_if_unused();
        Ok(Cleaned {
            end,
            stats: pass.stats(),
            map_utilization: pass.map_utilization(),
        })
    }

    fn start_cleaning(
        self: &Arc<Self>,
        cleanable: &Cleanable,
        io_buffer_bytes: usize,
    ) -> Result<CleaningJob, CleaningError> {
        let now = clock::now();
        let mut replica = self.open(now).map_err(|_| CleaningError::Stopped)?;
        let producers = replica.producers(&*self.dir().disk)?;
        let producers = last_batches(producers);
        let config = CompactionConfig {
            io_buffer_bytes,
            ..self.settings().compaction
        };
        replica
            .log
            .start_cleaning(cleanable, config, producers, now)
    }

    fn swap_in(self: &Arc<Self>, segment: CleanedSegment) -> Result<(), CleaningError> {
        let now = clock::now();
        let mut replica = self.open(now).map_err(|_| CleaningError::Stopped)?;
        let swapped = replica.log.swap_in(segment, now);
        drop(replica);
        if let Err(CleaningError::HalfSwapped(error)) = &swapped {
            self.storage.dirs.fail(&self.dir(), error);
        }
        for old in swapped? {
            self.storage.keeper.remove_later(self.dir(), old);
        }
        Ok(())
    }
}

/// A map as large as all keys that there can be, or as may be.
fn map_for(cleanable: &Cleanable, means: CleaningMeans) -> OffsetMap {
    const ENTRY_BYTES: f64 = 24.0;
    let records = cleanable.end.since(cleanable.first_dirty).max(0) as f64;
    let wanted = (records + 2.0) * ENTRY_BYTES / means.load_factor.clamp(0.1, 1.0) + ENTRY_BYTES;
    let bytes = means.map_bytes.min(wanted as usize);
    OffsetMap::new(bytes, means.load_factor, random_id().0)
}

/// What every producer that is still known wrote last.
fn last_batches(producers: &ProducerStates) -> BTreeMap<ProducerId, LastOfProducer> {
    let entries = producers.to_entries().into_iter();
    let last = entries.map(|entry| {
        let last_data_offset = (entry.last_offset >= 0).then_some(Offset(entry.last_offset));
        let last = LastOfProducer {
            last_data_offset,
            epoch: entry.epoch.into(),
        };
        (entry.producer_id.into(), last)
    });
    last.collect()
}
