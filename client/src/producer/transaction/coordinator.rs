//! What a transaction says to its coordinator, and to the group's about offsets.
//!
//! Always: retriable errors are tried again, whatever `retries` says, until the caller's time is up. Not here: when to
//! say what.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
        EndTxnRequest, InitProducerIdRequest, Request, TxnOffsetCommitRequest,
        TxnOffsetCommitResponse,
        api::{
            add_partitions_to_txn::request::AddPartitionsToTxnTopic,
            offset_commit::request::OffsetCommitRequestTopic,
            txn_offset_commit::request::{
                TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
            },
        },
    },
    types::{ProducerEpoch, ProducerId},
    wire::StrBytes,
};

use crate::{
    admin::{NewOffset, TopicPartition, commit_topics},
    cluster::{Call, Cluster, Deadline, Target},
    conn::VersionRange,
    consumer::GroupMetadata,
    error::{ClientError, wire_text},
    producer::{ProduceError, TransactionSettings, batch::Identity, scope::TransactionProtocol},
};

use super::TransactionError;

/// The feature whose level decides which protocol there is.
const TRANSACTION_VERSION: &str = "transaction.version";

/// The previous transaction's markers are about to be written: asking again soon is worth it.
const CONCURRENT_BACKOFF: Duration = Duration::from_millis(20);

/// Clients speak these; later ones are for brokers.
const ADD_PARTITIONS: VersionRange = 0..=3;
/// The first that bumps an epoch on the producer's request (KIP-360).
const INIT: VersionRange = 3..=5;

/// Says what concerns one transactional id.
#[derive(Clone, Debug)]
pub(in crate::producer) struct Coordinator {
    cluster: Cluster,
    id: String,
    target: Target,
    timeout_ms: i32,
    block_max: Duration,
}

/// Why partitions were not added.
#[derive(Debug)]
pub(in crate::producer) enum AddFailure {
    /// Worth another try after so long.
    Again(Duration, ProduceError),
    Ends(TransactionError),
}

impl Coordinator {
    pub(in crate::producer) fn new(
        cluster: Cluster,
        settings: &TransactionSettings,
        block_max: Duration,
    ) -> Self {
        Self {
            cluster,
            id: settings.id.clone(),
            target: Target::Transaction(settings.id.clone()),
            timeout_ms: i32::try_from(settings.timeout.as_millis()).unwrap_or(i32::MAX),
            block_max,
        }
    }

    pub(in crate::producer) fn id(&self) -> StrBytes {
        self.id.as_str().into()
    }

    fn call(&self, versions: VersionRange) -> Call {
        Call::until(Deadline::after(self.block_max))
            .versions(versions)
            .persistently()
    }

    async fn ask<R: Request>(
        &self,
        request: &R,
        versions: VersionRange,
        code_of: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, TransactionError> {
        let error_of = |response: &R::Response| ErrorCode::from_code(code_of(response));
        let call = self.call(versions);
        let response = self
            .cluster
            .call(&self.target, request, call, error_of)
            .await?;
        check(error_of(&response))?;
        Ok(response)
    }

    /// An identity of this id's own: whoever had it before is fenced, and what it left open is aborted. With the current
    /// one, the same id's next epoch.
    pub(super) async fn init(
        &self,
        current: Option<Identity>,
    ) -> Result<Identity, TransactionError> {
        let id = wire_text("transactional.id", &self.id)?;
        let request = InitProducerIdRequest {
            transactional_id: Some(id),
            transaction_timeout_ms: self.timeout_ms,
            producer_id: current.map_or(-1, |current| current.id.0),
            producer_epoch: current.map_or(-1, |current| current.epoch.0),
            ..Default::default()
        };
        let outcome = self.ask(&request, INIT, |response| response.error_code);
        let response = outcome.await?;
        Ok(Identity {
            id: ProducerId(response.producer_id),
            epoch: ProducerEpoch(response.producer_epoch),
        })
    }

    /// The protocol of the next transaction.
    pub(super) async fn protocol(&self) -> Result<TransactionProtocol, TransactionError> {
        let call = Call::until(Deadline::after(self.block_max)).persistently();
        let mut failures = 0;
        let connection = loop {
            match self.cluster.connection_for(&self.target, &call).await {
                Ok(connection) => break connection,
                Err(error) if error.may_pass() => {
                    failures += 1;
                    self.cluster
                        .looked_in_vain(&self.target, &error, failures, &call)
                        .await?;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let features = &connection.versions().finalized_features;
        let level = features
            .iter()
            .find(|feature| feature.name == TRANSACTION_VERSION)
            .map_or(0, |feature| feature.max);
        Ok(match level {
            ..2 => TransactionProtocol::V1,
            2.. => TransactionProtocol::V2,
        })
    }

    /// Says that the transaction writes to these partitions; one attempt.
    pub(in crate::producer) async fn add_partitions(
        &self,
        identity: Identity,
        partitions: &[(Arc<str>, i32)],
    ) -> Result<(), AddFailure> {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in partitions {
            topics.entry(topic).or_default().push(*partition);
        }
        let topic = |(name, partitions): (&str, Vec<i32>)| AddPartitionsToTxnTopic {
            name: name.into(),
            partitions,
            ..Default::default()
        };
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.id(),
            v3_and_below_producer_id: identity.id.0,
            v3_and_below_producer_epoch: identity.epoch.0,
            v3_and_below_topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let timeout = self.cluster.settings().request_timeout;
        let call = Call::until(Deadline::after(timeout)).versions(ADD_PARTITIONS);
        let outcome = self.cluster.call_once(&self.target, &request, call, added);
        let backoff = self.cluster.settings().retry_backoff.after(1);
        let code = match outcome.await {
            Ok(response) => added(&response),
            Err(error) => {
                let error = TransactionError::of_client(error);
                return Err(match error.class {
                    super::ErrorClass::Retriable => AddFailure::Again(backoff, error.cause),
                    _ => AddFailure::Ends(error),
                });
            }
        };
        let error = TransactionError::of_coordinator(code);
        match code {
            ErrorCode::None => Ok(()),
            ErrorCode::ConcurrentTransactions => Err(AddFailure::Again(
                backoff.min(CONCURRENT_BACKOFF),
                error.cause,
            )),
            code if code.is_retriable() => Err(AddFailure::Again(backoff, error.cause)),
            _ => Err(AddFailure::Ends(error)),
        }
    }

    /// Says that the transaction commits offsets of this group.
    pub(super) async fn add_offsets(
        &self,
        identity: Identity,
        group: &str,
    ) -> Result<(), TransactionError> {
        let request = AddOffsetsToTxnRequest {
            transactional_id: self.id(),
            producer_id: identity.id.0,
            producer_epoch: identity.epoch.0,
            group_id: wire_text("group.id", group)?,
            ..Default::default()
        };
        let outcome = self.ask(&request, 0..=4, |response| response.error_code);
        outcome.await.map(drop)
    }

    /// Commits offsets for when the transaction is committed; the group's coordinator holds them back until then.
    pub(super) async fn commit_offsets(
        &self,
        identity: Identity,
        protocol: TransactionProtocol,
        group: &GroupMetadata,
        offsets: &[(TopicPartition, NewOffset)],
    ) -> Result<(), TransactionError> {
        let request = offsets_request(&self.id, identity, group, offsets)?;
        let versions = match protocol {
            TransactionProtocol::V1 => 3..=4,
            TransactionProtocol::V2 => 5..=5,
        };
        let target = Target::Group(group.group_id.clone());
        let call = self.call(versions);
        let outcome = self.cluster.call(&target, &request, call, |response| {
            decisive(codes(response))
        });
        check(decisive(codes(&outcome.await?)))
    }

    /// Ends the transaction. With the newer protocol the answer is the identity of the next one.
    pub(super) async fn end(
        &self,
        identity: Identity,
        protocol: TransactionProtocol,
        is_commit: bool,
    ) -> Result<Option<Identity>, TransactionError> {
        let request = EndTxnRequest {
            transactional_id: self.id(),
            producer_id: identity.id.0,
            producer_epoch: identity.epoch.0,
            committed: is_commit,
            ..Default::default()
        };
        let versions = match protocol {
            TransactionProtocol::V1 => 0..=4,
            TransactionProtocol::V2 => 5..=5,
        };
        let response = self
            .ask(&request, versions, |response| response.error_code)
            .await?;
        Ok((response.producer_id >= 0).then_some(Identity {
            id: ProducerId(response.producer_id),
            epoch: ProducerEpoch(response.producer_epoch),
        }))
    }
}

fn check(code: ErrorCode) -> Result<(), TransactionError> {
    match code {
        ErrorCode::None => Ok(()),
        code => Err(TransactionError::of_coordinator(code)),
    }
}

/// The error that says most: of something that is refused for good, else of something that may pass.
/// `OperationNotAttempted` only says that another partition had an error.
fn decisive(codes: impl Iterator<Item = ErrorCode>) -> ErrorCode {
    let says_little = |code: &ErrorCode| match code {
        ErrorCode::OperationNotAttempted => 2,
        code if code.is_retriable() => 1,
        _ => 0,
    };
    codes
        .filter(|code| code.is_err())
        .min_by_key(says_little)
        .unwrap_or(ErrorCode::None)
}

fn added(response: &AddPartitionsToTxnResponse) -> ErrorCode {
    let topics = &response.results_by_topic_v3_and_below;
    let partitions = topics.iter().flat_map(|topic| &topic.results_by_partition);
    decisive(partitions.map(|partition| ErrorCode::from_code(partition.partition_error_code)))
}

fn codes(response: &TxnOffsetCommitResponse) -> impl Iterator<Item = ErrorCode> + '_ {
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| ErrorCode::from_code(partition.error_code))
}

fn offsets_request(
    transactional_id: &str,
    identity: Identity,
    group: &GroupMetadata,
    offsets: &[(TopicPartition, NewOffset)],
) -> Result<TxnOffsetCommitRequest, ClientError> {
    let topics = commit_topics(offsets)?.into_iter().map(in_transaction);
    let instance_id = group.instance_id.as_deref();
    let instance_id = instance_id.map(|id| wire_text("group.instance.id", id));
    Ok(TxnOffsetCommitRequest {
        transactional_id: transactional_id.into(),
        group_id: wire_text("group.id", &group.group_id)?,
        producer_id: identity.id.0,
        producer_epoch: identity.epoch.0,
        generation_id: group.generation_id,
        member_id: group.member_id.as_str().into(),
        group_instance_id: instance_id.transpose()?,
        topics: topics.collect(),
        ..Default::default()
    })
}

fn in_transaction(topic: OffsetCommitRequestTopic) -> TxnOffsetCommitRequestTopic {
    let partitions = topic.partitions.into_iter();
    let partitions = partitions.map(|partition| TxnOffsetCommitRequestPartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        committed_metadata: partition.committed_metadata,
        ..Default::default()
    });
    TxnOffsetCommitRequestTopic {
        name: topic.name,
        partitions: partitions.collect(),
        ..Default::default()
    }
}
