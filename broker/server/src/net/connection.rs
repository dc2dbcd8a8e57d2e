//! One client connection, from its first byte to its last.
//!
//! Always: each request gets exactly one reply (`acks=0`: none), and replies leave in the order of the requests.
//! A produce request is appended before the next request is looked at, even if it has to wait for it; but its
//! acknowledgement may be parked while later produce requests are taken in; every other request waits until all earlier
//! ones are answered.
//! While the client does not read its replies, its requests are not read.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ottla_protocol::wire::StrBytes;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tracing::debug;

use super::inbox::{BadLength, Inbox};
use super::listener::Role;
use super::memory::Lease;
use super::outbox::{Encoded, Outbox};
use crate::api::{self, Order, Outcome, Parked};
use crate::broker::Broker;

/// How many acknowledgements of one connection may be parked at a time. Beyond it the connection is not read.
const PARKED_ACKS_MAX: usize = 1024;

/// Bytes read ahead while a request of this connection is parked.
const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;

/// How long a parked request may still wait for its reply once the server stops.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// How long a connection in the middle of a frame may wait for memory while it holds some.
const MEMORY_WAIT_MAX: Duration = Duration::from_secs(2);

/// How soon a connection that was not idle enough is looked at again, at the soonest.
const IDLE_CHECK_MIN: Duration = Duration::from_millis(50);

/// Who is at the other end, and how it came here.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The address of ours that the client connected to.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// Name of the listener, `PLAINTEXT` by default.
    pub(crate) listener: Arc<str>,
    pub(crate) role: Role,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("closed by the client")]
    Closed,
    #[error("idle for too long")]
    Idle,
    #[error("the server stops")]
    Shutdown,
    #[error(transparent)]
    Frame(#[from] BadLength),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(crate) struct Connection {
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    stream: TcpStream,
    inbox: Inbox,
    outbox: Outbox,
    memory: Lease,
    acks: VecDeque<Parked>,
    client_id: StrBytes,
    idle_max: Duration,
    last_active: Instant,
    shutdown: watch::Receiver<bool>,
}

impl Connection {
    pub(crate) fn new(
        broker: Arc<Broker>,
        peer: Peer,
        stream: TcpStream,
        memory: Lease,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let settings = &broker.settings;
        Self {
            inbox: Inbox::new(settings.socket_request_bytes_max),
            outbox: Outbox::default(),
            memory,
            acks: VecDeque::new(),
            client_id: StrBytes::new(),
            idle_max: settings.connections_max_idle,
            last_active: Instant::now(),
            shutdown,
            peer: Arc::new(peer),
            stream,
            broker,
        }
    }

    /// Serves the connection until it ends.
    pub(crate) async fn serve(mut self) {
        let mut idle = Box::pin(tokio::time::sleep(self.idle_max));
        let Err(end) = self.run(&mut idle).await;
        // Whatever was answered still goes out, so that a refusal can be read.
        if !matches!(end, End::Io(_) | End::Closed) && !self.outbox.is_empty() {
            drop(self.outbox.flush(&self.stream).await);
        }
        match end {
            End::Closed | End::Shutdown | End::Idle => {
                debug!(remote = %self.peer.remote, %end, "connection ended")
            }
            _ => self.broker.log_limits.connection_refused(&self.peer, &end),
        }
    }

    async fn run(&mut self, idle: &mut Pin<Box<Sleep>>) -> Result<std::convert::Infallible, End> {
        loop {
            while let Some(frame) = self.inbox.take_frame()? {
                self.handle(frame).await?;
            }
            self.outbox.flush(&self.stream).await?;
            self.wait_for_input(idle).await?;
        }
    }

    /// Waits for bytes, sending parked acknowledgements as they become due.
    async fn wait_for_input(&mut self, idle: &mut Pin<Box<Sleep>>) -> Result<(), End> {
        let wanted = self.inbox.wanted_capacity();
        self.memory.shrink_to(wanted);
        if !self.memory.try_grow_to(wanted) {
            self.wait_for_memory(wanted).await?;
        }
        loop {
            if *self.shutdown.borrow() && self.acks.is_empty() {
                return Err(End::Shutdown);
            }
            tokio::select! {
                biased;
                ack = next(&mut self.acks), if !self.acks.is_empty() => {
                    self.send_ack(ack).await?;
                }
                read = self.stream.read_buf(self.inbox.buffer()) => {
                    match read? {
                        0 => return Err(End::Closed),
                        bytes => self.inbox.took_in(bytes),
                    }
                    self.last_active = Instant::now();
                    return Ok(());
                }
                _ = self.shutdown.changed() => {}
                () = idle.as_mut() => self.check_idle(idle)?,
            }
        }
    }

    /// Waits for memory to read into. In the middle of a frame this holds what others may be waiting for, who hold what
    /// this one waits for: it ends after a while, and its memory goes to the others.
    async fn wait_for_memory(&mut self, wanted: usize) -> Result<(), End> {
        let mut lease = self.memory.take();
        {
            let mut grown = pin!(lease.grow_to(wanted));
            let mut enough = pin!(tokio::time::sleep(MEMORY_WAIT_MAX));
            loop {
                if *self.shutdown.borrow() && self.acks.is_empty() {
                    return Err(End::Shutdown);
                }
                tokio::select! {
                    biased;
                    () = grown.as_mut() => break,
                    ack = next(&mut self.acks), if !self.acks.is_empty() => {
                        self.send_ack(ack).await?;
                    }
                    () = enough.as_mut(), if self.inbox.is_partial() => {
                        let why = "no memory for a request of this size (queued.max.request.bytes)";
                        return Err(End::Refused(why.to_owned()));
                    }
                    _ = self.shutdown.changed() => {}
                }
            }
        }
        self.memory = lease;
        Ok(())
    }

    /// The idle timer fired: it is set once in a while, not with every request, so look when the last one was.
    fn check_idle(&mut self, idle: &mut Pin<Box<Sleep>>) -> Result<(), End> {
        let due = self.last_active + self.idle_max;
        if self.acks.is_empty() && due <= Instant::now() {
            return Err(End::Idle);
        }
        if !self.inbox.is_partial() {
            self.inbox.shrink();
        }
        self.outbox.shrink();
        idle.as_mut()
            .reset(due.max(Instant::now() + IDLE_CHECK_MIN));
        Ok(())
    }

    /// Sends the acknowledgement at hand and those behind it that are due as well.
    async fn send_ack(&mut self, ack: Encoded) -> io::Result<()> {
        self.outbox.push(&self.stream, ack).await?;
        while let Some(due) = next_if_due(&mut self.acks) {
            self.outbox.push(&self.stream, due).await?;
        }
        self.outbox.flush(&self.stream).await
    }

    /// Takes one request to its reply, or to the point where later ones may follow.
    async fn handle(&mut self, frame: BytesMut) -> Result<(), End> {
        let call = api::Call::decode(frame).map_err(|refusal| End::Refused(refusal.to_string()))?;
        if call.client_id() != self.client_id.as_str() {
            self.client_id = call.detached_client_id();
        }
        let order = call.order();
        if order == Order::InTurn {
            self.settle_acks().await?;
        }
        let (outcome, frame) = api::answer(&self.broker, &self.peer, &self.client_id, call);
        if let Some(frame) = frame {
            self.inbox.recycle(frame);
        }
        self.deliver(outcome, order).await
    }

    async fn deliver(&mut self, outcome: Outcome, order: Order) -> Result<(), End> {
        match outcome {
            Outcome::Now(reply) if self.acks.is_empty() => {
                self.outbox.push(&self.stream, reply).await?
            }
            Outcome::Now(reply) => self.park(Box::pin(std::future::ready(reply))).await?,
            Outcome::Later(ack) if order == Order::Pipelined => self.park(ack).await?,
            Outcome::Later(reply) => {
                self.outbox.flush(&self.stream).await?;
                let reply = self.wait_for(reply).await?;
                self.last_active = Instant::now();
                self.outbox.push(&self.stream, reply).await?;
            }
            Outcome::Nothing => {}
            Outcome::Held(work) => {
                self.outbox.flush(&self.stream).await?;
                let outcome = self.wait_for(work).await?;
                self.last_active = Instant::now();
                Box::pin(self.deliver(outcome, order)).await?;
            }
            Outcome::Close(why) => {
                self.settle_acks().await?;
                return Err(End::Refused(why));
            }
        }
        Ok(())
    }

    async fn park(&mut self, ack: Parked) -> io::Result<()> {
        self.acks.push_back(ack);
        while self.acks.len() > PARKED_ACKS_MAX {
            self.outbox.flush(&self.stream).await?;
            let ack = next(&mut self.acks).await;
            self.send_ack(ack).await?;
        }
        Ok(())
    }

    /// Waits for all parked acknowledgements and sends them.
    async fn settle_acks(&mut self) -> io::Result<()> {
        if self.acks.is_empty() {
            return Ok(());
        }
        self.outbox.flush(&self.stream).await?;
        while !self.acks.is_empty() {
            let ack = next(&mut self.acks).await;
            self.send_ack(ack).await?;
        }
        Ok(())
    }

    /// Waits for a parked reply, or for the work of a request, sending acknowledgements as they become due. Notices when
    /// the client goes away or the server stops meanwhile.
    async fn wait_for<T>(&mut self, mut work: api::Boxed<T>) -> Result<T, End> {
        let mut stopping = *self.shutdown.borrow();
        let mut listening = true;
        let mut grace = Box::pin(tokio::time::sleep(STOP_GRACE));
        loop {
            tokio::select! {
                biased;
                done = work.as_mut() => return Ok(done),
                ack = next(&mut self.acks), if !self.acks.is_empty() => {
                    self.send_ack(ack).await?;
                }
                read = self.stream.read_buf(self.inbox.buffer()), if listening => {
                    match read? {
                        0 => return Err(End::Closed),
                        bytes => self.inbox.took_in(bytes),
                    }
                    listening = self.inbox.received_bytes() < READ_AHEAD_BYTES_MAX;
                }
                _ = self.shutdown.changed(), if !stopping => {
                    stopping = true;
                    grace.as_mut().reset(Instant::now() + STOP_GRACE);
                }
                () = grace.as_mut(), if stopping => return Err(End::Shutdown),
            }
        }
    }
}

/// The reply of the oldest parked acknowledgement, once it is due.
async fn next(acks: &mut VecDeque<Parked>) -> Encoded {
    let reply = match acks.front_mut() {
        Some(ack) => ack.await,
        None => std::future::pending().await,
    };
    acks.pop_front();
    reply
}

/// Like `next`, but only if it needs no waiting.
fn next_if_due(acks: &mut VecDeque<Parked>) -> Option<Encoded> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match acks.front_mut()?.as_mut().poll(&mut context) {
        std::task::Poll::Ready(reply) => {
            acks.pop_front();
            Some(reply)
        }
        std::task::Poll::Pending => None,
    }
}
