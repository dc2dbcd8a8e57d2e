//! Idempotent and transactional producers: what a partition remembers of them, and where their ids come from.

pub mod producer_ids;
pub mod producer_state;

pub use producer_ids::ProducerIds;
pub use producer_state::{
    CompletedTxn, Duplicate, ProducerBatch, ProducerStates, TxnMarker, Verdict,
};
