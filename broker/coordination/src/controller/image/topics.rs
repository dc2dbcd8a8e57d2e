//! Topics and partitions of an image.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::messages::metadata::{
    MetadataRecord, PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord,
};
use ottla_protocol::types::{BrokerId, LeaderEpoch, PartitionIndex};
use ottla_protocol::wire::Uuid;

/// "No leader" in a record.
const NO_LEADER: i32 = -1;
/// "Unchanged" in a `PartitionChangeRecord`.
const SAME_LEADER: i32 = -2;

/// All topics, by name and by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicsImage {
    by_name: BTreeMap<Arc<str>, Arc<TopicImage>>,
    names: BTreeMap<Uuid, Arc<str>>,
}

/// One topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicImage {
    name: Arc<str>,
    id: Uuid,
    partitions: BTreeMap<PartitionIndex, PartitionImage>,
}

/// One partition: who holds it, and who leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionImage {
    pub replicas: Vec<BrokerId>,
    pub directories: Vec<Uuid>,
    pub isr: Vec<BrokerId>,
    pub removing_replicas: Vec<BrokerId>,
    pub adding_replicas: Vec<BrokerId>,
    pub leader: Option<BrokerId>,
    /// Whether the leader was elected uncleanly and is still cutting its log.
    pub leader_recovering: bool,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: i32,
    pub eligible_leader_replicas: Vec<BrokerId>,
    pub last_known_elr: Vec<BrokerId>,
}

impl TopicsImage {
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_name.get(name)
    }

    #[must_use]
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<TopicImage>> {
        self.by_name.get(self.names.get(&id)?)
    }

    /// All topics by name.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<TopicImage>> {
        self.by_name.values()
    }

    /// All topics whose name is `from` or comes after it.
    pub fn iter_from(&self, from: &str) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_name
            .range::<str, _>((std::ops::Bound::Included(from), std::ops::Bound::Unbounded))
            .map(|(_, topic)| topic)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The partition, where topic and partition exist.
    #[must_use]
    pub fn partition(&self, topic: &str, index: PartitionIndex) -> Option<&PartitionImage> {
        self.by_name(topic)?.partition(index)
    }

    pub(super) fn add_topic(&mut self, record: &TopicRecord) {
        let name: Arc<str> = record.name.as_str().into();
        self.names.insert(record.topic_id, Arc::clone(&name));
        let topic = TopicImage {
            name: Arc::clone(&name),
            id: record.topic_id,
            partitions: BTreeMap::new(),
        };
        self.by_name.insert(name, Arc::new(topic));
    }

    pub(super) fn add_partition(&mut self, record: &PartitionRecord) {
        if let Some(topic) = self.topic_mut(record.topic_id) {
            topic.partitions.insert(
                PartitionIndex(record.partition_id),
                PartitionImage::from_record(record),
            );
        }
    }

    pub(super) fn change_partition(&mut self, record: &PartitionChangeRecord) {
        let index = PartitionIndex(record.partition_id);
        let topic = self.topic_mut(record.topic_id);
        if let Some(partition) = topic.and_then(|topic| topic.partitions.get_mut(&index)) {
            partition.change(record);
        }
    }

    pub(super) fn remove_topic(&mut self, record: &RemoveTopicRecord) -> Option<Arc<TopicImage>> {
        let name = self.names.remove(&record.topic_id)?;
        self.by_name.remove(&name)
    }

    fn topic_mut(&mut self, id: Uuid) -> Option<&mut TopicImage> {
        let topic = self.by_name.get_mut(self.names.get(&id)?)?;
        Some(Arc::make_mut(topic))
    }

    pub(super) fn write(&self, records: &mut Vec<MetadataRecord>) {
        for topic in self.by_name.values() {
            records.push(MetadataRecord::Topic(TopicRecord {
                name: topic.name.as_ref().into(),
                topic_id: topic.id,
                ..Default::default()
            }));
            for (index, partition) in &topic.partitions {
                let record = partition.to_record(topic.id, *index);
                records.push(MetadataRecord::Partition(record));
            }
        }
    }
}

impl TopicImage {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    #[must_use]
    pub fn partition(&self, index: PartitionIndex) -> Option<&PartitionImage> {
        self.partitions.get(&index)
    }

    /// All partitions by index.
    #[must_use]
    pub fn partitions(&self) -> &BTreeMap<PartitionIndex, PartitionImage> {
        &self.partitions
    }
}

impl PartitionImage {
    /// A partition that nobody has written to, led by the first of its in-sync replicas.
    #[must_use]
    pub(in crate::controller) fn fresh(
        replicas: Vec<BrokerId>,
        directories: Vec<Uuid>,
        isr: Vec<BrokerId>,
    ) -> Self {
        Self {
            leader: isr.first().copied(),
            replicas,
            directories,
            isr,
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            leader_recovering: false,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            eligible_leader_replicas: Vec::new(),
            last_known_elr: Vec::new(),
        }
    }

    fn from_record(record: &PartitionRecord) -> Self {
        Self {
            replicas: brokers(&record.replicas),
            directories: record.directories.clone(),
            isr: brokers(&record.isr),
            removing_replicas: brokers(&record.removing_replicas),
            adding_replicas: brokers(&record.adding_replicas),
            leader: leader(record.leader),
            leader_recovering: record.leader_recovery_state != 0,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            eligible_leader_replicas: optional_brokers(record.eligible_leader_replicas.as_deref()),
            last_known_elr: optional_brokers(record.last_known_elr.as_deref()),
        }
    }

    pub(in crate::controller) fn to_record(
        &self,
        topic_id: Uuid,
        index: PartitionIndex,
    ) -> PartitionRecord {
        PartitionRecord {
            partition_id: index.0,
            topic_id,
            replicas: numbers(&self.replicas),
            isr: numbers(&self.isr),
            removing_replicas: numbers(&self.removing_replicas),
            adding_replicas: numbers(&self.adding_replicas),
            leader: self.leader.map_or(NO_LEADER, |leader| leader.0),
            leader_recovery_state: i8::from(self.leader_recovering),
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch,
            directories: self.directories.clone(),
            eligible_leader_replicas: some_unless_empty(&self.eligible_leader_replicas),
            last_known_elr: some_unless_empty(&self.last_known_elr),
            ..Default::default()
        }
    }

    fn change(&mut self, record: &PartitionChangeRecord) {
        if let Some(replicas) = &record.replicas {
            self.replicas = brokers(replicas);
        }
        if let Some(directories) = &record.directories {
            self.directories.clone_from(directories);
        }
        if let Some(isr) = &record.isr {
            self.isr = brokers(isr);
        }
        if let Some(removing) = &record.removing_replicas {
            self.removing_replicas = brokers(removing);
        }
        if let Some(adding) = &record.adding_replicas {
            self.adding_replicas = brokers(adding);
        }
        if let Some(elr) = &record.eligible_leader_replicas {
            self.eligible_leader_replicas = brokers(elr);
        }
        if let Some(elr) = &record.last_known_elr {
            self.last_known_elr = brokers(elr);
        }
        if record.leader_recovery_state >= 0 {
            self.leader_recovering = record.leader_recovery_state != 0;
        }
        if record.leader != SAME_LEADER {
            self.leader = leader(record.leader);
            self.leader_epoch = LeaderEpoch(self.leader_epoch.0 + 1);
        }
        self.partition_epoch += 1;
    }
}

fn leader(number: i32) -> Option<BrokerId> {
    (number != NO_LEADER).then_some(BrokerId(number))
}

fn brokers(numbers: &[i32]) -> Vec<BrokerId> {
    numbers.iter().copied().map(BrokerId).collect()
}

fn optional_brokers(numbers: Option<&[i32]>) -> Vec<BrokerId> {
    numbers.map(brokers).unwrap_or_default()
}

fn numbers(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

fn some_unless_empty(brokers: &[BrokerId]) -> Option<Vec<i32>> {
    (!brokers.is_empty()).then(|| numbers(brokers))
}
