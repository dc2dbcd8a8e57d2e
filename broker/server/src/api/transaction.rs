//! What the APIs of transactions share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_coordination::Answer as Decided;
use ottla_coordination::txn::coordinator::{
    AddPartitionsToTxn, TopicPartition, TransactionVersion, TxnCommand, TxnProducer, TxnResponse,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{ProducerEpoch, ProducerId};

use crate::broker::Broker;
use crate::exec::shard::Asked;
use crate::exec::transactions::NextEnd;

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

/// Has partitions added to the producer's transaction, once its last one has ended.
pub(super) fn ask_to_add(broker: &Arc<Broker>, command: AddPartitionsToTxn) -> Asked<TxnResponse> {
    let broker = broker.clone();
    let id = command.producer.transactional_id.clone();
    let ask = move |broker: &Broker| {
        let id = command.producer.transactional_id.as_str();
        let command = TxnCommand::AddPartitionsToTxn(command.clone());
        broker.transactions.ask(id, command)
    };
    let asked = ask(&broker);
    if matches!(&asked, Asked::Now(answer) if !is_last_open(answer)) {
        return asked;
    }
    Asked::Repeated(Box::pin(async move {
        once_the_last_has_ended(&broker, &id, asked, || ask(&broker)).await
    }))
}

/// The answer to what was asked, which is asked again while the producer's last transaction is not over, as long as is
/// configured: a client would come again much later.
pub(super) async fn once_the_last_has_ended(
    broker: &Broker,
    transactional_id: &str,
    mut asked: Asked<TxnResponse>,
    mut ask_again: impl FnMut() -> Asked<TxnResponse>,
) -> Decided<TxnResponse> {
    let (retry_max, backoff) = retries(broker);
    let begun = Instant::now();
    let mut next_end: Option<NextEnd<'_>> = None;
    loop {
        let answer = asked.answer().await;
        if !is_last_open(&answer) || begun.elapsed() >= retry_max {
            return answer;
        }
        next_end = match next_end {
            // It is asked again first: the transaction may have ended since.
            None => Some(broker.transactions.next_end(transactional_id)),
            Some(next_end) => {
                next_end.come(backoff).await;
                None
            }
        };
        asked = ask_again();
    }
}

/// Nothing can be added, as the producer's last transaction is not over.
pub(super) fn is_last_open(answer: &Decided<TxnResponse>) -> bool {
    let open = ErrorCode::ConcurrentTransactions;
    matches!(answer, Ok(TxnResponse::AddPartitionsToTxn(error)) if *error == open)
}

/// How long to ask again, and how often.
fn retries(broker: &Broker) -> (Duration, Duration) {
    let config = broker.config.load();
    let values = config.settings();
    let ms = |key: &str| Duration::from_millis(u64::try_from(values.number(key)).unwrap_or(0));
    let max = ms("add.partitions.to.txn.retry.backoff.max.ms").min(ms("request.timeout.ms"));
    (max, ms("add.partitions.to.txn.retry.backoff.ms"))
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
