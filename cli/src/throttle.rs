//! So many things a second, and no more.
//!
//! Always: what has been done is never ahead of the rate by more than what two milliseconds allow; what fell behind is caught up.

use std::future::pending;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

/// Sleeping for less costs more than it spaces out.
const SLEEP_MIN: Duration = Duration::from_millis(2);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Throttle {
    started: Instant,
    /// `None`: no limit.
    per_second: Option<f64>,
}

/// How long the next thing has to wait.
#[derive(Debug)]
pub(crate) enum Pause {
    Until(Instant),
    ForEver,
}

/// When the next thing is due.
#[derive(Debug, PartialEq)]
enum Due {
    Now,
    At(Duration),
    Never,
}

impl Throttle {
    /// A rate below 0 is no limit; with 0 nothing comes after the first.
    pub(crate) fn new(per_second: f64, started: Instant) -> Self {
        let per_second = (per_second >= 0.0).then_some(per_second);
        Self {
            started,
            per_second,
        }
    }

    /// What is to be waited for after so many.
    pub(crate) fn pause_after(&self, done: u64) -> Option<Pause> {
        match due(done, self.per_second?, self.started.elapsed()) {
            Due::Now => None,
            Due::At(since_start) => Some(Pause::Until(self.started + since_start)),
            Due::Never => Some(Pause::ForEver),
        }
    }
}

impl Pause {
    pub(crate) async fn over(self) {
        match self {
            Self::Until(at) => sleep_until(at.into()).await,
            Self::ForEver => pending().await,
        }
    }
}

fn due(done: u64, per_second: f64, elapsed: Duration) -> Due {
    let seconds = done as f64 / per_second;
    match Duration::try_from_secs_f64(seconds) {
        Ok(due) if due < elapsed + SLEEP_MIN => Due::Now,
        // What an Instant can hold.
        Ok(due) if due < Duration::from_secs(u32::MAX.into()) => Due::At(due),
        _ => Due::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_ahead_waits_and_what_is_behind_goes_on() {
        assert_eq!(due(100, 50.0, SECOND), Due::At(2 * SECOND));
        assert_eq!(due(100, 100.0, SECOND), Due::Now);
        assert_eq!(due(10, 100.0, SECOND), Due::Now);
        let almost = due(1001, 1000.0, SECOND);
        assert_eq!(almost, Due::Now, "one millisecond is not worth a sleep");
        assert_eq!(due(1, 0.5, Duration::ZERO), Due::At(2 * SECOND));
    }

    #[test]
    fn with_nothing_a_second_nothing_comes() {
        assert_eq!(due(1, 0.0, SECOND), Due::Never);
        assert_eq!(due(u64::MAX, 1e-300, SECOND), Due::Never);
    }
}
