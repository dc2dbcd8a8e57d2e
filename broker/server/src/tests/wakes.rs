//! Who is woken by what happens to a partition, and when.

use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use ottla_log::MinimumRead;
use ottla_protocol::types::Offset;

use super::storage::Bench;
use crate::clock;
use crate::exec::partition::{Acks, Isolation, Partition};
use crate::exec::waits::FetchWait;
use crate::exec::watch::Watch;
use crate::testing::{PATIENCE, eventually};

/// A reader that comes back for the partition on another thread the moment it is woken, and before whoever wakes it goes on.
struct Reader {
    partition: Arc<Partition>,
    found_it_free: OnceLock<bool>,
}

impl Wake for Reader {
    fn wake(self: Arc<Self>) {
        let (tell, told) = mpsc::channel();
        let partition = self.partition.clone();
        std::thread::spawn(move || tell.send(partition.bounds(clock::now())));
        let is_free = told.recv_timeout(PATIENCE).is_ok();
        self.found_it_free.set(is_free).expect("it is woken once");
    }
}

#[tokio::test]
async fn whoever_is_woken_finds_the_partition_free() {
    for durability in ["memory", "disk"] {
        let bench = Bench::new(durability);
        let partition = &bench.partition;
        assert_eq!(bench.produce(Acks::All).await, Ok(0));
        eventually("the first record is shown", || {
            partition.bounds(clock::now()).unwrap().high_watermark == Offset(1)
        });

        let (end, isolation) = (MinimumRead::OneBatch, Isolation::ReadUncommitted);
        let Ok(read) = partition.read(Offset(1), 1, end, isolation, clock::now()) else {
            panic!("the end of the log can be read");
        };
        let watch = Arc::new(Watch::default());
        let waiting = watch.wait_with(FetchWait::new(1)).expect("no changes");
        assert!(partition.watch(&watch, None, read.bounds, clock::now()));
        let reader = Arc::new(Reader {
            partition: partition.clone(),
            found_it_free: OnceLock::new(),
        });
        let waker = Waker::from(reader.clone());
        let mut ready = pin!(waiting.wait().ready());
        let polled = ready.as_mut().poll(&mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Pending);

        assert_eq!(bench.produce(Acks::All).await, Ok(1));
        eventually("the reader is woken", || {
            reader.found_it_free.get().is_some()
        });
        assert_eq!(reader.found_it_free.get(), Some(&true), "{durability}");
    }
}
