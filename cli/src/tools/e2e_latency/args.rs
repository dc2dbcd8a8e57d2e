//! The options, the older form without names, and the reference's checks.

use std::io::Write;

use clap::Parser;

use crate::context::Context;
use crate::jopt;
use crate::options::{self, Given, Standard, ToolArgs};
use crate::output::{Format, OutputOnce};
use crate::stop::Stop;

/// Measure how long a record takes from producer to consumer.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-e2e-latency",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "\
Examples:
  ottla e2e-latency --bootstrap-server localhost:9092 --topic ping --num-records 1000 --producer-acks all --record-size 100
  ottla e2e-latency --bootstrap-server localhost:9092 --topic ping --num-records 1000 --producer-acks 1 --record-size 100 --output json"
)]
pub(super) struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS")]
    bootstrap_server: Vec<String>,
    /// The topic to send to and to read; made with one partition where there is none
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// So many records go, one after the other
    #[arg(long, value_name = "COUNT")]
    num_records: Vec<String>,
    /// Who must have a record before it counts as sent: 1 or all
    #[arg(long, value_name = "ACKS")]
    producer_acks: Vec<String>,
    /// Size of each record's value in bytes
    #[arg(long, value_name = "BYTES")]
    record_size: Vec<String>,
    /// Size of each record's key in bytes; 0: no key [0]
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, allow_negative_numbers = true, default_missing_value = "0")]
    record_key_size: Vec<String>,
    /// Size of each header's key in bytes [0]
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, allow_negative_numbers = true, default_missing_value = "0")]
    record_header_key_size: Vec<String>,
    /// Size of each header's value in bytes; -1: no value [0]
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, allow_negative_numbers = true, default_missing_value = "0")]
    record_header_size: Vec<String>,
    /// Headers of each record [0]
    #[arg(long, value_name = "COUNT", num_args = 0..=1, require_equals = true, allow_negative_numbers = true, default_missing_value = "0")]
    num_headers: Vec<String>,
    /// A file with properties for producer and consumer
    #[arg(long, value_name = "FILE")]
    command_config: Vec<String>,
    #[command(flatten)]
    output: OutputOnce,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str = "This tool measures end-to-end latency in Kafka by sending messages and timing their reception.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

/// What shall be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) topic: String,
    pub(super) records: usize,
    pub(super) sizes: Sizes,
    pub(super) format: Format,
    pub(super) producer: Vec<(String, String)>,
    pub(super) consumer: Vec<(String, String)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) value: usize,
    pub(super) key: Option<usize>,
    pub(super) headers: usize,
    pub(super) header_key: usize,
    pub(super) header_value: Option<usize>,
}

/// Of these one tells that options have names.
const NAMES: [&str; 6] = [
    "--bootstrap-server",
    "--topic",
    "--num-records",
    "--producer-acks",
    "--record-size",
    "--help",
];

/// Gives the words of the older form, `SERVERS TOPIC COUNT ACKS BYTES [FILE]`, their names.
pub(super) fn named(words: &[String], cx: &mut Context) -> Result<Vec<String>, Stop> {
    if words.is_empty() || words.iter().any(|word| NAMES.contains(&word.as_str())) {
        return Ok(words.to_vec());
    }
    if words.len() != 5 && words.len() != 6 {
        return Err(Stop::failed(format!(
            "Invalid number of arguments. Expected 5 or 6 positional arguments, but got {}. \
             Usage: bootstrap-server topic num-records producer-acks record-size [optional] command-config",
            words.len()
        )));
    }
    writeln!(
        cx.out,
        "WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. Please use named arguments \
         instead: --bootstrap-server, --topic, --num-records, --producer-acks, --record-size, --command-config"
    )?;
    let names = NAMES[..5].iter().chain(["--command-config"].iter());
    let pairs = names.zip(words);
    Ok(pairs
        .flat_map(|(name, word)| [(*name).to_owned(), word.clone()])
        .collect())
}

/// The reference's checks, in its order.
pub(super) fn plan(args: &Args) -> Result<Plan, Stop> {
    options::require(&[
        Given::values("bootstrap-server", &args.bootstrap_server),
        Given::values("topic", &args.topic),
        Given::values("num-records", &args.num_records),
        Given::values("producer-acks", &args.producer_acks),
        Given::values("record-size", &args.record_size),
    ])?;
    let acks = jopt::one("producer-acks", &args.producer_acks)?.unwrap_or_default();
    if acks != "1" && acks != "all" {
        return Err(Stop::Usage(
            "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. Please use '1' or 'all'."
                .to_owned(),
        ));
    }
    let records = size("num-records", &args.num_records, 1, "a positive integer.")?;
    let natural = |name, values| size(name, values, 0, "a non-negative integer.");
    let value = natural("record-size", &args.record_size)?;
    let key = natural("record-key-size", &args.record_key_size)?;
    let header_key = natural("record-header-key-size", &args.record_header_key_size)?;
    let header_value = size(
        "record-header-size",
        &args.record_header_size,
        -1,
        "a non-negative integer or -1 for null header value.",
    )?;
    let headers = natural("num-headers", &args.num_headers)?;
    let bootstrap = jopt::one("bootstrap-server", &args.bootstrap_server)?.unwrap_or_default();
    let with = |own: &[(&str, &str)]| {
        let overrides = [&[("bootstrap.servers", bootstrap)], own].concat();
        options::client_properties(&args.command_config, &overrides)
    };
    Ok(Plan {
        topic: jopt::one("topic", &args.topic)?
            .unwrap_or_default()
            .to_owned(),
        records: records.unwrap_or(0),
        sizes: Sizes {
            value: value.unwrap_or(0),
            key: key.filter(|size| *size > 0),
            headers: headers.unwrap_or(0),
            header_key: header_key.unwrap_or(0),
            header_value,
        },
        format: args.output.format()?,
        producer: with(&[("linger.ms", "0"), ("acks", acks)])?,
        consumer: with(&[
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "latest"),
            // Nothing waits for more to come.
            ("fetch.max.wait.ms", "0"),
        ])?,
    })
}

/// A number of things or bytes, of `least` at least; `None` for -1.
fn size(name: &str, values: &[String], least: i32, wanted: &str) -> Result<Option<usize>, Stop> {
    let number = jopt::number::<i32>(name, values)?.unwrap_or(0);
    if number < least {
        return Err(Stop::Usage(format!("Value for --{name} must be {wanted}")));
    }
    Ok(usize::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let mut cx = Context::of_process("kafka-e2e-latency");
        cx.out = Box::new(std::io::sink());
        let words = named(&words, &mut cx);
        let args = words.and_then(|words| options::start::<Args>(&words));
        args.and_then(|args| plan(&args))
            .map_err(|stop| match stop {
                Stop::Usage(text) => text,
                Stop::Failed(failure) => failure.message,
                other => format!("{other:?}"),
            })
    }

    const NAMED: &str =
        "--bootstrap-server h:1 --topic t --num-records 50 --producer-acks 1 --record-size 20";

    #[test]
    fn without_names_it_is_the_same() {
        assert_eq!(planned("h:1 t 50 1 20"), planned(NAMED));
        let plan = planned(NAMED).unwrap();
        assert_eq!(
            (plan.records, plan.sizes.value, plan.sizes.key),
            (50, 20, None)
        );
        assert!(plan.producer.contains(&("acks".to_owned(), "1".to_owned())));
    }

    #[test]
    fn keys_and_headers_have_their_sizes() {
        let line = format!(
            "{NAMED} --record-key-size 5 --num-headers 2 --record-header-key-size 3 --record-header-size -1"
        );
        let sizes = planned(&line).unwrap().sizes;
        let expected = Sizes {
            value: 20,
            key: Some(5),
            headers: 2,
            header_key: 3,
            header_value: None,
        };
        assert_eq!(sizes, expected);
    }

    #[test]
    fn what_is_wrong_is_said_in_the_references_words() {
        for (line, reason) in [
            (
                "h:1 t 50".to_owned(),
                "Invalid number of arguments. Expected 5 or 6 positional arguments, but got 3. \
                 Usage: bootstrap-server topic num-records producer-acks record-size [optional] command-config",
            ),
            (
                "h:1 t 50 0 20".to_owned(),
                "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. Please use '1' or 'all'.",
            ),
            (
                "h:1 t 0 1 20".to_owned(),
                "Value for --num-records must be a positive integer.",
            ),
            (
                "--topic t".to_owned(),
                "Missing required argument \"[bootstrap-server]\"",
            ),
            (
                format!("{NAMED} --record-header-size -2"),
                "Value for --record-header-size must be a non-negative integer or -1 for null header value.",
            ),
            (
                format!("{NAMED} --record-key-size -1"),
                "Value for --record-key-size must be a non-negative integer.",
            ),
        ] {
            assert_eq!(planned(&line).unwrap_err(), reason, "{line}");
        }
    }
}
