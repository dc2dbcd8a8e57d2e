//! A tool's command line, read as far as needed to find which cluster is meant: the options that all tools share are taken
//! out, all else stays as it is, word by word.
//!
//! Not here: whether the tool takes the rest.

use clap::{Arg, ArgAction, Command};

use crate::stop::Stop;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) context: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) yes: bool,
    /// What is left for the tool.
    pub(super) rest: Vec<String>,
    /// The tool's own options that were given, by their long names.
    pub(super) options: Vec<String>,
    /// Words that are neither options nor their values.
    pub(super) bare: Vec<String>,
}

impl Said {
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|given| given == option)
    }
}

/// The options that are taken out, with what they want; an option of the tool's own of that name is left to it.
const SHARED: [(&str, bool); 3] = [("context", true), ("timeout", true), ("yes", false)];

pub(super) fn read(command: &Command, words: &[String]) -> Result<Said, Stop> {
    let mut said = Said::default();
    let mut scopes = vec![command];
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            said.rest.push(word.clone());
            said.rest.extend(words.cloned());
            break;
        }
        let Some(name) = option_name(word) else {
            let last = scopes.last().copied().unwrap_or(command);
            scopes.extend(last.find_subcommand(word));
            said.bare.push(word.clone());
            said.rest.push(word.clone());
            continue;
        };
        let own = find(&scopes, word, name);
        if let (None, Some(shared)) = (own, shared(word, name)) {
            let value = word.split_once('=').map(|(_, value)| value.to_owned());
            let value =
                match shared.1 {
                    true => Some(value.or_else(|| words.next().cloned()).ok_or_else(|| {
                        Stop::Usage(format!("Option {name} requires an argument"))
                    })?),
                    false => None,
                };
            match shared.0 {
                "context" => said.context = value,
                "timeout" => said.timeout = value,
                _ => said.yes = true,
            }
            continue;
        }
        said.rest.push(word.clone());
        let Some(option) = own else { continue };
        let long = option.get_long().unwrap_or(name);
        said.options.push(long.to_owned());
        if wants_next_word(option) && !word.contains('=') {
            said.rest.extend(words.next().cloned());
        }
    }
    Ok(said)
}

/// The name of an option, without dashes and value.
fn option_name(word: &str) -> Option<&str> {
    let rest = word.strip_prefix('-')?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let name = rest.split_once('=').map_or(rest, |(name, _)| name);
    Some(name).filter(|name| !name.is_empty())
}

fn shared(word: &str, name: &str) -> Option<(&'static str, bool)> {
    let mut shared = SHARED.into_iter();
    shared.find(|(known, _)| word.starts_with("--") && *known == name)
}

/// By its whole name, by its letter, or by the start of its name where only one begins so.
fn find<'a>(scopes: &[&'a Command], word: &str, name: &str) -> Option<&'a Arg> {
    let all = || scopes.iter().flat_map(|command| command.get_arguments());
    let is_named = |option: &&Arg| {
        let aliases = option.get_all_aliases().unwrap_or_default();
        option.get_long() == Some(name) || aliases.contains(&name)
    };
    let is_letter = |option: &&Arg| {
        let mut letters = name.chars();
        !word.starts_with("--")
            && option.get_short().is_some()
            && letters.next() == option.get_short()
            && letters.next().is_none()
    };
    let begins = |option: &&Arg| {
        word.starts_with("--") && option.get_long().is_some_and(|long| long.starts_with(name))
    };
    let found = all().find(is_named).or_else(|| all().find(is_letter));
    found.or_else(|| {
        let mut alike = all().filter(begins);
        alike.next().filter(|_| alike.next().is_none())
    })
}

fn wants_next_word(option: &Arg) -> bool {
    let takes = matches!(option.get_action(), ArgAction::Append | ArgAction::Set);
    takes
        && option
            .get_num_args()
            .is_none_or(|count| count.min_values() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{TOOLS, cluster, topics};

    fn said(command: &Command, line: &str) -> Said {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        read(command, &words).unwrap()
    }

    #[test]
    fn shared_options_are_taken_out_and_all_else_stays() {
        let topics = (topics::TOOL.command)();
        let said = said(
            &topics,
            "--context prod --list --topic --context --yes --timeout=5s -bootstrap-server x:1 -- --yes",
        );
        assert_eq!(said.context.as_deref(), Some("prod"));
        assert_eq!(said.timeout.as_deref(), Some("5s"));
        assert!(said.yes);
        assert_eq!(
            said.rest.join(" "),
            "--list --topic --context -bootstrap-server x:1 -- --yes"
        );
        assert_eq!(said.options, ["list", "topic", "bootstrap-server"]);
    }

    #[test]
    fn options_of_commands_letters_and_abbreviations_are_understood() {
        let cluster = (cluster::TOOL.command)();
        let said = said(&cluster, "unregister -b x:1 --comm f --id 3 --context c");
        assert_eq!(said.bare, ["unregister"]);
        assert_eq!(said.options, ["bootstrap-server", "command-config", "id"]);
        assert_eq!(said.rest.join(" "), "unregister -b x:1 --comm f --id 3");
    }

    #[test]
    fn without_shared_options_no_word_changes() {
        let line = "describe --all --state stable --x=y -z - -- a";
        for tool in TOOLS {
            assert_eq!(
                said(&(tool.command)(), line).rest.join(" "),
                line,
                "{}",
                tool.name
            );
        }
    }
}
