//! The part of a partition behind its lock.

use std::collections::VecDeque;
use std::sync::Arc;

use ottla_coordination::txn::ProducerStates;
use ottla_log::Log;
use ottla_log::disk::{Disk, DiskError};
use ottla_protocol::types::{Millis, Offset};

use super::Bounds;
use super::opened::Afterwards;
use crate::data_dirs::random_number;
use crate::exec::producers::{self, Extent};
use crate::exec::waits::AckWait;
use crate::exec::watch::Watchers;

/// The part behind the lock.
pub(crate) struct Replica {
    pub(crate) log: Log,
    /// None until somebody needs it: a producer with an id, a reader who has to know of open transactions, a new segment.
    pub(super) producers: Option<ProducerStates>,
    /// What has to be read of the log for it.
    pub(super) unread: Extent,
    pub(super) high_watermark: Offset,
    /// Bytes ever appended by this process, and how many of them lie below the high watermark.
    pub(super) appended_bytes: u64,
    pub(super) visible_bytes: u64,
    pub(super) flush: Flush,
    pub(super) acks: VecDeque<(Offset, Arc<AckWait>)>,
    pub(super) watchers: Watchers,
    pub(super) afterwards: Afterwards,
    /// Waits in the keeper's list for its next round.
    pub(super) is_listed: bool,
    /// Since the keeper looked last, and when it saw that for the last time.
    pub(super) was_used: bool,
    pub(super) used_at: Millis,
    /// How many of the appended bytes are flushed, and how many the checkpoint that was asked for last covers.
    pub(super) flushed_bytes: u64,
    pub(super) checkpointed_bytes: u64,
}

/// Whether one of the flusher's threads has this partition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    Idle,
    Running,
    /// More was asked for while a flush ran.
    Again,
}

impl Replica {
    /// The state of the producers, read from the log if that was not done yet.
    pub(super) fn producers(&mut self, disk: &dyn Disk) -> Result<&mut ProducerStates, DiskError> {
        if self.producers.is_none() {
            let mut states = producers::load(&mut self.log, disk, self.unread)?;
            states.high_watermark_at(self.high_watermark);
            self.producers = Some(states);
        }
        Ok(self.producers.get_or_insert_default())
    }

    /// Each segment rolls a little earlier than `segment.ms` says, at random, if the topic's configuration wants it.
    pub(super) fn draw_roll_jitter(&mut self) {
        if self.log.config().segment_jitter_ms.0 > 0 {
            self.log.set_roll_jitter(random_number());
        }
    }

    /// A segment was begun, at `at`: keeps the state that it begins with.
    pub(super) fn rolled(&mut self, disk: &dyn Disk, at: Offset) -> Result<(), DiskError> {
        self.producers(disk)?;
        self.log.write_txn_sums(at)?;
        self.producers.as_ref().map_or(Ok(()), |states| {
            producers::snapshot_at_roll(&self.log, disk, at, states)
        })
    }

    /// Keeps the state at the end of the log, unless the snapshot is there that the last stop left.
    pub(super) fn snapshot_at_close(&mut self, disk: &dyn Disk) -> Result<(), DiskError> {
        let end = self.log.end();
        if end == self.log.start() && self.producers.as_ref().is_none_or(ProducerStates::is_empty) {
            return Ok(());
        }
        if self.log.producer_snapshots().contains(&end) {
            return Ok(());
        }
        self.producers(disk)?;
        self.producers.as_ref().map_or(Ok(()), |states| {
            producers::snapshot_at_close(&self.log, disk, states)
        })
    }

    /// Counts on `wait` until everything appended so far is flushed.
    pub(super) fn wait_for_flush(&mut self, wait: &Arc<AckWait>) {
        wait.add();
        self.acks.push_back((self.log.end(), wait.clone()));
    }

    /// As far as is known without reading: until the state of the producers is loaded, no transaction is.
    pub(super) fn bounds(&self) -> Bounds {
        let states = self.producers.as_ref();
        let unstable = states.and_then(ProducerStates::first_unstable_offset);
        let stable = unstable.map_or(self.high_watermark, |first| first.max(self.log.start()));
        Bounds {
            log_start: self.log.start(),
            high_watermark: self.high_watermark,
            last_stable: stable.min(self.high_watermark),
            log_end: self.log.end(),
        }
    }

    /// `bounds` with the last stable offset as it is.
    pub(super) fn true_bounds(&mut self, disk: &dyn Disk) -> Result<Bounds, DiskError> {
        self.producers(disk)?;
        Ok(self.bounds())
    }

    /// Moves the high watermark and tells those who watch how much more they can read.
    pub(super) fn show(&mut self, end: Offset, bytes: u64) {
        if end <= self.high_watermark {
            return;
        }
        self.high_watermark = end;
        if let Some(states) = &mut self.producers {
            let before = states.first_unstable_offset();
            states.high_watermark_at(end);
            if before != states.first_unstable_offset() {
                // How much more the readers of committed records can read, only reading tells.
                self.watchers.release();
            }
        }
        let more = bytes.saturating_sub(self.visible_bytes);
        self.visible_bytes = self.visible_bytes.max(bytes);
        self.watchers.grow(more, &mut self.afterwards.due.fetches);
    }

    /// Acknowledges everything that is flushed.
    pub(super) fn acknowledge(&mut self) {
        let flushed_end = self.log.flushed_end();
        let is_due = |ack: &mut (Offset, _)| ack.0 <= flushed_end;
        let due = std::iter::from_fn(|| Some(self.acks.pop_front_if(is_due)?.1));
        self.afterwards.due.acks.extend(due);
    }
}
