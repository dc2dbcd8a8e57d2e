//! The server through real sockets: frames in, frames out.

mod abuse;
mod compaction;
mod configs;
mod consumer_groups;
mod damaged_coordinators;
mod disk_full;
mod feature_levels;
pub(crate) mod groups;
mod log_dirs;
mod markers;
mod metadata_files;
mod moves;
mod old_data;
mod open_files;
mod power_cut;
mod produce_fetch;
mod recovery;
mod retention;
mod share_and_streams;
mod storage;
mod topic_rules;
mod topics;
pub(crate) mod transaction_coordinator;
mod transaction_power_cut;
mod transactional_produce;
mod transactions;
mod txn_offsets;
