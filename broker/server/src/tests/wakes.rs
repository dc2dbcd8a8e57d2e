//! Who is woken by what happens to a partition, and when.

use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use bytes::BytesMut;
use ottla_coordination::txn::{Origin, Verification};
use ottla_log::MinimumRead;
use ottla_log::testing::{FaultyDisk, MemoryDisk};
use ottla_protocol::types::Offset;

use super::storage::{partition_on, settled};
use crate::clock;
use crate::exec::partition::{Acks, Append, Isolation, Partition};
use crate::exec::waits::FetchWait;
use crate::exec::watch::Watch;
use crate::testing::{PATIENCE, batch, eventually};

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

async fn append(partition: &Arc<Partition>) {
    let how = Append {
        acks: Acks::All,
        log_append_time: false,
        producer: None,
        origin: Origin::Client(Verification::Waived),
    };
    let (mut bytes, mut wait) = (BytesMut::from(&batch(&["x"])[..]), None);
    let placed = partition.append(&mut bytes, how, &mut wait, clock::now());
    placed.expect("room for a record");
    settled(wait).await.expect("a disk that works");
}

#[tokio::test]
async fn whoever_is_woken_finds_the_partition_free() {
    for durability in ["memory", "disk"] {
        let disk = FaultyDisk::new(Arc::new(MemoryDisk::new()));
        let (_storage, partition, _fatal) =
            partition_on(&disk, &[("ottla.durability", durability)], 1 << 20);
        append(&partition).await;
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

        append(&partition).await;
        eventually("the reader is woken", || {
            reader.found_it_free.get().is_some()
        });
        assert_eq!(reader.found_it_free.get(), Some(&true), "{durability}");
    }
}
