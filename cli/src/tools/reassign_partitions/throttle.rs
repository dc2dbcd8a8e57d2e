//! How fast replicas may move: limits of brokers, and which replicas of a topic they are for.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::admin::{
    Admin, AlterOp, AlterResource, ConfigResource, Reassignment, ResourceType, TopicPartition,
};
use ottla_protocol::types::BrokerId;

use crate::java_order;
use crate::settling::until_altered;

use super::Teller;
use super::plan::{Assignment, joined};
use super::trouble::Trouble;

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const LOG_DIR_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

/// From which brokers to which others a partition moves.
#[derive(Debug, Default, PartialEq, Eq)]
struct Move {
    sources: BTreeSet<BrokerId>,
    destinations: BTreeSet<BrokerId>,
}

/// The moves of topics' partitions.
#[derive(Debug, Default)]
pub(super) struct Moves(BTreeMap<String, BTreeMap<i32, Move>>);

impl Moves {
    /// What is under way, and what comes to it. The replicas of `current` are those of the partitions in `proposed`.
    pub(super) fn new(
        under_way: &BTreeMap<TopicPartition, Reassignment>,
        proposed: &Assignment,
        current: &Assignment,
    ) -> Self {
        let mut moves = Self::default();
        for (at, reassignment) in under_way {
            let adding: BTreeSet<BrokerId> = reassignment.adding.iter().copied().collect();
            let replicas = reassignment.replicas.iter().copied();
            let sources = replicas.filter(|id| !adding.contains(id)).collect();
            moves.set(at, sources, adding);
        }
        for (at, replicas) in proposed {
            let of_topic = moves.0.get(&at.topic);
            let sources = match of_topic.and_then(|of_topic| of_topic.get(&at.partition)) {
                Some(under_way) => under_way.sources.clone(),
                None => current.get(at).into_iter().flatten().copied().collect(),
            };
            let replicas = replicas.iter().copied();
            let destinations = replicas.filter(|id| !sources.contains(id)).collect();
            moves.set(at, sources, destinations);
        }
        moves
    }

    fn set(
        &mut self,
        at: &TopicPartition,
        sources: BTreeSet<BrokerId>,
        destinations: BTreeSet<BrokerId>,
    ) {
        let of_topic = self.0.entry(at.topic.clone()).or_default();
        let sides = Move {
            sources,
            destinations,
        };
        of_topic.insert(at.partition, sides);
    }

    fn brokers(&self) -> BTreeSet<BrokerId> {
        let moves = self.0.values().flat_map(BTreeMap::values);
        let both = moves.flat_map(|sides| sides.sources.iter().chain(&sides.destinations));
        both.copied().collect()
    }

    /// The topics, with the replicas that are limited as leaders and as followers.
    fn topics(&self) -> impl Iterator<Item = (&str, String, String)> {
        self.0.iter().map(|(topic, moves)| {
            let sources = replicas(moves, |sides| &sides.sources);
            (
                topic.as_str(),
                sources,
                replicas(moves, |sides| &sides.destinations),
            )
        })
    }
}

/// `partition:broker`, in the order of the texts.
fn replicas(moves: &BTreeMap<i32, Move>, side: fn(&Move) -> &BTreeSet<BrokerId>) -> String {
    let of_partition = |(partition, sides)| {
        let brokers = side(sides).iter();
        brokers.map(move |broker| format!("{partition}:{broker}"))
    };
    let replicas: BTreeSet<String> = moves.iter().flat_map(of_partition).collect();
    joined(replicas)
}

/// Limits what goes between the brokers of these moves, in bytes a second.
pub(super) async fn limit_moves(
    admin: &Admin,
    moves: &Moves,
    bytes_per_second: i64,
    teller: &mut Teller<'_>,
) -> Result<(), Trouble> {
    let topics = moves.topics().map(|(topic, leaders, followers)| {
        let keys = [(LEADER_REPLICAS, leaders), (FOLLOWER_REPLICAS, followers)];
        resource(ResourceType::Topic, topic, keys.map(set))
    });
    alter(admin, topics.collect()).await?;
    let rate = bytes_per_second.to_string();
    let keys = [LEADER_RATE, FOLLOWER_RATE].map(|key| set((key, rate.clone())));
    let brokers = moves.brokers();
    alter(admin, of_brokers(&brokers, &keys)).await?;
    teller.line(&format!(
        "The inter-broker throttle limit was set to {bytes_per_second} B/s"
    ))
}

/// Limits what goes between the directories of each of these brokers, in bytes a second.
pub(super) async fn limit_log_dirs(
    admin: &Admin,
    brokers: &BTreeSet<BrokerId>,
    bytes_per_second: i64,
    teller: &mut Teller<'_>,
) -> Result<(), Trouble> {
    let keys = [set((LOG_DIR_RATE, bytes_per_second.to_string()))];
    alter(admin, of_brokers(brokers, &keys)).await?;
    teller.line(&format!(
        "The replica-alter-dir throttle limit was set to {bytes_per_second} B/s"
    ))
}

/// Takes all limits back: nobody knows any more which brokers were limited for these targets, so all are taken for it.
pub(super) async fn clear(
    admin: &Admin,
    targets: &[(TopicPartition, Vec<BrokerId>)],
    teller: &mut Teller<'_>,
) -> Result<(), Trouble> {
    let cluster = admin.describe_cluster(false).await;
    let cluster = cluster.map_err(Trouble::failed("listNodes"))?;
    let mut brokers: BTreeSet<BrokerId> = cluster.nodes.iter().map(|node| node.broker.id).collect();
    brokers.extend(targets.iter().flat_map(|(_, replicas)| replicas));
    let mut shown: Vec<i32> = brokers.iter().map(|id| id.0).collect();
    java_order::sort_by_hash(&mut shown, None, |id| id.cast_unsigned());
    teller.line(&format!(
        "Clearing broker-level throttles on broker{} {}",
        plural(shown.len()),
        joined(shown)
    ))?;
    let keys = [LEADER_RATE, FOLLOWER_RATE, LOG_DIR_RATE].map(unset);
    alter(admin, of_brokers(&brokers, &keys)).await?;

    let mut shown: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    let topics = targets.iter().map(|(at, _)| at.topic.as_str());
    shown.extend(topics.filter(|topic| seen.insert(*topic)));
    java_order::sort(&mut shown, None, |topic| topic);
    teller.line(&format!(
        "Clearing topic-level throttles on topic{} {}",
        plural(shown.len()),
        shown.join(",")
    ))?;
    let keys = || [LEADER_REPLICAS, FOLLOWER_REPLICAS].map(unset);
    let topics = shown
        .iter()
        .map(|topic| resource(ResourceType::Topic, topic, keys()));
    alter(admin, topics.collect()).await
}

pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn set((key, value): (&str, String)) -> (String, AlterOp) {
    (key.to_owned(), AlterOp::Set(value))
}

fn unset(key: &str) -> (String, AlterOp) {
    (key.to_owned(), AlterOp::Delete)
}

fn of_brokers(brokers: &BTreeSet<BrokerId>, keys: &[(String, AlterOp)]) -> Vec<AlterResource> {
    let one = |id: &BrokerId| resource(ResourceType::Broker, &id.to_string(), keys.to_vec());
    brokers.iter().map(one).collect()
}

fn resource(
    kind: ResourceType,
    name: &str,
    changes: impl Into<Vec<(String, AlterOp)>>,
) -> AlterResource {
    AlterResource {
        resource: ConfigResource::new(kind, name),
        changes: changes.into(),
    }
}

async fn alter(admin: &Admin, changes: Vec<AlterResource>) -> Result<(), Trouble> {
    let outcomes = admin.alter_configs(&changes, false).await;
    let outcomes = outcomes.map_err(Trouble::failed("incrementalAlterConfigs"))?;
    match outcomes.into_iter().find_map(|(_, outcome)| outcome.err()) {
        None => {
            until_altered(&changes, admin).await;
            Ok(())
        }
        Some(error) => Err(Trouble::in_call(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    #[test]
    fn sources_are_limited_as_leaders_and_what_is_new_as_followers() {
        let at = |partition| TopicPartition::new("t", partition);
        let under_way = BTreeMap::from([(
            at(2),
            Reassignment {
                replicas: brokers(&[1, 2, 3]),
                adding: brokers(&[3]),
                removing: brokers(&[1]),
            },
        )]);
        let proposed = Assignment::from([(at(10), brokers(&[2, 4])), (at(2), brokers(&[2, 4]))]);
        let current = Assignment::from([(at(10), brokers(&[1, 2])), (at(2), brokers(&[1, 2, 3]))]);
        let moves = Moves::new(&under_way, &proposed, &current);
        let topics: Vec<_> = moves.topics().collect();
        // What was on its way to broker 3 is on its way to broker 4 now.
        let expected = ("t", "10:1,10:2,2:1,2:2".to_owned(), "10:4,2:4".to_owned());
        assert_eq!(topics, [expected]);
        assert_eq!(moves.brokers(), brokers(&[1, 2, 4]).into_iter().collect());
    }
}
