//! How fast a group reads a partition, how fast it is written, and when the two will meet. Pure.
//!
//! Always: rates are over what was seen within the window, and a move back (a reset, a new log) begins anew.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use ottla_client::admin::TopicPartition;

/// Offsets a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub(super) read: f64,
    pub(super) written: f64,
}

impl Rates {
    /// How long until nothing is left, if it goes on like this; `None`: never.
    pub(super) fn catch_up(self, lag: i64) -> Option<Duration> {
        if lag <= 0 {
            return Some(Duration::ZERO);
        }
        let gain = self.read - self.written;
        // Above a thousand years nobody asks.
        let seconds = lag as f64 / gain;
        (gain > 0.0 && seconds < 3.2e10).then(|| Duration::from_secs_f64(seconds))
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            written: self.written + other.written,
        }
    }
}

/// Offsets as they were at some time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    committed: i64,
    end: i64,
}

/// Long enough for members that commit every few seconds to look as even as they are.
const WINDOW: Duration = Duration::from_secs(30);

/// What was seen of the partitions of groups.
#[derive(Debug, Default)]
pub(super) struct History {
    samples: HashMap<(String, TopicPartition), VecDeque<Sample>>,
}

impl History {
    /// Takes note of a partition's offsets at a time, counted from any moment, and tells its rates; `None` until it has
    /// been seen twice.
    pub(super) fn note(
        &mut self,
        group: &str,
        at: &TopicPartition,
        now: Duration,
        committed: i64,
        end: i64,
    ) -> Option<Rates> {
        let key = (group.to_owned(), at.clone());
        let samples = self.samples.entry(key).or_default();
        let went_back = |last: &Sample| committed < last.committed || end < last.end;
        if samples.back().is_some_and(went_back) {
            samples.clear();
        }
        let sample = Sample {
            at: now,
            committed,
            end,
        };
        samples.push_back(sample);
        while samples.len() > 2
            && samples
                .front()
                .is_some_and(|first| now.saturating_sub(first.at) > WINDOW)
        {
            samples.pop_front();
        }
        let first = samples.front()?;
        let seconds = now.saturating_sub(first.at).as_secs_f64();
        let rate = |from: i64, to: i64| to.saturating_sub(from) as f64 / seconds;
        (seconds > 0.0).then(|| Rates {
            read: rate(first.committed, committed),
            written: rate(first.end, end),
        })
    }

    /// Forgets partitions that nobody reads any more.
    pub(super) fn keep(&mut self, still: impl Fn(&str, &TopicPartition) -> bool) {
        self.samples.retain(|(group, at), _| still(group, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn note(history: &mut History, now: u64, committed: i64, end: i64) -> Option<Rates> {
        let at = TopicPartition::new("t", 0);
        history.note("g", &at, seconds(now), committed, end)
    }

    #[test]
    fn a_group_that_reads_faster_than_others_write_catches_up() {
        let mut history = History::default();
        assert_eq!(note(&mut history, 0, 0, 1000), None);
        let rates = note(&mut history, 10, 300, 1100).expect("seen twice");
        assert_eq!((rates.read, rates.written), (30.0, 10.0));
        assert_eq!(rates.catch_up(800), Some(seconds(40)));
        assert_eq!(rates.catch_up(0), Some(Duration::ZERO));
    }

    #[test]
    fn a_group_that_stands_still_never_does() {
        let mut history = History::default();
        note(&mut history, 0, 5, 10);
        let rates = note(&mut history, 10, 5, 10).expect("seen twice");
        assert_eq!(rates.catch_up(5), None);
        let rates = note(&mut history, 20, 5, 20).expect("seen three times");
        assert_eq!(rates.catch_up(15), None);
    }

    #[test]
    fn what_lies_before_a_reset_does_not_count() {
        let mut history = History::default();
        note(&mut history, 0, 500, 1000);
        assert_eq!(note(&mut history, 10, 0, 1000), None);
        let rates = note(&mut history, 20, 100, 1000).expect("seen twice since");
        assert_eq!(rates.read, 10.0);
    }

    #[test]
    fn only_the_last_half_minute_counts() {
        let mut history = History::default();
        for now in 0..=60 {
            note(&mut history, now, 0, 0);
        }
        let rates = note(&mut history, 61, 300, 0).expect("seen often");
        assert_eq!(rates.read, 10.0);
    }
}
