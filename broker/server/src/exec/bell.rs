//! How the flusher's threads tell connections that what they wait for is on the disk.
//!
//! Always: whoever is due is released once, whether anybody listens for the bell or not.
//!
//! A thread from outside the runtime that wakes a task wakes a worker for it, which wakes another one to look for more. What
//! comes through a descriptor is seen by the worker that waits for sockets, which then serves the connections itself.

use std::io::{self, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::waits::Due;

#[derive(Default)]
pub(crate) struct Bell(Mutex<List>);

#[derive(Default)]
struct List {
    due: Due,
    /// None while nobody listens.
    wire: Option<Arc<PipeWriter>>,
}

impl Bell {
    /// Releases those who are due, soon.
    pub(crate) fn ring(&self, due: Due) {
        if due.is_empty() {
            return;
        }
        let mut list = self.0.lock();
        let is_first = list.due.is_empty();
        list.due.extend(due);
        let wire = list.wire.clone();
        drop(list);
        match wire {
            // Whoever came before has rung for all.
            Some(_) if !is_first => {}
            Some(wire) if (&*wire).write_all(&[0]).is_ok() => {}
            _ => self.release(),
        }
    }

    fn release(&self) {
        let due = std::mem::take(&mut self.0.lock().due);
        due.release();
    }

    /// Listens until the server stops.
    pub(crate) async fn watch(&self) {
        if let Err(error) = self.listen().await {
            // Those who ring release themselves from here on.
            tracing::warn!("acknowledgements take longer: {error}");
        }
    }

    async fn listen(&self) -> io::Result<()> {
        let (heard, wire) = io::pipe()?;
        let mut heard = Receiver::from_owned_fd(OwnedFd::from(heard))?;
        self.0.lock().wire = Some(Arc::new(wire));
        let _listening = Listening(self);
        // Read before the list is looked at: who is too late for it rings again.
        while heard.read(&mut [0; 64]).await? > 0 {
            self.release();
        }
        Ok(())
    }
}

/// Somebody listens.
struct Listening<'a>(&'a Bell);

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.0.lock().wire = None;
        self.0.release();
    }
}

#[cfg(test)]
mod tests {
    use super::super::waits::{AckWait, FetchWait};
    use super::*;

    fn due(acks: Vec<Arc<AckWait>>) -> Due {
        Due {
            acks,
            fetches: Vec::new(),
        }
    }

    #[tokio::test]
    async fn whoever_is_acknowledged_by_another_thread_is_released() {
        let bell = Arc::new(Bell::default());
        let listening = tokio::spawn({
            let bell = bell.clone();
            async move { bell.watch().await }
        });
        while bell.0.lock().wire.is_none() {
            tokio::task::yield_now().await;
        }
        for round in 1..=3 {
            let acks: Vec<_> = (0..round).map(|_| AckWait::new()).collect();
            let (rung, due) = (bell.clone(), due(acks.clone()));
            std::thread::spawn(move || rung.ring(due));
            for ack in acks {
                assert!(ack.settled().await);
            }
        }
        // Nobody hears this; it is released all the same.
        listening.abort();
        let late = AckWait::new();
        bell.ring(due(vec![late.clone()]));
        assert!(late.settled().await);
    }

    #[tokio::test]
    async fn whoever_is_acknowledged_while_nobody_listens_is_released_at_once() {
        let bell = Bell::default();
        let (ack, fetch) = (AckWait::new(), FetchWait::new(1));
        let fetches = vec![fetch.clone()];
        bell.ring(Due {
            fetches,
            ..due(vec![ack.clone()])
        });
        assert!(ack.settled().await);
        assert!(!fetch.ready().await, "not because of the time");
    }
}
