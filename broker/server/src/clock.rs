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

/// Milliseconds since some moment of this process's life, whatever happens to the wall clock.
pub(crate) fn monotonic() -> Millis {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    Millis(i64::try_from(START.elapsed().as_millis()).unwrap_or(i64::MAX))
}
