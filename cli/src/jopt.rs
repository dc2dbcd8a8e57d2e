//! Command lines as the reference's option parser (JOpt Simple) takes them, brought into the form clap takes.
//!
//! The rules: `--name value`, `--name=value`, and the same with one dash; no abbreviations; an option that needs a
//! value takes the next word whatever it looks like (`--partitions -1`); a value given to a flag is dropped, and so is
//! every word that belongs to no option; `--` ends the options. Options may be repeated. Whether an option that is
//! asked for *one* value was given twice, or whether a number is one, shows only when a tool asks for it: that is why
//! every option with a value is a `Vec<String>` in `Args`, read with [`one`], [`number`] and the like.

use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches, Command, Parser};
use thiserror::Error;

use crate::meant::meant;

/// The messages are the reference's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OptionError {
    #[error("{name} is not a recognized option")]
    Unknown { name: String, meant: Option<String> },
    #[error("Option {0} requires an argument")]
    NoValue(String),
    #[error("Found multiple arguments for option {0}, but you asked for only one")]
    Repeated(String),
    #[error("Cannot parse argument '{value}' of option {name}")]
    NotANumber {
        name: String,
        value: String,
        reason: &'static str,
    },
    #[error("{0}")]
    Other(String),
}

impl OptionError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { meant, .. } => meant
                .as_ref()
                .map(|name| format!("Did you mean --{name}? Names are not abbreviated.")),
            Self::NoValue(name) => Some(format!("Write --{name} VALUE or --{name}=VALUE.")),
            Self::Repeated(name) => Some(format!("Give --{name} once.")),
            Self::NotANumber {
                name,
                value,
                reason,
            } => Some(format!("--{name} {value}: {reason}.")),
            Self::Other(_) => None,
        }
    }
}

pub fn parse<A: Parser>(words: &[String]) -> Result<A, OptionError> {
    A::from_arg_matches(&matches(A::command(), words)?).map_err(other)
}

fn matches(mut command: Command, words: &[String]) -> Result<ArgMatches, OptionError> {
    let canonical = canonical(&command, words)?;
    let program = [command.get_name().to_owned()];
    command
        .try_get_matches_from_mut(program.iter().chain(&canonical))
        .map_err(other)
}

fn other(error: clap::Error) -> OptionError {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    OptionError::Other(first.strip_prefix("error: ").unwrap_or(first).to_owned())
}

/// Whether a tool with these options takes the command line.
pub fn check(command: &Command, words: &[String]) -> Result<(), OptionError> {
    matches(command.clone(), words).map(drop)
}

/// Some of the options, each as often as it was given, in their order.
pub fn in_order(
    command: &Command,
    words: &[String],
    names: &[&str],
) -> Result<Vec<(String, Option<String>)>, OptionError> {
    let mut given = Vec::new();
    for word in canonical(command, words)? {
        let word = word.strip_prefix("--").unwrap_or(&word);
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        if names.contains(&name) {
            given.push((name.to_owned(), value));
        }
    }
    Ok(given)
}

/// Every option of the command line as one word, `--name` or `--name=value`; all else is left out.
fn canonical(command: &Command, words: &[String]) -> Result<Vec<String>, OptionError> {
    let mut out = Vec::with_capacity(words.len());
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let Some((name, given)) = split(command, word)? else {
            continue;
        };
        let option = find(command, name).ok_or_else(|| unknown(command, name))?;
        let long = option.get_long().unwrap_or(name);
        if !takes_value(option) {
            // Said once is enough, and clap insists on it.
            let flag = format!("--{long}");
            if matches!(option.get_action(), ArgAction::Count) || !out.contains(&flag) {
                out.push(flag);
            }
            continue;
        }
        let value = match given {
            Some(value) => Some(value.to_owned()),
            None if value_is_optional(option) => {
                // One that wants a number takes nothing else.
                let fits = |next: &&String| match option.is_allow_negative_numbers_set() {
                    true => next.parse::<i64>().is_ok(),
                    false => !looks_like_option(next),
                };
                words.next_if(fits).cloned()
            }
            None => Some(
                words
                    .next()
                    .ok_or_else(|| OptionError::NoValue(name.to_owned()))?
                    .clone(),
            ),
        };
        out.push(value.map_or_else(|| format!("--{long}"), |value| format!("--{long}={value}")));
    }
    Ok(out)
}

/// The name and the value behind `=`; `None` for a word that is no option.
fn split<'a>(
    command: &Command,
    word: &'a str,
) -> Result<Option<(&'a str, Option<&'a str>)>, OptionError> {
    let pair = |text: &'a str| match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if let Some(rest) = word.strip_prefix("--") {
        return Ok(Some(pair(rest)));
    }
    match word.strip_prefix('-') {
        Some("") | None => Ok(None),
        Some(rest) => {
            // One dash and a known name is that option; anything else is a row of one-letter options, of which none
            // of the tools has any: the first letter is the unknown one.
            let (name, value) = pair(rest);
            if find(command, name).is_some() {
                return Ok(Some((name, value)));
            }
            let letter: String = rest.chars().take(1).collect();
            Err(OptionError::Unknown {
                name: letter,
                meant: nearest(command, name),
            })
        }
    }
}

fn looks_like_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|option| {
        option.get_long() == Some(name)
            || option
                .get_all_aliases()
                .is_some_and(|aliases| aliases.contains(&name))
    })
}

fn takes_value(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Append | ArgAction::Set)
}

fn value_is_optional(option: &Arg) -> bool {
    option
        .get_num_args()
        .is_some_and(|count| count.min_values() == 0)
}

fn unknown(command: &Command, name: &str) -> OptionError {
    OptionError::Unknown {
        name: name.to_owned(),
        meant: nearest(command, name),
    }
}

/// The option somebody probably meant: one that starts like it, or differs in a letter or two.
fn nearest(command: &Command, name: &str) -> Option<String> {
    let longs = || command.get_arguments().filter_map(Arg::get_long);
    let by_prefix = || longs().find(|long| name.len() > 1 && long.starts_with(name));
    by_prefix()
        .or_else(|| meant(name, longs()))
        .map(str::to_owned)
}

/// The value of an option that is asked for one.
pub fn one<'a>(name: &str, values: &'a [String]) -> Result<Option<&'a str>, OptionError> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(OptionError::Repeated(name.to_owned())),
    }
}

/// The value of an option that is asked for one number.
pub fn number<T: FromStr<Err = ParseIntError>>(
    name: &str,
    values: &[String],
) -> Result<Option<T>, OptionError> {
    let Some(value) = one(name, values)? else {
        return Ok(None);
    };
    let not_a_number = |error: ParseIntError| OptionError::NotANumber {
        name: name.to_owned(),
        value: value.to_owned(),
        reason: match error.kind() {
            IntErrorKind::PosOverflow => "that is too large",
            IntErrorKind::NegOverflow => "that is too small",
            _ => "a whole number is needed",
        },
    };
    value.parse().map(Some).map_err(not_a_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "kafka-something", disable_help_flag = true)]
    struct Args {
        #[arg(long)]
        topic: Vec<String>,
        #[arg(long)]
        partitions: Vec<String>,
        #[arg(long)]
        list: bool,
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "")]
        state: Vec<String>,
    }

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn parsed(line: &str) -> Args {
        parse(&words(line)).expect("a good command line")
    }

    fn refused(line: &str) -> String {
        parse::<Args>(&words(line))
            .expect_err("a bad command line")
            .to_string()
    }

    #[test]
    fn values_come_after_a_space_or_an_equals_sign_and_one_dash_will_do() {
        for line in [
            "--topic a --list",
            "--topic=a --list",
            "-topic a -list",
            "-topic=a --list=yes",
        ] {
            let args = parsed(line);
            assert_eq!(
                (args.topic, args.list),
                (vec!["a".to_owned()], true),
                "{line}"
            );
        }
        assert_eq!(parsed("--topic=a=b").topic, ["a=b"]);
        assert_eq!(parsed("--topic=").topic, [""]);
    }

    #[test]
    fn a_value_may_look_like_an_option() {
        let args = parsed("--partitions -1 --topic --list");
        assert_eq!(
            (args.partitions, args.topic, args.list),
            (words("-1"), words("--list"), false)
        );
    }

    #[test]
    fn words_that_belong_to_nothing_are_ignored() {
        let args = parsed("stray --list more - -- --nonsense");
        assert_eq!((args.list, args.topic.len()), (true, 0));
    }

    #[test]
    fn an_optional_value_is_not_taken_from_an_option() {
        assert_eq!(parsed("--state --list").state, [""]);
        assert_eq!(parsed("--state stable --list").state, ["stable"]);
        assert_eq!(parsed("--state=stable").state, ["stable"]);
    }

    #[test]
    fn abbreviations_and_unknown_options_are_refused_with_the_nearest_name() {
        assert_eq!(refused("--topi a"), "topi is not a recognized option");
        assert_eq!(refused("-x"), "x is not a recognized option");
        assert_eq!(refused("--topic"), "Option topic requires an argument");
        let hint = |line: &str| parse::<Args>(&words(line)).expect_err("unknown").hint();
        assert!(hint("--part 1").is_some_and(|hint| hint.contains("--partitions")));
        assert!(hint("--tpoic 1").is_some_and(|hint| hint.contains("--topic")));
        assert_eq!(hint("--frobnicate"), None);
    }

    #[test]
    fn a_repeated_option_matters_only_to_who_wants_one_value() {
        let args = parsed("--topic a --topic b --list --list");
        assert_eq!((args.topic.len(), args.list), (2, true));
        let error = one("topic", &args.topic).expect_err("two values");
        assert_eq!(
            error.to_string(),
            "Found multiple arguments for option topic, but you asked for only one"
        );
        let error = number::<i32>("partitions", &words("abc")).expect_err("no number");
        assert_eq!(
            error.to_string(),
            "Cannot parse argument 'abc' of option partitions"
        );
        assert_eq!(number::<i32>("partitions", &words("-3")), Ok(Some(-3)));
    }
}
