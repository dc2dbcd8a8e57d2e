//! AddPartitionsToTxn (24): partitions become part of a transaction.
//!
//! - v2: PRODUCER_FENCED is possible (KIP-588).
//! - v4: from brokers only, of several transactions at once, also to ask whether they are part of it (KIP-890).
//! - v5: TRANSACTION_ABORTABLE is possible.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_coordination::txn::coordinator::{
    AddPartitionsToTxn, TopicPartition, TransactionVersion, TxnCommand, TxnResponse,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::add_partitions_to_txn::request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use ottla_protocol::messages::add_partitions_to_txn::response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use ottla_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use ottla_protocol::types::PartitionIndex;
use ottla_protocol::wire::StrBytes;

use super::transaction::{ask_to_add, error_of, known_to, producer, reply_all};
use super::{Answer, Context};
use crate::broker::Broker;
use crate::exec::shard::Asked;

const FENCED_FROM: i16 = 2;
const BATCHES_FROM: i16 = 4;

type Errors = BTreeMap<TopicPartition, ErrorCode>;

/// A transaction that was asked for.
struct Wanted {
    transactional_id: StrBytes,
    partitions: BTreeSet<TopicPartition>,
}

impl Wanted {
    fn all(&self, error: ErrorCode) -> Errors {
        let partitions = self.partitions.iter();
        partitions
            .map(|partition| (partition.clone(), error))
            .collect()
    }
}

pub(crate) fn handle(
    context: &Context<'_>,
    request: AddPartitionsToTxnRequest,
) -> Answer<AddPartitionsToTxnResponse> {
    let version = context.version;
    let transactions = if version >= BATCHES_FROM {
        request.transactions
    } else {
        vec![AddPartitionsToTxnTransaction {
            transactional_id: request.v3_and_below_transactional_id,
            producer_id: request.v3_and_below_producer_id,
            producer_epoch: request.v3_and_below_producer_epoch,
            topics: request.v3_and_below_topics,
            ..Default::default()
        }]
    };
    let asked = transactions
        .into_iter()
        .map(|transaction| ask(context.broker, version, transaction));
    reply_all(asked.collect(), move |answers| {
        let results = answers.into_iter().map(|((wanted, refused), answer)| {
            let errors = match answer {
                _ if !refused.is_empty() => refused,
                Ok(TxnResponse::AddPartitionsToTxn(error)) => {
                    wanted.all(known_to(version >= FENCED_FROM, error))
                }
                Ok(TxnResponse::VerifyPartitions(errors)) => errors,
                other => wanted.all(error_of(other)),
            };
            AddPartitionsToTxnResult {
                transactional_id: wanted.transactional_id,
                topic_results: by_topic(&errors),
                ..Default::default()
            }
        });
        respond(version, results)
    })
}

/// Asks the machine, unless one of the partitions is not there: then none is added, and their errors come with it.
fn ask(
    broker: &Arc<Broker>,
    version: i16,
    transaction: AddPartitionsToTxnTransaction,
) -> ((Wanted, Errors), Asked<TxnResponse>) {
    let wanted = Wanted {
        partitions: partitions(&transaction.topics),
        transactional_id: transaction.transactional_id,
    };
    let refused = refusals(broker, &wanted);
    if !refused.is_empty() {
        let nothing = Ok(TxnResponse::Noted);
        return ((wanted, refused), Asked::Now(nothing));
    }
    let id = wanted.transactional_id.as_str();
    let producer = producer(id, transaction.producer_id, transaction.producer_epoch);
    let partitions = wanted.partitions.clone();
    let asked = if transaction.verify_only {
        let command = TxnCommand::VerifyPartitions {
            producer,
            partitions,
        };
        broker.transactions.ask(id, command)
    } else {
        let command = AddPartitionsToTxn {
            producer,
            partitions,
            client_version: match version >= BATCHES_FROM {
                true => TransactionVersion(2),
                false => TransactionVersion(0),
            },
        };
        ask_to_add(broker, command)
    };
    ((wanted, refused), asked)
}

fn partitions(topics: &[AddPartitionsToTxnTopic]) -> BTreeSet<TopicPartition> {
    let partitions = topics.iter().flat_map(|topic| {
        let partition = |index: &i32| TopicPartition {
            topic: topic.name.to_string(),
            partition: PartitionIndex(*index),
        };
        topic.partitions.iter().map(partition)
    });
    partitions.collect()
}

/// Empty where all partitions exist.
fn refusals(broker: &Broker, wanted: &Wanted) -> Errors {
    let image = broker.image.load();
    let exists = |partition: &TopicPartition| {
        let topic = image.topics().by_name(&partition.topic);
        topic.is_some_and(|topic| topic.partition(partition.partition).is_some())
    };
    if wanted.partitions.iter().all(exists) {
        return Errors::new();
    }
    let verdict = |partition: &TopicPartition| {
        let error = match exists(partition) {
            true => ErrorCode::OperationNotAttempted,
            false => ErrorCode::UnknownTopicOrPartition,
        };
        (partition.clone(), error)
    };
    wanted.partitions.iter().map(verdict).collect()
}

fn respond(
    version: i16,
    results: impl Iterator<Item = AddPartitionsToTxnResult>,
) -> AddPartitionsToTxnResponse {
    if version >= BATCHES_FROM {
        return AddPartitionsToTxnResponse {
            results_by_transaction: results.collect(),
            ..Default::default()
        };
    }
    AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below: results.flat_map(|only| only.topic_results).collect(),
        ..Default::default()
    }
}

fn by_topic(errors: &Errors) -> Vec<AddPartitionsToTxnTopicResult> {
    let mut topics: Vec<AddPartitionsToTxnTopicResult> = Vec::new();
    for (TopicPartition { topic, partition }, error) in errors {
        let result = AddPartitionsToTxnPartitionResult {
            partition_index: partition.0,
            partition_error_code: error.code(),
            ..Default::default()
        };
        match topics.last_mut().filter(|last| last.name == topic.as_str()) {
            Some(last) => last.results_by_partition.push(result),
            None => topics.push(AddPartitionsToTxnTopicResult {
                name: topic.into(),
                results_by_partition: vec![result],
                ..Default::default()
            }),
        }
    }
    topics
}
