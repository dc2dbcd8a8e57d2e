//! S-21: transactions while the broker is killed or stopped, again and again, and producers vanish in the middle of theirs: what was
//! recorded of it has to be the history of a broker that did everything exactly once.
//!
//! Our own client's workers (`workers`) commit the offsets of an input of theirs. Some that were succeeded go on as if they did
//! not know. Others (`movers`) are members of a group that shares out a topic, and so are clients of other makes (`crew`), where
//! there are any, which are killed and stopped as well. The output of all is the same. Between all of them and the broker requests
//! and answers get lost (S-22). The moments are random: `OTTLA_SEED` repeats the choices, `OTTLA_KILLS` makes more.
#![allow(clippy::print_stderr)]

mod crew;
mod history;
mod money;
mod movers;
mod planted;
mod readers;
mod told;
mod workers;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ottla_client::admin::{Admin, TopicPartition};
use ottla_client::cluster::Cluster;
use ottla_client::config::{ClientKind, Patience};
use ottla_protocol::apis::ApiKey;
use rustix::process::Signal;
use tokio::runtime::Handle;

use crate::consumer::{Door, Lost, story};
use crate::random::{Random, number};
use crew::Crew;
use history::{Commit, Ended, History, Reading, check};
use movers::Mover;
use readers::{read_all, read_along};
use workers::{Worker, feed};

/// What our workers say that they work on; there is nothing in it.
const INPUT: &str = "in";
const GROUP: &str = "workers";
const WORKERS: i32 = 3;
/// What members of a group work on.
const FED: &str = "fed";
const MOVERS: &str = "movers";
/// Enough for all of them, and for some who are gone and not missed yet.
const FED_PARTITIONS: i32 = 8;
const OWN_MOVERS: usize = 2;
const OUTPUT: &str = "out";
const PARTITIONS: i32 = 2;
const KILLS: u64 = 5;
const COMMITTED_BETWEEN_KILLS_MAX: u64 = 40;
const MOVED_BETWEEN_KILLS_MAX: u64 = 10;
/// Within a transaction's way through the broker.
const MOMENT_MAX_US: u64 = 30_000;
const STOPPED_MAX_US: u64 = 500_000;
const LOSSES_MAX: u64 = 6;
/// What makes a transaction, and can get lost.
const LOSABLE: [ApiKey; 5] = [
    ApiKey::Produce,
    ApiKey::InitProducerId,
    ApiKey::AddOffsetsToTxn,
    ApiKey::TxnOffsetCommit,
    ApiKey::EndTxn,
];
const PATIENCE: Duration = Duration::from_secs(60);
const A_WHILE: Duration = Duration::from_millis(20);
/// So that those who are gone do not keep the others waiting for long.
const BROKER: [&str; 1] = ["transaction.abort.timed.out.transaction.cleanup.interval.ms=500"];

#[derive(Default)]
struct Shared {
    address: String,
    committed: AtomicUsize,
    moved: AtomicUsize,
    done: AtomicBool,
    readings: Mutex<Vec<Reading>>,
}

#[test]
fn killed_and_stopped_again_and_again_the_broker_does_exactly_once_what_transactions_ask_for() {
    story(|_| async move {
        let mut random = Random::from_environment();
        let door = Door::open().await;
        let mut broker = door.broker_with(&BROKER);
        broker.create(INPUT, WORKERS).await;
        broker.create(FED, FED_PARTITIONS).await;
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
        for number in 0..OWN_MOVERS {
            let mover = Mover {
                shared: shared.clone(),
                name: format!("mover-{number}"),
                random: random.fork(),
            };
            let handle = handle.clone();
            workers.push(thread::spawn(move || handle.block_on(mover.run())));
        }
        let feeder = {
            let (handle, shared) = (handle.clone(), shared.clone());
            thread::spawn(move || handle.block_on(feed(&shared)))
        };
        let mut crew = Crew::from_environment(&shared.address, &mut random);
        crew.get_on(&mut random).await;
        for _ in 0..number("OTTLA_KILLS").unwrap_or(KILLS) {
            lose_some(&door, &mut random);
            more_committed(&shared, 1 + random.below(COMMITTED_BETWEEN_KILLS_MAX)).await;
            let more = random.below(MOVED_BETWEEN_KILLS_MAX);
            crew.more_moved(&shared.moved, more, &mut random).await;
            if !crew.is_empty() {
                crew.trouble(&mut random);
            }
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
        crew.get_on(&mut random).await;
        let mut history = History::default();
        crew.close(&mut history);
        shared.done.store(true, SeqCst);
        for worker in workers {
            history.transactions.extend(worker.join().unwrap());
        }
        feeder.join().unwrap();
        for reader in readers {
            reader.join().unwrap();
        }
        history
            .readings
            .append(&mut shared.readings.lock().unwrap());
        look_at_the_end(&broker.address, &mut history).await;
        let count = |ended| {
            let all = history.transactions.iter();
            all.filter(|transaction| transaction.ended == ended).count()
        };
        let counts = [Ended::Committed, Ended::Aborted, Ended::Unknown].map(count);
        let moved = shared.moved.load(SeqCst);
        let lost = door.lost();
        eprintln!(
            "committed, aborted and unknown: {counts:?}; {moved} moved; {lost} lost on their way; {crew}"
        );
        assert_eq!(check(&history), []);
        assert!(counts[0] > 0 && counts[1] > 0 && moved > 0, "{counts:?}");
    });
}

fn lose_some(door: &Door, random: &mut Random) {
    for _ in 0..random.below(LOSSES_MAX + 1) {
        let lost = match random.below(3) {
            0 => Lost::Request,
            1 => Lost::Answer,
            _ => Lost::HalfTheAnswer,
        };
        let api = usize::try_from(random.below(LOSABLE.len() as u64)).unwrap();
        door.lose(LOSABLE[api], lost);
    }
}

/// Nothing is open any more: reads everything once more, and where the groups are.
async fn look_at_the_end(address: &str, history: &mut History) {
    for partition in 0..PARTITIONS {
        let seen = read_all(address, partition).await;
        history.at_end.insert(partition, seen);
    }
    for (group, topic, partitions) in [(GROUP, INPUT, WORKERS), (MOVERS, FED, FED_PARTITIONS)] {
        for partition in 0..partitions {
            let offset = committed(address, group, topic, partition).await;
            history.committed.insert((topic, partition), offset);
        }
    }
    for committing in &mut history.committing {
        let offset = committed(address, &committing.group, FED, 0).await;
        committing.events.push(Commit::Found(offset));
    }
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
async fn committed(address: &str, group: &str, topic: &str, partition: i32) -> i64 {
    let at = [TopicPartition::new(topic, partition)];
    asked(address, "a stable offset", async |admin| {
        let offsets = admin.group_offsets(group, Some(&at), true).await.ok()?;
        match offsets.into_iter().next() {
            Some((_, Ok(committed))) => Some(committed.offset.max(0)),
            Some((_, Err(_))) => None,
            None => Some(0),
        }
    })
    .await
}
