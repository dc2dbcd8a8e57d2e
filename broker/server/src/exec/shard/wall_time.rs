//! The wall clock as a machine is told of it: the monotonic clock and how far the wall clock was ahead of it.
//!
//! Always: the time told goes on as the monotonic clock does, and jumps only where somebody has moved the wall clock. The
//! two cannot be read at one moment, so they differ by a millisecond more or less each time; that is no move, and to
//! move all timers for it would cost each request as much as there are timers.

use ottla_protocol::types::Millis;

/// What the clocks may differ by, more or less than before, without one of them having been moved: a thread can have to
/// wait between reading the two.
const MOVE_MIN_MS: i64 = 100;

#[derive(Debug)]
pub(super) struct WallTime {
    ahead: Millis,
}

impl WallTime {
    pub(super) fn new(wall: Millis, monotonic: Millis) -> Self {
        Self {
            ahead: ahead(wall, monotonic),
        }
    }

    /// The time to tell, and by how much the clock was moved where it was.
    pub(super) fn read(&mut self, wall: Millis, monotonic: Millis) -> (Millis, Option<Millis>) {
        let ahead = ahead(wall, monotonic);
        let by = Millis(ahead.0.saturating_sub(self.ahead.0));
        let is_moved = by.0.saturating_abs() >= MOVE_MIN_MS;
        if is_moved {
            self.ahead = ahead;
        }
        (monotonic.plus(self.ahead), is_moved.then_some(by))
    }

    /// When it is this late by the monotonic clock.
    pub(super) fn monotonic_at(&self, told: Millis) -> Millis {
        Millis(told.0.saturating_sub(self.ahead.0))
    }
}

fn ahead(wall: Millis, monotonic: Millis) -> Millis {
    Millis(wall.0.saturating_sub(monotonic.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_read_one_after_the_other_are_no_moved_clock() {
        let mut time = WallTime::new(Millis(5_000), Millis(0));
        assert_eq!(
            time.read(Millis(5_010), Millis(9)),
            (Millis(5_009), None),
            "each request moved all timers for that millisecond"
        );
        assert_eq!(time.read(Millis(5_030), Millis(31)), (Millis(5_031), None));
        assert_eq!(time.monotonic_at(Millis(5_040)), Millis(40));
    }

    #[test]
    fn a_wall_clock_that_was_set_takes_the_timers_along() {
        let mut time = WallTime::new(Millis(5_000), Millis(0));
        let hour = 3_600_000;
        let back = time.read(Millis(5_010 - hour), Millis(10));
        assert_eq!(back, (Millis(5_010 - hour), Some(Millis(-hour))));
        let later = time.read(Millis(5_020 - hour), Millis(20));
        assert_eq!(later, (Millis(5_020 - hour), None));
    }
}
