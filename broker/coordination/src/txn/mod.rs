//! Idempotent and transactional producers: what a partition remembers of them, where their ids come from, and the
//! coordinator that decides how their transactions end.

pub mod coordinator;
mod end_transaction;
pub mod producer_ids;
pub mod producer_state;
mod verification;

/// Whether producers are kept away that others have succeeded. Not so in the one build that is there to be found faulty.
pub(crate) const FENCES_STAND: bool = !cfg!(feature = "planted-fault");

pub use end_transaction::EndTransaction;
pub use producer_ids::ProducerIds;
pub use producer_state::{
    CompletedTxn, Duplicate, Origin, ProducerBatch, ProducerStates, TxnMarker, Verdict,
};
pub use verification::{Guard, Verification};
