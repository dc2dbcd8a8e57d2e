//! What the APIs of transactions share.

use ottla_coordination::txn::coordinator::TxnProducer;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{ProducerEpoch, ProducerId};

pub(super) use super::asked::{error_of, reply, reply_all};

pub(super) fn producer(transactional_id: &str, id: i64, epoch: i16) -> TxnProducer {
    TxnProducer {
        transactional_id: transactional_id.to_owned(),
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
    }
}

/// The error as a client understands it that may be too old to know PRODUCER_FENCED (KIP-588).
pub(super) fn known_to(knows_fenced: bool, error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::ProducerFenced if !knows_fenced => ErrorCode::InvalidProducerEpoch,
        other => other,
    }
}
