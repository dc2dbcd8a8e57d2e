//! S-21: the power goes in the middle of transactions. What was said to be committed is there, what was aborted is not, and of
//! what nobody was told everything is there or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_coordination::txn::coordinator::{
    AddPartitionsToTxn, EndTxn, InitProducerId, Outcome, TopicPartition, TransactionVersion,
    TxnCommand, TxnProducer, TxnResponse,
};
use ottla_coordination::txn::{Origin, Verification};
use ottla_log::MinimumRead;
use ottla_log::testing::{Crash, FaultyDisk, Random};
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::{BatchBuilder, check_batch};
use ottla_protocol::types::{PartitionIndex, ProducerEpoch, ProducerId};

use super::power_cut::{Node, disk};
use super::storage::settled;
use crate::clock;
use crate::exec::auto_create::{self, TRANSACTIONS_TOPIC};
use crate::exec::partition::{Acks, Append, Isolation, Partition};
use crate::exec::producers::producer_batch;
use crate::exec::waits::AckWait;

const ID: &str = "t";
const TOPICS: [&str; 2] = ["a", "b"];
const ADDING: TransactionVersion = TransactionVersion(2);

/// Every transaction has an epoch of its own, which tells it from all others.
type Name = (ProducerId, ProducerEpoch);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Committed,
    Aborted,
    Unknown,
}

/// Asks the coordinator until it has nothing else to do.
async fn ask(node: &Node, command: TxnCommand) -> Result<TxnResponse, ErrorCode> {
    loop {
        let answer = node
            .broker
            .transactions
            .ask(ID, command.clone())
            .answer()
            .await;
        let code = match &answer {
            Ok(TxnResponse::InitProducerId(response)) => ErrorCode::from_code(response.error_code),
            Ok(TxnResponse::AddPartitionsToTxn(code)) => *code,
            Ok(TxnResponse::EndTxn(response)) => ErrorCode::from_code(response.error_code),
            Ok(_) => ErrorCode::None,
            Err(code) => *code,
        };
        match code {
            ErrorCode::None => return answer,
            ErrorCode::ConcurrentTransactions | ErrorCode::CoordinatorLoadInProgress
                if node.broker.storage.dirs.online().next().is_some() =>
            {
                tokio::task::yield_now().await;
            }
            other => return Err(other),
        }
    }
}

async fn init(node: &Node) -> Result<TxnProducer, ErrorCode> {
    let request = InitProducerId {
        transactional_id: ID.to_owned(),
        timeout_ms: 60_000,
        expected: None,
        enable_two_phase_commit: false,
        keep_prepared: false,
    };
    match ask(node, TxnCommand::InitProducerId(request)).await? {
        TxnResponse::InitProducerId(given) => Ok(TxnProducer {
            transactional_id: ID.to_owned(),
            producer_id: ProducerId(given.producer_id),
            producer_epoch: ProducerEpoch(given.producer_epoch),
        }),
        other => panic!("{other:?}"),
    }
}

fn partition(node: &Node, topic: &str) -> Arc<Partition> {
    node.broker.storage.topics.partition(topic, 0).unwrap()
}

/// One record to each topic, and the end; the producer of the next transaction.
async fn transact(
    node: &Node,
    producer: &TxnProducer,
    outcome: Outcome,
) -> Result<TxnProducer, ErrorCode> {
    let partitions = TOPICS.map(|topic| TopicPartition {
        topic: topic.to_owned(),
        partition: PartitionIndex(0),
    });
    let add = AddPartitionsToTxn {
        producer: producer.clone(),
        partitions: BTreeSet::from(partitions),
        client_version: ADDING,
    };
    ask(node, TxnCommand::AddPartitionsToTxn(add)).await?;
    for topic in TOPICS {
        send(&partition(node, topic), producer).await?;
    }
    let end = EndTxn {
        producer: producer.clone(),
        outcome,
        client_version: ADDING,
    };
    match ask(node, TxnCommand::EndTxn(end)).await? {
        TxnResponse::EndTxn(ended) => Ok(TxnProducer {
            producer_id: ProducerId(ended.producer_id),
            producer_epoch: ProducerEpoch(ended.producer_epoch),
            ..producer.clone()
        }),
        other => panic!("{other:?}"),
    }
}

async fn send(partition: &Arc<Partition>, producer: &TxnProducer) -> Result<(), ErrorCode> {
    let mut builder = BatchBuilder::new(Compression::None)
        .producer(producer.producer_id, producer.producer_epoch, 0)
        .transactional(true);
    let now = clock::now();
    builder.append(now, None, Some(b"x"), &[]).unwrap();
    let mut batch = builder.build().unwrap();
    let how = Append {
        acks: Acks::All,
        log_append_time: false,
        producer: producer_batch(&check_batch(&batch).unwrap()),
        origin: Origin::Client(Verification::Waived),
    };
    let mut wait = None;
    partition.append(&mut batch, how, &mut wait, now)?;
    settled(wait).await
}

/// The transactions of which a reader of committed records sees a record.
fn visible(partition: &Arc<Partition>) -> Vec<Name> {
    let now = clock::now();
    let bounds = partition.bounds(now).unwrap();
    assert_eq!(bounds.last_stable, bounds.log_end, "nothing is open");
    let mut sent = Vec::new();
    let scanned = partition.with_log(now, |log, _| {
        log.scan_producers(log.start(), log.end(), &mut |header, control| {
            if control.is_none() {
                let name = (header.producer_id, header.producer_epoch);
                sent.push((header.base_offset, name));
            }
        })?;
        Ok(log.segment_count())
    });
    assert_eq!(scanned, Ok(1), "one read sees everything");
    let isolation = Isolation::ReadCommitted;
    let read = partition.read(
        bounds.log_start,
        1 << 20,
        MinimumRead::OneBatch,
        isolation,
        now,
    );
    let aborted = read.unwrap().aborted;
    sent.retain(|(offset, (id, _))| {
        let is_aborted = |txn: &ottla_log::txn_index::AbortedTxn| {
            txn.producer_id == *id && (txn.first_offset..=txn.last_offset).contains(offset)
        };
        !aborted.iter().any(is_aborted)
    });
    sent.into_iter().map(|(_, name)| name).collect()
}

async fn check(node: &Node, ended: &BTreeMap<Name, Ended>, case: &str) {
    for topic in TOPICS {
        let wait = AckWait::new();
        let partition = partition(node, topic);
        partition.make_visible(&wait, clock::now()).unwrap();
        settled(Some(wait)).await.unwrap();
    }
    let seen = TOPICS.map(|topic| visible(&partition(node, topic)));
    assert_eq!(seen[0], seen[1], "{case}: all of a transaction or nothing");
    let names: BTreeSet<Name> = seen[0].iter().copied().collect();
    assert_eq!(names.len(), seen[0].len(), "{case}: each once");
    for (name, ended) in ended {
        let is_right = match ended {
            Ended::Committed => names.contains(name),
            Ended::Aborted => !names.contains(name),
            Ended::Unknown => true,
        };
        assert!(is_right, "{case}: {name:?} was {ended:?}, of {names:?}");
    }
    assert!(names.iter().all(|name| ended.contains_key(name)), "{case}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s21_no_power_cut_tears_a_transaction() {
    for seed in 0..16 {
        let mut random = Random::new(seed);
        let (memory, _) = disk();
        let mut ended: BTreeMap<Name, Ended> = BTreeMap::new();
        for boot in 0..5 {
            let case = format!("seed {seed}, boot {boot}");
            let plug = FaultyDisk::new(memory.clone());
            let node = Node::start(plug.clone());
            if boot == 0 {
                for topic in TOPICS {
                    node.create(topic).await.unwrap();
                }
                let refused = auto_create::create(&node.broker, vec![TRANSACTIONS_TOPIC.into()]);
                assert!(refused.await.is_empty());
            }
            // What was on its way to its end is there by then.
            let mut producer = init(&node).await.unwrap();
            check(&node, &ended, &case).await;
            let whole = random.below(4);
            for n in 0..=whole + 1 {
                if n == whole {
                    plug.cut_off_after(random.below(40));
                }
                let (outcome, then) = match random.one_in(3) {
                    true => (Outcome::Abort, Ended::Aborted),
                    false => (Outcome::Commit, Ended::Committed),
                };
                let name = (producer.producer_id, producer.producer_epoch);
                ended.insert(name, Ended::Unknown);
                match transact(&node, &producer, outcome).await {
                    Ok(next) => {
                        ended.insert(name, then);
                        producer = next;
                    }
                    Err(_) => break,
                }
            }
            plug.cut_off();
            match random.below(4) {
                0 => memory.crash(Crash::LoseAll, &mut random),
                1 => memory.crash(Crash::Torn, &mut random),
                // A broken batch before whole ones is kept, as damage that the coordinator passes over.
                2 => memory.crash(Crash::Scattered, &mut random),
                _ => {}
            }
        }
    }
}
