//! How fast counts grow; how fast a group reads, others write, and when the two will meet. Pure.
//!
//! Always: rates are over what was seen within the window, and a move back (a reset, a new log) begins anew.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// What a group reads and what others write, in offsets a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    pub(crate) read: f64,
    pub(crate) written: f64,
}

impl From<[f64; 2]> for Rates {
    fn from([read, written]: [f64; 2]) -> Self {
        Self { read, written }
    }
}

impl Rates {
    /// How long until nothing is left, if it goes on like this; `None`: never.
    pub(crate) fn catch_up(self, lag: i64) -> Option<Duration> {
        if lag <= 0 {
            return Some(Duration::ZERO);
        }
        let gain = self.read - self.written;
        // Above a thousand years nobody asks.
        let seconds = lag as f64 / gain;
        (gain > 0.0 && seconds < 3.2e10).then(|| Duration::from_secs_f64(seconds))
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            written: self.written + other.written,
        }
    }
}

/// As people read it.
pub(crate) fn shown(rate: f64) -> String {
    match rate {
        ..10.0 => format!("{rate:.1}"),
        _ => format!("{rate:.0}"),
    }
}

/// Counts as they were at some time.
#[derive(Debug, Clone, Copy)]
struct Sample<const N: usize> {
    at: Duration,
    counts: [i64; N],
}

/// Long enough for members that commit every few seconds to look as even as they are.
pub(crate) const GROUPS_WINDOW: Duration = Duration::from_secs(30);

/// What was seen of counts that only grow, such as a group's offset in a partition and the partition's end.
#[derive(Debug)]
pub(crate) struct History<K, const N: usize> {
    window: Duration,
    samples: HashMap<K, VecDeque<Sample<N>>>,
}

impl<K: Eq + Hash, const N: usize> History<K, N> {
    /// Rates are over so much time, and over the last two looks at least.
    pub(crate) fn over(window: Duration) -> Self {
        Self {
            window,
            samples: HashMap::new(),
        }
    }

    /// Takes note of counts at a time, counted from any moment, and tells how much each grows in a second; `None` until
    /// they have been seen twice.
    pub(crate) fn note(&mut self, key: K, now: Duration, counts: [i64; N]) -> Option<[f64; N]> {
        let samples = self.samples.entry(key).or_default();
        let went_back = |last: &Sample<N>| last.counts.iter().zip(counts).any(|(a, b)| b < *a);
        if samples.back().is_some_and(went_back) {
            samples.clear();
        }
        samples.push_back(Sample { at: now, counts });
        while samples.len() > 2
            && samples
                .front()
                .is_some_and(|first| now.saturating_sub(first.at) > self.window)
        {
            samples.pop_front();
        }
        let first = samples.front()?;
        let seconds = now.saturating_sub(first.at).as_secs_f64();
        let rate = |index| {
            let grown = |from: i64, to: i64| to.saturating_sub(from) as f64 / seconds;
            grown(first.counts[index], counts[index])
        };
        (seconds > 0.0).then(|| std::array::from_fn(rate))
    }

    /// Forgets what was not seen at this time any more.
    pub(crate) fn forget_older_than(&mut self, now: Duration) {
        let is_seen = |samples: &VecDeque<Sample<N>>| samples.back().is_some_and(|s| s.at >= now);
        self.samples.retain(|_, samples| is_seen(samples));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn groups() -> History<&'static str, 2> {
        History::over(GROUPS_WINDOW)
    }

    fn note(
        history: &mut History<&'static str, 2>,
        now: u64,
        committed: i64,
        end: i64,
    ) -> Option<Rates> {
        let rates = history.note("g", seconds(now), [committed, end]);
        rates.map(Rates::from)
    }

    #[test]
    fn a_group_that_reads_faster_than_others_write_catches_up() {
        let mut history = groups();
        assert_eq!(note(&mut history, 0, 0, 1000), None);
        let rates = note(&mut history, 10, 300, 1100).expect("seen twice");
        assert_eq!((rates.read, rates.written), (30.0, 10.0));
        assert_eq!(rates.catch_up(800), Some(seconds(40)));
        assert_eq!(rates.catch_up(0), Some(Duration::ZERO));
    }

    #[test]
    fn a_group_that_stands_still_never_does() {
        let mut history = groups();
        note(&mut history, 0, 5, 10);
        let rates = note(&mut history, 10, 5, 10).expect("seen twice");
        assert_eq!(rates.catch_up(5), None);
        let rates = note(&mut history, 20, 5, 20).expect("seen three times");
        assert_eq!(rates.catch_up(15), None);
    }

    #[test]
    fn what_lies_before_a_reset_does_not_count() {
        let mut history = groups();
        note(&mut history, 0, 500, 1000);
        assert_eq!(note(&mut history, 10, 0, 1000), None);
        let rates = note(&mut history, 20, 100, 1000).expect("seen twice since");
        assert_eq!(rates.read, 10.0);
    }

    #[test]
    fn only_the_last_half_minute_counts() {
        let mut history = groups();
        for now in 0..=60 {
            note(&mut history, now, 0, 0);
        }
        let rates = note(&mut history, 61, 300, 0).expect("seen often");
        assert_eq!(rates.read, 10.0);
    }

    #[test]
    fn without_a_window_rates_are_between_the_last_two_looks() {
        let mut history = History::over(Duration::ZERO);
        assert_eq!(history.note("p", seconds(0), [0]), None);
        assert_eq!(history.note("p", seconds(2), [10]), Some([5.0]));
        assert_eq!(history.note("p", seconds(4), [10]), Some([0.0]));
        // A partition that was gone for a while begins anew.
        history.forget_older_than(seconds(6));
        assert_eq!(history.note("p", seconds(8), [90]), None);
    }
}
