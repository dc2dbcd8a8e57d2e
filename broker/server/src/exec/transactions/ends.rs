//! Who waits for a transaction's end, so that the producer's next one can begin.
//!
//! Always: only transactional ids that somebody waits for are kept.
//! Deliberately no promise: whoever waits also looks again after a while, as an end may come right before it is waited for.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

#[derive(Default)]
pub(super) struct Ends {
    waiting: Mutex<HashMap<String, Vec<oneshot::Sender<()>>>>,
}

/// Leaves nothing behind, also where the waiting is given up.
struct Place<'a> {
    ends: &'a Ends,
    transactional_id: &'a str,
    end: oneshot::Receiver<()>,
}

impl Ends {
    /// Waits for the next end of a transaction of this transactional id, and no longer than `within`.
    pub(super) async fn next(&self, transactional_id: &str, within: Duration) {
        let mut place = self.place(transactional_id);
        let _ = tokio::time::timeout(within, &mut place.end).await;
    }

    fn place<'a>(&'a self, transactional_id: &'a str) -> Place<'a> {
        let (sender, end) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        let senders = waiting.entry(transactional_id.to_owned()).or_default();
        senders.push(sender);
        Place {
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

impl Drop for Place<'_> {
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
        tokio::join!(ends.next("t", long), ends.next("t", long), tell);
        assert!(ends.waiting.lock().is_empty());
        ends.next("t", Duration::ZERO).await;
        assert!(ends.waiting.lock().is_empty());
        {
            let given_up = ends.next("t", long);
            tokio::pin!(given_up);
            tokio::select! {
                biased;
                () = &mut given_up => panic!("nothing has ended"),
                () = async {} => assert_eq!(ends.waiting.lock().len(), 1),
            }
        }
        assert!(ends.waiting.lock().is_empty());
    }
}
