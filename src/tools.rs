//! The one list of tools: those of the client side, and those that need the broker's crates.

use std::io::Write;

use crate::exit_status;
use comfy_table::{Table, presets::NOTHING};

use ottla_cli::meant::meant;
use ottla_cli::{Context, Failure, Stop, Tool};

/// Tools that need the broker's crates, and so live here and not in `ottla-cli`. One line each.
const SERVER_TOOLS: &[Tool] = &[
    crate::server_start::TOOL,
    crate::run::TOOL,
    crate::dump_log::TOOL,
    crate::log_tool::TOOL,
    crate::storage::TOOL,
];

/// The words that are no tools, with what they are for.
pub(crate) const OWN: [(&str, &str); 3] = [
    (
        "install-links DIR",
        "Make links named kafka-*.sh to this binary in a directory",
    ),
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
    failure.hint("`ottla` alone lists the tools.").into()
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
    match words.first() {
        None => list(cx),
        Some(name) => {
            let verb = words.get(1).and_then(|verb| by_verb(name, verb));
            let tool = verb.or_else(|| by_name(name));
            let tool = tool.ok_or_else(|| unknown(name))?;
            let program = format!("ottla {}", tool.name);
            Ok(write!(
                cx.out,
                "{}",
                exit_status::documented(tool)
                    .bin_name(program)
                    .render_long_help()
            )?)
        }
    }
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
    Ok(())
}
