//! TxnOffsetCommit (28): offsets that count once the producer's transaction is committed.
//!
//! - v2: leader epochs (KIP-320); COORDINATOR_LOAD_IN_PROGRESS is possible. v3: members tell who they are (KIP-447).
//! - v4: TRANSACTION_ABORTABLE is possible.
//! - v5: the partition of the group's offsets becomes part of the transaction with it (KIP-890). Before, it has to be part of
//!   it already (AddOffsetsToTxn).
//!
//! As with Produce, the transaction coordinator is asked about the first offsets of a transaction, and a marker that comes
//! before they are on the log keeps them out.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_coordination::group::{
    Command, GroupMachine, Response, offset_commit_error, partition_for,
};
use ottla_coordination::txn::coordinator::{TopicPartition, TxnProducer, TxnResponse};
use ottla_coordination::txn::{ProducerBatch, Verification};
use ottla_coordination::{Answer as Decided, Machine};
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
use ottla_protocol::types::Millis;

use super::offset_commit::{known, merge};
use super::transaction::{
    Support, are_partitions_verified, error_of, is_last_open, once_the_last_has_ended, producer,
    reply, verdict,
};
use super::{Answer, Context};
use crate::broker::Broker;
use crate::clock;
use crate::exec::auto_create::{self, OFFSETS_TOPIC};
use crate::exec::shard::Asked;

const LOADING_FROM: i16 = 2;
const NO_SEQUENCE: i32 = -1;

/// What is to be committed, and in which transaction.
struct Wanted {
    broker: Arc<Broker>,
    version: i16,
    support: Support,
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
    let verification = match wanted.begin_verification() {
        Ok(verification) => verification,
        Err(error) => return wanted.respond(Err(error)).into(),
    };
    let allowed = match wanted.ask_transaction(verification) {
        None => Ok(()),
        Some(Asked::Now(answer)) if !is_last_open(&answer) => wanted.allowed(&answer),
        Some(asked) => {
            return Answer::later(async move {
                let answer = match wanted.once_allowed(verification, asked).await {
                    Ok(verification) => decided(wanted.ask_group(verification).answer().await),
                    Err(error) => Err(error),
                };
                wanted.respond(answer)
            });
        }
    };
    match allowed {
        Ok(()) => reply(wanted.ask_group(verification), move |answer| {
            wanted.respond(decided(answer))
        }),
        Err(error) => wanted.respond(Err(error)).into(),
    }
}

fn support(version: i16) -> Support {
    match version {
        ..=3 => Support::Nothing,
        4 => Support::Abortable,
        5.. => Support::Adding,
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
        support: support(context.version),
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
    /// What the partition of the offsets knows of the transaction. With a guard the coordinator is asked, and nothing that
    /// does not exist becomes part of a transaction.
    fn begin_verification(&self) -> Result<Verification, ErrorCode> {
        let TopicPartition { topic, partition } = &self.partition;
        if self.commit.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let partition = self.broker.storage.topics.partition(topic, partition.0);
        let partition = partition.ok_or(ErrorCode::CoordinatorNotAvailable)?;
        let adds = self.support == Support::Adding;
        if !adds && !are_partitions_verified(&self.broker) {
            return Ok(Verification::Waived);
        }
        let batch = ProducerBatch {
            producer_id: self.producer.producer_id,
            producer_epoch: self.producer.producer_epoch,
            first_sequence: NO_SEQUENCE,
            last_sequence: NO_SEQUENCE,
            offset_delta: 0,
            max_timestamp: Millis(-1),
            is_transactional: true,
        };
        let begun = partition.begin_verification(&batch, adds, clock::now());
        begun.map_err(GroupMachine::client_error)
    }

    /// None: nothing is to be asked.
    fn ask_transaction(&self, verification: Verification) -> Option<Asked<TxnResponse>> {
        let Verification::Asked(_) = verification else {
            return None;
        };
        let partitions = BTreeSet::from([self.partition.clone()]);
        let command = self.support.command(self.producer.clone(), partitions);
        let id = self.producer.transactional_id.as_str();
        Some(self.broker.transactions.ask(id, command))
    }

    /// Waits for the coordinator, and for the end of the producer's last transaction. That may have had offsets here, too:
    /// what could be shown before its marker may count no more.
    async fn once_allowed(
        &self,
        mut verification: Verification,
        asked: Asked<TxnResponse>,
    ) -> Result<Verification, ErrorCode> {
        let ask_again = || match self.begin_verification() {
            Ok(begun) => {
                verification = begun;
                let is_added = Ok(TxnResponse::AddPartitionsToTxn(ErrorCode::None));
                self.ask_transaction(begun).unwrap_or(Asked::Now(is_added))
            }
            Err(error) => Asked::Now(Err(error)),
        };
        let id = &self.producer.transactional_id;
        let answer = once_the_last_has_ended(&self.broker, id, asked, ask_again).await;
        self.allowed(&answer)?;
        Ok(verification)
    }

    /// What the transaction says, in words that the client knows.
    fn allowed(&self, answer: &Decided<TxnResponse>) -> Result<(), ErrorCode> {
        match self.support.translate(verdict(answer, &self.partition)) {
            ErrorCode::None => Ok(()),
            error => Err(error),
        }
    }

    /// Hands the offsets to the group's machine. Where a marker has come since the transaction was asked, the partition
    /// refuses them.
    fn ask_group(&self, verification: Verification) -> Asked<Response> {
        let command = Command::TxnOffsetCommit {
            request: self.commit.clone(),
            producer_id: self.producer.producer_id,
            producer_epoch: self.producer.producer_epoch,
        };
        let shown = match are_partitions_verified(&self.broker) {
            true => verification,
            false => Verification::Waived,
        };
        let groups = &self.broker.groups;
        groups.ask_in_transaction(&self.commit.group_id, command, shown)
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
    use ottla_protocol::types::PartitionIndex;

    use super::*;
    use crate::testing::TestServer;
    use crate::tests::groups::member;
    use crate::tests::transaction_coordinator::{Producer, reaches};

    fn wanted(server: &TestServer, producer_id: i64, epoch: i16, version: i16) -> Wanted {
        Wanted {
            broker: server.broker().clone(),
            version,
            support: support(version),
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

    fn now<R>(asked: Asked<R>) -> Decided<R> {
        match asked {
            Asked::Now(answer) => answer,
            _ => panic!("nobody waits for a disk"),
        }
    }

    #[test]
    fn what_the_transaction_allowed_before_its_marker_came_is_refused_after_it() {
        let server = TestServer::start(&[
            ("offsets.topic.num.partitions", "1"),
            ("ottla.durability", "memory"),
        ]);
        member(&server);
        let mut producer = Producer::new(&server, "tx");
        let (id, epoch) = (producer.producer_id, producer.epoch);
        let wanted = wanted(&server, id, epoch, 4);
        producer.added_offsets();
        let guard = wanted.begin_verification().expect("a guard");
        let asked = wanted.ask_transaction(guard).expect("a question");
        assert_eq!(wanted.allowed(&now(asked)), Ok(()));
        producer.ended(true);
        reaches(&server, "tx", "CompleteCommit");
        assert_eq!(
            now(wanted.ask_group(guard)),
            Err(ErrorCode::InvalidTxnState)
        );
    }

    #[test]
    fn errors_are_those_that_the_version_knows() {
        let server = TestServer::start(&[]);
        let told = |version: i16, error: ErrorCode| {
            let wanted = wanted(&server, 0, 0, version);
            let error = wanted.allowed(&Err(error)).expect_err("an error");
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
