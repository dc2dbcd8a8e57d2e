//! Where brokers keep their replicas, and moves from one directory of a broker to another (KIP-113).

use ottla_protocol::{
    messages::{
        AlterReplicaLogDirsRequest, DescribeLogDirsRequest, DescribeLogDirsResponse,
        api::{
            alter_replica_log_dirs::request::{AlterReplicaLogDir, AlterReplicaLogDirTopic},
            describe_log_dirs::{request::DescribableLogDirTopic, response::DescribeLogDirsResult},
        },
    },
    types::BrokerId,
};

use crate::{
    cluster::Target,
    error::{ApiError, ClientError, wire_text},
};

use super::{Admin, Outcomes, TopicPartition, all_at_once, grouped, in_order, no_error};

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

/// A replica: a partition on one of its brokers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartitionReplica {
    pub broker: BrokerId,
    pub partition: TopicPartition,
}

impl std::fmt::Display for TopicPartitionReplica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.partition, self.broker)
    }
}

impl Admin {
    /// Has replicas moved to directories of their brokers, by absolute path. That a move has begun is all the outcome
    /// says; naming the directory that a replica lies in ends a move that is under way.
    pub async fn alter_replica_log_dirs(
        &self,
        moves: &[(TopicPartitionReplica, String)],
    ) -> Result<Outcomes<TopicPartitionReplica>, ClientError> {
        let mut answers = Outcomes::new();
        let by_broker = grouped(moves.iter().map(|(replica, dir)| {
            let at = &replica.partition;
            (replica.broker, (dir.as_str(), at))
        }));
        for (broker, of_broker) in by_broker {
            let request = AlterReplicaLogDirsRequest {
                dirs: grouped(of_broker)
                    .into_iter()
                    .map(into_dir)
                    .collect::<Result<_, _>>()?,
                ..Default::default()
            };
            let response = self
                .cluster
                .call(&Target::Broker(broker), &request, self.call(), no_error)
                .await?;
            for topic in &response.results {
                for answer in &topic.partitions {
                    let partition = TopicPartition::new(&*topic.topic_name, answer.partition_index);
                    let replica = TopicPartitionReplica { broker, partition };
                    answers.push((replica, ApiError::check(answer.error_code, None)));
                }
            }
        }
        Ok(in_order(
            moves.iter().map(|(replica, _)| replica.clone()),
            answers,
        ))
    }

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
        let asking = brokers.iter().map(async |broker| {
            let target = Target::Broker(*broker);
            let response = self.cluster.call(&target, &request, self.call(), no_error);
            (
                *broker,
                response.await.and_then(|response| log_dirs(&response)),
            )
        });
        Ok(all_at_once(asking).await)
    }
}

fn into_dir(
    (path, partitions): (&str, Vec<&TopicPartition>),
) -> Result<AlterReplicaLogDir, ClientError> {
    let pairs = partitions
        .into_iter()
        .map(|at| (at.topic.as_str(), at.partition));
    let topic = |(name, partitions)| {
        Ok(AlterReplicaLogDirTopic {
            name: wire_text("the topic name", name)?,
            partitions,
            ..Default::default()
        })
    };
    Ok(AlterReplicaLogDir {
        path: wire_text("the path", path)?,
        topics: grouped(pairs)
            .into_iter()
            .map(topic)
            .collect::<Result<_, ClientError>>()?,
        ..Default::default()
    })
}

fn describable(partitions: &[TopicPartition]) -> Result<Vec<DescribableLogDirTopic>, ClientError> {
    let by_topic = grouped(
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
