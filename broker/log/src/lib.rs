//! One partition's bytes on disk.
//!
//! Owns: segments, their indexes, the checkpoint files of a log directory, recovery after a crash, retention.
//! Always: bytes on disk are bytes on the wire, in the reference's layout and file names. Deliberately not here:
//! high watermarks, leadership, sequences of producers, locks around a log, clocks, threads.

pub mod api;
pub mod checkpoint;
pub mod clean_shutdown;
pub mod compaction;
pub mod config;
pub mod damage;
pub mod dir_lock;
pub mod disk;
pub mod epochs;
pub mod errors;
mod flush;
mod folder;
mod hints;
mod index;
pub mod log;
pub mod meta_properties;
pub mod names;
pub mod partition_metadata;
mod placement;
pub mod producer_snapshot;
mod properties_text;
mod read;
mod real_disk;
mod record_set;
mod recovery;
pub mod relocation;
pub mod repair;
mod rescan;
mod retention;
mod scan;
mod segment;
pub mod testing;
mod times;
mod transactions;
mod truncate;
pub mod txn_index;
pub mod txn_sums;
pub mod verify;

pub use api::{
    Appended, DeleteReason, DeletedSegment, FileSlice, LostFlushed, MinimumRead, Offsets,
    OpenInput, ReadRequest, RecoveryReport, TimestampOffset, Timestamps, Truncation,
};
pub use config::{LogConfig, ZeroAhead};
pub use disk::{Disk, DiskError, DiskFile, SharedDisk, SharedFile};
pub use epochs::LeaderEpochs;
pub use errors::{AppendError, Corruption, Fault, OpenError, ReadError};
pub use flush::{FlushTicket, Flushed};
pub use log::Log;
pub use real_disk::RealDisk;
