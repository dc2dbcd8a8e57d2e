//! Members of a group whose coordinator assigns (KIP-848): each takes up at once what it is told, and gives the rest up
//! before it speaks again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_coordination::controller::MetadataImage;
use ottla_coordination::group::topics::Topics;
use ottla_coordination::group::{
    ClusterUpdate, Command, ConsumerGroup, ConsumerHeartbeat, ConsumerSettings,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::consumer_group_heartbeat::request::TopicPartitions;
use ottla_protocol::messages::metadata::{MetadataRecord, PartitionRecord, TopicRecord};
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use ottla_protocol::wire::Uuid;

use crate::client::{REBALANCE_MS, commit};

pub(crate) const GROUP: &str = "k";
const TOPIC: &str = "t";
const TOPIC_ID: Uuid = Uuid([7; 16]);
const PARTITIONS: i32 = 5;

/// One consumer, as it knows itself.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) member_id: String,
    /// 0: not in the group.
    pub(crate) epoch: i32,
    /// What it works on.
    pub(crate) owned: BTreeSet<i32>,
    /// What it was told last.
    told: BTreeSet<i32>,
    /// It says all of itself again: it joins, it owns other partitions than before, or it missed an answer.
    says_all: bool,
    pub(crate) is_waiting: bool,
}

impl Consumer {
    pub(crate) fn new(member_id: String) -> Self {
        Self {
            member_id,
            epoch: 0,
            owned: BTreeSet::new(),
            told: BTreeSet::new(),
            says_all: true,
            is_waiting: false,
        }
    }

    pub(crate) fn heartbeat(&mut self) -> Command {
        let kept: BTreeSet<i32> = self.owned.intersection(&self.told).copied().collect();
        self.says_all |= kept != self.owned;
        self.owned = kept;
        let partitions: Vec<i32> = self.owned.iter().copied().collect();
        let topic = TopicPartitions {
            topic_id: TOPIC_ID,
            partitions,
            ..Default::default()
        };
        let owned = match self.epoch {
            0 => Vec::new(),
            _ => vec![topic],
        };
        Command::ConsumerGroupHeartbeat(ConsumerHeartbeat {
            request: ConsumerGroupHeartbeatRequest {
                group_id: GROUP.into(),
                member_id: self.member_id.as_str().into(),
                member_epoch: self.epoch,
                rebalance_timeout_ms: if self.says_all { REBALANCE_MS } else { -1 },
                subscribed_topic_names: self.says_all.then(|| vec![TOPIC.into()]),
                topic_partitions: self.says_all.then_some(owned),
                ..Default::default()
            },
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            candidate_member_id: None,
        })
    }

    /// Commits as a member of its epoch.
    pub(crate) fn commit(&self, offset: i64) -> Command {
        let epoch = if self.epoch == 0 { -1 } else { self.epoch };
        commit(GROUP, &self.member_id, epoch, offset)
    }

    pub(crate) fn heard(&mut self, response: &ConsumerGroupHeartbeatResponse) {
        if response.error_code != ErrorCode::None.code() {
            *self = Self::new(self.member_id.clone());
            return;
        }
        self.says_all = false;
        self.epoch = response.member_epoch;
        if let Some(assignment) = &response.assignment {
            let topics = assignment.topic_partitions.iter();
            self.told = topics
                .flat_map(|topic| topic.partitions.iter().copied())
                .collect();
            self.says_all = self.owned != self.told;
            self.owned.extend(self.told.iter().copied());
        }
    }

    /// It does not know what became of its request.
    pub(crate) fn failed(&mut self) {
        self.says_all = true;
    }
}

/// What a broker that starts tells its groups of the cluster.
pub(crate) fn cluster(settings: ConsumerSettings) -> Command {
    let mut image = MetadataImage::default();
    let topic = TopicRecord {
        name: TOPIC.into(),
        topic_id: TOPIC_ID,
        ..Default::default()
    };
    image.apply(image.end(), &MetadataRecord::Topic(topic));
    for partition_id in 0..PARTITIONS {
        let partition = PartitionRecord {
            topic_id: TOPIC_ID,
            partition_id,
            ..Default::default()
        };
        image.apply(image.end(), &MetadataRecord::Partition(partition));
    }
    Command::ClusterChanged(ClusterUpdate {
        topics: Topics::new(image),
        changed: Arc::new(BTreeSet::from([TOPIC.to_owned()])),
        has_new_topics: true,
        settings,
    })
}

/// What the reference guarantees of ownership, that is at the coordinator: no partition has two owners at any time, also not
/// after a power cut that took the one of two batches which gave a partition up, or put its owner out. A member that was
/// put out may go on with what it was told until it hears of it, as in the reference; so of members that the group still has,
/// each is in work on what is its alone, in an epoch that the group knows.
pub(crate) fn check(group: Option<&ConsumerGroup>, consumers: &[Consumer]) {
    let Some(group) = group else {
        // The last of them may have been put out.
        return;
    };
    let mut owners: BTreeMap<i32, &str> = BTreeMap::new();
    for (_, partition, member) in group.owners() {
        let other = owners.insert(partition, member);
        assert_eq!(other, None, "{partition} is {member}'s, too");
    }
    let (epoch, _, members) = group.epochs();
    let told = consumers.iter().map(|consumer| consumer.epoch).max();
    assert!(
        told.is_none_or(|told| told <= epoch),
        "{told:?} was told, the group is in {epoch}"
    );
    let members: BTreeMap<&str, i32> = members.collect();
    let mut working: BTreeMap<i32, &str> = BTreeMap::new();
    for consumer in consumers.iter().filter(|consumer| consumer.epoch > 0) {
        let Some(stored) = members.get(consumer.member_id.as_str()) else {
            continue;
        };
        assert!(*stored >= consumer.epoch, "{consumer:?} is in {stored}");
        for partition in &consumer.owned {
            let other = working.insert(*partition, &consumer.member_id);
            assert_eq!(
                other, None,
                "{partition} is worked on by {}, too",
                consumer.member_id
            );
        }
    }
}

/// In the end every partition is worked on by one.
pub(crate) fn check_at_rest(consumers: &[Consumer]) {
    let mut working: Vec<i32> = consumers
        .iter()
        .flat_map(|one| one.owned.iter().copied())
        .collect();
    working.sort_unstable();
    assert_eq!(
        working,
        (0..PARTITIONS).collect::<Vec<_>>(),
        "{consumers:?}"
    );
}
