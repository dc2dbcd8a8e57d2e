//! Deletes groups, and offsets of groups. Each outcome is told apart; a failure of one is none of the others.

use std::collections::BTreeSet;
use std::io::Write;

use ottla_client::admin::{Admin, TopicPartition};
use ottla_client::{ApiError, ClientError};
use ottla_protocol::errors::ErrorCode;

use super::ended::{Ended, Wrapped};
use super::json;
use super::list;
use super::plan::{Groups, TopicScope};
use super::{partitions, render};
use crate::connect;
use crate::context::Context;
use crate::nearest;
use crate::output::Format;
use crate::stop::Stop;
use crate::table::visible;

pub(super) async fn groups(
    groups: &Groups,
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<(), Ended> {
    let ids = list::ids(groups, admin).await?;
    let question = match ids.as_slice() {
        [id] => format!("Delete the group {id} and its offsets?"),
        all => format!("Delete {} groups and their offsets?", all.len()),
    };
    if !ids.is_empty() && cx.is_attended() && !cx.ask(&question)? {
        cx.fail("Nothing was deleted.");
        return Err(Stop::Status(1).into());
    }
    let outcomes = admin
        .delete_groups(&ids)
        .await
        .map_err(Wrapped::Once.failed("deleteConsumerGroups(api=DELETE_GROUPS)"))?;
    if let Format::Data(form) = format {
        let report = json::deleted_groups(&outcomes);
        cx.out.write_all(report.text(form).as_bytes())?;
        return failed_where(outcomes.iter().any(|(_, outcome)| outcome.is_err()));
    }
    let mut deleted = Vec::new();
    let mut failed = Vec::new();
    for (id, outcome) in outcomes {
        match outcome {
            Ok(()) => deleted.push(format!("'{}'", visible(&id))),
            Err(error) => failed.push((id, error)),
        }
    }
    let deleted = deleted.join(", ");
    if failed.is_empty() {
        let what = format!("Deletion of requested consumer groups ({deleted})");
        return Ok(writeln!(cx.out, "{what} was successful.")?);
    }
    writeln!(cx.out, "\nError: Deletion of some consumer groups failed:")?;
    for (id, error) in &failed {
        let reason = connect::exception(error);
        let what = format!("* Group '{}' could not be deleted due to", visible(id));
        writeln!(cx.out, "{what}: {}", visible(&reason))?;
    }
    if !deleted.is_empty() {
        let what = "These consumer groups were deleted successfully";
        writeln!(cx.out, "\n{what}: {deleted}")?;
    }
    for (id, error) in &failed {
        cx.warn(format!("Group {id} was not deleted: {}", hint(error)));
        if error.code == ErrorCode::GroupIdNotFound
            && let Some(hint) = nearest::group(id, admin).await
        {
            cx.warn(hint);
        }
    }
    Ok(())
}

/// With JSON the status tells, too; elsewhere it is the reference's.
fn failed_where(some_failed: bool) -> Result<(), Ended> {
    match some_failed {
        true => Err(Stop::Status(1).into()),
        false => Ok(()),
    }
}

fn hint(error: &ApiError) -> String {
    match error.code {
        ErrorCode::NonEmptyGroup => {
            "it has members; end them, or wait until their session is over.".to_owned()
        }
        ErrorCode::GroupIdNotFound => "there is no such group.".to_owned(),
        _ => error.to_string(),
    }
}

pub(super) async fn offsets(
    group: &str,
    topics: &[TopicScope],
    format: Format,
    admin: &Admin,
    cx: &mut Context,
) -> Result<(), Ended> {
    let mut rows = Vec::new();
    let mut wanted: BTreeSet<TopicPartition> = BTreeSet::new();
    for scope in topics {
        match &scope.partitions {
            Some(indexes) => {
                let at = |index: &i32| TopicPartition::new(&*scope.topic, *index);
                wanted.extend(indexes.iter().map(at));
            }
            None => match partitions::of_topic(&scope.topic, admin).await? {
                Ok(found) => wanted.extend(found),
                Err(error) => rows.push((scope.topic.clone(), None, Err(error))),
            },
        }
    }
    let wanted: Vec<TopicPartition> = wanted.into_iter().collect();
    let (outcomes, whole) = match admin.delete_group_offsets(group, &wanted).await {
        Ok(outcomes) => (outcomes, None),
        Err(ClientError::Api(error)) => {
            let outcome = |at| (at, Err(error.clone()));
            (wanted.into_iter().map(outcome).collect(), Some(error.code))
        }
        Err(error) => {
            let call = "deleteConsumerGroupOffsets(api=OFFSET_DELETE)";
            return Err(Wrapped::Once.failed(call)(error).into());
        }
    };
    let mut worst = whole;
    for (at, outcome) in outcomes {
        if let Err(error) = &outcome {
            worst.get_or_insert(error.code);
        }
        rows.push((at.topic, Some(at.partition), outcome));
    }
    if let Format::Data(form) = format {
        let report = json::deleted_offsets(group, &rows);
        cx.out.write_all(report.text(form).as_bytes())?;
        return failed_where(rows.iter().any(|(_, _, outcome)| outcome.is_err()));
    }
    // As text, like the reference: 10 comes before 2.
    rows.sort_by_cached_key(|(topic, partition, _)| format!("{topic}{}", partition.unwrap_or(-1)));
    cx.out
        .write_all(render::deletion_head(group, worst).as_bytes())?;
    cx.out.write_all(render::deletions(&rows).as_bytes())?;
    for (topic, _, outcome) in &rows {
        if matches!(outcome, Err(error) if error.code == ErrorCode::GroupSubscribedToTopic) {
            cx.warn(format!(
                "Group {group} reads {topic} right now; end its members first."
            ));
            break;
        }
    }
    let is_unknown = |error: &ApiError| error.code == ErrorCode::UnknownTopicOrPartition;
    let unknown = rows
        .iter()
        .filter(|row| row.2.as_ref().is_err_and(is_unknown));
    for hint in nearest::topics(unknown.map(|row| row.0.as_str()), admin).await {
        cx.warn(hint);
    }
    Ok(())
}
