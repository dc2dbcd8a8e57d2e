//! Who waits for a transaction's end, so that the producer's next one can begin.
//!
//! Always: only transactional ids that somebody waits for are kept, and no end is missed that comes after `watch`.
//! Whoever waits looks at the transaction between the two, as it may have ended before.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

#[derive(Default)]
pub(super) struct Ends {
    waiting: Mutex<HashMap<String, Vec<oneshot::Sender<()>>>>,
}

/// The next end of a transaction. Leaves nothing behind, also where the waiting is given up.
pub(crate) struct NextEnd<'a> {
    ends: &'a Ends,
    transactional_id: &'a str,
    end: oneshot::Receiver<()>,
}

impl NextEnd<'_> {
    /// Waits for it, and no longer than `within`.
    pub(crate) async fn come(mut self, within: Duration) {
        let _ = tokio::time::timeout(within, &mut self.end).await;
    }
}

impl Ends {
    /// The next end, from now on, of a transaction of this transactional id.
    pub(super) fn watch<'a>(&'a self, transactional_id: &'a str) -> NextEnd<'a> {
        let (sender, end) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        let senders = waiting.entry(transactional_id.to_owned()).or_default();
        senders.push(sender);
        NextEnd {
            ends: self,
            transactional_id,
            end,
        }
    }

    pub(super) fn ended(&self, transactional_id: &str) {
        let waiting = self.waiting.lock().remove(transactional_id);
        for sender in waiting.into_iter().flatten() {
            // Whoever waited may have gone.
            let _ = sender.send(());
        }
    }
}

impl Drop for NextEnd<'_> {
    fn drop(&mut self) {
        self.end.close();
        let mut waiting = self.ends.waiting.lock();
        if let Some(senders) = waiting.get_mut(self.transactional_id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(self.transactional_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_told_and_who_gives_up_leaves_nothing_behind() {
        let ends = Ends::default();
        let long = Duration::from_secs(60);
        let tell = async {
            ends.ended("other");
            ends.ended("t");
        };
        tokio::join!(ends.watch("t").come(long), ends.watch("t").come(long), tell);
        assert!(ends.waiting.lock().is_empty());
        ends.watch("t").come(Duration::ZERO).await;
        assert!(ends.waiting.lock().is_empty());
        let given_up = ends.watch("t");
        assert_eq!(ends.waiting.lock().len(), 1);
        drop(given_up);
        assert!(ends.waiting.lock().is_empty());
    }

    #[tokio::test]
    async fn an_end_that_comes_before_it_is_waited_for_is_not_missed() {
        let ends = Ends::default();
        let next = ends.watch("t");
        ends.ended("t");
        tokio::select! {
            biased;
            () = next.come(Duration::from_secs(60)) => {}
            () = async {} => panic!("it waits for another one"),
        }
    }
}
