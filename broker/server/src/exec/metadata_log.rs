//! `__cluster_metadata-0`: the log of the metadata quorum, whose only voter is this node.
//!
//! Owns: the folder with the log, `quorum-state` and the snapshots, all in the reference's formats.
//! Always: an epoch is in `quorum-state` before a record of it is in the log; a snapshot is whole and on disk before
//! anything that it stands for goes. Deliberately not here: what the records mean (`ottla_coordination::controller`),
//! when to flush, who waits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_coordination::controller::MetadataImage;
use ottla_coordination::quorum::SoleVoter;
use ottla_log::disk::{DiskError, make_folder};
use ottla_log::errors::{AppendError, OpenError, ReadError};
use ottla_log::log::{FlushTicket, Flushed};
use ottla_log::partition_metadata::{self, PartitionMetadataError};
use ottla_log::{
    Log, LogConfig, MinimumRead, Offsets, OpenInput, ReadRequest, SharedDisk, Timestamps, names,
};
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::metadata::{AbortTransactionRecord, MetadataRecord};
use ottla_protocol::messages::voters_record::{Endpoint, KRaftVersionFeature, Voter};
use ottla_protocol::messages::{Message, decode_metadata_record};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::records::builder::BuildError;
use ottla_protocol::records::control::{ControlType, Place, control_batch};
use ottla_protocol::types::{BrokerId, LeaderEpoch, Millis, Offset, PartitionIndex};
use ottla_protocol::wire::Uuid;
use tracing::{error, info};

use super::features::{FEATURES, KRAFT_VERSION};
use super::log_dirs::LogDir;
use super::metadata_loaded::Loaded;
use super::metadata_snapshot::Content;
use super::metadata_snapshot::{self as snapshot, SnapshotError, SnapshotId};
use super::metadata_versions::encode;
use super::quorum_records::QuorumRecords;
use super::quorum_state::{self, QuorumStateError};
use super::recovery;
use super::replay::{READ_BYTES, ReplayError, each_batch, each_record};
use ottla_protocol::features::METADATA_VERSION;

pub(crate) const TOPIC: &str = "__cluster_metadata";
const PARTITION: PartitionIndex = PartitionIndex(0);

/// Where a log directory has the metadata log.
pub(super) fn folder_of(dir: &Path) -> PathBuf {
    dir.join(names::partition_dir(TOPIC, PARTITION))
}

/// Why the metadata log cannot be used. Each stops the start: without metadata there is no broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataLogError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("the metadata log cannot be opened: {0}")]
    Open(#[from] OpenError),
    #[error("the metadata log cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error("the metadata log cannot be replayed: {0}")]
    Replay(#[from] ReplayError),
    #[error("the metadata log cannot be written: {0}")]
    Append(#[from] AppendError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    QuorumState(#[from] QuorumStateError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    PartitionMetadata(#[from] PartitionMetadataError),
    #[error("the metadata log begins at offset {start}, and no snapshot reaches that far")]
    Gap { start: Offset },
}

impl MetadataLogError {
    fn disk(&self) -> Option<&DiskError> {
        match self {
            Self::Disk(error) | Self::PartitionMetadata(PartitionMetadataError::Disk(error)) => {
                Some(error)
            }
            _ => None,
        }
    }
}

/// The quorum as its leader, and only voter, knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quorum {
    pub(crate) leader: BrokerId,
    pub(crate) epoch: LeaderEpoch,
    /// The leader's, in a quorum that goes by directories (KIP-853).
    pub(crate) directory_id: Option<Uuid>,
    pub(crate) high_watermark: Offset,
    pub(crate) log_end: Offset,
}

pub(crate) struct MetadataLog {
    /// Has room for the log when producers have filled the disk.
    dir: Arc<LogDir>,
    folder: PathBuf,
    log: Log,
    voter: SoleVoter,
    snapshot: Option<SnapshotId>,
    bytes_since_snapshot: u64,
    last_timestamp: Millis,
    quorum: QuorumRecords,
    /// The level of `metadata.version` that records are written at.
    level: i16,
}

impl MetadataLog {
    /// Opens the log, loads what it holds, and begins a new epoch in it. Nothing of that epoch is flushed yet.
    pub(crate) fn open(
        dir: &Arc<LogDir>,
        node_id: BrokerId,
        config: LogConfig,
        now: Millis,
    ) -> Result<(Self, MetadataImage), MetadataLogError> {
        let disk = dir.disk.clone();
        let folder = folder_of(&dir.path);
        dir.reserve
            .with_room(MetadataLogError::disk, || prepare_folder(&disk, &folder))?;
        let (snapshot, mut loaded) = snapshot::load_newest(&*disk, &folder)?.unzip();
        let snapshot_end = snapshot.map_or(Offset::ZERO, |id| id.end);
        let input = OpenInput {
            recovery_point: snapshot_end,
            log_start: snapshot_end,
            clean_shutdown: dir.was_clean,
        };
        let config = Arc::new(config);
        let (mut log, report) = dir.reserve.with_room(OpenError::disk, || {
            Log::open(disk.clone(), &folder, config.clone(), input, now)
        })?;
        recovery::tell(TOPIC, PARTITION.0, &report);
        if log.end() < snapshot_end {
            log.restart_at(snapshot_end, now)?;
        }
        if log.start() > snapshot_end {
            return Err(MetadataLogError::Gap { start: log.start() });
        }
        let loaded = loaded.get_or_insert_default();
        let (bytes_since_snapshot, last_timestamp) = replay(&log, snapshot_end, loaded)?;
        let was_interrupted = loaded.drop_open_transaction();
        let Loaded { image, quorum, .. } = std::mem::take(loaded);
        let last = quorum_state::read(&*disk, &folder)?.unwrap_or_default();
        let log_epoch = log.epochs().latest().unwrap_or(LeaderEpoch(0));
        let snapshot_epoch = snapshot.map_or(LeaderEpoch(0), |id| id.epoch);
        let voter = SoleVoter::elect(node_id, dir.id, last, log_epoch.max(snapshot_epoch));
        dir.with_room(|| quorum_state::write(&*disk, &folder, &voter.state()))?;
        let mut opened = Self {
            dir: dir.clone(),
            folder,
            log,
            voter,
            snapshot,
            bytes_since_snapshot,
            last_timestamp,
            quorum,
            level: level_of(&image),
        };
        opened.begin_epoch(now)?;
        if was_interrupted {
            opened.abort_transaction(now)?;
        }
        Ok((opened, image))
    }

    /// Ends a transaction of records that a controller has begun and not ended (KIP-868).
    fn abort_transaction(&mut self, now: Millis) -> Result<(), MetadataLogError> {
        let abort = MetadataRecord::AbortTransaction(AbortTransactionRecord {
            reason: Some("failover".into()),
            ..Default::default()
        });
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(now, None, Some(&encode(&abort, self.level)), &[])?;
        self.append_batch(builder.build()?, now)?;
        Ok(())
    }

    /// Opens the epoch with the control record that says who leads it.
    fn begin_epoch(&mut self, now: Millis) -> Result<(), MetadataLogError> {
        let body = self.voter.leader_change().to_bytes(0);
        let batch = control_batch(self.place(now), ControlType::LeaderChange, &body)?;
        self.append_batch(batch, now)?;
        Ok(())
    }

    /// Writes a version of the quorum with the voters that it goes by: this node, which is found at `endpoints`. Nothing of
    /// it is flushed yet.
    pub(crate) fn raise_kraft_version(
        &mut self,
        level: i16,
        endpoints: Vec<Endpoint>,
        now: Millis,
    ) -> Result<(), MetadataLogError> {
        let voter = Voter {
            voter_id: self.voter.leader().0,
            voter_directory_id: self.dir.id,
            endpoints,
            k_raft_version_feature: KRaftVersionFeature {
                min_supported_version: KRAFT_VERSION.min,
                max_supported_version: KRAFT_VERSION.max,
                ..Default::default()
            },
            ..Default::default()
        };
        let quorum = QuorumRecords::of_sole_voter(level, voter);
        let batch = quorum.batch(self.place(now))?;
        self.append_batch(batch, now)?;
        self.quorum = quorum;
        Ok(())
    }

    fn place(&self, now: Millis) -> Place {
        Place {
            base_offset: self.log.end(),
            leader_epoch: self.voter.epoch(),
            timestamp: now,
        }
    }

    fn append_batch(&mut self, mut batch: Vec<u8>, now: Millis) -> Result<Offset, AppendError> {
        let offsets = Offsets::Assign {
            leader_epoch: self.voter.epoch(),
        };
        let log = &mut self.log;
        let appended = self.dir.reserve.with_room(AppendError::disk, || {
            log.append(&mut batch, offsets, Timestamps::Create, now)
        })?;
        self.bytes_since_snapshot += batch.len() as u64;
        self.last_timestamp = now;
        Ok(appended.base_offset)
    }

    pub(crate) fn end(&self) -> Offset {
        self.log.end()
    }

    /// What has to be synced for everything appended so far to survive; none if it does already.
    pub(crate) fn start_flush(&mut self) -> Result<Option<FlushTicket>, DiskError> {
        self.dir.with_room(|| self.log.start_flush())
    }

    /// Takes in what a flush achieved; the offset below which everything is committed.
    pub(crate) fn finish_flush(&mut self, flushed: Flushed) -> Offset {
        self.log.finish_flush(flushed);
        self.voter.flushed(self.log.flushed_end());
        self.voter.high_watermark()
    }

    /// The level of `kraft.version`.
    pub(crate) fn kraft_version(&self) -> i16 {
        self.quorum.level()
    }

    pub(crate) fn quorum(&self) -> Quorum {
        Quorum {
            leader: self.voter.leader(),
            epoch: self.voter.epoch(),
            directory_id: (self.kraft_version() > 0).then_some(self.dir.id),
            high_watermark: self.voter.high_watermark(),
            log_end: self.log.end(),
        }
    }

    /// Bytes of records that the newest snapshot does not stand for.
    pub(crate) fn bytes_since_snapshot(&self) -> u64 {
        self.bytes_since_snapshot
    }

    /// What a snapshot of this image is called and carries. None where there is one already.
    pub(crate) fn plan_snapshot(&self, image: MetadataImage) -> Option<PlannedSnapshot> {
        let last = Offset(image.end().0.checked_sub(1).filter(|last| *last >= 0)?);
        let epoch = self.log.epochs().at(last)?;
        let id = SnapshotId {
            end: image.end(),
            epoch,
        };
        (self.snapshot != Some(id)).then(|| PlannedSnapshot {
            dir: self.dir.clone(),
            folder: self.folder.clone(),
            id,
            content: Content {
                image,
                quorum: self.quorum.clone(),
                last_timestamp: self.last_timestamp,
            },
        })
    }

    /// Lets go of what a written snapshot stands for: older snapshots, and whole segments below it.
    pub(crate) fn snapshot_written(
        &mut self,
        id: SnapshotId,
        now: Millis,
    ) -> Result<(), DiskError> {
        self.snapshot = Some(id);
        self.bytes_since_snapshot = 0;
        let log = &mut self.log;
        let deleted = self.dir.with_room(|| {
            log.roll(now)?;
            log.set_start(id.end)?;
            log.apply_retention(id.end, now)
        })?;
        for segment in deleted {
            // Nobody reads the metadata log but this process, and it has what the segment held.
            segment.remove(&*self.dir.disk)?;
        }
        snapshot::remove_older(&*self.dir.disk, &self.folder, id)?;
        info!(end = %id.end, epoch = %id.epoch, "metadata snapshot written");
        Ok(())
    }

    /// Flushes and closes the log.
    pub(crate) fn close(self) -> Result<(), DiskError> {
        self.log.close().map(drop)
    }
}

/// A snapshot that can be written without holding the log.
pub(crate) struct PlannedSnapshot {
    dir: Arc<LogDir>,
    folder: PathBuf,
    id: SnapshotId,
    content: Content,
}

impl PlannedSnapshot {
    pub(crate) fn write(&self, now: Millis) -> Result<SnapshotId, SnapshotError> {
        self.dir.reserve.with_room(SnapshotError::disk, || {
            snapshot::write(&*self.dir.disk, &self.folder, self.id, &self.content, now)
        })?;
        Ok(self.id)
    }
}

impl ottla_coordination::Log<MetadataRecord> for MetadataLog {
    fn append(&mut self, now: Millis, records: &[MetadataRecord]) -> Result<Offset, ErrorCode> {
        let mut builder = BatchBuilder::new(Compression::None);
        let mut level = self.level;
        for record in records {
            if let Err(failure) = builder.append(now, None, Some(&encode(record, level)), &[]) {
                error!("metadata records cannot be written as one batch: {failure}");
                return Err(ErrorCode::UnknownServerError);
            }
            if let MetadataRecord::FeatureLevel(feature) = record
                && feature.name.as_str() == METADATA_VERSION
            {
                // What follows may say more, or less.
                level = feature.feature_level;
            }
        }
        let batch = builder.build().map_err(|failure| {
            error!("metadata records cannot be written as one batch: {failure}");
            ErrorCode::UnknownServerError
        })?;
        let base = self.append_batch(batch, now).map_err(|failure| {
            error!("the metadata log cannot be written: {failure}");
            ErrorCode::KafkaStorageError
        })?;
        self.level = level;
        Ok(base)
    }
}

fn prepare_folder(disk: &SharedDisk, folder: &Path) -> Result<(), MetadataLogError> {
    if partition_metadata::read(&**disk, folder)?.is_none() {
        make_folder(&**disk, folder)?;
        partition_metadata::write(&**disk, folder, Uuid::METADATA_TOPIC)?;
    }
    Ok(())
}

/// A log without a level gets the one of this build before anything else.
pub(super) fn level_of(image: &MetadataImage) -> i16 {
    let level = image.features().get(METADATA_VERSION);
    level.copied().unwrap_or(FEATURES[0].first_level)
}

/// Applies the log's records from `from` on. Returns their bytes and the time of the last.
fn replay(log: &Log, from: Offset, loaded: &mut Loaded) -> Result<(u64, Millis), MetadataLogError> {
    let mut next = from;
    let mut bytes = 0;
    let mut last_timestamp = Millis(0);
    while next < log.end() {
        let request = ReadRequest {
            from: next,
            max_bytes: READ_BYTES,
            upper_end: log.end(),
            minimum: MinimumRead::OneBatch,
        };
        let Some(slice) = log.read(request)? else {
            break;
        };
        bytes += slice.len as u64;
        each_batch(&slice, next, |header, batch| {
            loaded.quorum.take(header, batch)
        })?;
        next = each_record(&slice, next, |record| {
            last_timestamp = record.timestamp;
            let value = record.value.ok_or("it has no value")?;
            let (decoded, _) = decode_metadata_record(value).map_err(|error| error.to_string())?;
            loaded.apply(record.offset, decoded);
            Ok(())
        })?;
    }
    Ok((bytes, last_timestamp))
}
