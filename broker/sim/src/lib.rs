//! The second shell: what the server carries out on sockets, files and timers, carried out on a seeded schedule and a
//! disk that forgets.
//!
//! Owns: worlds that join production machines with the production log, and the promises that are checked while their
//! power is cut. Always: a run depends on nothing but its seed, so a failure is its seed.
//! Not here: anything that a broker needs to run. Only tests use this crate.
//!
//! So far there is one world: the groups of one offsets partition on one node. A network and more nodes come with
//! replication.

mod client;
mod consumer;
mod producer;
mod schedule;
mod shard;
mod world;

pub use schedule::{Schedule, run};
pub use world::Tally;
