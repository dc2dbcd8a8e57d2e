//! From options to what shall be done. Pure, but for the file of new offsets and the clock.

use std::path::PathBuf;
use std::time::Duration;

use super::args::{Args, NO_STATE};
use super::ended::Ended;
use super::reset::{Reset, Scope, Target};
use crate::durations;
use crate::jopt::{self, OptionError};
use crate::stop::Stop;
use crate::table::known_as;

#[derive(Debug)]
pub(super) enum Plan {
    List(Listing),
    Describe(Description),
    Watch {
        description: Description,
        every: Duration,
    },
    WaitLag(Wait),
    Delete(Groups),
    Reset(Reset),
    DeleteOffsets {
        group: String,
        topics: Vec<TopicScope>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Groups {
    All,
    These(Vec<String>),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) with_type: bool,
    pub(super) with_state: bool,
    /// Empty: all.
    pub(super) types: Vec<String>,
    /// Empty: all.
    pub(super) states: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Description {
    pub(super) groups: Groups,
    pub(super) view: View,
    pub(super) verbose: bool,
    pub(super) time_lag: bool,
}

/// Until when to wait for groups to catch up.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) description: Description,
    /// Empty: every partition that the group reads.
    pub(super) topics: Vec<TopicScope>,
    pub(super) lag_max: i64,
    pub(super) within: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Offsets,
    Members,
    State,
}

/// A topic, or some of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicScope {
    pub(super) topic: String,
    /// `None`: all there are.
    pub(super) partitions: Option<Vec<i32>>,
}

impl Plan {
    /// The groups it is about, where it is about more than one.
    pub(super) fn groups(&self) -> Option<&Groups> {
        match self {
            Self::List(_) => Some(&Groups::All),
            Self::Describe(description) | Self::Watch { description, .. } => {
                Some(&description.groups)
            }
            Self::WaitLag(wait) => Some(&wait.description.groups),
            Self::Delete(groups) => Some(groups),
            Self::Reset(reset) => Some(&reset.groups),
            Self::DeleteOffsets { .. } => None,
        }
    }

    /// The reference's name for the first question.
    pub(super) fn first_call(&self) -> &'static str {
        match self {
            Self::List(_) => "listGroups",
            Self::Describe(_) | Self::Watch { .. } | Self::WaitLag(_) | Self::Reset(_) => {
                "describeConsumerGroups(api=FIND_COORDINATOR)"
            }
            Self::Delete(_) => "deleteConsumerGroups(api=FIND_COORDINATOR)",
            Self::DeleteOffsets { .. } => "deleteConsumerGroupOffsets(api=FIND_COORDINATOR)",
        }
    }
}

impl Groups {
    pub(super) fn are_all(&self) -> bool {
        *self == Self::All
    }

    /// Whether a single one is named.
    pub(super) fn is_one(&self) -> bool {
        matches!(self, Self::These(ids) if ids.len() == 1)
    }
}

impl Listing {
    /// Whether the table is wanted and not just the names.
    pub(super) fn is_filtered(&self) -> bool {
        self.with_type || self.with_state
    }
}

pub(super) fn plan(args: &Args) -> Result<Plan, Ended> {
    let groups = match args.all_groups {
        true => Groups::All,
        false => Groups::These(args.group.clone()),
    };
    if args.list {
        return Ok(Plan::List(Listing {
            with_type: !args.r#type.is_empty(),
            with_state: !args.state.is_empty(),
            types: chosen("types", "type", &args.r#type, &TYPES)?,
            states: chosen("state", "state", &args.state, &STATES)?,
        }));
    }
    if args.describes() {
        return Ok(described(args, groups)?);
    }
    if args.delete {
        return Ok(Plan::Delete(groups));
    }
    let topics = args.topic.iter().map(|text| topic_scope(text));
    if args.delete_offsets {
        let group = jopt::one("group", &args.group)?.unwrap_or_default();
        return Ok(Plan::DeleteOffsets {
            group: group.to_owned(),
            topics: topics.collect::<Result<_, _>>()?,
        });
    }
    let scope = match args.all_topics {
        true => Scope::AllTopics,
        false => Scope::Topics(topics.collect::<Result<_, _>>()?),
    };
    let target = Target::of(args)?;
    let groups = match &target {
        Target::Undo(file) => Groups::These(file.groups(&args.group)?),
        _ => groups,
    };
    Ok(Plan::Reset(Reset {
        scope,
        target,
        execute: args.execute,
        export: args.export,
        explain: args.explain,
        is_strict: args.is_ours(),
        undo_dir: jopt::one("undo-dir", &args.undo_dir)?.map(PathBuf::from),
        groups,
    }))
}

fn described(args: &Args, groups: Groups) -> Result<Plan, Stop> {
    let view = match (args.members, args.state.is_empty()) {
        (true, _) => View::Members,
        (false, false) => View::State,
        (false, true) => View::Offsets,
    };
    let description = Description {
        groups,
        view,
        verbose: args.verbose,
        time_lag: args.time_lag || !args.watch.is_empty(),
    };
    if let Some(lag_max) = jopt::number("wait-lag", &args.wait_lag)? {
        if lag_max < 0 {
            return Err(Stop::Usage("No lag is below zero.".to_owned()));
        }
        let topics = args.topic.iter().map(|text| topic_scope(text));
        return Ok(Plan::WaitLag(Wait {
            description,
            topics: topics.collect::<Result<_, _>>()?,
            lag_max,
            within: match jopt::one("timeout", &args.timeout)? {
                Some(text) => length("timeout", text)?,
                None => DEFAULT_TIMEOUT,
            },
        }));
    }
    Ok(match jopt::one("watch", &args.watch)? {
        None => Plan::Describe(description),
        Some("") => Plan::Watch {
            description,
            every: WATCH_EVERY,
        },
        Some(text) => Plan::Watch {
            description,
            // A broker has better things to do than to be asked more often.
            every: length("watch", text)?.max(WATCH_EVERY_LEAST),
        },
    })
}

const WATCH_EVERY: Duration = Duration::from_secs(2);

const WATCH_EVERY_LEAST: Duration = Duration::from_millis(100);

fn length(option: &str, text: &str) -> Result<Duration, Stop> {
    durations::parse(text).ok_or_else(|| {
        Stop::Usage(format!(
            "--{option} {text}: a number with a unit is needed (500ms, 60s, 5m)"
        ))
    })
}

/// How long each question may take, where nobody says.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn timeout(args: &Args) -> Result<Duration, Ended> {
    if !args.wait_lag.is_empty() {
        return Ok(DEFAULT_TIMEOUT);
    }
    let given: Option<i64> = jopt::number("timeout", &args.timeout)?;
    let length = |ms: i64| Duration::from_millis(ms.try_into().unwrap_or(0));
    Ok(given.map_or(DEFAULT_TIMEOUT, length))
}

/// What the reference reads of every command line, whatever it is for.
pub(super) fn check_targets(args: &Args) -> Result<(), OptionError> {
    jopt::number::<i64>("to-offset", &args.to_offset)?;
    jopt::number::<i64>("shift-by", &args.shift_by)?;
    jopt::one("by-duration", &args.by_duration)?;
    Ok(())
}

pub(super) const TYPES: [&str; 2] = ["Classic", "Consumer"];

/// The states that groups of consumers can be in.
pub(super) const STATES: [&str; 7] = [
    "PreparingRebalance",
    "CompletingRebalance",
    "Stable",
    "Dead",
    "Empty",
    "Assigning",
    "Reconciling",
];

/// The members of `known` that a list names, in any case.
fn chosen(
    what: &str,
    option: &str,
    values: &[String],
    known: &[&str],
) -> Result<Vec<String>, Stop> {
    let list = match jopt::one(option, values)? {
        None | Some("" | NO_STATE) => return Ok(Vec::new()),
        Some(list) => list,
    };
    let mut names = Vec::new();
    for name in list.trim_end_matches(',').split_terminator(',') {
        let name = known_as(name.trim(), known).ok_or_else(|| {
            Stop::Usage(format!(
                "Invalid {what} list '{list}'. Valid {} are: {}",
                if what == "state" { "states" } else { what },
                known.join(", ")
            ))
        })?;
        names.push(name.to_owned());
    }
    Ok(names)
}

/// `TOPIC` or `TOPIC:0,1`.
fn topic_scope(text: &str) -> Result<TopicScope, Stop> {
    if !text.contains(':') {
        return Ok(TopicScope {
            topic: text.to_owned(),
            partitions: None,
        });
    }
    // Empty parts at the end count for nothing in the reference.
    let (topic, list) = text
        .trim_end_matches(':')
        .split_once(':')
        .filter(|(_, list)| !list.contains(':'))
        .ok_or_else(|| {
            Stop::Usage(format!(
                "Invalid topic arg '{text}', expected topic name and partitions"
            ))
        })?;
    let number = |number: &str| {
        number.parse().map_err(|_| {
            Stop::Usage(format!(
                "Invalid partition '{number}' specified in topic arg '{text}''"
            ))
        })
    };
    let list = list.trim_end_matches(',').split_terminator(',');
    Ok(TopicScope {
        topic: topic.to_owned(),
        partitions: Some(list.map(number).collect::<Result<_, _>>()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: std::fmt::Debug>(result: Result<T, Stop>) -> String {
        match result {
            Err(Stop::Usage(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_topic_may_name_its_partitions() {
        let scope = |text| topic_scope(text).expect("a good topic").partitions;
        assert_eq!(scope("orders"), None);
        assert_eq!(scope("orders:2"), Some(vec![2]));
        assert_eq!(scope("orders:0,1,"), Some(vec![0, 1]));
        assert_eq!(scope("orders:2::"), Some(vec![2]));
        assert_eq!(scope("orders:,"), Some(vec![]));
        assert_eq!(
            refusal(topic_scope("orders:x")),
            "Invalid partition 'x' specified in topic arg 'orders:x''"
        );
        for text in ["orders:", "orders::", ":", "a:0:1"] {
            assert!(
                refusal(topic_scope(text)).starts_with("Invalid topic arg"),
                "{text}"
            );
        }
    }

    #[test]
    fn states_are_known_in_any_case() {
        let states = |list: &str| chosen("state", "state", &[list.to_owned()], &STATES);
        assert_eq!(
            states("stable, EMPTY").expect("known states"),
            ["Stable", "Empty"]
        );
        for none in ["", ","] {
            assert!(states(none).expect("no states").is_empty());
        }
        assert!(
            refusal(states("bogus")).starts_with("Invalid state list 'bogus'. Valid states are: ")
        );
    }
}
