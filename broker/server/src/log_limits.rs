//! Log lines that a client can cause at will, kept to a few a second.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::warn;

use crate::net::Peer;

const PERIOD: Duration = Duration::from_secs(1);
const LINES_PER_PERIOD_MAX: u32 = 5;

struct Window {
    start: Instant,
    lines: u32,
    dropped: u64,
}

/// The lines, and how many of them were kept back.
pub(crate) struct LogLimits(Mutex<Window>);

impl Default for LogLimits {
    fn default() -> Self {
        Self(Mutex::new(Window {
            start: Instant::now(),
            lines: 0,
            dropped: 0,
        }))
    }
}

impl LogLimits {
    /// Whether a line may be written now; with it the number of those that could not since the last one.
    fn admit(&self) -> Option<u64> {
        let mut window = self.0.lock();
        if window.start.elapsed() >= PERIOD {
            window.start = Instant::now();
            window.lines = 0;
        }
        if window.lines >= LINES_PER_PERIOD_MAX {
            window.dropped += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.dropped))
    }

    pub(crate) fn connection_refused(&self, peer: &Peer, why: &dyn Display) {
        if let Some(unsaid) = self.admit() {
            warn!(remote = %peer.remote, listener = %peer.listener, unsaid, "connection closed: {why}");
        }
    }

    pub(crate) fn too_many_connections(&self, remote: SocketAddr) {
        if let Some(unsaid) = self.admit() {
            warn!(%remote, unsaid, "connection refused: the limit of open connections is reached");
        }
    }

    pub(crate) fn topic_not_created(&self, name: &str, why: &str) {
        if let Some(unsaid) = self.admit() {
            warn!(topic = %name, unsaid, "topic not created automatically: {why}");
        }
    }

    pub(crate) fn accept_failed(&self, error: &std::io::Error) {
        if let Some(unsaid) = self.admit() {
            warn!(unsaid, "a connection could not be accepted: {error}");
        }
    }
}
