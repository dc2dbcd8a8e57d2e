//! Record batches beyond the golden vectors: stories, random records, mutated bytes.

#[path = "../support/mod.rs"]
mod support;

mod fuzz_bodies;
mod properties;
mod stories;
