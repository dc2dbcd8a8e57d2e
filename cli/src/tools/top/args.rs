//! The options, and what they ask for.

use std::time::Duration;

use clap::Parser;

use super::table::{Sort, Subject};
use crate::durations;
use crate::jopt;
use crate::options::{Standard, ToolArgs};
use crate::output::{Format, OutputOnce};
use crate::stop::Stop;

/// Show what topics, groups and brokers are doing, again and again.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ottla-top",
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "Examples:\n  \
        ottla top --bootstrap-server localhost:9092\n  \
        ottla top --bootstrap-server localhost:9092 --view groups --sort lag --interval 5s\n  \
        ottla top --bootstrap-server localhost:9092 --count 2 --output json | tail -1"
)]
pub(super) struct Args {
    /// The brokers to connect to, as HOST:PORT,HOST:PORT [localhost:9092]
    #[arg(long, value_name = "SERVERS")]
    bootstrap_server: Vec<String>,
    /// A file of client properties to connect with
    #[arg(long, value_name = "FILE")]
    pub(super) command_config: Vec<String>,
    /// What to begin with, or to print: topics, groups or brokers [topics]
    #[arg(long, value_name = "VIEW")]
    view: Vec<String>,
    /// The column to sort by, as it is headed; with - before it the other way round [records/s, lag or broker]
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Vec<String>,
    /// Only what has this in its name
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Print no more rows than this at a time, where it is not a terminal [all]
    #[arg(long, value_name = "COUNT")]
    rows: Vec<String>,
    /// The time between two looks, such as 500ms or 10s [2s]
    #[arg(long, value_name = "TIME")]
    interval: Vec<String>,
    /// End after so many looks [never]
    #[arg(long, value_name = "COUNT")]
    count: Vec<String>,
    #[command(flatten)]
    output: OutputOnce,
    #[command(flatten)]
    standard: Standard,
}

impl ToolArgs for Args {
    const INTRO: &'static str =
        "This tool shows what topics, groups and brokers are doing, again and again.";

    fn standard(&self) -> &Standard {
        &self.standard
    }
}

/// What shall be shown.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) servers: String,
    pub(super) subject: Subject,
    pub(super) sort: Sort,
    pub(super) filter: String,
    pub(super) rows: Option<usize>,
    pub(super) interval: Duration,
    pub(super) count: Option<u64>,
    pub(super) format: Format,
}

const HERE: &str = "localhost:9092";

const INTERVAL: Duration = Duration::from_secs(2);

/// More often would load the brokers more than it tells.
const INTERVAL_LEAST: Duration = Duration::from_millis(100);

pub(super) fn plan(args: &Args) -> Result<Plan, Stop> {
    let given = jopt::one("view", &args.view)?;
    let subject = match given {
        None => Subject::Topics,
        Some(given) => {
            let mut views = Subject::VIEWS.into_iter();
            let found = views.find(|(name, _)| *name == given);
            found.map(|(_, subject)| subject).ok_or_else(|| {
                Stop::Usage(format!(
                    "There is no view '{given}'; --view takes topics, groups or brokers."
                ))
            })?
        }
    };
    Ok(Plan {
        servers: jopt::one("bootstrap-server", &args.bootstrap_server)?
            .unwrap_or(HERE)
            .to_owned(),
        sort: sort(&subject, jopt::one("sort", &args.sort)?)?,
        filter: jopt::one("filter", &args.filter)?
            .unwrap_or_default()
            .to_owned(),
        rows: positive("rows", &args.rows)?.and_then(|rows| usize::try_from(rows).ok()),
        interval: interval(jopt::one("interval", &args.interval)?)?,
        count: positive("count", &args.count)?,
        format: args.output.format()?,
        subject,
    })
}

fn sort(subject: &Subject, given: Option<&str>) -> Result<Sort, Stop> {
    let Some(given) = given else {
        return Ok(subject.usual_sort());
    };
    let name = given.strip_prefix('-').unwrap_or(given);
    let columns = subject.columns();
    let column = columns
        .iter()
        .position(|column| column.eq_ignore_ascii_case(name));
    let column = column.ok_or_else(|| {
        let columns: Vec<String> = columns.iter().map(|name| name.to_lowercase()).collect();
        Stop::Usage(format!(
            "There is no column '{name}'; --sort takes one of {}.",
            columns.join(", ")
        ))
    })?;
    Ok(Sort {
        column,
        is_reversed: name.len() < given.len(),
    })
}

fn positive(name: &str, values: &[String]) -> Result<Option<u64>, Stop> {
    match jopt::number::<i64>(name, values)? {
        None => Ok(None),
        Some(given) => match u64::try_from(given) {
            Ok(given) if given > 0 => Ok(Some(given)),
            _ => Err(Stop::Usage(format!(
                "Option --{name} wants a number from 1 on."
            ))),
        },
    }
}

fn interval(given: Option<&str>) -> Result<Duration, Stop> {
    let Some(given) = given else {
        return Ok(INTERVAL);
    };
    let parsed = durations::parse(given).ok_or_else(|| {
        Stop::Usage(format!(
            "Option --interval wants a length of time, such as 500ms or 10s, not {given}."
        ))
    })?;
    Ok(parsed.max(INTERVAL_LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(words: &str) -> Result<Plan, Stop> {
        let words = words.split_whitespace().map(str::to_owned);
        plan(&jopt::parse(&words.collect::<Vec<_>>())?)
    }

    fn refusal(words: &str) -> String {
        match planned(words) {
            Err(Stop::Usage(sentence)) => sentence,
            other => panic!("{words}: {other:?}"),
        }
    }

    #[test]
    fn without_options_topics_of_the_broker_here_are_shown_every_two_seconds() {
        let plan = planned("").expect("a plan");
        assert_eq!((&*plan.servers, plan.subject), (HERE, Subject::Topics));
        assert_eq!(
            (plan.sort, plan.interval),
            (Subject::Topics.usual_sort(), INTERVAL)
        );
        assert_eq!((plan.rows, plan.count), (None, None));
    }

    #[test]
    fn columns_are_named_as_they_are_headed_in_any_case() {
        let sort = |words| planned(words).expect("a plan").sort;
        let by = |column, is_reversed| Sort {
            column,
            is_reversed,
        };
        assert_eq!(sort("--sort bytes/s"), by(3, false));
        assert_eq!(sort("--sort -TOPIC"), by(0, true));
        assert_eq!(sort("--view groups --sort lag"), by(3, false));
        assert_eq!(
            refusal("--view brokers --sort lag"),
            "There is no column 'lag'; --sort takes one of broker, address, records/s, bytes/s, leaders, replicas, groups, \
             size, free, problem."
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        assert_eq!(
            refusal("--view members"),
            "There is no view 'members'; --view takes topics, groups or brokers."
        );
        assert_eq!(
            refusal("--count 0"),
            "Option --count wants a number from 1 on."
        );
        assert_eq!(
            refusal("--rows -1"),
            "Option --rows wants a number from 1 on."
        );
        assert!(refusal("--interval soon").contains("such as 500ms or 10s, not soon"));
        assert_eq!(
            planned("--interval 1ms").expect("a plan").interval,
            INTERVAL_LEAST
        );
    }
}
