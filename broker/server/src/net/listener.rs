//! Accepting connections, up to the limits.
//!
//! Always: the numbers of open connections, in all and per address, stay within `Limits`; a connection beyond them is
//! closed at once and costs no task. Running out of descriptors delays accepting and harms no open connection.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::{Connection, Peer};
use super::memory::MemoryPool;
use crate::broker::Broker;

/// Connections the kernel may hold for us before we accept them.
const BACKLOG: i32 = 1024;

/// Pause after a failed accept: running out of descriptors does not pass by asking again at once.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// How many connections may be open.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// `max.connections`
    pub(crate) connections_max: usize,
    /// `max.connections.per.ip`
    pub(crate) per_ip_max: usize,
    /// `max.connections.per.ip.overrides`
    pub(crate) per_ip_overrides: HashMap<IpAddr, usize>,
}

#[derive(Default)]
struct Open {
    total: usize,
    per_ip: HashMap<IpAddr, usize>,
}

/// Counts open connections of all listeners.
#[derive(Clone)]
pub(crate) struct Gate {
    limits: Arc<Limits>,
    open: Arc<Mutex<Open>>,
}

/// One open connection; leaves the count when dropped.
struct Pass {
    gate: Gate,
    ip: IpAddr,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits: Arc::new(limits),
            open: Arc::default(),
        }
    }

    fn enter(&self, ip: IpAddr) -> Option<Pass> {
        let mut open = self.open.lock();
        let ip_max = self
            .limits
            .per_ip_overrides
            .get(&ip)
            .copied()
            .unwrap_or(self.limits.per_ip_max);
        let of_ip = open.per_ip.get(&ip).copied().unwrap_or(0);
        if open.total >= self.limits.connections_max || of_ip >= ip_max {
            return None;
        }
        open.total += 1;
        open.per_ip.insert(ip, of_ip + 1);
        Some(Pass {
            gate: self.clone(),
            ip,
        })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut open = self.gate.open.lock();
        open.total = open.total.saturating_sub(1);
        if let Some(of_ip) = open.per_ip.get_mut(&self.ip) {
            *of_ip = of_ip.saturating_sub(1);
            if *of_ip == 0 {
                open.per_ip.remove(&self.ip);
            }
        }
    }
}

/// As what the node is talked to at a listener (KIP-919).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Broker,
    Controller,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broker => "broker",
            Self::Controller => "controller",
        })
    }
}

/// A bound socket that has not begun to accept.
pub(crate) struct Listener {
    name: Arc<str>,
    role: Role,
    socket: TcpListener,
}

impl Listener {
    /// With `send_buffer_bytes`, replies wait in the system's memory for their readers up to that; without, it grows as the
    /// system sees fit, which is megabytes for each reader that is slow.
    pub(crate) fn bind(
        name: &str,
        role: Role,
        address: SocketAddr,
        send_buffer_bytes: Option<usize>,
    ) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        // A restarted server must get its port although connections of the old one linger in TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        if let Some(bytes) = send_buffer_bytes {
            // Connections inherit it.
            socket.set_send_buffer_size(bytes)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self {
            name: name.into(),
            role,
            socket: TcpListener::from_std(socket.into())?,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until the server stops, then waits until all connections have ended.
    pub(crate) async fn run(
        self,
        broker: Arc<Broker>,
        gate: Gate,
        memory: MemoryPool,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, remote)) => {
                        if let Some((pass, connection)) = self.admit(&broker, &gate, &memory, &shutdown, stream, remote) {
                            connections.spawn(async move {
                                connection.serve().await;
                                drop(pass);
                            });
                        }
                    }
                    Err(error) => {
                        broker.log_limits.accept_failed(&error);
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                _ = shutdown.changed() => break,
            }
        }
        drop(self.socket);
        while connections.join_next().await.is_some() {}
    }

    fn admit(
        &self,
        broker: &Arc<Broker>,
        gate: &Gate,
        memory: &MemoryPool,
        shutdown: &watch::Receiver<bool>,
        stream: TcpStream,
        remote: SocketAddr,
    ) -> Option<(Pass, Connection)> {
        let Some(pass) = gate.enter(remote.ip().to_canonical()) else {
            broker.log_limits.too_many_connections(remote);
            return None;
        };
        let local = stream.local_addr().ok()?;
        stream.set_nodelay(true).ok()?;
        let peer = Peer {
            local,
            remote,
            listener: self.name.clone(),
            role: self.role,
        };
        let connection = Connection::new(
            broker.clone(),
            peer,
            stream,
            memory.lease(),
            shutdown.clone(),
        );
        Some((pass, connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_inherit_the_send_buffer_of_their_listener() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind("PLAINTEXT", Role::Broker, any, Some(50_000)).unwrap();
        let address = listener.local_addr().unwrap();
        let connecting = TcpStream::connect(address);
        let (accepted, connected) = tokio::join!(listener.socket.accept(), connecting);
        let (accepted, connected) = (accepted.unwrap().0, connected.unwrap());
        let buffer = |stream| socket2::SockRef::from(stream).send_buffer_size().unwrap();
        // Linux gives twice what it is asked for.
        assert!(buffer(&accepted) <= 100_000, "{}", buffer(&accepted));
        assert!(buffer(&connected) > 100_000, "{}", buffer(&connected));
    }

    #[test]
    fn caps_are_exact_in_all_and_per_address() {
        let one = IpAddr::from([127, 0, 0, 1]);
        let two = IpAddr::from([127, 0, 0, 2]);
        let gate = Gate::new(Limits {
            connections_max: 3,
            per_ip_max: 2,
            per_ip_overrides: HashMap::from([(two, 1)]),
        });
        let first = gate.enter(one).unwrap();
        let _second = gate.enter(one).unwrap();
        assert!(gate.enter(one).is_none(), "two per address");
        let _third = gate.enter(two).unwrap();
        drop(first);
        assert!(gate.enter(two).is_none(), "one for this address");
        let _fourth = gate.enter(one).unwrap();
        assert!(
            gate.enter(IpAddr::from([127, 0, 0, 3])).is_none(),
            "three in all"
        );
    }
}
