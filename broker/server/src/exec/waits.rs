//! Requests that wait for something to happen to partitions.
//!
//! Always: whoever waits is woken once, when there is something for it to do, by the append or flush that made it so.
//! Nothing here polls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What does not wait longer than until a deadline ([`super::deadlines`]).
pub(crate) trait Expire: Send + Sync {
    /// The time is over: wakes whoever waits.
    fn expire(&self);
}

/// Acknowledgements of one produce request that wait for flushes, one count per partition.
#[derive(Debug)]
pub(crate) struct AckWait {
    /// The request itself holds one count until all its partitions are registered.
    left: AtomicUsize,
    failed: AtomicBool,
    is_late: AtomicBool,
    done: Notify,
}

impl AckWait {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(1),
            failed: AtomicBool::new(false),
            is_late: AtomicBool::new(false),
            done: Notify::new(),
        })
    }

    pub(crate) fn add(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// One count less; the last one wakes.
    pub(crate) fn release(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// The log directory went offline: what was appended may be lost.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.release();
    }

    /// Waits until every count is released; false if one of them failed.
    pub(crate) async fn settled(&self) -> bool {
        self.settled_in_time().await == Some(true)
    }

    /// The same where it has a deadline: `None` if that comes first.
    pub(crate) async fn settled_in_time(&self) -> Option<bool> {
        while self.left.load(Ordering::Acquire) != 0 {
            if self.is_late.load(Ordering::Acquire) {
                return None;
            }
            self.done.notified().await;
        }
        Some(!self.failed.load(Ordering::Acquire))
    }
}

impl Expire for AckWait {
    fn expire(&self) {
        self.is_late.store(true, Ordering::Release);
        self.done.notify_one();
    }
}

/// Who is released, once no lock is held.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) acks: Vec<Arc<AckWait>>,
    pub(crate) fetches: Vec<Arc<FetchWait>>,
}

impl Due {
    pub(crate) fn is_empty(&self) -> bool {
        self.acks.is_empty() && self.fetches.is_empty()
    }

    pub(crate) fn extend(&mut self, more: Self) {
        self.acks.extend(more.acks);
        self.fetches.extend(more.fetches);
    }

    pub(crate) fn release(self) {
        self.acks.iter().for_each(|ack| ack.release());
        self.fetches.iter().for_each(|fetch| fetch.release());
    }
}

/// A fetch that waits for bytes on any of its partitions.
#[derive(Debug)]
pub(crate) struct FetchWait {
    missing: AtomicI64,
    is_over: AtomicBool,
    ready: Notify,
}

impl FetchWait {
    pub(crate) fn new(missing_bytes: i64) -> Arc<Self> {
        Arc::new(Self {
            missing: AtomicI64::new(missing_bytes),
            is_over: AtomicBool::new(false),
            ready: Notify::new(),
        })
    }

    /// More bytes can be read; true if that makes the answer large enough, and the fetch is to be released.
    #[must_use]
    pub(crate) fn grow(&self, bytes: u64) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let before = self.missing.fetch_sub(bytes, Ordering::AcqRel);
        before > 0 && before <= bytes
    }

    /// The answer is large enough, or has changed in a way that should be told now: the partition is gone, truncated or failed.
    pub(crate) fn release(&self) {
        self.ready.notify_one();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Waits until there is something to do; true if that is because the time is over.
    pub(crate) async fn ready(&self) -> bool {
        self.ready.notified().await;
        self.is_over()
    }
}

impl Expire for FetchWait {
    fn expire(&self) {
        self.is_over.store(true, Ordering::Release);
        self.ready.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_ack_waits_for_all_its_partitions() {
        let wait = AckWait::new();
        wait.add();
        wait.add();
        wait.release();
        let waiting = tokio::spawn({
            let wait = wait.clone();
            async move { wait.settled().await }
        });
        wait.release();
        assert!(!waiting.is_finished());
        wait.fail();
        assert!(!waiting.await.unwrap(), "one of them failed");
    }

    #[tokio::test]
    async fn an_ack_waits_no_longer_than_it_may_unless_it_is_settled() {
        let late = AckWait::new();
        late.expire();
        assert_eq!(late.settled_in_time().await, None);
        let settled = AckWait::new();
        settled.release();
        settled.expire();
        assert_eq!(settled.settled_in_time().await, Some(true));
    }

    #[tokio::test]
    async fn a_fetch_wakes_when_enough_has_come() {
        let wait = FetchWait::new(100);
        assert!(!wait.grow(60));
        assert!(!wait.grow(39));
        assert!(wait.grow(1));
        assert!(!wait.grow(1), "once");
        wait.release();
        assert!(!wait.ready().await);
    }
}
