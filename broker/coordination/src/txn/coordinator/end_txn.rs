//! EndTxn: the decision. The answer leaves as soon as the decision is on the log; the markers come after it.
//!
//! With KIP-890 a decision raises the epoch, so the epoch tells a retry (the one before) from a new request:
//!
//! | state          | abort, retry | abort, current | commit, retry | commit, current |
//! |----------------|--------------|----------------|---------------|-----------------|
//! | Empty          | fenced       | abort          | fenced        | invalid state   |
//! | CompleteAbort  | done         | abort          | invalid state | invalid state   |
//! | CompleteCommit | invalid state| abort          | done          | invalid state   |
//!
//! While a decision is being carried out all are told to wait, before anything is checked that the next transaction has
//! otherwise: its producer may come with an epoch, or a producer id, that only the complete record will tell.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::EndTxnResponse;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};

use super::TxnMachine;
use super::commands::{EndTxn, TxnProducer, TxnResponse};
use super::state::{NO_EPOCH, Outcome, Step, Transaction, TransactionState, TransactionVersion};
use crate::effects::{Effects, ReplyToken};
use crate::txn::FENCES_STAND;

enum Decision {
    Prepare(Step),
    /// It was decided so before: what the producer is to go on with.
    Known(ProducerId, ProducerEpoch),
}

impl TxnMachine {
    pub(super) fn end_txn(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &EndTxn,
        out: &mut Effects<Self>,
    ) {
        // What the log has no place for, nobody can speak.
        let version = match self.settings.transaction_version.log_value_version() {
            0 => TransactionVersion(0),
            _ => request.client_version,
        };
        let decision = if version.supports_epoch_bump() {
            self.decide_end(now, request, version, out)
        } else {
            self.decide_end_without_bump(now, request)
        };
        match decision {
            Err(error) => out.reply(token, ended(error, ProducerId::NONE, NO_EPOCH)),
            Ok(Decision::Known(id, epoch)) => out.reply(token, ended(ErrorCode::None, id, epoch)),
            Ok(Decision::Prepare(step)) => {
                let (id, epoch) = if version.supports_epoch_bump() {
                    let complete = step.after.complete(step.last_epoch, now).after;
                    (complete.producer_id, complete.producer_epoch)
                } else {
                    (ProducerId::NONE, NO_EPOCH)
                };
                let replies = vec![(token, ended(ErrorCode::None, id, epoch))];
                let transactional_id = &request.producer.transactional_id;
                self.append_prepared(now, transactional_id, step, replies, out);
            }
        }
    }

    /// Before KIP-890: a retry has the same epoch.
    fn decide_end_without_bump(
        &self,
        now: Millis,
        request: &EndTxn,
    ) -> Result<Decision, ErrorCode> {
        let producer = &request.producer;
        let transaction = self.owned(producer)?;
        if transaction.producer_id != producer.producer_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if transaction.producer_epoch != producer.producer_epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        if transaction.state.prepared().is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let outcome = request.outcome;
        match (transaction.state, outcome) {
            (TransactionState::Ongoing, _) => {
                let last_epoch = self.soft.last_epoch(&producer.transactional_id);
                let version = TransactionVersion(0);
                let step = transaction.prepare(last_epoch, outcome, version, ProducerId::NONE, now);
                Ok(Decision::Prepare(step))
            }
            (TransactionState::CompleteCommit, Outcome::Commit)
            | (TransactionState::CompleteAbort, Outcome::Abort) => {
                Ok(Decision::Known(ProducerId::NONE, NO_EPOCH))
            }
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    fn decide_end(
        &mut self,
        now: Millis,
        request: &EndTxn,
        version: TransactionVersion,
        out: &mut Effects<Self>,
    ) -> Result<Decision, ErrorCode> {
        let producer = &request.producer;
        let transaction = self.owned(producer)?.clone();
        if transaction.state.prepared().is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let asked = Asked::of(&transaction, producer)?;
        let outcome = request.outcome;
        let known = Decision::Known(transaction.producer_id, transaction.producer_epoch);
        match (transaction.state, outcome, asked) {
            (TransactionState::CompleteCommit, Outcome::Commit, Asked::Again)
            | (TransactionState::CompleteAbort, Outcome::Abort, Asked::Again) => Ok(known),
            (TransactionState::Ongoing, Outcome::Commit, _)
                if transaction.producer_epoch.0 == i16::MAX =>
            {
                // No client is ever given this epoch; the reference fails at raising it.
                Err(ErrorCode::UnknownServerError)
            }
            (TransactionState::Ongoing, _, _)
            | (TransactionState::Empty, Outcome::Abort, _)
            | (
                TransactionState::CompleteCommit | TransactionState::CompleteAbort,
                Outcome::Abort,
                Asked::Anew,
            ) => {
                let next_producer_id = self.next_producer_id(&transaction, out)?;
                let last_epoch = self.soft.last_epoch(&producer.transactional_id);
                let step = transaction.prepare(last_epoch, outcome, version, next_producer_id, now);
                Ok(Decision::Prepare(step))
            }
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// Who follows the producer when this transaction is complete; none while epochs last.
    pub(super) fn next_producer_id(
        &mut self,
        transaction: &Transaction,
        out: &mut Effects<Self>,
    ) -> Result<ProducerId, ErrorCode> {
        if transaction.is_epoch_exhausted() {
            self.take_producer_id(out)
        } else {
            Ok(ProducerId::NONE)
        }
    }
}

/// Whether a request with an epoch of its own for every transaction is about this one or the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Anew,
    Again,
}

impl Asked {
    fn of(transaction: &Transaction, producer: &TxnProducer) -> Result<Self, ErrorCode> {
        let (current, epoch) = (transaction.producer_epoch.0, producer.producer_epoch.0);
        let is_before_bump = epoch.checked_add(1) == Some(current);
        let is_before_rotation = transaction.previous_producer_id == producer.producer_id
            && epoch == i16::MAX - 1
            && current == 0;
        if transaction.producer_id != producer.producer_id && !is_before_rotation {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        let is_again = is_before_bump || is_before_rotation;
        let may_be_again = !matches!(
            transaction.state,
            TransactionState::Ongoing | TransactionState::Empty
        );
        let is_valid = !FENCES_STAND || epoch == current || (is_again && may_be_again);
        match (is_valid, is_again) {
            (false, _) => Err(ErrorCode::ProducerFenced),
            (true, true) => Ok(Self::Again),
            (true, false) => Ok(Self::Anew),
        }
    }
}

fn ended(error: ErrorCode, id: ProducerId, epoch: ProducerEpoch) -> TxnResponse {
    TxnResponse::EndTxn(EndTxnResponse {
        error_code: error.code(),
        producer_id: id.0,
        producer_epoch: epoch.0,
        ..Default::default()
    })
}
