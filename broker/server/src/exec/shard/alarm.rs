//! The timers of all machines: one task that sleeps until the earliest of them.
//!
//! Always: a machine that asked to be woken is woken once, at that time or a little later. A later wish of the same
//! machine does not take the earlier one back; waking for nothing is cheap, and a machine's next timer mostly moves
//! away with every heartbeat. All times here are of the monotonic clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ottla_protocol::types::Millis;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Coordinator, Shard};
use crate::clock;

struct Due<C: Coordinator> {
    /// By time, and by order of asking among equals.
    by_time: BTreeMap<(Millis, u64), Weak<Shard<C>>>,
    last: u64,
}

pub(super) struct Alarm<C: Coordinator> {
    due: Mutex<Due<C>>,
    changed: Notify,
}

impl<C: Coordinator> Alarm<C> {
    pub(super) fn new() -> Self {
        Self {
            due: Mutex::new(Due {
                by_time: BTreeMap::new(),
                last: 0,
            }),
            changed: Notify::new(),
        }
    }

    pub(super) fn set(&self, shard: &Arc<Shard<C>>, at: Millis) {
        let mut due = self.due.lock();
        due.last += 1;
        let key = (at, due.last);
        due.by_time.insert(key, Arc::downgrade(shard));
        let is_first = due
            .by_time
            .first_key_value()
            .is_some_and(|(first, _)| *first == key);
        drop(due);
        if is_first {
            self.changed.notify_one();
        }
    }

    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            let now = clock::monotonic();
            let next = self.ring_due(now);
            match next {
                None => self.changed.notified().await,
                Some(at) => {
                    let left = Duration::from_millis(at.0.saturating_sub(now.0).unsigned_abs());
                    tokio::select! {
                        () = tokio::time::sleep(left) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// Wakes every machine whose time has come; when the next one is due.
    fn ring_due(&self, now: Millis) -> Option<Millis> {
        loop {
            let mut due = self.due.lock();
            let entry = due.by_time.first_entry()?;
            let (at, _) = *entry.key();
            if at > now {
                return Some(at);
            }
            let shard = entry.remove();
            drop(due);
            if let Some(shard) = shard.upgrade() {
                shard.ring();
            }
        }
    }
}
