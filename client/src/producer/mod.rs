//! The producer: records in, batches out, acknowledgements back.
//!
//! Owns: batching, back-pressure, order and repetition of batches, partition choice. `accumulator` and `queue` decide
//! and are pure; `sender` carries out. Always: records of one partition are written in the order they were sent, and
//! with idempotence (the default) at most once; every record gets exactly one outcome. A record costs one lock, one
//! copy into its batch and one reference, never a task or a channel.
//! `transaction` puts records into transactions. Not here: serialization.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::Notify, task::JoinHandle, time::timeout};

use ottla_protocol::records::Header;

use crate::cluster::{Cluster, Deadline, Topic, lock};

mod accumulator;
#[cfg(test)]
mod accumulator_tests;
mod answer;
mod batch;
mod delivery;
mod error;
mod partitioner;
mod queue;
mod scope;
mod sender;
mod settings;
mod split;
#[cfg(test)]
mod tests;
mod transaction;

use accumulator::{Accumulator, AppendError, Appended, News};
pub use delivery::{BatchPlace, Delivery, RecordMetadata};
pub use error::ProduceError;
pub use partitioner::{CustomPartitioner, PartitionInput, Partitioner};
pub use settings::{Acks, BatchObserver, ProducerSettings, TransactionSettings};
pub use transaction::{ErrorClass, Settled, Transaction, TransactionError, TransactionalProducer};

/// A record to be sent; borrowed, as it is copied once into its batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    pub topic: &'a str,
    /// The partitioner's choice where there is none.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    /// None is a tombstone.
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
    /// Milliseconds since 1970; now where there is none.
    pub timestamp: Option<i64>,
}

/// What became of a batch, for whoever does not want to look at every record.
#[derive(Clone, Copy, Debug)]
pub struct BatchReport<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub records: i32,
    /// What it takes as it is sent and stored: compressed, with its header.
    pub bytes: usize,
    /// From the batch's first record to the outcome.
    pub age: Duration,
    pub outcome: Result<BatchPlace, &'a ProduceError>,
}

/// A producer. Dropping it without [`Producer::close`] gives up what has not been acknowledged.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    sender: Option<JoinHandle<()>>,
}

/// What callers and the sender share.
#[derive(Debug)]
struct Shared {
    cluster: Cluster,
    settings: ProducerSettings,
    accumulator: Mutex<Accumulator>,
    /// There is something to send, or a time to watch.
    work: Notify,
    /// Memory has become free.
    memory: Notify,
    /// Give up what is left.
    stop: AtomicBool,
    /// For producers of transactions.
    coordinator: Option<transaction::Coordinator>,
    /// An AddPartitionsToTxn has ended.
    added: Notify,
}

impl Producer {
    /// Starts a producer over a connected cluster. Must be called within a tokio runtime. Where the settings name a
    /// transactional id, it takes no records: those are for [`TransactionalProducer`].
    pub fn start(cluster: Cluster, settings: ProducerSettings) -> Self {
        let transactions = settings.transactions.as_ref();
        let coordinator = transactions.map(|transactions| {
            transaction::Coordinator::new(cluster.clone(), transactions, settings.block_max)
        });
        let shared = Arc::new(Shared {
            accumulator: Mutex::new(Accumulator::new(settings.accumulator())),
            cluster,
            settings,
            work: Notify::new(),
            memory: Notify::new(),
            stop: AtomicBool::new(false),
            coordinator,
            added: Notify::new(),
        });
        let sender = tokio::spawn(sender::Sender::new(shared.clone()).run());
        Self {
            shared,
            sender: Some(sender),
        }
    }

    pub fn cluster(&self) -> &Cluster {
        &self.shared.cluster
    }

    /// Puts a record into its batch; waits for metadata and for memory up to `max.block.ms`. The returned delivery
    /// tells what became of it.
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, ProduceError> {
        match self.try_append(&record) {
            Ok(Appended {
                delivery,
                news: News::Full,
            }) => {
                // Where one thread does everything, a caller in a loop would otherwise fill all memory before the
                // first batch goes out.
                tokio::task::yield_now().await;
                Ok(delivery)
            }
            Ok(Appended { delivery, .. }) => Ok(delivery),
            Err(AppendError::Refused(error)) => Err(error),
            // In a box: it is some kilobytes, and what is awaited for each of a million records may be moved as often.
            Err(AppendError::UnknownTopic | AppendError::Full) => {
                Box::pin(self.send_slowly(record)).await
            }
        }
    }

    /// The same without waiting: `None` where it would have to.
    pub fn try_send(&self, record: &Record<'_>) -> Option<Result<Delivery, ProduceError>> {
        match self.try_append(record) {
            Ok(appended) => Some(Ok(appended.delivery)),
            Err(AppendError::Refused(error)) => Some(Err(error)),
            Err(AppendError::UnknownTopic | AppendError::Full) => None,
        }
    }

    /// Partitions of a topic, looked up where it is not known.
    pub async fn partitions_of(&self, topic: &str) -> Result<usize, ProduceError> {
        let deadline = Deadline::after(self.shared.settings.block_max);
        Ok(self.shared.learn(topic, deadline).await?.partitions.len())
    }

    /// Lets everything go out without lingering and waits until all that was sent before has its outcome.
    pub async fn flush(&self) {
        let outcomes = lock(&self.shared.accumulator).flush();
        self.shared.work.notify_one();
        for outcome in outcomes {
            outcome.done().await;
        }
    }

    /// Takes no more records, delivers what there is, and ends. What is not delivered in time fails.
    pub async fn close(mut self, within: Duration) {
        lock(&self.shared.accumulator).close();
        self.shared.work.notify_one();
        let Some(mut sender) = self.sender.take() else {
            return;
        };
        if timeout(within, &mut sender).await.is_err() {
            self.shared.give_up();
            let _ = sender.await;
        }
    }

    fn try_append(&self, record: &Record<'_>) -> Result<Appended, AppendError> {
        let timestamp = record.timestamp.unwrap_or_else(now_ms);
        let appended = lock(&self.shared.accumulator).append(record, timestamp, Instant::now);
        match &appended {
            Ok(Appended {
                news: News::Begun | News::Full,
                ..
            })
            | Err(AppendError::Full) => {
                self.shared.work.notify_one();
            }
            _ => {}
        }
        appended
    }

    #[cold]
    async fn send_slowly(&self, record: Record<'_>) -> Result<Delivery, ProduceError> {
        let allowed = self.shared.settings.block_max;
        let deadline = Deadline::after(allowed);
        loop {
            // Registered before trying, so that memory freed in between is not missed.
            let freed = self.shared.memory.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.try_append(&record) {
                Ok(appended) => return Ok(appended.delivery),
                Err(AppendError::Refused(error)) => return Err(error),
                Err(AppendError::UnknownTopic) => {
                    self.shared.learn(record.topic, deadline).await?;
                }
                Err(AppendError::Full) => {
                    if timeout(deadline.left(), freed).await.is_err() {
                        return Err(ProduceError::BufferFull(allowed));
                    }
                }
            }
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if self.sender.is_some() {
            self.shared.give_up();
        }
    }
}

impl Shared {
    /// Looks a topic up and tells the accumulator.
    async fn learn(&self, name: &str, deadline: Deadline) -> Result<Arc<Topic>, ProduceError> {
        let topic = self.cluster.topic(name, deadline).await?;
        self.take_over(&topic);
        Ok(topic)
    }

    /// Tells the accumulator who leads the topic's partitions.
    fn take_over(&self, topic: &Topic) {
        let mut leaders = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            // Indexes are dense; should a broker leave one out, those behind it wait for a better answer.
            if usize::try_from(partition.index.0) != Ok(leaders.len()) {
                break;
            }
            leaders.push(partition.leader);
        }
        lock(&self.accumulator).set_topic(&topic.name, &leaders);
    }

    fn give_up(&self) {
        self.stop.store(true, Ordering::Release);
        lock(&self.accumulator).close();
        self.work.notify_one();
    }

    /// The protocol of the transaction that is open; none where there are no transactions.
    fn transaction_protocol(&self) -> Option<scope::TransactionProtocol> {
        self.coordinator.as_ref()?;
        Some(lock(&self.accumulator).scope().protocol())
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
