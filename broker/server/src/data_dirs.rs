//! Taking possession of the log directories: made if missing, locked, known to be ours, initialised if empty.
//!
//! Always: a directory that is refused is left as it was, but for the lock file of one that could not be locked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_log::dir_lock::{DirLock, LockError};
use ottla_log::disk::DiskError;
use ottla_log::meta_properties::{self, MetaProperties, MetaPropertiesError};
use ottla_log::{RealDisk, SharedDisk, clean_shutdown, names};
use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::Uuid;

use crate::exec::log_dirs::LogDir;
use crate::settings::Settings;

#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error("cannot use the data directory {}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
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
}

/// Who this node is, as its directories remember it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) cluster_id: String,
    pub(crate) node_id: BrokerId,
}

pub(crate) struct DataDirs {
    pub(crate) identity: Identity,
    pub(crate) dirs: Vec<Arc<LogDir>>,
    /// Held for the life of the server.
    pub(crate) locks: Vec<DirLock>,
}

/// One directory after it was looked at, before anything is written.
struct Candidate {
    path: PathBuf,
    meta: Option<MetaProperties>,
}

pub(crate) fn open(settings: &Settings) -> Result<DataDirs, DataDirError> {
    let disk = RealDisk::shared();
    let mut paths = settings.log_dirs.clone();
    if !paths.contains(&settings.metadata_log_dir) {
        paths.push(settings.metadata_log_dir.clone());
    }
    let mut candidates = Vec::new();
    let mut locks = Vec::new();
    for path in paths {
        let (candidate, lock) = inspect(&disk, path, settings.node_id)?;
        candidates.push(candidate);
        locks.push(lock);
    }
    let cluster_id = common_cluster_id(&candidates)?.unwrap_or_else(|| random_id().to_string());
    let mut dirs = Vec::new();
    for candidate in candidates {
        let id = own(&disk, &candidate, &cluster_id, settings.node_id)?;
        let holds_metadata = candidate.path == settings.metadata_log_dir;
        let dir = LogDir::load(disk.clone(), &candidate.path, id, holds_metadata)?;
        // From here on a crash is seen as one.
        clean_shutdown::remove(&*disk, &candidate.path)?;
        dirs.push(Arc::new(dir));
    }
    Ok(DataDirs {
        identity: Identity {
            cluster_id,
            node_id: settings.node_id,
        },
        dirs,
        locks,
    })
}

fn inspect(
    disk: &SharedDisk,
    path: PathBuf,
    node_id: BrokerId,
) -> Result<(Candidate, DirLock), DataDirError> {
    let io = |source| DataDirError::Io {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(&path).map_err(io)?;
    let meta = meta_properties::read(&**disk, &path)?;
    match &meta {
        None => {
            if let Some(found) = first_foreign_entry(&path).map_err(io)? {
                return Err(DataDirError::Foreign { path, found });
            }
        }
        Some(meta) if meta.node_id != node_id => {
            return Err(DataDirError::OtherNode {
                path,
                ours: node_id,
                theirs: meta.node_id,
            });
        }
        Some(_) => {}
    }
    let lock = DirLock::take(&path)?;
    Ok((Candidate { path, meta }, lock))
}

/// Something in a directory without meta.properties that shows that it is not a fresh one.
fn first_foreign_entry(path: &Path) -> std::io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // A fresh file system has the one; the other is of a server that was refused, or stopped in its first moment.
        if name != "lost+found" && name != names::LOCK && !name.starts_with("meta.properties") {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn common_cluster_id(candidates: &[Candidate]) -> Result<Option<String>, DataDirError> {
    let mut known: Option<(&Candidate, &MetaProperties)> = None;
    for candidate in candidates {
        let Some(meta) = &candidate.meta else {
            continue;
        };
        match known {
            Some((first, first_meta)) if first_meta.cluster_id != meta.cluster_id => {
                return Err(DataDirError::OtherCluster {
                    first: first.path.clone(),
                    second: candidate.path.clone(),
                });
            }
            Some(_) => {}
            None => known = Some((candidate, meta)),
        }
    }
    Ok(known.map(|(_, meta)| meta.cluster_id.clone()))
}

/// Writes meta.properties where it is missing or has no directory id; the directory's id.
fn own(
    disk: &SharedDisk,
    candidate: &Candidate,
    cluster_id: &str,
    node_id: BrokerId,
) -> Result<Uuid, DataDirError> {
    if let Some(id) = candidate.meta.as_ref().and_then(|meta| meta.directory_id) {
        return Ok(id);
    }
    let id = random_id();
    let meta = MetaProperties {
        cluster_id: cluster_id.to_owned(),
        node_id,
        directory_id: Some(id),
    };
    meta_properties::write(&**disk, &candidate.path, &meta)?;
    Ok(id)
}

/// A random id that is none of Kafka's reserved ones and does not begin with a dash in its text form, which command
/// lines would take for an option.
pub(crate) fn random_id() -> Uuid {
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
