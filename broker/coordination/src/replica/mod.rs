//! What a partition's leader knows of its replicas.

mod leader;

pub use leader::{AcksAll, LeaderState};
