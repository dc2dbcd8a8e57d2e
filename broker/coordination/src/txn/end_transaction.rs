//! The end of a transaction in one partition, before it is a marker on the partition's log.

use bytes::Bytes;
use ottla_protocol::records::control::{ControlType, EndTxnMarker};
use ottla_protocol::records::{BatchHeader, Record};
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

    /// What a marker on the log tells of it.
    #[must_use]
    pub fn of_marker(marker: &TxnMarker) -> Self {
        Self {
            producer_id: marker.producer_id,
            producer_epoch: marker.producer_epoch,
            outcome: if marker.committed {
                Outcome::Commit
            } else {
                Outcome::Abort
            },
            coordinator_epoch: marker.coordinator_epoch,
            transaction_version: TransactionVersion(0),
        }
    }

    /// Key and value of the marker's control record.
    #[must_use]
    pub fn encode(&self) -> (Bytes, Option<Bytes>) {
        let control_type = match self.outcome {
            Outcome::Commit => ControlType::Commit,
            Outcome::Abort => ControlType::Abort,
        };
        let marker = EndTxnMarker {
            committed: self.outcome == Outcome::Commit,
            coordinator_epoch: self.coordinator_epoch,
        };
        (
            Bytes::copy_from_slice(&control_type.key()),
            Some(Bytes::copy_from_slice(&marker.value())),
        )
    }
}

impl TxnMarker {
    /// The marker that a record of a control batch is; none where it is another kind of record.
    #[must_use]
    pub fn of_record(header: &BatchHeader, record: &Record<'_>) -> Option<Self> {
        let end = EndTxnMarker::from_record(record).ok()??;
        Some(Self {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            committed: end.committed,
            coordinator_epoch: end.coordinator_epoch,
            timestamp: record.timestamp,
        })
    }
}
