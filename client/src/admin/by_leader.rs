//! Questions about partitions, each put to the partition's leader and put again while leaders move.

use std::time::Duration;

use ottla_protocol::{
    errors::ErrorCode,
    types::{BrokerId, LeaderEpoch, PartitionIndex},
};

use crate::cluster::{Partition, Topic};
use crate::error::{ApiError, ClientError};

use super::{
    Admin, Outcomes, PartitionDescription, TopicDescription, TopicPartition, all_at_once, grouped,
    in_order,
};

/// A description does not say in which epoch a leader leads.
const NO_EPOCH: LeaderEpoch = LeaderEpoch(-1);

impl Admin {
    /// Calls `ask` once per leader with its partitions, all leaders at once, and again for those whose answer is a retriable
    /// error. Metadata is fetched unless the snapshot knows all leaders; whoever leads no longer says so. A topic or
    /// partition that fetched metadata does not have is an error in its place at once.
    pub(super) async fn by_leader<T, F>(
        &self,
        partitions: &[TopicPartition],
        ask: impl Fn(BrokerId, Vec<TopicPartition>) -> F,
    ) -> Result<Outcomes<TopicPartition, T>, ClientError>
    where
        F: Future<Output = Result<Outcomes<TopicPartition, T>, ClientError>>,
    {
        let deadline = self.deadline();
        let mut answers: Outcomes<TopicPartition, T> = Vec::new();
        let mut pending: Vec<TopicPartition> = partitions.to_vec();
        let mut failures = 0;
        let mut are_known = pending.iter().all(|at| self.leader_of(at).is_ok());
        loop {
            if !std::mem::take(&mut are_known) {
                self.cluster
                    .want_topics(partitions.iter().map(|partition| partition.topic.as_str()))?;
                self.cluster.refresh(deadline).await?;
            }
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
            let groups = grouped(led);
            let asking = groups
                .iter()
                .map(|(leader, group)| ask(*leader, group.clone()));
            let answered = all_at_once(asking).await;
            for ((_, group), answer) in groups.into_iter().zip(answered) {
                match answer {
                    Ok(outcomes) => sort_out(group, outcomes, &mut answers, &mut again),
                    Err(error) if error.may_pass() => {
                        let lost = ApiError {
                            code: ErrorCode::NetworkException,
                            message: Some(error.to_string()),
                        };
                        let lost = group.into_iter().map(|partition| (partition, lost.clone()));
                        // The call itself has tried for as long as its caller wants to wait for such a broker.
                        if self.is_given_up(&error) {
                            answers.extend(lost.map(|(partition, error)| (partition, Err(error))));
                            continue;
                        }
                        again.extend(lost);
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

    /// The partitions' leaders are as described, so that the next question about them need not look for them. Whoever leads
    /// no longer says so.
    pub fn note_leaders<'a>(&self, described: impl IntoIterator<Item = &'a TopicDescription>) {
        let partition = |partition: &PartitionDescription| Partition {
            index: PartitionIndex(partition.index),
            leader: partition.leader,
            leader_epoch: NO_EPOCH,
            replicas: partition.replicas.clone(),
            isr: partition.isr.clone(),
            offline: partition.offline.clone(),
            error: ErrorCode::None,
        };
        self.cluster.learn(described.into_iter().map(|topic| Topic {
            name: topic.name.as_str().into(),
            id: topic.id,
            is_internal: topic.is_internal,
            error: ErrorCode::None,
            partitions: topic.partitions.iter().map(partition).collect(),
        }));
    }

    fn is_given_up(&self, error: &ClientError) -> bool {
        let waits = self.cluster.settings().unreachable_after;
        let is_out_of_reach = matches!(
            error,
            ClientError::Endpoint(_) | ClientError::NoSuchBroker(_)
        );
        is_out_of_reach && waits < Duration::MAX
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

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::{
        DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, ListOffsetsRequest,
        ListOffsetsResponse, MetadataRequest,
        describe_topic_partitions::response::{
            DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
        },
        list_offsets::response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    };

    use crate::{
        admin::{Isolation, OffsetSpec},
        cluster::ClusterSettings,
        conn::Endpoint,
        testing::{cluster_of_one, count, fake_broker, metadata_of, quick_cluster},
    };

    use super::*;

    /// The end of the log of partition 0 of topic t.
    fn offset_5(error: ErrorCode) -> ListOffsetsResponse {
        let partition = ListOffsetsPartitionResponse {
            error_code: error.code(),
            offset: 5,
            ..Default::default()
        };
        ListOffsetsResponse {
            topics: vec![ListOffsetsTopicResponse {
                name: "t".into(),
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    /// Topic t, whose partition 0 the only broker leads.
    fn described() -> DescribeTopicPartitionsResponse {
        let partition = DescribeTopicPartitionsResponsePartition {
            leader_id: 1,
            ..Default::default()
        };
        DescribeTopicPartitionsResponse {
            topics: vec![DescribeTopicPartitionsResponseTopic {
                name: Some("t".into()),
                partitions: vec![partition],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn leaders_that_are_known_are_asked_at_once_and_looked_up_when_they_lead_no_more() {
        let mut codes = [ErrorCode::None, ErrorCode::NotLeaderOrFollower].into_iter();
        let (endpoint, seen) = cluster_of_one(move |request| {
            request.answer(&offset_5(codes.next().unwrap_or_default()))
        })
        .await;
        let settings = ClusterSettings {
            looks_at_all_topics: true,
            ..quick_cluster(vec![endpoint])
        };
        let admin = Admin::connect(settings).await.unwrap();
        assert_eq!(admin.list_topics().await.unwrap()[0].name, "t");
        let asked = [(TopicPartition::new("t", 0), OffsetSpec::Latest)];
        for (questions, looks) in [(1, 1), (3, 2)] {
            let listed = admin.list_offsets(&asked, Isolation::ReadUncommitted).await;
            let (_, outcome) = listed.unwrap().remove(0);
            assert_eq!(outcome.unwrap().offset, Some(5));
            assert_eq!(count::<ListOffsetsRequest>(&seen), questions);
            assert_eq!(count::<MetadataRequest>(&seen), looks);
        }
        admin.list_topics().await.unwrap();
        assert_eq!(
            count::<MetadataRequest>(&seen),
            3,
            "the first look is used once"
        );
    }

    #[tokio::test]
    async fn leaders_that_a_description_has_named_are_not_looked_up_again() {
        let (endpoint, seen) = cluster_of_one(|request| {
            if request.is::<DescribeTopicPartitionsRequest>() {
                return request.answer(&described());
            }
            request.answer(&offset_5(ErrorCode::None))
        })
        .await;
        let admin = Admin::connect(quick_cluster(vec![endpoint])).await.unwrap();
        let looks = count::<MetadataRequest>(&seen);
        let mut outcomes = admin.describe_topics(&["t".to_owned()], 10).await.unwrap();
        let (_, description) = outcomes.remove(0);
        admin.note_leaders([&description.unwrap()]);
        let asked = [(TopicPartition::new("t", 0), OffsetSpec::Latest)];
        let listed = admin.list_offsets(&asked, Isolation::ReadUncommitted).await;
        let (_, outcome) = listed.unwrap().remove(0);
        assert_eq!(outcome.unwrap().offset, Some(5));
        assert_eq!(count::<MetadataRequest>(&seen), looks);
    }

    /// It was asked for again until the call's whole time was up.
    #[tokio::test]
    async fn a_leader_that_the_cluster_does_not_have_is_given_up_where_that_is_to_be_known_soon() {
        let (endpoint, seen) = fake_broker(|request| {
            let mut metadata = metadata_of(&Endpoint::new("127.0.0.1", 1), &[("t", 1)]);
            metadata.topics[0].partitions[0].leader_id = 9;
            request.answer(&metadata)
        })
        .await;
        let settings = ClusterSettings {
            unreachable_after: Duration::from_millis(20),
            api_timeout: Duration::from_secs(60),
            ..quick_cluster(vec![endpoint])
        };
        let admin = Admin::connect(settings).await.unwrap();
        let asked = [(TopicPartition::new("t", 0), OffsetSpec::Latest)];
        let listed = admin.list_offsets(&asked, Isolation::ReadUncommitted);
        let listed = tokio::time::timeout(Duration::from_secs(20), listed).await;
        let (_, outcome) = listed.expect("an answer soon").unwrap().remove(0);
        let error = outcome.unwrap_err();
        assert_eq!(error.code, ErrorCode::NetworkException);
        assert!(error.text().contains('9'), "{}", error.text());
        assert_eq!(count::<ListOffsetsRequest>(&seen), 0);
    }

    #[tokio::test]
    async fn questions_do_not_wait_for_each_other() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let (mut tell, mut told) = (Some(tell), Some(told));
        let asking = [true, false].map(|waits| {
            let (tell, told) = match waits {
                true => (None, told.take()),
                false => (tell.take(), None),
            };
            async move {
                if let Some(tell) = tell {
                    tell.send(7).unwrap();
                }
                match told {
                    Some(told) => told.await.unwrap(),
                    None => 0,
                }
            }
        });
        assert_eq!(all_at_once(asking).await, [7, 0]);
    }
}
