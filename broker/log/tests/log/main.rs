//! The log as a whole: what it promises, on a disk that forgets, fills up and fails.

mod append;
mod cleaning;
mod compaction;
mod compaction_crash;
mod compaction_damage;
mod compaction_model;
mod compaction_passes;
mod compaction_verify;
mod crash;
mod damage;
mod faults;
mod flushing;
mod fuzz;
mod life;
mod many;
mod preallocation;
mod reading;
mod repairing;
mod replace;
mod retention;
mod rot;
mod support;
mod times;
mod transactions;
mod truncation;
mod verifying;
