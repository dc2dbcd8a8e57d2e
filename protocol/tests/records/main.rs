//! Record batches beyond the golden vectors: stories and random records.

mod properties;
mod stories;
