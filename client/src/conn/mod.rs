//! One connection to one broker: version handshake, correlation, pipelining.
//!
//! Owns: the socket behind a transport, its task, the versions the peer speaks, per-request timeouts, the diagnosis of
//! endpoints that are no usable broker. Always: requests go out in the order of `start`; a request ends exactly once,
//! with its reply or with the reason there is none; a timed-out request ends the connection, because replies behind
//! it would wait as well. Not here: which broker, why, and whether to try again (`crate::cluster`).

use std::{
    fmt,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use ottla_protocol::wire::StrBytes;

mod diagnosis;
mod endpoint;
mod frame;
mod handshake;
mod probe;
mod request;
mod task;
#[cfg(test)]
mod tests;
mod transport;
mod versions;

pub(crate) use diagnosis::Seconds;
pub use diagnosis::{EndpointError, EndpointFault};
pub use endpoint::{BadEndpoint, Endpoint};
pub use request::{Pending, RequestError, known_versions};
pub use transport::{ConnectFault, Connecting, Halves, Plain, ReadHalf, Transport, WriteHalf};
pub use versions::{FinalizedFeature, PeerVersions, SupportedFeature};

/// Larger responses are refused unread. The reference's fetch limit is 50 MiB; first bytes of TLS, HTTP or text
/// taken for a size are far above this.
pub const RESPONSE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// How connections are set up.
#[derive(Clone, Debug)]
pub struct ConnSettings {
    /// Sent with every request, for the broker's logs and quotas.
    pub client_id: StrBytes,
    /// From name resolution to the end of the handshake.
    pub setup_timeout: Duration,
    pub response_bytes_max: usize,
    pub transport: Arc<dyn Transport>,
}

impl Default for ConnSettings {
    fn default() -> Self {
        Self {
            client_id: StrBytes::new(),
            setup_timeout: Duration::from_secs(10),
            response_bytes_max: RESPONSE_BYTES_MAX,
            transport: Arc::new(Plain),
        }
    }
}

/// Why a connection that worked does not work any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the broker closed the connection")]
    Closed,
    #[error("{0}")]
    Io(String),
    #[error("the broker broke the protocol: {0}")]
    Protocol(String),
    #[error("a request was not answered in time")]
    TimedOut,
    #[error("the connection was closed by this client")]
    Ended,
}

/// A handle; clones share the connection, which ends with the last of them.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    client_id: StrBytes,
    versions: PeerVersions,
    next_correlation_id: AtomicI32,
    requests: mpsc::Sender<task::Outgoing>,
    shared: Arc<task::Shared>,
}

impl Connection {
    /// Connects and learns what the peer speaks.
    pub async fn open(endpoint: &Endpoint, settings: &ConnSettings) -> Result<Self, EndpointError> {
        let (halves, versions) = handshake::connect(endpoint, settings).await?;
        let shared = Arc::new(task::Shared::default());
        let (requests, queue) = mpsc::channel(task::QUEUE_LENGTH);
        let response_bytes_max = settings.response_bytes_max;
        tokio::spawn(task::run(
            shared.clone(),
            queue,
            halves.reader,
            halves.writer,
            response_bytes_max,
        ));
        tracing::debug!(%endpoint, "connected");
        Ok(Self {
            inner: Arc::new(Inner {
                endpoint: endpoint.clone(),
                client_id: settings.client_id.clone(),
                versions,
                next_correlation_id: AtomicI32::new(1),
                requests,
                shared,
            }),
        })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    /// What the peer said it speaks.
    pub fn versions(&self) -> &PeerVersions {
        &self.inner.versions
    }

    /// Why the connection ended; none while it works.
    pub fn fault(&self) -> Option<Fault> {
        self.inner.shared.fault().cloned()
    }

    /// Closes now; requests without a reply end with `Fault::Ended`.
    pub fn close(&self) {
        self.end(Fault::Ended);
    }

    fn end(&self, fault: Fault) {
        tracing::debug!(endpoint = %self.inner.endpoint, %fault, "connection ends");
        self.inner.shared.end(fault);
    }

    fn next_correlation_id(&self) -> i32 {
        // Wraps to negative numbers after two thousand million requests, which the protocol allows.
        self.inner
            .next_correlation_id
            .fetch_add(1, Ordering::Relaxed)
    }

    /// Hands a frame to the task, in order.
    fn enqueue(
        &self,
        correlation_id: i32,
        chunks: Vec<Bytes>,
        expects: task::Expects,
    ) -> Result<oneshot::Receiver<Result<Bytes, Fault>>, Fault> {
        let (outcome, receiver) = oneshot::channel();
        let outgoing = task::Outgoing {
            correlation_id,
            chunks,
            expects,
            outcome,
        };
        match self.inner.requests.try_send(outgoing) {
            Ok(()) => Ok(receiver),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Fault::Io(format!(
                "{} requests are waiting to be written",
                task::QUEUE_LENGTH
            ))),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.fault().unwrap_or(Fault::Closed)),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.inner.endpoint)
    }
}

/// The versions of an API that a caller can use.
pub type VersionRange = RangeInclusive<i16>;
