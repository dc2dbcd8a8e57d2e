//! What a cluster has of the things that a file can say.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::ClientError;
use ottla_client::admin::{
    Admin, ConfigEntry, ConfigResource, ConfigSource, DescribeDetail, Isolation, OffsetSpec,
    PARTITIONS_PER_REQUEST, PartitionDescription, Reassignment, ResourceType, TopicListing,
    TopicPartition,
};
use ottla_client::conn::RequestError;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::wire::StrBytes;

use super::replicas::{Brokers, Placed};
use crate::connect::{failed, refused};
use crate::stop::Failure;

/// Topics in one request about configs; the answer has all keys of each.
const DESCRIBED_AT_ONCE: usize = 500;

#[derive(Debug, Clone, Default)]
pub(super) struct Present {
    pub(super) cluster_id: Option<String>,
    pub(super) brokers: Brokers,
    /// All there are; whether each is internal.
    pub(super) names: BTreeMap<String, bool>,
    /// Those that were asked about.
    pub(super) topics: BTreeMap<String, PresentTopic>,
    pub(super) groups: BTreeMap<String, PresentGroup>,
    /// Log start and end, of the partitions that were asked about and whose leader answers.
    pub(super) ranges: BTreeMap<TopicPartition, (i64, i64)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct PresentTopic {
    pub(super) partitions: i32,
    /// None where partitions differ in it. What is on its way counts as if it was there.
    pub(super) replication_factor: Option<i16>,
    pub(super) placed: Vec<Placed>,
    pub(super) configs: Vec<ConfigEntry>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct PresentGroup {
    /// Its members commit, and nobody else may.
    pub(super) is_active: bool,
    pub(super) offsets: BTreeMap<TopicPartition, i64>,
}

impl Present {
    /// As it is once these topics are deleted, as far as groups go.
    pub(super) fn without(&self, topics: &[&str]) -> Self {
        let is_there = |topic: &str| !topics.contains(&topic);
        let mut left = self.clone();
        left.topics.retain(|name, _| is_there(name));
        left.ranges.retain(|at, _| is_there(&at.topic));
        for group in left.groups.values_mut() {
            group.offsets.retain(|at, _| is_there(&at.topic));
        }
        left
    }

    /// Asks about the cluster, the topics that are wanted, and these groups.
    pub(super) async fn gather(
        admin: &Admin,
        is_wanted: impl Fn(&TopicListing) -> bool,
        groups: impl Iterator<Item = &str>,
    ) -> Result<Self, Failure> {
        let cluster = admin.describe_cluster(false).await;
        let cluster = cluster.map_err(failed("describeCluster"))?;
        let listing = admin.list_topics().await.map_err(failed("listTopics"))?;
        let wanted: Vec<String> = listing
            .iter()
            .filter(|topic| is_wanted(topic))
            .map(|topic| topic.name.clone())
            .collect();
        let nodes = cluster.nodes.into_iter().filter(|node| !node.is_fenced);
        let brokers: Brokers = nodes
            .map(|node| (node.broker.id, node.broker.rack))
            .collect();
        let mut present = Self {
            cluster_id: cluster.id,
            brokers,
            names: listing
                .into_iter()
                .map(|topic| (topic.name, topic.is_internal))
                .collect(),
            ..Self::default()
        };
        let moving = match present.brokers.len() {
            0 | 1 => BTreeMap::new(),
            _ => moving(admin).await?,
        };
        for names in wanted.chunks(DESCRIBED_AT_ONCE) {
            present.add_topics(admin, names, &moving).await?;
        }
        for group in groups {
            let found = group_of(admin, group).await?;
            present.groups.insert(group.to_owned(), found);
        }
        Ok(present)
    }

    async fn add_topics(
        &mut self,
        admin: &Admin,
        names: &[String],
        moving: &BTreeMap<TopicPartition, Reassignment>,
    ) -> Result<(), Failure> {
        let described = admin.describe_topics(names, PARTITIONS_PER_REQUEST).await;
        for (name, outcome) in described.map_err(failed("describeTopics"))? {
            let description = match outcome {
                // Deleted meanwhile.
                Err(error) if error.code == ErrorCode::UnknownTopicOrPartition => continue,
                outcome => outcome.map_err(refused)?,
            };
            let partitions = &description.partitions;
            let placed = partitions.iter().map(|partition| {
                let at = TopicPartition::new(name.as_str(), partition.index);
                placed(partition, moving.get(&at))
            });
            let placed: Vec<Placed> = placed.collect();
            let factors: BTreeSet<usize> = placed.iter().map(|at| at.replicas.len()).collect();
            let factor = factors.first().filter(|_| factors.len() == 1);
            let topic = PresentTopic {
                partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
                replication_factor: factor.and_then(|factor| i16::try_from(*factor).ok()),
                placed,
                configs: Vec::new(),
            };
            self.topics.insert(name, topic);
        }
        let resources = names.iter().filter(|name| self.topics.contains_key(*name));
        let resources: Vec<ConfigResource> = resources
            .map(|name| ConfigResource::new(ResourceType::Topic, name))
            .collect();
        let detail = DescribeDetail {
            synonyms: true,
            documentation: false,
        };
        let described = admin.describe_configs(&resources, None, detail).await;
        for (resource, outcome) in described.map_err(failed("describeConfigs"))? {
            if let Some(topic) = self.topics.get_mut(&resource.name) {
                topic.configs = outcome.map_err(refused)?;
            }
        }
        Ok(())
    }

    /// Asks where the logs of these partitions begin and end.
    pub(super) async fn add_ranges(
        &mut self,
        admin: &Admin,
        partitions: &[TopicPartition],
    ) -> Result<(), Failure> {
        let ask = async |spec| {
            let asked: Vec<_> = partitions.iter().map(|at| (at.clone(), spec)).collect();
            let listed = admin.list_offsets(&asked, Isolation::default()).await;
            listed.map_err(failed("listOffsets"))
        };
        let starts = ask(OffsetSpec::Earliest).await?;
        let ends = ask(OffsetSpec::Latest).await?;
        for ((at, start), (_, end)) in starts.into_iter().zip(ends) {
            let offset = |outcome: Result<ottla_client::admin::ListedOffset, _>| {
                outcome.ok().and_then(|listed| listed.offset)
            };
            if let (Some(start), Some(end)) = (offset(start), offset(end)) {
                self.ranges.insert(at, (start, end));
            }
        }
        Ok(())
    }
}

/// What is on its way. Who may not ask, or whose brokers do not know, sees none of it.
async fn moving(admin: &Admin) -> Result<BTreeMap<TopicPartition, Reassignment>, Failure> {
    match admin.list_partition_reassignments(None).await {
        Err(ClientError::Request(RequestError::Version { .. })) => Ok(BTreeMap::new()),
        Err(error) if error.code() == Some(ErrorCode::ClusterAuthorizationFailed) => {
            Ok(BTreeMap::new())
        }
        found => found.map_err(failed("listPartitionReassignments")),
    }
}

fn placed(partition: &PartitionDescription, moving: Option<&Reassignment>) -> Placed {
    let replicas = match moving {
        Some(moving) => {
            let stay = moving.replicas.iter();
            let stay = stay.filter(|broker| !moving.removing.contains(broker));
            stay.copied().collect()
        }
        None => partition.replicas.clone(),
    };
    Placed {
        partition: partition.index,
        replicas,
        isr: partition.isr.clone(),
        is_moving: moving.is_some(),
    }
}

async fn group_of(admin: &Admin, group: &str) -> Result<PresentGroup, Failure> {
    let described = admin.describe_groups(&[group.to_owned()]).await;
    let described = described.map_err(failed("describeConsumerGroups"))?;
    let mut is_active = false;
    for (_, outcome) in described {
        match outcome {
            Ok(group) => is_active = !matches!(group.state.as_str(), "Empty" | "Dead"),
            Err(error) if error.code == ErrorCode::GroupIdNotFound => {}
            Err(error) => return Err(refused(error)),
        }
    }
    let committed = admin.group_offsets(group, None, false).await;
    let committed = committed.map_err(failed("listConsumerGroupOffsets"))?;
    let offsets = committed
        .into_iter()
        .filter_map(|(at, outcome)| Some((at, outcome.ok()?.offset)));
    Ok(PresentGroup {
        is_active,
        offsets: offsets.collect(),
    })
}

/// The topic's own, rather than what the broker has for all.
pub(super) fn is_own(entry: &ConfigEntry) -> bool {
    entry.source == ConfigSource::DynamicTopic
}

/// The value.
pub(super) fn text(entry: &ConfigEntry) -> Option<String> {
    entry.value.as_ref().map(StrBytes::to_string)
}

/// What the topic would have without a value of its own.
pub(super) fn inherited(entry: &ConfigEntry) -> Option<String> {
    if !is_own(entry) {
        return text(entry);
    }
    let mut synonyms = entry.synonyms.iter();
    let synonym = synonyms.find(|synonym| synonym.source != ConfigSource::DynamicTopic);
    // Brokers leave out a default that is told by another name, such as log.retention.hours.
    let Some(synonym) = synonym else {
        let default = ottla_config::topic::lookup(&entry.name)?.default_text()?;
        return Some(default.to_owned());
    };
    let value = synonym.value.as_deref()?;
    let unit_ms = match synonym.name.rsplit('.').next() {
        Some("hours") => 3_600_000,
        Some("minutes") => 60_000,
        _ => return Some(value.to_owned()),
    };
    let count = value.parse::<i64>().ok()?;
    Some(match count < 0 {
        true => count.to_string(),
        false => count.saturating_mul(unit_ms).to_string(),
    })
}

/// While replicas move, these come and go by themselves.
pub(super) fn is_passing(key: &str) -> bool {
    matches!(
        key,
        "leader.replication.throttled.replicas" | "follower.replication.throttled.replicas"
    )
}
