//! `meta.properties`: which cluster, node and directory a log directory belongs to. Version 1, as every KRaft node has.

use std::path::Path;

use ottla_protocol::types::BrokerId;
use ottla_protocol::wire::Uuid;

use crate::disk::{Disk, DiskError, read_file_if_there, replace_file};
use crate::{names, properties_text};

const SIZE_MAX: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// Not always the text form of an id: operators may have chosen a word.
    pub cluster_id: String,
    pub node_id: BrokerId,
    /// Given to a directory when it is first used (KIP-858); older nodes left it out.
    pub directory_id: Option<Uuid>,
}

#[derive(Debug, thiserror::Error)]
pub enum MetaPropertiesError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{path}: {reason}")]
    Malformed { path: String, reason: String },
}

/// None where the directory was never used.
pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<MetaProperties>, MetaPropertiesError> {
    let path = dir.join(names::META_PROPERTIES);
    let Some(bytes) = read_file_if_there(disk, &path, SIZE_MAX)? else {
        return Ok(None);
    };
    parse(&bytes)
        .map(Some)
        .map_err(|reason| MetaPropertiesError::Malformed {
            path: path.display().to_string(),
            reason,
        })
}

pub fn write(disk: &dyn Disk, dir: &Path, meta: &MetaProperties) -> Result<(), DiskError> {
    let mut text = format!(
        "version=1\ncluster.id={}\nnode.id={}\n",
        meta.cluster_id, meta.node_id
    );
    if let Some(id) = meta.directory_id {
        text.push_str(&format!("directory.id={id}\n"));
    }
    replace_file(disk, &dir.join(names::META_PROPERTIES), text.as_bytes())
}

pub fn parse(bytes: &[u8]) -> Result<MetaProperties, String> {
    let pairs = properties_text::parse(bytes, '=').ok_or("not a properties file")?;
    let get = |key| properties_text::get(&pairs, key).filter(|v| !v.is_empty());
    let version = get("version").ok_or("version is missing")?;
    if version != "1" {
        return Err(format!("version {version} is not known, only 1"));
    }
    let cluster_id = get("cluster.id").ok_or("cluster.id is missing")?.to_owned();
    let node_id = get("node.id").ok_or("node.id is missing")?;
    let node_id: i32 = node_id
        .parse()
        .map_err(|_| format!("node.id {node_id} is not a number"))?;
    let directory_id = match get("directory.id") {
        None => None,
        Some(text) => {
            Some(Uuid::parse(text).ok_or_else(|| format!("directory.id {text} is not an id"))?)
        }
    };
    Ok(MetaProperties {
        cluster_id,
        node_id: BrokerId(node_id),
        directory_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_reference_writes() {
        let text =
            b"#\n#Sat Nov 21 05:00:00 UTC 2026\ncluster.id=4L6g3nShT-eMCtK--X86sw\nversion=1\n\
            directory.id=AAAAAAAAAAAAAAAAAAAAAQ\nnode.id=1\n";
        let meta = parse(text).unwrap();
        assert_eq!(meta.cluster_id, "4L6g3nShT-eMCtK--X86sw");
        assert_eq!(meta.node_id, BrokerId(1));
        assert_eq!(meta.directory_id, Some(Uuid::METADATA_TOPIC));
    }

    #[test]
    fn a_foreign_file_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "version is missing"),
            ("version=0\nbroker.id=1\n", "version 0"),
            ("version=1\nnode.id=1\n", "cluster.id"),
            ("version=1\ncluster.id=c\nnode.id=x\n", "not a number"),
            (
                "version=1\ncluster.id=c\nnode.id=1\ndirectory.id=?\n",
                "not an id",
            ),
            ("hello", "not a properties file"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
