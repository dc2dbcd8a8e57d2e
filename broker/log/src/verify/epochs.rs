//! `leader-epoch-checkpoint` against the epochs in the batches' headers. No checksum covers either: where they differ,
//! the batches around decide which of them is wrong.

use std::path::Path;

use ottla_protocol::records::BatchHeader;
use ottla_protocol::types::{LeaderEpoch, Offset};

use super::finding::{MISSING, Stretch};
use super::partition::Piece;
use crate::disk::{Disk, read_file_if_there};
use crate::{LeaderEpochs, names};

/// A line for each change of leadership.
const SIZE_MAX: u64 = 64 << 20;

/// A batch whose epoch alone is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrongEpoch {
    pub(super) segment: Offset,
    pub(super) stretch: Stretch,
    pub(super) found: LeaderEpoch,
    pub(super) right: LeaderEpoch,
}

pub(super) struct EpochCheck {
    file: Result<LeaderEpochs, String>,
    /// What is wrong with the file.
    problem: Option<String>,
    /// A batch that contradicts the file: the next one tells who is right.
    doubted: Option<WrongEpoch>,
    /// Epoch of the last batch, how many batches had it, and the epoch before.
    last: Option<(LeaderEpoch, u64, Option<LeaderEpoch>)>,
    last_batch: Option<(Offset, Stretch)>,
}

impl EpochCheck {
    pub(super) fn open(disk: &dyn Disk, dir: &Path) -> Self {
        let file = match read_file_if_there(disk, &dir.join(names::LEADER_EPOCHS), SIZE_MAX) {
            Ok(Some(bytes)) => LeaderEpochs::parse(&bytes),
            Ok(None) => Err(MISSING.to_owned()),
            Err(error) => Err(error.to_string()),
        };
        Self {
            file,
            ..Self::none()
        }
    }

    /// One that has been asked for its last word.
    pub(super) fn none() -> Self {
        Self {
            file: Ok(LeaderEpochs::default()),
            problem: None,
            doubted: None,
            last: None,
            last_batch: None,
        }
    }

    /// A batch that is now known to be wrong: this one, or the one before.
    pub(super) fn on_batch(
        &mut self,
        header: &BatchHeader,
        segment: Offset,
        stretch: Stretch,
    ) -> Option<WrongEpoch> {
        let found = header.partition_leader_epoch;
        let here = WrongEpoch {
            segment,
            stretch,
            found,
            right: found,
        };
        let wrong = match &self.file {
            Ok(epochs) if self.problem.is_none() => {
                let entries = epochs.entries();
                let behind = entries.partition_point(|e| e.start <= header.base_offset);
                if entries
                    .get(behind)
                    .is_some_and(|e| e.start < header.next_offset())
                {
                    self.problem = Some("an epoch begins inside of a batch".to_owned());
                }
                let by_file = behind.checked_sub(1).map(|i| entries[i].epoch);
                self.against_file(here, by_file)
            }
            _ => self.against_neighbours(here),
        };
        let right = match wrong {
            Some(wrong) if wrong.stretch == stretch => wrong.right,
            _ => found,
        };
        self.last = match self.last {
            Some((last, batches, before)) if last == right => Some((last, batches + 1, before)),
            last => Some((right, 1, last.map(|(last, ..)| last))),
        };
        self.last_batch = Some((segment, stretch));
        wrong
    }

    /// Offsets by the epoch they belong to, as far as that is known.
    pub(super) fn pieces(&self, from: Offset, to: Offset) -> Vec<Piece> {
        let last = self.last.map_or(LeaderEpoch(0), |(last, ..)| last);
        let entries = match &self.file {
            Ok(epochs) if self.problem.is_none() => epochs.entries(),
            _ => &[],
        };
        let begin = entries.partition_point(|e| e.start <= from);
        let mut epoch = begin.checked_sub(1).map_or(last, |i| entries[i].epoch);
        let mut pieces = Vec::new();
        let mut at = from;
        for entry in entries[begin..].iter().take_while(|e| e.start < to) {
            pieces.push(Piece {
                from: at,
                to: entry.start,
                epoch,
            });
            (at, epoch) = (entry.start, entry.epoch);
        }
        if at < to {
            pieces.push(Piece {
                from: at,
                to,
                epoch,
            });
        }
        pieces
    }

    fn against_file(
        &mut self,
        here: WrongEpoch,
        by_file: Option<LeaderEpoch>,
    ) -> Option<WrongEpoch> {
        if by_file == Some(here.found) {
            return self.doubted.take();
        }
        // Batches of very old formats have none, and neither have the batches of a follower that was never led.
        if here.found.0 < 0 && by_file.is_none() {
            return None;
        }
        if let Some(doubted) = self.doubted.take() {
            let (found, start) = (doubted.found, doubted.stretch.first_offset);
            self.problem = Some(format!(
                "from offset {start} on the batches have epoch {found}"
            ));
            return None;
        }
        match by_file {
            Some(right) => self.doubted = Some(WrongEpoch { right, ..here }),
            None => {
                let start = here.stretch.first_offset;
                self.problem = Some(format!("it has no epoch for offset {start}"));
            }
        }
        None
    }

    /// Epochs never fall. One batch alone that rises above what follows it is the one that is wrong.
    fn against_neighbours(&mut self, here: WrongEpoch) -> Option<WrongEpoch> {
        let (last, batches, before) = self.last?;
        if here.found >= last {
            return None;
        }
        match (self.last_batch, before) {
            (Some((segment, stretch)), Some(before)) if batches == 1 && before <= here.found => {
                self.last = Some((here.found, 0, Some(before)));
                Some(WrongEpoch {
                    segment,
                    stretch,
                    found: last,
                    right: before,
                })
            }
            _ => Some(WrongEpoch {
                right: last,
                ..here
            }),
        }
    }

    /// The last batch, if it can only be wrong; what is wrong with the file.
    pub(super) fn at_end(self, log_end: Offset) -> (Option<WrongEpoch>, Option<String>) {
        let epochs = match self.file {
            Ok(epochs) => epochs,
            // A log that never had a batch may lack it.
            Err(reason) => return (None, self.last_batch.map(|_| reason)),
        };
        if self.problem.is_some() {
            return (None, self.problem);
        }
        if let Some(doubted) = self.doubted {
            // An epoch newer than the file's may not have got there before a crash.
            let is_newer = epochs.latest().is_some_and(|latest| doubted.found > latest);
            let found = doubted.found;
            return if is_newer {
                (
                    None,
                    Some(format!("it does not know epoch {found} of the last batch")),
                )
            } else {
                (Some(doubted), None)
            };
        }
        let misplaced = epochs.entries().iter().find(|e| e.start > log_end);
        let problem = misplaced.map(|e| {
            format!(
                "epoch {} begins at {}, behind the log's end {log_end}",
                e.epoch, e.start
            )
        });
        (None, problem)
    }
}
