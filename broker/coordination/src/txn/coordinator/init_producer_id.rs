//! InitProducerId: a producer takes its transactional id over, and whoever had it before is fenced.

use std::collections::btree_map::Entry;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::InitProducerIdResponse;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};

use super::commands::{InitProducerId, TxnResponse};
use super::settings::TxnSettings;
use super::state::{NO_EPOCH, Outcome, Step, Transaction, TransactionState, is_exhausted};
use super::{NO_PRODUCER_ID, TxnMachine};
use crate::controller::ProducerIdBlock;
use crate::effects::{Effects, ReplyToken};

enum Decision {
    Give(Step),
    /// A transaction is open: it is aborted first, and the client comes again.
    Abort(Step),
}

impl TxnMachine {
    pub(super) fn init_producer_id(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: InitProducerId,
        out: &mut Effects<Self>,
    ) {
        let id = &request.transactional_id;
        match self.decide_init(now, &request, out) {
            Err(NO_PRODUCER_ID) => self.await_producer_ids(token, request, out),
            Err(error) => out.reply(token, refused(error)),
            Ok(Decision::Give(step)) => {
                let response = given(&step.after);
                let record = self.propose(id, step);
                out.append_then(vec![record], vec![(token, response)]);
            }
            Ok(Decision::Abort(step)) => {
                let response = refused(ErrorCode::ConcurrentTransactions);
                self.append_prepared(now, id, step, vec![(token, response)], out);
            }
        }
    }

    /// Ids are on their way. Of one transactional id one request waits; others are told what the reference tells while a
    /// decision is on its way to the log.
    fn await_producer_ids(
        &mut self,
        token: ReplyToken,
        request: InitProducerId,
        out: &mut Effects<Self>,
    ) {
        match self
            .soft
            .without_ids
            .entry(request.transactional_id.clone())
        {
            Entry::Vacant(entry) => {
                entry.insert((token, request));
            }
            Entry::Occupied(_) => out.reply(token, refused(ErrorCode::ConcurrentTransactions)),
        }
    }

    pub(super) fn producer_ids_given(
        &mut self,
        now: Millis,
        given: Result<ProducerIdBlock, ErrorCode>,
        out: &mut Effects<Self>,
    ) {
        let waiting = std::mem::take(&mut self.soft.without_ids);
        match given {
            Ok(block) => {
                self.soft.reserve.give(block);
                for (token, request) in waiting.into_values() {
                    self.init_producer_id(now, token, request, out);
                }
            }
            Err(_) => {
                self.soft.reserve.refused();
                for (token, _) in waiting.into_values() {
                    out.reply(token, refused(NO_PRODUCER_ID));
                }
            }
        }
    }

    fn decide_init(
        &mut self,
        now: Millis,
        request: &InitProducerId,
        out: &mut Effects<Self>,
    ) -> Result<Decision, ErrorCode> {
        let id = request.transactional_id.as_str();
        let timeout_ms = request.validate(&self.settings)?;
        let Some(transaction) = self.hard.get(id).cloned() else {
            let producer_id = self.take_producer_id(out)?;
            let step = Transaction::created(producer_id, timeout_ms, now);
            return Ok(Decision::Give(step));
        };
        if transaction.state.prepared().is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if !request
            .expected
            .is_none_or(|expected| may_go_on(&transaction, expected))
        {
            return Err(ErrorCode::ProducerFenced);
        }
        match transaction.state {
            TransactionState::Ongoing => Ok(Decision::Abort(self.fence(now, id, out)?)),
            _ => {
                let expected = request.expected.map(|(_, epoch)| epoch);
                let current = transaction.producer_epoch;
                if transaction.is_epoch_exhausted()
                    && expected.is_none_or(|expected| expected == current)
                {
                    let producer_id = self.take_producer_id(out)?;
                    let last_epoch = expected.unwrap_or(NO_EPOCH);
                    let step = transaction.rotate(producer_id, timeout_ms, last_epoch, now);
                    return Ok(Decision::Give(step));
                }
                let last_epoch = self.soft.last_epoch(id);
                let step = transaction.increment_epoch(last_epoch, timeout_ms, expected, now)?;
                Ok(Decision::Give(step))
            }
        }
    }

    /// The step that aborts an ongoing transaction over its producer's head.
    pub(super) fn fence(
        &mut self,
        now: Millis,
        id: &str,
        out: &mut Effects<Self>,
    ) -> Result<Step, ErrorCode> {
        let transaction = self.hard.get(id).expect("an ongoing transaction").clone();
        let version = self.settings.transaction_version;
        if !version.supports_epoch_bump() {
            return Ok(transaction.fence(now));
        }
        let next_producer_id = self.next_producer_id(&transaction, out)?;
        let last_epoch = self.soft.last_epoch(id);
        Ok(transaction.prepare(last_epoch, Outcome::Abort, version, next_producer_id, now))
    }
}

impl InitProducerId {
    /// What can be said without knowing the transactional id, and is, before its coordinator is looked for. Returns the
    /// timeout in milliseconds.
    pub fn validate(&self, settings: &TxnSettings) -> Result<i32, ErrorCode> {
        if self.transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        if self.enable_two_phase_commit && !settings.two_phase_commit_enabled {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        if self.keep_prepared {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if self.enable_two_phase_commit {
            return Ok(i32::MAX);
        }
        if (1..=settings.timeout_max_ms).contains(&self.timeout_ms) {
            Ok(self.timeout_ms)
        } else {
            Err(ErrorCode::InvalidTransactionTimeout)
        }
    }
}

/// Whether a producer that tells what it had may go on. That of the previous id may if its epochs were used up: it has
/// missed the answer that told the new one.
fn may_go_on(transaction: &Transaction, expected: (ProducerId, ProducerEpoch)) -> bool {
    let (producer_id, epoch) = expected;
    producer_id == transaction.producer_id
        || (producer_id == transaction.previous_producer_id && is_exhausted(epoch))
}

fn given(transaction: &Transaction) -> TxnResponse {
    TxnResponse::InitProducerId(InitProducerIdResponse {
        producer_id: transaction.producer_id.0,
        producer_epoch: transaction.producer_epoch.0,
        ..Default::default()
    })
}

fn refused(error: ErrorCode) -> TxnResponse {
    TxnResponse::InitProducerId(InitProducerIdResponse {
        error_code: error.code(),
        producer_id: ProducerId::NONE.0,
        producer_epoch: NO_EPOCH.0,
        ..Default::default()
    })
}
