//! Offsets that come in: OffsetCommit, TxnOffsetCommit, and the end of the transactions that have sent some.
//!
//! Always: what is committed with one request is one batch. What a transaction sends is checked less strictly, as the
//! reference does it: old clients do not tell who they are, and the group need not be settled.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::internal::{OffsetCommitKey, OffsetCommitValue};
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_commit::response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};
use ottla_protocol::wire::Uuid;

use super::GroupMachine;
use super::commands::{Response, UnknownGroup, offset_commit_error};
use super::records::{GroupRecord, TransactionRecord};
use super::soft::{ClassicGroup, State};
use crate::effects::{Effects, ReplyToken};
use crate::txn::EndTransaction;

/// What a commit is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// It counts at once.
    Nothing(UnknownGroup),
    Transaction {
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
    },
}

impl Within {
    pub(super) fn is_transaction(self) -> bool {
        matches!(self, Self::Transaction { .. })
    }
}

impl GroupMachine {
    pub(super) fn offset_commit(
        &mut self,
        now: Millis,
        token: ReplyToken,
        request: &OffsetCommitRequest,
        within: Within,
        out: &mut Effects<Self>,
    ) {
        if let Err(error) = self.check_commit(request, within) {
            let response = offset_commit_error(request, error);
            out.reply(token, Response::OffsetCommit(response));
            return;
        }
        if !within.is_transaction() {
            self.with_group(now, &request.group_id, out, |group, cx| {
                if matches!(group.state, State::Stable | State::PreparingRebalance) {
                    group.renew_session(cx, &request.member_id);
                }
            });
        }
        let mut records = Vec::new();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let error = if self.is_metadata_too_large(partition) {
                    ErrorCode::OffsetMetadataTooLarge
                } else {
                    records.push(commit_record(request, topic, partition, now, within));
                    ErrorCode::None
                };
                OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: error.code(),
                    ..Default::default()
                }
            });
            OffsetCommitResponseTopic {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                partitions: partitions.collect(),
                ..Default::default()
            }
        });
        let response = OffsetCommitResponse {
            topics: topics.collect(),
            ..Default::default()
        };
        out.append_then(records, vec![(token, Response::OffsetCommit(response))]);
    }

    /// The marker goes to the log also where the transaction has sent nothing: it may have been about to, and whoever
    /// wants it written waits for it.
    pub(super) fn end_transaction(token: ReplyToken, end: EndTransaction, out: &mut Effects<Self>) {
        let record = GroupRecord::Transaction(TransactionRecord::End(end));
        out.append_then(vec![record], vec![(token, Response::TransactionEnded)]);
    }

    fn check_commit(&self, request: &OffsetCommitRequest, within: Within) -> Result<(), ErrorCode> {
        if let Some(group) = self.hard.consumer_group(&request.group_id) {
            return group.check_commit(request, within, self.places(request));
        }
        if let Some(group) = self.soft.groups.get(request.group_id.as_str()) {
            return group.check_commit(request, within);
        }
        // Without a generation it is somebody who only keeps offsets here: the group comes with the commit.
        match within {
            _ if request.generation_id_or_member_epoch < 0 => Ok(()),
            Within::Nothing(UnknownGroup::NotFound) => Err(ErrorCode::GroupIdNotFound),
            Within::Nothing(UnknownGroup::Legacy) | Within::Transaction { .. } => {
                Err(ErrorCode::IllegalGeneration)
            }
        }
    }

    /// The partitions that are to be committed, without those whose metadata is too large anyway.
    fn places<'a>(
        &'a self,
        request: &'a OffsetCommitRequest,
    ) -> impl Iterator<Item = (Uuid, i32)> + 'a {
        request.topics.iter().flat_map(|topic| {
            let topic_id = match topic.topic_id {
                id if id.is_zero() => self.topics.id(&topic.name).unwrap_or_default(),
                id => id,
            };
            let fitting = topic.partitions.iter();
            let fitting = fitting.filter(|partition| !self.is_metadata_too_large(partition));
            fitting.map(move |partition| (topic_id, partition.partition_index))
        })
    }

    fn is_metadata_too_large(&self, partition: &OffsetCommitRequestPartition) -> bool {
        let limit = self.settings.offset_metadata_bytes_max;
        // The key speaks of bytes, the reference counts UTF-16 units; there are never more of these.
        partition
            .committed_metadata
            .as_ref()
            .is_some_and(|text| text.len() > limit && text.encode_utf16().count() > limit)
    }
}

impl ClassicGroup {
    fn check_commit(&self, request: &OffsetCommitRequest, within: Within) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        if generation < 0 && is_nobody(request) {
            // Before version 3 TxnOffsetCommit did not tell who asks.
            return if within.is_transaction() {
                Ok(())
            } else {
                Err(ErrorCode::UnknownMemberId)
            };
        }
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if generation != self.generation.0 {
            return Err(ErrorCode::IllegalGeneration);
        }
        if self.state == State::CompletingRebalance && !within.is_transaction() {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }
}

/// Whether the request tells of no member.
pub(super) fn is_nobody(request: &OffsetCommitRequest) -> bool {
    request.member_id.is_empty() && request.group_instance_id.is_none()
}

fn commit_record(
    request: &OffsetCommitRequest,
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
    now: Millis,
    within: Within,
) -> GroupRecord {
    let expire_timestamp = match request.retention_time_ms {
        -1 => -1,
        retention_ms => now.0.saturating_add(retention_ms),
    };
    let key = OffsetCommitKey {
        group: request.group_id.clone(),
        topic: topic.name.clone(),
        partition: partition.partition_index,
        ..Default::default()
    };
    let value = OffsetCommitValue {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch.max(-1),
        metadata: partition.committed_metadata.clone().unwrap_or_default(),
        commit_timestamp: now.0,
        expire_timestamp,
        topic_id: topic.topic_id,
        ..Default::default()
    };
    match within {
        Within::Nothing(_) => GroupRecord::OffsetCommit {
            key,
            value: Some(value),
        },
        Within::Transaction {
            producer_id,
            producer_epoch,
        } => GroupRecord::Transaction(TransactionRecord::Offset {
            producer_id,
            producer_epoch,
            key,
            // The reference keeps no id with what a transaction has sent.
            value: OffsetCommitValue {
                topic_id: Uuid::ZERO,
                ..value
            },
        }),
    }
}
