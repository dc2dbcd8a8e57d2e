//! Bodies of the fuzz targets: each takes any bytes and panics only if a promise of this crate is broken.
//!
//! The targets under `fuzz/` call them with nightly's fuzzer; `cargo test` calls them for a second each with mutations
//! of the golden vectors. Not for use in production code.

mod messages;
mod records;

pub use messages::{choice_of_message, fuzz_framing, fuzz_message};
pub use records::{fuzz_control, fuzz_inflate, fuzz_produce, fuzz_record_set};
