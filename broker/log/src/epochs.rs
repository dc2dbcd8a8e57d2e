//! Where each leader epoch of a partition begins (KIP-101), and its file `leader-epoch-checkpoint`.
//!
//! Always: epochs and start offsets both rise. The file is derived data: the batches carry their epochs, so it is
//! written with the next flush and not with every new epoch, and rebuilt where it is missing.

use std::fmt::Write as _;

use ottla_protocol::types::{LeaderEpoch, Offset};

use crate::checkpoint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    pub epoch: LeaderEpoch,
    pub start: Offset,
}

/// What OffsetForLeaderEpoch answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    pub epoch: LeaderEpoch,
    /// Exclusive.
    pub end: Offset,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochStart>,
}

impl LeaderEpochs {
    #[must_use]
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|e| e.epoch)
    }

    #[must_use]
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// Notes that an epoch begins at an offset; whether anything changed. What contradicts it goes: entries with an
    /// epoch or a start at or above it belong to a history that was overwritten.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || start.0 < 0 {
            return false;
        }
        if let Some(last) = self.entries.last()
            && last.epoch == epoch
            && start >= last.start
        {
            return false;
        }
        while self
            .entries
            .last()
            .is_some_and(|e| e.epoch >= epoch || e.start >= start)
        {
            self.entries.pop();
        }
        self.entries.push(EpochStart { epoch, start });
        true
    }

    /// Forgets epochs that begin at or after the log's new end.
    pub(crate) fn truncate_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| e.start < end);
        self.entries.len() != before
    }

    /// Forgets epochs that ended before the log's new start; the one that spans it begins there now.
    pub(crate) fn truncate_start(&mut self, start: Offset) -> bool {
        let spanning = self.entries.partition_point(|e| e.start <= start);
        if spanning == 0 || (spanning == 1 && self.entries[0].start == start) {
            return false;
        }
        self.entries.drain(..spanning - 1);
        self.entries[0].start = start;
        true
    }

    /// The end of the largest epoch not above the one asked for, with `log_end` for the latest. None when the epoch is
    /// newer than anything known here. An epoch older than everything known ends where the log begins to know.
    #[must_use]
    pub fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        if epoch.0 < 0 {
            return None;
        }
        if self.latest() == Some(epoch) {
            return Some(EpochEnd {
                epoch,
                end: log_end,
            });
        }
        let higher = self.entries.partition_point(|e| e.epoch <= epoch);
        let end = self.entries.get(higher)?.start;
        let floor = higher
            .checked_sub(1)
            .map_or(epoch, |i| self.entries[i].epoch);
        Some(EpochEnd { epoch: floor, end })
    }

    /// The epoch that an offset was written in.
    #[must_use]
    pub fn at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let higher = self.entries.partition_point(|e| e.start <= offset);
        higher.checked_sub(1).map(|i| self.entries[i].epoch)
    }

    pub(crate) fn render(&self) -> String {
        let mut text = checkpoint::header(self.entries.len());
        for EpochStart { epoch, start } in &self.entries {
            let _ = writeln!(text, "{epoch} {start}");
        }
        text
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut epochs = Self::default();
        checkpoint::parse(bytes, |fields| match fields {
            [epoch, start] => {
                let entry = EpochStart {
                    epoch: LeaderEpoch(epoch.parse().ok()?),
                    start: Offset(start.parse().ok()?),
                };
                let rises = epochs
                    .entries
                    .last()
                    .is_none_or(|last| last.epoch < entry.epoch && last.start < entry.start);
                if !rises || entry.epoch.0 < 0 || entry.start.0 < 0 {
                    return None;
                }
                epochs.entries.push(entry);
                Some(())
            }
            _ => None,
        })?;
        Ok(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for &(epoch, start) in entries {
            epochs.assign(LeaderEpoch(epoch), Offset(start));
        }
        epochs
    }

    fn end_of(epochs: &LeaderEpochs, epoch: i32, log_end: i64) -> Option<(i32, i64)> {
        epochs
            .end_of(LeaderEpoch(epoch), Offset(log_end))
            .map(|e| (e.epoch.0, e.end.0))
    }

    #[test]
    fn end_of_an_epoch_is_the_start_of_the_next() {
        let e = epochs(&[(1, 10), (3, 20), (4, 30)]);
        assert_eq!(end_of(&e, 4, 99), Some((4, 99)));
        assert_eq!(end_of(&e, 3, 99), Some((3, 30)));
        assert_eq!(
            end_of(&e, 2, 99),
            Some((1, 20)),
            "a gap answers for the epoch below"
        );
        assert_eq!(end_of(&e, 0, 99), Some((0, 10)), "older than known");
        assert_eq!(end_of(&e, 5, 99), None, "newer than known");
        assert_eq!(end_of(&e, -1, 99), None);
        assert_eq!(end_of(&LeaderEpochs::default(), 0, 99), None);
    }

    #[test]
    fn a_new_epoch_overrides_a_history_that_was_overwritten() {
        let mut e = epochs(&[(1, 10), (2, 20), (3, 30)]);
        assert!(e.assign(LeaderEpoch(4), Offset(20)));
        assert_eq!(e, epochs(&[(1, 10), (4, 20)]));
        assert!(
            !e.assign(LeaderEpoch(4), Offset(25)),
            "the same epoch goes on"
        );
    }

    #[test]
    fn truncation_cuts_at_both_ends() {
        let mut e = epochs(&[(1, 0), (2, 20), (3, 30)]);
        assert!(e.truncate_end(Offset(30)));
        assert!(e.truncate_start(Offset(25)));
        assert_eq!(e, epochs(&[(2, 25)]));
        assert!(!e.truncate_start(Offset(25)));
        assert_eq!(e.at(Offset(26)), Some(LeaderEpoch(2)));
        assert_eq!(e.at(Offset(24)), None);
    }

    #[test]
    fn the_file_goes_both_ways_and_refuses_disorder() {
        let e = epochs(&[(0, 0), (7, 120)]);
        assert_eq!(e.render(), "0\n2\n0 0\n7 120\n");
        assert_eq!(LeaderEpochs::parse(e.render().as_bytes()).unwrap(), e);
        assert!(LeaderEpochs::parse(b"0\n2\n7 0\n0 120\n").is_err());
        assert!(LeaderEpochs::parse(b"0\n1\n7\n").is_err());
    }
}
