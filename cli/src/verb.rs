//! The command line of a verb of our own, which the reference does not have: help is on standard output with status 0, and
//! what is wrong has a status of its own.

use clap::Parser;

use crate::context::Context;
use crate::stop::{Failure, Stop};

/// The exit status of a wrong command line.
pub const USAGE: u8 = 2;

/// None where help was asked for and is given.
pub fn parse<A: Parser>(words: &[String], usage: u8, cx: &mut Context) -> Result<Option<A>, Stop> {
    let command = A::command();
    let program = std::iter::once(command.get_name().to_owned());
    let given = command
        .disable_help_subcommand(true)
        .bin_name(&cx.program)
        .try_get_matches_from(program.chain(words.iter().cloned()))
        .and_then(|given| A::from_arg_matches(&given));
    match given {
        Ok(args) => Ok(Some(args)),
        Err(error) if error.use_stderr() => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
            Err(Failure::new(text).status(usage).into())
        }
        Err(help) => {
            write!(cx.out, "{help}")?;
            Ok(None)
        }
    }
}
