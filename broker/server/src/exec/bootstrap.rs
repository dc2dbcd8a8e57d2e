//! `bootstrap.checkpoint`: what `kafka-storage format` wants a new cluster to begin with.
//!
//! Always: it counts only while the metadata log is without a level of its own; then its levels are taken as they are.

use std::path::Path;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use ottla_log::disk::{Disk, read_file_if_there};
use ottla_protocol::messages::decode_metadata_record;
use ottla_protocol::messages::metadata::MetadataRecord;
use ottla_protocol::types::Offset;

use super::replay::each_record_of;

const FILE: &str = "bootstrap.checkpoint";
/// A few levels, and credentials of those who may begin.
const SIZE_MAX: u64 = 64 << 20;

/// The levels in the order in which they are to be finalised; none where nobody has formatted the directory.
pub(super) fn levels(disk: &dyn Disk, dir: &Path) -> anyhow::Result<Vec<(String, i16)>> {
    let path = dir.join(FILE);
    let bytes = read_file_if_there(disk, &path, SIZE_MAX)?.unwrap_or_default();
    let mut levels = Vec::new();
    let mut others = 0;
    each_record_of(&Bytes::from(bytes), Offset::ZERO, |record| {
        let value = record.value.ok_or("it has no value")?;
        match decode_metadata_record(value).map_err(|error| error.to_string())? {
            (MetadataRecord::FeatureLevel(feature), _) => {
                levels.push((feature.name.to_string(), feature.feature_level));
            }
            _ => others += 1,
        }
        Ok(())
    })
    .with_context(|| format!("{} cannot be read", path.display()))?;
    if others > 0 {
        bail!(
            "{} holds {others} records that are not levels of features, such as credentials; start Apache Kafka on the \
             directory once, so that they get into the metadata log",
            path.display()
        );
    }
    Ok(levels)
}
