//! How bytes get to a broker: the seam at which TLS and SASL will be added to plain TCP.
//!
//! Owns: name resolution, connecting to whichever resolved address answers, socket options.
//! Not here: Kafka. A transport hands out two halves of a byte stream and is done.

use std::{fmt, future::Future, io, pin::Pin, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use super::Endpoint;

/// What a connection reads from.
pub type ReadHalf = Box<dyn AsyncRead + Send + Unpin>;
/// What a connection writes to.
pub type WriteHalf = Box<dyn AsyncWrite + Send + Unpin>;

/// The two directions of a connected stream.
pub struct Halves {
    pub reader: ReadHalf,
    pub writer: WriteHalf,
}

/// What a transport's `connect` gives back.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Halves, ConnectFault>> + Send + 'a>>;

/// Why no stream came about. Kept apart because users repair them differently.
#[derive(Debug)]
pub enum ConnectFault {
    /// The name has no address.
    NameNotFound(io::Error),
    /// Nobody says in time whether the name has an address.
    NameTimeout,
    /// The address did not take the connection.
    Connect(io::Error),
    /// The address neither takes nor refuses the connection in time.
    ConnectTimeout,
}

/// A way to connect. It keeps the time itself, since only it knows what the time was spent on.
pub trait Transport: fmt::Debug + Send + Sync {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint, within: Duration) -> Connecting<'a>;
}

/// TCP without encryption: `security.protocol=PLAINTEXT`.
#[derive(Debug)]
pub struct Plain;

impl Transport for Plain {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint, within: Duration) -> Connecting<'a> {
        Box::pin(async move {
            let stream = connect_any(endpoint, Instant::now() + within).await?;
            // Requests are written whole; waiting for more bytes only adds latency.
            stream.set_nodelay(true).map_err(ConnectFault::Connect)?;
            let (reader, writer) = stream.into_split();
            Ok(Halves {
                reader: Box::new(reader),
                writer: Box::new(writer),
            })
        })
    }
}

pub(super) async fn resolved<A>(
    looking: impl Future<Output = io::Result<A>>,
    deadline: Instant,
) -> Result<A, ConnectFault> {
    let found = timeout_at(deadline, looking).await;
    let found = found.map_err(|_| ConnectFault::NameTimeout)?;
    found.map_err(ConnectFault::NameNotFound)
}

/// Tries the resolved addresses in turn: `localhost` is often `::1` first while the broker has only IPv4.
async fn connect_any(endpoint: &Endpoint, deadline: Instant) -> Result<TcpStream, ConnectFault> {
    let looking = lookup_host((endpoint.host.as_str(), endpoint.port));
    let mut last = None;
    for address in resolved(looking, deadline).await? {
        let connecting = timeout_at(deadline, TcpStream::connect(address)).await;
        match connecting.map_err(|_| ConnectFault::ConnectTimeout)? {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => ConnectFault::Connect(error),
        None => ConnectFault::NameNotFound(io::Error::other("the name has no addresses")),
    })
}
