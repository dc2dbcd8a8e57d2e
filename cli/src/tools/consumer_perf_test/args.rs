//! The options, and the reference's checks on them.

use std::io::Write;
use std::time::Duration;

use clap::Parser;
use rand::RngExt;
use regex::Regex;

use crate::context::Context;
use crate::java_format::DateFormat;
use crate::jopt::{self, OptionError};
use crate::options::{self, Given, Standard, ToolArgs, pairs, set, set_unless_given};
use crate::output::{Format, OutputOnce};
use crate::stop::{Failure, Stop};
use crate::topic_filter;

/// Measure how fast records of topics are read.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-consumer-perf-test",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "\
Examples:
  ottla consumer-perf-test --bootstrap-server localhost:9092 --topic load --num-records 1000000
  ottla consumer-perf-test --bootstrap-server localhost:9092 --include load.* --num-records 1000000 --show-detailed-stats --reporting-interval 1000
  ottla consumer-perf-test --bootstrap-server localhost:9092 --topic load --num-records 100 --timeout 3000 --output json"
)]
pub(super) struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS")]
    bootstrap_server: Vec<String>,
    /// The topic to read
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Read all topics whose whole name matches a regular expression
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// The consumer group to be a member of [perf-consumer-NUMBER]
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Bytes of one partition in a response [1048576]
    #[arg(long, value_name = "BYTES")]
    fetch_size: Vec<String>,
    /// A property of the consumer, KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE")]
    command_property: Vec<String>,
    /// Begin with what comes next, where the group has no offset yet, instead of the first record
    #[arg(long)]
    from_latest: bool,
    /// Size of the socket's receive buffer [2097152]
    #[arg(long, value_name = "BYTES")]
    socket_buffer_size: Vec<String>,
    /// Old name of --command-config
    #[arg(long = "consumer.config", value_name = "FILE")]
    consumer_config: Vec<String>,
    /// A file with properties of the consumer
    #[arg(long, value_name = "FILE")]
    command_config: Vec<String>,
    /// Print what the consumer has counted at the end
    #[arg(long)]
    print_metrics: bool,
    /// Tell how it goes at each reporting interval, instead of a summary
    #[arg(long)]
    show_detailed_stats: bool,
    /// End when no record has come for so long [10000]
    #[arg(long, value_name = "MS", num_args = 0..=1, require_equals = true, allow_negative_numbers = true, default_missing_value = "")]
    timeout: Vec<String>,
    /// Old name of --num-records
    #[arg(long, value_name = "COUNT")]
    messages: Vec<String>,
    /// End after so many records
    #[arg(long, value_name = "COUNT")]
    num_records: Vec<String>,
    /// How often to tell how it goes, in milliseconds [5000]
    #[arg(long, value_name = "MS")]
    reporting_interval: Vec<String>,
    /// How times look, as java.text.SimpleDateFormat has it [yyyy-MM-dd HH:mm:ss:SSS]
    #[arg(long, value_name = "PATTERN")]
    date_format: Vec<String>,
    /// Leave out the line with the names of the columns
    #[arg(long)]
    hide_header: bool,
    #[command(flatten)]
    output: OutputOnce,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool is used to verify the consumer performance.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

#[derive(Debug)]
pub(super) enum Source {
    Topic(String),
    Pattern(Regex),
}

/// What shall be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) source: Source,
    /// Nothing is read where it is not above 0.
    pub(super) records: i64,
    pub(super) timeout: Duration,
    pub(super) details_every_ms: Option<i64>,
    pub(super) dates: DateFormat,
    pub(super) print_metrics: bool,
    pub(super) format: Format,
    pub(super) properties: Vec<(String, String)>,
}

/// The checks that come before anything is printed, and the warnings of old names.
pub(super) fn check(args: &Args, cx: &mut Context) -> Result<(), Stop> {
    options::require(&[Given::values("bootstrap-server", &args.bootstrap_server)])?;
    for (one, one_values, other, other_values) in [
        ("topic", &args.topic, "include", &args.include),
        ("messages", &args.messages, "num-records", &args.num_records),
    ] {
        if one_values.is_empty() == other_values.is_empty() {
            return Err(Stop::Usage(format!(
                "Exactly one of the following arguments is required: [{one}], [{other}]"
            )));
        }
    }
    options::forbid(
        Given::values("consumer.config", &args.consumer_config),
        &[Given::values("command-config", &args.command_config)],
    )?;
    let mut warnings = Vec::new();
    if !args.messages.is_empty() {
        warnings.push("Warning: --messages is deprecated. Use --num-records instead.");
    }
    if !args.consumer_config.is_empty() {
        warnings.push("Warning: --consumer.config is deprecated. Use --command-config instead.");
    }
    for warning in warnings {
        match format(args)? {
            Format::Table => writeln!(cx.out, "{warning}")?,
            Format::Data(_) => cx.warn(warning),
        }
    }
    Ok(())
}

/// The line above the figures, where there is one.
pub(super) fn header(args: &Args, format: Format) -> Option<&'static str> {
    let is_hidden = args.hide_header || format.is_data();
    match (is_hidden, args.show_detailed_stats) {
        (true, _) => None,
        (_, false) => Some(
            "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
             rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec",
        ),
        (_, true) => Some(
            "time, threadId, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
             rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec",
        ),
    }
}

/// Beside data nothing else is on standard output.
pub(super) fn format(args: &Args) -> Result<Format, Stop> {
    args.output.format()
}

pub(super) fn plan(args: &Args) -> Result<Plan, Stop> {
    let records = match args.num_records.is_empty() {
        true => jopt::number("messages", &args.messages)?,
        false => jopt::number("num-records", &args.num_records)?,
    };
    let every_ms = interval_ms(args)?;
    let pattern = jopt::one("date-format", &args.date_format)?;
    let pattern = pattern.unwrap_or("yyyy-MM-dd HH:mm:ss:SSS");
    let timeout_ms = match jopt::one("timeout", &args.timeout)? {
        None | Some("") => 10_000,
        Some(_) => jopt::number::<i64>("timeout", &args.timeout)?.unwrap_or(0),
    };
    Ok(Plan {
        source: match jopt::one("include", &args.include)? {
            Some(pattern) => Source::Pattern(topic_filter::whole_name(pattern)?),
            None => {
                let topic = jopt::one("topic", &args.topic)?.unwrap_or_default();
                Source::Topic(topic.to_owned())
            }
        },
        records: records.unwrap_or(0),
        timeout: Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0)),
        details_every_ms: args.show_detailed_stats.then_some(every_ms),
        dates: DateFormat::of_pattern(pattern).map_err(Failure::new)?,
        print_metrics: args.print_metrics,
        format: format(args)?,
        properties: properties(args)?,
    })
}

fn interval_ms(args: &Args) -> Result<i64, Stop> {
    let Some(text) = jopt::one("reporting-interval", &args.reporting_interval)? else {
        return Ok(5000);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(0) => Err(Stop::failed("Reporting interval must be greater than 0.")),
        Ok(ms) if digits => Ok(ms),
        _ => Err(OptionError::NotANumber {
            name: "reporting-interval".to_owned(),
            value: text.to_owned(),
            reason: "a number of milliseconds is wanted",
        }
        .into()),
    }
}

/// The file, on top of it the properties of the command line, and on top of both what has an option of its own.
fn properties(args: &Args) -> Result<Vec<(String, String)>, Stop> {
    let file = match args.command_config.is_empty() {
        true => jopt::one("consumer.config", &args.consumer_config)?,
        false => jopt::one("command-config", &args.command_config)?,
    };
    let mut properties = match file {
        Some(path) => options::read_properties(path)?,
        None => Vec::new(),
    };
    for (key, value) in pairs(&args.command_property) {
        set(&mut properties, &key, value);
    }
    let bootstrap = jopt::one("bootstrap-server", &args.bootstrap_server)?.unwrap_or_default();
    let made_up = || format!("perf-consumer-{}", rand::rng().random_range(0..100_000));
    let group = jopt::one("group", &args.group)?.map_or_else(made_up, str::to_owned);
    let number = |name: &str, values: &[String], default: i32| {
        let given = jopt::number::<i32>(name, values)?;
        Ok::<_, Stop>(given.unwrap_or(default).to_string())
    };
    let reset = if args.from_latest {
        "latest"
    } else {
        "earliest"
    };
    for (key, value) in [
        ("bootstrap.servers", bootstrap.to_owned()),
        ("group.id", group),
        (
            "receive.buffer.bytes",
            number("socket-buffer-size", &args.socket_buffer_size, 2_097_152)?,
        ),
        (
            "max.partition.fetch.bytes",
            number("fetch-size", &args.fetch_size, 1_048_576)?,
        ),
        ("auto.offset.reset", reset.to_owned()),
        ("check.crcs", "false".to_owned()),
    ] {
        set(&mut properties, key, value);
    }
    set_unless_given(&mut properties, "client.id", None, "perf-consumer-client");
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(line: &str) -> Result<Plan, String> {
        let line = format!("--bootstrap-server h:1 {line}");
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).expect("options that exist");
        let mut cx = Context::of_process("kafka-consumer-perf-test");
        cx.out = Box::new(std::io::sink());
        let plan = check(&args, &mut cx).and_then(|()| plan(&args));
        plan.map_err(|stop| match stop {
            Stop::Usage(text) => text,
            Stop::Failed(failure) => failure.message,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn what_is_wrong_is_said_in_the_references_words() {
        let exactly = "Exactly one of the following arguments is required:";
        for (line, reason) in [
            ("--topic t", format!("{exactly} [messages], [num-records]")),
            ("--num-records 5", format!("{exactly} [topic], [include]")),
            (
                "--topic t --include t --num-records 5",
                format!("{exactly} [topic], [include]"),
            ),
            (
                "--topic t --num-records 5 --consumer.config a --command-config b",
                "Option \"[consumer.config]\" can't be used with option \"[command-config]\""
                    .to_owned(),
            ),
            (
                "--topic t --num-records x",
                "Cannot parse argument 'x' of option num-records".to_owned(),
            ),
            (
                "--topic t --num-records 5 --reporting-interval -5",
                "Cannot parse argument '-5' of option reporting-interval".to_owned(),
            ),
            (
                "--topic t --num-records 5 --reporting-interval 0",
                "Reporting interval must be greater than 0.".to_owned(),
            ),
            (
                "--topic t --num-records 5 --date-format b",
                "Illegal pattern character 'b'".to_owned(),
            ),
        ] {
            assert_eq!(planned(line).unwrap_err(), reason, "{line}");
        }
    }

    #[test]
    fn what_has_an_option_wins_over_properties() {
        let line = "--topic t --messages 5 --group g --command-property auto.offset.reset=latest --timeout soon --fetch-size 7";
        let plan = planned(line).unwrap();
        let value = |key: &str| {
            let mut found = plan.properties.iter().filter(|(known, _)| known == key);
            found.next().map(|(_, value)| value.as_str())
        };
        assert_eq!(value("auto.offset.reset"), Some("earliest"));
        assert_eq!(value("group.id"), Some("g"));
        assert_eq!(value("max.partition.fetch.bytes"), Some("7"));
        assert_eq!(value("client.id"), Some("perf-consumer-client"));
        assert_eq!((plan.records, plan.timeout.as_millis()), (5, 10_000));
        assert_eq!(plan.details_every_ms, None);
    }
}
