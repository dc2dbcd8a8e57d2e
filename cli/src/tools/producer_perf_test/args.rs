//! The options, and the reference's checks on them.

use clap::{ArgAction, ArgGroup, Parser};
use rand::Rng;

use crate::argparse::{number, refused};
use crate::options::{read_properties, set};
use crate::output::{Format, Output};
use crate::stop::{Failure, Stop};

use super::PROGRAM;
use super::payload::Source;

/// Measure how fast a topic takes records, and how long each waits for its acknowledgement.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-producer-perf-test",
    group(ArgGroup::new("payload").required(true).args(["record_size", "payload_file", "payload_monotonic"])),
    after_help = "\
Examples:
  ottla producer-perf-test --bootstrap-server localhost:9092 --topic load --num-records 1000000 --record-size 100 --throughput -1
  ottla producer-perf-test --bootstrap-server localhost:9092 --topic load --num-records 60000 --record-size 1000 --throughput 1000 --command-property acks=1 linger.ms=20
  ottla producer-perf-test --bootstrap-server localhost:9092 --topic load --num-records 100000 --payload-monotonic --throughput -1 --transactional-id load-1 --transaction-duration-ms 500 --output json"
)]
pub(super) struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS")]
    bootstrap_server: Option<String>,
    /// The topic to send to
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// So many records are sent
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, value_parser = number::<i64>("Long"))]
    num_records: i64,
    /// A regular expression that stands between the payloads of --payload-file
    #[arg(long, value_name = "REGEX", default_value = "\\n")]
    payload_delimiter: String,
    /// So many records a second at most, fractions too; -1 is no limit
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = number::<f64>("Double"))]
    throughput: f64,
    /// Old name of --command-property
    #[arg(long, value_name = "KEY=VALUE", num_args = 1.., action = ArgAction::Set)]
    producer_props: Option<Vec<String>>,
    /// Properties of the producer, each as KEY=VALUE; they win over those of --command-config
    #[arg(long, value_name = "KEY=VALUE", num_args = 1.., action = ArgAction::Set)]
    command_property: Option<Vec<String>>,
    /// Old name of --command-config
    #[arg(long = "producer.config", value_name = "FILE")]
    producer_config: Option<String>,
    /// A file with properties of the producer
    #[arg(long, value_name = "FILE")]
    command_config: Option<String>,
    /// Print what the producer has counted at the end
    #[arg(long)]
    print_metrics: bool,
    /// Send the records in transactions, under this id
    #[arg(long, value_name = "ID")]
    transactional_id: Option<String>,
    /// Commit after so long, and go on in the next transaction [with a transactional id: 3000]; without an id one is made up
    #[arg(long, value_name = "MS", allow_negative_numbers = true, value_parser = number::<i64>("Long"))]
    transaction_duration_ms: Option<i64>,
    /// So many records come before the steady state, which has a summary of its own
    #[arg(long, value_name = "COUNT", default_value = "0", allow_negative_numbers = true, value_parser = number::<i64>("Long"))]
    warmup_records: i64,
    /// How often to tell how it goes, in milliseconds
    #[arg(long, value_name = "MS", default_value = "5000", allow_negative_numbers = true, value_parser = number::<i64>("Long"))]
    reporting_interval: i64,
    /// Size of each record's value in bytes, random letters
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, value_parser = number::<i32>("Integer"))]
    record_size: Option<i32>,
    /// A file with values, of which each record gets one by chance
    #[arg(long, value_name = "FILE")]
    payload_file: Option<String>,
    /// Values are the numbers from 0 on
    #[arg(long)]
    payload_monotonic: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

/// What shall be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) topic: String,
    pub(super) records: u64,
    pub(super) warmup_records: u64,
    pub(super) throughput: f64,
    pub(super) reporting_interval_ms: u64,
    pub(super) source: Source,
    pub(super) properties: Vec<(String, String)>,
    /// How long a transaction takes; `None` without transactions.
    pub(super) transaction_duration_ms: Option<u64>,
    pub(super) print_metrics: bool,
    pub(super) format: Format,
}

/// The reference's checks, in its order. `notices` gets what is told of old names, also where a later check fails.
pub(super) fn plan(args: Args, notices: &mut Vec<&'static str>) -> Result<Plan, Stop> {
    let records = positive(args.num_records, "--num-records")?;
    let warmup_records = u64::try_from(args.warmup_records).unwrap_or(0);
    if warmup_records >= records {
        return Err(wrong(
            "The value for --warmup-records must be strictly fewer than the number of records in the test, --num-records.",
        ));
    }
    let record_size = match args.record_size {
        Some(size) => Some(positive(i64::from(size), "--record-size")?),
        None => None,
    };
    let properties = args.command_property.is_some() || args.producer_props.is_some();
    let files = args.command_config.is_some() || args.producer_config.is_some();
    if args.bootstrap_server.is_none() && !properties && !files {
        return Err(wrong(
            "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or --command-config must be specified.",
        ));
    }
    if args.command_property.is_some() && args.producer_props.is_some() {
        return Err(wrong(
            "--command-property and --producer-props cannot be specified together.",
        ));
    }
    if args.command_config.is_some() && args.producer_config.is_some() {
        return Err(wrong(
            "--command-config and --producer.config cannot be specified together.",
        ));
    }
    let duration_ms = match args.transaction_duration_ms {
        Some(ms) => Some(positive(ms, "--transaction-duration-ms")?),
        None => None,
    };
    let reporting_interval_ms = positive(args.reporting_interval, "--reporting-interval")?;
    if args.producer_props.is_some() {
        notices.push("Option --producer-props has been deprecated and will be removed in a future version. Use --command-property instead.");
    }
    if args.producer_config.is_some() {
        notices.push("Option --producer.config has been deprecated and will be removed in a future version. Use --command-config instead.");
    }
    let file = args.command_config.or(args.producer_config);
    let words = args.command_property.or(args.producer_props);
    let mut properties = properties_of(file.as_deref(), &words.unwrap_or_default())?;
    if let Some(servers) = args.bootstrap_server {
        set(&mut properties, "bootstrap.servers", servers);
    }
    let known_id = properties.iter().find(|(key, _)| key == "transactional.id");
    let known_id = args
        .transactional_id
        .or(known_id.map(|(_, id)| id.to_owned()));
    let has_transactions = known_id.is_some() || duration_ms.is_some();
    if has_transactions {
        set(
            &mut properties,
            "transactional.id",
            known_id.unwrap_or_else(made_up_id),
        );
    }
    Ok(Plan {
        topic: args.topic,
        records,
        warmup_records,
        throughput: args.throughput,
        reporting_interval_ms,
        source: match (record_size, args.payload_file) {
            (Some(size), _) => Source::Random(usize::try_from(size).unwrap_or(usize::MAX)),
            (_, Some(path)) => Source::File {
                path,
                delimiter: args.payload_delimiter,
            },
            _ => Source::Monotonic,
        },
        properties,
        transaction_duration_ms: has_transactions.then_some(duration_ms.unwrap_or(3000)),
        print_metrics: args.print_metrics,
        format: args.output.output,
    })
}

fn wrong(reason: &str) -> Stop {
    refused(PROGRAM, reason)
}

fn positive(number: i64, option: &str) -> Result<u64, Stop> {
    match u64::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(wrong(&format!("{option} should be greater than zero."))),
    }
}

/// The file, and on top of it the words of the command line.
fn properties_of(file: Option<&str>, words: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let mut properties = match file {
        Some(path) => read_properties(path)?,
        None => Vec::new(),
    };
    for word in words {
        // Separators at the end count for nothing in the reference.
        match word.trim_end_matches('=').split_once('=') {
            Some((key, value)) if !value.contains('=') => {
                set(&mut properties, key, value.to_owned());
            }
            _ => return Err(Failure::new(format!("Invalid property: {word}"))),
        }
    }
    if properties.iter().all(|(key, _)| key != "client.id") {
        set(
            &mut properties,
            "client.id",
            "perf-producer-client".to_owned(),
        );
    }
    Ok(properties)
}

fn made_up_id() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("performance-producer-{text}")
}

#[cfg(test)]
mod tests {
    use crate::argparse;
    use crate::context::Context;

    use super::*;

    const BASE: &str = "--bootstrap-server h:1 --topic t --throughput -1";

    fn planned(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let mut cx = Context::of_process(PROGRAM);
        let args: Result<Args, Stop> = argparse::start(&words, PROGRAM, &mut cx);
        let plan = args.and_then(|args| plan(args, &mut Vec::new()));
        plan.map_err(|stop| match stop {
            Stop::Usage(text) => text,
            Stop::Failed(failure) => failure.message,
            other => format!("{other:?}"),
        })
    }

    fn property<'a>(plan: &'a Plan, key: &str) -> Option<&'a str> {
        let found = plan.properties.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn what_is_wrong_is_said_in_the_references_words() {
        for (line, reason) in [
            (
                "--num-records 10",
                "one of the arguments --record-size --payload-file --payload-monotonic is required",
            ),
            (
                "--num-records 1 --record-size 10 --payload-monotonic",
                "argument --payload-monotonic: not allowed with argument --record-size",
            ),
            (
                "--num-records 1 --payload-file f --record-size 10",
                "argument --record-size: not allowed with argument --payload-file",
            ),
            ("--record-size 10", "argument --num-records is required"),
            (
                "--num-records 0 --record-size 10",
                "--num-records should be greater than zero.",
            ),
            (
                "--num-records 5 --record-size -1",
                "--record-size should be greater than zero.",
            ),
            (
                "--num-records 5 --payload-monotonic --warmup-records 5",
                "The value for --warmup-records must be strictly fewer than the number of records in the test, --num-records.",
            ),
            (
                "--num-records 5 --payload-monotonic --transaction-duration-ms 0",
                "--transaction-duration-ms should be greater than zero.",
            ),
            (
                "--num-records 5 --payload-monotonic --reporting-interval -5",
                "--reporting-interval should be greater than zero.",
            ),
            (
                "--num-records 5 --payload-monotonic --producer-props a=b --command-property c=d",
                "--command-property and --producer-props cannot be specified together.",
            ),
            (
                "--num-records 5 --payload-monotonic --producer.config a --command-config b",
                "--command-config and --producer.config cannot be specified together.",
            ),
        ] {
            let expected = format!("{PROGRAM}: error: {reason}");
            assert_eq!(planned(&format!("{BASE} {line}")).unwrap_err(), expected);
        }
        let nowhere = "--topic t --throughput 1 --num-records 1 --payload-monotonic";
        let said = planned(nowhere).unwrap_err();
        assert!(
            said.contains("At least one of --bootstrap-server"),
            "{said}"
        );
        let missing = planned("--num-records 1 --throughput 1 --payload-monotonic");
        let expected = format!("{PROGRAM}: error: argument --topic is required");
        assert_eq!(missing.unwrap_err(), expected);
    }

    #[test]
    fn properties_come_in_one_list_and_what_has_an_option_wins() {
        let line = "--num-records 9 --payload-monotonic --command-property acks=1 bootstrap.servers=x:1 linger.ms=5";
        let plan = planned(&format!("{BASE} {line}")).unwrap();
        assert_eq!(property(&plan, "bootstrap.servers"), Some("h:1"));
        assert_eq!(property(&plan, "acks"), Some("1"));
        assert_eq!(property(&plan, "linger.ms"), Some("5"));
        assert_eq!(property(&plan, "client.id"), Some("perf-producer-client"));
        for word in ["acks", "acks=", "a=b=c"] {
            let line =
                format!("{BASE} --num-records 1 --payload-monotonic --producer-props {word}");
            assert_eq!(
                planned(&line).unwrap_err(),
                format!("Invalid property: {word}")
            );
        }
    }

    #[test]
    fn an_id_or_a_duration_makes_transactions() {
        let of = |line: &str| {
            let line = format!("{BASE} --num-records 1 --payload-monotonic {line}");
            let plan = planned(&line).unwrap();
            let id = property(&plan, "transactional.id").map(str::to_owned);
            (id, plan.transaction_duration_ms)
        };
        assert_eq!(of(""), (None, None));
        let id = |id: &str| Some(id.to_owned());
        assert_eq!(of("--transactional-id a"), (id("a"), Some(3000)));
        assert_eq!(
            of("--command-property transactional.id=b --transaction-duration-ms 7"),
            (id("b"), Some(7))
        );
        let (made_up, duration_ms) = of("--transaction-duration-ms 5");
        assert!(made_up.unwrap().starts_with("performance-producer-"));
        assert_eq!(duration_ms, Some(5));
    }
}
