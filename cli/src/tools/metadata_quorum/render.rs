//! The lines, as the reference prints them. Pure.

use std::fmt::Write;

use ottla_client::admin::{QuorumDescription, QuorumReplica};

use super::controller_file::Controller;
use crate::stop::Failure;
use crate::table::tabbed;

pub(super) fn status(
    cluster_id: Option<&str>,
    quorum: &QuorumDescription,
) -> Result<String, Failure> {
    let Lag { records, ms } = lag(quorum)?;
    Ok(format!(
        "ClusterId:              {}\n\
         LeaderId:               {}\n\
         LeaderEpoch:            {}\n\
         HighWatermark:          {}\n\
         MaxFollowerLag:         {records}\n\
         MaxFollowerLagTimeMs:   {ms}\n\
         CurrentVoters:          {}\n\
         CurrentObservers:       {}\n",
        cluster_id.unwrap_or("null"),
        quorum.leader,
        quorum.leader_epoch,
        quorum.high_watermark,
        nodes(quorum, &quorum.voters),
        nodes(quorum, &quorum.observers),
    ))
}

/// How far the voter that is furthest behind is behind.
pub(super) struct Lag {
    pub(super) records: i64,
    /// -1 where it is not known.
    pub(super) ms: i64,
}

pub(super) fn lag(quorum: &QuorumDescription) -> Result<Lag, Failure> {
    let leader = leader(quorum)?;
    let last = quorum.voters.iter().min_by_key(|voter| voter.log_end);
    let last = last.unwrap_or(leader);
    let ms = match (leader.last_caught_up_ms, last.last_caught_up_ms) {
        _ if last.id == leader.id => 0,
        (Some(leader), Some(last)) => leader.saturating_sub(last),
        _ => -1,
    };
    let records = leader.log_end.saturating_sub(last.log_end);
    Ok(Lag { records, ms })
}

fn leader(quorum: &QuorumDescription) -> Result<&QuorumReplica, Failure> {
    let leader = quorum.voters.iter().find(|voter| voter.id == quorum.leader);
    leader.ok_or_else(|| {
        Failure::new("No value present").hint(format!("{} leads and is no voter.", quorum.leader))
    })
}

fn nodes(quorum: &QuorumDescription, replicas: &[QuorumReplica]) -> String {
    let node = |replica: &QuorumReplica| {
        let mut text = format!("{{\"id\": {}", replica.id);
        if !replica.directory_id.is_zero() {
            write!(text, ", \"directoryId\": \"{}\"", replica.directory_id)
                .expect("a string takes it");
        }
        let mut endpoints = quorum.endpoints.iter();
        let own = endpoints.find(|(id, _)| *id == replica.id);
        let own: Vec<String> = own
            .iter()
            .flat_map(|(_, endpoints)| endpoints)
            .map(|endpoint| format!("\"{endpoint}\""))
            .collect();
        if !own.is_empty() {
            write!(text, ", \"endpoints\": [{}]", own.join(", ")).expect("a string takes it");
        }
        text + "}"
    };
    let nodes: Vec<String> = replicas.iter().map(node).collect();
    format!("[{}]", nodes.join(", "))
}

/// With `now_ms`, times are how long ago they were.
pub(super) fn replication(
    quorum: &QuorumDescription,
    now_ms: Option<i64>,
) -> Result<String, Failure> {
    let leader = leader(quorum)?;
    let row = |replica: &QuorumReplica, status: &str| {
        Ok([
            replica.id.to_string(),
            replica.directory_id.to_string(),
            replica.log_end.to_string(),
            leader.log_end.saturating_sub(replica.log_end).to_string(),
            time(replica.last_fetch_ms, now_ms, "last fetch")?,
            time(replica.last_caught_up_ms, now_ms, "last caught up")?,
            status.to_owned(),
        ])
    };
    let followers = quorum.voters.iter().filter(|voter| voter.id != leader.id);
    let rows = [(leader, "Leader")]
        .into_iter()
        .chain(followers.map(|follower| (follower, "Follower")))
        .chain(
            quorum
                .observers
                .iter()
                .map(|observer| (observer, "Observer")),
        );
    let rows: Vec<_> = rows
        .map(|(replica, status)| row(replica, status))
        .collect::<Result<_, Failure>>()?;
    let heads = [
        "NodeId",
        "DirectoryId",
        "LogEndOffset",
        "Lag",
        "LastFetchTimestamp",
        "LastCaughtUpTimestamp",
        "Status",
    ];
    Ok(tabbed(heads, rows))
}

fn time(ms: Option<i64>, now_ms: Option<i64>, what: &str) -> Result<String, Failure> {
    match (ms, now_ms) {
        (None, _) => Ok("-1".to_owned()),
        (Some(ms), None) => Ok(ms.to_string()),
        (Some(ms), Some(now_ms)) if ms > 0 && ms <= now_ms => Ok(format!("{} ms ago", now_ms - ms)),
        (Some(ms), Some(now_ms)) => Err(Failure::new(format!(
            "Error while computing relative time, possible drift in system clock.\n\
             Current timestamp is {now_ms}, {what} timestamp is {ms}"
        ))),
    }
}

pub(super) fn added(done: &str, controller: &Controller) -> String {
    let endpoints = controller.endpoints.iter();
    let endpoints: Vec<String> = endpoints.map(ToString::to_string).collect();
    format!(
        "{done} controller {} with directory id {} and endpoints: {}\n",
        controller.id,
        controller.directory_id,
        endpoints.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use ottla_client::admin::QuorumEndpoint;
    use ottla_protocol::types::BrokerId;
    use ottla_protocol::wire::Uuid;

    use super::*;

    fn replica(id: i32, log_end: i64, caught_up_ms: i64) -> QuorumReplica {
        QuorumReplica {
            id: BrokerId(id),
            directory_id: Uuid([0; 16]),
            log_end,
            last_fetch_ms: Some(caught_up_ms),
            last_caught_up_ms: Some(caught_up_ms),
        }
    }

    fn quorum() -> QuorumDescription {
        let endpoint = QuorumEndpoint {
            name: "CONTROLLER".to_owned(),
            host: "::1".to_owned(),
            port: 9093,
        };
        QuorumDescription {
            leader: BrokerId(2),
            leader_epoch: 7,
            high_watermark: 90,
            voters: vec![replica(1, 80, 400), replica(2, 100, 1_000)],
            observers: vec![replica(3, 99, 900)],
            endpoints: vec![(BrokerId(2), vec![endpoint])],
        }
    }

    #[test]
    fn the_status_tells_of_the_voter_that_is_furthest_behind() {
        let text = status(Some("c"), &quorum()).unwrap();
        let lines: Vec<&str> = text.lines().skip(4).collect();
        assert_eq!(
            lines,
            [
                "MaxFollowerLag:         20",
                "MaxFollowerLagTimeMs:   600",
                r#"CurrentVoters:          [{"id": 1}, {"id": 2, "endpoints": ["CONTROLLER://[::1]:9093"]}]"#,
                r#"CurrentObservers:       [{"id": 3}]"#,
            ]
        );
    }

    #[test]
    fn the_leader_comes_first_and_times_can_be_how_long_ago_they_were() {
        let text = replication(&quorum(), Some(1_000)).unwrap();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split('\t').map(str::trim).collect())
            .collect();
        assert_eq!(rows[1][0], "2");
        assert_eq!(
            rows[2][3..7],
            ["20", "600 ms ago", "600 ms ago", "Follower"]
        );
        assert_eq!(rows[3][6], "Observer");
        let drifted = replication(&quorum(), Some(999)).unwrap_err();
        assert!(drifted.message.ends_with("last fetch timestamp is 1000"));
    }
}
