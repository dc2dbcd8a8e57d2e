//! What a reset means for each partition: how many records are read again or never, when they were written, and how long
//! retention leaves them.
//!
//! Counts are of offsets: compaction and markers of transactions leave some without a record, so that they are "at most".
//! What a broker does not tell (another leader's disk, a config that may not be read) is missing, and no reason to fail.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use ottla_client::admin::{Admin, ConfigResource, DescribeDetail, ResourceType, TopicPartition};

use super::super::ended::Ended;
use super::super::record_times::{RecordTime, RecordTimes};
use super::{GroupPlan, Move, NewOffsets, log};

/// Beside the plans: for each the explanations of its moves.
pub(super) type Explained = Vec<Vec<Explanation>>;

#[derive(Debug, PartialEq)]
pub(super) struct Explanation {
    pub(super) span: Span,
    /// When the first and the last of the records were written.
    pub(super) first_ms: Option<i64>,
    pub(super) last_ms: Option<i64>,
    pub(super) retention: Retention,
}

/// The records between two offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) effect: Effect,
    /// The first of them that the log still has, and the offset behind the last.
    pub(super) first: i64,
    pub(super) end: i64,
    /// So many more of them are gone from the log already.
    pub(super) gone: i64,
    /// What is left to read afterwards.
    pub(super) lag: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// They are read again.
    Replays,
    /// They are not read.
    Skips,
    /// Nothing was committed, and all from here on is read.
    Begins,
    /// The offset is deleted: the group's members begin where their `auto.offset.reset` says.
    Forgets,
    Stays,
}

impl Effect {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Replays => "replays",
            Self::Skips => "skips",
            Self::Begins => "begins",
            Self::Forgets => "forgets",
            Self::Stays => "stays",
        }
    }
}

/// How long the first of the records is safe from being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retention {
    /// There are no records, or it is not known.
    Unknown,
    /// Nothing deletes them, though compaction may keep only the last of each key.
    Keeps,
    /// `retention.ms` may delete it from this moment on.
    Until(i64),
    /// The log is larger than `retention.bytes`: it may go at any time.
    BySize,
}

impl Span {
    /// `first` and `end` of the log.
    fn between(from: Option<i64>, to: Option<i64>, first: i64, end: i64) -> Self {
        let (effect, low, high) = match (from, to) {
            (Some(from), Some(to)) if to < from => (Effect::Replays, to, from),
            (Some(from), Some(to)) if to > from => (Effect::Skips, from, to),
            (Some(_), Some(to)) => (Effect::Stays, to, to),
            (None, Some(to)) => (Effect::Begins, to, end),
            (Some(from), None) => (Effect::Forgets, from, from),
            (None, None) => (Effect::Stays, end, end),
        };
        // Committed offsets may lie outside of the log.
        let within = |offset: i64| offset.clamp(first, end.max(first));
        Self {
            effect,
            first: within(low),
            end: within(high),
            gone: high.min(first).saturating_sub(low).max(0),
            lag: to.map(|to| end.saturating_sub(to)),
        }
    }

    pub(super) fn records(&self) -> i64 {
        self.end - self.first
    }
}

pub(super) async fn explain(plans: &[GroupPlan], admin: &Admin) -> Result<Explained, Ended> {
    let moves = || plans.iter().flat_map(|plan| &plan.moves);
    let partitions: BTreeSet<TopicPartition> = moves().map(|step| step.at.clone()).collect();
    let partitions: Vec<TopicPartition> = partitions.into_iter().collect();
    let firsts = by_partition(log::earliest(&partitions, admin).await?);
    let ends = by_partition(log::latest(&partitions, admin).await?);
    let span = |step: &Move| {
        let from = step.from.as_ref().map(|from| from.offset);
        let to = step.to.as_ref().map(|to| to.offset);
        let end = ends.get(&step.at).copied().unwrap_or_default();
        let first = firsts.get(&step.at).copied().unwrap_or(end);
        Span::between(from, to, first, end)
    };
    let mut times = RecordTimes::default();
    let places = moves().flat_map(|step| places(&step.at, &span(step)));
    let times = times.look_up(places, admin).await;
    let limits = limits(&partitions, admin).await;
    let sizes = sizes(&partitions, admin).await;
    let explanation = |step: &Move| {
        let span = span(step);
        let time_of = |offset| time_of(times.get(&(step.at.clone(), offset)), &span);
        let first_ms = time_of(span.first);
        let limits = limits.get(&*step.at.topic).copied();
        let size = sizes.get(&step.at).copied();
        Explanation {
            first_ms,
            last_ms: time_of(span.end - 1).or(first_ms),
            retention: match span.records() {
                0 => Retention::Unknown,
                _ => retention(limits, size, first_ms),
            },
            span,
        }
    };
    let of_plan = |plan: &GroupPlan| plan.moves.iter().map(explanation).collect();
    Ok(plans.iter().map(of_plan).collect())
}

fn by_partition(offsets: NewOffsets) -> HashMap<TopicPartition, i64> {
    offsets.into_iter().collect()
}

/// The two records that tell when a span was written.
fn places(at: &TopicPartition, span: &Span) -> Vec<(TopicPartition, i64)> {
    match span.records() {
        0 => Vec::new(),
        _ => vec![(at.clone(), span.first), (at.clone(), span.end - 1)],
    }
}

/// A record that was found behind the span says nothing about it.
fn time_of(found: Option<&RecordTime>, span: &Span) -> Option<i64> {
    let found = found.filter(|found| found.offset < span.end)?;
    Some(found.timestamp_ms).filter(|time_ms| *time_ms >= 0)
}

/// What a topic's retention goes by; negative is no limit, as in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    deletes: bool,
    ms: i64,
    bytes: i64,
}

fn retention(limits: Option<Limits>, size: Option<i64>, first_ms: Option<i64>) -> Retention {
    let Some(limits) = limits else {
        return Retention::Unknown;
    };
    if !limits.deletes {
        return Retention::Keeps;
    }
    if limits.bytes >= 0 && size.is_some_and(|size| size > limits.bytes) {
        return Retention::BySize;
    }
    match first_ms {
        _ if limits.ms < 0 => Retention::Keeps,
        None => Retention::Unknown,
        Some(first_ms) => Retention::Until(first_ms.saturating_add(limits.ms)),
    }
}

const LIMITS: [&str; 3] = ["cleanup.policy", "retention.ms", "retention.bytes"];

async fn limits(partitions: &[TopicPartition], admin: &Admin) -> HashMap<String, Limits> {
    let topics: BTreeSet<&str> = partitions.iter().map(|at| &*at.topic).collect();
    let asked: Vec<ConfigResource> = topics
        .into_iter()
        .map(|topic| ConfigResource::new(ResourceType::Topic, topic))
        .collect();
    let keys = LIMITS.map(str::to_owned);
    let described = admin.describe_configs(&asked, Some(&keys), DescribeDetail::default());
    let mut limits = HashMap::new();
    for (resource, outcome) in described.await.unwrap_or_default() {
        let Ok(entries) = outcome else { continue };
        let value = |key: &str| {
            let entry = entries.iter().find(|entry| entry.name == key)?;
            entry.value.as_deref()
        };
        let number = |key| value(key).and_then(|text| text.parse().ok());
        let [policy, ms, bytes] = LIMITS;
        if let (Some(policy), Some(ms), Some(bytes)) = (value(policy), number(ms), number(bytes)) {
            let deletes = policy.split(',').any(|policy| policy.trim() == "delete");
            limits.insert(resource.name, Limits { deletes, ms, bytes });
        }
    }
    limits
}

/// How large the logs are; where replicas differ, the largest.
async fn sizes(partitions: &[TopicPartition], admin: &Admin) -> HashMap<TopicPartition, i64> {
    let metadata = admin.cluster().metadata();
    let brokers: Vec<_> = metadata.brokers().map(|broker| broker.id).collect();
    let described = admin.describe_log_dirs(&brokers, Some(partitions));
    let mut sizes = HashMap::new();
    for (_, outcome) in described.await.unwrap_or_default() {
        let folders = outcome.unwrap_or_default();
        for replica in folders.into_iter().flat_map(|folder| folder.replicas) {
            let size = sizes.entry(replica.partition).or_insert(0);
            *size = replica.size_bytes.max(*size);
        }
    }
    sizes
}

/// Whether the moment has come.
pub(super) fn is_due(retention: Retention, now: Timestamp) -> bool {
    matches!(retention, Retention::Until(ms) if ms <= now.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_replays_or_skips_what_lies_between_as_far_as_the_log_has_it() {
        let between = |from, to| {
            let span = Span::between(from, to, 10, 100);
            (span.effect, span.records(), span.gone, span.lag)
        };
        for (from, to, expected) in [
            (Some(50), Some(20), (Effect::Replays, 30, 0, Some(80))),
            (Some(20), Some(50), (Effect::Skips, 30, 0, Some(50))),
            (Some(50), Some(50), (Effect::Stays, 0, 0, Some(50))),
            // Retention was faster than the group.
            (Some(4), Some(10), (Effect::Skips, 0, 6, Some(90))),
            (Some(4), Some(30), (Effect::Skips, 20, 6, Some(70))),
            // The log was cut below the group.
            (Some(120), Some(90), (Effect::Replays, 10, 0, Some(10))),
            (None, Some(90), (Effect::Begins, 10, 0, Some(10))),
            (Some(50), None, (Effect::Forgets, 0, 0, None)),
            (None, None, (Effect::Stays, 0, 0, None)),
        ] {
            assert_eq!(between(from, to), expected, "{from:?} {to:?}");
        }
    }

    #[test]
    fn retention_takes_the_first_record_when_its_time_or_the_logs_size_is_over() {
        let limits = |deletes, ms, bytes| Some(Limits { deletes, ms, bytes });
        for (limits, size, first_ms, expected) in [
            (
                limits(true, 1000, -1),
                Some(9),
                Some(500),
                Retention::Until(1500),
            ),
            (limits(true, -1, -1), Some(9), Some(500), Retention::Keeps),
            (limits(false, 1000, 1), Some(9), Some(500), Retention::Keeps),
            (limits(true, 1000, 8), Some(9), Some(500), Retention::BySize),
            (
                limits(true, 1000, 9),
                Some(9),
                Some(500),
                Retention::Until(1500),
            ),
            (limits(true, 1000, -1), None, None, Retention::Unknown),
            (None, Some(9), Some(500), Retention::Unknown),
        ] {
            assert_eq!(retention(limits, size, first_ms), expected, "{limits:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_offsets_are_too_odd(from: Option<i64>, to: Option<i64>, first in 0..i64::MAX, end in 0..i64::MAX) {
            let span = Span::between(from, to, first, end);
            proptest::prop_assert!(span.records() >= 0 && span.gone >= 0);
        }
    }
}
