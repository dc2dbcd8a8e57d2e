//! `ottla help`: all tools by what they are for, and the options of each.

use std::io::Write;

use clap::Command;
use comfy_table::{Table, presets::NOTHING};

use ottla_cli::help_text;
use ottla_cli::meant::meant;
use ottla_cli::{Context, Failure, Stop, Tool};

use crate::tools::{OWN, all, by_name, by_verb, unknown};
use crate::{complete, exit_status};

/// What tools are for. A test finds each under one heading.
const HEADINGS: [(&str, &[&str]); 7] = [
    ("A broker", &["server", "run"]),
    (
        "Topics and records",
        &[
            "topics",
            "topics apply",
            "topics export",
            "console-producer",
            "console-consumer",
            "pipe",
            "get-offsets",
            "delete-records",
        ],
    ),
    (
        "Groups and transactions",
        &["consumer-groups", "groups", "transactions"],
    ),
    (
        "A cluster",
        &[
            "doctor",
            "top",
            "cluster",
            "configs",
            "features",
            "acls",
            "client-metrics",
            "log-dirs",
            "reassign-partitions",
            "leader-election",
            "metadata-quorum",
            "broker-api-versions",
        ],
    ),
    ("Files of a broker", &["dump-log", "log", "storage"]),
    (
        "Measuring and testing",
        &[
            "producer-perf-test",
            "consumer-perf-test",
            "e2e-latency",
            "verifiable-producer",
            "verifiable-consumer",
        ],
    ),
    ("This program", &["context", "install-links"]),
];

const FIRST_STEPS: &str = "\
First steps:
  ottla server                 # stays there; in another shell:
  ottla topics --bootstrap-server localhost:9092 --create --topic hello
  echo 'first record' | ottla console-producer --bootstrap-server localhost:9092 --topic hello
  ottla console-consumer --bootstrap-server localhost:9092 --topic hello --from-beginning";

const MORE: &str = "\
Every tool takes:
  --output table|wide|json|yaml|csv|tsv   the result as data; server and run have none of their own
  --context NAME    a cluster by name instead of --bootstrap-server; `ottla help context`
  --timeout TIME    how long to wait for a cluster to come up: 30s, 500ms
  --yes             not to be asked, where a protected context or what deletes would ask

`ottla help TOOL` explains a tool, with examples. `ottla install-links DIR` makes the names of Kafka's scripts, such as
kafka-topics.sh. `ottla --generate DIR` writes manual pages, and completions for bash, zsh and fish.";

/// `ottla help` lists the tools, `ottla help TOOL` the options of one.
pub(crate) fn help(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    match words.first().map(String::as_str) {
        None | Some("help" | "version") => list(cx),
        Some("completion") => complete::scripts::explain(cx),
        Some(name) => {
            let verb = words.get(1).and_then(|verb| by_verb(name, verb));
            let tool = verb.or_else(|| by_name(name));
            let tool = tool.ok_or_else(|| unknown(name))?;
            let mut command =
                exit_status::documented(tool).bin_name(format!("ottla {}", tool.name));
            if let (None, Some(part)) = (verb, words.get(1)) {
                command = part_of(tool, part, &command)?;
            }
            Ok(write!(cx.out, "{}", help_text::long(command))?)
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
    for (heading, names) in HEADINGS {
        table.add_row([heading]);
        for tool in names.iter().filter_map(|name| by_name(name)) {
            table.add_row([&format!("  {}", tool.name), tool.about]);
        }
    }
    for (name, about) in OWN {
        table.add_row([&format!("  {name}"), about]);
    }
    writeln!(cx.out, "Usage: ottla TOOL [OPTIONS]\n\n{FIRST_STEPS}")?;
    for line in table.lines() {
        // The table begins each line with a space.
        let line = line.strip_prefix(' ').unwrap_or(&line).trim_end();
        let gap = if line.starts_with(' ') { "" } else { "\n" };
        writeln!(cx.out, "{gap}{line}")?;
    }
    Ok(writeln!(cx.out, "\n{MORE}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_stands_under_one_heading() {
        let headed = HEADINGS.iter().flat_map(|(_, names)| *names);
        let mut headed: Vec<&str> = headed.copied().collect();
        headed.sort_unstable();
        let mut tools: Vec<&str> = all().map(|tool| tool.name).collect();
        tools.sort_unstable();
        assert_eq!(headed, tools);
    }
}
