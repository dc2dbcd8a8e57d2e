//! Which partition a record goes to when its sender does not say.
//!
//! Always: the same key goes to the same partition as with every other client
//! (murmur2), as long as the number of partitions stays.

use std::{fmt, sync::Arc};

use ottla_protocol::murmur2::partition_for_key;

/// What a choice can be based on.
#[derive(Clone, Copy, Debug)]
pub struct PartitionInput<'a> {
    pub topic: &'a str,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub partitions: i32,
}

/// A choice made by the caller.
pub type CustomPartitioner = Arc<dyn Fn(&PartitionInput<'_>) -> i32 + Send + Sync>;

/// The ways to choose.
#[derive(Clone)]
pub enum Partitioner {
    /// By the key's hash; without a key, one partition until a batch's worth of bytes went there, then another at
    /// random (KIP-794).
    Default {
        ignore_keys: bool,
    },
    /// Each record to the next partition, whatever its key.
    RoundRobin,
    Custom(CustomPartitioner),
}

impl Default for Partitioner {
    fn default() -> Self {
        Self::Default { ignore_keys: false }
    }
}

impl fmt::Debug for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default { ignore_keys } => write!(f, "Default {{ ignore_keys: {ignore_keys} }}"),
            Self::RoundRobin => f.write_str("RoundRobin"),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

/// A choice, and whether it may move to another partition when the batch there is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Fixed(i32),
    Sticky(i32),
}

/// What a topic's choices depend on over time.
#[derive(Clone, Debug, Default)]
pub(super) struct PartitionState {
    /// Partitions with a leader, or all where none has one.
    available: Vec<i32>,
    sticky: Option<i32>,
    sticky_bytes: usize,
    round_robin: usize,
}

impl PartitionState {
    /// Takes over new metadata. A sticky partition that lost its leader is left.
    pub(super) fn set_available(&mut self, available: Vec<i32>) {
        if self
            .sticky
            .is_some_and(|sticky| !available.contains(&sticky))
        {
            self.sticky = None;
        }
        self.available = available;
    }

    pub(super) fn choose(
        &mut self,
        partitioner: &Partitioner,
        input: &PartitionInput<'_>,
    ) -> Choice {
        match (partitioner, input.key) {
            (Partitioner::Custom(choose), _) => Choice::Fixed(choose(input)),
            (Partitioner::RoundRobin, _) => Choice::Fixed(self.next_in_turn()),
            (Partitioner::Default { ignore_keys: false }, Some(key)) => {
                Choice::Fixed(partition_for_key(key, input.partitions))
            }
            (Partitioner::Default { .. }, _) => Choice::Sticky(match self.sticky {
                Some(sticky) => sticky,
                None => self.leave_sticky(rand::random()),
            }),
        }
    }

    /// Counts what went to the sticky partition.
    pub(super) fn count_sticky(&mut self, bytes: usize) {
        self.sticky_bytes += bytes;
    }

    /// Bytes that went to the sticky partition since it was chosen.
    pub(super) fn sticky_bytes(&self) -> usize {
        self.sticky_bytes
    }

    /// Moves to another partition where there is one.
    pub(super) fn leave_sticky(&mut self, random: u32) -> i32 {
        let current = self.sticky;
        let others = || {
            self.available
                .iter()
                .copied()
                .filter(|partition| Some(*partition) != current)
        };
        let next = match others().count() {
            0 => self.available.first().copied(),
            count => others().nth(random as usize % count),
        };
        let next = next.unwrap_or(0);
        self.sticky = Some(next);
        self.sticky_bytes = 0;
        next
    }

    fn next_in_turn(&mut self) -> i32 {
        let turn = self.round_robin;
        self.round_robin = turn.wrapping_add(1);
        match self.available.len() {
            0 => 0,
            count => self.available.get(turn % count).copied().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(key: Option<&'static [u8]>) -> PartitionInput<'static> {
        PartitionInput {
            topic: "t",
            key,
            value: None,
            partitions: 4,
        }
    }

    fn state(available: &[i32]) -> PartitionState {
        PartitionState {
            available: available.to_vec(),
            ..PartitionState::default()
        }
    }

    #[test]
    fn a_key_goes_where_every_other_client_sends_it_even_without_a_leader_there() {
        let partitioner = Partitioner::default();
        for (key, expected) in [
            (&b"key-1"[..], partition_for_key(b"key-1", 4)),
            (b"", partition_for_key(b"", 4)),
        ] {
            let choice = state(&[0]).choose(&partitioner, &input(Some(key)));
            assert_eq!(choice, Choice::Fixed(expected));
        }
    }

    #[test]
    fn without_a_key_records_stay_until_told_to_move_and_then_go_elsewhere() {
        let partitioner = Partitioner::default();
        let mut state = state(&[0, 1, 2]);
        let Choice::Sticky(first) = state.choose(&partitioner, &input(None)) else {
            panic!("not sticky")
        };
        assert_eq!(
            state.choose(&partitioner, &input(None)),
            Choice::Sticky(first)
        );
        for random in 0..10 {
            let before = state.sticky;
            let next = state.leave_sticky(random);
            assert_ne!(Some(next), before);
        }
    }

    #[test]
    fn with_ignored_keys_a_key_changes_nothing() {
        let choice = state(&[2]).choose(
            &Partitioner::Default { ignore_keys: true },
            &input(Some(b"k")),
        );
        assert_eq!(choice, Choice::Sticky(2));
    }

    #[test]
    fn round_robin_takes_turns_among_partitions_with_leaders() {
        let mut state = state(&[0, 2]);
        let turns: Vec<Choice> = (0..4)
            .map(|_| state.choose(&Partitioner::RoundRobin, &input(None)))
            .collect();
        assert_eq!(turns, [0, 2, 0, 2].map(Choice::Fixed));
    }

    #[test]
    fn a_sticky_partition_without_a_leader_is_left() {
        let mut state = state(&[1]);
        state.choose(&Partitioner::default(), &input(None));
        state.set_available(vec![3]);
        assert_eq!(
            state.choose(&Partitioner::default(), &input(None)),
            Choice::Sticky(3)
        );
    }
}
