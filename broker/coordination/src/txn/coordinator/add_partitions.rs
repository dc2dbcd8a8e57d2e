//! AddPartitionsToTxn, from clients and, to verify only, from brokers.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::Millis;

use super::TxnMachine;
use super::commands::{AddPartitionsToTxn, TxnProducer, TxnResponse};
use super::state::{TopicPartition, Transaction, TransactionState};
use crate::effects::{Effects, ReplyToken};
use crate::txn::FENCES_STAND;

impl TxnMachine {
    pub(super) fn add_partitions(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &AddPartitionsToTxn,
        out: &mut Effects<Self>,
    ) {
        let id = request.producer.transactional_id.as_str();
        // Also one whose epoch or id is not this one's: it may be that of the transaction to come.
        let is_prepared = |it: &&Transaction| it.state.prepared().is_some();
        if self.hard.get(id).filter(is_prepared).is_some() {
            let response = TxnResponse::AddPartitionsToTxn(ErrorCode::ConcurrentTransactions);
            return out.reply(token, response);
        }
        let transaction = match self.writable(&request.producer) {
            Ok(transaction) => transaction,
            Err(error) => return out.reply(token, TxnResponse::AddPartitionsToTxn(error)),
        };
        let response = TxnResponse::AddPartitionsToTxn(ErrorCode::None);
        if transaction.state == TransactionState::Ongoing
            && request.partitions.is_subset(&transaction.partitions)
        {
            return out.reply(token, response);
        }
        let last_epoch = self.soft.last_epoch(id);
        let (partitions, version) = (&request.partitions, request.client_version);
        let step = transaction.add_partitions(last_epoch, partitions, version, now);
        let record = self.propose(id, step);
        out.append_then(vec![record], vec![(token, response)]);
        self.check_timeouts_later(now, out);
    }

    pub(super) fn verify_partitions(
        &self,
        producer: &TxnProducer,
        partitions: BTreeSet<TopicPartition>,
    ) -> TxnResponse {
        let verdicts = partitions.into_iter().map(|partition| {
            let verdict = self.verify(producer, &partition);
            (partition, verdict)
        });
        TxnResponse::VerifyPartitions(verdicts.collect::<BTreeMap<_, _>>())
    }

    /// Whether the producer may write to the partition. What is decided and not committed yet counts, too.
    fn verify(&self, producer: &TxnProducer, partition: &TopicPartition) -> ErrorCode {
        match self.writable(producer) {
            Err(error) => error,
            Ok(transaction) if transaction.partitions.contains(partition) => ErrorCode::None,
            Ok(_) => ErrorCode::TransactionAbortable,
        }
    }

    /// The transaction that this producer may write in.
    fn writable(&self, producer: &TxnProducer) -> Result<&Transaction, ErrorCode> {
        let transaction = self.owned(producer)?;
        if transaction.producer_id != producer.producer_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if FENCES_STAND && transaction.producer_epoch != producer.producer_epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        if transaction.state.prepared().is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        Ok(transaction)
    }

    /// The transactional id that a producer names, whoever it is.
    pub(super) fn owned(&self, producer: &TxnProducer) -> Result<&Transaction, ErrorCode> {
        if producer.transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        self.hard
            .get(&producer.transactional_id)
            .ok_or(ErrorCode::InvalidProducerIdMapping)
    }
}
