//! Whether the options go together, in the reference's order of checks.

use super::args::{Args, NO_STATE};
use crate::context::Context;
use crate::options::{self, Given};
use crate::stop::Stop;

const ONLY_A_PLAN: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this \
                           command will require either --dry-run or --execute to be specified. You should add the \
                           --dry-run option explicitly if you are scripting this command and want to keep the current \
                           default behavior without prompting.";

pub(super) fn check(args: &Args, cx: &mut Context) -> Result<(), Stop> {
    let [list, describe, delete, reset, delete_offsets, validate] = args.actions();
    check_available(args)?;
    if !validate.1 {
        options::require(&[Given::values(
            "bootstrap-server",
            &args.connection.bootstrap_server,
        )])?;
    }
    let group = Given::values("group", &args.group);
    let topic = Given::values("topic", &args.topic);
    let all_groups = Given("all-groups", args.all_groups);
    let some_group = |action: Given| match action.1 && !group.1 && !all_groups.1 {
        true => usage(format!(
            "Option [{}] takes one of these options: [all-groups], [group]",
            action.0
        )),
        false => Ok(()),
    };
    check_own(args)?;
    some_group(describe)?;
    if describe.1 {
        check_view(args)?;
    }
    some_group(delete)?;
    if delete.1 && topic.1 {
        return usage(
            "The consumer does not support topic-specific offset deletion from a consumer group.",
        );
    }
    if delete_offsets.1 && !(group.1 && topic.1) {
        return usage("Option [delete-offsets] takes the following options: [group], [topic]");
    }
    if reset.1 {
        if args.dry_run && args.execute {
            return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
        }
        if !args.dry_run && !args.execute {
            cx.warn(ONLY_A_PLAN);
        }
        if args.undo.is_empty() {
            some_group(reset)?;
        }
        check_target(args)?;
    }
    options::forbid(group, &[all_groups, list])?;
    options::forbid(topic, &[list, Given("describe", args.describe)])?;
    if args.actions().iter().filter(|action| action.1).count() != 1 {
        let all = args.actions().map(|action| format!("--{}", action.0));
        return usage(format!(
            "Command must include exactly one action: {}",
            all.join(", ")
        ));
    }
    if reset.1 && args.undo.is_empty() {
        check_scope(args)?;
    }
    Ok(())
}

/// What the reference has no word for.
fn check_own(args: &Args) -> Result<(), Stop> {
    let [.., validate] = args.actions();
    let watch = Given::values("watch", &args.watch);
    let wait_lag = Given::values("wait-lag", &args.wait_lag);
    let explain = Given("explain", args.explain);
    let undo = Given::values("undo", &args.undo);
    let output = args.output.given();
    let other_views = [
        Given("members", args.members),
        Given::values("state", &args.state),
    ];
    for of_offsets in [watch, wait_lag, Given("time-lag", args.time_lag)] {
        options::forbid(of_offsets, &other_views)?;
    }
    options::forbid(wait_lag, &[watch])?;
    options::forbid(explain, &[Given("export", args.export)])?;
    options::forbid(undo, &args.reset_targets())?;
    let elsewhere = [
        Given::values("topic", &args.topic),
        Given("all-topics", args.all_topics),
        Given("all-groups", args.all_groups),
    ];
    options::forbid(undo, &elsewhere)?;
    options::forbid(output, &[validate, Given("export", args.export)])?;
    options::forbid(
        Given::values("undo-dir", &args.undo_dir),
        &[Given("dry-run", args.dry_run)],
    )
}

/// The details that some actions have and others do not.
fn check_available(args: &Args) -> Result<(), Stop> {
    let only = |detail: Given, available: bool| match detail.1 && !available {
        true => Err(Stop::failed(format!(
            "Option(s) [{}] are unavailable given other options on the command line",
            detail.0
        ))),
        false => Ok(()),
    };
    only(Given("members", args.members), args.describe)?;
    only(Given("verbose", args.verbose), args.describe)?;
    only(Given("offsets", args.offsets), args.describe)?;
    only(
        Given::values("state", &args.state),
        args.describe || args.list,
    )?;
    only(Given::values("type", &args.r#type), args.list)?;
    only(Given::values("watch", &args.watch), args.describe)?;
    only(Given("time-lag", args.time_lag), args.describes())?;
    only(Given("explain", args.explain), args.resets())?;
    only(Given::values("undo-dir", &args.undo_dir), args.resets())
}

fn check_view(args: &Args) -> Result<(), Stop> {
    let views = [args.members, args.offsets, !args.state.is_empty()];
    if views.iter().filter(|given| **given).count() > 1 {
        return usage(
            "Option [describe] takes at most one of these options: [members], [offsets], [state]",
        );
    }
    if args.state.iter().any(|state| state != NO_STATE) {
        return usage("Option [describe] does not take a value for [state]");
    }
    Ok(())
}

fn check_target(args: &Args) -> Result<(), Stop> {
    let targets = args.reset_targets();
    for target in targets {
        let others = targets.into_iter().filter(|other| other.0 != target.0);
        options::forbid(target, &others.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// What the reference only finds when it has asked for the group.
fn check_scope(args: &Args) -> Result<(), Stop> {
    if !args.all_topics && args.topic.is_empty() && args.from_file.is_empty() {
        return usage("One of the reset scopes should be defined: --all-topics, --topic.");
    }
    let targets = args.reset_targets();
    if !targets.iter().any(|target| target.1) {
        let names = targets.map(|target| format!("[{}]", target.0));
        return usage(format!(
            "Option '[reset-offsets]' requires one of the following scenarios: [{}]",
            names.join(", ")
        ));
    }
    Ok(())
}

fn usage<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Usage(message.into()))
}
