//! The result as JSON: docs/json/metadata-quorum.md. Pure.

use ottla_client::admin::{QuorumDescription, QuorumReplica};
use serde_json::{Value, json};

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
