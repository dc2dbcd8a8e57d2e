//! Groups in detail. All groups are asked for before the first is shown: one that is missing fails the whole command.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use jiff::Timestamp;

use ottla_client::admin::{
    Admin, CommittedOffset, GroupDescription, Isolation, MemberDescription, OffsetSpec,
    TopicPartition,
};
use ottla_protocol::errors::ErrorCode;

use super::ended::{Ended, Wrapped};
use super::json;
use super::list;
use super::members;
use super::partitions;
use super::plan::{Description, View};
use super::record_times::RecordTimes;
use super::render::{self, OffsetColumns, OffsetRow, Owner};
use crate::context::Context;
use crate::nearest;
use crate::output::Format;
use crate::table::visible;

/// A group as it was found, with the partitions that it reads or has read where these are wanted.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) group: GroupDescription,
    pub(super) rows: Vec<OffsetRow>,
}

pub(super) async fn describe(
    description: &Description,
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<(), Ended> {
    let seen = look(description, &mut RecordTimes::default(), admin).await?;
    show(&seen, description, format, cx)
}

/// The groups, by id.
pub(super) async fn look(
    description: &Description,
    times: &mut RecordTimes,
    admin: &Admin,
) -> Result<Vec<Seen>, Ended> {
    let ids = list::ids(&description.groups, admin).await?;
    let wrapped = Wrapped::Once;
    let outcomes = admin
        .describe_groups(&ids)
        .await
        .map_err(wrapped.failed("describeConsumerGroups(api=FIND_COORDINATOR)"))?;
    let mut seen = Vec::with_capacity(outcomes.len());
    for (id, outcome) in outcomes {
        let group = match outcome {
            Ok(group) => group,
            Err(error) => {
                let is_missing = error.code == ErrorCode::GroupIdNotFound;
                let mut problem = wrapped.refused()(error);
                if is_missing {
                    let nearest = nearest::group(&id, admin).await;
                    let hint =
                        nearest.unwrap_or_else(|| "--list shows the groups there are.".to_owned());
                    problem.failure = problem.failure.hint(hint);
                }
                return Err(problem.into());
            }
        };
        let rows = match description.view {
            View::Offsets => offset_rows(&group, admin).await?,
            View::Members | View::State => Vec::new(),
        };
        seen.push(Seen { group, rows });
    }
    seen.sort_by(|a, b| a.group.id.cmp(&b.group.id));
    if description.time_lag {
        date(&mut seen, times, admin).await;
    }
    Ok(seen)
}

/// Finds out when the first unread records were written.
async fn date(seen: &mut [Seen], times: &mut RecordTimes, admin: &Admin) {
    let next_of = |row: &OffsetRow| {
        let committed = row.committed.as_ref()?;
        (row.lag()? > 0).then(|| (row.at.clone(), committed.offset))
    };
    let rows = || seen.iter().flat_map(|seen| &seen.rows);
    let found = times.look_up(rows().filter_map(next_of), admin).await;
    for row in seen.iter_mut().flat_map(|seen| &mut seen.rows) {
        let time = next_of(row).and_then(|place| found.get(&place));
        let time_ms = time.map(|time| time.timestamp_ms);
        row.unread_since_ms = time_ms.filter(|time_ms| *time_ms >= 0);
    }
}

pub(super) fn show(
    seen: &[Seen],
    description: &Description,
    format: Format,
    cx: &mut Context,
) -> Result<(), Ended> {
    let now_ms = Timestamp::now().as_millisecond();
    if let Format::Data(form) = format {
        let report = json::described(seen, description, now_ms);
        return Ok(cx.out.write_all(report.text(form).as_bytes())?);
    }
    let columns = OffsetColumns {
        leader_epoch: description.verbose,
        time_lag_at: description.time_lag.then_some(now_ms),
    };
    for Seen { group, rows } in seen {
        let exists = note_on_state(group, cx)?;
        let text = match description.view {
            View::Offsets if exists && !rows.is_empty() => {
                render::offsets(&group.id, rows, columns)
            }
            View::Members => members::table(group, description.verbose),
            View::State if exists => render::state(group, description.verbose),
            View::Offsets | View::State => continue,
        };
        cx.out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Says what is remarkable about the state of a group; false for a group that is not there.
fn note_on_state(group: &GroupDescription, cx: &mut Context) -> Result<bool, Ended> {
    let id = visible(&group.id);
    match &*group.state {
        "Dead" => {
            writeln!(cx.out, "\nError: Consumer group '{id}' does not exist.")?;
            return Ok(false);
        }
        "Empty" => cx.warn(format!("\nConsumer group '{id}' has no active members.")),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            cx.warn(format!("\nWarning: Consumer group '{id}' is rebalancing."));
        }
        _ => {}
    }
    Ok(true)
}

/// The partitions of each member, those who have most first, and then those nobody has.
async fn offset_rows(group: &GroupDescription, admin: &Admin) -> Result<Vec<OffsetRow>, Ended> {
    let committed = committed(&group.id, admin).await?;
    let mut members: Vec<(&MemberDescription, Vec<TopicPartition>)> = group
        .members
        .iter()
        .map(|member| (member, render::partitions_of(&member.assignment)))
        .filter(|(_, partitions)| !partitions.is_empty())
        .collect();
    members.sort_by_key(|(_, partitions)| std::cmp::Reverse(partitions.len()));
    let mut owned: Vec<(Owner, TopicPartition)> = Vec::new();
    for (member, partitions) in members {
        let owner = Owner::of(member);
        owned.extend(partitions.into_iter().map(|at| (owner.clone(), at)));
    }
    let taken: HashSet<&TopicPartition> = owned.iter().map(|(_, at)| at).collect();
    let mut unowned: Vec<TopicPartition> = committed
        .keys()
        .filter(|at| !taken.contains(at))
        .cloned()
        .collect();
    unowned.sort();
    owned.extend(unowned.into_iter().map(|at| (Owner::nobody(), at)));

    let wanted: Vec<TopicPartition> = owned.iter().map(|(_, at)| at.clone()).collect();
    let ends = ends(&wanted, admin).await?;
    let row = |(owner, at): (Owner, TopicPartition)| OffsetRow {
        committed: committed.get(&at).cloned(),
        end: ends.get(&at).copied(),
        unread_since_ms: None,
        owner,
        at,
    };
    Ok(owned.into_iter().map(row).collect())
}

/// What a group has committed.
pub(super) async fn committed(
    group: &str,
    admin: &Admin,
) -> Result<HashMap<TopicPartition, CommittedOffset>, Ended> {
    let wrapped = Wrapped::Twice;
    let outcomes = admin
        .group_offsets(group, None, false)
        .await
        .map_err(wrapped.failed("listConsumerGroupOffsets(api=OFFSET_FETCH)"))?;
    let mut committed = HashMap::with_capacity(outcomes.len());
    for (at, outcome) in outcomes {
        committed.insert(at, outcome.map_err(wrapped.refused())?);
    }
    Ok(committed)
}

/// The ends of the logs, of those partitions that exist and have a leader: the others are no reason to hide what the
/// group has committed.
async fn ends(
    wanted: &[TopicPartition],
    admin: &Admin,
) -> Result<HashMap<TopicPartition, i64>, Ended> {
    let found = partitions::find(wanted, admin).await?;
    let asked: Vec<_> = found
        .led
        .into_iter()
        .map(|at| (at, OffsetSpec::Latest))
        .collect();
    let outcomes = admin
        .list_offsets(&asked, Isolation::ReadUncommitted)
        .await
        .map_err(Wrapped::Twice.failed("listOffsets(api=LIST_OFFSETS)"))?;
    let answered = outcomes
        .into_iter()
        .filter_map(|(at, outcome)| Some((at, outcome.ok()?.offset?)));
    Ok(answered.collect())
}
