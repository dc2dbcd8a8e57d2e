//! Which partitions there are, and which of them have a leader to ask.

use std::collections::HashMap;

use ottla_client::ApiError;
use ottla_client::admin::{Admin, TopicDescription, TopicPartition};

use super::ended::{Ended, Wrapped};

/// Partitions, each in one of the lists, in the order they were asked for.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) led: Vec<TopicPartition>,
    pub(super) leaderless: Vec<TopicPartition>,
    pub(super) missing: Vec<TopicPartition>,
}

const PARTITIONS_PER_REQUEST: i32 = 2000;

pub(super) async fn find(partitions: &[TopicPartition], admin: &Admin) -> Result<Found, Ended> {
    let mut topics: Vec<String> = Vec::new();
    for at in partitions {
        if topics.last() != Some(&at.topic) {
            topics.push(at.topic.clone());
        }
    }
    topics.sort();
    topics.dedup();
    let outcomes = admin
        .describe_topics(&topics, PARTITIONS_PER_REQUEST)
        .await
        .map_err(Wrapped::Twice.failed("describeTopics"))?;
    let described: HashMap<String, TopicDescription> = outcomes
        .into_iter()
        .filter_map(|(topic, outcome)| Some((topic, outcome.ok()?)))
        .collect();
    let mut found = Found::default();
    for at in partitions {
        let partition = described.get(&at.topic).and_then(|topic| {
            let mut partitions = topic.partitions.iter();
            partitions.find(|partition| partition.index == at.partition)
        });
        let list = match partition {
            None => &mut found.missing,
            Some(partition) if partition.leader.is_none() => &mut found.leaderless,
            Some(_) => &mut found.led,
        };
        list.push(at.clone());
    }
    Ok(found)
}

/// All partitions of topics, which have to be there.
pub(super) async fn of_topics(
    topics: &[String],
    admin: &Admin,
) -> Result<Vec<TopicPartition>, Ended> {
    let mut partitions = Vec::new();
    for topic in topics {
        let found = of_topic(topic, admin).await?.map_err(|error| {
            let mut problem = Wrapped::Not.refused()(error);
            problem.failure = problem.failure.hint(format!(
                "That is about topic {topic}; kafka-topics --list shows those there are."
            ));
            problem
        })?;
        partitions.extend(found);
    }
    Ok(partitions)
}

pub(super) async fn of_topic(
    topic: &str,
    admin: &Admin,
) -> Result<Result<Vec<TopicPartition>, ApiError>, Ended> {
    let outcomes = admin
        .describe_topics(&[topic.to_owned()], PARTITIONS_PER_REQUEST)
        .await
        .map_err(Wrapped::Not.failed("describeTopics"))?;
    let mut found = Vec::new();
    for (_, outcome) in outcomes {
        match outcome {
            Ok(description) => {
                let partitions = description.partitions.iter();
                found.extend(partitions.map(|at| TopicPartition::new(topic, at.index)));
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(found))
}
