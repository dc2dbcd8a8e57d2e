//! From plans to offsets in the group.

use std::path::PathBuf;

use jiff::Timestamp;

use ottla_client::admin::Admin;
use ottla_client::{ApiError, ClientError};

use super::super::ended::{Ended, Wrapped};
use super::undo::{self, Written};
use super::{GroupPlan, Reset};
use crate::context::Context;
use crate::progress::Progress;
use crate::stop::Failure;

/// Writes what can be written, and before it the file that takes it back.
pub(super) async fn execute(
    plans: &[GroupPlan],
    reset: &Reset,
    cluster: Option<&str>,
    admin: &Admin,
    cx: &mut Context,
) -> Result<Option<PathBuf>, Ended> {
    let plans: Vec<&GroupPlan> = plans
        .iter()
        .filter(|plan| !plan.possible().is_empty())
        .collect();
    if plans.is_empty() {
        return Ok(None);
    }
    let undo = leave_undo_file(&plans, reset, cluster, cx)?;
    let committed = commit_all(&plans, admin, cx).await;
    let path = undo.as_ref().map(|undo| undo.path.clone());
    if let Some(Err(error)) = undo.map(Written::synced) {
        cx.warn(format!(
            "The file for --undo may not outlive a loss of power: {error}."
        ));
    }
    committed.map(|()| path)
}

/// All of a group's offsets are one request, so that only many groups take long.
async fn commit_all(plans: &[&GroupPlan], admin: &Admin, cx: &Context) -> Result<(), Ended> {
    let progress = Progress::of_parts(plans.len(), cx);
    for plan in plans {
        commit(plan, admin).await?;
        progress.add_one();
    }
    Ok(())
}

fn leave_undo_file(
    plans: &[&GroupPlan],
    reset: &Reset,
    cluster: Option<&str>,
    cx: &mut Context,
) -> Result<Option<Written>, Ended> {
    let folder = reset.undo_dir.clone().or_else(undo::default_folder);
    let is_named = reset.undo_dir.is_some();
    let Some(folder) = folder else {
        cx.warn("No file for --undo is left: neither XDG_STATE_HOME nor HOME is set; --undo-dir DIR names a place.");
        return Ok(None);
    };
    match undo::write(plans, cluster, &folder, Timestamp::now()) {
        Ok(written) => {
            let shown = written.path.display();
            cx.warn(format!("--reset-offsets --undo {shown} takes this back."));
            if !is_named {
                undo::forget_oldest(&folder);
            }
            Ok(Some(written))
        }
        Err(error) => {
            let failed = format!(
                "No file for --undo can be left in {}: {error}",
                folder.display()
            );
            if is_named {
                let hint = "Nothing was changed. Name another --undo-dir.";
                return Err(Failure::new(failed).hint(hint).into());
            }
            cx.warn(format!("{failed}. --undo-dir DIR names another place."));
            Ok(None)
        }
    }
}

async fn commit(plan: &GroupPlan, admin: &Admin) -> Result<(), Ended> {
    let (mut new, mut gone) = (Vec::new(), Vec::new());
    for step in &plan.moves {
        match &step.to {
            Some(to) => new.push((step.at.clone(), to.clone())),
            // What is not there needs no deletion, and its group may not be there either.
            None if step.from.is_some() => gone.push(step.at.clone()),
            None => {}
        }
    }
    let mut outcomes = Vec::new();
    if !new.is_empty() {
        let call = "alterConsumerGroupOffsets(api=OFFSET_COMMIT)";
        let altered = admin.alter_group_offsets(&plan.group, &new).await;
        outcomes.extend(altered.map_err(Wrapped::Not.failed(call))?);
    }
    if !gone.is_empty() {
        let call = "deleteConsumerGroupOffsets(api=OFFSET_DELETE)";
        let deleted = admin.delete_group_offsets(&plan.group, &gone).await;
        outcomes.extend(deleted.map_err(Wrapped::Not.failed(call))?);
    }
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
