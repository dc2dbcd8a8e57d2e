//! `--cancel`: ends what a plan has begun, `--list`: what is under way.

use std::time::Duration;

use ottla_client::admin::{Admin, Reassignment, TopicPartition};
use ottla_protocol::types::BrokerId;
use serde_json::{Value, json};

use crate::nearest;
use crate::output::{Report, Rows};

use super::plan::{Dirs, Plan, ids, joined};
use super::throttle::{self, plural};
use super::trouble::Trouble;
use super::{Teller, execute, replica_json, report, verify};

const CALL: &str = "listPartitionReassignments";

const ROWS: Rows = Rows {
    within: &["cancelled|logDirMovesCancelled"],
    columns: &["topic", "partition", "broker", "logDir"],
};

pub(super) async fn run(
    admin: &Admin,
    plan: &Plan,
    preserve_throttles: bool,
    timeout: Duration,
    teller: &mut Teller<'_>,
) -> Result<Report, Trouble> {
    let targets: Vec<TopicPartition> = plan.targets.iter().map(|(at, _)| at.clone()).collect();
    let under_way = admin.list_partition_reassignments(Some(&targets)).await;
    let under_way = under_way.map_err(Trouble::failed(CALL))?;
    let ending: Vec<TopicPartition> = under_way.into_keys().collect();
    if ending.is_empty() {
        teller.line("None of the specified partition reassignments are active.")?;
    } else {
        end(admin, &ending).await?;
        teller.line(&format!(
            "Successfully cancelled partition reassignment{} for: {}",
            plural(ending.len()),
            joined(&ending)
        ))?;
    }
    let topics = targets.iter().filter(|at| !ending.contains(at));
    for hint in nearest::topics(topics.map(|at| at.topic.as_str()), admin).await {
        teller.cx.warn(hint);
    }
    let statuses = verify::replicas(admin, plan).await?;
    let moving = statuses
        .into_iter()
        .filter(|(_, status)| status.at.future.is_some());
    // To where it lies: that ends the move.
    let moving: Dirs = moving
        .filter_map(|(replica, status)| Some((replica, status.at.current?)))
        .collect();
    match moving.is_empty() {
        // Without an end of the line, as the reference does.
        true => teller.text("None of the specified partition moves are active.")?,
        false => execute::move_dirs(admin, &moving, timeout, teller).await?,
    }
    if !preserve_throttles {
        throttle::clear(admin, &plan.targets, teller).await?;
    }
    let at = |at: &TopicPartition| json!({ "topic": at.topic, "partition": at.partition });
    let value = json!({
        "cancelled": ending.iter().map(at).collect::<Vec<_>>(),
        "logDirMovesCancelled": moving.iter().map(replica_json).collect::<Vec<_>>(),
        "throttlesCleared": !preserve_throttles,
    });
    Ok(report(value, ROWS))
}

async fn end(admin: &Admin, partitions: &[TopicPartition]) -> Result<(), Trouble> {
    let changes = partitions.iter().map(|at| (at.clone(), None)).collect();
    let errors = execute::alter(admin, changes, true).await;
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Trouble::Terse(format!(
            "Error cancelling partition reassignment{} for:\n{}",
            plural(errors.len()),
            errors.join("\n")
        ))),
    }
}

pub(super) async fn list(admin: &Admin, teller: &mut Teller<'_>) -> Result<Report, Trouble> {
    let under_way = admin.list_partition_reassignments(None).await;
    let under_way = under_way.map_err(Trouble::failed(CALL))?;
    let part = |what: &str, brokers: &[BrokerId]| match brokers {
        [] => String::new(),
        brokers => format!(" {what}: {}.", joined(brokers)),
    };
    let line = |(at, it): (&TopicPartition, &Reassignment)| {
        let (adding, removing) = (part("adding", &it.adding), part("removing", &it.removing));
        format!(
            "{at}: replicas: {}.{adding}{removing}",
            joined(&it.replicas)
        )
    };
    let lines: Vec<String> = under_way.iter().map(line).collect();
    match lines.is_empty() {
        true => teller.line("No partition reassignments found.")?,
        false => teller.line(&format!(
            "Current partition reassignments:\n{}",
            lines.join("\n")
        ))?,
    }
    let row = |(at, it): (&TopicPartition, &Reassignment)| {
        json!({
            "topic": at.topic,
            "partition": at.partition,
            "replicas": ids(&it.replicas),
            "adding": ids(&it.adding),
            "removing": ids(&it.removing),
        })
    };
    let rows: Vec<Value> = under_way.iter().map(row).collect();
    let columns = &["topic", "partition", "replicas", "adding", "removing"];
    let within = &["reassignments"];
    Ok(report(
        json!({ "reassignments": rows }),
        Rows { within, columns },
    ))
}
