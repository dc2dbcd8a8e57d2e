//! Waits until groups have caught up, for scripts: status 0 when they have, [`LATE`] when the time is up.
//!
//! Always: a group counts only once there is something to count. One that does not exist, or that neither reads nor has
//! committed anything, is waited for like one that lags. A broker that goes away meanwhile is waited for, too.

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ottla_client::admin::{Admin, Isolation, OffsetSpec, TopicPartition};
use ottla_protocol::errors::ErrorCode;

use super::describe::{self, Seen};
use super::ended::{Ended, Problem, Wrapped};
use super::json;
use super::plan::{TopicScope, Wait};
use super::render::OffsetRow;
use crate::context::Context;
use crate::durations;
use crate::output::Format;
use crate::signals::Signals;
use crate::stop::Stop;
use crate::table::visible;

/// The exit status when the time is up. 1 is a question that cannot be asked, 2 is the shell's.
const LATE: u8 = 3;

const PAUSE_LEAST: Duration = Duration::from_millis(50);
const PAUSE_MOST: Duration = Duration::from_secs(1);

/// A signal ends it without a table, with the status that shells give.
pub(super) async fn wait(
    wait: &Wait,
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<(), Ended> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        biased;
        status = signals.first() => Err(Stop::Status(status).into()),
        ended = until_caught_up(wait, format, admin, cx) => ended,
    }
}

async fn until_caught_up(
    wait: &Wait,
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<(), Ended> {
    let deadline = Instant::now().checked_add(wait.within);
    let left = || {
        deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        })
    };
    let mut pause = PAUSE_LEAST;
    let mut is_told = false;
    let mut seen = Vec::new();
    let missing = loop {
        // The last look is allowed the time of one question.
        let admin = admin.with_timeout(left().max(PAUSE_MOST));
        let missing = match look(wait, &admin).await {
            Ok((found, missing)) => {
                seen = found;
                missing
            }
            Err(Ended::Problem(problem)) if may_pass(&problem) => {
                Some(format!("{}.", visible(problem.cause())))
            }
            Err(ended) => return Err(ended),
        };
        if missing.is_none() || left().is_zero() {
            break missing;
        }
        if let Some(reason) = missing.filter(|_| !std::mem::replace(&mut is_told, true)) {
            let within = durations::shown(wait.within);
            cx.warn(format!("Waiting for {within} at most: {reason}"));
        }
        tokio::time::sleep(pause.min(left())).await;
        pause = (pause * 2).min(PAUSE_MOST);
    };
    if let Format::Data(form) = format {
        let now_ms = Timestamp::now().as_millisecond();
        let mut report = json::described(&seen, &wait.description, now_ms);
        report.value["reached"] = missing.is_none().into();
        cx.out.write_all(report.text(form).as_bytes())?;
    } else {
        describe::show(&seen, &wait.description, format, cx)?;
    }
    match missing {
        None => Ok(()),
        Some(missing) => {
            let within = durations::shown(wait.within);
            cx.warn(format!("Still not caught up after {within}: {missing}"));
            Err(Stop::Status(LATE).into())
        }
    }
}

fn may_pass(problem: &Problem) -> bool {
    problem
        .code
        .is_none_or(|code| code == ErrorCode::GroupIdNotFound || code.is_retriable())
}

/// The groups, and what is still to be waited for.
async fn look(wait: &Wait, admin: &Admin) -> Result<(Vec<Seen>, Option<String>), Ended> {
    let mut seen = describe::look(&wait.description, &mut Default::default(), admin).await?;
    for group in &mut seen {
        group.rows.retain(|row| is_meant(&row.at, &wait.topics));
    }
    let missing = match seen.is_empty() {
        true => Some("there is no group.".to_owned()),
        false => {
            let firsts = firsts(&seen, admin).await?;
            seen.iter()
                .find_map(|seen| lagging(seen, wait.lag_max, &firsts))
        }
    };
    Ok((seen, missing))
}

fn is_meant(at: &TopicPartition, topics: &[TopicScope]) -> bool {
    let meant = |scope: &TopicScope| {
        let partitions = scope.partitions.as_ref();
        scope.topic == at.topic && partitions.is_none_or(|list| list.contains(&at.partition))
    };
    topics.is_empty() || topics.iter().any(meant)
}

/// Where the logs begin of which nothing is committed.
async fn firsts(seen: &[Seen], admin: &Admin) -> Result<HashMap<TopicPartition, i64>, Ended> {
    let rows = seen.iter().flat_map(|seen| &seen.rows);
    let asked: Vec<_> = rows
        .filter(|row| row.committed.is_none() && row.end.is_some())
        .map(|row| (row.at.clone(), OffsetSpec::Earliest))
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

/// Why a group has not caught up yet.
fn lagging(
    Seen { group, rows }: &Seen,
    lag_max: i64,
    firsts: &HashMap<TopicPartition, i64>,
) -> Option<String> {
    let id = visible(&group.id);
    if rows.is_empty() {
        return Some(format!(
            "group {id} reads nothing and has committed nothing."
        ));
    }
    rows.iter().find_map(|row| {
        // Where nothing is committed, everything may still be unread.
        let unread = |row: &OffsetRow| Some(row.end?.saturating_sub(*firsts.get(&row.at)?));
        let at = visible(&row.at.topic);
        let at = format!("{at}-{} of group {id}", row.at.partition);
        match row.lag().or_else(|| unread(row)) {
            Some(lag) if lag <= lag_max => None,
            Some(lag) => Some(format!("{at} lags by {lag}.")),
            None => Some(format!("it is not known by how much {at} lags.")),
        }
    })
}
