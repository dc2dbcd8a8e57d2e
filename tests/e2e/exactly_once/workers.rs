//! Our own client's workers: each moves a group's offset along one partition of the input, a few offsets a transaction, and sends
//! records to all partitions of the output with it.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ottla_client::admin::{NewOffset, TopicPartition};
use ottla_client::config::ClientKind;
use ottla_client::consumer::GroupMetadata;
use ottla_client::producer::{
    ErrorClass, Producer, ProducerSettings, Record, Settled, Transaction as OpenTransaction,
    TransactionError, TransactionalProducer,
};

use super::history::{Ended, Input, Transaction};
use super::{A_WHILE, FED, FED_PARTITIONS};
use super::{GROUP, INPUT, MOMENT_MAX_US, OUTPUT, PARTITIONS, PATIENCE, Shared};
use super::{cluster, committed, eventually};
use crate::random::Random;

pub(super) const RECORDS_MAX: u64 = 3;
const INPUT_MAX: u64 = 5;
/// Records of input between one while and the next.
const FED_AT_ONCE: i32 = 8;

/// Gives the others something to work on.
pub(super) async fn feed(shared: &Shared) {
    let kind = ClientKind::Producer;
    let settings = kind.settings([("bootstrap.servers", &*shared.address)]);
    let settings = ProducerSettings::from_config(&settings.unwrap()).unwrap();
    let mut cluster_of_ours = None;
    eventually("a broker to feed", async || {
        cluster_of_ours = cluster(&shared.address, kind).await;
        cluster_of_ours.is_some()
    })
    .await;
    let producer = Producer::start(cluster_of_ours.unwrap(), settings);
    while !shared.done.load(SeqCst) {
        for number in 0..FED_AT_ONCE {
            let record = Record {
                topic: FED,
                partition: Some(number % FED_PARTITIONS),
                value: Some(b"something to work on"),
                ..Record::default()
            };
            // What does not arrive is nobody's input.
            drop(producer.send(record).await);
        }
        tokio::time::sleep(A_WHILE).await;
    }
    producer.close(PATIENCE).await;
}

/// Claims the transactional id, whenever there is a broker to do so.
pub(super) async fn claim(address: &str, transactional_id: &str) -> TransactionalProducer {
    let kind = ClientKind::Producer;
    let keys = [
        ("bootstrap.servers", address),
        ("transactional.id", transactional_id),
    ];
    let settings = kind.settings(keys).unwrap();
    let mut made = None;
    eventually("a producer", async || {
        let settings = ProducerSettings::from_config(&settings).unwrap();
        if let Some(cluster) = cluster(address, kind).await {
            made = TransactionalProducer::init(cluster, settings).await.ok();
        }
        made.is_some()
    })
    .await;
    made.unwrap()
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    name: String,
    partition: i32,
    random: Random,
    transactions: Vec<Transaction>,
}

/// What a worker means to do with a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    Commit,
    Abort,
    /// Is gone before it says how the transaction ends.
    Vanish,
    /// Is gone before it hears how the transaction ended.
    VanishInCommit,
}

impl Worker {
    pub(super) fn new(shared: &Arc<Shared>, partition: i32, random: &mut Random) -> Self {
        Self {
            shared: shared.clone(),
            name: format!("worker-{partition}"),
            partition,
            random: random.fork(),
            transactions: Vec::new(),
        }
    }

    pub(super) async fn run(mut self) -> Vec<Transaction> {
        let mut producer = claim(&self.shared.address, &self.name).await;
        let mut position = self.committed().await;
        while !self.shared.done.load(SeqCst) {
            let input = Input {
                topic: INPUT,
                partition: self.partition,
                start: position,
                end: position + 1 + i64::try_from(self.random.below(INPUT_MAX)).unwrap(),
            };
            let plan = match self.random.below(20) {
                0..=2 => Plan::Abort,
                3 => Plan::Vanish,
                4 => Plan::VanishInCommit,
                _ => Plan::Commit,
            };
            let is_sure = self.work(&mut producer, input, plan).await;
            let ended = self.transactions.last().map(|last| last.ended);
            if ended == Some(Ended::Committed) {
                self.shared.committed.fetch_add(1, SeqCst);
                position = input.end;
            }
            if !is_sure {
                // Fences the one before, and ends what it left open.
                let next = claim(&self.shared.address, &self.name).await;
                let mut zombie = std::mem::replace(&mut producer, next);
                position = self.committed().await;
                if self.random.below(2) == 0 {
                    let start = position;
                    let end = start + 1;
                    self.work(
                        &mut zombie,
                        Input {
                            start,
                            end,
                            ..input
                        },
                        Plan::Commit,
                    )
                    .await;
                }
            }
        }
        producer.close(PATIENCE).await;
        self.transactions
    }

    async fn committed(&self) -> i64 {
        committed(&self.shared.address, GROUP, INPUT, self.partition).await
    }

    /// One transaction, written down. False: another producer has to take its place.
    async fn work(
        &mut self,
        producer: &mut TransactionalProducer,
        input: Input,
        plan: Plan,
    ) -> bool {
        let name = format!("{}/{}", self.name, self.transactions.len());
        let records = 1 + self.random.below(RECORDS_MAX);
        let moment = Duration::from_micros(self.random.below(MOMENT_MAX_US));
        let mut transaction = Transaction {
            producer: self.name.clone(),
            sent: Vec::new(),
            inputs: vec![input],
            ended: Ended::Aborted,
        };
        let outcome = transact(producer, &name, records, &mut transaction, plan, moment).await;
        let is_sure = match outcome {
            Ok(is_sure) => is_sure,
            Err(error) if error.class == ErrorClass::Abortable => {
                transaction.ended = Ended::Aborted;
                true
            }
            Err(error) if error.class == ErrorClass::Retriable => {
                match producer.settle().await {
                    Ok(Settled::Committed) => transaction.ended = Ended::Committed,
                    Ok(Settled::Aborted) => transaction.ended = Ended::Aborted,
                    Ok(Settled::Nothing) | Err(_) => {}
                }
                false
            }
            Err(_) => false,
        };
        self.transactions.push(transaction);
        is_sure
    }
}

impl Plan {
    /// Ends the transaction, or leaves it at some moment. True: the producer knows how it ended.
    pub(super) async fn carry_out(
        self,
        begun: OpenTransaction<'_>,
        moment: Duration,
        ended: &mut Ended,
    ) -> Result<bool, TransactionError> {
        match self {
            Plan::Abort => begun.abort().await?,
            Plan::Vanish => {
                drop(tokio::time::timeout(moment, begun.flush()).await);
                return Ok(false);
            }
            Plan::VanishInCommit => {
                *ended = Ended::Unknown;
                match tokio::time::timeout(moment, begun.commit()).await {
                    Ok(outcome) => outcome?,
                    Err(_) => return Ok(false),
                }
                *ended = Ended::Committed;
            }
            Plan::Commit => {
                *ended = Ended::Unknown;
                begun.commit().await?;
                *ended = Ended::Committed;
            }
        }
        Ok(true)
    }
}

/// True: the producer knows how it ended.
async fn transact(
    producer: &mut TransactionalProducer,
    name: &str,
    records: u64,
    transaction: &mut Transaction,
    plan: Plan,
    moment: Duration,
) -> Result<bool, TransactionError> {
    let begun = producer.begin().await?;
    for n in 0..records {
        for partition in 0..PARTITIONS {
            let value = format!("{name}/{partition}/{n}");
            transaction.sent.push((partition, value.clone()));
            let record = Record {
                topic: OUTPUT,
                partition: Some(partition),
                value: Some(value.as_bytes()),
                ..Record::default()
            };
            if begun.send(record).await.is_err() {
                return Ok(false);
            }
        }
    }
    let group = GroupMetadata::of_no_member(GROUP);
    let offsets = transaction.inputs.iter().map(|input| {
        let at = TopicPartition::new(input.topic, input.partition);
        (at, NewOffset::at(input.end))
    });
    let offsets: Vec<_> = offsets.collect();
    begun.send_offsets(&group, &offsets).await?;
    plan.carry_out(begun, moment, &mut transaction.ended).await
}
