//! What must not hurt, sent to the real binary: each test leaves a broker that lives, serves another client, says
//! little, and has its memory back. Names begin with their row in the catalogue of faults where they have one.

mod amplified;
mod bad_input;
mod batches;
mod connections;
mod fuzz;
mod groups;
mod names;
mod support;
mod topics;
mod vectors;

pub(crate) use support::resident_bytes;
