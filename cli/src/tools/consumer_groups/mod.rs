//! `kafka-consumer-groups`: list and describe groups, move their offsets, delete groups and offsets.
//!
//! What goes wrong at run time is told on standard output, with status 0: that is where the reference tells it, and
//! scripts look there. Standard error says it in plain words. Options that make no sense end with status 1. Where one
//! of our own options is given, a failure is on standard error only, with status 1.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use ottla_protocol::errors::ErrorCode;

use crate::connect::{self, Unconnected};
use crate::context::{self, Context, without_escapes};
use crate::jopt;
use crate::options;
use crate::stop::Stop;
use crate::tool::Tool;

mod args;
mod check;
mod delete;
mod describe;
mod ended;
mod json;
mod list;
mod members;
mod partitions;
mod pattern;
mod plan;
mod record_times;
mod render;
mod reset;
mod wait_lag;
mod watch;

use crate::output::Format;
use args::Args;
use ended::{Ended, Problem, Wrapped};
use plan::Plan;

pub const TOOL: Tool = Tool {
    name: "consumer-groups",
    link: "kafka-consumer-groups",
    about: "List and describe consumer groups, reset and delete their offsets",
    command: Args::command,
    run,
};

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    check::check(&args, cx)?;
    if let Some(pattern) = jopt::one("validate-regex", &args.validate_regex)? {
        return Ok(writeln!(cx.out, "{}", pattern::verdict(pattern))?);
    }
    let format = args.output.format()?;
    match work(&args, format, cx) {
        Ok(()) => Ok(()),
        Err(Ended::Stop(stop)) => Err(stop),
        Err(Ended::Problem(problem)) if args.is_ours() => Err(problem.failure.into()),
        Err(Ended::Problem(problem)) => {
            let reason = without_escapes(&problem.sentence);
            let failed = "Executing consumer group command failed due to";
            writeln!(cx.out, "\nError: {failed} {reason}")?;
            Err(problem.failure.status(0).into())
        }
    }
}

fn work(args: &Args, format: Format, cx: &mut Context) -> Result<(), Ended> {
    let timeout = plan::timeout(args)?;
    plan::check_targets(args)?;
    let plan = plan::plan(args)?;
    let bootstrap = args.connection.servers()?;
    let overrides = [("bootstrap.servers", bootstrap)];
    let settings = connect::settings(&args.connection.command_config, &overrides, cx)
        .map_err(|stop| unreadable(stop, &args.connection.command_config))?;
    context::block_on(async {
        let admin = connect::admin(settings, plan.first_call())
            .await
            .map_err(|unconnected| no_connection(unconnected, &plan))?
            .with_timeout(timeout);
        match &plan {
            Plan::List(listing) => list::list(listing, format, &admin, cx).await,
            Plan::Describe(description) => {
                describe::describe(description, format, &admin, cx).await
            }
            Plan::Watch { description, every } => {
                watch::watch(description, *every, format, &admin, cx).await
            }
            Plan::WaitLag(wait) => wait_lag::wait(wait, format, &admin, cx).await,
            Plan::Delete(groups) => delete::groups(groups, format, &admin, cx).await,
            Plan::Reset(reset) => reset::reset(reset, format, &admin, cx).await,
            Plan::DeleteOffsets { group, topics } => {
                delete::offsets(group, topics, format, &admin, cx).await
            }
        }
    })?
}

fn unreadable(stop: Stop, command_config: &[String]) -> Ended {
    let (failure, path) = match (stop, command_config) {
        (Stop::Failed(failure), [path]) => (failure, path),
        (stop, _) => return stop.into(),
    };
    // No path at all is the working directory.
    let sentence = if path.is_empty() || Path::new(path).is_dir() {
        "java.io.IOException: Is a directory".to_owned()
    } else if !Path::new(path).exists() {
        format!("java.nio.file.NoSuchFileException: {path}")
    } else {
        return failure.into();
    };
    Problem {
        sentence,
        failure,
        code: None,
    }
    .into()
}

fn no_connection(unconnected: Unconnected, plan: &Plan) -> Problem {
    match unconnected {
        Unconnected::NoAddress(failure) => failure.into(),
        Unconnected::NoBroker(failure) => {
            let wrapped = match plan {
                Plan::List(listing) if listing.is_filtered() => Wrapped::Once,
                Plan::Describe(description) if !description.groups.are_all() => Wrapped::Once,
                _ => Wrapped::Twice,
            };
            let timed_out = connect::class(ErrorCode::RequestTimedOut);
            let sentence = match plan.groups() {
                Some(groups) if groups.are_all() => list::no_brokers(wrapped),
                _ => wrapped.sentence(&timed_out, &failure.message),
            };
            Problem {
                sentence,
                failure,
                code: None,
            }
        }
    }
}
