//! What the cluster says of partitions and replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ottla_client::ApiError;
use ottla_client::admin::{
    Admin, Outcomes, PARTITIONS_PER_REQUEST, TopicDescription, TopicPartition,
    TopicPartitionReplica,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::BrokerId;
use tokio::time::Instant;

use crate::nearest;

use super::plan::{Assignment, Dirs};
use super::trouble::Trouble;

/// The directories of a replica.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Whereabouts {
    /// None: it is in no directory that is online.
    pub(super) current: Option<String>,
    /// The one it is being moved to.
    pub(super) future: Option<String>,
}

pub(super) async fn describe(
    admin: &Admin,
    topics: &BTreeSet<&str>,
) -> Result<Outcomes<String, TopicDescription>, Trouble> {
    let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
    let described = admin.describe_topics(&topics, PARTITIONS_PER_REQUEST).await;
    described.map_err(Trouble::failed("describeTopics"))
}

/// The replicas of all partitions of these topics, each of which must be there.
pub(super) async fn replicas(
    admin: &Admin,
    topics: &BTreeSet<&str>,
) -> Result<Assignment, Trouble> {
    let mut assignment = Assignment::new();
    for (topic, description) in describe(admin, topics).await? {
        let description = match description {
            Ok(description) => description,
            Err(error) if error.code == ErrorCode::UnknownTopicOrPartition => {
                let trouble = unknown(format!("Topic {topic} not found."));
                let nearest = nearest::topic(&topic, admin).await;
                return Err(nearest.into_iter().fold(trouble, Trouble::hint));
            }
            Err(error) => return Err(Trouble::in_call(&error)),
        };
        for partition in description.partitions {
            let at = TopicPartition::new(topic.as_str(), partition.index);
            assignment.insert(at, partition.replicas);
        }
    }
    Ok(assignment)
}

pub(super) fn unknown(message: String) -> Trouble {
    Trouble::in_call(&ApiError {
        code: ErrorCode::UnknownTopicOrPartition,
        message: Some(message),
    })
}

/// A topic is there before all of its brokers have made its logs, as who has just created it may find.
const HAS_ITS_DIR_WITHIN: Duration = Duration::from_secs(1);
/// How long to leave a broker alone that has yet to make a replica's log: what moves waits for that, too.
pub(super) const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The directories of all replicas of an assignment that are on brokers which are there.
pub(super) async fn dirs_of(admin: &Admin, assignment: &Assignment) -> Result<Dirs, Trouble> {
    let cluster = admin.describe_cluster(false).await;
    let cluster = cluster.map_err(Trouble::failed("listNodes"))?;
    let there: BTreeSet<BrokerId> = cluster.nodes.iter().map(|node| node.broker.id).collect();
    let mut asked = BTreeSet::new();
    for (partition, replicas) in assignment {
        for broker in replicas.iter().filter(|broker| there.contains(broker)) {
            let (broker, partition) = (*broker, partition.clone());
            asked.insert(TopicPartitionReplica { broker, partition });
        }
    }
    let deadline = Instant::now() + HAS_ITS_DIR_WITHIN;
    loop {
        let found = whereabouts(admin, asked.iter().cloned()).await?;
        let has_all = found.values().all(|at| at.current.is_some());
        if has_all || Instant::now() >= deadline {
            let found = found.into_iter();
            return Ok(found
                .filter_map(|(replica, at)| Some((replica, at.current?)))
                .collect());
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Where each of these replicas lies.
pub(super) async fn whereabouts(
    admin: &Admin,
    replicas: impl IntoIterator<Item = TopicPartitionReplica>,
) -> Result<BTreeMap<TopicPartitionReplica, Whereabouts>, Trouble> {
    let mut found: BTreeMap<TopicPartitionReplica, Whereabouts> = BTreeMap::new();
    let mut by_broker: BTreeMap<BrokerId, Vec<TopicPartition>> = BTreeMap::new();
    for replica in replicas {
        let of_broker = by_broker.entry(replica.broker).or_default();
        of_broker.push(replica.partition.clone());
        found.insert(replica, Whereabouts::default());
    }
    let failed = || Trouble::failed("describeReplicaLogDirs");
    for (broker, partitions) in by_broker {
        let answers = admin.describe_log_dirs(&[broker], Some(&partitions)).await;
        for (broker, dirs) in answers.map_err(failed())? {
            for dir in dirs.map_err(failed())? {
                for on_disk in dir.replicas {
                    let partition = on_disk.partition;
                    let replica = TopicPartitionReplica { broker, partition };
                    let Some(at) = found.get_mut(&replica) else {
                        continue;
                    };
                    match on_disk.is_future {
                        true => at.future = Some(dir.path.clone()),
                        false => at.current = Some(dir.path.clone()),
                    }
                }
            }
        }
    }
    Ok(found)
}
