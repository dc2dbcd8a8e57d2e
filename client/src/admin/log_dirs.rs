//! Where brokers keep their replicas.

use ottla_protocol::{
    messages::{
        DescribeLogDirsRequest, DescribeLogDirsResponse,
        api::describe_log_dirs::{
            request::DescribableLogDirTopic, response::DescribeLogDirsResult,
        },
    },
    types::BrokerId,
};

use crate::{
    cluster::Target,
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, TopicPartition, no_error};

/// A log directory of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    pub path: String,
    /// Set where the directory is offline.
    pub error: Option<ApiError>,
    pub replicas: Vec<ReplicaOnDisk>,
    /// None where the broker does not say (KIP-827).
    pub total_bytes: Option<i64>,
    pub usable_bytes: Option<i64>,
}

/// A replica in a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaOnDisk {
    pub partition: TopicPartition,
    pub size_bytes: i64,
    pub offset_lag: i64,
    /// It is being moved here and is not the current one yet.
    pub is_future: bool,
}

impl Admin {
    /// The log directories of each broker with the replicas of these topics, or of all.
    pub async fn describe_log_dirs(
        &self,
        brokers: &[BrokerId],
        topics: Option<&[TopicPartition]>,
    ) -> Result<Vec<(BrokerId, Result<Vec<LogDir>, ClientError>)>, ClientError> {
        let request = DescribeLogDirsRequest {
            topics: topics.map(describable).transpose()?,
            ..Default::default()
        };
        let mut answers = Vec::with_capacity(brokers.len());
        for broker in brokers {
            let response = self
                .cluster
                .call(&Target::Broker(*broker), &request, self.call(), no_error)
                .await;
            answers.push((*broker, response.and_then(|response| log_dirs(&response))));
        }
        Ok(answers)
    }
}

fn describable(partitions: &[TopicPartition]) -> Result<Vec<DescribableLogDirTopic>, ClientError> {
    let by_topic = super::grouped(
        partitions
            .iter()
            .map(|at| (at.topic.as_str(), at.partition)),
    );
    let topic = |(name, partitions)| {
        Ok(DescribableLogDirTopic {
            topic: wire_text("the topic name", name)?,
            partitions,
            ..Default::default()
        })
    };
    by_topic.into_iter().map(topic).collect()
}

fn log_dirs(response: &DescribeLogDirsResponse) -> Result<Vec<LogDir>, ClientError> {
    ApiError::check(response.error_code, None)?;
    Ok(response.results.iter().map(log_dir).collect())
}

fn log_dir(result: &DescribeLogDirsResult) -> LogDir {
    let mut replicas = Vec::new();
    for topic in &result.topics {
        for replica in &topic.partitions {
            replicas.push(ReplicaOnDisk {
                partition: TopicPartition::new(&*topic.name, replica.partition_index),
                size_bytes: replica.partition_size,
                offset_lag: replica.offset_lag,
                is_future: replica.is_future_key,
            });
        }
    }
    LogDir {
        path: result.log_dir.to_string(),
        error: ApiError::check(result.error_code, None).err(),
        replicas,
        total_bytes: Some(result.total_bytes).filter(|bytes| *bytes >= 0),
        usable_bytes: Some(result.usable_bytes).filter(|bytes| *bytes >= 0),
    }
}
