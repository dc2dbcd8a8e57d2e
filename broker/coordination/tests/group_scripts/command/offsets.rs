//! Command lines about offsets: they are committed, fetched, deleted, and sent with transactions.

use ottla_coordination::group::Command;
use ottla_coordination::txn::EndTransaction;
use ottla_coordination::txn::coordinator::{Outcome, TransactionVersion};
use ottla_protocol::messages::offset_commit::request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_delete::request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::offset_fetch::request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetDeleteRequest};
use ottla_protocol::types::{ProducerEpoch, ProducerId};

use super::{Words, partition};

impl Words<'_> {
    fn producer_id(&self) -> ProducerId {
        ProducerId(self.number("producer", 0).into())
    }

    /// `txn-commit GROUP t-0=5 producer=1 [producer_epoch=2]`
    pub(super) fn txn_commit(&self) -> Command {
        Command::TxnOffsetCommit {
            request: self.commit(),
            producer_id: self.producer_id(),
            producer_epoch: self.producer_epoch(),
        }
    }

    /// `end commit producer=1`, or `end abort producer=1`.
    pub(super) fn end(&self) -> EndTransaction {
        EndTransaction {
            producer_id: self.producer_id(),
            producer_epoch: self.producer_epoch(),
            outcome: match self.word(0) {
                "commit" => Outcome::Commit,
                "abort" => Outcome::Abort,
                other => panic!("no end: {other}"),
            },
            coordinator_epoch: 0,
            transaction_version: TransactionVersion(2),
        }
    }

    fn producer_epoch(&self) -> ProducerEpoch {
        let epoch = self.number("producer_epoch", 0);
        ProducerEpoch(i16::try_from(epoch).expect("an epoch"))
    }

    pub(super) fn commit(&self) -> OffsetCommitRequest {
        let committed = self.options.iter().filter_map(|(name, value)| {
            let (topic, index) = name.rsplit_once('-')?;
            Some((
                topic,
                index.parse::<i32>().ok()?,
                value.parse::<i64>().ok()?,
            ))
        });
        let topics = committed.map(|(topic, index, offset)| OffsetCommitRequestTopic {
            name: topic.into(),
            topic_id: self.topic_id(),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: index,
                committed_offset: offset,
                committed_leader_epoch: self.number("epoch", -1),
                committed_metadata: self.option("meta").map(Into::into),
                ..Default::default()
            }],
            ..Default::default()
        });
        OffsetCommitRequest {
            group_id: self.group(),
            generation_id_or_member_epoch: self.number("gen", -1),
            member_id: self.member(),
            group_instance_id: self.instance(),
            retention_time_ms: self.number("retention", -1).into(),
            topics: topics.collect(),
            ..Default::default()
        }
    }

    pub(super) fn fetch(&self) -> OffsetFetchRequestGroup {
        let topics = (!self.has("all")).then(|| {
            let asked = self.words[2..].iter().filter(|word| word.contains('-'));
            asked
                .map(|word| partition(word))
                .map(|(topic, index)| OffsetFetchRequestTopics {
                    name: topic.into(),
                    topic_id: self.topic_id(),
                    partition_indexes: vec![index],
                    ..Default::default()
                })
                .collect()
        });
        OffsetFetchRequestGroup {
            group_id: self.group(),
            member_id: self.option("member").map(Into::into),
            member_epoch: self.number("gen", -1),
            topics,
            ..Default::default()
        }
    }

    pub(super) fn offset_delete(&self) -> OffsetDeleteRequest {
        let topics = self.words[2..].iter().map(|word| {
            let (topic, index) = partition(word);
            OffsetDeleteRequestTopic {
                name: topic.into(),
                partitions: vec![OffsetDeleteRequestPartition {
                    partition_index: index,
                    ..Default::default()
                }],
                ..Default::default()
            }
        });
        OffsetDeleteRequest {
            group_id: self.group(),
            topics: topics.collect(),
            ..Default::default()
        }
    }
}
