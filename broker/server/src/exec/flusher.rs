//! Syncing partitions to disk on threads of their own.
//!
//! Always: one flush of a partition at a time, the next begins when the previous ends and covers everything appended
//! meanwhile (group commit); flushes of different partitions run in parallel, because the file system merges them.
//! Threads are started as they are needed and end when there is nothing to do for a while.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::partition::Partition;

/// More syncs at a time than this gain nothing on one disk.
const THREADS_MAX: usize = 16;

/// How long a thread waits for work before it ends.
const LINGER: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Queue {
    partitions: VecDeque<Arc<Partition>>,
    threads: usize,
    idle: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Clone, Default)]
pub(crate) struct Flusher(Arc<Shared>);

impl Flusher {
    /// Has a partition flushed. The caller makes sure that it is not submitted twice at a time.
    pub(crate) fn submit(&self, partition: Arc<Partition>) {
        let mut queue = self.0.queue.lock();
        queue.partitions.push_back(partition);
        if queue.idle >= queue.partitions.len() {
            self.0.work.notify_one();
        } else if queue.threads < THREADS_MAX {
            queue.threads += 1;
            drop(queue);
            self.start_thread();
        }
    }

    fn start_thread(&self) {
        let shared = self.0.clone();
        let started = std::thread::Builder::new()
            .name("flush".to_owned())
            .spawn(move || shared.work());
        if let Err(error) = started {
            let threads = {
                let mut queue = self.0.queue.lock();
                queue.threads -= 1;
                queue.threads
            };
            tracing::error!(threads, "cannot start a thread that flushes: {error}");
            if threads == 0 {
                // Slow is better than never.
                let waiting: Vec<_> = self.0.queue.lock().partitions.drain(..).collect();
                waiting.iter().for_each(|partition| partition.flush());
            }
        }
    }
}

impl Shared {
    fn work(&self) {
        let mut queue = self.queue.lock();
        loop {
            if let Some(partition) = queue.partitions.pop_front() {
                drop(queue);
                partition.flush();
                queue = self.queue.lock();
                continue;
            }
            queue.idle += 1;
            let timed_out = self.work.wait_for(&mut queue, LINGER).timed_out();
            queue.idle -= 1;
            if timed_out && queue.partitions.is_empty() {
                queue.threads -= 1;
                return;
            }
        }
    }
}
