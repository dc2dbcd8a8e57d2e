//! Who of a group's members gets which partitions; the group's leader decides for all.
//!
//! Pure. Always: the same members and topics give the same answer in every client of every language, since any of
//! them may be the leader.

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

    pub(super) fn classes() -> String {
        Self::ALL.map(Self::class).join(", ")
    }
}
