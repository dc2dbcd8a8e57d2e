//! The options, and what they ask for.

use std::time::Duration;

use clap::Parser;

use crate::durations;
use crate::jopt;
use crate::options::{self, Given, Standard, ToolArgs, pairs, set, set_unless_given};
use crate::output::{self, OutputOnce};
use crate::stop::{Failure, Stop};

use super::filter::FilterSettings;
use super::format::Format;
use super::workers::{RETRY_BACKOFF, WorkSettings};

/// Run a filter between topics: records on its standard input, results from its standard output.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ottla-pipe",
    disable_help_flag = true,
    disable_version_flag = true,
    override_usage = "ottla pipe [OPTIONS] -- PROGRAM [ARGUMENT]...",
    after_help = "Examples:\n  \
        ottla pipe --bootstrap-server localhost:9092 --from orders --to results --group marked --timeout 5s -- sed -u s/^/got:/\n  \
        ottla pipe --bootstrap-server localhost:9092 --from orders --to results --group sized --exactly-once --timeout 5s -- jq --unbuffered -c .size"
)]
pub(super) struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT [localhost:9092]
    #[arg(long, value_name = "SERVERS")]
    bootstrap_server: Vec<String>,
    /// A topic to read; may be repeated, and hold several names with commas between them
    #[arg(long, value_name = "TOPIC")]
    from: Vec<String>,
    /// The topic that results go to; with --format json an answer may name another
    #[arg(long, value_name = "TOPIC")]
    to: Vec<String>,
    /// The group that reads: several pipes of a group share the partitions
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Commit results and offsets in one transaction; without it a crash may bring results twice
    #[arg(long)]
    exactly_once: bool,
    /// The id of this process's transactions, which no other may have at the same time; a new one each time unless given
    #[arg(long, value_name = "ID")]
    transactional_id: Vec<String>,
    /// Where records go that the filter keeps failing at, with the reason in their headers; without it the pipe ends there
    #[arg(long, value_name = "TOPIC")]
    dead_letter: Vec<String>,
    /// How often a record that fails is tried again [3]
    #[arg(long, value_name = "COUNT")]
    retries: Vec<String>,
    /// Filters at a time, each with partitions of its own [1]
    #[arg(long, value_name = "COUNT")]
    workers: Vec<String>,
    /// How records are told and answered: lines, length or json [lines]
    #[arg(long, value_name = "FORMAT")]
    format: Vec<String>,
    /// Run the filter anew for each batch, and end its input behind it: for filters that answer only then
    #[arg(long)]
    per_batch: bool,
    /// How long the filter may take for an answer, such as 500ms or 2m [30s]
    #[arg(long, value_name = "TIME")]
    deadline: Vec<String>,
    /// Records of a batch, about; there is one transaction for each [500]
    #[arg(long, value_name = "COUNT")]
    batch_records: Vec<String>,
    /// How long a batch may wait for more records [100ms]
    #[arg(long, value_name = "TIME")]
    batch_time: Vec<String>,
    /// End when no record has come for so long, once the group has given its partitions out
    #[arg(long, value_name = "TIME")]
    timeout: Vec<String>,
    /// A property of the consumer, KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE")]
    consumer_property: Vec<String>,
    /// A property of the producer, KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE")]
    producer_property: Vec<String>,
    /// A file with properties of both
    #[arg(long, value_name = "FILE")]
    command_config: Vec<String>,
    #[command(flatten)]
    output: OutputOnce,

    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str =
        "This tool runs any filter between topics, for each record exactly once or at least once.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

/// What shall be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) topics: Vec<String>,
    pub(super) is_exactly_once: bool,
    pub(super) dead_letter: Option<String>,
    pub(super) workers: usize,
    pub(super) work: WorkSettings,
    pub(super) batch_records: usize,
    pub(super) batch_time: Duration,
    pub(super) timeout: Option<Duration>,
    /// Of the statistics.
    pub(super) output: output::Format,
    pub(super) consumer: Vec<(String, String)>,
    pub(super) producer: Vec<(String, String)>,
}

/// `words` are the options, `command` what stands behind `--`; `unique` makes a transactional id of this process alone.
pub(super) fn plan(args: &Args, command: &[String], unique: u64) -> Result<Plan, Stop> {
    options::require(&[
        Given::values("from", &args.from),
        Given::values("group", &args.group),
    ])?;
    if command.is_empty() {
        return Err(Stop::Usage(
            "Missing the filter: write it behind --".to_owned(),
        ));
    }
    let format = format(args)?;
    if format != Format::Json {
        options::require(&[Given::values("to", &args.to)])?;
    }
    if !args.exactly_once && !args.transactional_id.is_empty() {
        return Err(Stop::Usage(
            "Option --transactional-id needs --exactly-once.".to_owned(),
        ));
    }
    let group = jopt::one("group", &args.group)?.unwrap_or_default();
    let own = format!("{group}-pipe-{unique:016x}");
    let own = jopt::one("transactional-id", &args.transactional_id)?.unwrap_or(&own);
    let topics = args.from.iter().flat_map(|names| names.split(','));
    Ok(Plan {
        topics: topics
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        is_exactly_once: args.exactly_once,
        dead_letter: jopt::one("dead-letter", &args.dead_letter)?.map(str::to_owned),
        workers: number("workers", &args.workers, 1, 1)?,
        work: WorkSettings {
            filter: FilterSettings {
                command: command.to_vec(),
                format,
                is_per_batch: args.per_batch,
                deadline: time("deadline", &args.deadline)?.unwrap_or(Duration::from_secs(30)),
            },
            topic: jopt::one("to", &args.to)?.map(str::to_owned),
            retries: u32::try_from(number("retries", &args.retries, 3, 0)?).unwrap_or(u32::MAX),
            retry_backoff: RETRY_BACKOFF,
        },
        batch_records: number("batch-records", &args.batch_records, 500, 1)?,
        batch_time: time("batch-time", &args.batch_time)?.unwrap_or(Duration::from_millis(100)),
        timeout: time("timeout", &args.timeout)?,
        output: args.output.format()?,
        consumer: consumer(args, group)?,
        producer: producer(args, own)?,
    })
}

fn format(args: &Args) -> Result<Format, Stop> {
    let Some(given) = jopt::one("format", &args.format)? else {
        return Ok(Format::Lines);
    };
    let found = Format::NAMES.iter().find(|(name, _)| *name == given);
    found.map(|(_, format)| *format).ok_or_else(|| {
        let names: Vec<&str> = Format::NAMES.iter().map(|(name, _)| *name).collect();
        Stop::Usage(format!(
            "Option --format wants one of {}, not {given}.",
            names.join(", ")
        ))
    })
}

fn number(name: &str, values: &[String], default: usize, least: usize) -> Result<usize, Stop> {
    match jopt::number::<i64>(name, values)? {
        None => Ok(default),
        Some(given) => match usize::try_from(given) {
            Ok(given) if given >= least => Ok(given),
            _ => Err(Stop::Usage(format!(
                "Option --{name} wants a number from {least} on."
            ))),
        },
    }
}

fn time(name: &str, values: &[String]) -> Result<Option<Duration>, Stop> {
    let Some(given) = jopt::one(name, values)? else {
        return Ok(None);
    };
    let parsed = durations::parse(given).ok_or_else(|| {
        Failure::new(format!("Cannot parse argument '{given}' of option {name}")).hint(format!(
            "--{name} wants a length of time, such as 250ms, 45s or 2m10s."
        ))
    });
    Ok(Some(parsed?))
}

fn consumer(args: &Args, group: &str) -> Result<Vec<(String, String)>, Stop> {
    let mut properties = common(args, &args.consumer_property)?;
    set(&mut properties, "group.id", group.to_owned());
    set(&mut properties, "enable.auto.commit", "false".to_owned());
    // Else what came before the pipe was first started would be left out without a word.
    set_unless_given(&mut properties, "auto.offset.reset", None, "earliest");
    set_unless_given(&mut properties, "isolation.level", None, "read_committed");
    Ok(properties)
}

/// After a crash the next reader of the group waits for the transaction that was left open, so it is not kept for long; the
/// filter's time does not count, as results are sent only when they are all there.
const TRANSACTION_TIMEOUT_MS: &str = "10000";

fn producer(args: &Args, transactional_id: &str) -> Result<Vec<(String, String)>, Stop> {
    let mut properties = common(args, &args.producer_property)?;
    if args.exactly_once {
        set(
            &mut properties,
            "transactional.id",
            transactional_id.to_owned(),
        );
        set_unless_given(
            &mut properties,
            "transaction.timeout.ms",
            None,
            TRANSACTION_TIMEOUT_MS,
        );
    }
    Ok(properties)
}

/// Where a broker of this machine listens unless it is told otherwise.
const HERE: &str = "localhost:9092";

fn common(args: &Args, own: &[String]) -> Result<Vec<(String, String)>, Stop> {
    let bootstrap = jopt::one("bootstrap-server", &args.bootstrap_server)?.map(str::to_owned);
    let mut properties = options::client_properties(&args.command_config, &[])?;
    for (key, value) in pairs(own) {
        set(&mut properties, &key, value);
    }
    set_unless_given(&mut properties, "bootstrap.servers", bootstrap, HERE);
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).map_err(|error| error.to_string())?;
        let command = ["cat".to_owned()];
        plan(&args, &command, 255).map_err(|stop| match stop {
            Stop::Usage(text) => text,
            Stop::Failed(failure) => failure.message,
            other => format!("{other:?}"),
        })
    }

    fn value<'a>(properties: &'a [(String, String)], key: &str) -> Option<&'a str> {
        let found = properties.iter().find(|(present, _)| present == key);
        found.map(|(_, value)| value.as_str())
    }

    const LEAST: &str = "--bootstrap-server h:1 --from a --group g --to b";

    #[test]
    fn the_least_that_must_be_said_makes_a_plan() {
        let plan = planned(LEAST).unwrap();
        assert_eq!(
            (plan.workers, plan.work.retries, plan.batch_records),
            (1, 3, 500)
        );
        assert_eq!(value(&plan.consumer, "auto.offset.reset"), Some("earliest"));
        assert_eq!(value(&plan.consumer, "enable.auto.commit"), Some("false"));
        assert_eq!(value(&plan.producer, "transactional.id"), None);
        let several = planned(&format!("{LEAST} --from b,c")).unwrap();
        assert_eq!(several.topics, ["a", "b", "c"]);
    }

    #[test]
    fn brokers_are_those_of_the_option_then_of_the_properties_then_the_one_here() {
        let servers = |line: &str| {
            let plan = planned(line).unwrap();
            let [consumer, producer] = [&plan.consumer, &plan.producer]
                .map(|properties| value(properties, "bootstrap.servers").map(str::to_owned));
            assert_eq!(consumer, producer);
            consumer.unwrap_or_default()
        };
        let properties = "--consumer-property bootstrap.servers=p:1 \
                          --producer-property bootstrap.servers=p:1";
        assert_eq!(servers(&format!("{LEAST} {properties}")), "h:1");
        let least = "--from a --group g --to b";
        assert_eq!(servers(&format!("{least} {properties}")), "p:1");
        assert_eq!(servers(least), "localhost:9092");
    }

    #[test]
    fn exactly_once_has_a_transactional_id_of_its_own_unless_one_is_given() {
        let plan = planned(&format!("{LEAST} --exactly-once")).unwrap();
        let id = value(&plan.producer, "transactional.id");
        assert_eq!(id, Some("g-pipe-00000000000000ff"));
        let plan = planned(&format!("{LEAST} --exactly-once --transactional-id mine")).unwrap();
        assert_eq!(value(&plan.producer, "transactional.id"), Some("mine"));
        assert_eq!(
            value(&plan.producer, "transaction.timeout.ms"),
            Some("10000")
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, part) in [
            ("--bootstrap-server h:1 --from a --to b".to_owned(), "group"),
            ("--bootstrap-server h:1 --from a --group g".to_owned(), "to"),
            (format!("{LEAST} --format xml"), "lines, length, json"),
            (format!("{LEAST} --workers 0"), "--workers"),
            (format!("{LEAST} --deadline soon"), "deadline"),
            (format!("{LEAST} --transactional-id x"), "--exactly-once"),
        ] {
            let refused = planned(&line).unwrap_err();
            assert!(refused.contains(part), "{line}: {refused}");
        }
        let json = "--bootstrap-server h:1 --from a --group g --format json";
        assert!(planned(json).is_ok(), "answers may name their topics");
    }
}
