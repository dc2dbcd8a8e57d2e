//! Kafka's wire protocol: bytes to values and back.
//!
//! Owns: primitive encodings, every message of every version, record batches, compression, API keys, error codes, the
//! levels of features.
//! Always: decoding never panics and never allocates more than a small multiple of its input before having seen
//! the bytes that justify it. Deliberately not here: IO, async, clocks, any decision about a message.

pub mod apis;
pub mod compress;
pub mod errors;
pub mod features;
pub mod messages;
pub mod murmur2;
pub mod records;
pub mod testing;
pub mod topic_pattern;
pub mod types;
pub mod wire;
