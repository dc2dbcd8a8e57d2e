//! From options to what shall be read, from where, and how it is shown.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use regex::Regex;

use ottla_client::admin::TopicPartition;

use super::args::Args;
use super::formatter::{self, Formatter};
use super::select::{Place, Selection, Topics};
use crate::jopt;
use crate::options::{self, pairs, set, set_unless_given};
use crate::output::Format;
use crate::stop::Stop;
use crate::topic_filter;

/// The reference's words for who joins a group and has not chosen a protocol.
const HINT: &str = "The consumer rebalance protocol (KIP-848) is production-ready! Set group.protocol=consumer to try it out. \
                    See https://kafka.apache.org/documentation/#consumer_rebalance_protocol";

/// What shall be done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) source: Source,
    /// `None`: there is no end.
    pub(super) records_max: Option<u64>,
    /// How long to wait for a record; `None`: for ever.
    pub(super) patience: Option<Duration>,
    pub(super) skips_errors: bool,
    pub(super) tells_events: bool,
    pub(super) formatter: Formatter,
    pub(super) output: Format,
    /// The template is the formatter's.
    pub(super) selection: Selection,
    /// The consumer's properties.
    pub(super) properties: Vec<(String, String)>,
    /// For standard output, where the reference says that an option has got another name.
    pub(super) note: Option<String>,
    /// For the user, and no reason to stop.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Source {
    Partition(TopicPartition, Start),
    Topic(String),
    Pattern(Regex),
    /// Of all partitions or of one, without a group, as the selection has bounds.
    Ranges(Topics, Option<i32>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Earliest,
    Latest,
    At(i64),
}

impl From<Start> for Place {
    fn from(start: Start) -> Self {
        match start {
            Start::Earliest => Self::Beginning,
            Start::Latest => Self::End,
            Start::At(offset) => Self::Offset(offset),
        }
    }
}

pub(super) fn plan(args: &Args, is_terminal: bool) -> Result<Plan, Stop> {
    let named = group(args)?;
    let start = start(args)?;
    let said = !args.offset.is_empty() || args.from_beginning;
    let said = said.then_some(start).map(Place::from);
    let mut selection = args.select.selection(said, named.is_some(), is_terminal)?;
    let is_ranged = selection.bounds.is_some();
    let group = named.clone().unwrap_or_else(ephemeral_group);
    let mut properties = consumer_properties(args)?;
    if named.is_none() {
        // Nobody comes back to this group: its offsets would only be in the coordinator's way.
        set_unless_given(&mut properties, "enable.auto.commit", None, "false");
    }
    if !is_ranged {
        set(&mut properties, "group.id", group);
    }
    let mut warnings = Vec::new();
    let class = jopt::one("formatter", &args.formatter)?.unwrap_or(formatter::DEFAULT_CLASS);
    formatter::check_class(class)?;
    let (words, note) = args.formatter_words()?;
    let properties_of_formatter = formatter_properties(args, words)?;
    let formatter = match selection.template.take() {
        Some(_) if !args.formatter.is_empty() => {
            let own = match args.select.output.format()?.is_data() {
                true => "output",
                false => "format",
            };
            let text = format!("Options formatter and {own} cannot be specified together.");
            return Err(Stop::Usage(text));
        }
        Some(template) => Formatter::of_template(template, &properties_of_formatter, &mut warnings),
        None => Formatter::of_class(class, &properties_of_formatter, &mut warnings)?,
    };
    let source = source(args, start, is_ranged)?;
    let has_chosen = properties.iter().any(|(key, _)| key == "group.protocol");
    if !has_chosen && matches!(source, Source::Topic(_) | Source::Pattern(_)) {
        warnings.push(HINT.to_owned());
    }
    let records_max: Option<i32> = jopt::number("max-messages", &args.max_messages)?;
    let timeout_ms: Option<i64> = jopt::number("timeout-ms", &args.timeout_ms)?;
    Ok(Plan {
        source,
        records_max: match records_max {
            None | Some(-1) => None,
            Some(count) => Some(u64::try_from(count).unwrap_or(0)),
        },
        patience: timeout_ms
            .and_then(|ms| u64::try_from(ms).ok())
            .map(Duration::from_millis),
        skips_errors: args.skip_message_on_error,
        tells_events: args.enable_systest_events,
        formatter,
        output: args.select.output.format()?,
        selection,
        properties,
        note,
        warnings,
    })
}

fn ephemeral_group() -> String {
    let number = rand::rng().random_range(0..100_000);
    format!("console-consumer-{number}")
}

fn source(args: &Args, start: Start, is_ranged: bool) -> Result<Source, Stop> {
    let partition: Option<i32> = jopt::number("partition", &args.partition)?;
    if let Some(pattern) = jopt::one("include", &args.include)? {
        if pattern.is_empty() {
            return Err(Stop::failed(
                "Topic pattern to subscribe to cannot be empty",
            ));
        }
        let pattern = topic_filter::whole_name(pattern)?;
        return Ok(match is_ranged {
            true => Source::Ranges(Topics::Pattern(pattern), None),
            false => Source::Pattern(pattern),
        });
    }
    let topic = jopt::one("topic", &args.topic)?.unwrap_or_default();
    if topic.trim().is_empty() {
        return Err(Stop::failed("The name of the topic is empty"));
    }
    Ok(match partition {
        _ if is_ranged => Source::Ranges(Topics::Named(topic.to_owned()), partition),
        Some(partition) => Source::Partition(TopicPartition::new(topic, partition), start),
        None => Source::Topic(topic.to_owned()),
    })
}

fn start(args: &Args) -> Result<Start, Stop> {
    let Some(offset) = jopt::one("offset", &args.offset)? else {
        return Ok(match args.from_beginning {
            true => Start::Earliest,
            false => Start::Latest,
        });
    };
    match offset.to_lowercase().as_str() {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        number => match number.parse() {
            Ok(offset @ 0..) => Ok(Start::At(offset)),
            _ => Err(Stop::Usage(format!(
                "The provided offset value '{offset}' is incorrect. \
                 Valid values are 'earliest', 'latest', or a non-negative long."
            ))),
        },
    }
}

/// The group that was named, in whatever places.
fn group(args: &Args) -> Result<Option<String>, Stop> {
    let mut named = BTreeSet::new();
    if let Some(group) = jopt::one("group", &args.group)? {
        named.insert(group.to_owned());
    }
    let of_file = options::client_properties(&args.command_config, &[])?;
    let given: Vec<(String, String)> = pairs(&args.command_property).collect();
    for properties in [&of_file, &given] {
        let mut groups = properties.iter().rev().filter(|(key, _)| key == "group.id");
        named.extend(groups.next().map(|(_, group)| group.clone()));
    }
    if named.len() > 1 {
        let quoted: Vec<String> = named.iter().map(|group| format!("'{group}'")).collect();
        return Err(Stop::Usage(format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', \
             or via '--consumer.config') do not match. Detected group ids: {}",
            quoted.join(", ")
        )));
    }
    if !named.is_empty() && !args.partition.is_empty() {
        let text = "Options group and partition cannot be specified together.";
        return Err(Stop::Usage(text.to_owned()));
    }
    Ok(named.pop_first())
}

/// The file, the properties of the command line, and on top of both what has an option of its own.
fn consumer_properties(args: &Args) -> Result<Vec<(String, String)>, Stop> {
    let mut properties = options::client_properties(&args.command_config, &[])?;
    for (key, value) in pairs(&args.command_property) {
        set(&mut properties, &key, value);
    }
    let reset = "auto.offset.reset";
    let given_reset = properties.iter().find(|(key, _)| key == reset);
    match given_reset.map(|(_, value)| value.as_str()) {
        Some("earliest") => {}
        Some(other) if args.from_beginning => {
            return Err(Stop::failed(format!(
                "Can't simultaneously specify --from-beginning and '{reset}={other}', please remove one option"
            )));
        }
        Some(_) => {}
        None if args.from_beginning => set(&mut properties, reset, "earliest".to_owned()),
        None => set(&mut properties, reset, "latest".to_owned()),
    }
    let bootstrap = jopt::one("bootstrap-server", &args.bootstrap_server)?.unwrap_or_default();
    set(&mut properties, "bootstrap.servers", bootstrap.to_owned());
    set_unless_given(&mut properties, "client.id", None, "console-consumer");
    let isolation = jopt::one("isolation-level", &args.isolation_level)?;
    set_unless_given(
        &mut properties,
        "isolation.level",
        isolation.map(str::to_owned),
        "read_uncommitted",
    );
    Ok(properties)
}

/// The file, the two options with a class, and on top of them the properties of the command line.
fn formatter_properties(args: &Args, words: &[String]) -> Result<Vec<(String, String)>, Stop> {
    let mut properties = match jopt::one("formatter-config", &args.formatter_config)? {
        Some(path) => options::read_properties(path)?,
        None => Vec::new(),
    };
    for (key, name, values) in [
        (
            "key.deserializer",
            "key-deserializer",
            &args.key_deserializer,
        ),
        (
            "value.deserializer",
            "value-deserializer",
            &args.value_deserializer,
        ),
    ] {
        if let Some(class) = jopt::one(name, values)?.filter(|class| !class.is_empty()) {
            set(&mut properties, key, class.to_owned());
        }
    }
    properties.extend(pairs(words));
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(line: &str) -> Result<Plan, String> {
        let line = format!("--bootstrap-server h:1 {line}");
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args: Args = jopt::parse(&words).expect("options that exist");
        let text = |stop| match stop {
            Stop::Usage(text) => text,
            Stop::Failed(failure) => failure.message,
            other => format!("{other:?}"),
        };
        super::super::args::check(&args).map_err(text)?;
        plan(&args, false).map_err(text)
    }

    fn property(line: &str, key: &str) -> String {
        let plan = planned(line).expect("a good command line");
        let mut found = plan.properties.into_iter().filter(|(name, _)| name == key);
        found.next().map(|(_, value)| value).unwrap_or_default()
    }

    #[test]
    fn without_a_group_there_is_one_that_commits_nothing() {
        assert_eq!(property("--topic t", "enable.auto.commit"), "false");
        assert!(property("--topic t", "group.id").starts_with("console-consumer-"));
        assert_eq!(property("--topic t --group g", "group.id"), "g");
        assert_eq!(property("--topic t --group g", "enable.auto.commit"), "");
        let same = "--topic t --group g --command-property group.id=g";
        assert_eq!(property(same, "group.id"), "g");
    }

    #[test]
    fn groups_that_contradict_each_other_are_refused() {
        let text = planned("--topic t --group cc --command-property group.id=other")
            .expect_err("two groups");
        assert!(
            text.ends_with("Detected group ids: 'cc', 'other'"),
            "{text}"
        );
        let text = planned("--topic t --partition 0 --group g").expect_err("both");
        assert_eq!(
            text,
            "Options group and partition cannot be specified together."
        );
    }

    #[test]
    fn options_win_over_properties_and_properties_over_defaults() {
        let reset = "auto.offset.reset";
        assert_eq!(property("--topic t", reset), "latest");
        assert_eq!(property("--topic t --from-beginning", reset), "earliest");
        let given = "--topic t --command-property auto.offset.reset=none";
        assert_eq!(property(given, reset), "none");
        let text = planned(&format!("{given} --from-beginning")).expect_err("a contradiction");
        assert!(text.starts_with("Can't simultaneously"), "{text}");
        let isolation = "--topic t --command-property isolation.level=read_committed";
        assert_eq!(property(isolation, "isolation.level"), "read_committed");
        let both = format!("{isolation} --isolation-level read_uncommitted");
        assert_eq!(property(&both, "isolation.level"), "read_uncommitted");
        assert_eq!(property("--topic t", "client.id"), "console-consumer");
    }

    #[test]
    fn where_to_begin_in_a_partition() {
        let start = |line: &str| match planned(&format!("--topic t --partition 1 {line}"))?.source {
            Source::Partition(_, start) => Ok(start),
            other => Err(format!("{other:?}")),
        };
        assert_eq!(start("--from-beginning"), Ok(Start::Earliest));
        assert_eq!(start("--offset EARLIEST"), Ok(Start::Earliest));
        assert_eq!(start("--offset latest"), Ok(Start::Latest));
        assert_eq!(start("--offset 7"), Ok(Start::At(7)));
        for wrong in ["--offset -1", "--offset soon"] {
            let text = start(wrong).expect_err("no offset");
            assert!(text.starts_with("The provided offset value"), "{text}");
        }
    }

    #[test]
    fn ranges_are_read_without_a_group() {
        for line in [
            "--topic t --from -1h",
            "--include t.* --tail 5",
            "--topic t --partition 1 --offset 5 --until-end",
            "--topic t --from-beginning --until-end",
            "--topic t --key k",
        ] {
            let plan = planned(line).expect(line);
            assert!(matches!(plan.source, Source::Ranges(..)), "{line}");
            assert_eq!(property(line, "group.id"), "", "{line}");
            assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
        }
        let plan = planned("--topic t --grep x --format %v").expect("a good line");
        assert!(matches!(plan.source, Source::Topic(_)));
        for line in [
            "--topic t --group g --until-end",
            "--topic t --from-beginning --from 5",
            "--topic t --formatter org.apache.kafka.tools.consumer.NoOpMessageFormatter --format %v",
        ] {
            assert!(planned(line).is_err(), "{line}");
        }
    }

    #[test]
    fn counts_and_times_below_zero() {
        let of = |line: &str| {
            let plan = planned(&format!("--topic t {line}")).expect("a good command line");
            (plan.records_max, plan.patience)
        };
        assert_eq!(of("--max-messages -1 --timeout-ms -5"), (None, None));
        assert_eq!(of("--max-messages -2"), (Some(0), None));
        let ten = Some(Duration::from_millis(10));
        assert_eq!(of("--max-messages 3 --timeout-ms 10"), (Some(3), ten));
        let text = planned("--topic t --max-messages x").expect_err("no number");
        assert_eq!(text, "Cannot parse argument 'x' of option max-messages");
    }
}
