//! `kafka-client-metrics`: which clients tell which of their metrics, and how often (KIP-714).

use std::io::Write;

use clap::{CommandFactory, Parser};
use ottla_client::admin::{
    Admin, AlterOp, AlterResource, ConfigEntry, ConfigResource, DescribeDetail, ResourceType,
};
use ottla_protocol::wire::Uuid;
use serde_json::{Value, json};

use crate::connect::{self, failed};
use crate::context::Context;
use crate::jopt;
use crate::options::{self, Connection, Given, Standard, ToolArgs};
use crate::output::{Format, OutputOnce, Report, Rows};
use crate::settling::until_altered;
use crate::stop::{Failure, Stop};
use crate::tool::Tool;

mod near;

pub const TOOL: Tool = Tool {
    name: "client-metrics",
    link: "kafka-client-metrics",
    about: "Show and change which metrics clients send",
    command: Args::command,
    run,
};

/// Show and change which metrics clients send.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-client-metrics",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-client-metrics --bootstrap-server localhost:9092 --alter --name slow --interval 60000 \
        --metrics org.apache.kafka.producer. --match client_id=shop\n  \
        kafka-client-metrics --bootstrap-server localhost:9092 --describe\n  \
        kafka-client-metrics --bootstrap-server localhost:9092 --delete --name slow"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,

    /// List the names of the subscriptions
    #[arg(long, help_heading = "Actions")]
    list: bool,
    /// Show the subscription of this name, or all
    #[arg(long, help_heading = "Actions")]
    describe: bool,
    /// Change the subscription, or make it
    #[arg(long, help_heading = "Actions")]
    alter: bool,
    /// Delete the subscription
    #[arg(long, help_heading = "Actions")]
    delete: bool,

    /// The name of the subscription
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Alter: make one with a random name
    #[arg(long)]
    generate_name: bool,
    /// Alter: how often metrics are sent, in milliseconds; empty for the default
    #[arg(long, value_name = "MS")]
    interval: Vec<String>,
    /// Alter: which clients, by client_id, client_instance_id, client_software_name, client_software_version,
    /// client_source_address and client_source_port; empty for all
    #[arg(long, value_name = "K=V,K=V")]
    r#match: Vec<String>,
    /// Alter: the metrics whose names begin with one of these; empty for none
    #[arg(long, value_name = "PREFIX,PREFIX")]
    metrics: Vec<String>,
    #[command(flatten)]
    output: OutputOnce,
    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str =
        "This tool helps to manipulate and describe client metrics configurations.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

const JSON_VERSION: u32 = 1;

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    check(&args)?;
    let format = args.output.format()?;
    let changes = changes(&args)?;
    let name = match args.generate_name {
        true => Some(random_name()),
        false => jopt::one("name", &args.name)?.map(str::to_owned),
    };
    let servers = args.connection.servers()?;
    let call = if args.alter {
        "incrementalAlterConfigs"
    } else {
        "listConfigResources"
    };
    let mut hints: Vec<String> = near::odd_metrics(&args).collect();
    let told = connect::ask(
        &args.connection.command_config,
        servers,
        call,
        cx,
        async |admin| {
            match (&name, args.alter, args.delete) {
                (Some(name), true, _) => {
                    let altered = alter(name, changes, admin).await;
                    altered.map_err(|failure| near::with_nearest_match(failure, &args))
                }
                (Some(name), _, true) => {
                    let keys = describe(std::slice::from_ref(name), admin).await?;
                    let keys = keys.into_iter().flat_map(|(_, entries)| entries);
                    let changes = keys.map(|entry| (entry.name.to_string(), AlterOp::Delete));
                    alter(name, changes.collect(), admin).await
                }
                _ => Ok(()),
            }?;
            if let (Some(name), false) = (&name, args.alter) {
                hints.extend(near::name(name, admin).await);
            }
            match (&name, args.list || args.describe) {
                (name, true) => found(&args, name.as_ref(), format, admin).await,
                (Some(name), false) => Ok(changed(&args, name, format)),
                (None, false) => Ok(String::new()),
            }
        },
    );
    match told {
        Ok(text) => {
            cx.out.write_all(text.as_bytes())?;
            hints.iter().for_each(|hint| cx.warn(hint));
            Ok(())
        }
        Err(Stop::Failed(failure)) => {
            if format == Format::Table {
                let reason = &failure.message;
                writeln!(
                    cx.out,
                    "Error while executing client metrics command : {reason}"
                )?;
            }
            Err(hints.into_iter().fold(failure, Failure::hint).into())
        }
        Err(stop) => Err(stop),
    }
}

/// Whether the options go together, in the reference's order of checks.
fn check(args: &Args) -> Result<(), Stop> {
    let actions = [args.alter, args.delete, args.describe, args.list];
    if actions.iter().filter(|action| **action).count() != 1 {
        let message =
            "Command must include exactly one action: --alter, --delete, --describe or --list.";
        return Err(Stop::Usage(message.to_owned()));
    }
    if args.connection.bootstrap_server.is_empty() {
        return Err(Stop::failed("--bootstrap-server must be specified."));
    }
    let name = Given::values("name", &args.name);
    let others = [
        Given("generate-name", args.generate_name),
        Given::values("interval", &args.interval),
        Given::values("match", &args.r#match),
        Given::values("metrics", &args.metrics),
    ];
    options::forbid(Given("delete", args.delete), &others)?;
    options::forbid(Given("describe", args.describe), &others)?;
    options::forbid(Given("list", args.list), &[name])?;
    options::forbid(Given("list", args.list), &others)?;
    if args.alter && name.1 == args.generate_name {
        let message = "One of --name or --generate-name must be specified with --alter.";
        return Err(Stop::failed(message));
    }
    if args.delete && !name.1 {
        let message = "A client metrics resource name must be specified with --delete.";
        return Err(Stop::failed(message));
    }
    Ok(())
}

/// The keys that are set; those with nothing are taken away.
fn changes(args: &Args) -> Result<Vec<(String, AlterOp)>, Stop> {
    let interval = jopt::one("interval", &args.interval)?;
    if interval.is_some_and(|ms| !ms.is_empty() && ms.parse::<i32>().is_err()) {
        let message = "Invalid interval value. Enter an integer, or leave empty to reset.";
        return Err(Stop::failed(message));
    }
    let list = |values: &[String]| Some(values.join(",")).filter(|_| !values.is_empty());
    let given = [
        ("interval.ms", interval.map(str::to_owned)),
        ("metrics", list(&args.metrics)),
        ("match", list(&args.r#match)),
    ];
    let change = |(key, value): (&str, Option<String>)| {
        let op = match value? {
            value if value.is_empty() => AlterOp::Delete,
            value => AlterOp::Set(value),
        };
        Some((key.to_owned(), op))
    };
    Ok(given.into_iter().filter_map(change).collect())
}

/// An id as Kafka writes them, which begins with no dash: it would look like an option.
fn random_name() -> String {
    loop {
        let name = Uuid(rand::random()).to_string();
        if !name.starts_with('-') {
            return name;
        }
    }
}

fn resource(name: &str) -> ConfigResource {
    ConfigResource::new(ResourceType::ClientMetrics, name)
}

async fn alter(name: &str, changes: Vec<(String, AlterOp)>, admin: &Admin) -> Result<(), Failure> {
    let change = AlterResource {
        resource: resource(name),
        changes,
    };
    let altered = [change];
    let outcomes = admin.alter_configs(&altered, false).await;
    let mut outcomes = outcomes
        .map_err(failed("incrementalAlterConfigs"))?
        .into_iter();
    outcomes.try_for_each(|(_, outcome)| outcome.map_err(connect::refused))?;
    until_altered(&altered, admin).await;
    Ok(())
}

/// The keys of each subscription, sorted.
async fn describe(
    names: &[String],
    admin: &Admin,
) -> Result<Vec<(String, Vec<ConfigEntry>)>, Failure> {
    let resources: Vec<ConfigResource> = names.iter().map(|name| resource(name)).collect();
    let described = admin
        .describe_configs(&resources, None, DescribeDetail::default())
        .await;
    let described = described.map_err(failed("describeConfigs"))?.into_iter();
    let sorted = described.map(|(resource, entries)| {
        let mut entries = entries.map_err(connect::refused)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((resource.name, entries))
    });
    sorted.collect()
}

async fn found(
    args: &Args,
    name: Option<&String>,
    format: Format,
    admin: &Admin,
) -> Result<String, Failure> {
    let listed = admin
        .list_config_resources(&[ResourceType::ClientMetrics])
        .await;
    let listed = listed.map_err(failed("listConfigResources"))?;
    let mut names: Vec<String> = listed.into_iter().map(|resource| resource.name).collect();
    names.retain(|found| name.is_none_or(|name| name == found));
    if args.list {
        return Ok(match format {
            Format::Table => format!("{}\n", names.join("\n")),
            Format::Data(form) => listing(&names).text(form),
        });
    }
    if let (Some(name), [], Format::Table) = (name, names.as_slice(), format) {
        return Ok(format!(
            "The client metric resource {name} doesn't exist and doesn't have dynamic config.\n"
        ));
    }
    let found = describe(&names, admin).await?;
    Ok(match format {
        Format::Table => found.iter().map(text).collect(),
        Format::Data(form) => described(&found).text(form),
    })
}

fn text((name, entries): &(String, Vec<ConfigEntry>)) -> String {
    let line = |entry: &ConfigEntry| {
        let value = entry.value.as_deref().unwrap_or("null");
        format!("  {}={value}\n", entry.name)
    };
    let lines: String = entries.iter().map(line).collect();
    format!("Client metrics configs for {name} are:\n{lines}")
}

fn listing(names: &[String]) -> Report {
    let named: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    Report {
        value: json!({ "version": JSON_VERSION, "clientMetrics": named }),
        rows: Rows {
            within: &["clientMetrics"],
            columns: &["name"],
        },
    }
}

fn described(found: &[(String, Vec<ConfigEntry>)]) -> Report {
    let subscription = |(name, entries): &(String, Vec<ConfigEntry>)| {
        let value = |key: &str| {
            let entry = entries.iter().find(|entry| entry.name == key);
            json!(entry.and_then(|entry| entry.value.as_deref()))
        };
        json!({
            "name": name,
            "intervalMs": value("interval.ms"),
            "match": value("match"),
            "metrics": value("metrics"),
        })
    };
    let all: Vec<Value> = found.iter().map(subscription).collect();
    Report {
        value: json!({ "version": JSON_VERSION, "clientMetrics": all }),
        rows: Rows {
            within: &["clientMetrics"],
            columns: &["name", "intervalMs", "match", "metrics"],
        },
    }
}

fn changed(args: &Args, name: &str, format: Format) -> String {
    let (verb, done) = match args.alter {
        true => ("Altered", "altered"),
        false => ("Deleted", "deleted"),
    };
    match format {
        Format::Table => format!("{verb} client metrics config for {name}.\n"),
        Format::Data(form) => {
            let report = Report {
                value: json!({ "version": JSON_VERSION, "name": name, "change": done }),
                rows: Rows {
                    within: &[],
                    columns: &["name", "change"],
                },
            };
            report.text(form)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Result<Vec<(String, AlterOp)>, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).expect("options");
        let changes = check(&args).and_then(|()| changes(&args));
        changes.map_err(|stop| match stop {
            Stop::Usage(message) => message,
            Stop::Failed(failure) => failure.message,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn an_empty_value_takes_a_key_away() {
        let changes = checked(
            "--bootstrap-server h:1 --alter --name a --interval= --metrics a.,b. --match client_id=x",
        );
        let set = |key: &str, value: &str| (key.to_owned(), AlterOp::Set(value.to_owned()));
        let expected = vec![
            ("interval.ms".to_owned(), AlterOp::Delete),
            set("metrics", "a.,b."),
            set("match", "client_id=x"),
        ];
        assert_eq!(changes, Ok(expected));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (line, message) in [
            ("--list --alter", "Command must include exactly one action"),
            ("--list", "--bootstrap-server must be specified."),
            (
                "--bootstrap-server h:1 --alter",
                "One of --name or --generate-name",
            ),
            (
                "--bootstrap-server h:1 --alter --name a --generate-name",
                "One of --name or --generate-name",
            ),
            (
                "--bootstrap-server h:1 --delete",
                "A client metrics resource name",
            ),
            (
                "--bootstrap-server h:1 --list --name a",
                "Option \"[list]\" can't be used with option \"[name]\"",
            ),
            (
                "--bootstrap-server h:1 --alter --name a --interval soon",
                "Invalid interval value.",
            ),
        ] {
            let told = checked(line).expect_err(line);
            assert!(told.starts_with(message), "{line}: {told}");
        }
    }
}
