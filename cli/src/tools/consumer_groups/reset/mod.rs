//! Moves the committed offsets of groups that have no members.
//!
//! Always: nothing is written before every new offset of every group is known and the file for `--undo` is written; that is on
//! disk before the tool ends. An offset that is written lies within its log.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use ottla_client::ApiError;
use ottla_client::admin::{Admin, CommittedOffset, GroupDescription, NewOffset, TopicPartition};
use ottla_protocol::errors::ErrorCode;

use super::describe;
use super::ended::{Ended, Problem, Wrapped};
use super::list;
use super::partitions::{self, Found};
use super::plan::{Groups, TopicScope};
use crate::context::Context;
use crate::java_order;
use crate::output::Format;
use crate::progress::Progress;
use crate::stop::{Failure, Stop};
use crate::table::visible;

mod execute;
mod explain;
mod file;
mod log;
mod render;
mod target;
mod time;
mod undo;

pub(super) use target::Target;

#[derive(Debug)]
pub(super) struct Reset {
    pub(super) groups: Groups,
    pub(super) scope: Scope,
    pub(super) target: Target,
    pub(super) execute: bool,
    pub(super) export: bool,
    pub(super) explain: bool,
    /// Whether a group that cannot be reset is a failure; in the reference it is none.
    pub(super) is_strict: bool,
    /// Where the file for `--undo` goes; `None`: where such files go if nobody says.
    pub(super) undo_dir: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) enum Scope {
    /// Every partition with a committed offset.
    AllTopics,
    /// None where a file says which.
    Topics(Vec<TopicScope>),
}

/// Where each partition is to be read from, in the order the reference shows.
type NewOffsets = Vec<(TopicPartition, i64)>;

/// What is to become of a group's offsets.
#[derive(Debug)]
struct GroupPlan {
    group: String,
    /// In the order the reference shows.
    moves: Vec<Move>,
    /// The group, where its members keep it from being reset.
    in_use: Option<GroupDescription>,
}

/// What is to become of a committed offset.
#[derive(Debug)]
struct Move {
    at: TopicPartition,
    /// Only known where it matters.
    from: Option<CommittedOffset>,
    /// `None`: it is deleted, as there was none before a reset.
    to: Option<NewOffset>,
}

impl Reset {
    fn verdict(&self, plans: &[GroupPlan]) -> Result<(), Ended> {
        let is_refused = self.execute && plans.iter().any(|plan| plan.in_use.is_some());
        match is_refused && self.is_strict {
            true => Err(Stop::Status(1).into()),
            false => Ok(()),
        }
    }
}

impl GroupPlan {
    /// The moves that can be made.
    fn possible(&self) -> &[Move] {
        match self.in_use {
            None => &self.moves,
            Some(_) => &[],
        }
    }
}

pub(super) async fn reset(
    reset: &Reset,
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<(), Ended> {
    let cluster = cluster_id(reset, admin)?;
    let ids = list::ids(&reset.groups, admin).await?;
    let mut outcomes = admin
        .describe_groups(&ids)
        .await
        .map_err(Wrapped::Twice.failed("describeConsumerGroups(api=FIND_COORDINATOR)"))?;
    // The reference goes through a copy of its map, and shows what it found from another.
    let copy = java_order::copy_of(outcomes.len());
    java_order::sort(&mut outcomes, copy, |(group, _)| group);
    let mut plans = Vec::with_capacity(outcomes.len());
    let progress = Progress::of_parts(outcomes.len(), cx);
    for (group, outcome) in outcomes {
        let in_use = in_use(outcome)?;
        if let Some(found) = &in_use {
            say_in_use(found, format, cx)?;
        }
        let moves = match in_use.is_none() || reset.explain {
            true => moves(&group, reset, format, admin, cx).await?,
            false => Vec::new(),
        };
        plans.push(GroupPlan {
            group,
            moves,
            in_use,
        });
        progress.add_one();
    }
    progress.finish();
    java_order::sort(&mut plans, None, |plan| &plan.group);
    let explained = match reset.explain {
        true => Some(explain::explain(&plans, admin).await?),
        false => None,
    };
    let undo = match reset.execute {
        true => execute::execute(&plans, reset, cluster.as_deref(), admin, cx).await?,
        false => None,
    };
    if let Format::Data(form) = format {
        let report = render::report(&plans, explained.as_ref(), reset.execute, undo.as_deref());
        cx.out.write_all(report.text(form).as_bytes())?;
        return reset.verdict(&plans);
    }
    let text = match &explained {
        Some(explained) => render::explained(&plans, explained),
        None if reset.export => {
            render::export(&plans, reset.groups.is_one(), cx.stdout_is_terminal)
        }
        None => render::table(&plans),
    };
    cx.out.write_all(text.as_bytes())?;
    reset.verdict(&plans)
}

/// The cluster that is written to, and of which the undo file has to be.
fn cluster_id(reset: &Reset, admin: &Admin) -> Result<Option<String>, Ended> {
    let undone = match &reset.target {
        Target::Undo(file) => Some(file),
        _ if reset.execute => None,
        _ => return Ok(None),
    };
    let cluster = admin.cluster().metadata().cluster_id.clone();
    match undone {
        Some(file) if file.cluster.is_some() && file.cluster != cluster => {
            let path = file.path.display();
            Err(
                Failure::new(format!("The file {path} is of another cluster"))
                    .hint(format!(
                        "It is of cluster {}, and this one is {}.",
                        file.cluster.as_deref().unwrap_or_default(),
                        cluster.as_deref().unwrap_or("without an id")
                    ))
                    .into(),
            )
        }
        _ => Ok(cluster),
    }
}

/// A group that cannot be reset. One that does not exist can: offsets make it.
fn in_use(
    outcome: Result<GroupDescription, ApiError>,
) -> Result<Option<GroupDescription>, Problem> {
    match outcome {
        Ok(group) if matches!(&*group.state, "Empty" | "Dead") => Ok(None),
        Ok(group) => Ok(Some(group)),
        Err(error) if error.code == ErrorCode::GroupIdNotFound => Ok(None),
        Err(error) => Err(Wrapped::Twice.refused()(error)),
    }
}

fn say_in_use(group: &GroupDescription, format: Format, cx: &mut Context) -> Result<(), Ended> {
    let (id, state) = (visible(&group.id), visible(&group.state));
    let only = format!("Assignments can only be reset if the group '{id}' is inactive");
    tell(
        format!("Error: {only}, but the current state is {state}."),
        format,
        cx,
    )?;
    cx.warn(format!(
        "Group {id} has members; end them, or wait until their session is over."
    ));
    Ok(())
}

/// What the reference says on standard output, where only JSON may be if that is wanted.
fn tell(sentence: String, format: Format, cx: &mut Context) -> Result<(), Ended> {
    match format {
        Format::Table => writeln!(cx.out, "\n{sentence}")?,
        Format::Data(_) => cx.warn(sentence),
    }
    Ok(())
}

async fn moves(
    group: &str,
    reset: &Reset,
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<Vec<Move>, Ended> {
    let found = match &reset.scope {
        Scope::AllTopics => {
            let committed = describe::committed(group, admin).await?;
            let mut partitions: Vec<TopicPartition> = committed.into_keys().collect();
            partitions.sort();
            partitions::find(&partitions, admin).await?
        }
        Scope::Topics(topics) => named(topics, admin).await?,
    };
    let mut scope = check_found(found, admin).await?;
    order(&mut scope, |at| at);
    let is_undo = matches!(reset.target, Target::Undo(_));
    let is_shown = reset.execute || reset.explain || is_undo || format.is_data();
    // Neither answer says anything about the other's question: they are asked at once.
    let (moves, before) =
        tokio::join!(reset.target.moves(group, scope, format, admin, cx), async {
            match is_shown {
                true => describe::committed(group, admin).await,
                false => Ok(HashMap::new()),
            }
        });
    let (mut moves, mut before) = (moves?, before?);
    match reset.explain || format.is_data() {
        // Nobody expects the reference's order of what the reference does not show.
        true => moves.sort_by(|a, b| a.at.cmp(&b.at)),
        false => order(&mut moves, |step| &step.at),
    }
    for step in &mut moves {
        step.from = before.remove(&step.at);
    }
    if let Target::Undo(file) = &reset.target {
        warn_of_progress(group, &moves, file.steps(group), cx);
    }
    Ok(moves)
}

/// Whoever read on since the reset will read that again, or not at all.
fn warn_of_progress(group: &str, moves: &[Move], steps: &[undo::Step], cx: &mut Context) {
    let shown = |offset: Option<i64>| offset.map_or("none".to_owned(), |offset| offset.to_string());
    for step in moves {
        let after = steps.iter().find(|done| done.at == step.at);
        let after = after.and_then(|done| done.after);
        let now = step.from.as_ref().map(|committed| committed.offset);
        if now != after {
            cx.warn(format!(
                "Group {group} has moved on since: its offset of {} was set to {} and is {} now.",
                step.at,
                shown(after),
                shown(now)
            ));
        }
    }
}

/// Partitions in the order in which the reference's maps have them.
fn order<T>(entries: &mut [T], at: impl Fn(&T) -> &TopicPartition) {
    java_order::sort_by_hash(entries, None, |entry| java_order::hash_of(at(entry)));
}

/// The partitions that options name: first those given by number, then all of the topics given without.
async fn named(topics: &[TopicScope], admin: &Admin) -> Result<Found, Ended> {
    let mut partitions: Vec<TopicPartition> = Vec::new();
    let mut whole = Vec::new();
    for scope in topics {
        match &scope.partitions {
            Some(indexes) => {
                let at = |index: &i32| TopicPartition::new(&*scope.topic, *index);
                partitions.extend(indexes.iter().map(at));
            }
            None if whole.contains(&scope.topic) => {}
            None => whole.push(scope.topic.clone()),
        }
    }
    // Of each that is named twice the first counts.
    let mut seen = std::collections::HashSet::new();
    partitions.retain(|at| seen.insert(at.clone()));
    java_order::sort(&mut whole, None, |topic| topic);
    let whole = partitions::of_topics(&whole, admin).await?;
    Ok(partitions::find(&partitions, admin).await?.and(whole))
}

/// The partitions, all of which have to be there and to have a leader.
async fn check_found(found: Found, admin: &Admin) -> Result<Vec<TopicPartition>, Problem> {
    if let Some((topic, error)) = found.unknown {
        return Err(partitions::unknown(&topic, error, Wrapped::Twice, admin).await);
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
    Ok(found.led)
}
