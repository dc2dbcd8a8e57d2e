//! The list of assignors that are built in, by the names configurations and members have for them.

use bytes::Bytes;

use super::{
    Assigned, Assignment, AssignorError, LastAssignment, Member, PartitionAssignor, Topics, range,
    roundrobin, sticky,
};

/// How partitions are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Topic by topic, each member a run of neighbouring partitions.
    Range,
    /// All partitions of all topics dealt out in turn.
    RoundRobin,
    /// Evenly over all topics, each member keeping what it had as far as that is fair.
    Sticky,
    /// The same without anybody letting go what it keeps (KIP-429).
    CooperativeSticky,
}

impl Assignor {
    const ALL: [Self; 4] = [
        Self::Range,
        Self::RoundRobin,
        Self::Sticky,
        Self::CooperativeSticky,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The reference's class, as configurations name it.
    fn class(self) -> &'static str {
        match self {
            Self::Range => "org.apache.kafka.clients.consumer.RangeAssignor",
            Self::RoundRobin => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            Self::Sticky => "org.apache.kafka.clients.consumer.StickyAssignor",
            Self::CooperativeSticky => {
                "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
            }
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

    fn is_cooperative(&self) -> bool {
        *self == Self::CooperativeSticky
    }

    fn user_data(&self, last: Option<&LastAssignment>) -> Option<Bytes> {
        match self {
            Self::Range | Self::RoundRobin => None,
            Self::Sticky => sticky::sticky_user_data(last),
            Self::CooperativeSticky => sticky::cooperative_user_data(last),
        }
    }

    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Assignment, AssignorError> {
        let shares = match self {
            Self::Range => range::assign(topics, members),
            Self::RoundRobin => roundrobin::assign(topics, members),
            Self::Sticky => sticky::assign(topics, &sticky::in_leaders_order(members)),
            Self::CooperativeSticky => {
                sticky::assign_cooperatively(topics, &sticky::in_leaders_order(members))
            }
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
