//! The one list of tools: those of the client side, and those that need the broker's crates.

use std::io::Write;

use ottla_cli::meant::meant;
use ottla_cli::{Context, Failure, Stop, Tool, verb};

/// Tools that need the broker's crates, and so live here and not in `ottla-cli`. One line each.
const SERVER_TOOLS: &[Tool] = &[
    crate::server_start::TOOL,
    crate::run::TOOL,
    crate::dump_log::TOOL,
    crate::log_tool::TOOL,
    crate::storage::TOOL,
    crate::links::TOOL,
];

/// The words that are no tools, with what they are for.
pub(crate) const OWN: [(&str, &str); 3] = [
    (
        "help [TOOL]",
        "This list, or the options of a tool, with examples",
    ),
    (
        "completion SHELL",
        "Print what bash, zsh or fish needs to complete options and the cluster's names",
    ),
    ("version", "The version of this binary"),
];

pub(crate) fn all() -> impl Iterator<Item = &'static Tool> {
    SERVER_TOOLS.iter().chain(ottla_cli::tools::TOOLS)
}

/// The tool that a program of this name is.
pub(crate) fn by_link(program: &str) -> Option<&'static Tool> {
    all().find(|tool| tool.answers_to(program))
}

/// The tool of `ottla NAME`; the reference's names are good as well.
pub(crate) fn by_name(name: &str) -> Option<&'static Tool> {
    all().find(|tool| tool.name == name || tool.answers_to(name))
}

/// The tool of `ottla NAME VERB`, where it is one of its own.
pub(crate) fn by_verb(name: &str, verb: &str) -> Option<&'static Tool> {
    let is_it = |tool: &&'static Tool| tool.name.split_once(' ') == Some((name, verb));
    all().find(is_it)
}

pub(crate) fn unknown(name: &str) -> Stop {
    let failure = Failure::new(format!("ottla has no tool '{name}'."));
    let failure = match meant(name, all().map(|tool| tool.name)) {
        Some(tool) => failure.hint(format!("Did you mean `ottla {tool}`?")),
        None => failure,
    };
    let failure = failure.hint("`ottla` alone lists the tools.");
    failure.status(verb::USAGE).into()
}

/// An option where a tool is expected.
pub(crate) fn option_first(words: &[String]) -> Stop {
    let option = words.first().map(String::as_str).unwrap_or_default();
    let failure = Failure::new(format!("ottla has no option '{option}'."));
    let meant = words.iter().position(|word| by_name(word).is_some());
    let right = meant.map(|at| {
        let (options, tool) = words.split_at(at);
        let is_verb = matches!(tool, [name, verb, ..] if by_verb(name, verb).is_some());
        let (tool, rest) = tool.split_at(1 + usize::from(is_verb));
        [tool, options, rest].concat().join(" ")
    });
    let right = right.unwrap_or_else(|| format!("TOOL {option}"));
    failure
        .hint(format!("Options stand behind the tool: `ottla {right}`."))
        .hint("`ottla` alone lists the tools.")
        .status(verb::USAGE)
        .into()
}

pub(crate) fn version(cx: &mut Context) -> Result<(), Stop> {
    let (ours, reference) = (env!("CARGO_PKG_VERSION"), ottla_cli::REFERENCE_VERSION);
    Ok(writeln!(
        cx.out,
        "ottla {ours} (speaks and behaves like Apache Kafka {reference})"
    )?)
}

#[cfg(test)]
mod tests {
    use super::all;

    /// What these show is not theirs.
    const WITHOUT_OUTPUT: [&str; 2] = ["server", "run"];

    #[test]
    fn every_result_is_there_as_data() {
        for tool in all().filter(|tool| !WITHOUT_OUTPUT.contains(&tool.name)) {
            let command = (tool.command)();
            let commands: Vec<&clap::Command> = match command.has_subcommands() {
                true => command.get_subcommands().collect(),
                false => vec![&command],
            };
            for part in commands {
                let mut options = part.get_arguments();
                let has_it = options.any(|option| option.get_long() == Some("output"));
                assert!(has_it, "{} {} has no --output", tool.name, part.get_name());
            }
        }
    }
}
