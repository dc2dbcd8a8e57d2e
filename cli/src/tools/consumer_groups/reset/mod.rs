//! Moves the committed offsets of groups that have no members.
//!
//! Always: a group is only written to after every one of its new offsets is known, and an offset that is written lies
//! within its log.

use std::io::Write;

use ottla_client::admin::{Admin, GroupDescription, NewOffset, TopicPartition};
use ottla_client::{ApiError, ClientError};
use ottla_protocol::errors::ErrorCode;

use super::describe;
use super::ended::{Ended, Problem, Wrapped};
use super::list;
use super::partitions;
use super::plan::{Groups, TopicScope};
use crate::context::Context;
use crate::java_order;
use crate::stop::Failure;

mod file;
mod log;
mod render;
mod target;
mod time;

pub(super) use target::Target;

#[derive(Debug)]
pub(super) struct Reset {
    pub(super) groups: Groups,
    pub(super) scope: Scope,
    pub(super) target: Target,
    pub(super) execute: bool,
    pub(super) export: bool,
}

#[derive(Debug)]
pub(super) enum Scope {
    /// Every partition with a committed offset.
    AllTopics,
    /// None where a file says which.
    Topics(Vec<TopicScope>),
}

/// Where each partition is to be read from, in the order the reference shows.
pub(super) type NewOffsets = Vec<(TopicPartition, i64)>;

pub(super) async fn reset(reset: &Reset, admin: &Admin, cx: &mut Context) -> Result<(), Ended> {
    let ids = list::ids(&reset.groups, admin).await?;
    let outcomes = admin
        .describe_groups(&ids)
        .await
        .map_err(Wrapped::Twice.failed("describeConsumerGroups(api=FIND_COORDINATOR)"))?;
    let mut plans = Vec::with_capacity(outcomes.len());
    for (id, outcome) in outcomes {
        let offsets = match why_not(&outcome)? {
            None => reset_group(&id, reset, admin, cx).await?,
            Some(state) => {
                let only = format!("Assignments can only be reset if the group '{id}' is inactive");
                writeln!(cx.out, "\nError: {only}, but the current state is {state}.")?;
                cx.warn(format!(
                    "Group {id} has members; end them, or wait until their session is over."
                ));
                Vec::new()
            }
        };
        plans.push((id, offsets));
    }
    let text = match reset.export {
        true => render::export(&plans, reset.groups.is_one()),
        false => render::table(&plans),
    };
    Ok(cx.out.write_all(text.as_bytes())?)
}

/// The state of a group that cannot be reset. One that does not exist can: offsets make it.
fn why_not(outcome: &Result<GroupDescription, ApiError>) -> Result<Option<&str>, Problem> {
    match outcome {
        Ok(group) if matches!(&*group.state, "Empty" | "Dead") => Ok(None),
        Ok(group) => Ok(Some(&group.state)),
        Err(error) if error.code == ErrorCode::GroupIdNotFound => Ok(None),
        Err(error) => Err(Wrapped::Twice.refused()(error.clone())),
    }
}

async fn reset_group(
    group: &str,
    reset: &Reset,
    admin: &Admin,
    cx: &mut Context,
) -> Result<NewOffsets, Ended> {
    let mut scope = match &reset.scope {
        Scope::AllTopics => {
            let committed = describe::committed(group, admin).await?;
            let mut partitions: Vec<TopicPartition> = committed.into_keys().collect();
            partitions.sort();
            partitions
        }
        Scope::Topics(topics) => named(topics, admin).await?,
    };
    check_found(partitions::find(&scope, admin).await?)?;
    order(&mut scope, |at| at);
    let mut offsets = reset.target.offsets(group, scope, admin, cx).await?;
    order(&mut offsets, |(at, _)| at);
    if reset.execute && !offsets.is_empty() {
        commit(group, &offsets, admin).await?;
    }
    Ok(offsets)
}

/// Partitions in the order in which the reference's maps have them.
fn order<T>(entries: &mut [T], at: impl Fn(&T) -> &TopicPartition) {
    java_order::sort_by_hash(entries, None, |entry| {
        let at = at(entry);
        let partition = 31u32.wrapping_add_signed(at.partition);
        partition
            .wrapping_mul(31)
            .wrapping_add(java_order::hash(&at.topic))
    });
}

/// The partitions that options name: first those given by number, then all of the topics given without.
async fn named(topics: &[TopicScope], admin: &Admin) -> Result<Vec<TopicPartition>, Ended> {
    let mut partitions = Vec::new();
    let mut whole = Vec::new();
    for scope in topics {
        match &scope.partitions {
            Some(indexes) => {
                let at = |index: &i32| TopicPartition::new(&*scope.topic, *index);
                partitions.extend(indexes.iter().map(at));
            }
            None => whole.push(scope.topic.clone()),
        }
    }
    partitions.extend(partitions::of_topics(&whole, admin).await?);
    let mut unique: Vec<TopicPartition> = Vec::with_capacity(partitions.len());
    let mut seen = std::collections::HashSet::new();
    for at in partitions {
        if seen.insert(at.clone()) {
            unique.push(at);
        }
    }
    Ok(unique)
}

fn check_found(found: partitions::Found) -> Result<(), Problem> {
    if let Some((topic, error)) = found.unknown {
        return Err(partitions::unknown(&topic, error, Wrapped::Twice));
    }
    let names = |list: &[TopicPartition]| {
        let names: Vec<String> = list.iter().map(ToString::to_string).collect();
        names.join(",")
    };
    if !found.missing.is_empty() {
        return Err(Failure::new(format!(
            "The partitions \"{}\" do not exist",
            names(&found.missing)
        ))
        .hint("kafka-topics --describe shows the partitions of a topic.")
        .into());
    }
    if !found.leaderless.is_empty() {
        return Err(Failure::new(format!(
            "The partitions \"{}\" have no leader",
            names(&found.leaderless)
        ))
        .hint("Their first and last offsets cannot be found before a replica is back.")
        .into());
    }
    Ok(())
}

async fn commit(group: &str, offsets: &NewOffsets, admin: &Admin) -> Result<(), Ended> {
    let new: Vec<(TopicPartition, NewOffset)> = offsets
        .iter()
        .map(|(at, offset)| (at.clone(), NewOffset::at(*offset)))
        .collect();
    let outcomes = admin
        .alter_group_offsets(group, &new)
        .await
        .map_err(Wrapped::Not.failed("alterConsumerGroupOffsets(api=OFFSET_COMMIT)"))?;
    let mut failed = Vec::new();
    let mut first: Option<ApiError> = None;
    for (at, outcome) in outcomes {
        if let Err(error) = outcome {
            failed.push(at.to_string());
            first.get_or_insert(error);
        }
    }
    match first {
        None => Ok(()),
        Some(error) => Err(Failure::new(format!(
            "Failed altering group offsets for the following partitions: [{}]",
            failed.join(", ")
        ))
        .hint(ClientError::Api(error).to_string())
        .into()),
    }
}
