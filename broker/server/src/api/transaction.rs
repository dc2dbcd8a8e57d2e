//! What the APIs of transactions share.

use ottla_coordination::txn::coordinator::TxnProducer;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{ProducerEpoch, ProducerId};

use crate::broker::Broker;

pub(super) use super::asked::{error_of, reply, reply_all};

pub(super) fn producer(transactional_id: &str, id: i64, epoch: i16) -> TxnProducer {
    TxnProducer {
        transactional_id: transactional_id.to_owned(),
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
    }
}

/// Whether the coordinator is asked about what older clients send (`transaction.partition.verification.enable`, KIP-890).
pub(super) fn are_partitions_verified(broker: &Broker) -> bool {
    let config = broker.config.load();
    let settings = config.settings();
    settings.boolean("transaction.partition.verification.enable")
}

/// The error as a client understands it that may be too old to know PRODUCER_FENCED (KIP-588).
pub(super) fn known_to(knows_fenced: bool, error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::ProducerFenced if !knows_fenced => ErrorCode::InvalidProducerEpoch,
        other => other,
    }
}
