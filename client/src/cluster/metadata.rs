//! What the cluster looks like, as far as it was asked for: brokers, controller, topics by name and by id.
//!
//! Pure: a snapshot and the rule for merging an answer into it. Always: a partition's leader epoch never goes back
//! while its topic stays the same (a broker that lags behind can't undo what is known, KIP-320).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        MetadataResponse,
        api::metadata::response::{MetadataResponsePartition, MetadataResponseTopic},
    },
    types::{BrokerId, LeaderEpoch, PartitionIndex},
    wire::Uuid,
};

use crate::conn::Endpoint;

/// A broker as the cluster advertises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub id: BrokerId,
    pub endpoint: Endpoint,
    pub rack: Option<String>,
}

impl Broker {
    /// None where the advertised port is no port.
    pub(crate) fn of_wire(id: i32, host: &str, port: i32, rack: Option<&str>) -> Option<Self> {
        let port = u16::try_from(port).ok().filter(|port| *port != 0)?;
        Some(Self {
            id: BrokerId(id),
            endpoint: Endpoint::new(host, port),
            rack: rack.map(str::to_owned),
        })
    }
}

/// A topic, or why it can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub name: Arc<str>,
    /// Zero where the broker is too old to have ids.
    pub id: Uuid,
    pub is_internal: bool,
    pub error: ErrorCode,
    /// By index.
    pub partitions: Vec<Partition>,
}

/// A partition and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub index: PartitionIndex,
    pub leader: Option<BrokerId>,
    pub leader_epoch: LeaderEpoch,
    pub replicas: Vec<BrokerId>,
    pub isr: Vec<BrokerId>,
    pub offline: Vec<BrokerId>,
    pub error: ErrorCode,
}

impl Topic {
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        let found = self
            .partitions
            .binary_search_by_key(&index, |partition| partition.index)
            .ok()?;
        self.partitions.get(found)
    }

    fn of_wire(topic: &MetadataResponseTopic, known: Option<&Self>) -> Self {
        let known = known.filter(|known| known.id == topic.topic_id);
        let mut partitions: Vec<Partition> = topic
            .partitions
            .iter()
            .map(|partition| {
                let fresh = Partition::of_wire(partition);
                match known.and_then(|known| known.partition(fresh.index)) {
                    Some(newer) if newer.leader_epoch > fresh.leader_epoch => newer.clone(),
                    _ => fresh,
                }
            })
            .collect();
        partitions.sort_by_key(|partition| partition.index);
        Self {
            name: topic.name.as_deref().unwrap_or_default().into(),
            id: topic.topic_id,
            is_internal: topic.is_internal,
            error: ErrorCode::from_code(topic.error_code),
            partitions,
        }
    }
}

impl Partition {
    fn of_wire(partition: &MetadataResponsePartition) -> Self {
        Self {
            index: PartitionIndex(partition.partition_index),
            leader: Some(BrokerId(partition.leader_id)).filter(|leader| leader.0 >= 0),
            leader_epoch: LeaderEpoch(partition.leader_epoch),
            replicas: broker_ids(&partition.replica_nodes),
            isr: broker_ids(&partition.isr_nodes),
            offline: broker_ids(&partition.offline_replicas),
            error: ErrorCode::from_code(partition.error_code),
        }
    }
}

pub(crate) fn broker_ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

/// A snapshot. Cheap to share, never changed in place.
#[derive(Clone, Debug)]
pub struct Metadata {
    pub cluster_id: Option<String>,
    pub controller: Option<BrokerId>,
    brokers: BTreeMap<BrokerId, Broker>,
    topics: HashMap<Arc<str>, Arc<Topic>>,
    names: HashMap<Uuid, Arc<str>>,
    /// When the request behind it was made: it knows of nothing later.
    pub asked_at: Instant,
}

/// What a request had asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    AllTopics,
    SomeTopics,
}

impl Metadata {
    pub(crate) fn empty(asked_at: Instant) -> Self {
        Self {
            cluster_id: None,
            controller: None,
            brokers: BTreeMap::new(),
            topics: HashMap::new(),
            names: HashMap::new(),
            asked_at,
        }
    }

    /// Of a quorum; `brokers` are its controllers.
    pub(super) fn of_controllers(
        cluster_id: String,
        active: Option<BrokerId>,
        controllers: BTreeMap<BrokerId, Broker>,
        asked_at: Instant,
    ) -> Self {
        Self {
            cluster_id: Some(cluster_id),
            controller: active,
            brokers: controllers,
            ..Self::empty(asked_at)
        }
    }

    /// This snapshot with an answer merged in: brokers are replaced, topics added or replaced; after asking for all
    /// topics, those that are not in the answer are gone.
    pub(crate) fn merged(
        &self,
        response: &MetadataResponse,
        scope: Scope,
        asked_at: Instant,
    ) -> Self {
        let brokers = response
            .brokers
            .iter()
            .filter_map(|b| Broker::of_wire(b.node_id, &b.host, b.port, b.rack.as_deref()))
            .map(|broker| (broker.id, broker))
            .collect();
        let mut topics = match scope {
            Scope::AllTopics => HashMap::new(),
            Scope::SomeTopics => self.topics.clone(),
        };
        for answered in &response.topics {
            // Without a name: an id was asked for that nobody knows.
            let Some(name) = answered.name.as_deref() else {
                continue;
            };
            let topic = Topic::of_wire(answered, self.topics.get(name).map(|topic| &**topic));
            topics.insert(topic.name.clone(), Arc::new(topic));
        }
        let names = topics
            .values()
            .filter(|topic| !topic.id.is_zero())
            .map(|topic| (topic.id, topic.name.clone()))
            .collect();
        Self {
            cluster_id: response.cluster_id.as_deref().map(str::to_owned),
            controller: Some(BrokerId(response.controller_id)).filter(|id| id.0 >= 0),
            brokers,
            topics,
            names,
            asked_at,
        }
    }

    /// This snapshot with topics that it does not have. What metadata has said of a topic stays.
    pub(super) fn and(&self, topics: impl IntoIterator<Item = Topic>) -> Self {
        let mut more = self.clone();
        for topic in topics {
            if more.topics.contains_key(&topic.name) {
                continue;
            }
            if !topic.id.is_zero() {
                more.names.insert(topic.id, topic.name.clone());
            }
            more.topics.insert(topic.name.clone(), Arc::new(topic));
        }
        more
    }

    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values()
    }

    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.get(&id)
    }

    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(&id)?)
    }

    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// The leader of a partition, where one is known.
    pub fn leader(&self, topic: &str, partition: PartitionIndex) -> Option<&Broker> {
        self.broker(self.topic(topic)?.partition(partition)?.leader?)
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::api::metadata::response::MetadataResponseBroker;

    use super::*;

    fn response(topic_id: u128, leader: i32, epoch: i32) -> MetadataResponse {
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: "h".into(),
                port: 9092,
                ..Default::default()
            }],
            controller_id: 1,
            topics: vec![MetadataResponseTopic {
                name: Some("t".into()),
                topic_id: topic_id.into(),
                partitions: vec![MetadataResponsePartition {
                    leader_id: leader,
                    leader_epoch: epoch,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn snapshot() -> Metadata {
        Metadata::empty(Instant::now()).merged(
            &response(7, 1, 5),
            Scope::SomeTopics,
            Instant::now(),
        )
    }

    fn leader(metadata: &Metadata) -> Option<BrokerId> {
        metadata.topic("t")?.partition(PartitionIndex(0))?.leader
    }

    #[test]
    fn an_answer_of_a_lagging_broker_does_not_bring_an_old_leader_back() {
        let merged = snapshot().merged(&response(7, 2, 4), Scope::SomeTopics, Instant::now());
        assert_eq!(leader(&merged), Some(BrokerId(1)));
        let merged = snapshot().merged(&response(7, 2, 6), Scope::SomeTopics, Instant::now());
        assert_eq!(leader(&merged), Some(BrokerId(2)));
    }

    #[test]
    fn a_topic_made_anew_starts_with_a_new_epoch() {
        let merged = snapshot().merged(&response(8, 2, 0), Scope::SomeTopics, Instant::now());
        assert_eq!(leader(&merged), Some(BrokerId(2)));
        assert!(merged.topic_by_id(7.into()).is_none() && merged.topic_by_id(8.into()).is_some());
    }

    #[test]
    fn topics_not_asked_for_stay_and_deleted_ones_go() {
        let nothing = MetadataResponse {
            topics: Vec::new(),
            ..response(7, 1, 5)
        };
        assert!(
            snapshot()
                .merged(&nothing, Scope::SomeTopics, Instant::now())
                .topic("t")
                .is_some()
        );
        assert!(
            snapshot()
                .merged(&nothing, Scope::AllTopics, Instant::now())
                .topic("t")
                .is_none()
        );
    }

    #[test]
    fn nonsense_ports_are_left_out() {
        assert_eq!(Broker::of_wire(1, "h", 0, None), None);
        assert_eq!(Broker::of_wire(1, "h", 65536, None), None);
        assert_eq!(Broker::of_wire(1, "h", -1, None), None);
    }
}
