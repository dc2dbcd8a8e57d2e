//! What the transaction machine knows besides its log; a coordinator that takes over begins without it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ottla_protocol::types::{ProducerEpoch, ProducerId};

use super::commands::InitProducerId;
use super::records::TxnRecord;
use super::state::{NO_EPOCH, TopicPartition, TransactionState};
use crate::controller::ProducerIdBlock;
use crate::effects::ReplyToken;
use crate::txn::ProducerIds;

#[derive(Debug, Default)]
pub(super) struct Soft {
    pub(super) reserve: Reserve,
    /// Who waits for a producer id, by transactional id.
    pub(super) without_ids: BTreeMap<String, (ReplyToken, InitProducerId)>,
    /// The epoch that a producer had before its current one, where that is known.
    last_epochs: BTreeMap<String, ProducerEpoch>,
    /// Records that the machine has decided on and that are not applied yet, with the last epoch that they lead to.
    proposed: VecDeque<(String, ProducerEpoch)>,
    /// Transactional ids with an open transaction.
    pub(super) ongoing: BTreeSet<String>,
    /// What is left to do for prepared transactions.
    pub(super) pending: BTreeMap<String, PendingMarkers>,
    /// Whether the timer for timed out transactions is armed.
    pub(super) checks_timeouts: bool,
}

/// A prepared transaction on its way to be complete.
#[derive(Debug, Default)]
pub(super) struct PendingMarkers {
    /// Partitions that have no marker yet, as far as is known.
    pub(super) remaining: BTreeSet<TopicPartition>,
    /// Those of them whose marker is to be asked for again.
    pub(super) retry: BTreeSet<TopicPartition>,
}

impl Soft {
    pub(super) fn last_epoch(&self, transactional_id: &str) -> ProducerEpoch {
        self.last_epochs
            .get(transactional_id)
            .copied()
            .unwrap_or(NO_EPOCH)
    }

    /// A record is about to be appended.
    pub(super) fn propose(&mut self, transactional_id: &str, last_epoch: ProducerEpoch) {
        self.proposed
            .push_back((transactional_id.to_owned(), last_epoch));
    }

    /// A record that was proposed is not on the log after all.
    pub(super) fn withdraw(&mut self, record: &TxnRecord) {
        let proposed = self.proposed.pop_front();
        assert!(proposed.is_some_and(|(id, _)| id == record.transactional_id));
    }

    /// A record is part of the hard state now. While loading nothing was proposed, and the last epoch is not known.
    pub(super) fn follow(&mut self, record: &TxnRecord) {
        let id = &record.transactional_id;
        let last_epoch = match self.proposed.pop_front() {
            Some((proposed, last_epoch)) => {
                assert_eq!(&proposed, id, "records are applied as they were proposed");
                last_epoch
            }
            None => NO_EPOCH,
        };
        if last_epoch == NO_EPOCH {
            self.last_epochs.remove(id);
        } else {
            self.last_epochs.insert(id.clone(), last_epoch);
        }
        let state = record.transaction.as_ref().map(|txn| txn.state);
        if state == Some(TransactionState::Ongoing) {
            self.ongoing.insert(id.clone());
        } else {
            self.ongoing.remove(id);
        }
        match &record.transaction {
            Some(transaction) if transaction.state.prepared().is_some() => {
                let pending = PendingMarkers {
                    remaining: transaction.partitions.clone(),
                    retry: BTreeSet::new(),
                };
                self.pending.insert(id.clone(), pending);
            }
            _ => {
                self.pending.remove(id);
            }
        }
    }
}

/// Producer ids that the machine may give: the block in use and the one after it.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    current: ProducerIds,
    spare: Option<ProducerIdBlock>,
    is_asked: bool,
}

impl Reserve {
    pub(super) fn take(&mut self) -> Option<ProducerId> {
        self.current.next_id().or_else(|| {
            self.current.refill(self.spare.take()?);
            self.current.next_id()
        })
    }

    /// Whether the shell is to be asked for a block. Then it is, and not again before it has answered.
    pub(super) fn ask(&mut self, low: i32) -> bool {
        let asks = !self.is_asked && self.spare.is_none() && self.current.left() <= low;
        self.is_asked |= asks;
        asks
    }

    pub(super) fn give(&mut self, block: ProducerIdBlock) {
        self.is_asked = false;
        self.spare = Some(block);
    }

    /// There was none to be had; the next need asks again.
    pub(super) fn refused(&mut self) {
        self.is_asked = false;
    }
}
