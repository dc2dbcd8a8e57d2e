//! Waits, after a change, until the brokers know of it.
//!
//! Kafka's controller answers as soon as a change is decided, and brokers hear of it a little later. The reference's tools take
//! longer than that to start, so scripts rely on the next command to see what the one before has done. Always: the change
//! is made already, so nothing here fails, and nobody waits for longer than a second.

use std::time::Duration;

use tokio::time::{sleep, timeout};

const WITHIN: Duration = Duration::from_secs(1);
const ASK_EVERY: Duration = Duration::from_millis(5);

/// Asks until the answer is that a change is known, or that there is no asking.
pub(crate) async fn until_known(mut is_known: impl AsyncFnMut() -> bool) {
    let known = async {
        while !is_known().await {
            sleep(ASK_EVERY).await;
        }
    };
    // Whoever comes too early then is told so by the next command.
    timeout(WITHIN, known).await.unwrap_or_default();
}
