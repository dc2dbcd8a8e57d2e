//! `kafka-console-consumer`: records of topics as lines on standard output.
//!
//! Always: what a group has committed was written before, and a tool that ends says farewell to its group; one that it
//! made for itself is deleted. A time-out and a broker that refuses leave the exit status at 0, as in the reference; a
//! record that cannot be shown ends with 1, a signal with 128 and its number.

mod args;
mod charset;
mod deserializers;
mod formatter;
mod plan;
mod reading;
mod select;

use clap::CommandFactory;

use crate::consuming;
use crate::context::{self, Context};
use crate::options;
use crate::stop::{Failure, Stop};
use crate::tool::Tool;
use args::Args;
use plan::{Plan, Source};
use reading::End;

pub const TOOL: Tool = Tool {
    name: "console-consumer",
    link: "kafka-console-consumer",
    about: "Show records of topics",
    command: Args::command,
    run,
};

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let mut args: Args = options::start(words)?;
    args::check(&args)?;
    args::rename_old_options(&mut args, cx)?;
    let plan = plan::plan(&args, cx.stdout_is_terminal)?;
    if let Some(note) = &plan.note {
        plan.output.note(note, cx)?;
    }
    let (cluster, consumer) = match plan.source {
        Source::Ranges(..) => consuming::settings_of_asking(&plan.properties, cx)?,
        _ => consuming::settings(&plan.properties, cx)?,
    };
    for warning in &plan.warnings {
        cx.warn(warning);
    }
    let (count, end) = context::block_on_beside(reading::read(&plan, cluster, consumer, cx))?;
    finish(&plan, count, end, cx)
}

/// Says why it is over, how much there was, and with what status the tool ends.
fn finish(plan: &Plan, count: u64, end: End, cx: &mut Context) -> Result<(), Stop> {
    let result = match end {
        End::Enough => Ok(()),
        End::TimedOut(after) => {
            cx.warn(format!("No record came within {} ms.", after.as_millis()));
            Ok(())
        }
        End::Refused(reason) => {
            cx.warn(format!("Reading was given up: {reason}."));
            Ok(())
        }
        End::Unusable(failure) => Err(failure.into()),
        End::Unformattable(error) => {
            let hint = "--skip-message-on-error goes on behind such a record.";
            Err(Failure::new(error.to_string()).hint(hint).into())
        }
        End::Signal(status) => Err(Stop::Status(status)),
        // A reader that went away has seen enough: no word about it.
        End::Output(error) => return Err(Stop::Output(error)),
    };
    cx.warn(format!("Processed a total of {count} messages"));
    if plan.tells_events {
        plan.output.note("shutdown_complete", cx)?;
    }
    result
}
