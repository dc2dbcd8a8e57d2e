//! Checking a log directory without touching it: every checksum, offset and epoch, and whether what lies beside the
//! logs agrees with them.
//!
//! Owns: what there is to find (`finding`), the walk over one partition's folder (`partition`, `walk` and a file for
//! each kind of file beside the log) and the files of the directory itself (`directory`).
//! Always: nothing is written; memory is bounded by one window, one batch where records are read, and the producers
//! and epochs of one partition. Not here: locks, threads, showing the report.

mod directory;
mod epochs;
mod finding;
mod index;
mod partition;
pub(crate) mod producers;
mod small;
mod snapshot;
pub(crate) mod walk;

pub use directory::{Directory, PartitionFolder, is_log_directory, survey};
pub use finding::{Finding, Kind, Severity, Stretch};
pub use partition::{Expected, Mend, PartitionReport, Piece, verify};
pub(crate) use partition::{bases, files};
