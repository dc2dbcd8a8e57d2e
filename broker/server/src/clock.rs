//! The wall clock, read at the edge and passed on: nothing behind the handlers asks for the time itself.

use std::time::{SystemTime, UNIX_EPOCH};

use ottla_protocol::types::Millis;

/// Milliseconds since 1970. A clock before that counts as 1970.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
