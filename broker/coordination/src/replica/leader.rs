//! High watermark and in-sync replicas, as the leader of one partition sees them.
//!
//! Always: high watermark = the least end of the in-sync replicas, and it never falls; the leader is one of them.
//! An end counts as far as its replica vouches for it: where the partition's durability is `disk`, up to the last
//! `fdatasync`. One replica is the same formula with one term.
//! Not here: shrinking and growing the in-sync set, which comes with the second replica.

use std::collections::BTreeMap;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::{BrokerId, Offset};

/// Replication of one partition from its leader's side.
#[derive(Clone, Debug)]
pub struct LeaderState {
    leader: BrokerId,
    in_sync_ends: BTreeMap<BrokerId, Offset>,
    high_watermark: Offset,
}

/// How a produce request with `acks=all` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcksAll {
    Waiting,
    Done,
    /// Everyone in sync has it, but they are fewer than `min.insync.replicas`: the client may try again.
    Failed(ErrorCode),
}

impl LeaderState {
    /// The leader takes over with the high watermark that it had stored; followers have to show how far they are.
    #[must_use]
    pub fn new(
        leader: BrokerId,
        isr: impl IntoIterator<Item = BrokerId>,
        high_watermark: Offset,
    ) -> Self {
        let mut in_sync_ends: BTreeMap<BrokerId, Offset> =
            isr.into_iter().map(|id| (id, Offset::ZERO)).collect();
        in_sync_ends.insert(leader, high_watermark);
        Self {
            leader,
            in_sync_ends,
            high_watermark,
        }
    }

    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    #[must_use]
    pub fn isr_size(&self) -> usize {
        self.in_sync_ends.len()
    }

    /// The leader vouches for everything before `end`. Tells whether the high watermark moved.
    pub fn leader_end(&mut self, end: Offset) -> bool {
        self.replica_end(self.leader, end)
    }

    /// An in-sync replica vouches for everything before `end`. Tells whether the high watermark moved.
    pub fn replica_end(&mut self, replica: BrokerId, end: Offset) -> bool {
        let Some(known) = self.in_sync_ends.get_mut(&replica) else {
            return false;
        };
        *known = (*known).max(end);
        let least = self.in_sync_ends.values().min().copied();
        let moved = least.is_some_and(|least| least > self.high_watermark);
        if moved {
            self.high_watermark = least.unwrap_or(self.high_watermark);
        }
        moved
    }

    /// Before an append with `acks=all`: whether enough replicas are in sync.
    pub fn check_min_insync(&self, min_insync_replicas: usize) -> Result<(), ErrorCode> {
        if self.isr_size() < min_insync_replicas {
            return Err(ErrorCode::NotEnoughReplicas);
        }
        Ok(())
    }

    /// After an append with `acks=all` that ended at `end`.
    #[must_use]
    pub fn acks_all(&self, end: Offset, min_insync_replicas: usize) -> AcksAll {
        if self.high_watermark < end {
            AcksAll::Waiting
        } else if self.isr_size() < min_insync_replicas {
            AcksAll::Failed(ErrorCode::NotEnoughReplicasAfterAppend)
        } else {
            AcksAll::Done
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: BrokerId = BrokerId(1);
    const FOLLOWER: BrokerId = BrokerId(2);

    #[test]
    fn alone_the_leader_moves_the_high_watermark() {
        let mut state = LeaderState::new(LEADER, [LEADER], Offset(3));
        assert_eq!(state.acks_all(Offset(5), 1), AcksAll::Waiting);
        assert!(state.leader_end(Offset(5)));
        assert!(!state.leader_end(Offset(4)), "ends do not fall");
        assert_eq!(state.high_watermark(), Offset(5));
        assert_eq!(state.acks_all(Offset(5), 1), AcksAll::Done);
    }

    #[test]
    fn the_slowest_replica_in_sync_holds_the_high_watermark() {
        let mut state = LeaderState::new(LEADER, [LEADER, FOLLOWER], Offset(0));
        assert!(!state.leader_end(Offset(9)));
        assert!(state.replica_end(FOLLOWER, Offset(4)));
        assert_eq!(state.high_watermark(), Offset(4));
        assert!(!state.replica_end(BrokerId(7), Offset(9)), "not in sync");
    }

    #[test]
    fn fewer_in_sync_than_asked_for_is_refused_before_and_after_the_append() {
        let mut state = LeaderState::new(LEADER, [LEADER], Offset(0));
        assert_eq!(state.check_min_insync(2), Err(ErrorCode::NotEnoughReplicas));
        assert_eq!(state.check_min_insync(1), Ok(()));
        state.leader_end(Offset(1));
        let failed = AcksAll::Failed(ErrorCode::NotEnoughReplicasAfterAppend);
        assert_eq!(state.acks_all(Offset(1), 2), failed);
    }
}
