//! `ottla topics export`: what a cluster has, as a file for `ottla topics apply`.

use std::io::Write as _;

use clap::{ArgAction, CommandFactory, Parser};
use serde_json::{Value, json};

use crate::connect;
use crate::context::Context;
use crate::declare::{self, Extent};
use crate::output::{Form, Format, Output, Report, Rows, json_text};
use crate::stop::{Failure, Stop};
use crate::tool::Tool;
use crate::verb;

pub const TOOL: Tool = Tool {
    name: "topics export",
    link: "ottla-topics-export",
    about: "Write topics, their configs and group offsets as a file for apply",
    command: Args::command,
    run,
};

/// Write topics, their configs and group offsets as a file for `ottla topics apply`, which changes nothing there.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ottla-topics-export",
    disable_version_flag = true,
    after_help = "\
Examples:
  ottla topics export > topics.yaml
  ottla topics export --without-cluster-id --without-groups | ottla topics apply -f - --bootstrap-server other:9092"
)]
struct Args {
    /// A topic to export, instead of all but the cluster's own; may be repeated
    #[arg(long, value_name = "TOPIC", action = ArgAction::Append)]
    topic: Vec<String>,
    /// Leave the offsets of groups out
    #[arg(long)]
    without_groups: bool,
    /// Leave the cluster's id out: the file is for every cluster
    #[arg(long)]
    without_cluster_id: bool,
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS", default_value = "localhost:9092")]
    bootstrap_server: String,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE", action = ArgAction::Append)]
    command_config: Vec<String>,
    #[command(flatten)]
    output: Output,
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let Some(args) = verb::parse::<Args>(words, verb::USAGE, cx)? else {
        return Ok(());
    };
    let extent = Extent {
        topics: args.topic,
        cluster_id: !args.without_cluster_id,
        groups: !args.without_groups,
    };
    let servers = args.bootstrap_server.as_str();
    let document = connect::ask(
        &args.command_config,
        servers,
        "listTopics",
        cx,
        async |admin| declare::export(admin, &extent).await,
    )?;
    let unwritable =
        |error: serde_yaml::Error| Failure::new(format!("Cannot write YAML: {error}."));
    let yaml = || serde_yaml::to_string(&document).map_err(unwritable);
    // Keys of JSON are texts, those of partitions too, which the file takes as well.
    let as_json = || serde_json::to_value(&document).map_err(|e| Failure::new(e.to_string()));
    let text = match args.output.output {
        Format::Table | Format::Data(Form::Yaml) => yaml()?,
        Format::Data(Form::Json) => json_text(&as_json()?),
        Format::Data(form) => rows(&as_json()?).text(form),
    };
    Ok(cx.out.write_all(text.as_bytes())?)
}

/// The topics and groups of the file; docs/json/topics-export.md has the columns.
fn rows(file: &Value) -> Report {
    let of = |kind: &str, list: &str| {
        let entries = file[list].as_object().into_iter().flatten();
        let rows = entries.map(|(name, entry)| {
            let mut row = entry.clone();
            row["kind"] = kind.into();
            row["name"] = name.as_str().into();
            row
        });
        rows.collect::<Vec<Value>>()
    };
    Report {
        value: json!({ "topics": of("topic", "topics"), "groups": of("group", "groups") }),
        rows: Rows {
            within: &["topics|groups"],
            columns: &[
                "kind",
                "name",
                "partitions",
                "replication_factor",
                "configs",
                "offsets",
            ],
        },
    }
}
