//! The tables and their use, against facts recorded from Apache Kafka 4.3.1 (`tests/data`).

#![allow(clippy::unwrap_used)]

mod never_panic;
mod resolve;
mod tables;
mod values;
