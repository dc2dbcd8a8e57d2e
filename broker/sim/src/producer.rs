//! Transactional producers: they send offsets with their transactions, and end these as their coordinator would, again
//! and again until it is done.

use ottla_coordination::group::Command;
use ottla_coordination::txn::EndTransaction;
use ottla_coordination::txn::coordinator::{Outcome, TransactionVersion};
use ottla_protocol::types::{ProducerEpoch, ProducerId};

use crate::client::commit_request;

const EPOCH: ProducerEpoch = ProducerEpoch(0);

/// What becomes of a producer's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It may send, and end what it has sent.
    Open,
    /// It does not know what became of something that it sent.
    Broken,
    /// It is decided.
    Ending(Outcome),
}

#[derive(Clone, Debug)]
pub(crate) struct Producer {
    id: ProducerId,
    pub(crate) stage: Stage,
    /// With the open transaction, whatever became of it.
    pub(crate) sent: Vec<i64>,
    /// A request of its own is on the way; it sends one at a time.
    pub(crate) is_waiting: bool,
}

impl Producer {
    pub(crate) fn new(id: i64) -> Self {
        Self {
            id: ProducerId(id),
            stage: Stage::Open,
            sent: Vec::new(),
            is_waiting: false,
        }
    }

    pub(crate) fn send(&mut self, group: &str, offset: i64) -> Command {
        self.sent.push(offset);
        Command::TxnOffsetCommit {
            request: commit_request(group, "", -1, offset),
            producer_id: self.id,
            producer_epoch: EPOCH,
        }
    }

    pub(crate) fn end(&self, outcome: Outcome) -> Command {
        Command::EndTransaction(EndTransaction {
            producer_id: self.id,
            producer_epoch: EPOCH,
            outcome,
            coordinator_epoch: 0,
            transaction_version: TransactionVersion(0),
        })
    }

    /// The offset is on the log, or it is not.
    pub(crate) fn send_answered(&mut self, is_there: bool) {
        self.is_waiting = false;
        if !is_there {
            self.stage = Stage::Broken;
        }
    }

    /// The transaction has ended; what it sent.
    pub(crate) fn ended(&mut self) -> Vec<i64> {
        self.is_waiting = false;
        self.stage = Stage::Open;
        std::mem::take(&mut self.sent)
    }

    /// The broker is gone, and the answer with it.
    pub(crate) fn missed_answer(&mut self) {
        if std::mem::take(&mut self.is_waiting) && self.stage == Stage::Open {
            self.stage = Stage::Broken;
        }
    }
}
