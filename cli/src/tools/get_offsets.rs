//! `kafka-get-offsets`: one offset of every partition, by position or by time.

use std::io::Write;

use clap::{CommandFactory, Parser};

use ottla_client::ApiError;
use ottla_client::admin::{Admin, Isolation, ListedOffset, OffsetSpec, Outcomes, TopicPartition};
use serde_json::{Value, json};

use crate::connect::{self, failed};
use crate::context::{self, Context};
use crate::jopt;
use crate::nearest;
use crate::options::{self, Connection, Given, Standard, ToolArgs};
use crate::output::{Format, OutputOnce, Report, Rows, json_error};
use crate::stop::{Failure, Stop};
use crate::tool::Tool;
use crate::topic_filter::TopicFilter;

pub const TOOL: Tool = Tool {
    name: "get-offsets",
    link: "kafka-get-offsets",
    about: "Show the first, last or another offset of partitions",
    command: Args::command,
    run,
};

/// Show the first, last or another offset of partitions.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-get-offsets",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-get-offsets --bootstrap-server localhost:9092 --topic orders\n  \
        kafka-get-offsets --bootstrap-server localhost:9092 --topic-partitions orders:0 --time earliest --output csv"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Regular expressions of topics, separated by commas, each of which matches whole names; all topics by default
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Take --topic for a name, or names separated by commas, and not for patterns
    #[arg(long)]
    exact: bool,
    /// Only these partitions, separated by commas
    #[arg(long, value_name = "P,P")]
    partitions: Vec<String>,
    /// Topics with their partitions, separated by commas: TOPIC, TOPIC:2, TOPIC:0-3 (3 is not in), TOPIC:2-, TOPIC:-3
    #[arg(long, value_name = "TOPIC:PARTITIONS,...")]
    topic_partitions: Vec<String>,
    /// Which offset: of the first record at or after a time (milliseconds since 1970), or -1/latest, -2/earliest,
    /// -3/max-timestamp, -4/earliest-local, -5/latest-tiered, -6/earliest-pending-upload; latest by default
    #[arg(long, value_name = "TIME")]
    time: Vec<String>,
    /// Leave the cluster's own topics out
    #[arg(long)]
    exclude_internal_topics: bool,

    #[command(flatten)]
    output: OutputOnce,
    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "An interactive shell for getting topic-partition offsets.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

#[derive(Debug)]
struct Plan {
    /// A partition that one of them allows is meant.
    rules: Vec<Rule>,
    exclude_internal: bool,
    spec: OffsetSpec,
    /// What was written for topics.
    named: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    /// `None`: every topic.
    topic: Option<TopicFilter>,
    partitions: Partitions,
}

#[derive(Debug, PartialEq, Eq)]
enum Partitions {
    All,
    These(Vec<i32>),
    /// From the first, up to and without the second.
    Range(i32, i32),
}

impl Rule {
    fn allows(&self, topic: &str, partition: i32) -> bool {
        let in_range = match &self.partitions {
            Partitions::All => true,
            Partitions::These(list) => list.contains(&partition),
            Partitions::Range(from, to) => (*from..*to).contains(&partition),
        };
        in_range
            && self
                .topic
                .as_ref()
                .is_none_or(|filter| filter.allows(topic))
    }
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = match options::start(words) {
        Err(Stop::Failed(failure)) => return Err(occurred(failure).into()),
        other => other?,
    };
    options::require(&[Given::values(
        "bootstrap-server",
        &args.connection.bootstrap_server,
    )])?;
    let bootstrap = args.connection.servers()?;
    if let Err(error) = options::check_bootstrap_servers(bootstrap) {
        return Err(Stop::Usage(error.to_string()));
    }
    let format = args.output.format()?;
    let plan = plan(&args).map_err(occurred)?;
    let overrides = [
        ("bootstrap.servers", bootstrap),
        ("client.id", "GetOffsetShell"),
    ];
    let mut settings = connect::settings(&args.connection.command_config, &overrides, cx)?;
    settings.looks_at_all_topics = true;
    let listed = context::block_on(async {
        let admin = connect::admin(settings, "listTopics").await?;
        list(&plan, &admin).await
    })?
    .map_err(occurred)?;
    if let Format::Data(form) = format {
        cx.out.write_all(report(&listed).text(form).as_bytes())?;
        return match listed.iter().any(|(_, outcome)| outcome.is_err()) {
            true => Err(Stop::Status(1)),
            false => Ok(()),
        };
    }
    for (partition, outcome) in listed {
        match outcome.map(|found| found.offset) {
            Ok(Some(offset)) => writeln!(
                cx.out,
                "{}:{}:{offset}",
                partition.topic, partition.partition
            )?,
            // All records are older than the time asked for, or there is none.
            Ok(None) => {}
            Err(reason) => cx.warn(format!(
                "Skip getting offsets for topic-partition {partition} due to error: {reason}"
            )),
        }
    }
    Ok(())
}

fn occurred(failure: Failure) -> Failure {
    Failure {
        message: format!("Error occurred: {}", failure.message),
        ..failure
    }
}

fn plan(args: &Args) -> Result<Plan, Failure> {
    let pairs = jopt::one("topic-partitions", &args.topic_partitions)?;
    if pairs.is_some() && !(args.topic.is_empty() && args.partitions.is_empty()) {
        return Err(Failure::new(
            "--topic-partitions cannot be used with --topic or --partitions",
        ));
    }
    let spec = parse_time(jopt::one("time", &args.time)?.unwrap_or("latest"))?;
    let rules = match pairs {
        Some("") => vec![parse_rule("")?],
        Some(list) => match list.trim_end_matches(',') {
            // Nothing but commas names nothing.
            "" => Vec::new(),
            list => list.split(',').map(parse_rule).collect::<Result<_, _>>()?,
        },
        None => {
            let topic = jopt::one("topic", &args.topic)?;
            let filter = match args.exact {
                true => |names: &str| Ok(TopicFilter::exact(names)),
                false => TopicFilter::new,
            };
            let topic = topic.map(filter).transpose()?;
            let list = jopt::one("partitions", &args.partitions)?.unwrap_or_default();
            vec![Rule {
                topic,
                partitions: parse_partitions(list)?,
            }]
        }
    };
    Ok(Plan {
        rules,
        exclude_internal: args.exclude_internal_topics,
        spec,
        named: named(args),
    })
}

fn parse_time(text: &str) -> Result<OffsetSpec, Failure> {
    let number = || {
        text.parse::<i64>().map_err(|_| {
            Failure::new(format!(
                "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 \
                 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format \
                 timestamp"
            ))
        })
    };
    Ok(match text {
        "latest" => OffsetSpec::Latest,
        "earliest" => OffsetSpec::Earliest,
        "max-timestamp" => OffsetSpec::MaxTimestamp,
        "earliest-local" => OffsetSpec::EarliestLocal,
        "latest-tiered" => OffsetSpec::LatestTiered,
        "earliest-pending-upload" => OffsetSpec::EarliestPendingUpload,
        _ => match number()? {
            -1 => OffsetSpec::Latest,
            -2 => OffsetSpec::Earliest,
            -3 => OffsetSpec::MaxTimestamp,
            -4 => OffsetSpec::EarliestLocal,
            -5 => OffsetSpec::LatestTiered,
            -6 => OffsetSpec::EarliestPendingUpload,
            time => OffsetSpec::At(time),
        },
    })
}

fn parse_partitions(list: &str) -> Result<Partitions, Failure> {
    let list = list.trim_end_matches(',');
    if list.is_empty() {
        return Ok(Partitions::All);
    }
    let ids: Result<Vec<i32>, _> = list.split(',').map(str::parse).collect();
    ids.map(Partitions::These).map_err(|_| {
        Failure::new(format!(
            "--partitions expects a comma separated list of numeric partition ids, but received: {list}"
        ))
    })
}

/// Patterns and names as they were written.
fn named(args: &Args) -> Vec<String> {
    let listed = args.topic.iter().chain(&args.topic_partitions);
    let words = listed.flat_map(|list| list.split(','));
    let names = words.map(|word| word.split_once(':').map_or(word, |(name, _)| name));
    names.map(str::to_owned).collect()
}

/// `TOPIC`, `TOPIC:1`, `TOPIC:0-3`, `TOPIC:1-`, `TOPIC:-2`; without a topic all are meant.
fn parse_rule(text: &str) -> Result<Rule, Failure> {
    let invalid = || Failure::new(format!("Invalid rule specification: {text}"));
    let (topic, partitions) = text.split_once(':').unwrap_or((text, ""));
    let bound = |digits: &str, without: i32| -> Result<i32, Failure> {
        match digits {
            "" => Ok(without),
            _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| invalid())
            }
            _ => Err(invalid()),
        }
    };
    let partitions = match partitions.split_once('-') {
        Some((from, to)) => Partitions::Range(bound(from, 0)?, bound(to, i32::MAX)?),
        None if partitions.is_empty() => Partitions::All,
        None => Partitions::These(vec![bound(partitions, 0)?]),
    };
    let topic = if topic.is_empty() {
        None
    } else {
        Some(TopicFilter::new(topic)?)
    };
    Ok(Rule { topic, partitions })
}

type Listed = Outcomes<TopicPartition, ListedOffset>;

/// docs/json/get-offsets.md
fn report(listed: &Listed) -> Report {
    let partition = |(at, outcome): &(TopicPartition, Result<ListedOffset, ApiError>)| {
        let found = outcome.as_ref().ok();
        json!({
            "topic": at.topic,
            "partition": at.partition,
            "offset": found.and_then(|found| found.offset),
            "timestampMs": found.and_then(|found| found.timestamp),
            "leaderEpoch": found.and_then(|found| found.leader_epoch),
            "error": outcome.as_ref().err().map(json_error),
        })
    };
    let partitions: Vec<Value> = listed.iter().map(partition).collect();
    Report {
        value: json!({ "version": 1, "partitions": partitions }),
        rows: Rows {
            within: &["partitions"],
            columns: &[
                "topic",
                "partition",
                "offset",
                "timestampMs",
                "leaderEpoch",
                "error.code",
                "error.message",
            ],
        },
    }
}

async fn list(plan: &Plan, admin: &Admin) -> Result<Listed, Failure> {
    let deadline = admin.cluster().default_deadline();
    let metadata = admin
        .cluster()
        .all_topics(deadline)
        .await
        .map_err(failed("listTopics"))?;
    let topics = metadata
        .topics()
        .filter(|topic| !(plan.exclude_internal && topic.is_internal));
    let partitions = topics.flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|partition| (&*topic.name, partition.index.0))
    });
    let asked: Vec<(TopicPartition, OffsetSpec)> = partitions
        .filter(|(topic, partition)| plan.rules.iter().any(|rule| rule.allows(topic, *partition)))
        .map(|(topic, partition)| (TopicPartition::new(topic, partition), plan.spec))
        .collect();
    if asked.is_empty() {
        let failure =
            Failure::new("Could not match any topic-partitions with the specified filters");
        let is_known = |name: &str| metadata.topics().any(|topic| *topic.name == *name);
        let nearest = plan
            .named
            .iter()
            .filter(|name| !is_known(name))
            .find_map(|name| nearest::sentence(name, metadata.topics().map(|topic| &*topic.name)));
        let hint = "kafka-topics --describe shows the topics and partitions there are.";
        return Err(failure.hint(nearest.as_deref().unwrap_or(hint)));
    }
    let listed = admin.list_offsets(&asked, Isolation::ReadUncommitted).await;
    let mut listed = listed.map_err(failed("listOffsets"))?;
    // As text, like the reference: t-10 comes before t-2.
    listed.sort_by_cached_key(|(partition, _)| partition.to_string());
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(line: &str) -> Result<Vec<String>, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).expect("options that exist");
        let plan = plan(&args).map_err(|failure| failure.message)?;
        let all = [("ga", 0), ("gb", 0), ("gb", 1), ("gb", 2)];
        let meant = all
            .iter()
            .filter(|(topic, at)| plan.rules.iter().any(|rule| rule.allows(topic, *at)));
        Ok(meant.map(|(topic, at)| format!("{topic}:{at}")).collect())
    }

    #[test]
    fn partitions_are_chosen_by_topic_and_by_range() {
        for (line, expected) in [
            ("--topic ga", vec!["ga:0"]),
            ("--topic g.*", vec!["ga:0", "gb:0", "gb:1", "gb:2"]),
            ("--topic gb --partitions 0,2", vec!["gb:0", "gb:2"]),
            ("--topic-partitions ga,gb:1-", vec!["ga:0", "gb:1", "gb:2"]),
            ("--topic-partitions gb:-2", vec!["gb:0", "gb:1"]),
            ("--topic-partitions gb:0-1", vec!["gb:0"]),
            ("--topic-partitions :2", vec!["gb:2"]),
        ] {
            assert_eq!(
                meant(line),
                Ok(expected.iter().map(|at| (*at).to_owned()).collect()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, message) in [
            (
                "--topic ga --partitions x",
                "--partitions expects a comma separated list of numeric partition ids, but received: x",
            ),
            (
                "--topic-partitions ga:x",
                "Invalid rule specification: ga:x",
            ),
            (
                "--topic ga --topic-partitions ga:0",
                "--topic-partitions cannot be used with --topic or --partitions",
            ),
        ] {
            assert_eq!(meant(line), Err(message.to_owned()), "{line}");
        }
        assert!(
            parse_time("nope")
                .is_err_and(|failure| failure.message.starts_with("Malformed time argument nope"))
        );
    }

    #[test]
    fn times_are_words_small_negative_numbers_or_milliseconds() {
        assert_eq!(parse_time("-2").ok(), Some(OffsetSpec::Earliest));
        assert_eq!(parse_time("earliest").ok(), Some(OffsetSpec::Earliest));
        assert_eq!(
            parse_time("1700000000000").ok(),
            Some(OffsetSpec::At(1_700_000_000_000))
        );
    }
}
