//! Whether what a producer sends is part of its transaction: the coordinator is asked before a partition takes the first
//! batch (KIP-890), and of newer clients adds the partition on the way.
//!
//! Always: nothing of a request is appended before all of it is answered for. What the partition's guard does not cover any
//! more, because a marker came in between, the partition refuses.

use std::sync::Arc;

use ottla_coordination::Answer as Answered;
use ottla_coordination::txn::coordinator::{TopicPartition, TxnProducer, TxnResponse};
use ottla_coordination::txn::{ProducerBatch, Verification};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::BatchHeader;

use super::{Batches, Failure, Target};
use crate::api::transaction::{Support, are_partitions_verified, once_the_last_has_ended, verdict};
use crate::broker::Broker;
use crate::clock;
use crate::exec::producers::producer_batch;
use crate::exec::shard::Asked;

fn support(version: i16) -> Support {
    match version {
        ..=10 => Support::Nothing,
        11 => Support::Abortable,
        12.. => Support::Adding,
    }
}

/// The transactional batches of a request, of which the coordinator is asked.
pub(super) struct Asking {
    broker: Arc<Broker>,
    producer: TxnProducer,
    support: Support,
    /// `transaction.partition.verification.enable`
    is_verified: bool,
    /// The targets that wait for the answer.
    waiting: Vec<(usize, TopicPartition)>,
    asked: Asked<TxnResponse>,
}

/// Asks the coordinator of the transaction about the partitions whose first batch in it this is. None: nothing is to be
/// asked.
pub(super) fn ask_coordinator(
    broker: &Arc<Broker>,
    transactional_id: String,
    version: i16,
    batches: &mut Batches,
) -> Option<Asking> {
    let mut producers = batches.targets.iter().filter_map(|target| {
        let batch = transactional(batches, target)?;
        Some((batch.producer_id, batch.producer_epoch))
    });
    let (producer_id, producer_epoch) = producers.next()?;
    if producers.any(|other| other != (producer_id, producer_epoch)) {
        batches.refuse_all(ErrorCode::InvalidProducerIdMapping);
        return None;
    }
    let mut asking = Asking {
        broker: broker.clone(),
        producer: TxnProducer {
            transactional_id,
            producer_id,
            producer_epoch,
        },
        support: support(version),
        is_verified: are_partitions_verified(broker),
        waiting: Vec::new(),
        asked: Asked::Now(Err(ErrorCode::NotCoordinator)),
    };
    asking.ask(batches).then_some(asking)
}

/// A target's batch where it is of a transaction. The bytes are not checked yet: whatever they claim, they have to stand
/// the checks of every batch later.
fn transactional(batches: &Batches, target: &Target) -> Option<ProducerBatch> {
    let records = batches.frame.get(target.range.clone())?;
    let header = BatchHeader::read(records).ok()?;
    producer_batch(&header).filter(|batch| batch.is_transactional)
}

impl Asking {
    /// False: nothing is to be asked.
    fn ask(&mut self, batches: &mut Batches) -> bool {
        let adds = self.support == Support::Adding;
        self.waiting.clear();
        if !adds && !self.is_verified {
            return false;
        }
        for index in 0..batches.targets.len() {
            let Some(batch) = transactional(batches, &batches.targets[index]) else {
                continue;
            };
            let target = &mut batches.targets[index];
            let begun = target.to.begin_verification(&batch, adds, clock::now());
            match begun {
                Ok(verification) => {
                    if let Verification::Asked(_) = verification {
                        self.waiting.push((index, named(target)));
                    }
                    if self.is_verified {
                        target.verification = verification;
                    }
                }
                Err(code) => target.refused = Some(code.into()),
            }
        }
        if self.waiting.is_empty() {
            return false;
        }
        let partitions = self.waiting.iter().map(|(_, partition)| partition.clone());
        let producer = self.producer.clone();
        let command = self.support.command(producer, partitions.collect());
        let id = &self.producer.transactional_id;
        self.asked = self.broker.transactions.ask(id, command);
        true
    }

    /// Waits for the coordinator, and for the end of the producer's last transaction. Refuses the batches that are not
    /// let pass.
    pub(super) async fn settle(mut self, batches: &mut Batches) {
        let (broker, id) = (self.broker.clone(), self.producer.transactional_id.clone());
        let asked = self.take_asked();
        let ask_again = || {
            // Where nothing is to be asked any more, no batch waits for what this answers.
            self.ask(batches);
            self.take_asked()
        };
        let answer = once_the_last_has_ended(&broker, &id, asked, ask_again).await;
        self.take(&answer, batches);
    }

    fn take_asked(&mut self) -> Asked<TxnResponse> {
        let unasked = Asked::Now(Err(ErrorCode::NotCoordinator));
        std::mem::replace(&mut self.asked, unasked)
    }

    fn take(&self, answer: &Answered<TxnResponse>, batches: &mut Batches) {
        for (index, partition) in &self.waiting {
            let code = verdict(answer, partition);
            if code.is_err() {
                batches.targets[*index].refused = Some(self.failure(code));
            }
        }
    }

    /// The coordinator's error as a producer of this version understands it.
    fn failure(&self, code: ErrorCode) -> Failure {
        let code = self.support.translate(code);
        match code {
            ErrorCode::InvalidTxnState => Failure::told(
                code,
                "Partition was not added to the transaction".to_owned(),
            ),
            ErrorCode::ConcurrentTransactions if self.support == Support::Adding => code.into(),
            // Older clients try again after this one without looking for other leaders first.
            ErrorCode::ConcurrentTransactions
            | ErrorCode::NetworkException
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator => Failure::told(
                ErrorCode::NotEnoughReplicas,
                format!(
                    "Unable to verify the partition has been added to the transaction. Underlying error: {}",
                    code.name()
                ),
            ),
            _ => code.into(),
        }
    }
}

fn named(target: &Target) -> TopicPartition {
    TopicPartition {
        topic: target.to.topic.name.to_string(),
        partition: target.to.index,
    }
}
