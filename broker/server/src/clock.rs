//! The clocks, read at the edge and passed on: nothing behind the handlers asks for the time itself.
//!
//! The wall clock says when something happened; people and time servers move it. What is to happen after a while goes by
//! the monotonic clock.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ottla_protocol::types::Millis;

/// Milliseconds since 1970. A clock before that counts as 1970.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

static START: LazyLock<(Instant, Millis)> = LazyLock::new(|| (Instant::now(), now()));

/// Milliseconds since some moment of this process's life, whatever happens to the wall clock.
pub(crate) fn monotonic() -> Millis {
    Millis(i64::try_from(START.0.elapsed().as_millis()).unwrap_or(i64::MAX))
}

/// The wall clock, but never ahead of the time that passed since the start: for what must not be forgotten because
/// somebody sets the clock forward. What is forgotten late because of it is forgotten after the next start.
pub(crate) fn cautious() -> Millis {
    now().min(START.1.plus(monotonic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cautious_clock_is_the_wall_clock_while_nobody_moves_that() {
        let before = now();
        let cautious = cautious();
        assert!(
            cautious.0 >= before.0 - 100 && cautious <= now(),
            "{cautious:?} after {before:?}"
        );
    }
}
