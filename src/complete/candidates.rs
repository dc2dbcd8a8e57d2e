//! From the words of a line to what may stand at its end.

use std::path::Path;

use clap::{Arg, ArgAction, Command};
use ottla_cli::Tool;

use super::{Answer, Candidate, values};
use crate::tools;

/// `words` is the line from the program to the cursor; the last word is the one to complete.
pub(super) fn answer(words: &[String]) -> Answer {
    let Some((program, rest)) = words.split_first() else {
        return Answer::Words(Vec::new());
    };
    let program = Path::new(program).file_name().unwrap_or_default();
    match (tools::by_link(&program.to_string_lossy()), rest) {
        (Some(tool), _) => of_tool(tool, rest),
        (None, [name]) => beginning(name, tool_names(true)),
        (None, [help, name]) if help == "help" => beginning(name, tool_names(false)),
        (None, [completion, shell]) if completion == "completion" => {
            let shells = ["bash", "zsh", "fish"];
            beginning(shell, shells.map(|name| candidate(name, "")).to_vec())
        }
        (None, [name, rest @ ..]) => match given_tool(name, rest) {
            Some((tool, rest)) => with_verbs(tool, rest),
            None => Answer::Files,
        },
        (None, []) => Answer::Words(Vec::new()),
    }
}

/// The tool, which may have two words, and what stands behind it.
fn given_tool<'a>(name: &str, words: &'a [String]) -> Option<(&'static Tool, &'a [String])> {
    let verb = match words {
        [verb, rest @ ..] if !rest.is_empty() => {
            tools::by_verb(name, verb).map(|tool| (tool, rest))
        }
        _ => None,
    };
    verb.or_else(|| Some((tools::by_name(name)?, words)))
}

/// Behind the name of a tool its verbs of our own may stand as well.
fn with_verbs(tool: &Tool, words: &[String]) -> Answer {
    match (of_tool(tool, words), words) {
        (Answer::Words(mut found), [word]) => {
            let verbs = tools::all().filter_map(|verb| {
                let (name, own) = verb.name.split_once(' ')?;
                (name == tool.name).then(|| candidate(own, verb.about))
            });
            found.extend(verbs);
            beginning(word, found)
        }
        (answer, _) => answer,
    }
}

fn tool_names(with_own: bool) -> Vec<Candidate> {
    let own = tools::OWN.iter().filter(|_| with_own);
    let own = own.map(|(name, about)| candidate(first_word(name), about));
    let tools = tools::all().filter(|tool| !tool.name.contains(' '));
    let tools = tools.map(|tool| candidate(tool.name, tool.about));
    tools.chain(own).collect()
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

fn of_tool(tool: &Tool, words: &[String]) -> Answer {
    let Some((word, before)) = words.split_last() else {
        return Answer::Words(Vec::new());
    };
    let command = tool.described();
    let sub = given_command(&command, before);
    let options = || {
        let of_sub = sub.into_iter().flat_map(Command::get_arguments);
        of_sub.chain(command.get_arguments())
    };
    let line = values::Line {
        tool,
        words: before,
    };
    if let Some((name, value)) = word.split_once('=')
        && let Some(option) = named(options(), name)
    {
        let head = format!("{name}=");
        return values::of(option, value, &line).behind(&head);
    }
    let previous = before.last().and_then(|name| named(options(), name));
    if let Some(option) = previous.filter(|option| must_take(option)) {
        return values::of(option, word, &line);
    }
    let has_commands = command.has_subcommands() && sub.is_none();
    if !word.starts_with('-') && has_commands {
        let subs = command.get_subcommands();
        let subs = subs.map(|sub| candidate(sub.get_name(), &about(sub.get_about())));
        return beginning(word, subs.collect());
    }
    if !word.starts_with('-') && options().any(Arg::is_positional) {
        return match tool.name {
            "context" => beginning(word, values::contexts()),
            _ => Answer::Files,
        };
    }
    let shown = options().filter(|option| !option.is_hide_set());
    let names = shown.filter_map(|option| {
        let long = option.get_long()?;
        Some(candidate(&format!("--{long}"), &about(option.get_help())))
    });
    beginning(word, names.collect())
}

/// The command of a tool that has several.
fn given_command<'a>(command: &'a Command, words: &[String]) -> Option<&'a Command> {
    words.iter().find_map(|word| {
        let mut subs = command.get_subcommands();
        subs.find(|sub| sub.get_name() == word)
    })
}

/// The option of this name, with its dashes; one dash is enough for the reference's.
fn named<'a>(mut options: impl Iterator<Item = &'a Arg>, name: &str) -> Option<&'a Arg> {
    let bare = name.strip_prefix("--").or_else(|| name.strip_prefix('-'))?;
    let is_short = |option: &Arg| {
        let mut letters = bare.chars();
        option.get_short() == letters.next() && letters.next().is_none() && !bare.is_empty()
    };
    options.find(|option| option.get_long() == Some(bare) || is_short(option))
}

fn must_take(option: &Arg) -> bool {
    let takes = matches!(option.get_action(), ArgAction::Set | ArgAction::Append);
    takes
        && option
            .get_num_args()
            .is_none_or(|count| count.min_values() > 0)
}

/// Those that begin so.
pub(super) fn beginning(word: &str, candidates: Vec<Candidate>) -> Answer {
    let mut candidates = candidates;
    candidates.retain(|candidate| candidate.word.starts_with(word));
    candidates.sort();
    candidates.dedup();
    Answer::Words(candidates)
}

pub(super) fn candidate(word: &str, about: &str) -> Candidate {
    Candidate {
        word: word.to_owned(),
        about: about.to_owned(),
    }
}

/// The first line.
fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

impl Answer {
    /// The same words behind what stands before them.
    pub(super) fn behind(self, head: &str) -> Self {
        match self {
            Self::Files => Self::Files,
            Self::Words(mut found) => {
                for candidate in &mut found {
                    candidate.word.insert_str(0, head);
                }
                Self::Words(found)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let line: Vec<String> = line.split(' ').map(str::to_owned).collect();
        match answer(&line) {
            Answer::Words(found) => found.into_iter().map(|found| found.word).collect(),
            Answer::Files => vec!["FILES".to_owned()],
        }
    }

    #[test]
    fn tools_options_commands_and_formats_complete() {
        for (line, found) in [
            ("ottla get", "get-offsets"),
            ("ottla help get", "get-offsets"),
            ("kafka-topics.sh --under-r", "--under-replicated-partitions"),
            ("/opt/bin/kafka-topics --bootstrap-s", "--bootstrap-server"),
            ("ottla features --bootstrap-server a:1 upg", "upgrade"),
            ("ottla features upgrade --dry", "--dry-run"),
            ("ottla topics --list --output y", "yaml"),
            ("ottla topics --list --output=cs", "--output=csv"),
            ("ottla topics --command-config ", "FILES"),
            (
                "ottla topics --create --config retention.m",
                "retention.ms=",
            ),
            ("ottla configs --entity-type bro", "broker-loggers brokers"),
            (
                "ottla configs --entity-type topics --alter --add-config a=b,segment.j",
                "a=b,segment.jitter.ms=",
            ),
            (
                "ottla configs --topic x --alter --delete-config segment.j",
                "segment.jitter.ms",
            ),
            (
                "ottla console-consumer --topic t --isolation-level read_c",
                "read_committed",
            ),
            (
                "ottla console-consumer --topic t --tail 3 --output js",
                "json",
            ),
            ("ottla leader-election --election-type u", "unclean"),
            (
                "ottla features --bootstrap-server a:1 upgrade --output w",
                "wide",
            ),
            ("ottla nonsense ", "FILES"),
            ("ottla topics --topic ", ""),
            ("ottla topics ap", "apply"),
            ("kafka-topics ap", ""),
            ("ottla topics apply --allow", "--allow-data-loss"),
            ("ottla topics apply --file ", "FILES"),
        ] {
            assert_eq!(words(line).join(" "), found, "{line}");
        }
        assert!(words("ottla ").len() > 20);
        assert!(!words("ottla topics --").contains(&"--delete-config".to_owned()));
    }
}
