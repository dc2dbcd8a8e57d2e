//! When parked requests have waited long enough: one task that sleeps until the earliest deadline.
//!
//! Always: a request is released at its deadline or a little later. A deadline that is taken back leaves the alarm as it is
//! set, which then rings for nothing, once: requests that follow each other set it once in the time that they wait. With a
//! timer of the runtime's own for each of them its thread would be woken by most, to be told of an earlier deadline.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::waits::Expire;

#[derive(Default)]
pub(crate) struct Deadlines {
    list: Mutex<List>,
    changed: Notify,
}

#[derive(Default)]
struct List {
    /// By time, and by order of asking among equals.
    by_time: BTreeMap<(Instant, u64), Arc<dyn Expire>>,
    last: u64,
    /// Not later than the earliest of them.
    rings_at: Option<Instant>,
}

/// One deadline; taken back when dropped.
pub(crate) struct Deadline<'a> {
    deadlines: &'a Deadlines,
    key: (Instant, u64),
}

impl Drop for Deadline<'_> {
    fn drop(&mut self) {
        self.deadlines.list.lock().by_time.remove(&self.key);
    }
}

impl Deadlines {
    /// Has `wait` released at that time, as long as what is returned is kept.
    pub(crate) fn enter(&self, at: Instant, wait: Arc<dyn Expire>) -> Deadline<'_> {
        let mut list = self.list.lock();
        list.last += 1;
        let key = (at, list.last);
        list.by_time.insert(key, wait);
        let is_earlier = list.rings_at.is_none_or(|rings_at| at < rings_at);
        if is_earlier {
            list.rings_at = Some(at);
        }
        drop(list);
        if is_earlier {
            self.changed.notify_one();
        }
        Deadline {
            deadlines: self,
            key,
        }
    }

    /// Releases whoever is due, until the server stops.
    pub(crate) async fn watch(&self) {
        loop {
            match self.release_due(Instant::now()) {
                None => self.changed.notified().await,
                Some(next) => {
                    tokio::select! {
                        () = sleep_until(next) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// When the next one is due.
    fn release_due(&self, now: Instant) -> Option<Instant> {
        let mut list = self.list.lock();
        while let Some(entry) = list.by_time.first_entry()
            && entry.key().0 <= now
        {
            entry.remove().expire();
        }
        list.rings_at = list.by_time.first_key_value().map(|((at, _), _)| *at);
        list.rings_at
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::waits::FetchWait;
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_released_at_its_deadline_and_the_earlier_first() {
        let deadlines = Arc::new(Deadlines::default());
        let watched = deadlines.clone();
        tokio::spawn(async move { watched.watch().await });
        let (late, early) = (FetchWait::new(1), FetchWait::new(1));
        let begun = Instant::now();
        let _late = deadlines.enter(begun + Duration::from_secs(3600), late.clone());
        let _early = deadlines.enter(begun + Duration::from_millis(5), early.clone());
        assert!(early.ready().await, "its time was over");
        assert!(begun.elapsed() >= Duration::from_millis(5));
        assert!(!late.is_over());
    }

    #[test]
    fn a_deadline_that_was_taken_back_releases_nobody_and_leaves_the_alarm() {
        let deadlines = Deadlines::default();
        let (first, second) = (FetchWait::new(1), FetchWait::new(1));
        let now = Instant::now();
        let at = |ms| now + Duration::from_millis(ms);
        drop(deadlines.enter(at(10), first.clone()));
        let _second = deadlines.enter(at(20), second.clone());
        assert_eq!(deadlines.list.lock().rings_at, Some(at(10)));
        assert_eq!(deadlines.release_due(at(10)), Some(at(20)));
        assert!(!first.is_over() && !second.is_over());
        assert_eq!(deadlines.release_due(at(20)), None);
        assert!(second.is_over());
    }
}
