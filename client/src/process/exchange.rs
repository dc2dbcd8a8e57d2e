//! Records in, results out, and the offsets with them.
//!
//! Always: a batch's results and the offsets behind its records are committed together, or the records come again; a
//! partition that is let go takes its records out of the batch, and is never sought back, as whoever reads it next may have
//! gone on already. Not here: what is done to a record, and whether it is tried again (`process`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use ottla_protocol::errors::ErrorCode;

use crate::{
    admin::{NewOffset, TopicPartition},
    cluster::{Deadline, lock},
    consumer::{Consumer, ConsumerError, ConsumerRecord, Offsets, RebalanceListener},
    producer::{
        Delivery, ErrorClass, ProduceError, Producer, Settled, Transaction, TransactionError,
        TransactionalProducer,
    },
};

use super::{Output, ProcessError};

/// A consumer and a producer that work hand in hand.
pub struct Exchange {
    consumer: Consumer,
    sink: Sink,
    let_go: LetGo,
    group: String,
    /// Of a batch that nobody has waited for to the end.
    pending: Vec<ConsumerRecord>,
    /// How long that batch waits for more, once there is a first record.
    pending_until: Option<Deadline>,
}

enum Sink {
    ExactlyOnce(Box<TransactionalProducer>),
    AtLeastOnce(Box<Producer>),
}

/// Partitions that were let go since somebody looked.
#[derive(Clone, Default)]
struct LetGo(Arc<Mutex<BTreeSet<TopicPartition>>>);

impl RebalanceListener for LetGo {
    fn on_assigned(&mut self, _: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        Vec::new()
    }

    fn on_revoked(&mut self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        lock(&self.0).extend(partitions.iter().cloned());
        Vec::new()
    }
}

/// What became of a batch.
#[derive(Debug)]
pub enum Delivered {
    /// Results and offsets are committed.
    Done,
    /// Nothing is; the records that this member still reads come again with the next batches.
    Again(ProcessError),
    /// Nothing is, because this result can't be written as it is; the same batch can be delivered with another one.
    Refused { index: usize, error: ProduceError },
}

impl Exchange {
    /// Results and offsets in one transaction each. The consumer must be a member of a group (or have a `group.id`) and commit
    /// nothing by itself; where the input is written in transactions, it should read with `isolation.level=read_committed`. Its
    /// rebalance listener is replaced.
    pub fn exactly_once(
        consumer: Consumer,
        producer: TransactionalProducer,
    ) -> Result<Self, ProcessError> {
        Self::new(consumer, Sink::ExactlyOnce(Box::new(producer)))
    }

    /// Results first, then offsets: after a failure in between, results come again.
    pub fn at_least_once(consumer: Consumer, producer: Producer) -> Result<Self, ProcessError> {
        Self::new(consumer, Sink::AtLeastOnce(Box::new(producer)))
    }

    fn new(mut consumer: Consumer, sink: Sink) -> Result<Self, ProcessError> {
        let Some(group) = consumer.group_id().map(str::to_owned) else {
            return Err(ProcessError::Configuration("group.id must be set"));
        };
        if consumer.commits_by_itself() {
            return Err(ProcessError::Configuration(
                "enable.auto.commit must be false",
            ));
        }
        let let_go = LetGo::default();
        consumer.set_rebalance_listener(Box::new(let_go.clone()));
        Ok(Self {
            consumer,
            sink,
            let_go,
            group,
            pending: Vec::new(),
            pending_until: None,
        })
    }

    pub fn consumer(&mut self) -> &mut Consumer {
        &mut self.consumer
    }

    pub fn group(&self) -> &str {
        &self.group
    }

    /// The next records: waits up to `within` for the first, and up to `linger` for more, until there are `count`. There may be
    /// up to `max.poll.records` above that. Giving up the returned future loses nothing: the next call has what it had.
    pub async fn next(
        &mut self,
        count: usize,
        within: Duration,
        linger: Duration,
    ) -> Result<Vec<ConsumerRecord>, ProcessError> {
        let give_up_at = Deadline::after(within);
        loop {
            let deadline = self.pending_until.unwrap_or(give_up_at);
            let polled = self.consumer.poll(deadline.left()).await;
            let lost = std::mem::take(&mut *lock(&self.let_go.0));
            if !lost.is_empty() {
                self.pending
                    .retain(|record| !lost.contains(&partition_of(record)));
            }
            let records = match polled {
                Ok(records) => records,
                Err(error) if error.may_pass() && self.pending.is_empty() => {
                    tracing::warn!(%error, "polling failed");
                    let pause = self.consumer.cluster().settings().retry_backoff.after(1);
                    tokio::time::sleep(pause.min(deadline.left())).await;
                    Vec::new()
                }
                // What is there was read in good order; the next poll says the same.
                Err(_) if !self.pending.is_empty() => {
                    return Ok(self.take_pending());
                }
                Err(error) => return Err(error.into()),
            };
            if !records.is_empty() {
                self.pending_until.get_or_insert(Deadline::after(linger));
            }
            self.pending.extend(records);
            let deadline = self.pending_until.unwrap_or(give_up_at);
            if self.pending.len() >= count || deadline.has_passed() {
                return Ok(self.take_pending());
            }
        }
    }

    fn take_pending(&mut self) -> Vec<ConsumerRecord> {
        self.pending_until = None;
        std::mem::take(&mut self.pending)
    }

    /// Commits the results of a batch together with the offsets behind its records. `is_slow` sends one result after the
    /// other, so that it is certain which one is refused.
    pub async fn deliver(
        &mut self,
        batch: &[ConsumerRecord],
        outputs: &[Output],
        is_slow: bool,
    ) -> Result<Delivered, ProcessError> {
        let offsets = offsets_behind(batch);
        let outcome = match &mut self.sink {
            Sink::ExactlyOnce(producer) => {
                transact(
                    producer,
                    &self.consumer,
                    &self.group,
                    &offsets,
                    outputs,
                    is_slow,
                )
                .await
            }
            Sink::AtLeastOnce(producer) => {
                write(producer, &mut self.consumer, &offsets, outputs, is_slow).await
            }
        };
        match outcome {
            Ok(()) => Ok(Delivered::Done),
            Err(Trouble::Refused(index, error)) => Ok(Delivered::Refused { index, error }),
            Err(Trouble::Again(error)) => {
                self.rewind(batch);
                Ok(Delivered::Again(error))
            }
            Err(Trouble::Ends(error)) => Err(error),
        }
    }

    /// Has the records of a batch that was not delivered come again.
    pub fn rewind(&mut self, batch: &[ConsumerRecord]) {
        let mut firsts: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for record in batch {
            firsts.entry(partition_of(record)).or_insert(record.offset);
        }
        for (at, offset) in firsts {
            // Whoever has it now begins where the group has committed.
            let _ = self.consumer.seek(&at, offset);
        }
    }

    /// Settles what is under way, leaves the group, and closes both.
    pub async fn close(self, within: Duration) {
        match self.sink {
            Sink::ExactlyOnce(producer) => producer.close(within).await,
            Sink::AtLeastOnce(producer) => producer.close(within).await,
        }
        self.consumer.close(within).await;
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("consumer", &self.consumer)
            .finish_non_exhaustive()
    }
}

/// Why a batch was not delivered.
enum Trouble {
    Refused(usize, ProduceError),
    Again(ProcessError),
    Ends(ProcessError),
}

impl From<TransactionError> for Trouble {
    fn from(error: TransactionError) -> Self {
        match error.leaves_producer_usable() || error.is_forgotten() {
            true => Self::Again(error.into()),
            false => Self::Ends(error.into()),
        }
    }
}

async fn transact(
    producer: &mut TransactionalProducer,
    consumer: &Consumer,
    group: &str,
    offsets: &Offsets,
    outputs: &[Output],
    is_slow: bool,
) -> Result<(), Trouble> {
    producer.recover().await?;
    let transaction = producer.begin().await?;
    let mut deliveries = Vec::with_capacity(outputs.len());
    match send_all(&Way::In(&transaction), outputs, is_slow, &mut deliveries).await {
        Ok(()) => {}
        Err(trouble) => {
            transaction.abort().await?;
            return Err(trouble);
        }
    }
    // The membership as it is now: the partitions have not changed since they were polled, only polling changes them.
    let membership = consumer
        .group_metadata()
        .unwrap_or_else(|| crate::consumer::GroupMetadata::of_no_member(group));
    let told = transaction.send_offsets(&membership, offsets).await;
    let outcome = match told {
        Ok(()) => transaction.commit().await,
        Err(error) => {
            // Aborts, or says that this is not possible.
            let _ = transaction.commit().await;
            Err(error)
        }
    };
    match outcome {
        Err(error) if error.class == ErrorClass::Retriable => see_through(producer, error).await,
        Err(error) => Err(refused(&deliveries).unwrap_or_else(|| error.into())),
        Ok(()) => Ok(()),
    }
}

/// A commit that was not answered: whether the records are to come again is known when it is settled, and not before.
async fn see_through(
    producer: &mut TransactionalProducer,
    error: TransactionError,
) -> Result<(), Trouble> {
    loop {
        match producer.settle().await {
            Ok(Settled::Committed) => return Ok(()),
            Ok(Settled::Nothing | Settled::Aborted) => return Err(Trouble::Again(error.into())),
            Err(error) if error.class == ErrorClass::Retriable => {
                tracing::warn!(%error, "the commit is not settled yet");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn write(
    producer: &Producer,
    consumer: &mut Consumer,
    offsets: &Offsets,
    outputs: &[Output],
    is_slow: bool,
) -> Result<(), Trouble> {
    let mut deliveries = Vec::with_capacity(outputs.len());
    send_all(&Way::Plain(producer), outputs, is_slow, &mut deliveries).await?;
    producer.flush().await;
    for delivery in &deliveries {
        if let Some(Err(error)) = delivery.now() {
            let again = || Trouble::Again(error.into());
            return Err(refused(&deliveries).unwrap_or_else(again));
        }
    }
    match consumer.commit_sync(Some(offsets)).await {
        Ok(()) => Ok(()),
        // Who has the partitions now does it again, at least once being what is promised.
        Err(error @ (ConsumerError::CommitFailed(_) | ConsumerError::RebalanceInProgress)) => {
            tracing::warn!(%error, "results are written whose offsets are not committed");
            Ok(())
        }
        Err(error) if error.may_pass() => Err(Trouble::Again(error.into())),
        Err(error) => Err(Trouble::Ends(error.into())),
    }
}

enum Way<'a> {
    In(&'a Transaction<'a>),
    Plain(&'a Producer),
}

async fn send_all(
    way: &Way<'_>,
    outputs: &[Output],
    is_slow: bool,
    deliveries: &mut Vec<Delivery>,
) -> Result<(), Trouble> {
    for (index, output) in outputs.iter().enumerate() {
        let headers = output.borrowed_headers();
        let record = output.record(&headers);
        let sent = match way {
            Way::In(transaction) => transaction.send(record).await,
            Way::Plain(producer) => producer.send(record).await,
        };
        let delivery = match sent {
            Ok(delivery) => delivery,
            Err(error) if concerns_the_record(&error) => {
                return Err(Trouble::Refused(index, error));
            }
            // An earlier one may be the cause.
            Err(error) => {
                return Err(refused(deliveries).unwrap_or_else(|| Trouble::Again(error.into())));
            }
        };
        deliveries.push(delivery);
        if is_slow {
            match way {
                Way::In(transaction) => transaction.flush().await,
                Way::Plain(producer) => producer.flush().await,
            }
            if let Some(trouble) = refused(deliveries) {
                return Err(trouble);
            }
        }
    }
    Ok(())
}

/// The first result that is to blame itself.
fn refused(deliveries: &[Delivery]) -> Option<Trouble> {
    let outcomes = deliveries.iter().map(Delivery::now).enumerate();
    outcomes
        .filter_map(|(index, outcome)| Some((index, outcome?.err()?)))
        .find(|(_, error)| concerns_the_record(error))
        .map(|(index, error)| Trouble::Refused(index, error))
}

/// Whether no other time and no other broker would take it.
fn concerns_the_record(error: &ProduceError) -> bool {
    match error {
        ProduceError::TooLarge { .. }
        | ProduceError::NoSuchPartition { .. }
        | ProduceError::Invalid(_) => true,
        error => matches!(
            error.code(),
            Some(
                ErrorCode::MessageTooLarge
                    | ErrorCode::RecordListTooLarge
                    | ErrorCode::InvalidRecord
                    | ErrorCode::InvalidTimestamp
            )
        ),
    }
}

fn partition_of(record: &ConsumerRecord) -> TopicPartition {
    TopicPartition::new(&*record.topic, record.partition)
}

/// Where the group reads on after these records.
fn offsets_behind(batch: &[ConsumerRecord]) -> Offsets {
    let mut last: BTreeMap<TopicPartition, NewOffset> = BTreeMap::new();
    for record in batch {
        let new = NewOffset {
            leader_epoch: record.leader_epoch,
            ..NewOffset::at(record.offset.saturating_add(1))
        };
        last.insert(partition_of(record), new);
    }
    last.into_iter().collect()
}
