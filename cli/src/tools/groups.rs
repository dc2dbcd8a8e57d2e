//! `kafka-groups`: the groups of all kinds that the coordinators keep.

use std::io::Write;

use clap::{CommandFactory, Parser};

use ottla_client::admin::{Admin, GroupListing};
use serde_json::json;

use crate::connect::{self, failed};
use crate::context::{self, Context};
use crate::java_order;
use crate::jopt;
use crate::options::{self, Connection, Given, Standard, ToolArgs};
use crate::output::{Format, OutputOnce, Report, Rows};
use crate::stop::{Failure, Stop};
use crate::table::{known_as, line, width};
use crate::tool::Tool;

pub const TOOL: Tool = Tool {
    name: "groups",
    link: "kafka-groups",
    about: "List groups of all types",
    command: Args::command,
    run,
};

/// List groups of all types.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-groups",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-groups --bootstrap-server localhost:9092 --list\n  \
        kafka-groups --bootstrap-server localhost:9092 --list --consumer --output json"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// List the groups
    #[arg(long)]
    list: bool,
    /// Only groups of this type: classic, consumer, share or streams
    #[arg(long, value_name = "TYPE")]
    group_type: Vec<String>,
    /// Only groups whose members speak this protocol, as consumer or connect
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Vec<String>,
    /// Only groups of consumers, of either protocol, and those that only have offsets
    #[arg(long)]
    consumer: bool,
    /// Only share groups
    #[arg(long)]
    share: bool,
    /// Only streams groups
    #[arg(long)]
    streams: bool,

    #[command(flatten)]
    output: OutputOnce,
    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool helps to list groups of all types.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

/// As the reference writes them.
const TYPES: [&str; 4] = ["Classic", "Consumer", "Share", "Streams"];

/// Which groups are meant.
#[derive(Debug, PartialEq, Eq)]
enum Filter {
    /// Of a type, of a protocol, or both.
    These {
        kind: Option<&'static str>,
        protocol: Option<String>,
    },
    Consumer,
    Share,
    Streams,
}

impl Filter {
    fn allows(&self, group: &GroupListing) -> bool {
        let is = |kind| shown(group) == kind;
        match self {
            Self::These { kind, protocol } => {
                let mut protocol = protocol.iter();
                kind.is_none_or(is) && protocol.all(|name| *name == group.protocol_type)
            }
            Self::Consumer => matches!(&*group.protocol_type, "" | "consumer") || is("Consumer"),
            Self::Share => is("Share"),
            Self::Streams => is("Streams"),
        }
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    if args.connection.bootstrap_server.is_empty() {
        let missing = "Missing required option(s) [bootstrap-server]";
        return Err(Stop::Usage(missing.to_owned()));
    }
    if !args.list {
        let missing = "Command must include exactly one action: --list.";
        return Err(Stop::Usage(missing.to_owned()));
    }
    let filter = match filter(&args) {
        // The reference reads it when it has the groups already.
        Err(Stop::Failed(failure)) if args.protocol.len() > 1 => return tell(failure, cx),
        filter => filter?,
    };
    let format = args.output.format()?;
    let bootstrap = args.connection.servers()?;
    let overrides = [("bootstrap.servers", bootstrap)];
    let settings = connect::settings(&args.connection.command_config, &overrides, cx)?;
    let found = context::block_on(async {
        let admin = connect::admin(settings, "listGroups").await?;
        find(&filter, &admin).await
    })?;
    match (found, format) {
        (Ok(groups), Format::Data(form)) => {
            Ok(cx.out.write_all(report(&groups).text(form).as_bytes())?)
        }
        (Err(failure), Format::Data(_)) => Err(failure.into()),
        (Ok(groups), Format::Table) => Ok(cx.out.write_all(table(&groups).as_bytes())?),
        (Err(failure), Format::Table) => tell(failure, cx),
    }
}

/// Says a failure where the reference says it, and once more where people look for it.
fn tell(failure: Failure, cx: &mut Context) -> Result<(), Stop> {
    let reason = context::without_escapes(&failure.message);
    writeln!(cx.out, "Error while executing groups command : {reason}")?;
    Err(failure.into())
}

/// What is wanted, in the reference's order of checks.
fn filter(args: &Args) -> Result<Filter, Stop> {
    let kind = match jopt::one("group-type", &args.group_type)? {
        None => None,
        Some(name) => Some(known_as(name, &TYPES).ok_or_else(|| {
            let wrong = Failure::new("--group-type must be a valid group type.");
            wrong.hint(format!("They are {}.", TYPES.join(", ").to_lowercase()))
        })?),
    };
    let filters = [
        Given("consumer", args.consumer),
        Given::values("group-type", &args.group_type),
        Given::values("protocol", &args.protocol),
        Given("share", args.share),
        Given("streams", args.streams),
    ];
    let [consumer, group_type, protocol, share, streams] = filters;
    options::forbid(consumer, &[group_type, protocol, share, streams])?;
    options::forbid(share, &[consumer, group_type, protocol, streams])?;
    options::forbid(streams, &[consumer, group_type, protocol, share])?;
    Ok(match args {
        Args { consumer: true, .. } => Filter::Consumer,
        Args { share: true, .. } => Filter::Share,
        Args { streams: true, .. } => Filter::Streams,
        _ => Filter::These {
            kind,
            protocol: jopt::one("protocol", &args.protocol)?.map(str::to_owned),
        },
    })
}

async fn find(filter: &Filter, admin: &Admin) -> Result<Vec<GroupListing>, Failure> {
    let listed = admin.list_groups(&[], &[]).await;
    let (mut groups, errors) = listed.map_err(failed("listGroups"))?;
    if let Some((broker, error)) = errors.into_iter().next() {
        let text = format!("Error listing groups on broker {broker}: {error}");
        return Err(Failure::new(text));
    }
    java_order::sort(&mut groups, None, |group| &group.id);
    groups.retain(|group| filter.allows(group));
    Ok(groups)
}

/// The type; nothing where the broker does not say.
fn shown(group: &GroupListing) -> &'static str {
    match &group.kind {
        None => "",
        Some(name) => known_as(name, &TYPES).unwrap_or("Unknown"),
    }
}

/// docs/json/groups.md
fn report(groups: &[GroupListing]) -> Report {
    let group = |group: &GroupListing| {
        json!({
            "group": group.id,
            "type": group.kind,
            "protocol": group.protocol_type,
            "state": group.state,
            "coordinator": group.coordinator.0,
        })
    };
    Report {
        value: json!({ "version": 1, "groups": groups.iter().map(group).collect::<Vec<_>>() }),
        rows: Rows {
            within: &["groups"],
            columns: &["group", "type", "protocol", "state", "coordinator"],
        },
    }
}

/// Every column is as wide as the longest value of all.
fn table(groups: &[GroupListing]) -> String {
    let rows: Vec<[&str; 3]> = groups
        .iter()
        .map(|group| [&*group.id, shown(group), &*group.protocol_type])
        .collect();
    let width = width(20, rows.iter().flatten().copied());
    let padded = |value| (value, width);
    let mut text = String::new();
    line(&mut text, ["GROUP", "TYPE", "PROTOCOL"].map(padded));
    for [group, kind, protocol] in rows {
        // Behind the last column of a row there is a space, too.
        let end = ("", 0);
        line(
            &mut text,
            [padded(group), padded(kind), padded(protocol), end],
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use ottla_protocol::types::BrokerId;

    use super::*;

    fn group(id: &str, kind: Option<&str>, protocol: &str) -> GroupListing {
        GroupListing {
            id: id.to_owned(),
            protocol_type: protocol.to_owned(),
            state: None,
            kind: kind.map(str::to_owned),
            coordinator: BrokerId(1),
        }
    }

    fn wanted(line: &str) -> Result<Filter, String> {
        let line = format!("--bootstrap-server h:1 --list {line}");
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).expect("options that exist");
        filter(&args).map_err(|stop| match stop {
            Stop::Usage(text) => text,
            Stop::Failed(failure) => failure.message,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn filters_go_by_type_and_by_protocol() {
        let groups = [
            group("readers", Some("Classic"), "consumer"),
            group("offsets", Some("Classic"), ""),
            group("workers", Some("Classic"), "connect"),
            group("new", Some("Consumer"), "consumer"),
            group("shared", Some("Share"), "share"),
            group("app", Some("Streams"), "streams"),
            group("strange", Some("Later"), "later"),
            group("old", None, "consumer"),
        ];
        for (line, expected) in [
            ("", "readers offsets workers new shared app strange old"),
            ("--consumer", "readers offsets new old"),
            ("--share", "shared"),
            ("--streams", "app"),
            ("--group-type CLASSIC", "readers offsets workers"),
            ("--protocol connect", "workers"),
            ("--protocol consumer", "readers new old"),
            ("--group-type consumer --protocol consumer", "new"),
            ("--group-type share --protocol consumer", ""),
        ] {
            let filter = wanted(line).expect("a good line");
            let allowed = groups.iter().filter(|group| filter.allows(group));
            let names: Vec<&str> = allowed.map(|group| &*group.id).collect();
            assert_eq!(names.join(" "), expected, "{line}");
        }
    }

    #[test]
    fn filters_that_exclude_each_other_are_refused() {
        for (line, sentence) in [
            (
                "--group-type unknown",
                "--group-type must be a valid group type.",
            ),
            (
                "--consumer --share",
                "Option \"[consumer]\" can't be used with option \"[share]\"",
            ),
            (
                "--share --protocol x",
                "Option \"[share]\" can't be used with option \"[protocol]\"",
            ),
            (
                "--streams --share",
                "Option \"[share]\" can't be used with option \"[streams]\"",
            ),
        ] {
            assert_eq!(wanted(line), Err(sentence.to_owned()), "{line}");
        }
    }

    #[test]
    fn columns_grow_together() {
        assert_eq!(
            table(&[]),
            "GROUP                TYPE                 PROTOCOL            \n"
        );
        let long = "a-name-of-22-characters";
        let table = table(&[
            group(long, Some("Classic"), "consumer"),
            group("z", None, ""),
        ]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.first().map(|head| head.len()), Some(3 * 23 + 2));
        assert_eq!(
            lines.get(1),
            Some(&&*format!("{long} {:23} {:23} ", "Classic", "consumer"))
        );
        assert_eq!(
            lines.get(2),
            Some(&&*format!("{:23} {:23} {:23} ", "z", "", ""))
        );
    }
}
