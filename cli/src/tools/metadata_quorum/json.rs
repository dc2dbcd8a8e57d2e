//! The result as JSON: docs/json/metadata-quorum.md. Pure.

use ottla_client::admin::{QuorumDescription, QuorumReplica};
use serde_json::{Value, json};

use crate::output::json_text;

const VERSION: u32 = 1;

pub(super) fn described(cluster_id: Option<&str>, quorum: &QuorumDescription) -> String {
    let replica = |replica: &QuorumReplica| {
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
            "directoryId": directory,
            "endpoints": own,
            "logEndOffset": replica.log_end,
            "lastFetchTimeMs": replica.last_fetch_ms,
            "lastCaughtUpTimeMs": replica.last_caught_up_ms,
        })
    };
    let replicas =
        |replicas: &[QuorumReplica]| replicas.iter().map(replica).collect::<Vec<Value>>();
    json_text(&json!({
        "version": VERSION,
        "clusterId": cluster_id,
        "leaderId": quorum.leader.0,
        "leaderEpoch": quorum.leader_epoch,
        "highWatermark": quorum.high_watermark,
        "voters": replicas(&quorum.voters),
        "observers": replicas(&quorum.observers),
    }))
}
