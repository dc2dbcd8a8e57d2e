//! Record batches of format 2: the bytes that producers send, logs keep and consumers read.
//!
//! Owns: the batch header and its in-place changes, walking batches and records, validating what a producer sent,
//! building batches, control records.
//! Always: reading borrows; nothing is allocated on the word of a length or count; a batch whose CRC fits is never
//! changed in the part that the CRC covers, except by [`batch::patch_max_timestamp`], which computes it anew.
//! Not here: offsets of a log, producer state, disks. Formats 0 and 1 are recognised and refused (KIP-724).

pub mod batch;
pub mod batches;
pub mod builder;
pub mod control;
mod error;
pub mod iter;
mod outline;
pub mod record;
mod run;
mod stream;
pub mod validate;
mod varint;

pub use batch::{BATCH_OVERHEAD, BatchHeader, TimestampType};
pub use batches::{Batch, batches, batches_of};
pub use builder::BatchBuilder;
pub use error::{RecordError, RejectReason, RejectedRecord};
pub use iter::{Cursor, Records};
pub use record::{Header, OwnedHeader, OwnedRecord, Record};
pub use validate::{Rules, Validated, check_batch, validate_produce};
