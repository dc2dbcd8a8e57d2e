//! Compaction: of each key the last record stays, at its offset (KIP-58, KIP-354, KIP-534).
//!
//! Owns: what of a log can be cleaned (`cleanable`), the map from keys to their last offsets (`offset_map`), which
//! records and batches stay (`filter`, `transactions`), writing them to new segments (`source`, `sink`, `groups`,
//! `pass`), and putting those in the place of the old ones, whatever crashes in between (`swap`, `settle`).
//!
//! A pass takes steps, so that the log's lock is held for the first and the last only and no producer waits for it:
//!
//! ```text
//! log.cleanable(…)          what there is to clean                                             with the log
//! log.start_cleaning(…)     a job that knows the segments                                       with the log
//! job.index(map, pace)      the dirty part's keys are in the map: a pass                        without
//! pass.next_segment(pace)   some segments in a row are rewritten to one, synced, as `.cleaned`  without
//! log.swap_in(cleaned)      which takes their place; again from `next_segment`, until there is none  with the log
//! pass.end()                the next checkpoint
//! ```
//!
//! Always: offsets never change. Of two records of a key the older one is never gone later than the newer one, also if a
//! crash falls into the pass, so that nothing deleted comes back. What cannot be read is not cleaned: the pass ends with
//! an error that names the place, and the log stays as it was.
//! Deliberately not here: which log is cleaned when and by whom, checkpoints, threads, the I/O limit. The caller has them.

mod cleanable;
mod errors;
mod filter;
mod groups;
mod indexing;
mod offset_map;
mod pass;
pub(crate) mod settle;
mod sink;
mod source;
mod swap;
mod transactions;

pub use cleanable::{Cleanable, CompactionConfig};
pub use errors::CleaningError;
pub use offset_map::OffsetMap;
pub use pass::{CleaningJob, CleaningPass, CleaningStats, LastOfProducer, Pace};
pub use sink::CleanedSegment;
