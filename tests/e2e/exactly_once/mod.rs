//! S-21: transactions while the broker is killed or stopped, again and again, and producers vanish in the middle of theirs: what was
//! recorded of it has to be the history of a broker that did everything exactly once.
//!
//! Each worker moves a group's offset along one partition of the input, a few offsets a transaction, and sends records
//! to all partitions of the output with it. Some that were succeeded go on as if they did not know. The moments are
//! random: `OTTLA_SEED` repeats the choices, `OTTLA_KILLS` makes more.
#![allow(clippy::print_stderr)]

mod history;
mod money;
mod planted;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ottla_client::admin::{Admin, Isolation, NewOffset, OffsetSpec, TopicPartition};
use ottla_client::cluster::Cluster;
use ottla_client::config::{ClientKind, Patience};
use ottla_client::consumer::{Consumer, ConsumerSettings, GroupMetadata};
use ottla_client::producer::{
    ErrorClass, ProducerSettings, Record, Settled, TransactionError, TransactionalProducer,
};

use rustix::process::Signal;
use tokio::runtime::Handle;

use crate::consumer::{Broker, Door, story};
use crate::random::{Random, number};
use history::{Ended, History, Input, Reading, Transaction, check};

const INPUT: &str = "in";
const OUTPUT: &str = "out";
const GROUP: &str = "workers";
const WORKERS: i32 = 3;
const PARTITIONS: i32 = 2;
const KILLS: u64 = 5;
const COMMITTED_BETWEEN_KILLS_MAX: u64 = 40;
/// Within a transaction's way through the broker.
const MOMENT_MAX_US: u64 = 30_000;
const STOPPED_MAX_US: u64 = 500_000;
const RECORDS_MAX: u64 = 3;
const INPUT_MAX: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(60);
const A_WHILE: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Shared {
    address: String,
    committed: AtomicUsize,
    done: AtomicBool,
    readings: Mutex<Vec<Reading>>,
}

#[test]
fn killed_and_stopped_again_and_again_the_broker_does_exactly_once_what_transactions_ask_for() {
    story(|_| async move {
        let mut random = Random::from_environment();
        let door = Door::open().await;
        let mut broker = door.broker();
        broker.create(INPUT, WORKERS).await;
        broker.create(OUTPUT, PARTITIONS).await;
        let shared = Arc::new(Shared {
            address: broker.address.clone(),
            ..Shared::default()
        });
        let (handle, mut workers, mut readers) = (Handle::current(), Vec::new(), Vec::new());
        for partition in 0..WORKERS {
            let worker = Worker::new(&shared, partition, &mut random);
            let handle = handle.clone();
            workers.push(thread::spawn(move || handle.block_on(worker.run())));
        }
        for partition in 0..PARTITIONS {
            let (handle, shared) = (handle.clone(), shared.clone());
            readers.push(thread::spawn(move || {
                handle.block_on(read_along(&shared, partition));
            }));
        }
        for _ in 0..number("OTTLA_KILLS").unwrap_or(KILLS) {
            more_committed(&shared, 1 + random.below(COMMITTED_BETWEEN_KILLS_MAX)).await;
            random.pause_up_to_us(MOMENT_MAX_US);
            let server = broker.ours.as_mut().unwrap();
            if random.below(4) == 0 {
                server.signal(Signal::STOP);
                random.pause_up_to_us(STOPPED_MAX_US);
                server.signal(Signal::CONT);
            } else {
                server.kill();
                server.restart();
                door.leads_to(server.address());
            }
        }
        more_committed(&shared, COMMITTED_BETWEEN_KILLS_MAX).await;
        shared.done.store(true, SeqCst);
        let mut history = History::default();
        for worker in workers {
            history.transactions.extend(worker.join().unwrap());
        }
        for reader in readers {
            reader.join().unwrap();
        }
        history.readings = std::mem::take(&mut *shared.readings.lock().unwrap());
        look_at_the_end(&broker, &mut history).await;
        let count = |ended| {
            let all = history.transactions.iter();
            all.filter(|transaction| transaction.ended == ended).count()
        };
        let counts = [Ended::Committed, Ended::Aborted, Ended::Unknown].map(count);
        eprintln!("committed, aborted and unknown: {counts:?}");
        assert_eq!(check(&history), []);
        assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
    });
}

async fn more_committed(shared: &Shared, transactions: u64) {
    let goal = shared.committed.load(SeqCst) + usize::try_from(transactions).unwrap();
    eventually("more transactions", async || {
        shared.committed.load(SeqCst) >= goal
    })
    .await;
}

async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(A_WHILE).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("still not so: {what}"));
}

async fn cluster(address: &str, kind: ClientKind) -> Option<Cluster> {
    let settings = kind.settings([("bootstrap.servers", address)]).unwrap();
    let settings = kind.cluster_settings(&settings, Patience::Prompt).unwrap();
    Cluster::connect(settings).await.ok()
}

/// Asks until the broker is there to answer.
async fn asked<T>(address: &str, what: &str, mut ask: impl AsyncFnMut(Admin) -> Option<T>) -> T {
    let mut answer = None;
    eventually(what, async || {
        if let Some(cluster) = cluster(address, ClientKind::Admin).await {
            answer = ask(Admin::over(cluster)).await;
        }
        answer.is_some()
    })
    .await;
    answer.unwrap()
}

/// The group's offset, once no transaction can change it any more.
async fn committed(address: &str, partition: i32) -> i64 {
    let at = [TopicPartition::new(INPUT, partition)];
    asked(address, "a stable offset", async |admin| {
        let offsets = admin.group_offsets(GROUP, Some(&at), true).await.ok()?;
        match offsets.into_iter().next() {
            Some((_, Ok(committed))) => Some(committed.offset.max(0)),
            Some((_, Err(_))) => None,
            None => Some(0),
        }
    })
    .await
}

/// Claims the transactional id, whenever there is a broker to do so.
async fn claim(address: &str, transactional_id: &str) -> TransactionalProducer {
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

/// Where readers get to.
async fn end(address: &str, at: &TopicPartition, isolation: Isolation) -> i64 {
    let asked_for = [(at.clone(), OffsetSpec::Latest)];
    asked(address, "the end of a partition", async |admin| {
        let listed = admin.list_offsets(&asked_for, isolation).await.ok()?;
        listed.into_iter().next()?.1.ok()?.offset
    })
    .await
}

struct Worker {
    shared: Arc<Shared>,
    name: String,
    partition: i32,
    random: Random,
    transactions: Vec<Transaction>,
}

/// What a worker means to do with a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    Commit,
    Abort,
    /// Is gone before it says how the transaction ends.
    Vanish,
    /// Is gone before it hears how the transaction ended.
    VanishInCommit,
}

impl Worker {
    fn new(shared: &Arc<Shared>, partition: i32, random: &mut Random) -> Self {
        Self {
            shared: shared.clone(),
            name: format!("worker-{partition}"),
            partition,
            random: random.fork(),
            transactions: Vec::new(),
        }
    }

    async fn run(mut self) -> Vec<Transaction> {
        let mut producer = claim(&self.shared.address, &self.name).await;
        let mut position = committed(&self.shared.address, self.partition).await;
        while !self.shared.done.load(SeqCst) {
            let input = Input {
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
                position = committed(&self.shared.address, self.partition).await;
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
            input,
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
    let at = TopicPartition::new(INPUT, transaction.input.partition);
    let offsets = [(at, NewOffset::at(transaction.input.end))];
    begun.send_offsets(&group, &offsets).await?;
    match plan {
        Plan::Abort => begun.abort().await?,
        Plan::Vanish => {
            drop(tokio::time::timeout(moment, begun.flush()).await);
            return Ok(false);
        }
        Plan::VanishInCommit => {
            transaction.ended = Ended::Unknown;
            match tokio::time::timeout(moment, begun.commit()).await {
                Ok(outcome) => outcome?,
                Err(_) => return Ok(false),
            }
            transaction.ended = Ended::Committed;
        }
        Plan::Commit => {
            transaction.ended = Ended::Unknown;
            begun.commit().await?;
            transaction.ended = Ended::Committed;
        }
    }
    Ok(true)
}

/// A reader of committed records, from the partition's beginning on. It goes through the whole story with the broker.
async fn read_along(shared: &Shared, partition: i32) {
    let mut consumer = reader(&shared.address, OUTPUT, partition..partition + 1).await;
    let mut seen = Vec::new();
    while !shared.done.load(SeqCst) {
        take(&mut consumer, &mut seen).await;
    }
    shared.readings.lock().unwrap().push(Reading {
        reader: format!("reader-{partition}"),
        partition,
        seen,
    });
}

/// A reader of committed records, from the beginning on.
async fn reader(address: &str, topic: &str, partitions: Range<i32>) -> Consumer {
    let kind = ClientKind::Consumer;
    let keys = [
        ("bootstrap.servers", address),
        ("auto.offset.reset", "earliest"),
        ("isolation.level", "read_committed"),
    ];
    let settings = ConsumerSettings::from_config(&kind.settings(keys).unwrap()).unwrap();
    let mut made = None;
    eventually("a broker to read from", async || {
        made = cluster(address, kind).await;
        made.is_some()
    })
    .await;
    let mut consumer = Consumer::start(made.unwrap(), settings);
    let all = partitions.map(|partition| TopicPartition::new(topic, partition));
    consumer.assign(all).unwrap();
    consumer
}

async fn take(consumer: &mut Consumer, seen: &mut Vec<(i64, String)>) {
    for record in consumer.poll(A_WHILE).await.unwrap() {
        let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        seen.push((record.offset, value));
    }
}

/// Nothing is open any more: reads everything once more, and where the group is.
async fn look_at_the_end(broker: &Broker, history: &mut History) {
    for partition in 0..PARTITIONS {
        let at = TopicPartition::new(OUTPUT, partition);
        let mut ends = Vec::new();
        for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
            ends.push(end(&broker.address, &at, isolation).await);
        }
        assert_eq!(ends[0], ends[1], "a transaction is open still");
        let mut consumer = reader(&broker.address, OUTPUT, partition..partition + 1).await;
        let mut seen = Vec::new();
        eventually("the end is read", async || {
            take(&mut consumer, &mut seen).await;
            consumer.position(&at).unwrap() >= Some(ends[1])
        })
        .await;
        history.at_end.insert(partition, seen);
    }
    for partition in 0..WORKERS {
        let offset = committed(&broker.address, partition).await;
        history.committed.insert(partition, offset);
    }
}
