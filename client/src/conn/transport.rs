//! How bytes get to a broker: the seam at which TLS and SASL will be added to plain TCP.
//!
//! Owns: name resolution, connecting to whichever resolved address answers, socket options.
//! Not here: Kafka. A transport hands out two halves of a byte stream and is done.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
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
    /// The address did not take the connection.
    Connect(io::Error),
}

/// A way to connect.
pub trait Transport: fmt::Debug + Send + Sync {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> Connecting<'a>;
}

/// TCP without encryption: `security.protocol=PLAINTEXT`.
#[derive(Debug)]
pub struct Plain;

impl Transport for Plain {
    fn connect<'a>(&'a self, endpoint: &'a Endpoint) -> Connecting<'a> {
        Box::pin(async move {
            let stream = connect_any(endpoint).await?;
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

/// Tries the resolved addresses in turn: `localhost` is often `::1` first while the broker has only IPv4.
async fn connect_any(endpoint: &Endpoint) -> Result<TcpStream, ConnectFault> {
    let addresses: Vec<SocketAddr> = lookup_host((endpoint.host.as_str(), endpoint.port))
        .await
        .map_err(ConnectFault::NameNotFound)?
        .collect();
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => ConnectFault::Connect(error),
        None => ConnectFault::NameNotFound(io::Error::other("the name has no addresses")),
    })
}
