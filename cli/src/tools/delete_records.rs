//! `kafka-delete-records`: deletes what lies before an offset of each partition that a file names.

use std::collections::HashSet;
use std::io::Write as _;

use clap::{CommandFactory, Parser};
use ottla_client::ApiError;
use ottla_client::admin::{Outcomes, TopicPartition};
use ottla_protocol::errors::ErrorCode;
use serde_json::{Value, json};

use crate::connect::{self, failed};
use crate::context::{self, Context};
use crate::jopt;
use crate::json_file;
use crate::nearest;
use crate::options::{self, Connection, Given, Standard, ToolArgs};
use crate::output::{self, Format, OutputOnce, Report, Rows};
use crate::stop::{Failure, Stop};
use crate::table::visible;
use crate::tool::Tool;

pub const TOOL: Tool = Tool {
    name: "delete-records",
    link: "kafka-delete-records",
    about: "Delete the records before an offset of partitions",
    command: Args::command,
    run,
};

/// Delete the records before an offset of partitions.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-delete-records",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        echo '{\"partitions\": [{\"topic\": \"orders\", \"partition\": 0, \"offset\": -1}]}' > all.json\n  \
        kafka-delete-records --bootstrap-server localhost:9092 --offset-json-file all.json"
)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// The offsets: {"partitions": [{"topic": "t", "partition": 0, "offset": 3}], "version": 1}; offset -1 is the high
    /// watermark
    #[arg(long, value_name = "FILE")]
    offset_json_file: Vec<String>,
    #[command(flatten)]
    output: OutputOnce,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str =
        "This tool helps to delete records of the given partitions down to the specified offset.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

const JSON_VERSION: u32 = 1;

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let args: Args = options::start(words)?;
    options::require(&[
        Given::values("bootstrap-server", &args.connection.bootstrap_server),
        Given::values("offset-json-file", &args.offset_json_file),
    ])?;
    let format = args.output.format()?;
    let bootstrap = args.connection.servers()?;
    let servers = [("bootstrap.servers", bootstrap)];
    let settings = connect::settings(&args.connection.command_config, &servers, cx)?;
    let file = jopt::one("offset-json-file", &args.offset_json_file)?.unwrap_or_default();
    let before = parse(&json_file::read(file)?)?;
    if cx.is_attended() && !cx.ask(&question(&before))? {
        return Err(Failure::new("Nothing was deleted.").into());
    }
    if format == Format::Table {
        writeln!(cx.out, "Executing records delete operation")?;
    }
    let (outcomes, hints) = context::block_on(async {
        let admin = match connect::admin(settings, CALL).await {
            Ok(admin) => admin,
            // The reference ends with its titles, and an error for each partition.
            Err(connect::Unconnected::NoBroker(failure)) => return Ok((Err(failure), Vec::new())),
            Err(connect::Unconnected::NoAddress(failure)) => return Err(failure),
        };
        let outcomes = admin.delete_records(&before).await.map_err(failed(CALL))?;
        let is_unknown = |error: &ApiError| error.code == ErrorCode::UnknownTopicOrPartition;
        let unknown = outcomes
            .iter()
            .filter(|row| row.1.as_ref().is_err_and(is_unknown));
        let names = unknown.map(|(at, _)| at.topic.as_str());
        let hints = nearest::topics(names, &admin).await;
        Ok((Ok(outcomes), hints))
    })??;
    // In the order of the file; the reference's differs from run to run.
    let outcomes = match outcomes {
        Ok(outcomes) => outcomes,
        Err(failure) if format.is_data() => return Err(failure.into()),
        Err(failure) => {
            let unreachable = |(at, _): &(TopicPartition, i64)| (at.clone(), Err(unknown()));
            let outcomes = before.iter().map(unreachable).collect();
            cx.out.write_all(table(&outcomes).as_bytes())?;
            cx.warn(failure.hints.join("\n"));
            return Ok(());
        }
    };
    if let Format::Data(form) = format {
        cx.out.write_all(report(&outcomes).text(form).as_bytes())?;
        // Nobody has written a script for the reference's way to tell failures here.
        return match outcomes.iter().any(|(_, outcome)| outcome.is_err()) {
            true => Err(Stop::Status(1)),
            false => Ok(()),
        };
    }
    cx.out.write_all(table(&outcomes).as_bytes())?;
    for (at, outcome) in &outcomes {
        if let Err(error) = outcome {
            cx.warn(format!("Nothing of {at} was deleted: {error}."));
        }
    }
    for hint in hints {
        cx.warn(hint);
    }
    Ok(())
}

const CALL: &str = "deleteRecords(api=METADATA)";

fn unknown() -> ApiError {
    ErrorCode::UnknownTopicOrPartition.into()
}

fn question(before: &[(TopicPartition, i64)]) -> String {
    match before {
        [(at, -1)] => format!("Delete all records of {at}?"),
        [(at, offset)] => format!("Delete the records of {at} before offset {offset}?"),
        all => format!("Delete records of {} partitions?", all.len()),
    }
}

/// The offsets, or what is wrong with the file in the reference's words.
fn parse(text: &str) -> Result<Vec<(TopicPartition, i64)>, Failure> {
    let json = json_file::parse(text).map_err(|error| {
        Failure::new("The input string is not a valid JSON").hint(connect::capitalized(error))
    })?;
    json_file::check_version(&json)?;
    let missing = || Failure::new("Missing partitions field");
    let partitions = json_file::array(json.get("partitions").ok_or_else(missing)?)?;
    let parsed: Vec<(TopicPartition, i64)> =
        partitions.iter().map(partition).collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    let twice = parsed.iter().filter(|(at, _)| !seen.insert(at));
    let mut twice: Vec<String> = twice.map(|(at, _)| at.to_string()).collect();
    twice.dedup();
    if !twice.is_empty() {
        return Err(Failure::new(format!(
            "Offset json file contains duplicate topic partitions: {}",
            twice.join(",")
        )));
    }
    Ok(parsed)
}

fn partition(json: &Value) -> Result<(TopicPartition, i64), Failure> {
    let offset = |json| json_file::long(json_file::field(json, "offset")?);
    Ok((json_file::partition(json)?, offset(json)?))
}

fn table(outcomes: &Outcomes<TopicPartition, i64>) -> String {
    let mut text = "Records delete operation completed:\n".to_owned();
    for (at, outcome) in outcomes {
        let outcome = match outcome {
            Ok(low_watermark) => format!("low_watermark: {low_watermark}"),
            Err(error) => format!("error: {}", exception(error)),
        };
        text += &format!("partition: {}\t{outcome}\n", visible(&at.to_string()));
    }
    text
}

/// The reference asks for a partition that does not exist until its time is up.
fn exception(error: &ApiError) -> String {
    match error.code {
        ErrorCode::UnknownTopicOrPartition => connect::exception(&ApiError {
            code: ErrorCode::RequestTimedOut,
            message: Some(format!(
                "Timed out waiting for a node assignment. Call: {CALL}"
            )),
        }),
        _ => visible(&connect::exception(error)).into_owned(),
    }
}

const ROWS: Rows = Rows {
    within: &["partitions"],
    columns: &[
        "topic",
        "partition",
        "lowWatermark",
        "error.code",
        "error.message",
    ],
};

/// docs/json/delete-records.md
fn report(outcomes: &Outcomes<TopicPartition, i64>) -> Report {
    let row = |(at, outcome): &(TopicPartition, Result<i64, ApiError>)| {
        json!({
            "topic": at.topic,
            "partition": at.partition,
            "lowWatermark": outcome.as_ref().ok(),
            "error": outcome.as_ref().err().map(output::json_error),
        })
    };
    let partitions: Vec<Value> = outcomes.iter().map(row).collect();
    Report {
        value: json!({ "version": JSON_VERSION, "partitions": partitions }),
        rows: ROWS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_offsets() {
        let text = r#"{"partitions": [{"topic": "a", "partition": 1, "offset": 7}, {"topic": "b", "partition": 0, "offset": -1}]}"#;
        let expected = [
            (TopicPartition::new("a", 1), 7),
            (TopicPartition::new("b", 0), -1),
        ];
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_in_the_references_words() {
        for (text, words) in [
            ("not json", "The input string is not a valid JSON"),
            (r#"{"version": 9}"#, "Not supported version field value 9"),
            ("{}", "Missing partitions field"),
            (
                r#"{"partitions": [{"topic": "a", "partition": 0}]}"#,
                "No such field exists: `offset`",
            ),
            (
                r#"{"partitions": [{"topic": "a", "partition": 0, "offset": 1}, {"topic": "a", "partition": 0, "offset": 2}]}"#,
                "Offset json file contains duplicate topic partitions: a-0",
            ),
            (
                r#"{"partitions": [{"topic": "a", "partition": 5000000000, "offset": 1}]}"#,
                "Expected `Integer` value, received 5000000000",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().message, words, "{text}");
        }
    }
}
