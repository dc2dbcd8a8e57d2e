//! What the APIs of transactions share.

use std::collections::BTreeSet;

use ottla_coordination::Answer as Decided;
use ottla_coordination::txn::coordinator::{
    AddPartitionsToTxn, TopicPartition, TransactionVersion, TxnCommand, TxnProducer, TxnResponse,
};
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

/// What the version of a request says that its client knows of transactions, where the coordinator is asked before a
/// partition takes the first batch (KIP-890).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Support {
    /// Neither of what follows.
    Nothing,
    /// TRANSACTION_ABORTABLE.
    Abortable,
    /// That partitions are added by the batches themselves.
    Adding,
}

impl Support {
    /// Has the partitions added, or asks whether they are.
    pub(super) fn command(
        self,
        producer: TxnProducer,
        partitions: BTreeSet<TopicPartition>,
    ) -> TxnCommand {
        match self {
            Self::Adding => TxnCommand::AddPartitionsToTxn(AddPartitionsToTxn {
                producer,
                partitions,
                client_version: TransactionVersion(2),
            }),
            Self::Nothing | Self::Abortable => TxnCommand::VerifyPartitions {
                producer,
                partitions,
            },
        }
    }

    /// The coordinator's error in words that the client knows.
    pub(super) fn translate(self, error: ErrorCode) -> ErrorCode {
        match known_to(false, error) {
            ErrorCode::TransactionAbortable if self == Self::Nothing => ErrorCode::InvalidTxnState,
            other => other,
        }
    }
}

/// What the coordinator has answered of one of the partitions.
pub(super) fn verdict(answer: &Decided<TxnResponse>, partition: &TopicPartition) -> ErrorCode {
    match answer {
        Ok(TxnResponse::AddPartitionsToTxn(code)) => *code,
        Ok(TxnResponse::VerifyPartitions(codes)) => codes
            .get(partition)
            .copied()
            .unwrap_or(ErrorCode::InvalidTxnState),
        Ok(_) => ErrorCode::UnknownServerError,
        Err(code) => *code,
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
