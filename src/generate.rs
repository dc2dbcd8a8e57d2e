//! `ottla --generate DIR`: manual pages of every tool, from the one definition of its options, and shells' completions.
//!
//! What it writes is committed under `man/` and `completions/`; an end-to-end test keeps it fresh.

use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use ottla_cli::{Context, Failure, Stop, Tool};

use crate::{complete, exit_status, tools};

pub(crate) fn generate(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let [directory] = words else {
        return Err(Failure::new("Usage: ottla --generate DIR")
            .hint("Manual pages go to DIR/man, completions to DIR/completions.")
            .into());
    };
    let directory = Path::new(directory);
    write_all(directory).map_err(|error| {
        Failure::new(format!(
            "Cannot write below {}: {error}",
            directory.display()
        ))
    })?;
    Ok(writeln!(cx.out, "Written below {}.", directory.display())?)
}

fn write_all(directory: &Path) -> io::Result<()> {
    let commands: Vec<Command> = tools::all()
        .map(|tool| exit_status::documented(tool).name(tool.link))
        .chain([ottla()])
        .collect();
    let man = directory.join("man");
    std::fs::create_dir_all(&man)?;
    for command in &commands {
        write_page(command, command.get_name(), &man)?;
        // Every tool has a page of its own.
        if command.get_name() != "ottla" {
            for sub in command.get_subcommands() {
                let name = format!("{}-{}", command.get_name(), sub.get_name());
                write_page(sub, &name, &man)?;
            }
        }
    }
    for (name, text) in complete::scripts::all() {
        let file = directory.join("completions").join(name);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, text)?;
    }
    Ok(())
}

fn write_page(command: &Command, name: &str, man: &Path) -> io::Result<()> {
    let mut page = Vec::new();
    let title: clap::builder::Str = name.to_owned().into();
    clap_mangen::Man::new(command.clone().name(title))
        .date("")
        .render(&mut page)?;
    std::fs::write(man.join(format!("{name}.1")), page)
}

/// `ottla` with every tool as a subcommand.
fn ottla() -> Command {
    let own = tools::OWN
        .iter()
        .filter(|(name, _)| !name.starts_with("help"));
    let own = own.map(|(name, about)| {
        let name = name.split(' ').next().unwrap_or_default();
        Command::new(name).about(*about)
    });
    let (verbs, whole): (Vec<&Tool>, Vec<&Tool>) =
        tools::all().partition(|tool| tool.name.contains(' '));
    let whole = whole.into_iter().map(|tool| {
        let below = verbs
            .iter()
            .filter_map(|verb| match verb.name.split_once(' ') {
                Some((name, word)) if name == tool.name => Some(verb.described().name(word)),
                _ => None,
            });
        tool.described().name(tool.name).subcommands(below)
    });
    Command::new("ottla")
        .about("An Apache-Kafka-compatible broker and the Kafka command line tools in one native binary")
        .subcommands(whole)
        .subcommands(own)
}
