//! The numbers of the domain as types, so that an offset can't be taken for an epoch.
//!
//! Generated messages carry plain integers, as the wire does; handlers wrap them at the edge and everything
//! behind (log, coordination) speaks these. Arithmetic exists only where it means something.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number!(
    /// Position of a record in a partition. -1 stands for "none" on the wire only.
    Offset(i64)
);
number!(
    /// How often a partition's leadership has changed hands (KIP-101). -1: unknown to the client.
    LeaderEpoch(i32)
);
number!(
    /// `node.id` of a broker or controller.
    BrokerId(i32)
);
number!(
    /// Index of a partition within its topic.
    PartitionIndex(i32)
);
number!(
    /// Identity of an idempotent or transactional producer (KIP-98). -1: none.
    ProducerId(i64)
);
number!(
    /// Fences older instances of the same producer (KIP-98). -1: none.
    ProducerEpoch(i16)
);
number!(
    /// Generation of a classic group; rises with every completed rebalance.
    Generation(i32)
);
number!(
    /// Milliseconds: a wall-clock time since 1970, or a duration; the name of the variable says which.
    Millis(i64)
);

impl Offset {
    /// First offset of every partition.
    pub const ZERO: Self = Self(0);

    /// The offset right after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// This offset moved by a number of records.
    #[must_use]
    pub const fn plus(self, records: i64) -> Self {
        Self(self.0.saturating_add(records))
    }

    /// How many offsets lie from `start` (inclusive) to here (exclusive).
    #[must_use]
    pub const fn since(self, start: Self) -> i64 {
        self.0.saturating_sub(start.0)
    }
}

impl ProducerId {
    /// What a batch without a producer carries.
    pub const NONE: Self = Self(-1);
}

impl Millis {
    /// This point in time moved by a duration.
    #[must_use]
    pub const fn plus(self, duration: Self) -> Self {
        Self(self.0.saturating_add(duration.0))
    }
}
