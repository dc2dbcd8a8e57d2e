//! Snapshots of the metadata log: `<end>-<epoch>.checkpoint`, batches between a header and a footer control record.
//!
//! Always: a file with the final name is whole; one that is being written has another ending. Nothing here knows what
//! the records mean.

use std::path::Path;

use bytes::Bytes;
use ottla_coordination::controller::MetadataImage;
use ottla_log::disk::{Disk, DiskError, OpenMode, read_file, remove_if_there, write_full};
use ottla_protocol::compress::Compression;
use ottla_protocol::messages::{
    Message, SnapshotFooterRecord, SnapshotHeaderRecord, decode_metadata_record,
};
use ottla_protocol::records::builder::BuildError;
use ottla_protocol::records::control::{ControlType, Place, control_batch};
use ottla_protocol::records::{BatchBuilder, batches, check_batch};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};
use tracing::warn;

use super::metadata_loaded::Loaded;
use super::metadata_log::level_of;
use super::metadata_versions::encode;
use super::quorum_records::QuorumRecords;
use super::replay::{ReplayError, each_record_of};

const SUFFIX: &str = ".checkpoint";
const UNFINISHED_SUFFIX: &str = ".checkpoint.part";

/// A million partitions are some 100 MiB.
const SIZE_MAX: u64 = 4 << 30;

/// A batch is closed once it is larger than this.
const BATCH_BYTES: usize = 512 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl SnapshotError {
    /// The disk's part in it, if any.
    pub(crate) fn disk(&self) -> Option<&DiskError> {
        match self {
            Self::Disk(error) => Some(error),
            Self::Build(_) => None,
        }
    }
}

/// Which records a snapshot stands for: all before `end`, the last of which is of this epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SnapshotId {
    pub(crate) end: Offset,
    pub(crate) epoch: LeaderEpoch,
}

impl SnapshotId {
    fn file_name(self, suffix: &str) -> String {
        format!("{:020}-{:010}{suffix}", self.end.0, self.epoch.0)
    }

    fn parse(name: &str) -> Option<Self> {
        let (end, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let is_number =
            |text: &str, len| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
        (is_number(end, 20) && is_number(epoch, 10)).then_some(())?;
        Some(Self {
            end: Offset(end.parse().ok()?),
            epoch: LeaderEpoch(epoch.parse().ok()?),
        })
    }
}

/// Whether a file of this name is a finished snapshot.
pub(crate) fn is_snapshot(name: &str) -> bool {
    SnapshotId::parse(name).is_some()
}

/// The newest snapshot that is whole. What a crash left of an unfinished one is removed.
pub(crate) fn load_newest(
    disk: &dyn Disk,
    folder: &Path,
) -> Result<Option<(SnapshotId, Loaded)>, SnapshotError> {
    let entries = disk.list(folder).map_err(|source| DiskError {
        what: "list",
        path: folder.to_owned(),
        source,
    })?;
    let mut snapshots = Vec::new();
    for entry in entries {
        if entry.name.ends_with(UNFINISHED_SUFFIX) {
            remove_if_there(disk, &folder.join(&entry.name))?;
        }
        snapshots.extend(SnapshotId::parse(&entry.name));
    }
    snapshots.sort_unstable();
    while let Some(id) = snapshots.pop() {
        let path = folder.join(id.file_name(SUFFIX));
        let bytes = Bytes::from(read_file(disk, &path, SIZE_MAX)?);
        match load(&bytes, id) {
            Ok(loaded) => return Ok(Some((id, loaded))),
            Err(reason) => warn!(file = %path.display(), "metadata snapshot passed over: {reason}"),
        }
    }
    Ok(None)
}

/// Why a snapshot's content cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("{0}")]
    Batch(#[from] ottla_protocol::records::RecordError),
    #[error("its end is missing")]
    Unfinished,
}

pub(crate) fn load(bytes: &Bytes, id: SnapshotId) -> Result<Loaded, Damage> {
    let mut ends_with_control = false;
    let mut loaded = Loaded::default();
    let mut walk = batches(bytes);
    for batch in walk.by_ref() {
        let batch = batch?;
        check_batch(batch.bytes)?;
        ends_with_control = batch.header.is_control();
        loaded
            .quorum
            .take(&batch.header, &bytes.slice_ref(batch.bytes))?;
    }
    if !walk.rest().is_empty() || !ends_with_control {
        return Err(Damage::Unfinished);
    }
    // Offsets within the snapshot are its own; for the image it is all of the log up to `end`.
    let last = Offset(id.end.0.saturating_sub(1));
    each_record_of(bytes, Offset::ZERO, |record| {
        let value = record.value.ok_or("it has no value")?;
        let (decoded, _) = decode_metadata_record(value).map_err(|error| error.to_string())?;
        loaded.apply(last, decoded);
        Ok(())
    })?;
    Ok(loaded)
}

/// What goes into a snapshot.
pub(crate) struct Content {
    pub(crate) image: MetadataImage,
    pub(crate) quorum: QuorumRecords,
    pub(crate) last_timestamp: Millis,
}

/// Writes a snapshot: a crash leaves all of it or nothing under its name.
pub(crate) fn write(
    disk: &dyn Disk,
    folder: &Path,
    id: SnapshotId,
    content: &Content,
    now: Millis,
) -> Result<(), SnapshotError> {
    let content = encode_snapshot(content, now)?;
    let path = folder.join(id.file_name(SUFFIX));
    let unfinished = folder.join(id.file_name(UNFINISHED_SUFFIX));
    let failed = |what| {
        let path = unfinished.clone();
        move |source| DiskError { what, path, source }
    };
    let file = disk
        .open(&unfinished, OpenMode::Create)
        .map_err(failed("create"))?;
    file.set_len(0).map_err(failed("empty"))?;
    write_full(&*file, &content, 0).map_err(failed("write"))?;
    file.sync_data().map_err(failed("sync"))?;
    disk.rename(&unfinished, &path).map_err(failed("rename"))?;
    disk.sync_dir(folder).map_err(failed("sync directory of"))?;
    Ok(())
}

fn encode_snapshot(content: &Content, now: Millis) -> Result<Vec<u8>, BuildError> {
    let Content {
        image,
        quorum,
        last_timestamp,
    } = content;
    let level = level_of(image);
    let at = |offset| Place {
        base_offset: offset,
        leader_epoch: LeaderEpoch(0),
        timestamp: now,
    };
    let header = SnapshotHeaderRecord {
        last_contained_log_timestamp: last_timestamp.0,
        ..Default::default()
    };
    let mut content = control_batch(
        at(Offset::ZERO),
        ControlType::SnapshotHeader,
        &header.to_bytes(0),
    )?;
    let mut next = Offset(1);
    for batch in quorum.batches(at(next))? {
        content.extend(batch);
        next = next.next();
    }
    let builder_at = |offset| {
        BatchBuilder::new(Compression::None)
            .base_offset(offset)
            .leader_epoch(LeaderEpoch(0))
    };
    let mut builder = builder_at(next);
    for record in image.records() {
        builder.append(now, None, Some(&encode(&record, level)), &[])?;
        next = next.next();
        if builder.size_in_bytes() > BATCH_BYTES {
            content.extend(std::mem::replace(&mut builder, builder_at(next)).build()?);
        }
    }
    if !builder.is_empty() {
        content.extend(builder.build()?);
    }
    let footer = SnapshotFooterRecord::default();
    content.extend(control_batch(
        at(next),
        ControlType::SnapshotFooter,
        &footer.to_bytes(0),
    )?);
    Ok(content)
}

/// Removes the snapshots that a newer one replaces.
pub(crate) fn remove_older(
    disk: &dyn Disk,
    folder: &Path,
    newest: SnapshotId,
) -> Result<(), DiskError> {
    let entries = disk.list(folder).map_err(|source| DiskError {
        what: "list",
        path: folder.to_owned(),
        source,
    })?;
    for entry in entries {
        if SnapshotId::parse(&entry.name).is_some_and(|id| id < newest) {
            remove_if_there(disk, &folder.join(&entry.name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ottla_log::RealDisk;
    use ottla_protocol::messages::metadata::{FeatureLevelRecord, MetadataRecord, TopicRecord};
    use ottla_protocol::wire::Uuid;

    use super::*;

    fn image(topics: u128) -> MetadataImage {
        let mut image = MetadataImage::default();
        let feature = FeatureLevelRecord {
            name: "metadata.version".into(),
            feature_level: 30,
            ..Default::default()
        };
        image.apply(Offset(0), &MetadataRecord::FeatureLevel(feature));
        for number in 1..=topics {
            let topic = TopicRecord {
                name: format!("topic-{number}").into(),
                topic_id: Uuid::from(number),
                ..Default::default()
            };
            image.apply(Offset(41), &MetadataRecord::Topic(topic));
        }
        image
    }

    fn content(image: MetadataImage) -> Content {
        Content {
            image,
            quorum: QuorumRecords::default(),
            last_timestamp: Millis(5),
        }
    }

    const ID: SnapshotId = SnapshotId {
        end: Offset(42),
        epoch: LeaderEpoch(3),
    };

    #[test]
    fn a_snapshot_gives_the_image_back() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::shared();
        let image = image(20_000);
        write(&*disk, dir.path(), ID, &content(image.clone()), Millis(6)).unwrap();
        assert!(
            dir.path()
                .join("00000000000000000042-0000000003.checkpoint")
                .exists()
        );
        let (id, loaded) = load_newest(&*disk, dir.path()).unwrap().unwrap();
        assert_eq!(id, ID);
        assert_eq!(loaded.image, image);
    }

    #[test]
    fn a_damaged_snapshot_is_passed_over_and_an_unfinished_one_removed() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::shared();
        write(&*disk, dir.path(), ID, &content(image(3)), Millis(6)).unwrap();
        let newer = SnapshotId {
            end: Offset(50),
            ..ID
        };
        write(&*disk, dir.path(), newer, &content(image(4)), Millis(6)).unwrap();
        let file = dir.path().join(newer.file_name(SUFFIX));
        let whole = std::fs::read(&file).unwrap();
        let part = dir.path().join(newer.file_name(UNFINISHED_SUFFIX));
        std::fs::write(&part, b"x").unwrap();
        for damaged in [&whole[..whole.len() - 1], &whole[..100], b""] {
            std::fs::write(&file, damaged).unwrap();
            let (id, loaded) = load_newest(&*disk, dir.path()).unwrap().unwrap();
            assert_eq!((id, loaded.image.topics().len()), (ID, 3));
        }
        assert!(!part.exists());
        remove_older(&*disk, dir.path(), newer).unwrap();
        assert!(!dir.path().join(ID.file_name(SUFFIX)).exists());
    }
}
