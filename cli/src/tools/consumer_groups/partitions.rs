//! Which partitions there are, and which of them have a leader to ask.

use std::collections::{HashMap, HashSet};

use ottla_client::ApiError;
use ottla_client::admin::{
    Admin, Outcomes, PARTITIONS_PER_REQUEST, PartitionDescription, TopicDescription, TopicPartition,
};

use super::ended::{Ended, Problem, Wrapped};
use crate::nearest;

/// Partitions, each in one of the lists, in the order they were asked for.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) led: Vec<TopicPartition>,
    pub(super) leaderless: Vec<TopicPartition>,
    pub(super) missing: Vec<TopicPartition>,
    /// Why nothing is known of a topic at all; its partitions are among the missing.
    pub(super) unknown: Option<(String, ApiError)>,
}

impl Found {
    /// With these behind them, as far as they are others.
    pub(super) fn and(mut self, more: Self) -> Self {
        for (list, more) in [
            (&mut self.led, more.led),
            (&mut self.leaderless, more.leaderless),
            (&mut self.missing, more.missing),
        ] {
            let seen: HashSet<TopicPartition> = list.iter().cloned().collect();
            list.extend(more.into_iter().filter(|at| !seen.contains(at)));
        }
        self.unknown = self.unknown.or(more.unknown);
        self
    }

    fn add(&mut self, at: TopicPartition, partition: &PartitionDescription) {
        match partition.leader {
            Some(_) => self.led.push(at),
            None => self.leaderless.push(at),
        }
    }
}

/// Topics as they are described, which spares the next question about them a look for their leaders.
async fn described(
    topics: &[String],
    wrapped: Wrapped,
    admin: &Admin,
) -> Result<Outcomes<String, TopicDescription>, Ended> {
    let described = admin.describe_topics(topics, PARTITIONS_PER_REQUEST).await;
    let outcomes = described.map_err(wrapped.failed("describeTopics"))?;
    admin.note_leaders(
        outcomes
            .iter()
            .filter_map(|(_, outcome)| outcome.as_ref().ok()),
    );
    Ok(outcomes)
}

pub(super) async fn find(partitions: &[TopicPartition], admin: &Admin) -> Result<Found, Ended> {
    let mut topics: Vec<String> = Vec::new();
    for at in partitions {
        if topics.last() != Some(&at.topic) {
            topics.push(at.topic.clone());
        }
    }
    topics.sort();
    topics.dedup();
    let outcomes = described(&topics, Wrapped::Twice, admin).await?;
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
        match partition {
            None => found.missing.push(at.clone()),
            Some(partition) => found.add(at.clone(), partition),
        }
    }
    Ok(found)
}

/// All partitions of topics, which have to be there.
pub(super) async fn of_topics(topics: &[String], admin: &Admin) -> Result<Found, Ended> {
    let outcomes = described(topics, Wrapped::Not, admin).await?;
    let mut found = Found::default();
    for (topic, outcome) in outcomes {
        let described = match outcome {
            Ok(described) => described,
            Err(error) => return Err(unknown(&topic, error, Wrapped::Not, admin).await.into()),
        };
        for partition in &described.partitions {
            let at = TopicPartition::new(&*topic, partition.index);
            found.add(at, partition);
        }
    }
    Ok(found)
}

pub(super) async fn unknown(
    topic: &str,
    error: ApiError,
    wrapped: Wrapped,
    admin: &Admin,
) -> Problem {
    let mut problem = wrapped.refused()(error);
    let hint = format!("That is about topic {topic}; kafka-topics --list shows those there are.");
    problem.failure = problem.failure.hint(hint);
    if let Some(hint) = nearest::topic(topic, admin).await {
        problem.failure = problem.failure.hint(hint);
    }
    problem
}

pub(super) async fn of_topic(
    topic: &str,
    admin: &Admin,
) -> Result<Result<Vec<TopicPartition>, ApiError>, Ended> {
    let outcomes = described(&[topic.to_owned()], Wrapped::Not, admin).await?;
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
