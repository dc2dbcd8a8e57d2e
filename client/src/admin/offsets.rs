//! Offsets of partitions: first, last, by time.

use std::collections::HashMap;

use ottla_protocol::{
    messages::{
        ListOffsetsRequest, ListOffsetsResponse,
        api::list_offsets::request::{ListOffsetsPartition, ListOffsetsTopic},
    },
    types::BrokerId,
};

use crate::{
    cluster::{Lane, Target},
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, TopicPartition, all_at_once, divided, grouped, no_error};

/// Which offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    Earliest,
    /// The end: where the next record will be.
    Latest,
    /// The record with the greatest timestamp.
    MaxTimestamp,
    /// The first record at or after this time (milliseconds since 1970).
    At(i64),
    /// First offset on the broker's own disk, where older ones are elsewhere (KIP-405).
    EarliestLocal,
    /// Last offset that is in tiered storage.
    LatestTiered,
    /// First offset that is to be, and is not yet, in tiered storage.
    EarliestPendingUpload,
}

impl OffsetSpec {
    fn on_wire(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::EarliestLocal => -4,
            Self::LatestTiered => -5,
            Self::EarliestPendingUpload => -6,
            Self::At(timestamp) => timestamp,
        }
    }

    /// The first version of ListOffsets whose brokers know it.
    fn first_version(self) -> i16 {
        match self {
            Self::Latest | Self::Earliest | Self::At(_) => 1,
            Self::MaxTimestamp => 7,
            Self::EarliestLocal => 8,
            Self::LatestTiered => 9,
            Self::EarliestPendingUpload => 11,
        }
    }
}

/// Which records count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    #[default]
    ReadUncommitted,
    /// Up to the last stable offset.
    ReadCommitted,
}

impl Isolation {
    pub(crate) fn on_wire(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// An offset that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// None where there is no such record: all are older than the time asked for, or there is none at all.
    pub offset: Option<i64>,
    /// Of the record at that offset, where the question was about time.
    pub timestamp: Option<i64>,
    pub leader_epoch: Option<i32>,
}

impl Admin {
    /// One offset per partition.
    pub async fn list_offsets(
        &self,
        asked: &[(TopicPartition, OffsetSpec)],
        isolation: Isolation,
    ) -> Result<Outcomes<TopicPartition, ListedOffset>, ClientError> {
        let partitions: Vec<TopicPartition> = asked
            .iter()
            .map(|(partition, _)| partition.clone())
            .collect();
        let specs: HashMap<&TopicPartition, OffsetSpec> =
            asked.iter().map(|(at, spec)| (at, *spec)).collect();
        self.by_leader(&partitions, |leader, group| {
            let with_spec = |at: TopicPartition| specs.get(&at).copied().map(|spec| (at, spec));
            self.list_offsets_of(
                leader,
                group.into_iter().filter_map(with_spec).collect(),
                isolation,
            )
        })
        .await
    }

    /// The same of partitions that one broker leads, in one request, or where there are many in two at the same time.
    pub async fn list_offsets_of(
        &self,
        leader: BrokerId,
        asked: Vec<(TopicPartition, OffsetSpec)>,
        isolation: Isolation,
    ) -> Result<Outcomes<TopicPartition, ListedOffset>, ClientError> {
        let parts = divided(asked).into_iter();
        let asking = parts.map(|(lane, part)| self.list_offsets_on(lane, leader, part, isolation));
        let mut outcomes = Outcomes::new();
        for answer in all_at_once(asking).await {
            outcomes.extend(answer?);
        }
        Ok(outcomes)
    }

    async fn list_offsets_on(
        &self,
        lane: Lane,
        leader: BrokerId,
        asked: Vec<(TopicPartition, OffsetSpec)>,
        isolation: Isolation,
    ) -> Result<Outcomes<TopicPartition, ListedOffset>, ClientError> {
        let first_version = asked
            .iter()
            .map(|(_, spec)| spec.first_version())
            .max()
            .unwrap_or(1);
        let by_topic = grouped(
            asked
                .into_iter()
                .map(|(at, spec)| (at.topic, (at.partition, spec))),
        );
        let mut topics = Vec::with_capacity(by_topic.len());
        for (topic, partitions) in by_topic {
            let partition = |(index, spec): (i32, OffsetSpec)| ListOffsetsPartition {
                partition_index: index,
                timestamp: spec.on_wire(),
                ..Default::default()
            };
            topics.push(ListOffsetsTopic {
                name: wire_text("the topic name", &topic)?,
                partitions: partitions.into_iter().map(partition).collect(),
                ..Default::default()
            });
        }
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: isolation.on_wire(),
            topics,
            timeout_ms: self.broker_timeout_ms(),
            ..Default::default()
        };
        let call = self.call().lane(lane).versions(first_version..=i16::MAX);
        let response = self
            .cluster
            .call(&Target::Broker(leader), &request, call, no_error)
            .await?;
        Ok(outcomes(&response))
    }
}

fn outcomes(response: &ListOffsetsResponse) -> Outcomes<TopicPartition, ListedOffset> {
    let mut outcomes = Vec::new();
    for topic in &response.topics {
        for partition in &topic.partitions {
            let listed = ListedOffset {
                offset: Some(partition.offset).filter(|offset| *offset >= 0),
                timestamp: Some(partition.timestamp).filter(|timestamp| *timestamp >= 0),
                leader_epoch: Some(partition.leader_epoch).filter(|epoch| *epoch >= 0),
            };
            let outcome = ApiError::check(partition.error_code, None).map(|()| listed);
            outcomes.push((
                TopicPartition::new(&*topic.name, partition.partition_index),
                outcome,
            ));
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::list_offsets::response::{
        ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
    };

    use crate::testing::{Incoming, cluster_of_one, count, quick_cluster};

    use super::*;

    fn answer(request: &Incoming) -> ListOffsetsResponse {
        let partition = |asked: &ListOffsetsPartition| ListOffsetsPartitionResponse {
            partition_index: asked.partition_index,
            offset: i64::from(asked.partition_index) + 1000,
            ..Default::default()
        };
        let topic = |asked: &ListOffsetsTopic| ListOffsetsTopicResponse {
            name: asked.name.clone(),
            partitions: asked.partitions.iter().map(partition).collect(),
            ..Default::default()
        };
        ListOffsetsResponse {
            topics: request
                .body::<ListOffsetsRequest>()
                .topics
                .iter()
                .map(topic)
                .collect(),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn many_partitions_of_a_leader_are_asked_for_in_two_halves() {
        let (endpoint, seen) = cluster_of_one(|request| request.answer(&answer(request))).await;
        let admin = Admin::connect(quick_cluster(vec![endpoint])).await.unwrap();
        for (partitions, requests) in [(3, 1), (301, 3)] {
            let asked =
                (0..partitions).map(|index| (TopicPartition::new("t", index), OffsetSpec::Latest));
            let listed = admin
                .list_offsets_of(BrokerId(1), asked.collect(), Isolation::ReadUncommitted)
                .await
                .unwrap();
            let offsets: Vec<Option<i64>> = listed
                .iter()
                .map(|(_, outcome)| outcome.as_ref().unwrap().offset)
                .collect();
            let expected: Vec<Option<i64>> = (0..partitions)
                .map(|index| Some(i64::from(index) + 1000))
                .collect();
            assert_eq!(offsets, expected);
            assert_eq!(count::<ListOffsetsRequest>(&seen), requests);
        }
    }
}
