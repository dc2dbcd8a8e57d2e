//! The one list of tools: those of the client side, and those that need the broker's crates.

use std::io::Write;

use crate::exit_status;
use clap::Command;
use comfy_table::{Table, presets::NOTHING};

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
pub(crate) const OWN: [(&str, &str); 2] = [
    ("help [TOOL]", "This list, or the options of a tool"),
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

pub(crate) fn version(cx: &mut Context) -> Result<(), Stop> {
    let (ours, reference) = (env!("CARGO_PKG_VERSION"), ottla_cli::REFERENCE_VERSION);
    Ok(writeln!(
        cx.out,
        "ottla {ours} (speaks and behaves like Apache Kafka {reference})"
    )?)
}

/// `ottla help` lists the tools, `ottla help TOOL` the options of one.
pub(crate) fn help(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    match words.first().map(String::as_str) {
        None | Some("help" | "version") => list(cx),
        Some(name) => {
            let verb = words.get(1).and_then(|verb| by_verb(name, verb));
            let tool = verb.or_else(|| by_name(name));
            let tool = tool.ok_or_else(|| unknown(name))?;
            let mut command =
                exit_status::documented(tool).bin_name(format!("ottla {}", tool.name));
            if let (None, Some(part)) = (verb, words.get(1)) {
                command = part_of(tool, part, &command)?;
            }
            Ok(write!(cx.out, "{}", command.render_long_help())?)
        }
    }
}

/// A command of the tool.
fn part_of(tool: &Tool, name: &str, command: &Command) -> Result<Command, Stop> {
    let program = format!("ottla {} {name}", tool.name);
    if let Some(part) = command.find_subcommand(name) {
        return Ok(part.clone().bin_name(program));
    }
    let own = command.get_subcommands().map(Command::get_name);
    let verbs = all().filter_map(|verb| verb.name.split_once(' '));
    let verbs = verbs
        .filter(|(of, _)| *of == tool.name)
        .map(|(_, verb)| verb);
    let failure = Failure::new(format!("`ottla {}` has no command '{name}'.", tool.name));
    Err(match meant(name, own.chain(verbs)) {
        Some(part) => failure.hint(format!("Did you mean `ottla help {} {part}`?", tool.name)),
        None => failure.hint(format!("`ottla help {}` tells of all of it.", tool.name)),
    }
    .into())
}

fn list(cx: &mut Context) -> Result<(), Stop> {
    let mut table = Table::new();
    table.load_style(NOTHING);
    for (name, about) in all().map(|tool| (tool.name, tool.about)).chain(OWN) {
        table.add_row([&format!(" {name}"), about]);
    }
    writeln!(cx.out, "Usage: ottla TOOL [OPTIONS]\n")?;
    for line in table.lines() {
        writeln!(cx.out, "{}", line.trim_end())?;
    }
    let more = "`ottla help TOOL` explains a tool, with examples. `ottla --generate DIR` writes manual pages, and completions for \
                bash, zsh and fish.";
    Ok(writeln!(cx.out, "\n{more}")?)
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
