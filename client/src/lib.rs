//! The async client library behind all tools, and the links between brokers.
//!
//! Layers, each knowing only those before it: `conn` (one connection), `cluster` (the right connection, and trying
//! again), `admin`, `producer` and `consumer` (what is asked), `process` (consuming and producing together). `config` turns Kafka's keys into their settings.

pub mod admin;
pub mod cluster;
pub mod config;
pub mod conn;
pub mod consumer;
mod error;
pub mod process;
pub mod producer;
#[cfg(test)]
mod testing;

pub use error::{ApiError, ClientError};
