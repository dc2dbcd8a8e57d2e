//! `kafka-consumer-groups`: list and describe groups, move their offsets, delete groups and offsets.
//!
//! What goes wrong at run time is told on standard output, with status 0: that is where the reference tells it, and
//! scripts look there. Standard error says it in plain words. Options that make no sense end with status 1.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use ottla_protocol::errors::ErrorCode;

use crate::connect::{self, Unconnected};
use crate::context::{self, Context};
use crate::jopt;
use crate::options::{self, Given, Standard, ToolArgs};
use crate::stop::Stop;
use crate::tool::Tool;

mod check;
mod delete;
mod describe;
mod ended;
mod list;
mod members;
mod partitions;
mod pattern;
mod plan;
mod render;
mod reset;

use ended::{Ended, Problem, Wrapped};
use plan::Plan;

pub const TOOL: Tool = Tool {
    name: "consumer-groups",
    link: "kafka-consumer-groups",
    about: "List and describe consumer groups, reset and delete their offsets",
    command: Args::command,
    run,
};

/// List and describe consumer groups, reset and delete their offsets.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-consumer-groups",
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS", help_heading = "Connection")]
    bootstrap_server: Vec<String>,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    command_config: Vec<String>,
    /// How long each question to the cluster may take; 30000 by default
    #[arg(
        long,
        value_name = "MS",
        help_heading = "Connection",
        allow_hyphen_values = true
    )]
    timeout: Vec<String>,

    /// List the groups
    #[arg(long, help_heading = "Actions")]
    list: bool,
    /// Show offsets, members or the state of groups
    #[arg(long, help_heading = "Actions")]
    describe: bool,
    /// Delete groups without members, with their offsets
    #[arg(long, help_heading = "Actions")]
    delete: bool,
    /// Move the offsets of groups without members; only shows what would happen without --execute
    #[arg(long, help_heading = "Actions")]
    reset_offsets: bool,
    /// Delete the offsets that a group has for topics
    #[arg(long, help_heading = "Actions")]
    delete_offsets: bool,
    /// Say whether a text is a regular expression as brokers understand it
    #[arg(
        long,
        value_name = "REGEX",
        help_heading = "Actions",
        allow_hyphen_values = true
    )]
    validate_regex: Vec<String>,

    /// The group to act on; may be repeated
    #[arg(long, value_name = "GROUP", help_heading = "Scope")]
    group: Vec<String>,
    /// Act on every group
    #[arg(long, help_heading = "Scope")]
    all_groups: bool,
    /// The topic to reset or delete offsets of, or some of its partitions; may be repeated
    #[arg(long, value_name = "TOPIC[:P,P]", help_heading = "Scope")]
    topic: Vec<String>,
    /// Reset the offsets of every topic that the group has offsets for
    #[arg(long, help_heading = "Scope")]
    all_topics: bool,

    /// List: show the state, or only groups in these states; describe: show the state of the group
    #[arg(long, value_name = "STATE,STATE", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = "Details")]
    state: Vec<String>,
    /// List: show the type, or only groups of these types (classic, consumer)
    #[arg(long, value_name = "TYPE,TYPE", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = "Details")]
    r#type: Vec<String>,
    /// Describe: show the members
    #[arg(long, help_heading = "Details")]
    members: bool,
    /// Describe: show the offsets; that is the default
    #[arg(long, help_heading = "Details")]
    offsets: bool,
    /// Describe: show more columns
    #[arg(long, help_heading = "Details")]
    verbose: bool,

    /// To the first offset of the log
    #[arg(long, help_heading = "Reset")]
    to_earliest: bool,
    /// To the end of the log
    #[arg(long, help_heading = "Reset")]
    to_latest: bool,
    /// To the committed offset, or to the end where there is none
    #[arg(long, help_heading = "Reset")]
    to_current: bool,
    /// To this offset, or the nearest that the log has
    #[arg(
        long,
        value_name = "OFFSET",
        help_heading = "Reset",
        allow_hyphen_values = true
    )]
    to_offset: Vec<String>,
    /// So many offsets forward, or back where it is negative
    #[arg(
        long,
        value_name = "COUNT",
        help_heading = "Reset",
        allow_hyphen_values = true
    )]
    shift_by: Vec<String>,
    /// To the first record of the last P1DT2H3M4S
    #[arg(
        long,
        value_name = "DURATION",
        help_heading = "Reset",
        allow_hyphen_values = true
    )]
    by_duration: Vec<String>,
    /// To the first record from 2030-12-31T23:59:59.999 on; UTC where no zone (+01:00) follows
    #[arg(long, value_name = "TIME", help_heading = "Reset")]
    to_datetime: Vec<String>,
    /// To what the rows of a file say: topic,partition,offset, and the group first where there are several
    #[arg(long, value_name = "CSV", help_heading = "Reset")]
    from_file: Vec<String>,
    /// Only show what would happen
    #[arg(long, help_heading = "Reset")]
    dry_run: bool,
    /// Do it
    #[arg(long, help_heading = "Reset")]
    execute: bool,
    /// Show the new offsets as rows for --from-file
    #[arg(long, help_heading = "Reset")]
    export: bool,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool helps to list all consumer groups, describe a consumer group, delete consumer \
                                 group info, or reset consumer group offsets.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

impl Args {
    fn actions(&self) -> [Given; 6] {
        [
            Given("list", self.list),
            Given("describe", self.describe),
            Given("delete", self.delete),
            Given("reset-offsets", self.reset_offsets),
            Given("delete-offsets", self.delete_offsets),
            Given::values("validate-regex", &self.validate_regex),
        ]
    }

    fn reset_targets(&self) -> [Given; 8] {
        [
            Given::values("to-offset", &self.to_offset),
            Given::values("to-datetime", &self.to_datetime),
            Given::values("by-duration", &self.by_duration),
            Given("to-earliest", self.to_earliest),
            Given("to-latest", self.to_latest),
            Given("to-current", self.to_current),
            Given::values("shift-by", &self.shift_by),
            Given::values("from-file", &self.from_file),
        ]
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    check::check(&args, cx)?;
    if let Some(pattern) = jopt::one("validate-regex", &args.validate_regex)? {
        return Ok(writeln!(cx.out, "{}", pattern::verdict(pattern))?);
    }
    match work(&args, cx) {
        Ok(()) => Ok(()),
        Err(Ended::Stop(stop)) => Err(stop),
        Err(Ended::Problem(problem)) => {
            let reason = problem.sentence;
            let failed = "Executing consumer group command failed due to";
            writeln!(cx.out, "\nError: {failed} {reason}")?;
            Err(problem.failure.status(0).into())
        }
    }
}

const TIMEOUT_MS: i64 = 30_000;

fn work(args: &Args, cx: &mut Context) -> Result<(), Ended> {
    let timeout_ms = jopt::number("timeout", &args.timeout)?.unwrap_or(TIMEOUT_MS);
    let timeout = Duration::from_millis(timeout_ms.try_into().unwrap_or(0));
    let plan = plan::plan(args)?;
    let bootstrap = jopt::one("bootstrap-server", &args.bootstrap_server)?.unwrap_or_default();
    let overrides = [("bootstrap.servers", bootstrap)];
    let settings = connect::settings(&args.command_config, &overrides, cx)
        .map_err(|stop| unreadable(stop, &args.command_config))?;
    context::block_on(async {
        let admin = connect::admin(settings, plan.first_call())
            .await
            .map_err(|unconnected| no_connection(unconnected, &plan))?
            .with_timeout(timeout);
        match &plan {
            Plan::List(listing) => list::list(listing, &admin, cx).await,
            Plan::Describe(description) => describe::describe(description, &admin, cx).await,
            Plan::Delete(groups) => delete::groups(groups, &admin, cx).await,
            Plan::Reset(reset) => reset::reset(reset, &admin, cx).await,
            Plan::DeleteOffsets { group, topics } => {
                delete::offsets(group, topics, &admin, cx).await
            }
        }
    })?
}

fn unreadable(stop: Stop, command_config: &[String]) -> Ended {
    match (stop, command_config.first()) {
        (Stop::Failed(failure), Some(path)) if !Path::new(path).exists() => Problem {
            sentence: format!("java.nio.file.NoSuchFileException: {path}"),
            failure,
        }
        .into(),
        (stop, _) => stop.into(),
    }
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
            let timed_out = ended::class(ErrorCode::RequestTimedOut);
            let sentence = match plan.groups() {
                Some(groups) if groups.are_all() => list::no_brokers(wrapped),
                _ => wrapped.sentence(&timed_out, &failure.message),
            };
            Problem { sentence, failure }
        }
    }
}
