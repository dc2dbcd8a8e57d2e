//! The list of assignors that are built in, by the names configurations and members have for them.

use bytes::Bytes;

use super::{
    Assigned, Assignment, AssignorError, LastAssignment, Member, PartitionAssignor, Topics, range,
    roundrobin,
};

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

    fn label(self) -> &'static str {
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

    pub(in crate::consumer) fn of_class(class: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|assignor| assignor.class() == class)
            .or_else(|| Self::of_name(class))
    }

    pub(in crate::consumer) fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|assignor| assignor.label() == name)
    }

    pub(in crate::consumer) fn classes() -> String {
        Self::ALL.map(Self::class).join(", ")
    }
}

impl PartitionAssignor for Assignor {
    fn name(&self) -> &str {
        self.label()
    }

    fn user_data(&self, _last: Option<&LastAssignment>) -> Option<Bytes> {
        None
    }

    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Assignment, AssignorError> {
        let shares = match self {
            Self::Range => range::assign(topics, members),
            Self::RoundRobin => roundrobin::assign(topics, members),
        };
        let assigned = |partitions| Assigned {
            partitions,
            user_data: None,
        };
        Ok(shares
            .into_iter()
            .map(|(member, partitions)| (member, assigned(partitions)))
            .collect())
    }
}
