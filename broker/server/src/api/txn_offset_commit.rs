//! TxnOffsetCommit (28): offsets that count once the producer's transaction is committed.
//!
//! - v2: leader epochs (KIP-320); COORDINATOR_LOAD_IN_PROGRESS is possible. v3: members tell who they are (KIP-447).
//! - v4: TRANSACTION_ABORTABLE is possible.
//! - v5: the partition of the group's offsets becomes part of the transaction with it (KIP-890). Before, it has to be part of
//!   it already (AddOffsetsToTxn).

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_coordination::Answer as Decided;
use ottla_coordination::group::{Command, Response, offset_commit_error, partition_for};
use ottla_coordination::txn::coordinator::{
    AddPartitionsToTxn, TopicPartition, TransactionVersion, TxnCommand, TxnProducer, TxnResponse,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_commit::response::OffsetCommitResponseTopic;
use ottla_protocol::messages::txn_offset_commit::request::TxnOffsetCommitRequestTopic;
use ottla_protocol::messages::txn_offset_commit::response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use ottla_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use super::offset_commit::{known, merge};
use super::transaction::{are_partitions_verified, error_of, known_to, producer, reply};
use super::{Answer, Context};
use crate::broker::Broker;
use crate::exec::auto_create::{self, OFFSETS_TOPIC};
use crate::exec::shard::Asked;

const LOADING_FROM: i16 = 2;
const ABORTABLE_FROM: i16 = 4;
const ADDS_PARTITION_FROM: i16 = 5;

/// What is to be committed, and in which transaction.
struct Wanted {
    broker: Arc<Broker>,
    version: i16,
    producer: TxnProducer,
    /// Where the group's offsets are.
    partition: TopicPartition,
    commit: OffsetCommitRequest,
    /// What does not exist.
    refused: Vec<OffsetCommitResponseTopic>,
}

pub(crate) fn handle(
    context: &Context<'_>,
    request: TxnOffsetCommitRequest,
) -> Answer<TxnOffsetCommitResponse> {
    let wanted = wanted(context, request);
    if wanted.commit.topics.is_empty() {
        return wanted.respond(Ok(OffsetCommitResponse::default())).into();
    }
    if let Err(error) = wanted.check_group() {
        return wanted.respond(Err(error)).into();
    }
    match wanted.ask_transaction() {
        Asked::Now(allowed) => match wanted.ask_group(allowed) {
            Ok(asked) => reply(asked, move |answer| wanted.respond(decided(answer))),
            Err(error) => wanted.respond(Err(error)).into(),
        },
        asked @ Asked::Later(_) => Answer::later(async move {
            let answer = match wanted.ask_group(asked.answer().await) {
                Ok(asked) => decided(asked.answer().await),
                Err(error) => Err(error),
            };
            wanted.respond(answer)
        }),
    }
}

fn wanted(context: &Context<'_>, request: TxnOffsetCommitRequest) -> Wanted {
    let broker = context.broker.clone();
    let image = broker.image.load();
    let mut refused = Vec::new();
    let topics = request.topics.into_iter().map(topic);
    let topics = topics.filter_map(|topic| known(&image, topic, false, &mut refused));
    let commit = OffsetCommitRequest {
        generation_id_or_member_epoch: request.generation_id,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        topics: topics.collect(),
        group_id: request.group_id,
        ..Default::default()
    };
    let partitions = auto_create::offsets_partitions(&broker);
    let partition = TopicPartition {
        topic: OFFSETS_TOPIC.to_owned(),
        partition: partition_for(&commit.group_id, partitions),
    };
    Wanted {
        version: context.version,
        producer: producer(
            &request.transactional_id,
            request.producer_id,
            request.producer_epoch,
        ),
        partition,
        commit,
        refused,
        broker,
    }
}

fn topic(topic: TxnOffsetCommitRequestTopic) -> OffsetCommitRequestTopic {
    let partitions = topic.partitions.into_iter();
    let partitions = partitions.map(|partition| OffsetCommitRequestPartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        committed_metadata: partition.committed_metadata,
        ..Default::default()
    });
    OffsetCommitRequestTopic {
        name: topic.name,
        partitions: partitions.collect(),
        ..Default::default()
    }
}

fn decided(answer: Decided<Response>) -> Decided<OffsetCommitResponse> {
    match answer {
        Ok(Response::OffsetCommit(decided)) => Ok(decided),
        other => Err(error_of(other)),
    }
}

impl Wanted {
    /// Nothing that does not exist becomes part of a transaction.
    fn check_group(&self) -> Result<(), ErrorCode> {
        let TopicPartition { topic, partition } = &self.partition;
        let topics = &self.broker.storage.topics;
        if self.commit.group_id.is_empty() {
            Err(ErrorCode::InvalidGroupId)
        } else if topics.partition(topic, partition.0).is_none() {
            Err(ErrorCode::CoordinatorNotAvailable)
        } else {
            Ok(())
        }
    }

    /// Has the partition added, or asks whether it is.
    fn ask_transaction(&self) -> Asked<TxnResponse> {
        let partitions = BTreeSet::from([self.partition.clone()]);
        let command = if self.version >= ADDS_PARTITION_FROM {
            TxnCommand::AddPartitionsToTxn(AddPartitionsToTxn {
                producer: self.producer.clone(),
                partitions,
                client_version: TransactionVersion(2),
            })
        } else if self.is_verified() {
            TxnCommand::VerifyPartitions {
                producer: self.producer.clone(),
                partitions,
            }
        } else {
            return Asked::Now(Ok(TxnResponse::Noted));
        };
        let id = self.producer.transactional_id.as_str();
        self.broker.transactions.ask(id, command)
    }

    fn is_verified(&self) -> bool {
        self.version < ADDS_PARTITION_FROM && are_partitions_verified(&self.broker)
    }

    /// Hands the offsets to the group's machine, if the transaction allows it. An end of the transaction that was decided
    /// since it was asked leaves no room for them any more: else they would be open for ever. With an epoch for each
    /// transaction their batch would be refused.
    fn ask_group(&self, allowed: Decided<TxnResponse>) -> Result<Asked<Response>, ErrorCode> {
        self.check(match allowed {
            Ok(TxnResponse::AddPartitionsToTxn(error)) => error,
            Ok(TxnResponse::VerifyPartitions(errors)) => errors
                .get(&self.partition)
                .map_or(ErrorCode::UnknownServerError, |error| *error),
            Ok(TxnResponse::Noted) => ErrorCode::None,
            other => error_of(other),
        })?;
        if !self.is_verified() {
            return Ok(self.commit());
        }
        let id = self.producer.transactional_id.as_str();
        self.broker.transactions.look(id, |machine| {
            self.check(machine.verify(&self.producer, &self.partition))?;
            Ok(self.commit())
        })?
    }

    fn commit(&self) -> Asked<Response> {
        let command = Command::TxnOffsetCommit {
            request: self.commit.clone(),
            producer_id: self.producer.producer_id,
            producer_epoch: self.producer.producer_epoch,
        };
        self.broker.groups.ask(&self.commit.group_id, command)
    }

    /// What the transaction says, in words that the client knows.
    fn check(&self, verdict: ErrorCode) -> Result<(), ErrorCode> {
        match known_to(false, verdict) {
            ErrorCode::None => Ok(()),
            ErrorCode::TransactionAbortable if self.version < ABORTABLE_FROM => {
                Err(ErrorCode::InvalidTxnState)
            }
            error => Err(error),
        }
    }

    fn respond(self, answer: Decided<OffsetCommitResponse>) -> TxnOffsetCommitResponse {
        let decided = answer.unwrap_or_else(|error| {
            let error = match error {
                ErrorCode::CoordinatorLoadInProgress if self.version < LOADING_FROM => {
                    ErrorCode::CoordinatorNotAvailable
                }
                error => error,
            };
            offset_commit_error(&self.commit, error)
        });
        let topics = merge(self.refused, decided).topics.into_iter();
        let topics = topics.map(|topic| {
            let partitions = topic.partitions.into_iter();
            let partitions = partitions.map(|partition| TxnOffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: partition.error_code,
                ..Default::default()
            });
            TxnOffsetCommitResponseTopic {
                name: topic.name,
                partitions: partitions.collect(),
                ..Default::default()
            }
        });
        TxnOffsetCommitResponse {
            topics: topics.collect(),
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ottla_protocol::types::PartitionIndex;

    use super::*;
    use crate::testing::TestServer;
    use crate::tests::groups::member;
    use crate::tests::transaction_coordinator::{Producer, reaches};

    fn wanted(server: &TestServer, producer_id: i64, epoch: i16, version: i16) -> Wanted {
        Wanted {
            broker: server.broker().clone(),
            version,
            producer: producer("tx", producer_id, epoch),
            partition: TopicPartition {
                topic: OFFSETS_TOPIC.to_owned(),
                partition: PartitionIndex(0),
            },
            commit: OffsetCommitRequest {
                group_id: "g".into(),
                topics: vec![OffsetCommitRequestTopic {
                    name: "t".into(),
                    partitions: vec![OffsetCommitRequestPartition::default()],
                    ..Default::default()
                }],
                ..Default::default()
            },
            refused: Vec::new(),
        }
    }

    #[test]
    fn what_the_transaction_allowed_before_its_end_came_to_be_decided_is_not_sent_after_it() {
        // Nobody waits for a disk.
        let server = TestServer::start(&[
            ("offsets.topic.num.partitions", "1"),
            ("ottla.durability", "memory"),
        ]);
        member(&server);
        let mut producer = Producer::new(&server, "tx");
        let (id, epoch) = (producer.producer_id, producer.epoch);
        let wanted = wanted(&server, id, epoch, 4);
        let allowed = TxnResponse::VerifyPartitions(BTreeMap::from([(
            wanted.partition.clone(),
            ErrorCode::None,
        )]));
        producer.added_offsets();
        assert!(wanted.ask_group(Ok(allowed.clone())).is_ok());
        producer.ended(true);
        reaches(&server, "tx", "CompleteCommit");
        assert_eq!(
            wanted.ask_group(Ok(allowed)).err(),
            Some(ErrorCode::TransactionAbortable)
        );
    }

    #[test]
    fn errors_are_those_that_the_version_knows() {
        let server = TestServer::start(&[]);
        let told = |version: i16, error: ErrorCode| {
            let wanted = wanted(&server, 0, 0, version);
            let error = wanted.check(error).expect_err("an error");
            let response = wanted.respond(Err(error));
            ErrorCode::from_code(response.topics[0].partitions[0].error_code)
        };
        for (error, first, old) in [
            (
                ErrorCode::CoordinatorLoadInProgress,
                2,
                ErrorCode::CoordinatorNotAvailable,
            ),
            (
                ErrorCode::TransactionAbortable,
                4,
                ErrorCode::InvalidTxnState,
            ),
        ] {
            assert_eq!(told(first, error), error);
            assert_eq!(told(first - 1, error), old);
        }
        let fenced = told(5, ErrorCode::ProducerFenced);
        assert_eq!(fenced, ErrorCode::InvalidProducerEpoch);
    }
}
