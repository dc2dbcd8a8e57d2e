//! The assigned partitions, each with where it is read and what is missing before it can be.
//!
//! Pure. Always: position ≤ fetch_offset; what lies between them is in pieces. A partition is fetched only with a
//! valid position. Not here: asking anybody for offsets, the pieces themselves.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{admin::TopicPartition, cluster::Backoff};

use super::settings::OffsetReset;

/// What a partition waits for before it can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The group's committed offset.
    Committed,
    /// An offset of the log.
    Reset(OffsetReset),
    /// Nothing: the position is valid.
    Ready,
}

#[derive(Debug)]
pub(super) struct Partition {
    phase: Phase,
    /// The question of the phase is on its way.
    is_asked: bool,
    failures: u32,
    not_before: Option<Instant>,
    /// Offset of the next record to be handed out.
    position: i64,
    /// Leader epoch of the record before the position.
    position_epoch: Option<i32>,
    /// Offset the next fetch asks for.
    fetch_offset: i64,
    pub(super) is_paused: bool,
    /// Pieces that wait to be handed out.
    pub(super) pieces: usize,
    /// Fetching stops until the pieces are handed out: the last of them, or the broker's last answer, is not sound.
    pub(super) is_blocked: bool,
    pub(super) end: Option<LogEnd>,
}

/// What the last answer told about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogEnd {
    pub(super) high_watermark: i64,
    pub(super) last_stable: i64,
}

impl Partition {
    fn new(phase: Phase) -> Self {
        Self {
            phase,
            is_asked: false,
            failures: 0,
            not_before: None,
            position: 0,
            position_epoch: None,
            fetch_offset: 0,
            is_paused: false,
            pieces: 0,
            is_blocked: false,
            end: None,
        }
    }

    /// Where the next record comes from, once that is known.
    pub(super) fn position(&self) -> Option<i64> {
        (self.phase == Phase::Ready).then_some(self.position)
    }

    /// Leader epoch of the record before the position.
    pub(super) fn position_epoch(&self) -> Option<i32> {
        self.position_epoch
    }

    /// What the next fetch asks for, where one makes sense.
    pub(super) fn to_fetch(&self, now: Instant) -> Option<i64> {
        let may = self.phase == Phase::Ready
            && !self.is_paused
            && !self.is_blocked
            && self.not_before.is_none_or(|at| at <= now);
        may.then_some(self.fetch_offset)
    }

    /// When fetching is to be tried again after an error.
    pub(super) fn retry_at(&self, now: Instant) -> Option<Instant> {
        let waits = self.phase == Phase::Ready && !self.is_paused && !self.is_blocked;
        self.not_before.filter(|at| waits && *at > now)
    }

    /// Whether an answer to a fetch at this offset is still of interest.
    pub(super) fn awaits(&self, fetch_offset: i64) -> bool {
        self.phase == Phase::Ready && !self.is_blocked && self.fetch_offset == fetch_offset
    }

    /// Moves to an offset the caller or a lookup has chosen. Its pieces must be dropped.
    fn place(&mut self, offset: i64, epoch: Option<i32>) {
        self.phase = Phase::Ready;
        self.position = offset;
        self.position_epoch = epoch;
        self.refetch();
        self.settle();
    }

    /// Fetches again from the position. Its pieces must be dropped.
    pub(super) fn refetch(&mut self) {
        self.fetch_offset = self.position;
        self.is_blocked = false;
        self.pieces = 0;
    }

    /// The last question has been answered.
    pub(super) fn settle(&mut self) {
        self.is_asked = false;
        self.failures = 0;
        self.not_before = None;
    }

    /// A piece was taken in.
    pub(super) fn fetched(&mut self, next_offset: i64) {
        self.fetch_offset = self.fetch_offset.max(next_offset);
        self.pieces += 1;
        self.settle();
    }

    /// Records before this offset have been handed out, or are of no interest to the application.
    pub(super) fn advance(&mut self, offset: i64, epoch: Option<i32>) {
        if offset > self.position {
            self.position = offset;
            self.position_epoch = epoch;
            self.fetch_offset = self.fetch_offset.max(offset);
        }
    }

    /// A piece has been handed out whole.
    pub(super) fn drained(&mut self) {
        self.pieces = self.pieces.saturating_sub(1);
        if self.pieces == 0 {
            self.is_blocked = false;
        }
    }

    /// The question failed in a way that may pass.
    pub(super) fn retry(&mut self, backoff: &Backoff, now: Instant) {
        self.is_asked = false;
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + backoff.after(self.failures).min(LONGEST_WAIT));
    }

    /// Starts anew from an offset of the log. Its pieces must be dropped.
    fn reset(&mut self, reset: OffsetReset) {
        self.phase = Phase::Reset(reset);
        self.is_blocked = false;
        self.pieces = 0;
        self.settle();
    }
}

const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A partition has neither a committed offset nor a rule where to begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoReset;

/// All assigned partitions in order.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    map: BTreeMap<TopicPartition, Partition>,
    /// False only where every partition is ready and none waits to be asked again: spares a walk per poll.
    may_be_unsettled: bool,
}

impl Partitions {
    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&TopicPartition, &Partition)> {
        self.map.iter()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &TopicPartition> {
        self.map.keys()
    }

    pub(super) fn get(&self, at: &TopicPartition) -> Option<&Partition> {
        self.map.get(at)
    }

    pub(super) fn get_mut(&mut self, at: &TopicPartition) -> Option<&mut Partition> {
        self.map.get_mut(at)
    }

    /// Makes exactly these the assigned ones; those that stay keep their state.
    pub(super) fn assign(
        &mut self,
        wanted: impl IntoIterator<Item = TopicPartition>,
        first: Phase,
    ) {
        let mut before = std::mem::take(&mut self.map);
        for at in wanted {
            let kept = before.remove(&at);
            self.map
                .insert(at, kept.unwrap_or_else(|| Partition::new(first)));
        }
        self.may_be_unsettled = true;
    }

    /// The caller's or a lookup's choice.
    pub(super) fn place(&mut self, at: &TopicPartition, offset: i64, epoch: Option<i32>) -> bool {
        let Some(partition) = self.map.get_mut(at) else {
            return false;
        };
        partition.place(offset, epoch);
        true
    }

    /// Starts anew from an offset of the log; false where the partition is not assigned.
    pub(super) fn reset(&mut self, at: &TopicPartition, reset: OffsetReset) -> bool {
        let Some(partition) = self.map.get_mut(at) else {
            return false;
        };
        partition.reset(reset);
        self.may_be_unsettled = true;
        true
    }

    /// Takes the questions that are due, and marks them as asked.
    pub(super) fn questions(&mut self, now: Instant) -> Questions {
        let mut questions = Questions::default();
        if !self.may_be_unsettled {
            return questions;
        }
        self.may_be_unsettled = false;
        for (at, partition) in &mut self.map {
            self.may_be_unsettled |= partition.phase != Phase::Ready;
            if partition.is_asked {
                continue;
            }
            if let Some(not_before) = partition.not_before.filter(|at| *at > now) {
                questions.wake(not_before);
                continue;
            }
            match partition.phase {
                Phase::Ready => continue,
                Phase::Committed => questions.committed.push(at.clone()),
                Phase::Reset(reset) => questions.resets.push((at.clone(), reset)),
            }
            partition.is_asked = true;
        }
        questions
    }

    /// What the group has committed for a partition, none where nothing is.
    pub(super) fn committed(
        &mut self,
        at: &TopicPartition,
        found: Option<(i64, Option<i32>)>,
        otherwise: OffsetReset,
    ) -> Result<(), NoReset> {
        let Some(partition) = self.map.get_mut(at).filter(|p| p.phase == Phase::Committed) else {
            return Ok(());
        };
        match (found, otherwise) {
            (Some((offset, epoch)), _) => partition.place(offset, epoch),
            (None, OffsetReset::None) => {
                partition.is_asked = false;
                return Err(NoReset);
            }
            (None, reset) => partition.reset(reset),
        }
        Ok(())
    }

    /// The log's offset a partition was to begin at.
    pub(super) fn found(&mut self, at: &TopicPartition, asked: OffsetReset, offset: i64) {
        let partition = self.map.get_mut(at);
        if let Some(partition) = partition.filter(|p| p.phase == Phase::Reset(asked)) {
            partition.place(offset, None);
        }
    }

    /// A question without an answer that may pass.
    pub(super) fn retry(&mut self, at: &TopicPartition, backoff: &Backoff, now: Instant) {
        if let Some(partition) = self.map.get_mut(at) {
            partition.retry(backoff, now);
            self.may_be_unsettled = true;
        }
    }
}

/// What is to be found out now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Questions {
    pub(super) committed: Vec<TopicPartition>,
    pub(super) resets: Vec<(TopicPartition, OffsetReset)>,
    /// When further ones are due.
    pub(super) wake_at: Option<Instant>,
}

impl Questions {
    fn wake(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |before| before.min(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        initial: Duration::from_millis(100),
        max: Duration::from_millis(1000),
    };

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn of_group() -> Partitions {
        let mut partitions = Partitions::default();
        partitions.assign([at(0)], Phase::Committed);
        partitions
    }

    #[test]
    fn a_committed_offset_is_where_reading_begins() {
        let (mut partitions, now) = (of_group(), Instant::now());
        assert_eq!(partitions.questions(now).committed, [at(0)]);
        assert_eq!(
            partitions.questions(now),
            Questions::default(),
            "asked once"
        );
        partitions
            .committed(&at(0), Some((42, Some(3))), OffsetReset::None)
            .unwrap();
        let partition = partitions.get(&at(0)).unwrap();
        assert_eq!(partition.position(), Some(42));
        assert_eq!(partition.to_fetch(now), Some(42));
    }

    #[test]
    fn without_one_the_reset_rule_decides_or_the_application_hears_of_it() {
        let (mut partitions, now) = (of_group(), Instant::now());
        partitions.questions(now);
        let nothing = partitions.committed(&at(0), None, OffsetReset::None);
        assert_eq!(nothing, Err(NoReset));
        partitions.questions(now);
        partitions
            .committed(&at(0), None, OffsetReset::Earliest)
            .unwrap();
        let questions = partitions.questions(now);
        assert_eq!(questions.resets, [(at(0), OffsetReset::Earliest)]);
        partitions.found(&at(0), OffsetReset::Latest, 9);
        assert_eq!(
            partitions.get(&at(0)).unwrap().position(),
            None,
            "an older question's"
        );
        partitions.found(&at(0), OffsetReset::Earliest, 7);
        assert_eq!(partitions.get(&at(0)).unwrap().position(), Some(7));
    }

    #[test]
    fn a_seek_overtakes_a_lookup_under_way() {
        let (mut partitions, now) = (of_group(), Instant::now());
        partitions.questions(now);
        partitions.place(&at(0), 5, None);
        partitions
            .committed(&at(0), Some((42, None)), OffsetReset::Latest)
            .unwrap();
        assert_eq!(partitions.get(&at(0)).unwrap().position(), Some(5));
    }

    #[test]
    fn a_failed_lookup_is_repeated_after_a_while() {
        let (mut partitions, now) = (of_group(), Instant::now());
        partitions.questions(now);
        partitions.retry(&at(0), &BACKOFF, now);
        let questions = partitions.questions(now);
        assert!(questions.committed.is_empty() && questions.wake_at.is_some());
        let later = now + BACKOFF.max;
        assert_eq!(partitions.questions(later).committed, [at(0)]);
    }

    #[test]
    fn partitions_that_stay_keep_their_place() {
        let mut partitions = of_group();
        partitions.place(&at(0), 5, None);
        partitions.assign([at(0), at(1)], Phase::Committed);
        assert_eq!(partitions.get(&at(0)).unwrap().position(), Some(5));
        assert_eq!(partitions.get(&at(1)).unwrap().position(), None);
        partitions.assign([at(1)], Phase::Committed);
        assert!(partitions.get(&at(0)).is_none());
    }

    #[test]
    fn fetching_runs_ahead_of_what_is_handed_out_and_falls_back_with_a_seek() {
        let (mut partitions, now) = (of_group(), Instant::now());
        partitions.place(&at(0), 0, None);
        let partition = partitions.get_mut(&at(0)).unwrap();
        partition.fetched(100);
        assert!(!partition.awaits(0) && partition.awaits(100));
        partition.advance(50, Some(1));
        assert_eq!(
            (partition.position(), partition.to_fetch(now)),
            (Some(50), Some(100))
        );
        partitions.place(&at(0), 20, None);
        let partition = partitions.get(&at(0)).unwrap();
        assert_eq!(partition.to_fetch(now), Some(20));
        assert!(!partition.awaits(100), "an answer from before the seek");
    }
}
