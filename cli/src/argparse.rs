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
use clap::{Command, Parser};

use crate::context::Context;
use crate::stop::Stop;

/// The command line of a tool, or what is wrong about it. Help is for `--help` alone, on standard output.
pub fn start<A: Parser>(words: &[String], cx: &mut Context) -> Result<A, Stop> {
    let command = A::command();
    let program = command.get_name().to_owned();
    let command = style(command).bin_name(&cx.program);
    let given = [program.clone()].into_iter().chain(words.iter().cloned());
    let error = match command.clone().try_get_matches_from(given) {
        Ok(matches) => match A::from_arg_matches(&matches) {
            Ok(args) => return Ok(args),
            Err(error) => error,
        },
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::DisplayVersion => Err(Stop::Version),
        ErrorKind::DisplayHelp => {
            write!(cx.out, "{error}")?;
            // As the reference does it.
            Err(Stop::Status(1))
        }
        _ => {
            let reason = reason(&error, &command, words);
            Err(Stop::Usage(format!("{program}.sh: error: {reason}")))
        }
    }
}

/// What all tools of this kind have in common. The settings hold for commands, too.
fn style(command: Command) -> Command {
    command
        .infer_long_args(true)
        .args_override_self(true)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(false)
}

/// Reads a number for clap's `value_parser`, with the reference's words where it is none.
pub fn integer<T: FromStr>(java_type: &'static str) -> impl Fn(&str) -> Result<T, String> + Clone {
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
        ErrorKind::MissingRequiredArgument => format!("argument {name} is required"),
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

/// The options that begin as this one does, of the command that was given.
fn candidates(option: &str, command: &Command, words: &[String]) -> Vec<String> {
    let Some(start) = option.strip_prefix("--") else {
        return Vec::new();
    };
    let given = words.iter().find_map(|word| command.find_subcommand(word));
    let arguments = given.unwrap_or(command).get_arguments();
    let names = arguments.filter_map(|argument| argument.get_long());
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
            #[arg(long, allow_negative_numbers = true, value_parser = integer::<i32>("Integer"))]
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
        start(&words, &mut cx).map_err(|stop| match stop {
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
