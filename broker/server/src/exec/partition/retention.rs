//! Segments that the topic's configuration lets go, and which partitions need no look.
//!
//! A closed partition gets nothing appended, so what was found at one look holds until its oldest segment comes of age
//! or the configuration changes: thousands of idle partitions cost one look each, are closed again, and then nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ottla_coordination::txn::ProducerStates;
use ottla_log::{DeleteReason, DeletedSegment};
use ottla_protocol::types::{Millis, Offset};
use tracing::info;

use super::replica::{Flush, Replica};
use super::{Closed, Partition, State};
use crate::exec::topic::TopicSettings;

/// When a closed partition needs its next look.
pub(super) struct NextLook(AtomicI64);

impl NextLook {
    const AT_ONCE: i64 = i64::MIN;
    const NEVER: i64 = i64::MAX;

    pub(super) const fn at_once() -> Self {
        Self(AtomicI64::new(Self::AT_ONCE))
    }

    pub(super) fn reset(&self) {
        self.0.store(Self::AT_ONCE, Ordering::Relaxed);
    }

    pub(super) fn set(&self, due: Option<Millis>) {
        let due = due.map_or(Self::NEVER, |due| due.0);
        self.0.store(due, Ordering::Relaxed);
    }

    pub(super) fn is_due(&self, now: Millis) -> bool {
        self.0.load(Ordering::Relaxed) <= now.0
    }
}

impl Partition {
    /// Deletes segments that retention lets go; the files go later.
    pub(crate) fn apply_retention(self: &Arc<Self>, now: Millis) {
        // Segments that are being compacted are left alone until that is done.
        let Some(_not_cleaned) = self.cleaning.try_enter() else {
            return;
        };
        let was_closed = self.is_closed();
        if was_closed && (!self.next_look.is_due(now) || self.was_never_used()) {
            return;
        }
        let Ok(mut replica) = self.open(now) else {
            return;
        };
        let high_watermark = replica.high_watermark;
        let active = replica.log.active_base();
        let dir = self.dir();
        let log = &mut replica.log;
        let mut deleted = dir.with_room(|| log.apply_retention(high_watermark, now));
        let at = replica.log.active_base();
        if at != active && replica.producers.is_some() {
            // Every segment may be gone, and with them what the state could be read from.
            let kept = replica.rolled(&*dir.disk, at);
            deleted = deleted.and_then(|deleted| kept.map(|()| deleted));
        }
        let due = replica.log.retention_due();
        if let (Ok(due), true) = (&due, deleted.is_ok()) {
            // While the log is held: a change of the settings that comes now asks for another look.
            self.next_look.set(*due);
        }
        if deleted.as_ref().is_ok_and(|segments| !segments.is_empty()) {
            replica.draw_roll_jitter();
            self.note(&replica);
            replica.watchers.release();
        }
        let start = replica.log.start();
        drop(replica);
        match deleted {
            Ok(segments) => {
                for of_one_reason in segments.chunk_by(|a, b| a.reason == b.reason) {
                    self.tell(of_one_reason, start);
                }
                for segment in segments {
                    self.storage.keeper.remove_later(dir.clone(), segment);
                }
            }
            Err(error) => return self.storage.dirs.disk_trouble(&self.dir(), &error),
        }
        if let Err(error) = due {
            return self.storage.dirs.disk_trouble(&self.dir(), &error);
        }
        if was_closed {
            self.close_if_unused();
        }
    }

    fn tell(&self, deleted: &[DeletedSegment], log_start: Offset) {
        let Some(first) = deleted.first() else {
            return;
        };
        let bytes: u64 = deleted.iter().map(|segment| segment.bytes).sum();
        info!(
            topic = %self.topic.name, partition = %self.index, segments = deleted.len(), bytes,
            from = %first.base_offset, %log_start, "segments deleted: {}", why(first.reason, &self.settings())
        );
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(*self.state.lock(), State::Closed(_))
    }

    /// When the next look at a closed partition is due.
    #[cfg(test)]
    pub(crate) fn next_look(&self) -> Millis {
        Millis(self.next_look.0.load(Ordering::Relaxed))
    }

    /// Puts a partition that was opened for a look back to sleep, unless somebody has come to use it.
    pub(crate) fn close_if_unused(&self) {
        let mut state = self.state.lock();
        let State::Open(replica) = &*state else {
            return;
        };
        let is_quiet =
            replica.log.flushed_end() == replica.log.end() && replica.flush == Flush::Idle;
        if !is_quiet || replica.is_in_use() {
            return;
        }
        let State::Open(mut replica) =
            std::mem::replace(&mut *state, State::Closed(Closed::default()))
        else {
            return;
        };
        *state = State::Closed(Closed {
            watchers: std::mem::take(&mut replica.watchers),
            is_unused: false,
        });
        self.note(&replica);
        let snapshot = replica.snapshot_at_close(&*self.dir().disk);
        if let Err(error) = snapshot.and_then(|()| replica.log.close().map(drop)) {
            self.storage.dirs.disk_trouble(&self.dir(), &error);
        }
    }
}

fn why(reason: DeleteReason, settings: &TopicSettings) -> String {
    match reason {
        DeleteReason::RetentionMs => {
            format!("older than retention.ms={}", settings.log.retention_ms)
        }
        DeleteReason::RetentionBytes => {
            format!("more than retention.bytes={}", settings.log.retention_bytes)
        }
        DeleteReason::LogStart => "all records are before the log's start".to_owned(),
        DeleteReason::Truncated => "cut off".to_owned(),
        DeleteReason::Compacted => "a cleaned segment has taken their place".to_owned(),
    }
}

impl Replica {
    /// Whether an acknowledgement waits for it, the keeper looks after it, or a coordinator is asked about a batch for it.
    fn is_in_use(&self) -> bool {
        let states = self.producers.as_ref();
        self.is_listed || !self.acks.is_empty() || states.is_some_and(ProducerStates::is_asking)
    }
}
