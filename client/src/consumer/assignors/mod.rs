//! Who of a group's members gets which partitions; the group's leader decides for all.
//!
//! Pure. Always: the same members and topics give the same answer in every client of every language, since any of
//! them may be the leader.

use std::collections::{BTreeMap, BTreeSet};

use crate::admin::TopicPartition;

mod range;
mod roundrobin;
#[cfg(test)]
mod vectors;

/// A member as the group's leader knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) instance_id: Option<String>,
    pub(super) rack: Option<String>,
    pub(super) topics: BTreeSet<String>,
}

impl Member {
    fn subscribes(&self, topic: &str) -> bool {
        self.topics.contains(topic)
    }

    fn rack(&self) -> Option<&str> {
        self.rack.as_deref().filter(|rack| !rack.is_empty())
    }
}

/// Topics that exist; per partition the racks of its replicas.
pub(super) type Topics = BTreeMap<String, Vec<BTreeSet<String>>>;

/// Partitions by member id; every member is in it.
pub(super) type Assignment = BTreeMap<String, Vec<TopicPartition>>;

fn empty_assignment(members: &[Member]) -> Assignment {
    let entry = |member: &Member| (member.id.clone(), Vec::new());
    members.iter().map(entry).collect()
}

/// Static members first, by their lasting names, so that a restart changes nothing; the others by id.
fn in_order(members: &[Member]) -> Vec<&Member> {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by_key(|m| {
        (
            m.instance_id.is_none(),
            m.instance_id.as_deref(),
            m.id.as_str(),
        )
    });
    members
}

fn subscribers<'a>(topic: &str, members: &'a [Member]) -> Vec<&'a Member> {
    let mut members = in_order(members);
    members.retain(|member| member.subscribes(topic));
    members
}

/// How partitions are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Topic by topic, each member a run of neighbouring partitions.
    Range,
    /// All partitions of all topics dealt out in turn.
    RoundRobin,
}

impl Assignor {
    const ALL: [Self; 2] = [Self::Range, Self::RoundRobin];

    pub(super) fn assign(self, topics: &Topics, members: &[Member]) -> Assignment {
        match self {
            Self::Range => range::assign(topics, members),
            Self::RoundRobin => roundrobin::assign(topics, members),
        }
    }

    /// As members call it among each other.
    pub fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
        }
    }

    /// The reference's class, as configurations name it.
    fn class(self) -> &'static str {
        match self {
            Self::Range => "org.apache.kafka.clients.consumer.RangeAssignor",
            Self::RoundRobin => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        }
    }

    pub(super) fn of_class(class: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|assignor| assignor.class() == class || assignor.name() == class)
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|assignor| assignor.name() == name)
    }

    pub(super) fn classes() -> String {
        Self::ALL.map(Self::class).join(", ")
    }
}
