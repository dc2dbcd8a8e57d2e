//! `ottla context`: the clusters that have names, and which of them is meant.
//!
//! Writes one line of one file: `current`. Always: the rest of the file stays as it was, comments and order included. Exit status
//! 0 done, 1 failed, 2 usage.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};
use serde_json::{Value, json};

use crate::argparse;
use crate::context::Context;
use crate::contexts::{Contexts, NEAR, Named, user_file};
use crate::options;
use crate::output::{Format, Output, Report, Rows};
use crate::stop::{Failure, Stop};
use crate::table::tabbed;
use crate::tool::Tool;

pub const TOOL: Tool = Tool {
    name: "context",
    link: "ottla-context",
    about: "Name clusters, and choose the one that tools ask",
    command: Args::command,
    run,
};

/// Name clusters, and choose the one that tools ask.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ottla-context",
    after_help = "Clusters are named in .ottla.yaml, the nearest one upwards, and in ~/.config/ottla/config.yaml:\n\n  \
        current: local\n  \
        contexts:\n    \
        local:\n      \
        bootstrap-servers: localhost:9092\n    \
        production:\n      \
        command-config: production.properties  # a Java client.properties\n      \
        properties: {client.id: me}            # on top of it\n      \
        protected: true                        # asks before it is changed\n\n\
        --context NAME of every tool chooses one, else OTTLA_CONTEXT, else `current`; --bootstrap-server stands above all of them.\n\n\
        Examples:\n  \
        ottla context list"
)]
struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// List the contexts
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Make a context the one that is meant where nobody says another
    Use {
        /// The context
        name: String,
        /// Write that to .ottla.yaml of this directory
        #[arg(long)]
        here: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Show what a context says, and which one is meant
    Show {
        /// The context; the current one by default
        name: Option<String>,
        #[command(flatten)]
        output: Output,
    },
}

const JSON_VERSION: u32 = 1;

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let Some(args) = argparse::start_own::<Args>(words, cx)? else {
        return Ok(());
    };
    let contexts = Contexts::load()?;
    let text = match args.action {
        Action::List { output } => match output.output {
            Format::Table => list(&contexts)?,
            Format::Data(form) => list_report(&contexts)?.text(form),
        },
        Action::Show { name, output } => {
            let name = match name.or_else(|| contexts.current.clone().map(|(name, _)| name)) {
                Some(name) => name,
                None => {
                    return Err(Failure::new("No context is current.")
                        .hint("`ottla context use NAME` makes one current.")
                        .into());
                }
            };
            let shown = described(&name, contexts.find(&name)?, &contexts)?;
            match output.output {
                Format::Table => show(&shown),
                Format::Data(form) => {
                    let value = json!({ "version": JSON_VERSION, "context": shown });
                    let columns = &[
                        "context.name",
                        "context.current",
                        "context.about",
                        "context.bootstrapServers",
                        "context.protected",
                        "context.file",
                    ];
                    Report::of_one(value, columns).text(form)
                }
            }
        }
        Action::Use { name, here, output } => make_current(&name, here, &contexts, output.output)?,
    };
    Ok(cx.out.write_all(text.as_bytes())?)
}

fn is_current(name: &str, contexts: &Contexts) -> bool {
    let current = contexts.current.as_ref();
    current.is_some_and(|(current, _)| current == name)
}

fn list(contexts: &Contexts) -> Result<String, Failure> {
    let heads = ["CURRENT", "NAME", "SERVERS", "PROTECTED", "FILE"];
    let rows = contexts.named.iter().map(|(name, context)| {
        let mark = if is_current(name, contexts) { "*" } else { "" };
        let protected = if context.is_protected { "yes" } else { "" };
        let servers = context.servers()?.unwrap_or_default();
        let file = context.file.display().to_string();
        Ok([
            mark.to_owned(),
            name.clone(),
            servers,
            protected.to_owned(),
            file,
        ])
    });
    let rows: Vec<[String; 5]> = rows.collect::<Result<_, Failure>>()?;
    Ok(tabbed(heads, rows))
}

/// docs/json/context.md
fn list_report(contexts: &Contexts) -> Result<Report, Failure> {
    let all = contexts
        .named
        .iter()
        .map(|(name, context)| described(name, context, contexts));
    let all: Vec<Value> = all.collect::<Result<_, _>>()?;
    let current = contexts.current.as_ref().map(|(name, _)| name);
    Ok(Report {
        value: json!({ "version": JSON_VERSION, "current": current, "contexts": all }),
        rows: Rows {
            within: &["contexts"],
            columns: &[
                "name",
                "current",
                "about",
                "bootstrapServers",
                "protected",
                "file",
            ],
        },
    })
}

/// Keys whose values are nobody's business.
fn is_secret(key: &str) -> bool {
    [
        "password",
        "sasl.jaas.config",
        "secret",
        "ssl.keystore.key",
        "token",
    ]
    .iter()
    .any(|word| key.contains(word))
}

fn described(name: &str, context: &Named, contexts: &Contexts) -> Result<Value, Failure> {
    let properties = context.client_properties()?.into_iter();
    let shown = properties.map(|(key, value)| match is_secret(&key) {
        true => (key, Value::from("[hidden]")),
        false => (key, Value::from(value)),
    });
    Ok(json!({
        "name": name,
        "current": is_current(name, contexts),
        "about": context.about,
        "bootstrapServers": context.servers()?,
        "protected": context.is_protected,
        "file": context.file.display().to_string(),
        "commandConfig": context.command_config.as_ref().map(|path| path.display().to_string()),
        "properties": shown.collect::<serde_json::Map<_, _>>(),
    }))
}

fn show(shown: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let mut out = String::new();
    for (key, value) in shown.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(properties) => {
                for (key, value) in properties {
                    out.push_str(&format!("properties.{key}: {}\n", text(value)));
                }
            }
            None => out.push_str(&format!("{key}: {}\n", text(value))),
        }
    }
    out
}

fn make_current(
    name: &str,
    here: bool,
    contexts: &Contexts,
    format: Format,
) -> Result<String, Failure> {
    let context = contexts.find(name)?;
    let named_above = context.file.file_name() == Some(OsStr::new(NEAR));
    if here && named_above && !Path::new(NEAR).exists() {
        let above = context.file.display();
        let hidden =
            format!("A {NEAR} of this directory would hide {above}, which names '{name}'.");
        let hint = format!("Write `current: {name}` into that file.");
        return Err(Failure::new(hidden).hint(hint));
    }
    let path = match here {
        true => PathBuf::from(NEAR),
        false => {
            user_file().ok_or_else(|| Failure::new("Neither XDG_CONFIG_HOME nor HOME is set."))?
        }
    };
    let cannot =
        |error: std::io::Error| Failure::new(format!("Cannot write {}: {error}", path.display()));
    let present = match options::read_small(&path) {
        Ok(bytes) => {
            String::from_utf8(bytes).map_err(|error| cannot(std::io::Error::other(error)))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(cannot(error)),
    };
    replace(&path, &with_current(&present, name)).map_err(cannot)?;
    let said = format!("Now current: {name} ({})\n", path.display());
    match &contexts.current {
        // What is nearer still says something else.
        Some((other, file)) if !here && *file != path && other != name => {
            Err(Failure::new(said.trim_end()).hint(format!(
                "But {} says {other}, which holds in this directory.",
                file.display()
            )))
        }
        _ => Ok(match format {
            Format::Table => said,
            Format::Data(form) => {
                let file = path.display().to_string();
                let value = json!({ "version": JSON_VERSION, "current": name, "file": file });
                Report::of_one(value, &["current", "file"]).text(form)
            }
        }),
    }
}

/// The file with this line of `current` in place of the old one, or above all else.
fn with_current(text: &str, name: &str) -> String {
    let line = format!("current: {name}\n");
    let mut lines = text.split_inclusive('\n');
    match lines.any(|line| line.starts_with("current:")) {
        true => {
            let kept = text.split_inclusive('\n');
            kept.map(|old| match old.starts_with("current:") {
                true => line.as_str(),
                false => old,
            })
            .collect()
        }
        false => line + text,
    }
}

/// Whole or not at all: a file of contexts cut in half would lose what somebody wrote.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    std::fs::create_dir_all(folder.unwrap_or(Path::new(".")))?;
    // A link stays one: what it leads to is replaced.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut written = path.clone().into_os_string();
    written.push(format!(".{}", std::process::id()));
    std::fs::write(&written, text)?;
    std::fs::rename(&written, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_context_is_one_line_and_the_rest_stays() {
        let text = "# mine\ncurrent: a # this one\ncontexts:\n  a: {}\n";
        assert_eq!(
            with_current(text, "b"),
            "# mine\ncurrent: b\ncontexts:\n  a: {}\n"
        );
        assert_eq!(
            with_current("contexts: {}\n", "b"),
            "current: b\ncontexts: {}\n"
        );
        assert_eq!(with_current("", "b"), "current: b\n");
    }

    #[test]
    fn secrets_are_not_shown() {
        for key in ["ssl.keystore.password", "sasl.jaas.config"] {
            assert!(is_secret(key), "{key}");
        }
        assert!(!is_secret("security.protocol"));
    }
}
