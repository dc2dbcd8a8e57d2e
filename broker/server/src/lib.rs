//! The broker's async shell: sockets, files, timers.
//!
//! Owns: connections and the order of their replies (`net`), the list of APIs and their handlers (`api`), and carrying
//! out what the log and the machines of `ottla_coordination` decide (`exec`).
//! Deliberately not here: Kafka's rules about groups, topics, producers and fetch sessions; bytes on disk.

mod api;
mod boot;
mod broker;
mod clock;
mod data_dirs;
mod exec;
pub mod fuzz;
mod log_limits;
mod loggers;
mod memory_limit;
mod net;
mod settings;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use boot::{Started, serve};
pub use data_dirs::random_id;
pub use loggers::{Install, Loggers};
pub use settings::{Endpoint, SettingsError};
