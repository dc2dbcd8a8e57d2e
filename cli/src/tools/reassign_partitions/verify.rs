//! `--verify`: how far a plan is, and the end of its throttles when it is done.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::admin::{
    Admin, Outcomes, TopicDescription, TopicPartition, TopicPartitionReplica,
};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::types::BrokerId;
use serde_json::json;

use crate::nearest;
use crate::output::{Report, Rows};

use super::facts::{self, Whereabouts};
use super::plan::{Plan, ids, joined};
use super::trouble::Trouble;
use super::{Teller, report, throttle};

const ROWS: Rows = Rows {
    within: &["partitions|replicas"],
    columns: &[
        "topic",
        "partition",
        "broker",
        "status",
        "currentReplicas",
        "targetReplicas",
        "currentLogDir",
        "futureLogDir",
        "targetLogDir",
    ],
};

/// A partition of the plan.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    current: Vec<BrokerId>,
    target: Vec<BrokerId>,
    is_done: bool,
}

/// A replica of the plan that is to lie in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DirStatus {
    pub(super) target: String,
    pub(super) at: Whereabouts,
}

impl Status {
    fn name(&self) -> &'static str {
        match self.is_done {
            false => "inProgress",
            true if self.current == self.target => "completed",
            true => "different",
        }
    }

    fn line(&self, at: &TopicPartition) -> String {
        match self.name() {
            "inProgress" => format!("Reassignment of partition {at} is still in progress."),
            "completed" => format!("Reassignment of partition {at} is completed."),
            _ => format!(
                "There is no active reassignment of partition {at}, but replica set is {} rather than {}.",
                joined(&self.current),
                joined(&self.target)
            ),
        }
    }
}

impl DirStatus {
    fn name(&self) -> &'static str {
        match (&self.at.current, &self.at.future) {
            (None, _) => "missing",
            (Some(_), Some(future)) if *future == self.target => "inProgress",
            (Some(_), Some(_)) => "elsewhere",
            (Some(current), None) if *current == self.target => "completed",
            (Some(_), None) => "different",
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.name(), "completed" | "different")
    }

    fn line(&self, replica: &TopicPartitionReplica) -> String {
        let TopicPartitionReplica { broker, partition } = replica;
        let Self { target, at } = self;
        let current = at.current.as_deref().unwrap_or_default();
        let future = at.future.as_deref().unwrap_or_default();
        match self.name() {
            "missing" => format!(
                "Partition {partition} is not found in any live log dir on broker {broker}. There is likely an offline log \
                 directory on the broker."
            ),
            "inProgress" => format!("Reassignment of replica {replica} is still in progress."),
            "elsewhere" => format!(
                "Partition {partition} on broker {broker} is being moved to log dir {future} instead of {target}."
            ),
            "completed" => format!("Reassignment of replica {replica} completed successfully."),
            _ => format!(
                "Partition {partition} on broker {broker} is not being moved from log dir {current} to {target}."
            ),
        }
    }
}

pub(super) async fn run(
    admin: &Admin,
    plan: &Plan,
    preserve_throttles: bool,
    teller: &mut Teller<'_>,
) -> Result<Report, Trouble> {
    let (partitions, are_ongoing) = partitions(admin, plan).await?;
    let mut lines = vec!["Status of partition reassignment:".to_owned()];
    lines.extend(partitions.iter().map(|(at, status)| status.line(at)));
    teller.line(&lines.join("\n"))?;
    let replicas = replicas(admin, plan).await?;
    let lines: Vec<String> = replicas
        .iter()
        .map(|(replica, status)| status.line(replica))
        .collect();
    teller.line(&lines.join("\n"))?;
    let without = partitions.iter().filter(|row| row.1.current.is_empty());
    for hint in nearest::topics(without.map(|row| row.0.topic.as_str()), admin).await {
        teller.cx.warn(hint);
    }
    let moves = replicas.values().any(|status| !status.is_done());
    let clears = !are_ongoing && !moves && !preserve_throttles;
    if clears {
        throttle::clear(admin, &plan.targets, teller).await?;
    }
    Ok(as_report(&partitions, &replicas, clears))
}

/// The partitions of the plan, and whether any reassignment is under way at all.
async fn partitions(
    admin: &Admin,
    plan: &Plan,
) -> Result<(BTreeMap<TopicPartition, Status>, bool), Trouble> {
    let under_way = admin.list_partition_reassignments(None).await;
    let under_way = under_way.map_err(Trouble::failed("listPartitionReassignments"))?;
    let others = plan.targets.iter().map(|(at, _)| at);
    let others = others.filter(|at| !under_way.contains_key(at));
    let topics: BTreeSet<&str> = others.map(|at| at.topic.as_str()).collect();
    let described = facts::describe(admin, &topics).await?;
    let mut found = BTreeMap::new();
    for (at, target) in &plan.targets {
        let (current, is_done) = match under_way.get(at) {
            Some(reassignment) => (reassignment.replicas.clone(), false),
            None => (replicas_of(at, &described)?, true),
        };
        let status = Status {
            current,
            target: target.clone(),
            is_done,
        };
        found.insert(at.clone(), status);
    }
    Ok((found, !under_way.is_empty()))
}

/// A partition that is not there has none.
fn replicas_of(
    at: &TopicPartition,
    described: &Outcomes<String, TopicDescription>,
) -> Result<Vec<BrokerId>, Trouble> {
    let mut found = described.iter().filter(|(topic, _)| *topic == at.topic);
    match found.next() {
        Some((_, Err(error))) if error.code != ErrorCode::UnknownTopicOrPartition => {
            Err(Trouble::in_call(error))
        }
        Some((_, Ok(topic))) => {
            let mut partitions = topic.partitions.iter();
            let partition = partitions.find(|partition| partition.index == at.partition);
            Ok(partition.map_or_else(Vec::new, |partition| partition.replicas.clone()))
        }
        _ => Ok(Vec::new()),
    }
}

pub(super) async fn replicas(
    admin: &Admin,
    plan: &Plan,
) -> Result<BTreeMap<TopicPartitionReplica, DirStatus>, Trouble> {
    let mut found = facts::whereabouts(admin, plan.dirs.keys().cloned()).await?;
    let status = |(replica, target): (&TopicPartitionReplica, &String)| {
        let at = found.remove(replica).unwrap_or_default();
        let target = target.clone();
        (replica.clone(), DirStatus { target, at })
    };
    Ok(plan.dirs.iter().map(status).collect())
}

fn as_report(
    partitions: &BTreeMap<TopicPartition, Status>,
    replicas: &BTreeMap<TopicPartitionReplica, DirStatus>,
    throttles_cleared: bool,
) -> Report {
    let partition = |(at, status): (&TopicPartition, &Status)| {
        json!({
            "topic": at.topic,
            "partition": at.partition,
            "status": status.name(),
            "currentReplicas": ids(&status.current),
            "targetReplicas": ids(&status.target),
        })
    };
    let replica = |(replica, status): (&TopicPartitionReplica, &DirStatus)| {
        json!({
            "topic": replica.partition.topic,
            "partition": replica.partition.partition,
            "broker": replica.broker.0,
            "status": status.name(),
            "currentLogDir": status.at.current,
            "futureLogDir": status.at.future,
            "targetLogDir": status.target,
        })
    };
    let value = json!({
        "partitions": partitions.iter().map(partition).collect::<Vec<_>>(),
        "replicas": replicas.iter().map(replica).collect::<Vec<_>>(),
        "throttlesCleared": throttles_cleared,
    });
    report(value, ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    #[test]
    fn replicas_in_another_order_are_other_replicas() {
        let at = TopicPartition::new("t", 0);
        let status = |is_done, current: &[i32]| {
            let (current, target) = (brokers(current), brokers(&[1, 2]));
            Status {
                current,
                target,
                is_done,
            }
            .line(&at)
        };
        assert_eq!(
            status(true, &[1, 2]),
            "Reassignment of partition t-0 is completed."
        );
        assert_eq!(
            status(true, &[2, 1]),
            "There is no active reassignment of partition t-0, but replica set is 2,1 rather than 1,2."
        );
        assert_eq!(
            status(false, &[1, 2]),
            "Reassignment of partition t-0 is still in progress."
        );
    }

    #[test]
    fn a_replica_is_where_it_should_be_or_on_its_way_or_somewhere_else() {
        let replica = TopicPartitionReplica {
            broker: BrokerId(3),
            partition: TopicPartition::new("t", 0),
        };
        let status = |current: Option<&str>, future: Option<&str>| {
            let (current, future) = (current.map(str::to_owned), future.map(str::to_owned));
            let at = Whereabouts { current, future };
            let target = "/a".to_owned();
            let status = DirStatus { target, at };
            (status.line(&replica), status.is_done())
        };
        for (current, future, line, is_done) in [
            (
                Some("/a"),
                None,
                "Reassignment of replica t-0-3 completed successfully.",
                true,
            ),
            (
                Some("/b"),
                Some("/a"),
                "Reassignment of replica t-0-3 is still in progress.",
                false,
            ),
            (
                Some("/b"),
                Some("/c"),
                "Partition t-0 on broker 3 is being moved to log dir /c instead of /a.",
                false,
            ),
            (
                Some("/b"),
                None,
                "Partition t-0 on broker 3 is not being moved from log dir /b to /a.",
                true,
            ),
            (
                None,
                None,
                "Partition t-0 is not found in any live log dir on broker 3. There is likely an offline log directory on the \
                 broker.",
                false,
            ),
        ] {
            assert_eq!(status(current, future), (line.to_owned(), is_done));
        }
    }
}
