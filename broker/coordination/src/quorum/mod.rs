//! The metadata quorum, as far as a quorum of one needs it.
//!
//! Owns: the epoch, the vote for oneself at every start, the leader-change control record, the high watermark.
//! Always: the epoch rises with every start, and is durable (`quorum-state`) before anything is written in it; the
//! high watermark is the flushed end of the metadata log and never falls.
//! Not here: other voters. Elections, fetching and truncation are added with them; the state on disk is already
//! theirs.

use ottla_protocol::messages::LeaderChangeMessage;
use ottla_protocol::messages::leader_change_message::Voter;
use ottla_protocol::types::{BrokerId, LeaderEpoch, Offset};
use ottla_protocol::wire::Uuid;

/// What the file `quorum-state` holds, in version 1 of the reference's `QuorumStateData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumState {
    pub leader_id: Option<BrokerId>,
    pub leader_epoch: LeaderEpoch,
    pub voted_id: Option<BrokerId>,
    pub voted_directory_id: Option<Uuid>,
}

impl Default for QuorumState {
    /// A node that has never voted.
    fn default() -> Self {
        Self {
            leader_id: None,
            leader_epoch: LeaderEpoch(0),
            voted_id: None,
            voted_directory_id: None,
        }
    }
}

/// The leader of a quorum whose only voter it is.
#[derive(Debug)]
pub struct SoleVoter {
    node_id: BrokerId,
    directory_id: Uuid,
    state: QuorumState,
    high_watermark: Offset,
}

impl SoleVoter {
    /// Wins the election that a start is. The caller makes `state()` durable, then appends `leader_change()`.
    ///
    /// `log_epoch` is the epoch of the log's last batch: a lost `quorum-state` must not take epochs back.
    #[must_use]
    pub fn elect(
        node_id: BrokerId,
        directory_id: Uuid,
        last: QuorumState,
        log_epoch: LeaderEpoch,
    ) -> Self {
        let epoch = LeaderEpoch(last.leader_epoch.0.max(log_epoch.0).saturating_add(1));
        Self {
            node_id,
            directory_id,
            state: QuorumState {
                leader_id: Some(node_id),
                leader_epoch: epoch,
                voted_id: Some(node_id),
                voted_directory_id: Some(directory_id),
            },
            high_watermark: Offset::ZERO,
        }
    }

    /// What has to be on disk before the epoch's first record is.
    #[must_use]
    pub fn state(&self) -> QuorumState {
        self.state
    }

    #[must_use]
    pub fn leader(&self) -> BrokerId {
        self.node_id
    }

    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        self.state.leader_epoch
    }

    /// The control record that opens the epoch.
    #[must_use]
    pub fn leader_change(&self) -> LeaderChangeMessage {
        let voter = Voter {
            voter_id: self.node_id.0,
            voter_directory_id: self.directory_id,
            ..Default::default()
        };
        LeaderChangeMessage {
            leader_id: self.node_id.0,
            voters: vec![voter.clone()],
            granting_voters: vec![voter],
            ..Default::default()
        }
    }

    /// The log is durable up to `end`. With one voter that is a majority.
    pub fn flushed(&mut self, end: Offset) {
        self.high_watermark = self.high_watermark.max(end);
    }

    /// Records below are committed.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: BrokerId = BrokerId(1);
    const DIRECTORY: Uuid = Uuid([7; 16]);

    #[test]
    fn every_start_opens_a_higher_epoch() {
        let first = SoleVoter::elect(NODE, DIRECTORY, QuorumState::default(), LeaderEpoch(0));
        assert_eq!(first.epoch(), LeaderEpoch(1));
        let second = SoleVoter::elect(NODE, DIRECTORY, first.state(), LeaderEpoch(1));
        assert_eq!(second.epoch(), LeaderEpoch(2));
    }

    #[test]
    fn a_lost_quorum_state_file_does_not_take_epochs_back() {
        let voter = SoleVoter::elect(NODE, DIRECTORY, QuorumState::default(), LeaderEpoch(9));
        assert_eq!(voter.epoch(), LeaderEpoch(10));
    }

    #[test]
    fn the_high_watermark_is_the_flushed_end_and_never_falls() {
        let mut voter = SoleVoter::elect(NODE, DIRECTORY, QuorumState::default(), LeaderEpoch(0));
        voter.flushed(Offset(5));
        voter.flushed(Offset(3));
        assert_eq!(voter.high_watermark(), Offset(5));
    }
}
