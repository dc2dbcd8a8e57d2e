//! Bodies of the fuzz targets for the files of the metadata quorum: any bytes at all. None may panic, loop, or take
//! memory that its input does not justify. `cargo test` runs them on damaged files for a moment.

use bytes::Bytes;
use ottla_protocol::types::{LeaderEpoch, Offset};

use crate::exec::metadata_snapshot::{self, SnapshotId};
use crate::exec::quorum_state;

/// `quorum-state`, and a snapshot of the metadata.
pub fn metadata_files(data: &[u8]) {
    let _ = quorum_state::parse(data);
    let id = SnapshotId {
        end: Offset(42),
        epoch: LeaderEpoch(3),
    };
    let _ = metadata_snapshot::load(&Bytes::copy_from_slice(data), id);
}
