//! Transactions: what coordinators know of them, what producers have open in partitions, and ending what hangs.

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        DescribeProducersRequest, DescribeTransactionsRequest, InitProducerIdRequest,
        ListTransactionsRequest, ListTransactionsResponse, WriteTxnMarkersRequest,
        api::{
            describe_producers::{request::TopicRequest, response as producers},
            describe_transactions::response::TransactionState,
            write_txn_markers::request::{WritableTxnMarker, WritableTxnMarkerTopic},
        },
    },
    types::BrokerId,
};

use crate::{
    cluster::{CoordinatorKind, Target},
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, TopicPartition, grouped, left_out, misdirected, no_error};

#[cfg(test)]
#[path = "transactions_tests.rs"]
mod tests;

/// Which transactions are listed; what is empty or none lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    pub producer_ids: Vec<i64>,
    /// Only those that have been going on for longer (KIP-994); below 0: all.
    pub duration_ms: Option<i64>,
    /// Only ids that the expression matches as a whole, in the broker's syntax (KIP-1152).
    pub id_pattern: Option<String>,
}

/// A transactional id as its coordinator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionListing {
    pub id: String,
    pub producer_id: i64,
    /// `Ongoing`, `CompleteCommit` …
    pub state: String,
}

/// A transactional id and its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    pub id: String,
    pub coordinator: BrokerId,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub state: String,
    pub timeout_ms: i32,
    /// None while no transaction is open.
    pub started_at_ms: Option<i64>,
    /// Those that are written to, or whose markers are not written yet.
    pub partitions: Vec<TopicPartition>,
}

/// A producer as a partition remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerState {
    pub producer_id: i64,
    pub producer_epoch: i32,
    pub last_sequence: i32,
    pub last_timestamp_ms: i64,
    /// Of the last marker; none before the first.
    pub coordinator_epoch: Option<i32>,
    /// Where its open transaction begins.
    pub open_since: Option<i64>,
}

/// The transaction of a producer in one partition, which is to be aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbortSpec {
    pub at: TopicPartition,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub coordinator_epoch: i32,
}

impl Admin {
    /// The transactional ids of all brokers, each broker's in its own order.
    pub async fn list_transactions(
        &self,
        filter: &TransactionFilter,
    ) -> Result<Vec<(BrokerId, Result<Vec<TransactionListing>, ClientError>)>, ClientError> {
        let pattern = filter.id_pattern.as_deref();
        let pattern = pattern.map(|pattern| wire_text("the pattern", pattern));
        let request = ListTransactionsRequest {
            producer_id_filters: filter.producer_ids.clone(),
            duration_filter: filter.duration_ms.unwrap_or(-1),
            transactional_id_pattern: pattern.transpose()?,
            ..Default::default()
        };
        let first_version = match (&filter.id_pattern, filter.duration_ms) {
            (Some(_), _) => 2,
            (None, Some(0..)) => 1,
            (None, _) => 0,
        };
        let metadata = self.cluster.refresh(self.deadline()).await?;
        let mut answers = Vec::new();
        for broker in metadata.brokers() {
            let call = self.call().versions(first_version..=i16::MAX);
            let error_of =
                |response: &ListTransactionsResponse| ErrorCode::from_code(response.error_code);
            let target = Target::Broker(broker.id);
            let outcome = self.cluster.call(&target, &request, call, error_of).await;
            answers.push((broker.id, outcome.and_then(|response| listed(&response))));
        }
        Ok(answers)
    }

    /// What the coordinators know of the ids. An id that is not known is TRANSACTIONAL_ID_NOT_FOUND in its place.
    pub async fn describe_transactions(
        &self,
        ids: &[String],
    ) -> Result<Outcomes<String, TransactionDescription>, ClientError> {
        let mut outcomes = Outcomes::new();
        for id in ids {
            let request = DescribeTransactionsRequest {
                transactional_ids: vec![wire_text("the transactional id", id)?],
                ..Default::default()
            };
            let target = Target::Transaction(id.clone());
            let response = self
                .cluster
                .call(&target, &request, self.call(), |response| {
                    misdirected(response.transaction_states.iter().map(|one| one.error_code))
                })
                .await?;
            let kind = CoordinatorKind::Transaction;
            let coordinator = self.cluster.coordinator(kind, id, self.deadline()).await?;
            let state = response.transaction_states.first();
            let described = state.ok_or_else(left_out).and_then(|state| {
                ApiError::check(state.error_code, None)?;
                Ok(described(state, coordinator.id))
            });
            outcomes.push((id.clone(), described));
        }
        Ok(outcomes)
    }

    /// The producers that partitions remember: as their leaders do, or as this broker's replicas do.
    pub async fn describe_producers(
        &self,
        partitions: &[TopicPartition],
        broker: Option<BrokerId>,
    ) -> Result<Outcomes<TopicPartition, Vec<ProducerState>>, ClientError> {
        match broker {
            Some(broker) => self.producers_of(broker, partitions.to_vec()).await,
            None => {
                self.by_leader(partitions, |leader, group| self.producers_of(leader, group))
                    .await
            }
        }
    }

    async fn producers_of(
        &self,
        broker: BrokerId,
        partitions: Vec<TopicPartition>,
    ) -> Result<Outcomes<TopicPartition, Vec<ProducerState>>, ClientError> {
        let by_topic = grouped(partitions.into_iter().map(|at| (at.topic, at.partition)));
        let topics = by_topic.into_iter().map(|(topic, partition_indexes)| {
            Ok(TopicRequest {
                name: wire_text("the topic name", &topic)?,
                partition_indexes,
                ..Default::default()
            })
        });
        let request = DescribeProducersRequest {
            topics: topics.collect::<Result<_, ClientError>>()?,
            ..Default::default()
        };
        let target = Target::Broker(broker);
        let response = self
            .cluster
            .call(&target, &request, self.call(), no_error)
            .await?;
        let mut outcomes = Outcomes::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                let at = TopicPartition::new(&*topic.name, partition.partition_index);
                let message = partition.error_message.as_deref();
                let outcome = ApiError::check(partition.error_code, message)
                    .map(|()| partition.active_producers.iter().map(remembered).collect());
                outcomes.push((at, outcome));
            }
        }
        Ok(outcomes)
    }

    /// Writes the marker that aborts a transaction in one partition, past its coordinator: for what hangs because no
    /// coordinator knows of it.
    pub async fn abort_transaction(
        &self,
        spec: &AbortSpec,
    ) -> Result<Result<(), ApiError>, ClientError> {
        let asked = [spec.at.clone()];
        let outcomes = self
            .by_leader(&asked, |leader, _| self.write_abort(leader, spec))
            .await?;
        let outcome = outcomes.into_iter().next();
        Ok(outcome.map_or_else(|| Err(left_out()), |(_, outcome)| outcome))
    }

    async fn write_abort(
        &self,
        leader: BrokerId,
        spec: &AbortSpec,
    ) -> Result<Outcomes<TopicPartition>, ClientError> {
        let topic = WritableTxnMarkerTopic {
            name: wire_text("the topic name", &spec.at.topic)?,
            partition_indexes: vec![spec.at.partition],
            ..Default::default()
        };
        let request = WriteTxnMarkersRequest {
            markers: vec![WritableTxnMarker {
                producer_id: spec.producer_id,
                producer_epoch: spec.producer_epoch,
                transaction_result: false,
                topics: vec![topic],
                coordinator_epoch: spec.coordinator_epoch,
                ..Default::default()
            }],
            ..Default::default()
        };
        let target = Target::Broker(leader);
        let response = self
            .cluster
            .call(&target, &request, self.call(), no_error)
            .await?;
        let topics = response.markers.iter().flat_map(|marker| &marker.topics);
        let written = topics.flat_map(|topic| {
            let partitions = topic.partitions.iter();
            partitions.map(|one| {
                let at = TopicPartition::new(&*topic.name, one.partition_index);
                (at, ApiError::check(one.error_code, None))
            })
        });
        Ok(written.collect())
    }

    /// Fences the producers of a transactional id: the open transaction is aborted, and whoever used the id can't go on.
    pub async fn fence_producers(&self, id: &str) -> Result<Result<(), ApiError>, ClientError> {
        let request = InitProducerIdRequest {
            transactional_id: Some(wire_text("the transactional id", id)?),
            // How long the coordinator may take to note the new epoch; nobody opens a transaction with it.
            transaction_timeout_ms: self.broker_timeout_ms(),
            ..Default::default()
        };
        let target = Target::Transaction(id.to_owned());
        let response = self
            .cluster
            .call(&target, &request, self.call().persistently(), |response| {
                ErrorCode::from_code(response.error_code)
            })
            .await?;
        Ok(ApiError::check(response.error_code, None))
    }
}

fn listed(response: &ListTransactionsResponse) -> Result<Vec<TransactionListing>, ClientError> {
    ApiError::check(response.error_code, None)?;
    let states = response.transaction_states.iter();
    let listing = states.map(|state| TransactionListing {
        id: state.transactional_id.to_string(),
        producer_id: state.producer_id,
        state: state.transaction_state.to_string(),
    });
    Ok(listing.collect())
}

fn described(state: &TransactionState, coordinator: BrokerId) -> TransactionDescription {
    let partitions = state.topics.iter().flat_map(|topic| {
        let indexes = topic.partitions.iter();
        indexes.map(|index| TopicPartition::new(&*topic.topic, *index))
    });
    TransactionDescription {
        id: state.transactional_id.to_string(),
        coordinator,
        producer_id: state.producer_id,
        producer_epoch: state.producer_epoch,
        state: state.transaction_state.to_string(),
        timeout_ms: state.transaction_timeout_ms,
        started_at_ms: Some(state.transaction_start_time_ms).filter(|at| *at >= 0),
        partitions: partitions.collect(),
    }
}

fn remembered(state: &producers::ProducerState) -> ProducerState {
    ProducerState {
        producer_id: state.producer_id,
        producer_epoch: state.producer_epoch,
        last_sequence: state.last_sequence,
        last_timestamp_ms: state.last_timestamp,
        coordinator_epoch: Some(state.coordinator_epoch).filter(|epoch| *epoch >= 0),
        open_since: Some(state.current_txn_start_offset).filter(|offset| *offset >= 0),
    }
}
