//! Which partitions there are, and which of them have a leader to ask.

use std::collections::HashMap;

use ottla_client::ApiError;
use ottla_client::admin::{Admin, TopicDescription, TopicPartition};

use super::ended::{Ended, Problem, Wrapped};

/// Partitions, each in one of the lists, in the order they were asked for.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) led: Vec<TopicPartition>,
    pub(super) leaderless: Vec<TopicPartition>,
    pub(super) missing: Vec<TopicPartition>,
    /// Why nothing is known of a topic at all; its partitions are among the missing.
    pub(super) unknown: Option<(String, ApiError)>,
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
    let mut found = Found::default();
    let mut described: HashMap<String, TopicDescription> = HashMap::new();
    for (topic, outcome) in outcomes {
        match outcome {
            Ok(description) => {
                described.insert(topic, description);
            }
            Err(error) => {
                found.unknown.get_or_insert((topic, error));
            }
        }
    }
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
        let found = of_topic(topic, admin).await?;
        partitions.extend(found.map_err(|error| unknown(topic, error, Wrapped::Not))?);
    }
    Ok(partitions)
}

pub(super) fn unknown(topic: &str, error: ApiError, wrapped: Wrapped) -> Problem {
    let mut problem = wrapped.refused()(error);
    problem.failure = problem.failure.hint(format!(
        "That is about topic {topic}; kafka-topics --list shows those there are."
    ));
    problem
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
