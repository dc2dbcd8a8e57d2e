//! Looks at a metadata log before anything of its directory is changed: whether this build knows all that is in it.
//!
//! Always: only reads. Damage is none of its business: what cannot be read ends the look, and opening the log decides
//! what becomes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ottla_log::disk::{Disk, DiskError, DiskFile, OpenMode, read_full};
use ottla_log::names;
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::messages::metadata::MetadataRecord;
use ottla_protocol::messages::{FramingError, decode_metadata_record};
use ottla_protocol::records::batch::{BATCH_OVERHEAD, BatchHeader};
use ottla_protocol::records::{RecordError, Records, check_batch};
use ottla_protocol::types::{BrokerId, Offset};

use super::bootstrap;
use super::features::{self, KRAFT_VERSION, UnknownLevel};
use super::metadata_log::folder_of;
use super::metadata_snapshot;
use super::quorum_records::QuorumRecords;
use super::quorum_state::{self, QuorumStateError};
use ottla_protocol::features::METADATA_VERSION;

/// Batches of metadata are a few MiB at most.
const BATCH_BYTES_MAX: usize = 256 << 20;

/// Why a directory is left alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    QuorumState(#[from] QuorumStateError),
    #[error("the data directory {} cannot be used: {level}", dir.display())]
    Level { dir: PathBuf, level: UnknownLevel },
    #[error(
        "the data directory {} cannot be used: its metadata has a record at offset {offset} that this version does not \
         know ({why}). Nothing was changed. Use the version that wrote it, or a newer one", dir.display()
    )]
    Record {
        dir: PathBuf,
        offset: Offset,
        why: FramingError,
    },
    #[error("the data directory {} cannot be used: {why:#}. Nothing was changed", dir.display())]
    Bootstrap { dir: PathBuf, why: anyhow::Error },
    #[error(
        "the data directory {} cannot be used: node {voter} is a voter of its metadata quorum, too, and this version \
         has quorums of one node only. Nothing was changed", dir.display()
    )]
    Voter { dir: PathBuf, voter: BrokerId },
}

/// What was found.
#[derive(Default)]
struct Look {
    levels: BTreeMap<String, i16>,
    quorum: QuorumRecords,
    unknown: Option<(Offset, FramingError)>,
}

/// Refuses a log directory whose metadata asks for more than this build can do. One without metadata is fine.
pub(crate) fn check(disk: &dyn Disk, dir: &Path, node_id: BrokerId) -> Result<(), Refusal> {
    let mut look = Look::default();
    let folder = folder_of(dir);
    let entries = match disk.list(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(|source| DiskError {
            what: "list",
            path: folder.clone(),
            source,
        })?,
    };
    quorum_state::read(disk, &folder)?;
    let mut names: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
    names.sort();
    // Of the snapshots only the newest counts, and then the log: what it has from before the snapshot comes again later.
    let snapshot = names
        .iter()
        .rfind(|name| metadata_snapshot::is_snapshot(name));
    let segments = names.iter().filter(
        |name| matches!(names::parse_segment_file(name), Some((_, suffix)) if suffix == names::LOG),
    );
    for name in snapshot.into_iter().chain(segments) {
        look.file(disk, &folder.join(name))?;
    }
    if !look.levels.contains_key(METADATA_VERSION) {
        let dir = dir.to_owned();
        let formatted = bootstrap::levels(disk, &dir);
        let formatted = formatted.map_err(|why| Refusal::Bootstrap { dir, why })?;
        look.levels.extend(formatted);
    }
    look.judge(dir, node_id)
}

impl Look {
    fn judge(mut self, dir: &Path, node_id: BrokerId) -> Result<(), Refusal> {
        let dir = dir.to_owned();
        let level = self.quorum.level();
        self.levels.insert(KRAFT_VERSION.name.to_owned(), level);
        self.levels.retain(|_, level| *level != 0);
        if let Err(level) = features::check(&self.levels) {
            return Err(Refusal::Level { dir, level });
        }
        if let Some((offset, why)) = self.unknown {
            return Err(Refusal::Record { dir, offset, why });
        }
        match self.quorum.other_voter(node_id) {
            Some(voter) => Err(Refusal::Voter { dir, voter }),
            None => Ok(()),
        }
    }

    fn file(&mut self, disk: &dyn Disk, path: &Path) -> Result<(), DiskError> {
        let failed = |source| DiskError {
            what: "read",
            path: path.to_owned(),
            source,
        };
        let file = disk.open(path, OpenMode::Read).map_err(failed)?;
        let end = file.len().map_err(failed)?;
        let mut position = 0;
        while let Some((header, batch)) = batch_at(&*file, position, end).map_err(failed)? {
            position += batch.len() as u64;
            if self.batch(&header, &batch).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn batch(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<(), RecordError> {
        if header.is_control() {
            return self.quorum.take(header, batch);
        }
        for record in Records::open(batch, InflateLimits::LENIENT)?.owned() {
            let record = record?;
            match decode_metadata_record(record.value.unwrap_or_default()) {
                Ok((MetadataRecord::FeatureLevel(feature), _)) => {
                    self.levels
                        .insert(feature.name.to_string(), feature.feature_level);
                }
                Ok(_) => {}
                Err(why) => {
                    self.unknown.get_or_insert((record.offset, why));
                }
            }
        }
        Ok(())
    }
}

/// The whole, sound batch at a position; none where there is none.
fn batch_at(
    file: &dyn DiskFile,
    position: u64,
    end: u64,
) -> std::io::Result<Option<(BatchHeader, Bytes)>> {
    let mut head = [0; BATCH_OVERHEAD];
    if read_full(file, &mut head, position)? < BATCH_OVERHEAD {
        return Ok(None);
    }
    let Ok(header) = BatchHeader::read(&head) else {
        return Ok(None);
    };
    let size = header.size_in_bytes();
    let left = end.saturating_sub(position);
    if !(BATCH_OVERHEAD..=BATCH_BYTES_MAX).contains(&size) || size as u64 > left {
        return Ok(None);
    }
    let mut batch = vec![0; size];
    let read = read_full(file, &mut batch, position)?;
    let is_sound = read == size && check_batch(&batch).is_ok();
    Ok(is_sound.then(|| (header, Bytes::from(batch))))
}
