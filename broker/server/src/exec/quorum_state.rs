//! `quorum-state`: who leads the metadata quorum in which epoch, as far as this node knows.
//!
//! Written in version 0 of the reference's file, which is the one for a fixed set of voters; version 1 is read too.

use std::path::Path;

use ottla_coordination::quorum::QuorumState;
use ottla_log::disk::{Disk, DiskError, read_file_if_there, replace_file};
use ottla_protocol::messages::Message;
use ottla_protocol::messages::internal::QuorumStateData;
use ottla_protocol::messages::internal::quorum_state_data::Voter;
use ottla_protocol::types::{BrokerId, LeaderEpoch};
use ottla_protocol::wire::Uuid;
use serde_json::Value;

const FILE: &str = "quorum-state";
const SIZE_MAX: u64 = 1 << 20;
const VERSION: i16 = 0;

#[derive(Debug, thiserror::Error)]
pub(crate) enum QuorumStateError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{path} is not a quorum state: {reason}")]
    Malformed { path: String, reason: String },
}

/// None where the node has never voted.
pub(crate) fn read(
    disk: &dyn Disk,
    folder: &Path,
) -> Result<Option<QuorumState>, QuorumStateError> {
    let path = folder.join(FILE);
    let Some(bytes) = read_file_if_there(disk, &path, SIZE_MAX)? else {
        return Ok(None);
    };
    parse(&bytes)
        .map(Some)
        .map_err(|reason| QuorumStateError::Malformed {
            path: path.display().to_string(),
            reason,
        })
}

pub(crate) fn parse(bytes: &[u8]) -> Result<QuorumState, String> {
    let json: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let number = |key: &str| {
        json.get(key)
            .and_then(Value::as_i64)
            .and_then(|number| i32::try_from(number).ok())
            .ok_or_else(|| format!("{key} is missing"))
    };
    let node = |key: &str| Ok::<_, String>(Some(number(key)?).filter(|id| *id >= 0).map(BrokerId));
    match number("data_version")? {
        0 | 1 => {}
        version => return Err(format!("version {version} is not known, only 0 and 1")),
    }
    let directory = json.get("votedDirectoryId").and_then(Value::as_str);
    Ok(QuorumState {
        leader_id: node("leaderId")?,
        leader_epoch: LeaderEpoch(number("leaderEpoch")?),
        voted_id: node("votedId")?,
        voted_directory_id: directory.and_then(Uuid::parse).filter(|id| !id.is_zero()),
    })
}

/// Replaces the file, durably.
pub(crate) fn write(disk: &dyn Disk, folder: &Path, state: &QuorumState) -> Result<(), DiskError> {
    let id = |id: Option<BrokerId>| id.map_or(-1, |id| id.0);
    // Who has won the epoch has no use for its vote any more, and the file has room for one of the two.
    let voted_id = if state.leader_id.is_some() {
        None
    } else {
        state.voted_id
    };
    let data = QuorumStateData {
        leader_id: id(state.leader_id),
        leader_epoch: state.leader_epoch.0,
        voted_id: id(voted_id),
        current_voters: Some(
            state
                .leader_id
                .iter()
                .map(|voter| Voter {
                    voter_id: voter.0,
                    ..Default::default()
                })
                .collect(),
        ),
        ..Default::default()
    };
    let mut json = data.to_json(VERSION);
    if let Value::Object(fields) = &mut json {
        fields.insert("data_version".to_owned(), VERSION.into());
    }
    replace_file(disk, &folder.join(FILE), json.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use ottla_log::RealDisk;

    use super::*;

    const REFERENCE: &[u8] = br#"{"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,
        "appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#;

    #[test]
    fn what_the_reference_writes_is_read_and_written_back() {
        let state = parse(REFERENCE).unwrap();
        assert_eq!(state.leader_id, Some(BrokerId(1)));
        assert_eq!(state.leader_epoch, LeaderEpoch(1));
        let dir = tempfile::tempdir().unwrap();
        write(&*RealDisk::shared(), dir.path(), &state).unwrap();
        let written: Value =
            serde_json::from_slice(&std::fs::read(dir.path().join(FILE)).unwrap()).unwrap();
        assert_eq!(written, serde_json::from_slice::<Value>(REFERENCE).unwrap());
    }

    #[test]
    fn version_one_names_a_directory() {
        let text = br#"{"leaderId":-1,"leaderEpoch":4,"votedId":1,
            "votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAQ","data_version":1}"#;
        let state = parse(text).unwrap();
        assert_eq!(state.leader_id, None);
        assert_eq!(state.voted_directory_id, Some(Uuid::METADATA_TOPIC));
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "EOF"),
            ("{}", "data_version is missing"),
            (r#"{"data_version":2}"#, "version 2"),
            (r#"{"data_version":0,"leaderId":1}"#, "leaderEpoch"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
