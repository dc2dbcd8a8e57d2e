//! `partition.metadata`: which topic id a partition's folder belongs to, so that a topic made anew under an old name
//! does not inherit the old one's records.

use std::path::Path;

use ottla_protocol::wire::Uuid;

use crate::disk::{Disk, DiskError, read_file_if_there, replace_file};
use crate::names;

#[derive(Debug, thiserror::Error)]
pub enum PartitionMetadataError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{path} is malformed")]
    Malformed { path: String },
}
