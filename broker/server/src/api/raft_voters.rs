//! AddRaftVoter (80) and RemoveRaftVoter (81): other voters for the metadata quorum (KIP-853).
//!
//! - AddRaftVoter v1: whether the answer waits until the change is committed (KIP-1186).
//!
//! A quorum of one stays one: what is refused here, the reference refuses in the same words where it can.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{
    AddRaftVoterRequest, AddRaftVoterResponse, RemoveRaftVoterRequest, RemoveRaftVoterResponse,
};
use ottla_protocol::wire::{StrBytes, Uuid};

use super::{Answer, Context};

type Refusal = (ErrorCode, String);

pub(crate) fn add(
    context: &Context<'_>,
    request: AddRaftVoterRequest,
) -> Answer<AddRaftVoterResponse> {
    let voter = (request.voter_id, request.voter_directory_id);
    let (error, message) = refuse(context, request.cluster_id.as_ref(), "adding", |own| {
        if voter.0 == own.0 {
            let text = format!(
                "The voter id for {} is already part of the set of voters [{}].",
                key(voter),
                key(own)
            );
            return (ErrorCode::DuplicateVoter, text);
        }
        let text = "This version runs one node: no other can be a voter.";
        (ErrorCode::InvalidRequest, text.to_owned())
    });
    Answer::now(AddRaftVoterResponse {
        error_code: error.code(),
        error_message: Some(message.into()),
        ..Default::default()
    })
}

pub(crate) fn remove(
    context: &Context<'_>,
    request: RemoveRaftVoterRequest,
) -> Answer<RemoveRaftVoterResponse> {
    let voter = (request.voter_id, request.voter_directory_id);
    let (error, message) = refuse(context, request.cluster_id.as_ref(), "removing", |own| {
        let text = format!(
            "Cannot remove voter {} from the set of voters [{}]",
            key(voter),
            key(own)
        );
        (ErrorCode::VoterNotFound, text)
    });
    Answer::now(RemoveRaftVoterResponse {
        error_code: error.code(),
        error_message: Some(message.into()),
        ..Default::default()
    })
}

/// What all changes need first; `then` is told this node's id and directory.
fn refuse(
    context: &Context<'_>,
    cluster_id: Option<&StrBytes>,
    what: &str,
    then: impl FnOnce((i32, Uuid)) -> Refusal,
) -> Refusal {
    let broker = context.broker;
    if cluster_id.is_some_and(|id| id.as_str() != broker.identity.cluster_id) {
        let error = ErrorCode::InconsistentClusterId;
        return (error, error.text().to_owned());
    }
    let Some(quorum) = broker.controller.quorum() else {
        let error = ErrorCode::NotLeaderOrFollower;
        return (error, error.text().to_owned());
    };
    match quorum.directory_id {
        None => {
            let text = format!(
                "Cluster doesn't support {what} voter because the kraft.version feature is 0"
            );
            (ErrorCode::UnsupportedVersion, text)
        }
        Some(directory) => then((quorum.leader.0, directory)),
    }
}

fn key((id, directory): (i32, Uuid)) -> String {
    format!("ReplicaKey(id={id}, directoryId={directory})")
}
