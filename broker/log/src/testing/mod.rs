//! Disks that misbehave, for tests of this crate and of those that build on it.
//!
//! Each stands for a failure: `MemoryDisk::crash` for a power cut, `FaultyDisk` for a full or dying disk. `fuzz` holds
//! the bodies of the fuzz targets, one per file format.

mod faulty_disk;
pub mod fuzz;
pub mod fuzz_compaction;
mod memory_disk;
mod random;

pub use faulty_disk::{Call, FaultyDisk};
pub use memory_disk::{Crash, MemoryDisk};
pub use random::Random;
