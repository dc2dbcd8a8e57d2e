//! The command line of a verb of our own, which the reference does not have: help is on standard output with status 0, and
//! what is wrong has a status of its own.

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, Parser};

use crate::context::Context;
use crate::meant::meant;
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
            let failure = Failure::new(text).status(usage);
            let meant = meant_option(&error, &A::command());
            Err(meant.into_iter().fold(failure, Failure::hint).into())
        }
        Err(help) => {
            write!(cx.out, "{help}")?;
            Ok(None)
        }
    }
}

/// Of an option that there is not: a sentence with the one that was probably meant.
pub fn meant_option(error: &clap::Error, command: &Command) -> Option<String> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => nearest_option(option, command),
        _ => None,
    }
}

/// The same of a word that looks like an option.
pub fn nearest_option(word: &str, command: &Command) -> Option<String> {
    let name = word.strip_prefix("--")?;
    let name = name.split('=').next().unwrap_or(name);
    let below = command.get_subcommands().flat_map(Command::get_arguments);
    let all = command.get_arguments().chain(below);
    let known = meant(name, all.filter_map(Arg::get_long))?;
    (known != name).then(|| format!("Did you mean --{known}?"))
}
