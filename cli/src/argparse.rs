//! Command lines as the reference's other option parser (argparse4j) takes them: a tool's own options, a command, and
//! the command's options.
//!
//! The rules: `--name value` and `--name=value`; names may be abbreviated as long as they are unambiguous; of an option
//! that is given again the last one counts; numbers may be negative; what a command does not know is an error. Errors
//! read as the reference's do, without its wrapping.

use std::error::Error as _;
use std::fmt::Display;
use std::str::FromStr;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, Parser};

use crate::connect::Bootstrap;
use crate::context::Context;
use crate::help_text;
use crate::meant::meant;
use crate::stop::{Failure, Stop};
use crate::verb::USAGE;

/// Why a command line is no call of a tool.
pub(crate) enum Uncalled {
    Version,
    /// The help text, for standard output.
    Help(String),
    Wrong(Wrong),
}

/// What is wrong about a command line, in the reference's words, and what was probably meant.
pub(crate) struct Wrong {
    reason: String,
    meant: Option<String>,
}

impl Wrong {
    /// As the tool says it, with what was meant on a line of its own.
    pub(crate) fn said(&self, says: impl FnOnce(&str) -> String) -> Stop {
        let said = says(&self.reason);
        Stop::Usage(match &self.meant {
            Some(meant) => format!("{said}\nDid you mean {meant}?"),
            None => said,
        })
    }
}

/// The command line of a tool, or what is wrong about it. Help is for `--help` alone, on standard output. `program` is what
/// the reference calls itself in errors: some of its tools with `.sh`, others without.
pub fn start<A: Parser>(words: &[String], program: &str, cx: &mut Context) -> Result<A, Stop> {
    match parse(words, cx) {
        Ok(args) => Ok(args),
        Err(Uncalled::Version) => Err(Stop::Version),
        Err(Uncalled::Help(text)) => {
            write!(cx.out, "{text}")?;
            // As the reference does it.
            Err(Stop::Status(1))
        }
        Err(Uncalled::Wrong(wrong)) => {
            Err(wrong.said(|reason| format!("{program}: error: {reason}")))
        }
    }
}

/// The same for a tool of our own: help is no failure, and what is wrong has the status of `verb`. None where help was asked
/// for and is given.
pub(crate) fn start_own<A: Parser>(words: &[String], cx: &mut Context) -> Result<Option<A>, Stop> {
    match parse(words, cx) {
        Ok(args) => Ok(Some(args)),
        Err(Uncalled::Version) => Err(Stop::Version),
        Err(Uncalled::Help(text)) => {
            write!(cx.out, "{text}")?;
            Ok(None)
        }
        Err(Uncalled::Wrong(wrong)) => {
            let mut failure = Failure::new(wrong.reason);
            if let Some(meant) = wrong.meant {
                failure = failure.hint(format!("Did you mean {meant}?"));
            }
            let hint = format!("`{} --help` explains the options.", cx.program);
            Err(failure.hint(hint).status(USAGE).into())
        }
    }
}

/// The parsing itself, for tools that have words of their own for what is wrong.
pub(crate) fn parse<A: Parser>(words: &[String], cx: &Context) -> Result<A, Uncalled> {
    let command = A::command();
    let program = command.get_name().to_owned();
    let command = style(command).bin_name(&cx.program);
    let given = [program].into_iter().chain(words.iter().cloned());
    let error = match command.clone().try_get_matches_from(given) {
        Ok(matches) => match A::from_arg_matches(&matches) {
            Ok(args) => return Ok(args),
            Err(error) => error,
        },
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::DisplayVersion => Err(Uncalled::Version),
        ErrorKind::DisplayHelp => Err(Uncalled::Help(help_text::asked(&error, &command))),
        _ => Err(Uncalled::Wrong(Wrong {
            reason: reason(&error, &command, words),
            meant: probably(&error, &command, words),
        })),
    }
}

/// Where brokers, or controllers, are found.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Servers {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS")]
    pub(crate) bootstrap_server: Option<String>,
    /// The controllers to connect to instead, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS", conflicts_with = "bootstrap_server")]
    pub(crate) bootstrap_controller: Option<String>,
}

impl Servers {
    /// None where nothing is given.
    pub(crate) fn bootstrap(&self) -> Option<Bootstrap<'_>> {
        Bootstrap::of_options(
            self.bootstrap_server.as_deref(),
            self.bootstrap_controller.as_deref(),
        )
    }
}

/// What all tools of this kind have in common. The settings hold for commands, too.
fn style(command: Command) -> Command {
    let has_commands = command.has_subcommands();
    negative_values(command)
        .infer_long_args(true)
        .args_override_self(true)
        .disable_help_subcommand(true)
        .subcommand_required(has_commands)
        .arg_required_else_help(false)
}

/// No option looks like a negative number, so that such a word is a value, also where text is wanted.
fn negative_values(command: Command) -> Command {
    let takes_value = |option: &Arg| {
        !option.is_positional() && matches!(option.get_action(), ArgAction::Set | ArgAction::Append)
    };
    let command = command.mut_args(|option| match takes_value(&option) {
        true => option.allow_negative_numbers(true),
        false => option,
    });
    command.mut_subcommands(negative_values)
}

/// A check of the tool's own, in the form that the parser's have.
pub fn refused(program: &str, reason: &str) -> Stop {
    Stop::Usage(format!("{program}: error: {reason}"))
}

/// Reads a number for clap's `value_parser`, with the reference's words where it is none.
pub fn number<T: FromStr>(java_type: &'static str) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        text.parse().map_err(|_| {
            format!("could not convert '{text}' to {java_type} (For input string: \"{text}\")")
        })
    }
}

fn reason(error: &clap::Error, command: &Command, words: &[String]) -> String {
    let context = |kind| error.get(kind).map(first);
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    // Clap names the value as well.
    let name = argument.split([' ', '=']).next().unwrap_or_default();
    match error.kind() {
        ErrorKind::MissingSubcommand => "too few arguments".to_owned(),
        ErrorKind::MissingRequiredArgument => missing(error, command, words),
        ErrorKind::ArgumentConflict => {
            let other = context(ContextKind::PriorArg).unwrap_or_default();
            let other = other.split([' ', '=']).next().unwrap_or_default();
            // The one that came second is the one too many.
            let place = |name: &str| {
                words
                    .iter()
                    .position(|word| name.starts_with(word.as_str()))
            };
            match place(name) < place(other) {
                true => format!("argument {other}: not allowed with argument {name}"),
                false => format!("argument {name}: not allowed with argument {other}"),
            }
        }
        ErrorKind::UnknownArgument => match candidates(&argument, command, words) {
            several if several.len() > 1 => {
                let several = several.join(", ");
                format!("ambiguous option: {argument} could match {several}")
            }
            _ => format!("unrecognized arguments: '{argument}'"),
        },
        ErrorKind::InvalidSubcommand => {
            let given = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            let names = command.get_subcommands();
            let names: Vec<String> = names.map(|sub| format!("'{}'", sub.get_name())).collect();
            format!(
                "invalid choice: '{given}' (choose from {})",
                names.join(", ")
            )
        }
        ErrorKind::ValueValidation => match error.source() {
            Some(source) => format!("argument {name}: {source}"),
            None => plain(error),
        },
        ErrorKind::InvalidValue
            if context(ContextKind::InvalidValue).is_none_or(|v| v.is_empty()) =>
        {
            format!("argument {name}: expected one argument")
        }
        _ => plain(error),
    }
}

/// The option or command that comes nearest to the one that there is not.
fn probably(error: &clap::Error, command: &Command, words: &[String]) -> Option<String> {
    let given = |kind| error.get(kind).map(first).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let name = given(ContextKind::InvalidArg);
            let written = |name: &str| format!("--{name}");
            let own = command.get_arguments().filter_map(Arg::get_long);
            let own: Vec<String> = own.map(written).collect();
            let of_command: Vec<String> = options_of(command, words).map(written).collect();
            // Where an option stands says whose it is.
            if own.contains(&name) {
                return Some(format!("{name} before the command"));
            }
            if of_command.contains(&name) {
                return Some(format!("{name} behind the command"));
            }
            // Several are named already.
            if candidates(&name, command, words).len() > 1 {
                return None;
            }
            let known = own.iter().chain(&of_command).map(String::as_str);
            meant(&name, known).map(str::to_owned)
        }
        ErrorKind::InvalidSubcommand => {
            let name = given(ContextKind::InvalidSubcommand);
            let known = command.get_subcommands().map(Command::get_name);
            meant(&name, known).map(str::to_owned)
        }
        _ => None,
    }
}

/// What is missing: the first option that is, in the order in which they are defined, or else one of a group.
fn missing(error: &clap::Error, command: &Command, words: &[String]) -> String {
    let listed = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(list)) => list.as_slice(),
        _ => &[],
    };
    let group = listed.iter().find_map(|text| text.strip_prefix('<'));
    let is_listed = |name: &str| {
        let mut listed = listed.iter();
        listed.any(|text| text.split([' ', '=']).next() == Some(name))
    };
    let mut options = options_of(command, words).map(|name| format!("--{name}"));
    match (options.find(|name| is_listed(name)), group) {
        (None, Some(group)) => {
            let options = group.trim_end_matches('>').split('|');
            let names = options.filter_map(|option| option.split(' ').next());
            let names: Vec<&str> = names.collect();
            format!("one of the arguments {} is required", names.join(" "))
        }
        (found, _) => {
            let first = listed
                .first()
                .and_then(|text| text.split([' ', '=']).next());
            let name = found.or(first.map(str::to_owned)).unwrap_or_default();
            format!("argument {name} is required")
        }
    }
}

/// The options of the command that was given.
fn options_of<'a>(command: &'a Command, words: &[String]) -> impl Iterator<Item = &'a str> {
    let given = words.iter().find_map(|word| command.find_subcommand(word));
    let arguments = given.unwrap_or(command).get_arguments();
    arguments.filter_map(|argument| argument.get_long())
}

/// The options that begin as this one does, of the command that was given.
fn candidates(option: &str, command: &Command, words: &[String]) -> Vec<String> {
    let Some(start) = option.strip_prefix("--") else {
        return Vec::new();
    };
    let names = options_of(command, words);
    let mut names: Vec<String> = names
        .filter(|name| name.starts_with(start))
        .map(|name| format!("--{name}"))
        .collect();
    names.sort_unstable();
    names
}

fn first(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(list) => list.first().cloned().unwrap_or_default(),
        other => other.to_string(),
    }
}

/// What clap says in its first line.
fn plain(error: &impl Display) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "kafka-thing")]
    struct Args {
        #[arg(long)]
        bootstrap_server: String,
        #[command(subcommand)]
        what: What,
    }

    #[derive(Debug, PartialEq, clap::Subcommand)]
    enum What {
        Count {
            #[arg(long, allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
            from: i32,
            #[arg(long)]
            topic: Option<String>,
            #[arg(long)]
            to: Option<String>,
        },
        #[command(name = "forceAll")]
        ForceAll,
    }

    fn parsed(line: &str) -> Result<Args, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let mut cx = Context::of_process("kafka-thing");
        cx.out = Box::new(std::io::sink());
        start(&words, "kafka-thing.sh", &mut cx).map_err(|stop| match stop {
            Stop::Usage(text) => text,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn names_are_abbreviated_numbers_are_negative_and_the_last_one_counts() {
        let args = parsed("--boot a:1 count --fr=3 --from -7 --topic x --topic y").unwrap();
        assert_eq!(args.bootstrap_server, "a:1");
        let topic = Some("y".to_owned());
        let to = None;
        assert_eq!(
            args.what,
            What::Count {
                from: -7,
                topic,
                to
            }
        );
        assert_eq!(
            parsed("--bootstrap-server a forceAll").unwrap().what,
            What::ForceAll
        );
        let text = parsed("--bootstrap-server a count --from 1 --topic -1").unwrap();
        assert!(matches!(text.what, What::Count { topic: Some(topic), .. } if topic == "-1"));
    }

    #[test]
    fn what_is_wrong_is_said_in_the_references_words() {
        for (line, reason) in [
            ("--bootstrap-server a", "too few arguments"),
            ("", "too few arguments"),
            ("forceAll", "argument --bootstrap-server is required"),
            ("--bootstrap-server a count", "argument --from is required"),
            (
                "--bootstrap-server a count --from",
                "argument --from: expected one argument",
            ),
            (
                "--bootstrap-server a count --from x",
                "argument --from: could not convert 'x' to Integer (For input string: \"x\")",
            ),
            (
                "--bootstrap-server a count --from 1 --bad",
                "unrecognized arguments: '--bad'",
            ),
            (
                "--bootstrap-server a count --from 1 --t x",
                "ambiguous option: --t could match --to, --topic",
            ),
            (
                "--bootstrap-server a count --from 1 bad",
                "unrecognized arguments: 'bad'",
            ),
            (
                "--bootstrap-server a count --from 1 --tpoic x",
                "unrecognized arguments: '--tpoic'\nDid you mean --topic?",
            ),
            (
                "--bootstrap-server a conut",
                "invalid choice: 'conut' (choose from 'count', 'forceAll')\nDid you mean count?",
            ),
            (
                "--bootstrap-server a some",
                "invalid choice: 'some' (choose from 'count', 'forceAll')",
            ),
        ] {
            let error = format!("kafka-thing.sh: error: {reason}");
            assert_eq!(parsed(line).unwrap_err(), error, "{line}");
        }
        assert_eq!(parsed("--help").unwrap_err(), "Status(1)");
        assert_eq!(parsed("count --help").unwrap_err(), "Status(1)");
    }
}
