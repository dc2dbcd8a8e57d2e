//! The end of a transaction in one partition, before it is a marker on the partition's log.

use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};

use super::coordinator::{Outcome, TransactionVersion};
use super::producer_state::TxnMarker;

/// What a transaction coordinator wants written to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransaction {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub outcome: Outcome,
    /// Of the coordinator: a later one fences it.
    pub coordinator_epoch: i32,
    /// Of the transaction, for the check of its epoch (KIP-1228). The marker does not tell it.
    pub transaction_version: TransactionVersion,
}

impl EndTransaction {
    /// The marker that is written at this time.
    #[must_use]
    pub fn marker(&self, timestamp: Millis) -> TxnMarker {
        TxnMarker {
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            committed: self.outcome == Outcome::Commit,
            coordinator_epoch: self.coordinator_epoch,
            timestamp,
        }
    }
}
