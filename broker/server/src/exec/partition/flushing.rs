//! When a partition is flushed, and what that lets go: acknowledgements, the high watermark, waiting fetches.
//!
//! Always: one flush at a time; whoever asks while one runs gets the next, which begins when it ends.

use std::sync::Arc;

use ottla_log::Log;
use ottla_log::disk::DiskError;
use ottla_log::log::{FlushTicket, Flushed};
use ottla_protocol::types::Millis;

use super::opened::opened;
use super::replica::{Flush, Replica};
use super::{Acks, Partition, State};
use crate::exec::checkpoints::Checkpointed;
use crate::exec::keeper::ROUND;
use crate::exec::open_files::LetGo;
use crate::exec::topic::Durability;
use crate::exec::waits::AckWait;

/// After so long without an append everything is flushed, whatever the topic's durability, and the files are closed.
const IDLE_MS: i64 = 5000;

/// How much may be flushed and in no checkpoint before that is seen to without waiting for the keeper: with what may be
/// unflushed (`unflushed_max`) what recovery has to scan, so that its time does not depend on the load.
const UNCHECKPOINTED_MAX: u64 = 16 << 20;

/// How far `disk` lets the page cache run ahead of the disk: who produces beyond it waits for a flush, whatever the acks.
const AHEAD_MAX: u64 = 64 << 20;

impl Partition {
    /// Sees to the flush that an append needs, now or in the keeper's next round.
    pub(super) fn after_append(
        self: &Arc<Self>,
        replica: &mut Replica,
        durability: Durability,
        acks: Acks,
        wait: &mut Option<Arc<AckWait>>,
        now: Millis,
    ) {
        let by_messages = replica.log.is_flush_due();
        let unflushed = replica.appended_bytes - replica.flushed_bytes;
        let by_acks =
            durability == Durability::Disk && (acks == Acks::All || unflushed >= AHEAD_MAX);
        if (by_messages || by_acks) && replica.log.flushed_end() < replica.log.end() {
            if acks != Acks::None {
                replica.wait_for_flush(wait.get_or_insert_with(AckWait::new));
            }
            self.demand_flush(replica);
        } else {
            let is_awaited = durability == Durability::Disk && replica.watchers.await_more();
            let is_much = unflushed >= unflushed_max(durability);
            if is_awaited || (is_much && replica.flush == Flush::Idle) {
                self.demand_flush(replica);
            }
        }
        self.note_use(replica, now);
    }

    /// The partition was used: the keeper looks after it until it has been idle for a while.
    pub(super) fn note_use(self: &Arc<Self>, replica: &mut Replica, now: Millis) {
        replica.was_used = true;
        if !replica.is_listed {
            replica.is_listed = true;
            let due = flush_due(&replica.log, self.settings().durability);
            self.storage.keeper.list(self.clone(), due, now);
        }
    }

    /// Has the flusher sync what is appended, one flush at a time, once the partition's lock is free.
    pub(super) fn demand_flush(self: &Arc<Self>, replica: &mut Replica) {
        match replica.flush {
            Flush::Idle => {
                replica.flush = Flush::Running;
                replica.afterwards.flush = Some(self.clone());
            }
            Flush::Running | Flush::Again => replica.flush = Flush::Again,
        }
    }

    /// The keeper's round: flushes in the background what nobody waits for. Tells when it wants to be looked at again, at
    /// the latest; never, once it is idle and everything is flushed.
    pub(crate) fn keep(self: &Arc<Self>, now: Millis) -> Option<Millis> {
        let durability = self.settings().durability;
        let mut replica = opened(self.state.lock())?;
        if std::mem::take(&mut replica.was_used) || now < replica.used_at {
            replica.used_at = now;
        }
        let is_idle = now.0 - replica.used_at.0 >= IDLE_MS;
        let is_flushed = replica.log.flushed_end() == replica.log.end();
        if is_flushed && is_idle {
            if let Err(error) = replica.log.release_files() {
                self.storage.dirs.disk_trouble(&self.dir(), &error);
            }
            replica.is_listed = false;
            return None;
        }
        let due = flush_due(&replica.log, durability);
        // The clock was set back since the append: nobody knows how long ago that was.
        let is_moved = replica
            .log
            .unflushed_since()
            .is_some_and(|since| since > now);
        if !is_flushed && (is_idle || is_moved || due.is_some_and(|due| due <= now)) {
            self.demand_flush(&mut replica);
        }
        Some(due.map_or(Millis(i64::MAX), |due| due.max(now)))
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

    /// Closes the log's files, which are opened again when they are needed; what is not flushed is, first.
    pub(crate) fn let_go_of_files(&self) -> LetGo {
        if self.files.was_touched() {
            return LetGo::Used;
        }
        for _ in 0..2 {
            let Some(mut state) = self.state.try_lock() else {
                return LetGo::Busy;
            };
            let State::Open(replica) = &mut *state else {
                self.files.left();
                return LetGo::Done;
            };
            if replica.flush != Flush::Idle {
                return LetGo::Busy;
            }
            if replica.log.flushed_end() == replica.log.end() {
                replica.log.close_files();
                self.files.left();
                return LetGo::Done;
            }
            replica.flush = Flush::Running;
            drop(state);
            self.flush();
        }
        LetGo::Busy
    }

    pub(super) fn start_flush(&self) -> Option<(Option<FlushTicket>, u64)> {
        let mut state = self.state.lock();
        let State::Open(replica) = &mut *state else {
            return None;
        };
        replica.flush = Flush::Running;
        match self.dir().with_room(|| replica.log.start_flush()) {
            Ok(ticket) => Some((ticket, replica.appended_bytes)),
            Err(error) => {
                self.storage.dirs.disk_trouble(&self.dir(), &error);
                self.flush_failed(replica);
                None
            }
        }
    }

    /// Takes in what a flush achieved, and acknowledges it; true if another one is wanted.
    pub(super) fn finish_flush(
        &self,
        flushed: Result<Option<Flushed>, DiskError>,
        bytes: u64,
    ) -> bool {
        let mut state = self.state.lock();
        let State::Open(replica) = &mut *state else {
            return false;
        };
        match flushed {
            // Another partition's sync failed meanwhile: nothing is acknowledged from the directory any more.
            Ok(_) if self.dir().is_offline() => {
                self.flush_failed(replica);
                false
            }
            Ok(flushed) => {
                if let Some(flushed) = flushed {
                    replica.log.finish_flush(flushed);
                }
                let end = replica.log.flushed_end();
                replica.show(end, bytes);
                replica.acknowledge();
                self.note(replica);
                replica.flushed_bytes = bytes;
                if bytes - replica.checkpointed_bytes >= UNCHECKPOINTED_MAX {
                    replica.checkpointed_bytes = bytes;
                    self.storage.keeper.checkpoint_soon();
                }
                let max = unflushed_max(self.settings().durability);
                if replica.appended_bytes - bytes >= max {
                    replica.flush = Flush::Again;
                }
                let again = replica.flush == Flush::Again;
                if !again {
                    replica.flush = Flush::Idle;
                }
                let due = std::mem::take(&mut replica.afterwards.due);
                drop(state);
                self.storage.bell.ring(due);
                again
            }
            Err(error) => {
                // Even where the disk was only full: the kernel has dropped what it could not write.
                match error.is_shortage() {
                    true => self.storage.dirs.disk_trouble(&self.dir(), &error),
                    false => self.storage.dirs.fail(&self.dir(), &error),
                }
                self.flush_failed(replica);
                false
            }
        }
    }

    /// A sync failed: the directory is lost until the next start, and nobody who waited is told otherwise.
    pub(super) fn flush_failed(&self, replica: &mut Replica) {
        replica.flush = Flush::Idle;
        replica.acks.drain(..).for_each(|(_, wait)| wait.fail());
        replica.watchers.release();
    }

    pub(super) fn note(&self, replica: &Replica) {
        let at = Checkpointed {
            recovery_point: replica.log.flushed_end(),
            log_start: replica.log.start(),
        };
        self.dir().note(&self.topic.name, self.index, at);
    }
}

/// How much may be unflushed before it is flushed though nobody asks. `memory` leaves a burst to the kernel, which writes it
/// back by its own rules, as the reference does: by the time a flush comes there is less left to write.
const fn unflushed_max(durability: Durability) -> u64 {
    match durability {
        Durability::Disk => 16 << 20,
        Durability::Memory => 256 << 20,
    }
}

/// When what is unflushed has to be flushed though nobody asks. What waits for a flush to become visible does not wait
/// longer than a round.
fn flush_due(log: &Log, durability: Durability) -> Option<Millis> {
    let within = match durability {
        Durability::Disk => log.config().flush_ms.min(ROUND),
        Durability::Memory => log.config().flush_ms,
    };
    Some(log.unflushed_since()?.plus(within))
}
