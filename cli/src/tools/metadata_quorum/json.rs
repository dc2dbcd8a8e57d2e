//! The result as JSON: docs/json/metadata-quorum.md. Pure.

use ottla_client::admin::{QuorumDescription, QuorumEndpoint, QuorumReplica};
use ottla_protocol::wire::Uuid;
use serde_json::{Value, json};

use super::controller_file::Controller;
use crate::output::{Report, Rows};

const VERSION: u32 = 1;

pub(super) fn described(cluster_id: Option<&str>, quorum: &QuorumDescription) -> Report {
    let replica = |role: &str, replica: &QuorumReplica| {
        let mut endpoints = quorum.endpoints.iter();
        let own = endpoints.find(|(id, _)| *id == replica.id);
        let own: Vec<String> = own
            .iter()
            .flat_map(|(_, endpoints)| endpoints)
            .map(ToString::to_string)
            .collect();
        let directory = (!replica.directory_id.is_zero()).then(|| replica.directory_id.to_string());
        json!({
            "id": replica.id.0,
            "role": if replica.id == quorum.leader { "leader" } else { role },
            "directoryId": directory,
            "endpoints": own,
            "logEndOffset": replica.log_end,
            "lastFetchTimeMs": replica.last_fetch_ms,
            "lastCaughtUpTimeMs": replica.last_caught_up_ms,
        })
    };
    let replicas = |role: &str, replicas: &[QuorumReplica]| {
        let values = replicas.iter().map(|found| replica(role, found));
        values.collect::<Vec<Value>>()
    };
    let value = json!({
        "version": VERSION,
        "clusterId": cluster_id,
        "leaderId": quorum.leader.0,
        "leaderEpoch": quorum.leader_epoch,
        "highWatermark": quorum.high_watermark,
        "voters": replicas("follower", &quorum.voters),
        "observers": replicas("observer", &quorum.observers),
    });
    let rows = Rows {
        within: &["voters|observers"],
        columns: &[
            "id",
            "role",
            "directoryId",
            "endpoints",
            "logEndOffset",
            "lastFetchTimeMs",
            "lastCaughtUpTimeMs",
            "leaderEpoch",
            "highWatermark",
            "clusterId",
        ],
    };
    Report { value, rows }
}

pub(super) fn added(controller: &Controller, is_dry_run: bool) -> Report {
    changed(
        "add",
        controller.id,
        controller.directory_id,
        &controller.endpoints,
        is_dry_run,
    )
}

pub(super) fn removed(id: i32, directory: Uuid, is_dry_run: bool) -> Report {
    changed("remove", id, directory, &[], is_dry_run)
}

fn changed(
    action: &str,
    id: i32,
    directory: Uuid,
    endpoints: &[QuorumEndpoint],
    is_dry_run: bool,
) -> Report {
    let endpoints: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
    let value = json!({
        "version": VERSION,
        "action": action,
        "dryRun": is_dry_run,
        "id": id,
        "directoryId": directory.to_string(),
        "endpoints": endpoints,
    });
    let columns = &["action", "dryRun", "id", "directoryId", "endpoints"];
    Report::of_one(value, columns)
}
