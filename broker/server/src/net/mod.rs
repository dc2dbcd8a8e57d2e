//! Sockets: listeners, connections, the order of replies, and the bounds on all of it.
//!
//! One task serves one connection: it reads, decides, appends and replies without handing a request to another
//! thread. Deliberately not here: what a request means (`api`).

mod connection;
mod inbox;
mod listener;
mod memory;
mod outbox;

pub(crate) use connection::Peer;
pub(crate) use listener::{Gate, Limits, Listener, Role};
pub(crate) use memory::MemoryPool;
pub(crate) use outbox::Encoded;
