//! Taking possession of the log directories: looked at, locked, known to be ours, initialised if empty.
//!
//! Always: all are looked at before anything is written, and a start that is refused leaves what is there as it was.
//! A directory that cannot be used ends the start only where the server cannot do without it: else the partitions in
//! it are offline. One that belongs to somebody else always does.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_log::dir_lock::{DirLock, LockError};
use ottla_log::disk::{DiskError, make_folder};
use ottla_log::meta_properties::{self, MetaProperties, MetaPropertiesError};
use ottla_log::{RealDisk, SharedDisk, clean_shutdown, names};
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::Uuid;
use tracing::{error, info};

use crate::exec::log_dirs::{LogDir, Uses};
use crate::exec::metadata_preflight::{self, Refusal};
use crate::exec::open_files::OpenFiles;
use crate::settings::Settings;

#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error("cannot use the data directory {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Meta(#[from] MetaPropertiesError),
    #[error("the data directory {} is not empty and not Ottla's: it has {found} but no meta.properties", path.display())]
    Foreign { path: PathBuf, found: String },
    #[error("the data directory {} belongs to node {theirs}, this is node {ours}", path.display())]
    OtherNode {
        path: PathBuf,
        ours: BrokerId,
        theirs: BrokerId,
    },
    #[error("the data directories {} and {} belong to different clusters", first.display(), second.display())]
    OtherCluster { first: PathBuf, second: PathBuf },
    #[error("the data directories {} and {} are the same", first.display(), second.display())]
    Twice { first: PathBuf, second: PathBuf },
    #[error(transparent)]
    Metadata(#[from] Refusal),
    #[error("the data directories {} and {} have the same directory.id: one is a copy of the other", first.display(), second.display())]
    Copied { first: PathBuf, second: PathBuf },
}

impl DataDirError {
    /// The directory's own trouble, which another one may not have; not a sign that something is configured wrongly.
    fn is_trouble_of_the_disk(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Disk(_) | Self::Meta(MetaPropertiesError::Disk(_)) => true,
            Self::Lock(error) => !matches!(error, LockError::Held(_)),
            _ => false,
        }
    }
}

/// Who this node is, as its directories remember it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) cluster_id: String,
    pub(crate) node_id: BrokerId,
}

pub(crate) struct DataDirs {
    pub(crate) identity: Identity,
    /// Those that cannot be used are among them, offline.
    pub(crate) dirs: Vec<Arc<LogDir>>,
    /// Held for the life of the server.
    pub(crate) locks: Vec<DirLock>,
    /// Counts what is open in them.
    pub(crate) open_files: OpenFiles,
}

/// One directory after it was looked at, before anything is written.
struct Candidate {
    path: PathBuf,
    uses: Uses,
    /// None: it is empty, or not there.
    meta: Option<MetaProperties>,
    lock: Option<DirLock>,
    /// Why it cannot be used.
    trouble: Option<DataDirError>,
}

pub(crate) fn open(settings: &Settings) -> Result<DataDirs, DataDirError> {
    let open_files = OpenFiles::new(settings.log_files_max);
    let disk = open_files.counted(RealDisk::shared());
    let mut candidates = candidates(settings);
    refuse_duplicates(&candidates)?;
    for candidate in &mut candidates {
        candidate.attempt(|candidate| candidate.look(&disk, settings.node_id))?;
    }
    refuse_useless(&mut candidates)?;
    let cluster_id = common_cluster_id(&candidates)?.unwrap_or_else(|| random_id().to_string());
    // Those in use first: if another broker has one, no new one is made.
    for fresh in [false, true] {
        for candidate in &mut candidates {
            if candidate.meta.is_none() == fresh {
                candidate.attempt(|candidate| candidate.lock(&disk))?;
            }
        }
        refuse_useless(&mut candidates)?;
    }
    metadata_preflight::check(&*disk, &settings.metadata_log_dir, settings.node_id)?;
    let mut dirs = Vec::new();
    let mut locks = Vec::new();
    for candidate in &mut candidates {
        let mut loaded = None;
        candidate.attempt(|candidate| {
            loaded = Some(candidate.load(&disk, &cluster_id, settings.node_id)?);
            Ok(())
        })?;
        dirs.push(loaded);
        locks.extend(candidate.lock.take());
    }
    refuse_useless(&mut candidates)?;
    let dirs = candidates.into_iter().zip(dirs);
    let dirs = dirs.map(|(candidate, dir)| dir.unwrap_or_else(|| candidate.offline(&disk)));
    Ok(DataDirs {
        identity: Identity {
            cluster_id,
            node_id: settings.node_id,
        },
        dirs: dirs.map(Arc::new).collect(),
        locks,
        open_files,
    })
}

/// The configured directories, and the metadata log's if it has one of its own.
fn candidates(settings: &Settings) -> Vec<Candidate> {
    let new = |path: &PathBuf, uses| Candidate {
        path: path.clone(),
        uses,
        meta: None,
        lock: None,
        trouble: None,
    };
    let of_metadata = &settings.metadata_log_dir;
    let dirs = settings.log_dirs.iter();
    let mut candidates: Vec<Candidate> = dirs
        .map(|path| match path == of_metadata {
            true => new(path, Uses::Both),
            false => new(path, Uses::Partitions),
        })
        .collect();
    if !settings.log_dirs.contains(of_metadata) {
        candidates.push(new(of_metadata, Uses::Metadata));
    }
    candidates
}

/// Two names of one directory would be two brokers in it.
fn refuse_duplicates(candidates: &[Candidate]) -> Result<(), DataDirError> {
    for (i, second) in candidates.iter().enumerate() {
        let Ok(canonical) = second.path.canonicalize() else {
            continue;
        };
        let is_same =
            |first: &&Candidate| first.path.canonicalize().ok().as_ref() == Some(&canonical);
        if let Some(first) = candidates[..i].iter().find(is_same) {
            return Err(DataDirError::Twice {
                first: first.path.clone(),
                second: second.path.clone(),
            });
        }
    }
    Ok(())
}

/// Without the metadata log, or without any directory for partitions, there is nothing to serve.
fn refuse_useless(candidates: &mut [Candidate]) -> Result<(), DataDirError> {
    let mut with_partitions = candidates.iter().filter(|c| c.uses != Uses::Metadata);
    let any_left = with_partitions.any(|c| c.trouble.is_none());
    let needed = candidates.iter_mut().find(|candidate| {
        candidate.trouble.is_some() && (candidate.uses != Uses::Partitions || !any_left)
    });
    match needed.and_then(|candidate| candidate.trouble.take()) {
        Some(trouble) => Err(trouble),
        None => Ok(()),
    }
}

fn common_cluster_id(candidates: &[Candidate]) -> Result<Option<String>, DataDirError> {
    let known: Vec<_> = candidates
        .iter()
        .filter_map(|c| Some((&c.path, c.meta.as_ref()?)))
        .collect();
    for (i, (path, meta)) in known.iter().enumerate() {
        let paths = |first: &PathBuf| (first.clone(), (*path).clone());
        for (first, first_meta) in &known[..i] {
            if first_meta.cluster_id != meta.cluster_id {
                let (first, second) = paths(first);
                return Err(DataDirError::OtherCluster { first, second });
            }
            if meta.directory_id.is_some() && first_meta.directory_id == meta.directory_id {
                let (first, second) = paths(first);
                return Err(DataDirError::Copied { first, second });
            }
        }
    }
    Ok(known.first().map(|(_, meta)| meta.cluster_id.clone()))
}

impl Candidate {
    /// A step towards using the directory; trouble with its disk is noted, anything else ends the start.
    fn attempt(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<(), DataDirError>,
    ) -> Result<(), DataDirError> {
        if self.trouble.is_some() {
            return Ok(());
        }
        match step(self) {
            Err(error) if error.is_trouble_of_the_disk() => {
                self.trouble = Some(error);
                Ok(())
            }
            other => other,
        }
    }

    fn io(&self, source: io::Error) -> DataDirError {
        DataDirError::Io {
            path: self.path.clone(),
            source,
        }
    }

    fn look(&mut self, disk: &SharedDisk, node_id: BrokerId) -> Result<(), DataDirError> {
        match fs::metadata(&self.path) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(self.io(io::Error::other("it is a file, not a directory")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.io(error)),
        }
        self.meta = meta_properties::read(&**disk, &self.path)?;
        match &self.meta {
            None => match first_foreign_entry(&self.path).map_err(|error| self.io(error))? {
                Some(found) => Err(DataDirError::Foreign {
                    path: self.path.clone(),
                    found,
                }),
                None => Ok(()),
            },
            Some(meta) if meta.node_id != node_id => Err(DataDirError::OtherNode {
                path: self.path.clone(),
                ours: node_id,
                theirs: meta.node_id,
            }),
            Some(_) => Ok(()),
        }
    }

    /// Makes the directory if it is not there, and keeps others out.
    fn lock(&mut self, disk: &SharedDisk) -> Result<(), DataDirError> {
        if self.meta.is_none() {
            make_folder(&**disk, &self.path)?;
        }
        self.lock = Some(DirLock::take(&self.path)?);
        Ok(())
    }

    fn load(
        &self,
        disk: &SharedDisk,
        cluster_id: &str,
        node_id: BrokerId,
    ) -> Result<LogDir, DataDirError> {
        let id = self.own(disk, cluster_id, node_id)?;
        let dir = LogDir::load(disk.clone(), &self.path, id, self.uses)?.with_reserve();
        // From here on a crash is seen as one.
        clean_shutdown::remove(&**disk, &self.path)?;
        Ok(dir)
    }

    /// Writes meta.properties where it is missing or has no directory id; the directory's id.
    fn own(
        &self,
        disk: &SharedDisk,
        cluster_id: &str,
        node_id: BrokerId,
    ) -> Result<Uuid, DataDirError> {
        if let Some(id) = self.meta.as_ref().and_then(|meta| meta.directory_id) {
            return Ok(id);
        }
        let id = random_id();
        let meta = MetaProperties {
            cluster_id: cluster_id.to_owned(),
            node_id,
            directory_id: Some(id),
        };
        meta_properties::write(&**disk, &self.path, &meta)?;
        info!(dir = %self.path.display(), %id, "log directory joins");
        Ok(id)
    }

    fn offline(self, disk: &SharedDisk) -> LogDir {
        if let Some(trouble) = &self.trouble {
            error!(dir = %self.path.display(), "log directory is offline, and so are the partitions in it: {trouble}");
        }
        let id = self.meta.and_then(|meta| meta.directory_id);
        LogDir::offline(disk.clone(), &self.path, id)
    }
}

/// Something in a directory without meta.properties that shows that it is not a fresh one.
fn first_foreign_entry(path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // A fresh file system has the one; the other is of a server that was refused, or stopped in its first moment.
        if name != "lost+found" && name != names::LOCK && !name.starts_with("meta.properties") {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// A random id that is none of Kafka's reserved ones and does not begin with a dash in its text form, which command
/// lines would take for an option.
pub fn random_id() -> Uuid {
    loop {
        let id = Uuid(*uuid::Uuid::new_v4().as_bytes());
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}

/// A random number for choices that need no secrecy.
pub(crate) fn random_number() -> u32 {
    u32::from_be_bytes(
        uuid::Uuid::new_v4().as_bytes()[..4]
            .try_into()
            .unwrap_or_default(),
    )
}
