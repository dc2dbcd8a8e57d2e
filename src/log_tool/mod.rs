//! `ottla log`: checking and repairing the logs of a broker that is stopped.
//!
//! Only shows what `ottla_log::verify` finds and what a repair does. Always: the directory's lock is held meanwhile;
//! the exit status is 0 where everything is sound, 1 where damage was found (or is left), 2 where nothing was done.

mod repair;
mod verify;

use std::io::Write as _;

use clap::Command;
use ottla_cli::help_text;
use ottla_cli::{Context, Failure, Stop, Tool};

pub(crate) const TOOL: Tool = Tool {
    name: "log",
    link: "ottla-log",
    about: "Check and repair the logs of a stopped broker",
    command,
    run,
};

/// Nothing was looked at.
const REFUSED: u8 = 2;
/// There is damage.
const DAMAGED: u8 = 1;

const EXAMPLES: &str = "Examples:
  ottla log verify ottla-data
  ottla log verify --deep --output csv ottla-data
  ottla log repair --dry-run ottla-data";

fn command() -> Command {
    Command::new("ottla-log")
        .about("Check and repair the logs of a stopped broker")
        .after_help(EXAMPLES)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .subcommands([verify::command(), repair::command()])
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let program = std::iter::once("ottla-log".to_owned());
    let command = command().bin_name(&cx.program);
    let words = program.chain(words.iter().cloned());
    let given = command.clone().try_get_matches_from(words);
    match given {
        Ok(given) => match given.subcommand() {
            Some(("verify", given)) => verify::run(given, cx),
            Some(("repair", given)) => repair::run(given, cx),
            _ => Err(refused("Which of them?")),
        },
        Err(error) if error.use_stderr() => {
            let text = error.to_string();
            let line = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
            Err(refused(line))
        }
        Err(help) => Ok(write!(cx.out, "{}", help_text::asked(&help, &command))?),
    }
}

fn refused(message: impl Into<String>) -> Stop {
    Failure::new(message).status(REFUSED).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_sound() {
        command().debug_assert();
    }
}
