//! ListTransactions and DescribeTransactions.

use std::collections::BTreeSet;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_transactions::response::{
    TopicData, TransactionState as DescribedTransaction,
};
use ottla_protocol::messages::list_transactions::response::TransactionState as ListedTransaction;
use ottla_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};
use ottla_protocol::topic_pattern::TopicPattern;
use ottla_protocol::types::Millis;
use ottla_protocol::wire::StrBytes;

use super::TxnMachine;
use super::commands::TxnResponse;
use super::state::{TopicPartition, Transaction, TransactionState};

/// States that the reference passes through without showing them; they are names to filter by.
const UNSEEN_STATES: [&str; 2] = ["Dead", "PrepareEpochFence"];

impl TxnMachine {
    pub(super) fn list_transactions(
        &self,
        now: Millis,
        request: &ListTransactionsRequest,
    ) -> TxnResponse {
        let pattern = request.transactional_id_pattern.as_deref();
        let pattern = pattern.filter(|pattern| !pattern.is_empty());
        let Ok(pattern) = pattern.map(TopicPattern::parse).transpose() else {
            return TxnResponse::ListTransactions(ListTransactionsResponse {
                error_code: ErrorCode::InvalidRegularExpression.code(),
                ..Default::default()
            });
        };
        let states: BTreeSet<&str> = request.state_filters.iter().map(|name| &**name).collect();
        let ids: BTreeSet<i64> = request.producer_id_filters.iter().copied().collect();
        let is_wanted = |id: &str, transaction: &Transaction| {
            // Without a transaction the time since its start is endless, as in the reference.
            let start = transaction.started_at.map_or(-1, |start| start.0);
            (ids.is_empty() || ids.contains(&transaction.producer_id.0))
                && (states.is_empty() || states.contains(transaction.state.name()))
                && (request.duration_filter < 0
                    || now.0.saturating_sub(start) > request.duration_filter)
                && pattern.as_ref().is_none_or(|pattern| pattern.matches(id))
        };
        let listed = self
            .hard
            .iter()
            .filter(|(id, transaction)| is_wanted(id, transaction))
            .map(|(id, transaction)| ListedTransaction {
                transactional_id: id.into(),
                producer_id: transaction.producer_id.0,
                transaction_state: StrBytes::from_static(transaction.state.name()),
                ..Default::default()
            });
        TxnResponse::ListTransactions(ListTransactionsResponse {
            unknown_state_filters: unknown_states(&request.state_filters),
            transaction_states: listed.collect(),
            ..Default::default()
        })
    }

    pub(super) fn describe_transactions(&self, ids: Vec<StrBytes>) -> TxnResponse {
        let described = ids.into_iter().map(|id| self.describe_transaction(id));
        TxnResponse::DescribeTransactions(described.collect())
    }

    fn describe_transaction(&self, id: StrBytes) -> DescribedTransaction {
        let error = if id.is_empty() {
            ErrorCode::InvalidRequest
        } else {
            ErrorCode::TransactionalIdNotFound
        };
        let Some(transaction) = self.hard.get(&id) else {
            return DescribedTransaction {
                error_code: error.code(),
                transactional_id: id,
                ..Default::default()
            };
        };
        // Of a prepared transaction: where markers are missing.
        let pending = self.soft.pending.get(id.as_str());
        let partitions = pending.map_or(&transaction.partitions, |pending| &pending.remaining);
        DescribedTransaction {
            transaction_state: StrBytes::from_static(transaction.state.name()),
            transaction_timeout_ms: transaction.timeout_ms,
            transaction_start_time_ms: transaction.started_at.map_or(-1, |start| start.0),
            producer_id: transaction.producer_id.0,
            producer_epoch: transaction.producer_epoch.0,
            topics: by_topic(partitions),
            transactional_id: id,
            ..Default::default()
        }
    }
}

/// The filters of ListTransactions that are no state's name, each once.
#[must_use]
pub fn unknown_states(filters: &[StrBytes]) -> Vec<StrBytes> {
    let is_known = |name: &str| {
        UNSEEN_STATES.contains(&name)
            || TransactionState::ALL
                .iter()
                .any(|state| state.name() == name)
    };
    let names: BTreeSet<&StrBytes> = filters.iter().collect();
    let unknown = names.into_iter().filter(|name| !is_known(name));
    unknown.cloned().collect()
}

fn by_topic(partitions: &BTreeSet<TopicPartition>) -> Vec<TopicData> {
    let mut topics: Vec<TopicData> = Vec::new();
    for TopicPartition { topic, partition } in partitions {
        match topics
            .last_mut()
            .filter(|last| last.topic == topic.as_str())
        {
            Some(last) => last.partitions.push(partition.0),
            None => topics.push(TopicData {
                topic: topic.into(),
                partitions: vec![partition.0],
                ..Default::default()
            }),
        }
    }
    topics
}
