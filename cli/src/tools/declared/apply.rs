//! `ottla topics apply`: makes a cluster as files say.
//!
//! Always: what loses data is named, and done only with `--allow-data-loss`; deleting is asked about. The exit status is 0
//! where the cluster is as the files say, 3 where `--plan` has found something to do, 1 where something cannot be done or was
//! not, 2 where the command line is wrong.

use std::io::Write as _;

use clap::{ArgAction, CommandFactory, Parser};

use crate::connect;
use crate::context::{self, Context};
use crate::declare::{self, Carried, Plan, Rules};
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::stop::{Failure, Stop};
use crate::terminal::{Tone, painted};
use crate::tool::Tool;
use crate::verb;

pub const TOOL: Tool = Tool {
    name: "topics apply",
    link: "ottla-topics-apply",
    about: "Make topics, their configs and group offsets as a file says",
    command: Args::command,
    run,
};

/// `--plan` found something to do.
const PENDING: u8 = 3;

/// Make topics, their configs and group offsets as a file says.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ottla-topics-apply",
    disable_version_flag = true,
    after_help = "\
Examples:
  ottla topics apply -f topics.yaml --plan
  ottla topics apply -f topics.yaml --bootstrap-server broker:9092
  ottla topics apply -f topics.yaml --prune --allow-data-loss --yes"
)]
struct Args {
    /// A file in YAML or JSON, - for standard input; may be repeated
    #[arg(short = 'f', long, value_name = "FILE", required = true, action = ArgAction::Append)]
    file: Vec<String>,
    /// Only show what would be done
    #[arg(long)]
    plan: bool,
    /// Delete topics that the files do not have, but none that begins with an underscore or that `keep` in a file names
    #[arg(long)]
    prune: bool,
    /// Do also what loses data
    #[arg(long)]
    allow_data_loss: bool,
    /// Do not ask before topics are deleted
    #[arg(long, short = 'y')]
    yes: bool,
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS", default_value = "localhost:9092")]
    bootstrap_server: String,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE", action = ArgAction::Append)]
    command_config: Vec<String>,
    #[command(flatten)]
    output: Output,
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let Some(args) = verb::parse::<Args>(words, verb::USAGE, cx)? else {
        return Ok(());
    };
    let declared = declare::read(&args.file)?;
    let servers = [("bootstrap.servers", args.bootstrap_server.as_str())];
    let settings = connect::settings(&args.command_config, &servers, cx)?;
    context::block_on(async {
        let admin = connect::admin(settings, "describeCluster").await;
        let admin = admin.map_err(Failure::from)?;
        let rules = Rules {
            prune: args.prune,
            move_offsets: true,
        };
        let plan = declare::plan(&admin, &declared, rules).await?;
        if args.output.output == Format::Table {
            let text = painted(&declare::text(&plan), cx.stdout_is_terminal, tone);
            cx.out.write_all(text.as_bytes())?;
            cx.flush()?;
        }
        if let Some(stop) = ends_here(&args, &plan, cx) {
            show_data(&args, &plan, None, cx)?;
            return stop;
        }
        let progress = Progress::of_parts(declare::steps(&plan), cx);
        let carried = declare::carry_out(&admin, &declared, &plan, rules, &progress).await?;
        progress.finish();
        show_data(&args, &plan, Some(&carried), cx)?;
        if !carried.refusals.is_empty() {
            let lines: Vec<String> = carried.refusals.iter().map(declare::told).collect();
            let hint = "The rest of the plan was done.";
            return Err(Failure::new(lines.join("\n")).hint(hint).into());
        }
        if args.output.output == Format::Table && !plan.is_empty() {
            match carried.moving.as_slice() {
                [] => writeln!(cx.out, "Done.")?,
                moving => writeln!(
                    cx.out,
                    "Done; replicas are still on their way: {} (`ottla reassign-partitions --list` shows them).",
                    declare::named(moving)
                )?,
            }
        }
        Ok(())
    })?
}

/// How a line of the plan looks where there are colours: as in a diff, and what loses data stands out.
fn tone(line: &str) -> Tone {
    if line.contains("LOSES DATA") {
        return Tone::Bad;
    }
    match line.trim_start().chars().next() {
        Some('+') => Tone::Good,
        Some('-') => Tone::Bad,
        Some('~') => Tone::Odd,
        _ => Tone::Plain,
    }
}

fn show_data(
    args: &Args,
    plan: &Plan,
    applied: Option<&Carried>,
    cx: &mut Context,
) -> Result<(), Stop> {
    if let Format::Data(form) = args.output.output {
        let text = declare::report(plan, applied).text(form);
        cx.out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Why the plan is not carried out, if it is not.
fn ends_here(args: &Args, plan: &Plan, cx: &mut Context) -> Option<Result<(), Stop>> {
    if !plan.problems.is_empty() {
        let failure = Failure::new(plan.problems.join("\n"));
        return Some(Err(failure.hint("Nothing was changed.").into()));
    }
    if args.plan {
        return Some(match plan.is_empty() {
            true => Ok(()),
            false => Err(Stop::Status(PENDING)),
        });
    }
    let losses = plan.losses();
    if !losses.is_empty() && !args.allow_data_loss {
        let failure = Failure::new(format!("This loses data:\n{}", losses.join("\n")));
        let hint = "Nothing was changed. --allow-data-loss does it.";
        return Some(Err(failure.hint(hint).into()));
    }
    match args.yes {
        true => None,
        false => confirmed(plan, args, cx)
            .err()
            .map(|failure| Err(failure.into())),
    }
}

/// What is pruned is named nowhere in the file, so nothing but a yes will do; what is made anew is, and --allow-data-loss was said.
fn confirmed(plan: &Plan, args: &Args, cx: &mut Context) -> Result<(), Failure> {
    let deletions = plan.deletions();
    let names = [deletions.clone(), plan.replacements()].concat().join(", ");
    let is_asked =
        cx.stdin_is_terminal && cx.stderr_is_terminal && !args.file.iter().any(|file| file == "-");
    if names.is_empty() || (deletions.is_empty() && !is_asked) {
        return Ok(());
    }
    if !is_asked {
        let names = deletions.join(", ");
        let failure = Failure::new(format!("Topics would be deleted: {names}."));
        return Err(failure.hint("Nothing was changed. --yes does it without asking."));
    }
    let question = format!("Delete with everything in them: {names}?");
    match cx.ask(&question).unwrap_or(false) {
        true => Ok(()),
        false => Err(Failure::new("Nothing was changed.")),
    }
}
