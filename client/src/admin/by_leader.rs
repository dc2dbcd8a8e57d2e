//! Questions about partitions, each put to the partition's leader and put again while leaders move.

use ottla_protocol::{
    errors::ErrorCode,
    types::{BrokerId, PartitionIndex},
};

use crate::error::{ApiError, ClientError};

use super::{Admin, Outcomes, TopicPartition, grouped, in_order};

impl Admin {
    /// Calls `ask` once per leader with its partitions, and again for those whose answer is a retriable error. A
    /// topic or partition that the metadata does not have is an error in its place at once.
    pub(super) async fn by_leader<T, F>(
        &self,
        partitions: &[TopicPartition],
        ask: impl Fn(BrokerId, Vec<TopicPartition>) -> F,
    ) -> Result<Outcomes<TopicPartition, T>, ClientError>
    where
        F: Future<Output = Result<Outcomes<TopicPartition, T>, ClientError>>,
    {
        let deadline = self.deadline();
        self.cluster
            .want_topics(partitions.iter().map(|partition| partition.topic.as_str()))?;
        let mut answers: Outcomes<TopicPartition, T> = Vec::new();
        let mut pending: Vec<TopicPartition> = partitions.to_vec();
        let mut failures = 0;
        loop {
            self.cluster.refresh(deadline).await?;
            let mut again: Vec<(TopicPartition, ApiError)> = Vec::new();
            let mut led = Vec::new();
            for partition in pending {
                match self.leader_of(&partition) {
                    Ok(leader) => led.push((leader, partition)),
                    Err(error) if error.code == ErrorCode::LeaderNotAvailable => {
                        again.push((partition, error))
                    }
                    Err(error) => answers.push((partition, Err(error))),
                }
            }
            let mut unreachable = None;
            for (leader, group) in grouped(led) {
                match ask(leader, group.clone()).await {
                    Ok(outcomes) => sort_out(group, outcomes, &mut answers, &mut again),
                    Err(error) if error.may_pass() => {
                        let lost = ApiError {
                            code: ErrorCode::NetworkException,
                            message: Some(error.to_string()),
                        };
                        again.extend(group.into_iter().map(|partition| (partition, lost.clone())));
                        unreachable = Some(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            let Some((_, first)) = again.first() else {
                break;
            };
            failures += 1;
            let reason = unreachable.unwrap_or_else(|| first.clone().into());
            if self
                .cluster
                .pause(failures, deadline, "asking the partitions' leaders", reason)
                .await
                .is_err()
            {
                answers.extend(
                    again
                        .into_iter()
                        .map(|(partition, error)| (partition, Err(error))),
                );
                break;
            }
            pending = again.into_iter().map(|(partition, _)| partition).collect();
        }
        Ok(in_order(partitions.iter().cloned(), answers))
    }

    fn leader_of(&self, partition: &TopicPartition) -> Result<BrokerId, ApiError> {
        let metadata = self.cluster.metadata();
        let topic = metadata
            .topic(&partition.topic)
            .ok_or(ErrorCode::UnknownTopicOrPartition)?;
        topic.error.ok()?;
        let found = topic.partition(PartitionIndex(partition.partition));
        let found = found.ok_or(ErrorCode::UnknownTopicOrPartition)?;
        Ok(found.leader.ok_or(ErrorCode::LeaderNotAvailable)?)
    }
}

/// Final answers go to `answers`, those worth another try to `again`.
fn sort_out<T>(
    asked: Vec<TopicPartition>,
    outcomes: Outcomes<TopicPartition, T>,
    answers: &mut Outcomes<TopicPartition, T>,
    again: &mut Vec<(TopicPartition, ApiError)>,
) {
    for (partition, outcome) in in_order(asked, outcomes) {
        match outcome {
            Err(error) if error.code.is_retriable() => again.push((partition, error)),
            outcome => answers.push((partition, outcome)),
        }
    }
}
