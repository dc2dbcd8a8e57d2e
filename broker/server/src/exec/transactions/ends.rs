//! Who waits for a transaction's end, so that the producer's next one can begin.
//!
//! Deliberately no promise: whoever waits also looks again after a while, as an end may come right before it is waited for.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

#[derive(Default)]
pub(super) struct Ends {
    waiting: Mutex<HashMap<String, Vec<oneshot::Sender<()>>>>,
}

impl Ends {
    /// Tells of the next end of a transaction of this transactional id.
    pub(super) fn next(&self, transactional_id: &str) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        let senders = waiting.entry(transactional_id.to_owned()).or_default();
        // Those who did not want to wait longer have gone.
        senders.retain(|sender| !sender.is_closed());
        senders.push(sender);
        receiver
    }

    pub(super) fn ended(&self, transactional_id: &str) {
        for sender in self
            .waiting
            .lock()
            .remove(transactional_id)
            .unwrap_or_default()
        {
            // Whoever waited may have gone.
            let _ = sender.send(());
        }
    }
}
