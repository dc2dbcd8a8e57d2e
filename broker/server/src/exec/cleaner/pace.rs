//! How fast the cleaner may read and write, and whether it may go on at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_log::compaction::Pace;
use parking_lot::Mutex;

use super::Cleaner;
use crate::exec::partition::Partition;

/// A thread that has to wait looks after so long whether it is still to work.
const LOOK_AFTER: Duration = Duration::from_millis(50);

/// `log.cleaner.io.max.bytes.per.second`, for all threads together.
#[derive(Default)]
pub(super) struct IoLimit(Mutex<Allowance>);

#[derive(Default)]
struct Allowance {
    /// None: as fast as the disk.
    bytes_per_second: Option<f64>,
    /// When everything that was allowed so far has taken its time.
    spent_until: Option<Instant>,
    /// How often the limit was set: who waits by an older one waits no longer.
    setting: u64,
}

impl IoLimit {
    pub(super) fn set(&self, bytes_per_second: Option<f64>) {
        let mut allowance = self.0.lock();
        *allowance = Allowance {
            bytes_per_second,
            spent_until: None,
            setting: allowance.setting + 1,
        };
    }

    fn setting(&self) -> u64 {
        self.0.lock().setting
    }

    /// How long to wait before so many bytes may be read or written.
    fn take(&self, bytes: u64, now: Instant) -> Duration {
        let mut allowance = self.0.lock();
        let Some(rate) = allowance.bytes_per_second else {
            return Duration::ZERO;
        };
        let from = allowance.spent_until.map_or(now, |until| until.max(now));
        let cost = Duration::try_from_secs_f64(bytes as f64 / rate).unwrap_or(Duration::MAX);
        allowance.spent_until = from.checked_add(cost).or(Some(from));
        from.duration_since(now)
    }
}

/// One thread's pass over one partition.
pub(super) struct Pacer<'a> {
    cleaner: &'a Cleaner,
    thread: usize,
    partition: &'a Arc<Partition>,
}

impl<'a> Pacer<'a> {
    pub(super) fn new(cleaner: &'a Cleaner, thread: usize, partition: &'a Arc<Partition>) -> Self {
        Self {
            cleaner,
            thread,
            partition,
        }
    }

    fn may_go_on(&self) -> bool {
        self.cleaner.may_go_on(self.thread) && self.partition.may_be_cleaned()
    }
}

impl Pace for Pacer<'_> {
    fn go_on(&mut self, bytes: u64) -> bool {
        let (limit, begun) = (&self.cleaner.limit, Instant::now());
        let setting = limit.setting();
        let wait = limit.take(bytes, begun);
        while self.may_go_on() {
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() || limit.setting() != setting {
                return true;
            }
            self.cleaner.pause(left.min(LOOK_AFTER));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_wait_for_those_before_them_and_idle_time_is_not_saved_up() {
        let limit = IoLimit::default();
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        assert_eq!(limit.take(u64::MAX, begin), Duration::ZERO);
        limit.set(Some(1000.0));
        assert_eq!(limit.take(500, at(0)), Duration::ZERO);
        assert_eq!(limit.take(500, at(0)), Duration::from_millis(500));
        assert_eq!(limit.take(100, at(400)), Duration::from_millis(600));
        assert_eq!(limit.take(100, at(9000)), Duration::ZERO);
        assert_eq!(limit.take(100, at(9000)), Duration::from_millis(100));
        limit.set(Some(2000.0));
        assert_eq!(limit.take(100, at(9000)), Duration::ZERO);
    }
}
