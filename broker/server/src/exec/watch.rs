//! Readers in the lists of partitions: fetches that wait, and sessions that hear of what changes between them.
//!
//! A watch is one reader, a watcher its entry in the list of one partition. A session keeps its watch for life: a
//! partition that it has read to the end holds a watcher, and costs it nothing until something of it changes. Then the
//! partition's place in the session is put down in the watch, once, and whoever waits is told.
//! Always: a change that a watcher does not tell of was told before, and not taken yet. Where nobody waits, the watcher
//! goes with its first change: what no client asks for any more costs an append nothing. A partition's lock is taken
//! before a watch's.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::waits::FetchWait;

#[derive(Debug, Default)]
pub(crate) struct Watch {
    state: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    /// Places of the partitions that have changed since these were last taken.
    changed: Vec<u64>,
    waiting: Option<Arc<FetchWait>>,
}

/// A fetch that waits; no more, once dropped.
pub(crate) struct Waiting {
    watch: Arc<Watch>,
    wait: Arc<FetchWait>,
}

impl Watch {
    pub(crate) fn take_changed(&self) -> Vec<u64> {
        std::mem::take(&mut self.state.lock().changed)
    }

    /// From now on changes are told to `wait`. None: there were some that nobody has taken yet. A session waits with one
    /// fetch at a time: one that was overtaken has no answer to wait for.
    pub(crate) fn wait_with(self: &Arc<Self>, wait: Arc<FetchWait>) -> Option<Waiting> {
        let mut state = self.state.lock();
        if !state.changed.is_empty() {
            return None;
        }
        if let Some(overtaken) = state.waiting.replace(wait.clone()) {
            overtaken.release();
        }
        Some(Waiting {
            watch: self.clone(),
            wait,
        })
    }
}

impl Waiting {
    pub(crate) fn wait(&self) -> &Arc<FetchWait> {
        &self.wait
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.watch.state.lock();
        if state
            .waiting
            .as_ref()
            .is_some_and(|wait| Arc::ptr_eq(wait, &self.wait))
        {
            state.waiting = None;
        }
    }
}

/// Who watches one partition.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Vec<Watcher>);

#[derive(Debug)]
struct Watcher {
    /// Dead, when the session is gone or the fetch is answered.
    watch: Weak<Watch>,
    /// The partition's place in the session, until the session was told that it has changed.
    untold: Option<u64>,
}

impl Watchers {
    /// Adds a reader, in the place of what there was of it. With a `place` it is told of the next change even if it does
    /// not wait then.
    pub(crate) fn add(&mut self, watch: &Arc<Watch>, place: Option<u64>) {
        if let Some(same) = self.0.iter_mut().find(|other| other.is_of(watch)) {
            same.untold = place;
            return;
        }
        // Who is gone is looked for before the list takes more memory, not each time.
        if self.0.len() == self.0.capacity() {
            self.0.retain(|other| other.watch.strong_count() > 0);
        }
        self.0.push(Watcher {
            watch: Arc::downgrade(watch),
            untold: place,
        });
    }

    /// So many bytes more can be read. Fetches that this is enough for are put with those that are `due`.
    pub(crate) fn grow(&mut self, bytes: u64, due: &mut Vec<Arc<FetchWait>>) {
        self.0.retain_mut(|watcher| {
            watcher.tell(|wait| {
                if wait.grow(bytes) {
                    due.push(wait.clone());
                }
            })
        });
    }

    /// Something has changed that should be told now.
    pub(crate) fn release(&mut self) {
        for mut watcher in self.0.drain(..) {
            watcher.tell(|wait| wait.release());
        }
    }

    /// More was appended than can be read yet: who waits hears of it when it can be, the others are to look and ask for
    /// it. True if somebody waits.
    pub(crate) fn await_more(&mut self) -> bool {
        self.0.retain_mut(Watcher::awaits_more);
        !self.0.is_empty()
    }
}

impl Watcher {
    fn is_of(&self, watch: &Arc<Watch>) -> bool {
        std::ptr::eq(self.watch.as_ptr(), Arc::as_ptr(watch))
    }

    /// Whether it has to stay in the list.
    fn tell(&mut self, how: impl FnOnce(&Arc<FetchWait>)) -> bool {
        let Some(watch) = self.watch.upgrade() else {
            return false;
        };
        let mut state = watch.state.lock();
        state.changed.extend(self.untold.take());
        let Some(wait) = &state.waiting else {
            return false;
        };
        how(wait);
        true
    }

    fn awaits_more(&mut self) -> bool {
        let Some(watch) = self.watch.upgrade() else {
            return false;
        };
        let mut state = watch.state.lock();
        let is_awaited = state.waiting.is_some();
        if !is_awaited {
            state.changed.extend(self.untold.take());
        }
        is_awaited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_EVER: i64 = i64::MAX;

    fn watched(place: Option<u64>) -> (Arc<Watch>, Watchers) {
        let (watch, mut watchers) = (Arc::default(), Watchers::default());
        watchers.add(&watch, place);
        (watch, watchers)
    }

    #[test]
    fn a_change_that_nobody_waits_for_is_told_once_and_ends_the_watch() {
        let (watch, mut watchers) = watched(Some(7));
        watchers.grow(10, &mut Vec::new());
        assert!(watchers.0.is_empty());
        watchers.grow(10, &mut Vec::new());
        assert_eq!(watch.take_changed(), [7]);
        assert!(watch.take_changed().is_empty());
    }

    #[test]
    fn who_waits_for_many_bytes_is_told_of_all_and_woken_by_the_last() {
        let (watch, mut watchers) = watched(Some(7));
        let waiting = watch.wait_with(FetchWait::new(100)).expect("no changes");
        let mut due = Vec::new();
        watchers.grow(60, &mut due);
        assert!(due.is_empty());
        assert!(watch.wait_with(FetchWait::new(100)).is_none(), "changed");
        watchers.grow(40, &mut due);
        assert!(Arc::ptr_eq(&due[0], waiting.wait()) && due.len() == 1);
        assert_eq!(watch.take_changed(), [7]);
    }

    #[test]
    fn records_that_cannot_be_read_yet_are_told_to_those_who_do_not_wait() {
        let (watch, mut watchers) = watched(Some(7));
        let waiting = watch
            .wait_with(FetchWait::new(FOR_EVER))
            .expect("no changes");
        assert!(watchers.await_more());
        assert!(watch.take_changed().is_empty());
        drop(waiting);
        assert!(!watchers.await_more());
        assert_eq!(watch.take_changed(), [7]);
    }

    #[tokio::test]
    async fn the_fetch_that_overtakes_another_is_the_one_that_waits() {
        let (watch, mut watchers) = watched(Some(7));
        let first = watch
            .wait_with(FetchWait::new(FOR_EVER))
            .expect("no changes");
        let second = watch
            .wait_with(FetchWait::new(FOR_EVER))
            .expect("no changes");
        first.wait().ready().await;
        drop(first);
        watchers.release();
        second.wait().ready().await;
    }

    #[test]
    fn a_list_holds_a_reader_once_and_forgets_those_who_are_gone() {
        let (watch, mut watchers) = watched(Some(7));
        for place in 0..1000 {
            watchers.add(&Arc::default(), None);
            watchers.add(&watch, Some(place));
        }
        assert!(watchers.0.len() < 10, "{}", watchers.0.len());
        watchers.release();
        assert_eq!(watch.take_changed(), [999]);
    }
}
