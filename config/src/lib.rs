//! What can be configured: every key with its type, default, bounds and prose, and how given texts become values.
//!
//! The tables (`broker::TABLE`, `topic::TABLE`, …) are the one list of keys: broker, client and tools check, describe
//! and document by walking them. `resolve` lays given values over defaults. Nothing here reads a file, the environment
//! or a socket: callers pass text.

pub mod admin;
pub mod broker;
mod broker_security;
mod client;
pub mod consumer;
pub mod def;
mod error;
pub mod group;
pub mod markdown;
pub mod producer;
pub mod properties;
pub mod resolve;
pub mod topic;
pub mod valid;
pub mod value;
pub mod yaml;

pub use def::{Def, Effect, Table, Type};
pub use error::ConfigError;
pub use markdown::markdown;
pub use value::Value;
