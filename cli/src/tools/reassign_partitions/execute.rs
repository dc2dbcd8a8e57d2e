//! `--execute`: begins what a plan asks for. And what `--cancel` shares with it: moves between directories.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla_client::ClientError;
use ottla_client::admin::{Admin, NewReplicas, TopicPartition, TopicPartitionReplica};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::BrokerId;
use serde_json::json;
use tokio::time::Instant;

use crate::connect;
use crate::java_order;
use crate::output::{Report, Rows};
use crate::progress::Progress;

use super::plan::{self, Assignment, Dirs, Plan, joined};
use super::throttle::{self, Moves, plural};
use super::trouble::Trouble;
use super::{Teller, facts, replica_json, report};

const ALREADY: &str = "Cannot execute because there is an existing partition assignment.  Use \
    --additional to override this and create a new partition assignment in addition to the existing one. \
    The --additional flag can also be used to change the throttle by resubmitting the current reassignment.";
const VERIFY: &str = "Warning: You must run --verify periodically, until the reassignment \
    completes, to ensure the throttle is removed.";

/// How a plan is to be carried out.
#[derive(Debug, Clone)]
pub(super) struct How {
    pub(super) additional: bool,
    /// In bytes a second, between brokers.
    pub(super) throttle: Option<i64>,
    /// The same between the directories of a broker.
    pub(super) log_dir_throttle: Option<i64>,
    /// For moves between directories to begin.
    pub(super) timeout: Duration,
    pub(super) allow_factor_change: bool,
}

const ROWS: Rows = Rows {
    within: &["started|logDirMoves"],
    columns: &["topic", "partition", "replicas", "broker", "logDir"],
};

pub(super) async fn run(
    admin: &Admin,
    plan: &Plan,
    how: &How,
    teller: &mut Teller<'_>,
) -> Result<Report, Trouble> {
    let proposed = plan.to_begin()?;
    let under_way = admin.list_partition_reassignments(None).await;
    let under_way = under_way.map_err(Trouble::failed("listPartitionReassignments"))?;
    if !how.additional && !under_way.is_empty() {
        return Err(Trouble::Terse(ALREADY.to_owned()));
    }
    check_brokers(admin, &proposed).await?;
    let current = current(admin, &proposed).await?;
    let dirs = facts::dirs_of(admin, &current).await?;
    teller.line(&format!(
        "Current partition replica assignment\n\n{}\n\nSave this to use as the --reassignment-json-file option during rollback",
        plan::text(&current, &dirs)
    ))?;
    if how.throttle.is_some() || how.log_dir_throttle.is_some() {
        teller.line(VERIFY)?;
    }
    if let Some(throttle) = how.throttle {
        let moves = Moves::new(&under_way, &proposed, &current);
        throttle::limit_moves(admin, &moves, throttle, teller).await?;
    }
    if let Some(throttle) = how.log_dir_throttle {
        let brokers: BTreeSet<BrokerId> = plan.dirs.keys().map(|replica| replica.broker).collect();
        throttle::limit_log_dirs(admin, &brokers, throttle, teller).await?;
    }
    begin(admin, &proposed, how.allow_factor_change).await?;
    teller.line(&format!(
        "Successfully started partition reassignment{} for {}",
        plural(proposed.len()),
        joined(proposed.keys())
    ))?;
    move_dirs(admin, &plan.dirs, how.timeout, teller).await?;
    let started = |(at, replicas): (&TopicPartition, &Vec<BrokerId>)| json!({ "topic": at.topic, "partition": at.partition, "replicas": plan::ids(replicas) });
    let value = json!({
        "previous": plan::as_json(&current, &dirs),
        "started": proposed.iter().map(started).collect::<Vec<_>>(),
        "logDirMoves": plan.dirs.iter().map(replica_json).collect::<Vec<_>>(),
        "throttleBytesPerSecond": how.throttle,
        "logDirThrottleBytesPerSecond": how.log_dir_throttle,
    });
    Ok(report(value, ROWS))
}

async fn check_brokers(admin: &Admin, proposed: &Assignment) -> Result<(), Trouble> {
    let cluster = admin.describe_cluster(false).await;
    let cluster = cluster.map_err(Trouble::failed("listNodes"))?;
    let there: BTreeSet<i32> = cluster.nodes.iter().map(|node| node.broker.id.0).collect();
    let wanted: BTreeSet<i32> = proposed.values().flatten().map(|id| id.0).collect();
    let mut unknown: Vec<i32> = wanted.difference(&there).copied().collect();
    java_order::sort_by_hash(&mut unknown, None, |id| id.cast_unsigned());
    match unknown.first() {
        None => Ok(()),
        Some(id) => Err(Trouble::command(format!("Unknown broker id {id}"))),
    }
}

/// The replicas that the proposed partitions have now.
async fn current(admin: &Admin, proposed: &Assignment) -> Result<Assignment, Trouble> {
    let topics = proposed.keys().map(|at| at.topic.as_str()).collect();
    let mut all = facts::replicas(admin, &topics).await?;
    all.retain(|at, _| proposed.contains_key(at));
    let mut missing: Vec<&TopicPartition> = Vec::new();
    missing.extend(proposed.keys().filter(|at| !all.contains_key(at)));
    if missing.is_empty() {
        return Ok(all);
    }
    java_order::sort_by_hash(&mut missing, None, |at| java_order::hash_of(at));
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let message = format!("Unable to find partition: {}", missing.join(", "));
    Err(facts::unknown(message))
}

async fn begin(
    admin: &Admin,
    proposed: &Assignment,
    allow_factor_change: bool,
) -> Result<(), Trouble> {
    let changes = proposed.iter();
    let changes = changes.map(|(at, replicas)| (at.clone(), Some(replicas.clone())));
    let errors = alter(admin, changes.collect(), allow_factor_change).await;
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Trouble::Terse(format!(
            "Error reassigning partition(s):\n{}",
            errors.join("\n")
        ))),
    }
}

/// What went wrong, by partition.
pub(super) async fn alter(
    admin: &Admin,
    changes: Vec<(TopicPartition, NewReplicas)>,
    allow_factor_change: bool,
) -> Vec<String> {
    let outcomes = admin.alter_partition_reassignments(&changes, allow_factor_change);
    match outcomes.await {
        Ok(outcomes) => {
            let failed =
                |(at, outcome): (TopicPartition, Result<(), _>)| Some((at, outcome.err()?));
            let failed = outcomes.into_iter().filter_map(failed);
            failed
                .map(|(at, error): (_, ottla_client::ApiError)| format!("{at}: {}", error.text()))
                .collect()
        }
        Err(error) => {
            let message = connect::failure("alterPartitionReassignments", &error).message;
            let line = |(at, _): &(TopicPartition, _)| format!("{at}: {message}");
            changes.iter().map(line).collect()
        }
    }
}

/// Has replicas moved to these directories, as soon as they are on their brokers.
pub(super) async fn move_dirs(
    admin: &Admin,
    dirs: &Dirs,
    timeout: Duration,
    teller: &mut Teller<'_>,
) -> Result<(), Trouble> {
    let deadline = Instant::now() + timeout;
    let mut pending: Vec<(TopicPartitionReplica, String)> = Vec::new();
    pending.extend(
        dirs.iter()
            .map(|(replica, dir)| (replica.clone(), dir.clone())),
    );
    let progress = Progress::of_parts(pending.len(), teller.cx);
    while !pending.is_empty() {
        let begun = begin_moves(admin, &pending).await?;
        progress.add(begun.len());
        for (replica, dir) in pending
            .iter()
            .filter(|(replica, _)| begun.contains(replica))
        {
            // The space at its end is the reference's.
            teller.line(&format!(
                "Successfully started moving log directory to {dir} for replica {} with broker {} ",
                replica.partition, replica.broker
            ))?;
        }
        pending.retain(|(replica, _)| !begun.contains(replica));
        if !pending.is_empty() && Instant::now() >= deadline {
            return Err(Trouble::Terse(format!(
                "Timed out before log directory move{} could be started for: {}",
                plural(pending.len()),
                joined(pending.iter().map(|(replica, _)| replica))
            )));
        }
        if !pending.is_empty() {
            tokio::time::sleep(facts::AGAIN_AFTER).await;
        }
    }
    Ok(())
}

/// The replicas whose moves have begun; one that is not on its broker yet is none of them, and no failure.
async fn begin_moves(
    admin: &Admin,
    moves: &[(TopicPartitionReplica, String)],
) -> Result<BTreeSet<TopicPartitionReplica>, Trouble> {
    let cannot = |replica: &TopicPartitionReplica, reason: String| {
        Trouble::command(format!("Failed to alter dir for {replica}"))
            .hint(connect::capitalized(reason))
    };
    let outcomes = admin.alter_replica_log_dirs(moves).await;
    let outcomes = outcomes.map_err(|error: ClientError| match moves.first() {
        Some((replica, _)) => cannot(replica, error.to_string()),
        None => Trouble::failed("alterReplicaLogDirs")(error),
    })?;
    let mut begun = BTreeSet::new();
    for (replica, outcome) in outcomes {
        match outcome {
            Ok(()) => {
                begun.insert(replica);
            }
            Err(error) if error.code == ErrorCode::ReplicaNotAvailable => {}
            Err(error) => return Err(cannot(&replica, error.to_string())),
        }
    }
    Ok(begun)
}
