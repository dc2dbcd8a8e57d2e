//! Views as rows of columns that can be sorted and filtered: the same for lines and pages. Pure.

use std::cmp::Ordering;
use std::time::Duration;

use super::view::{
    BrokerView, GroupView, MemberView, PartitionView, Progress, TopicView, Traffic, View,
};
use crate::durations;
use crate::rates::{self, Rates};
use crate::table::{size, visible};

/// What a table is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Topics,
    Groups,
    Brokers,
    /// The partitions of a topic.
    Partitions(String),
    /// The members of a group.
    Members(String),
}

impl Subject {
    /// As `--view` takes them, in the order in which Tab goes through them.
    pub(super) const VIEWS: [(&'static str, Self); 3] = [
        ("topics", Self::Topics),
        ("groups", Self::Groups),
        ("brokers", Self::Brokers),
    ];

    pub(super) fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Topics => &[
                "TOPIC",
                "PARTITIONS",
                "RECORDS/S",
                "BYTES/S",
                "SIZE",
                "UNDER-REPLICATED",
                "OFFLINE",
            ],
            Self::Groups => &[
                "GROUP",
                "STATE",
                "MEMBERS",
                "LAG",
                "READ/S",
                "WRITTEN/S",
                "CATCH-UP",
                "TYPE",
                "COORDINATOR",
            ],
            Self::Brokers => &[
                "BROKER",
                "ADDRESS",
                "RECORDS/S",
                "BYTES/S",
                "LEADERS",
                "REPLICAS",
                "GROUPS",
                "SIZE",
                "FREE",
                "PROBLEM",
            ],
            Self::Partitions(_) => &[
                "PARTITION",
                "LEADER",
                "RECORDS/S",
                "BYTES/S",
                "SIZE",
                "LOG-END-OFFSET",
                "REPLICAS",
                "ISR",
            ],
            Self::Members(_) => &[
                "MEMBER",
                "PARTITIONS",
                "LAG",
                "READ/S",
                "WRITTEN/S",
                "CATCH-UP",
                "CLIENT-ID",
                "HOST",
            ],
        }
    }
}

impl Subject {
    /// What most want to see first: who is busiest, or latest.
    pub(super) fn usual_sort(&self) -> Sort {
        let column = match self {
            Self::Topics => "RECORDS/S",
            Self::Groups => "LAG",
            Self::Brokers => "BROKER",
            Self::Partitions(_) => "PARTITION",
            Self::Members(_) => "MEMBER",
        };
        let columns = self.columns().iter();
        Sort {
            column: columns.take_while(|name| **name != column).count(),
            is_reversed: false,
        }
    }
}

/// A value in its place: how it is shown, and how it compares.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Count(Option<i64>),
    Bytes(Option<i64>),
    Rate(Option<f64>),
    ByteRate(Option<f64>),
    Time(Option<Duration>),
}

impl Cell {
    fn count(count: usize) -> Self {
        Self::Count(i64::try_from(count).ok())
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    pub(super) fn shown(&self) -> String {
        let shown = match self {
            Self::Text(text) => Some(visible(text).into_owned()).filter(|text| !text.is_empty()),
            Self::Count(count) => count.map(|count| count.to_string()),
            Self::Bytes(bytes) => bytes.map(|bytes| size(bytes as f64)),
            Self::Rate(rate) => rate.map(rates::shown),
            Self::ByteRate(rate) => rate.map(size),
            Self::Time(time) => time.map(durations::shown),
        };
        shown.unwrap_or_else(|| "-".to_owned())
    }

    /// Numbers: the largest first, those that are not known last. Texts: as in a dictionary, numbers in them too.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => match (a.parse::<i64>(), b.parse::<i64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                _ => a.cmp(b),
            },
            // What is never done is worse than what takes long.
            (Self::Time(a), Self::Time(b)) => match (a, b) {
                (None, None) => Ordering::Equal,
                (None, _) => Ordering::Less,
                (_, None) => Ordering::Greater,
                (Some(a), Some(b)) => b.cmp(a),
            },
            (a, b) => b.number().total_cmp(&a.number()),
        }
    }

    fn number(&self) -> f64 {
        match self {
            Self::Count(count) | Self::Bytes(count) => {
                count.map_or(f64::NEG_INFINITY, |n| n as f64)
            }
            Self::Rate(rate) | Self::ByteRate(rate) => rate.unwrap_or(f64::NEG_INFINITY),
            Self::Text(_) | Self::Time(_) => f64::NEG_INFINITY,
        }
    }
}

/// Whether a row is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    /// Worth a look.
    Odd,
    Bad,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// What it is called, to find it again after it has moved.
    pub(super) name: String,
    pub(super) cells: Vec<Cell>,
    pub(super) health: Health,
}

/// By which column, and whether the other way round than it usually is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) column: usize,
    pub(super) is_reversed: bool,
}

/// The rows of what it is about whose names contain the filter, in any case.
pub(super) fn rows(view: &View, subject: &Subject, sort: Sort, filter: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = match subject {
        Subject::Topics => view.topics.iter().map(topic).collect(),
        Subject::Groups => view.groups.iter().map(group).collect(),
        Subject::Brokers => view.brokers.iter().map(broker).collect(),
        Subject::Partitions(name) => {
            let mut topics = view.topics.iter();
            let topic = topics.find(|topic| *topic.name == **name);
            topic.map_or_else(Vec::new, |topic| {
                topic.partitions.iter().map(partition).collect()
            })
        }
        Subject::Members(id) => {
            let group = view.groups.iter().find(|group| group.id == *id);
            let members = group.and_then(|group| group.members.as_ref());
            members.map_or_else(Vec::new, |members| members.iter().map(member).collect())
        }
    };
    rows.retain(|row| has(&row.name, filter));
    // Rows that are equal stay in the order of their names.
    rows.sort_by(|a, b| {
        let order = match (a.cells.get(sort.column), b.cells.get(sort.column)) {
            (Some(a), Some(b)) => a.order(b),
            _ => Ordering::Equal,
        };
        match sort.is_reversed {
            true => order.reverse(),
            false => order,
        }
    });
    rows
}

/// Whether a name has a text in it, in any case.
pub(super) fn has(name: &str, text: &str) -> bool {
    text.is_empty() || name.to_lowercase().contains(&text.to_lowercase())
}

fn topic(topic: &TopicView) -> Row {
    let health = match (topic.offline(), topic.under_replicated()) {
        (0, 0) => Health::Good,
        (0, _) => Health::Odd,
        _ => Health::Bad,
    };
    let Traffic { records, bytes } = topic.traffic;
    Row {
        name: topic.name.to_string(),
        cells: vec![
            Cell::Text(topic.name.to_string()),
            Cell::count(topic.partitions.len()),
            Cell::Rate(records),
            Cell::ByteRate(bytes),
            Cell::Bytes(topic.size_bytes),
            Cell::count(topic.under_replicated()),
            Cell::count(topic.offline()),
        ],
        health,
    }
}

fn partition(partition: &PartitionView) -> Row {
    let seen = &partition.seen;
    let list = |ids: &[i32]| {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        Cell::Text(ids.join(","))
    };
    let health = match seen.leader {
        None => Health::Bad,
        Some(_) if partition.is_under_replicated() => Health::Odd,
        Some(_) => Health::Good,
    };
    Row {
        name: seen.index.to_string(),
        cells: vec![
            Cell::Text(seen.index.to_string()),
            Cell::Text(
                seen.leader
                    .map_or_else(|| "none".to_owned(), |id| id.to_string()),
            ),
            Cell::Rate(partition.traffic.records),
            Cell::ByteRate(partition.traffic.bytes),
            Cell::Bytes(seen.size_bytes),
            Cell::Count(seen.end),
            list(&seen.replicas),
            list(&seen.isr),
        ],
        health,
    }
}

fn group(group: &GroupView) -> Row {
    let health = match &*group.state {
        "Stable" => Health::Good,
        "Dead" => Health::Bad,
        _ => Health::Odd,
    };
    let [lag, read, written, catch_up] = progress(&group.progress);
    Row {
        name: group.id.clone(),
        cells: vec![
            Cell::Text(group.id.clone()),
            Cell::Text(group.state.clone()),
            Cell::Count(
                group
                    .members
                    .as_ref()
                    .and_then(|members| i64::try_from(members.len()).ok()),
            ),
            lag,
            read,
            written,
            catch_up,
            Cell::Text(group.kind.clone()),
            Cell::Text(group.coordinator.to_string()),
        ],
        health,
    }
}

fn member(member: &MemberView) -> Row {
    let name = member.instance_id.as_ref().unwrap_or(&member.id);
    let [lag, read, written, catch_up] = progress(&member.progress);
    Row {
        name: name.clone(),
        cells: vec![
            Cell::Text(name.clone()),
            Cell::count(member.partitions),
            lag,
            read,
            written,
            catch_up,
            Cell::Text(member.client_id.clone()),
            Cell::Text(member.host.clone()),
        ],
        health: Health::Good,
    }
}

fn progress(progress: &Progress) -> [Cell; 4] {
    let rate = |of: fn(Rates) -> f64| Cell::Rate(progress.rates.map(of));
    [
        Cell::Count(progress.lag),
        rate(|rates| rates.read),
        rate(|rates| rates.written),
        Cell::Time(progress.catch_up),
    ]
}

fn broker(broker: &BrokerView) -> Row {
    let health = match broker.problem {
        None => Health::Good,
        Some(_) => Health::Bad,
    };
    let disk = broker.disk;
    Row {
        name: broker.id.to_string(),
        cells: vec![
            Cell::Text(broker.id.to_string()),
            Cell::Text(format!("{}:{}", broker.host, broker.port)),
            Cell::Rate(broker.traffic.records),
            Cell::ByteRate(broker.traffic.bytes),
            Cell::count(broker.leaders),
            Cell::count(broker.replicas),
            Cell::count(broker.groups),
            Cell::Bytes(disk.map(|disk| disk.used_bytes)),
            Cell::Bytes(disk.and_then(|disk| disk.usable_bytes)),
            Cell::Text(broker.problem.clone().unwrap_or_default()),
        ],
        health,
    }
}
