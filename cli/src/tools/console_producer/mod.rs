//! `kafka-console-producer`: lines of standard input become records of a topic.
//!
//! A record that could not be delivered is told on standard error and leaves the exit status at 0, as in the
//! reference; a line that cannot be split, or a configuration that makes no sense, ends the tool with 1. With `--sync`
//! and with `--transactional-id`, which the reference lacks, every failure does. A `transactional.id` among the properties
//! alone begins no transaction, as there: the first record ends the tool with 1.

mod input;
mod line_reader;
mod lines;
mod own;
mod transactions;
mod written;

use std::io::Write;
use std::sync::Arc;

use clap::{CommandFactory, Parser};

use jiff::Timestamp;
use ottla_client::cluster::{Cluster, ClusterSettings};
use ottla_client::producer::{Producer, ProducerSettings, Record};

use crate::connect;
use crate::context::{self, Context};
use crate::jopt;
use crate::options::{self, Given, Standard, ToolArgs, pairs, set, set_unless_given};
use crate::output::Format;
use crate::producing::{self, Troubles};
use crate::signals::Signals;
use crate::stop::{Failure, Stop};
use crate::tool::Tool;
use input::Input;
use line_reader::{LineReader, Parsed};
use own::{EveryRecord, OwnArgs, Source};
use written::Written;

pub const TOOL: Tool = Tool {
    name: "console-producer",
    link: "kafka-console-producer",
    about: "Send lines of standard input to a topic",
    command: Args::command,
    run,
};

/// The reference's reader of lines, and the only one.
const LINE_READER: &str = "org.apache.kafka.tools.LineMessageReader";

/// Send lines of standard input to a topic.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "kafka-console-producer",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        echo 'a record' | kafka-console-producer --bootstrap-server localhost:9092 --topic orders\n  \
        echo 'key:value' | kafka-console-producer --bootstrap-server localhost:9092 --topic orders --reader-property parse.key=true --reader-property key.separator=:\n  \
        ottla console-producer --bootstrap-server localhost:9092 --topic orders --key k1 --header source=shop --from-file records.txt\n  \
        ottla console-producer --bootstrap-server localhost:9092 --topic orders --partition 1 --from-file records.txt --whole\n  \
        echo | ottla console-producer --bootstrap-server localhost:9092 --topic orders --key k1 --empty-as-null"
)]
pub struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "SERVERS")]
    bootstrap_server: Vec<String>,
    /// The topic to send to
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Wait for the acknowledgement of each record before the next line is read
    #[arg(long)]
    sync: bool,
    /// Send the lines in a transaction that is committed at the end of the input, under this id
    #[arg(long, value_name = "ID")]
    transactional_id: Vec<String>,
    /// Commit after so many records, and go on in the next transaction; with --transactional-id
    #[arg(long, value_name = "COUNT")]
    commit_every: Vec<String>,
    /// Compress with none, gzip, snappy, lz4 or zstd; gzip where no name is given
    #[arg(long, value_name = "CODEC", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    compression_codec: Vec<String>,
    /// Bytes of a batch [262144; 16384 where other sizes are set, or without idempotence]
    #[arg(long, value_name = "BYTES")]
    batch_size: Vec<String>,
    /// How often a failed request is repeated [3]
    #[arg(long, value_name = "COUNT")]
    message_send_max_retries: Vec<String>,
    /// How long to wait before a request is repeated [100]
    #[arg(long, value_name = "MS")]
    retry_backoff_ms: Vec<String>,
    /// How long a batch may wait for more records [1000]
    #[arg(long, value_name = "MS")]
    timeout: Vec<String>,
    /// Who must have a record before it counts as sent: 0, 1, -1 or all [-1]
    #[arg(long, value_name = "ACKS")]
    request_required_acks: Vec<String>,
    /// How long a request may take [1500]
    #[arg(long, value_name = "MS")]
    request_timeout_ms: Vec<String>,
    /// After how long metadata is asked for again [300000]
    #[arg(long, value_name = "MS")]
    metadata_expiry_ms: Vec<String>,
    /// How long sending may wait for metadata or memory [60000]
    #[arg(long, value_name = "MS")]
    max_block_ms: Vec<String>,
    /// Memory for records that are not sent yet [8388608; 33554432 where other sizes are set, or without idempotence]
    #[arg(long, value_name = "BYTES")]
    max_memory_bytes: Vec<String>,
    /// Old name of --batch-size
    #[arg(long, value_name = "BYTES")]
    max_partition_memory_bytes: Vec<String>,
    /// Size of the socket's send buffer [102400]
    #[arg(long, value_name = "BYTES")]
    socket_buffer_size: Vec<String>,
    /// The reader of lines; only the reference's own, org.apache.kafka.tools.LineMessageReader, is built in
    #[arg(long, value_name = "CLASS")]
    line_reader: Vec<String>,
    /// A property of the line reader, KEY=VALUE: parse.key, key.separator, parse.headers, headers.delimiter,
    /// headers.separator, headers.key.separator, null.marker, ignore.error
    #[arg(long, value_name = "KEY=VALUE")]
    reader_property: Vec<String>,
    /// Old name of --reader-property
    #[arg(long, value_name = "KEY=VALUE")]
    property: Vec<String>,
    /// A file with properties of the line reader
    #[arg(long, value_name = "FILE")]
    reader_config: Vec<String>,
    /// A property of the producer, KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE")]
    command_property: Vec<String>,
    /// Old name of --command-property
    #[arg(long, value_name = "KEY=VALUE")]
    producer_property: Vec<String>,
    /// A file with properties of the producer
    #[arg(long, value_name = "FILE")]
    command_config: Vec<String>,
    /// Old name of --command-config
    #[arg(long = "producer.config", value_name = "FILE")]
    producer_config: Vec<String>,

    #[command(flatten)]
    own: OwnArgs,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str =
        "This tool helps to read data from standard input and publish it to Kafka.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

/// What shall be done.
#[derive(Debug)]
struct Plan {
    topic: String,
    sync: bool,
    source: Source,
    reader: LineReader,
    every: EveryRecord,
    /// Records of a transaction; all of the input where nothing is said.
    commit_every: Option<u64>,
    /// Of the report on what was written; a table has none, as the reference has none.
    output: Format,
    /// The producer's properties.
    properties: Vec<(String, String)>,
    /// Nobody has set any of the sizes that have to fit each other.
    are_sizes_free: bool,
    /// Whether the lines go into transactions, as only the option asks.
    is_transactional: bool,
}

impl Plan {
    /// What a line says, and what all records have.
    fn parse<'a>(&'a self, line: &'a [u8], number: u64) -> Result<Parsed<'a>, Failure> {
        let mut parsed = self.reader.parse(line, number)?;
        self.every.complete(&mut parsed);
        Ok(parsed)
    }

    fn record<'a>(&'a self, parsed: &'a Parsed<'a>, timestamp: Option<i64>) -> Record<'a> {
        Record {
            topic: &self.topic,
            partition: self.every.partition,
            key: parsed.key,
            value: parsed.value,
            headers: &parsed.headers,
            timestamp,
        }
    }
}

/// How much of a line is kept: more than a record may have, so that one that is cut is refused, whatever its headers and key
/// take away of it.
fn line_bytes_max(producer: &ProducerSettings) -> usize {
    let record_max = producer.request_bytes_max;
    record_max.saturating_mul(2).saturating_add(64 * 1024)
}

fn run(words: &[String], cx: &mut Context) -> Result<(), Stop> {
    let mut args: Args = options::start(words)?;
    options::require(&[Given::values("topic", &args.topic)])?;
    rename_old_options(&mut args, cx)?;
    let plan = plan(&args)?;
    let (cluster, mut producer) = producing::settings(&plan.properties, cx)?;
    plan.choose_sizes(&mut producer);
    let (troubles, written) = (Troubles::default(), Written::default());
    let (seen, taken) = (troubles.clone(), written.clone());
    let is_told = plan.output.is_data();
    producer.observer = Some(Arc::new(move |report| {
        seen.note(report);
        if is_told {
            taken.note(report);
        }
    }));
    if plan.commit_every.is_some() && !plan.is_transactional {
        return Err(Stop::Usage(
            "Option --commit-every needs --transactional-id.".to_owned(),
        ));
    }
    let sent = send(&plan, cluster, producer, &troubles, cx);
    match plan.output {
        Format::Table => sent,
        // Of a transaction that failed nothing is there.
        Format::Data(_) if plan.is_transactional && sent.is_err() => sent,
        Format::Data(form) => {
            let failed = troubles.count();
            let report = written.report(&plan.topic, failed);
            cx.out.write_all(report.text(form).as_bytes())?;
            sent.and(match failed {
                0 => Ok(()),
                _ => Err(Stop::Status(1)),
            })
        }
    }
}

fn send(
    plan: &Plan,
    cluster: ClusterSettings,
    producer: ProducerSettings,
    troubles: &Troubles,
    cx: &mut Context,
) -> Result<(), Stop> {
    let close_within = producer.delivery_timeout;
    context::block_on(async {
        let mut signals = Signals::listen()?;
        let connecting = async { Ok(Cluster::connect(cluster).await) };
        match signals.allow(connecting).await? {
            Ok(cluster) if plan.is_transactional => {
                transactions::send_lines(plan, cluster, producer, &mut signals, cx).await
            }
            Ok(cluster) => {
                let mut input = Input::of(&plan.source, line_bytes_max(&producer), cx);
                if producer.transactions.is_some() {
                    return signals.allow(never_begun(plan, &mut input, cx)).await;
                }
                let producer = Producer::start(cluster, producer);
                let sending = send_lines(plan, input, &producer, troubles, cx);
                let sent = signals.allow(sending).await;
                // What was read is sent, also after Ctrl-C; another one ends that, too.
                producer.close(close_within).await;
                troubles.tell(&plan.topic, cx);
                sent
            }
            Err(error) if plan.is_transactional || connect::has_no_address(&error) => {
                Err(Failure::new(format!("{error}.")).into())
            }
            Err(error) => {
                // Like every failed send, this leaves the status at 0.
                cx.warn(format!(
                    "Nothing was sent to topic {}: {error}.",
                    plan.topic
                ));
                match plan.output {
                    Format::Table => Ok(()),
                    Format::Data(_) => Err(Stop::Status(1)),
                }
            }
        }
    })?
}

/// Reads old names as the new ones, with a warning where the reference puts it: on standard output.
fn rename_old_options(args: &mut Args, cx: &mut Context) -> Result<(), Stop> {
    let format = args.own.output.format()?;
    let mut renamed = [
        (
            "producer-property",
            &mut args.producer_property,
            "command-property",
            &mut args.command_property,
        ),
        (
            "producer.config",
            &mut args.producer_config,
            "command-config",
            &mut args.command_config,
        ),
        (
            "property",
            &mut args.property,
            "reader-property",
            &mut args.reader_property,
        ),
    ];
    for (old, old_values, new, new_values) in &renamed {
        if !old_values.is_empty() && !new_values.is_empty() {
            return Err(Stop::Usage(format!(
                "Options --{new} and --{old} cannot be specified together."
            )));
        }
    }
    for (old, old_values, new, new_values) in &mut renamed {
        if !old_values.is_empty() {
            let warning = format!(
                "Warning: --{old} is deprecated and will be removed in a future version. Use --{new} instead."
            );
            format.note(warning, cx)?;
            std::mem::swap(*old_values, *new_values);
        }
    }
    if !args.max_partition_memory_bytes.is_empty() {
        let warning = "Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use --batch-size instead.";
        format.note(warning, cx)?;
    }
    Ok(())
}

fn plan(args: &Args) -> Result<Plan, Stop> {
    let Some(bootstrap) = jopt::one("bootstrap-server", &args.bootstrap_server)? else {
        return Err(Stop::Usage(
            "Error while validating the bootstrap address\n".to_owned(),
        ));
    };
    options::check_bootstrap_servers(bootstrap).map_err(|error| {
        Stop::Usage(format!(
            "Error while validating the bootstrap address\n{error}"
        ))
    })?;
    if let Some(class) = jopt::one("line-reader", &args.line_reader)?
        && class != LINE_READER
    {
        return Err(Failure::new(class)
            .hint(format!(
                "Java classes can't be loaded; {LINE_READER} is built in."
            ))
            .into());
    }
    let mut reader = match jopt::one("reader-config", &args.reader_config)? {
        Some(path) => options::read_properties(path)?,
        None => Vec::new(),
    };
    let topic = jopt::one("topic", &args.topic)?.unwrap_or_default();
    reader.push(("topic".to_owned(), topic.to_owned()));
    reader.extend(pairs(&args.reader_property));
    // A property of the reader may name another one.
    let mut topics = reader.iter().rev().filter(|(key, _)| key == "topic");
    let topic = topics.next().map(|(_, topic)| topic.clone());
    let reader = LineReader::from_properties(&reader)?;
    Ok(Plan {
        topic: topic.unwrap_or_default(),
        sync: args.sync,
        source: args.own.source()?,
        every: args.own.every_record(&reader)?,
        reader,
        commit_every: commit_every(args)?,
        are_sizes_free: are_sizes_free(args, &given_properties(args)?),
        output: args.own.output.format()?,
        is_transactional: !args.transactional_id.is_empty(),
        properties: producer_properties(args, bootstrap)?,
    })
}

fn commit_every(args: &Args) -> Result<Option<u64>, Stop> {
    match jopt::number::<i64>("commit-every", &args.commit_every)? {
        None => Ok(None),
        Some(count) => match u64::try_from(count) {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => Err(Stop::Usage(
                "Option --commit-every wants a number above 0.".to_owned(),
            )),
        },
    }
}

/// Sizes that have to fit each other.
const SIZES: [&str; 3] = ["batch.size", "buffer.memory", "max.request.size"];

/// What they are where nobody has set any of them: for files of lines. A broker spends several times the CPU on the
/// reference's batches of 16 KiB, and while it does the reference's buffer of 32 MiB fills. A topic that takes less gets
/// less: the producer splits what is too large.
const BATCH_BYTES: usize = 256 * 1024;
const MEMORY_BYTES: usize = 8 * 1024 * 1024;

fn are_sizes_free(args: &Args, properties: &[(String, String)]) -> bool {
    let options = [
        &args.batch_size,
        &args.max_partition_memory_bytes,
        &args.max_memory_bytes,
    ];
    let is_size = |key: &String| SIZES.contains(&key.as_str());
    options.iter().all(|values| values.is_empty())
        && !properties.iter().any(|(key, _)| is_size(key))
}

impl Plan {
    /// Takes the larger batches. Not without idempotence, where a batch that is split may be overtaken by the next.
    fn choose_sizes(&self, producer: &mut ProducerSettings) {
        if self.are_sizes_free && producer.idempotent {
            producer.batch_bytes = BATCH_BYTES;
            producer.buffer_memory_bytes = MEMORY_BYTES;
        }
    }
}

type Properties = Vec<(String, String)>;

fn given_properties(args: &Args) -> Result<Properties, Stop> {
    let mut properties = options::client_properties(&args.command_config, &[])?;
    for (key, value) in pairs(&args.command_property) {
        set(&mut properties, &key, value);
    }
    Ok(properties)
}

/// The file, the properties of the command line, and on top of both what has an option of its own: always where it was
/// given, with the option's default where nobody named the key.
fn producer_properties(args: &Args, bootstrap: &str) -> Result<Properties, Stop> {
    let mut properties = given_properties(args)?;
    set(&mut properties, "bootstrap.servers", bootstrap.to_owned());
    let codec = match jopt::one("compression-codec", &args.compression_codec)? {
        None => "none",
        Some("") => "gzip",
        Some(name) => name,
    };
    set(&mut properties, "compression.type", codec.to_owned());
    set_unless_given(&mut properties, "client.id", None, "console-producer");
    if let Some(id) = jopt::one("transactional-id", &args.transactional_id)? {
        set(&mut properties, "transactional.id", id.to_owned());
    }
    let acks = jopt::one("request-required-acks", &args.request_required_acks)?;
    set_unless_given(&mut properties, "acks", acks.map(str::to_owned), "-1");
    for (key, name, values, default) in [
        ("linger.ms", "timeout", &args.timeout, 1000),
        (
            "request.timeout.ms",
            "request-timeout-ms",
            &args.request_timeout_ms,
            1500,
        ),
        (
            "retries",
            "message-send-max-retries",
            &args.message_send_max_retries,
            3,
        ),
        (
            "retry.backoff.ms",
            "retry-backoff-ms",
            &args.retry_backoff_ms,
            100,
        ),
        (
            "send.buffer.bytes",
            "socket-buffer-size",
            &args.socket_buffer_size,
            102_400,
        ),
        (
            "buffer.memory",
            "max-memory-bytes",
            &args.max_memory_bytes,
            33_554_432,
        ),
        ("batch.size", "batch-size", &args.batch_size, 16_384),
        (
            "batch.size",
            "max-partition-memory-bytes",
            &args.max_partition_memory_bytes,
            16_384,
        ),
        (
            "metadata.max.age.ms",
            "metadata-expiry-ms",
            &args.metadata_expiry_ms,
            300_000,
        ),
        ("max.block.ms", "max-block-ms", &args.max_block_ms, 60_000),
    ] {
        let given = jopt::number::<i64>(name, values)?.map(|number| number.to_string());
        set_unless_given(&mut properties, key, given, &default.to_string());
    }
    Ok(properties)
}

/// What the reference does with an id and nobody who begins a transaction: no record can be sent.
async fn never_begun(plan: &Plan, input: &mut Input, cx: &mut Context) -> Result<(), Stop> {
    let Some((line, number)) = input.next(cx).await? else {
        return Ok(());
    };
    plan.parse(line, number)?;
    let message = format!(
        "Cannot add partitions of topic {} to transaction before completing a call to initTransactions.",
        plan.topic
    );
    let hint = "A property transactional.id alone begins no transaction; --transactional-id ID sends the lines in one.";
    Err(Failure::new(message).hint(hint).into())
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

async fn send_lines(
    plan: &Plan,
    mut input: Input,
    producer: &Producer,
    troubles: &Troubles,
    cx: &mut Context,
) -> Result<(), Stop> {
    let mut now = now_ms();
    loop {
        // Lines that were read together are of one time, and most of them go without anything being waited for.
        let (line, number) = match input.next_at_hand() {
            Some(line) => line,
            None => {
                let Some(line) = input.next(cx).await? else {
                    return Ok(());
                };
                now = now_ms();
                line
            }
        };
        let parsed = plan.parse(line, number)?;
        let record = plan.record(&parsed, Some(now));
        let outcome = match producer.try_send(&record) {
            Some(outcome) => outcome,
            None => {
                let sending = producer.send(plan.record(&parsed, None));
                let topics = [&*plan.topic];
                let outcome = producing::waiting_for(&topics, producer.cluster(), sending).await;
                now = now_ms();
                outcome
            }
        };
        let failed = match outcome {
            Ok(delivery) if plan.sync => {
                let refused = delivery.await.err();
                now = now_ms();
                refused.map(drop)
            }
            Ok(_) => None,
            Err(error) => {
                troubles.add(1, error.to_string());
                Some(())
            }
        };
        if failed.is_some() || input.prompts() {
            troubles.tell(&plan.topic, cx);
        }
        if failed.is_some() && plan.sync {
            return Err(Stop::Status(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_client::config::ClientKind;

    use super::*;

    fn properties(line: &str) -> Vec<(String, String)> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).expect("options that exist");
        producer_properties(&args, "h:1").expect("good values")
    }

    fn value(line: &str, key: &str) -> String {
        let found = properties(line)
            .into_iter()
            .find(|(present, _)| present == key);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    #[test]
    fn options_win_over_properties_and_properties_over_the_options_defaults() {
        assert_eq!(value("--topic t", "linger.ms"), "1000");
        assert_eq!(value("--command-property linger.ms=5", "linger.ms"), "5");
        assert_eq!(
            value("--command-property linger.ms=5 --timeout 7", "linger.ms"),
            "7"
        );
        assert_eq!(
            value(
                "--batch-size 5 --max-partition-memory-bytes 6",
                "batch.size"
            ),
            "6"
        );
        assert_eq!(
            value("--compression-codec --topic t", "compression.type"),
            "gzip"
        );
        assert_eq!(
            value("--compression-codec zstd", "compression.type"),
            "zstd"
        );
        assert_eq!(value("--topic t", "client.id"), "console-producer");
    }

    #[test]
    fn batches_are_large_unless_a_size_is_set_or_their_order_would_be_at_risk() {
        let sizes = |line: &str| {
            let words: Vec<String> = format!("--topic t --bootstrap-server h:1 {line}")
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            let plan = plan(&jopt::parse(&words).expect("options that exist")).expect("a plan");
            let settings = ClientKind::Producer
                .settings(plan.properties.clone())
                .expect("good values");
            let mut producer = ProducerSettings::from_config(&settings).expect("good values");
            plan.choose_sizes(&mut producer);
            (producer.batch_bytes, producer.buffer_memory_bytes)
        };
        assert_eq!(sizes(""), (262_144, 8_388_608));
        assert_eq!(sizes("--batch-size 5"), (5, 33_554_432));
        assert_eq!(sizes("--max-memory-bytes 9"), (16_384, 9));
        for line in [
            "--command-property max.request.size=70000",
            "--request-required-acks 1",
            "--command-property enable.idempotence=false",
        ] {
            assert_eq!(sizes(line), (16_384, 33_554_432), "{line}");
        }
    }

    #[test]
    fn a_property_without_a_value_is_empty() {
        let acks = "--command-property linger.ms --command-property client.id=a=b";
        assert_eq!(value(acks, "linger.ms"), "");
        assert_eq!(value(acks, "client.id"), "a=b");
    }
}
