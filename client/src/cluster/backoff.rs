//! How long to wait before trying again, and until when trying makes sense.
//!
//! Owns: exponential backoff with jitter (KIP-580), deadlines. Not here: deciding whether to try again.

use std::time::{Duration, Instant};

use rand::RngExt;

/// Grows from `initial` by a factor of two to `max`; each wait is up to a fifth longer or shorter, so that clients
/// that failed together don't come back together.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    pub initial: Duration,
    pub max: Duration,
}

const JITTER: f64 = 0.2;

impl Backoff {
    /// The wait after so many failures in a row; none before the first.
    pub fn after(&self, failures: u32) -> Duration {
        self.with_jitter(failures, rand::rng().random_range(-JITTER..=JITTER))
    }

    fn with_jitter(&self, failures: u32, jitter: f64) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        let max = self.max.max(self.initial);
        let grown = self.initial.saturating_mul(1u32 << (failures - 1).min(30));
        grown.mul_f64(1.0 + jitter).min(max)
    }
}

/// The moment after which the caller no longer wants the answer.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Deadline {
    /// So much time from now. Absurdly long times count as a year, which `Instant` can hold everywhere.
    pub fn after(allowed: Duration) -> Self {
        let allowed = allowed.min(Duration::from_secs(365 * 24 * 3600));
        Self {
            at: Instant::now() + allowed,
            allowed,
        }
    }

    /// Time left; zero once it has passed.
    pub fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// How long the caller had allowed.
    pub fn allowed(&self) -> Duration {
        self.allowed
    }

    pub fn has_passed(&self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        initial: Duration::from_millis(50),
        max: Duration::from_millis(1000),
    };

    #[test]
    fn waits_double_until_the_maximum() {
        let waits: Vec<u128> = (0..8)
            .map(|n| BACKOFF.with_jitter(n, 0.0).as_millis())
            .collect();
        assert_eq!(waits, [0, 50, 100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn jitter_stays_within_a_fifth_and_below_the_maximum() {
        for failures in 1..80 {
            let exact = BACKOFF.with_jitter(failures, 0.0);
            let wait = BACKOFF.after(failures);
            assert!(
                wait >= exact.mul_f64(0.79) && wait <= BACKOFF.max,
                "{failures}: {wait:?}"
            );
        }
    }

    #[test]
    fn a_maximum_below_the_initial_wait_is_the_initial_wait() {
        let odd = Backoff {
            initial: Duration::from_millis(100),
            max: Duration::ZERO,
        };
        assert_eq!(odd.with_jitter(5, 0.0).as_millis(), 100);
    }

    #[test]
    fn endless_deadlines_do_not_overflow() {
        assert!(!Deadline::after(Duration::MAX).has_passed());
        assert!(Deadline::after(Duration::ZERO).has_passed());
    }
}
