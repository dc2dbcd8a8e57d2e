//! Deleting records from the start of partitions.

use std::collections::HashMap;

use ottla_protocol::{
    messages::{
        DeleteRecordsRequest,
        api::delete_records::request::{DeleteRecordsPartition, DeleteRecordsTopic},
    },
    types::BrokerId,
};

use crate::{
    cluster::Target,
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, TopicPartition, grouped, no_error};

impl Admin {
    /// Deletes what lies before the offset of each partition (-1: everything up to the high watermark) and returns
    /// the partition's new start.
    pub async fn delete_records(
        &self,
        before: &[(TopicPartition, i64)],
    ) -> Result<Outcomes<TopicPartition, i64>, ClientError> {
        let partitions: Vec<TopicPartition> = before
            .iter()
            .map(|(partition, _)| partition.clone())
            .collect();
        let offsets: HashMap<&TopicPartition, i64> =
            before.iter().map(|(at, offset)| (at, *offset)).collect();
        self.by_leader(&partitions, |leader, group| {
            let with_offset = |at: TopicPartition| {
                let offset = *offsets.get(&at)?;
                Some((at.topic, (at.partition, offset)))
            };
            self.delete_records_of(leader, grouped(group.into_iter().filter_map(with_offset)))
        })
        .await
    }

    async fn delete_records_of(
        &self,
        leader: BrokerId,
        by_topic: Vec<(String, Vec<(i32, i64)>)>,
    ) -> Result<Outcomes<TopicPartition, i64>, ClientError> {
        let mut topics = Vec::with_capacity(by_topic.len());
        for (topic, partitions) in by_topic {
            let partition = |(partition_index, offset)| DeleteRecordsPartition {
                partition_index,
                offset,
                ..Default::default()
            };
            topics.push(DeleteRecordsTopic {
                name: wire_text("the topic name", &topic)?,
                partitions: partitions.into_iter().map(partition).collect(),
                ..Default::default()
            });
        }
        let request = DeleteRecordsRequest {
            topics,
            timeout_ms: self.broker_timeout_ms(),
            ..Default::default()
        };
        let response = self
            .cluster
            .call(&Target::Broker(leader), &request, self.call(), no_error)
            .await?;
        let mut outcomes = Vec::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                let outcome =
                    ApiError::check(partition.error_code, None).map(|()| partition.low_watermark);
                outcomes.push((
                    TopicPartition::new(&*topic.name, partition.partition_index),
                    outcome,
                ));
            }
        }
        Ok(outcomes)
    }
}
