//! `kafka-leader-election`: elects leaders of partitions.

use std::collections::HashSet;
use std::io::Write as _;

use clap::{CommandFactory, Parser};
use ottla_client::ApiError;
use ottla_client::ClientError;
use ottla_client::admin::{ElectionType, Outcomes, TopicPartition};
use ottla_protocol::errors::ErrorCode;
use serde_json::{Value, json};

use crate::connect::{self, Unconnected};
use crate::context::{self, Context};
use crate::java_order;
use crate::jopt;
use crate::json_file;
use crate::nearest;
use crate::options::{self, Connection, Given, Standard, ToolArgs};
use crate::output::{self, Format, OutputOnce, Report, Rows};
use crate::stop::{Failure, Stop};
use crate::table::visible;
use crate::tool::Tool;

pub const TOOL: Tool = Tool {
    name: "leader-election",
    link: "kafka-leader-election",
    about: "Elect leaders of partitions",
    command: Args::command,
    run,
};

/// Elect leaders of partitions.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-leader-election",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        kafka-leader-election --bootstrap-server localhost:9092 --election-type preferred --all-topic-partitions\n  \
        kafka-leader-election --bootstrap-server localhost:9092 --election-type unclean --topic orders --partition 0"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The older name of --command-config (deprecated)
    #[arg(long = "admin.config", value_name = "FILE")]
    admin_config: Vec<String>,
    /// preferred: the first of the replicas; unclean: any that is alive, where none in sync is, at the price of records
    #[arg(long, value_name = "TYPE")]
    election_type: Vec<String>,
    /// For all partitions that need an election of this type
    #[arg(long)]
    all_topic_partitions: bool,
    /// For a partition of this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// The partition of the topic
    #[arg(long, value_name = "PARTITION")]
    partition: Vec<String>,
    /// For the partitions in this file: {"partitions": [{"topic": "t", "partition": 0}]}
    #[arg(long, value_name = "FILE")]
    path_to_json_file: Vec<String>,
    #[command(flatten)]
    output: OutputOnce,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool attempts to elect a new leader for a set of topic \
        partitions. The type of elections supported are preferred replicas and unclean replicas.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

const JSON_VERSION: u32 = 1;
const ROWS: Rows = Rows {
    within: &["partitions"],
    columns: &[
        "electionType",
        "topic",
        "partition",
        "outcome",
        "error.code",
        "error.message",
    ],
};
const CALL: &str = "electLeaders";
/// How long an election may take, where the client properties do not say it.
const TIMEOUT_MS: u32 = 30_000;

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    check(&args)?;
    let kind = kind(jopt::one("election-type", &args.election_type)?.unwrap_or_default())?;
    let format = args.output.format()?;
    let partitions = wanted(&args)?;
    let config = match args.admin_config.is_empty() {
        true => &args.connection.command_config,
        false => {
            let notice = "Option --admin.config has been deprecated and will be removed in a future version. Use --command-config instead.";
            if format == Format::Table {
                writeln!(cx.out, "{notice}")?;
            }
            &args.admin_config
        }
    };
    let bootstrap = args.connection.servers()?;
    let given = options::client_properties(config, &[])?;
    let is_given = |key: &str| given.iter().any(|(present, _)| present == key);
    let (all, one) = (TIMEOUT_MS.to_string(), (TIMEOUT_MS / 2).to_string());
    let mut overrides = vec![("bootstrap.servers", bootstrap)];
    let limits = [
        ("default.api.timeout.ms", &all),
        ("request.timeout.ms", &one),
    ];
    let missing = limits.into_iter().filter(|(key, _)| !is_given(key));
    overrides.extend(missing.map(|(key, value)| (key, value.as_str())));
    let settings = connect::settings(config, &overrides, cx)?;
    let outcome = context::block_on(async {
        let admin = connect::admin(settings, CALL).await?;
        let outcomes = admin.elect_leaders(kind, partitions.as_deref()).await;
        let failed = outcomes
            .iter()
            .flatten()
            .filter(|(_, outcome)| is_unknown(outcome));
        let names = failed.map(|(at, _)| at.topic.as_str());
        let hints = nearest::topics(names, &admin).await;
        Ok(outcomes.map(|outcomes| (outcomes, hints)))
    })?;
    let (outcomes, hints) = match outcome {
        Ok(Ok(outcomes)) => outcomes,
        Ok(Err(error)) => return Err(as_a_whole(&error, format, cx)?),
        Err(Unconnected::NoBroker(failure)) => return Err(timed_out(failure, format, cx)?),
        Err(Unconnected::NoAddress(failure)) => return Err(failure.into()),
    };
    let text = match format {
        Format::Table => table(kind, &outcomes),
        Format::Data(form) => report(kind, &outcomes).text(form),
    };
    cx.out.write_all(text.as_bytes())?;
    let failed = outcomes.iter().filter(|(_, outcome)| is_failure(outcome));
    match failed.count() {
        0 => Ok(()),
        failed => {
            let failure = Failure::new(format!("{failed} replica(s) could not be elected"));
            Err(hints.into_iter().fold(failure, Failure::hint).into())
        }
    }
}

/// What must be there, and what must not be together.
fn check(args: &Args) -> Result<(), Stop> {
    let required = [
        Given::values("bootstrap-server", &args.connection.bootstrap_server),
        Given::values("election-type", &args.election_type),
    ];
    let missing: Vec<&str> = required.iter().filter(|it| !it.1).map(|it| it.0).collect();
    if !missing.is_empty() {
        return Err(Stop::Usage(format!(
            "Missing required option(s): {}",
            missing.join(", ")
        )));
    }
    let which = [
        Given::values("topic", &args.topic),
        Given("all-topic-partitions", args.all_topic_partitions),
        Given::values("path-to-json-file", &args.path_to_json_file),
    ];
    if which.iter().filter(|it| it.1).count() != 1 {
        return Err(Stop::Usage(format!(
            "One and only one of the following options is required: {}",
            which.map(|it| it.0).join(", ")
        )));
    }
    let wrong = match (args.topic.is_empty(), args.partition.is_empty()) {
        (false, true) => "Missing required option(s): partition",
        (true, false) => "Option partition is only allowed if topic is used",
        _ => {
            let config = Given::values("command-config", &args.connection.command_config);
            let older = Given::values("admin.config", &args.admin_config);
            return options::forbid(older, &[config]);
        }
    };
    Err(Stop::Usage(wrong.to_owned()))
}

fn kind(name: &str) -> Result<ElectionType, Failure> {
    match name.to_uppercase().as_str() {
        "PREFERRED" => Ok(ElectionType::Preferred),
        "UNCLEAN" => Ok(ElectionType::Unclean),
        _ => Err(Failure::new(format!(
            "Cannot parse argument '{name}' of option election-type"
        ))
        .hint("It is preferred or unclean.")),
    }
}

fn name(kind: ElectionType) -> &'static str {
    match kind {
        ElectionType::Preferred => "PREFERRED",
        ElectionType::Unclean => "UNCLEAN",
    }
}

/// None: all that need it.
fn wanted(args: &Args) -> Result<Option<Vec<TopicPartition>>, Stop> {
    if let Some(path) = jopt::one("path-to-json-file", &args.path_to_json_file)? {
        return Ok(Some(parse(&json_file::read(path)?)?));
    }
    let topic = jopt::one("topic", &args.topic)?;
    let partition = jopt::number::<i32>("partition", &args.partition)?;
    Ok(topic
        .zip(partition)
        .map(|(topic, partition)| vec![TopicPartition::new(topic, partition)]))
}

fn parse(text: &str) -> Result<Vec<TopicPartition>, Failure> {
    let json = json_file::parse(text).map_err(|error| {
        Failure::new("Replica election data is empty").hint(connect::capitalized(error))
    })?;
    let missing = |_| Failure::new("Replica election data is missing \"partitions\" field");
    let partitions = json_file::field(&json, "partitions").map_err(missing)?;
    let partitions = json_file::array(partitions)?.iter();
    let partitions: Vec<TopicPartition> = partitions
        .map(json_file::partition)
        .collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    let twice = partitions.iter().filter(|at| !seen.insert(*at));
    let twice: Vec<String> = twice.map(ToString::to_string).collect();
    match twice.as_slice() {
        [] => Ok(partitions),
        twice => Err(Failure::new(format!(
            "Replica election data contains duplicate partitions: [{}]",
            twice.join(", ")
        ))),
    }
}

fn as_a_whole(error: &ClientError, format: Format, cx: &mut Context) -> Result<Stop, Stop> {
    let failure = connect::failure(CALL, error);
    match error {
        ClientError::Api(refusal) if refusal.code == ErrorCode::ClusterAuthorizationFailed => {
            let message = "Not authorized to perform leader election";
            told(message, failure, format, cx)
        }
        ClientError::Api(_) => Ok(failure.into()),
        _ => timed_out(failure, format, cx),
    }
}

fn timed_out(failure: Failure, format: Format, cx: &mut Context) -> Result<Stop, Stop> {
    told("Timeout waiting for election results", failure, format, cx)
}

/// The reference says this on standard output, where scripts look for it.
fn told(message: &str, cause: Failure, format: Format, cx: &mut Context) -> Result<Stop, Stop> {
    if format == Format::Table {
        writeln!(cx.out, "{message}")?;
    }
    let mut failure = Failure::new(message).hint(cause.message);
    failure.hints.extend(cause.hints);
    Ok(failure.into())
}

fn is_failure(outcome: &Result<(), ApiError>) -> bool {
    matches!(outcome, Err(error) if error.code != ErrorCode::ElectionNotNeeded)
}

fn is_unknown(outcome: &Result<(), ApiError>) -> bool {
    matches!(outcome, Err(error) if error.code == ErrorCode::UnknownTopicOrPartition)
}

/// As the reference writes it, in the order of its maps.
fn table(kind: ElectionType, outcomes: &Outcomes<TopicPartition>) -> String {
    let mut rows: Vec<&(TopicPartition, Result<(), ApiError>)> = outcomes.iter().collect();
    java_order::sort_by_hash(&mut rows, None, |row| java_order::hash_of(&row.0));
    let of = |wanted: fn(&Result<(), ApiError>) -> bool| {
        let mut chosen: Vec<&TopicPartition> = Vec::new();
        chosen.extend(rows.iter().filter(|row| wanted(&row.1)).map(|row| &row.0));
        java_order::sort_by_hash(&mut chosen, None, |at| java_order::hash_of(at));
        let names: Vec<String> = chosen.iter().map(ToString::to_string).collect();
        visible(&names.join(", ")).into_owned()
    };
    let (elected, valid) = (of(Result::is_ok), of(|it| it.is_err() && !is_failure(it)));
    let name = name(kind);
    let mut text = String::new();
    if !elected.is_empty() {
        text +=
            &format!("Successfully completed leader election ({name}) for partitions {elected}\n");
    }
    if !valid.is_empty() {
        text += &format!("Valid replica already elected for partitions {valid}\n");
    }
    for (at, outcome) in rows {
        if let Err(error) = outcome
            && is_failure(outcome)
        {
            let error = connect::exception(error);
            let line =
                format!("Error completing leader election ({name}) for partition: {at}: {error}");
            text += &format!("{}\n", visible(&line));
        }
    }
    text
}

fn report(kind: ElectionType, outcomes: &Outcomes<TopicPartition>) -> Report {
    let row = |(at, outcome): &(TopicPartition, Result<(), ApiError>)| {
        let (said, error) = match outcome {
            Ok(()) => ("elected", None),
            Err(_) if !is_failure(outcome) => ("notNeeded", None),
            Err(error) => ("failed", Some(output::json_error(error))),
        };
        json!({ "topic": at.topic, "partition": at.partition, "outcome": said, "error": error })
    };
    let partitions: Vec<Value> = outcomes.iter().map(row).collect();
    Report {
        value: json!({
            "version": JSON_VERSION,
            "electionType": name(kind).to_lowercase(),
            "partitions": partitions,
        }),
        rows: ROWS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_partitions_once_each() {
        let text =
            r#"{"partitions": [{"topic": "a", "partition": 1}, {"topic": "b", "partition": 0}]}"#;
        let expected = [TopicPartition::new("a", 1), TopicPartition::new("b", 0)];
        assert_eq!(parse(text).unwrap(), expected);
        for (text, words) in [
            ("", "Replica election data is empty"),
            (
                "{}",
                "Replica election data is missing \"partitions\" field",
            ),
            (r#"{"partitions": 7}"#, "Expected JSON array, received 7"),
            (
                r#"{"partitions": [{"topic": "a"}]}"#,
                "No such field exists: `partition`",
            ),
            (
                r#"{"partitions": [{"topic": "a", "partition": 1}, {"topic": "a", "partition": 1}]}"#,
                "Replica election data contains duplicate partitions: [a-1]",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().message, words, "{text}");
        }
    }

    #[test]
    fn what_needs_no_election_is_no_failure() {
        let error = |code: ErrorCode| Err(ApiError::of_code(code));
        let outcomes = vec![
            (TopicPartition::new("a", 1), Ok(())),
            (
                TopicPartition::new("a", 2),
                error(ErrorCode::ElectionNotNeeded),
            ),
            (
                TopicPartition::new("a", 3),
                error(ErrorCode::PreferredLeaderNotAvailable),
            ),
        ];
        assert_eq!(
            table(ElectionType::Preferred, &outcomes),
            "Successfully completed leader election (PREFERRED) for partitions a-1\n\
             Valid replica already elected for partitions a-2\n\
             Error completing leader election (PREFERRED) for partition: a-3: \
             org.apache.kafka.common.errors.PreferredLeaderNotAvailableException: \
             The preferred leader was not available.\n"
        );
    }
}
