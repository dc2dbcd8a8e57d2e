//! Every decision of the broker, without IO.
//!
//! Owns: groups and offsets, transactions, the metadata of the cluster, producer state, fetch sessions, the high
//! watermark. Each decision is a function of what came in before: no clock, file, socket, thread, randomness or
//! unordered iteration (`clippy.toml` next to this crate refuses them). Time, ids and random numbers come in with the
//! command.
//! Always: hard state changes in `apply` only, so replaying a machine's records gives its hard state.
//! Not here: bytes on the wire and on disk, configuration keys, and carrying anything out.

pub mod controller;
pub mod effects;
pub mod fetch_session;
pub mod group;
pub mod host;
pub mod machine;
pub mod quorum;
pub mod replica;
pub mod txn;

pub use effects::{Effect, Effects, ReplyToken};
pub use host::{Answer, Host, Loading, Log};
pub use machine::Machine;
