//! Waiting for a condition, with a deadline instead of a guess.

use std::thread;
use std::time::{Duration, Instant};

/// Generous: a busy machine is slow, and a test that fails for that teaches nothing.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    some(what, || holds().then_some(()));
}

/// As `until`, for a condition that comes with a value.
pub(crate) fn some<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
