//! What a watch shows of a moment, as a page, as lines, and as JSON. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::describe::Seen;
use super::super::json as shared;
use super::super::render::{OffsetRow, or_missing};
use super::Moment;
use crate::durations;
use crate::rates::{self, Rates};
use crate::table::{line, visible, width};

pub(super) fn page(moment: &Moment, every: Duration) -> Vec<String> {
    let mut lines = vec![format!(
        "{:.0}, every {}; Ctrl-C ends.",
        moment.at,
        durations::shown(every)
    )];
    for (seen, rates) in moment.seen.iter().zip(&moment.rates) {
        lines.push(String::new());
        lines.push(summary(seen, rates, moment));
        if !seen.rows.is_empty() {
            let mut text = String::new();
            table(&mut text, &rows(seen, rates, moment), 2, PAGE, true);
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines
}

pub(super) fn lines(moment: &Moment, with_head: bool) -> String {
    let beside = moment.seen.iter().zip(&moment.rates);
    let rows: Vec<_> = beside
        .flat_map(|(seen, rates)| rows(seen, rates, moment))
        .collect();
    let mut text = String::new();
    table(&mut text, &rows, 0, LINES, with_head);
    text
}

/// What is said where there is no line to show.
pub(super) fn nothing(moment: &Moment) -> Option<String> {
    if !moment.seen.iter().all(|seen| seen.rows.is_empty()) {
        return None;
    }
    Some(match moment.seen.as_slice() {
        [] => "There is no group.".to_owned(),
        [Seen { group, .. }] => format!(
            "Group {} reads nothing and has committed nothing.",
            visible(&group.id)
        ),
        seen => format!(
            "The {} groups read nothing and have committed nothing.",
            seen.len()
        ),
    })
}

fn rows(seen: &Seen, rates: &[Option<Rates>], moment: &Moment) -> Vec<[String; COLUMNS]> {
    let beside = seen.rows.iter().zip(rates);
    beside
        .map(|(row, rates)| columns(&seen.group.id, row, *rates, moment))
        .collect()
}

/// What all of a group's partitions add up to.
struct Total {
    lag: Option<i64>,
    time_lag: Option<Duration>,
    rates: Option<Rates>,
    catch_up: Option<Duration>,
}

impl Total {
    fn of(seen: &Seen, rates: &[Option<Rates>], moment: &Moment) -> Self {
        let lags = || seen.rows.iter().filter_map(OffsetRow::lag);
        let now_ms = moment.at.as_millisecond();
        let beside = seen.rows.iter().zip(rates);
        // The group has caught up when its slowest partition has.
        let each: Option<Vec<Duration>> =
            beside.map(|(row, rates)| catch_up(row, *rates)).collect();
        Self {
            lag: lags().next().map(|_| lags().fold(0, i64::saturating_add)),
            time_lag: seen
                .rows
                .iter()
                .filter_map(|row| row.time_lag(now_ms))
                .max(),
            rates: rates.iter().copied().flatten().reduce(Rates::and),
            catch_up: each.and_then(|each| each.into_iter().max()),
        }
    }
}

fn catch_up(row: &OffsetRow, rates: Option<Rates>) -> Option<Duration> {
    match row.lag()? {
        ..=0 => Some(Duration::ZERO),
        lag => rates?.catch_up(lag),
    }
}

fn summary(seen: &Seen, rates: &[Option<Rates>], moment: &Moment) -> String {
    let group = &seen.group;
    let total = Total::of(seen, rates, moment);
    let members = group.members.len();
    let mut text = format!(
        "{}: {}, {members} {}",
        visible(&group.id),
        visible(&group.state),
        if members == 1 { "member" } else { "members" }
    );
    if let Some(lag) = total.lag {
        text.push_str(&format!("; lag {lag}"));
    }
    if let Some(time_lag) = total.time_lag.filter(|time_lag| !time_lag.is_zero()) {
        text.push_str(&format!(", {} behind", durations::shown(time_lag)));
    }
    if let Some(Rates { read, written }) = total.rates {
        text.push_str(&format!(
            "; {} read/s, {} written/s",
            rates::shown(read),
            rates::shown(written)
        ));
    }
    match total.catch_up {
        Some(Duration::ZERO) => text.push_str("; caught up"),
        Some(left) => text.push_str(&format!("; caught up in {}", durations::shown(left))),
        None => {}
    }
    text
}

/// As narrow as the values are; the group stands above.
const PAGE: [usize; COLUMNS] = [0; COLUMNS];

/// Wide enough for the lines of most rounds to stand below each other.
const LINES: [usize; COLUMNS] = [20, 15, 15, 9, 14, 14, 10, 8, 8, 9, 8, 15, 15, 0];

const COLUMNS: usize = 14;

const HEAD: [&str; COLUMNS] = [
    "TIME",
    "GROUP",
    "TOPIC",
    "PARTITION",
    "CURRENT-OFFSET",
    "LOG-END-OFFSET",
    "LAG",
    "TIME-LAG",
    "READ/S",
    "WRITTEN/S",
    "CATCH-UP",
    "CONSUMER-ID",
    "HOST",
    "CLIENT-ID",
];

fn columns(
    group: &str,
    row: &OffsetRow,
    rates: Option<Rates>,
    moment: &Moment,
) -> [String; COLUMNS] {
    let committed = row.committed.as_ref();
    let time_lag = row.time_lag(moment.at.as_millisecond());
    [
        format!("{:.0}", moment.at),
        group.to_owned(),
        row.at.topic.clone(),
        row.at.partition.to_string(),
        or_missing(committed.map(|committed| committed.offset)),
        or_missing(row.end),
        or_missing(row.lag()),
        or_missing(time_lag.map(durations::shown)),
        or_missing(rates.map(|rates| rates::shown(rates.read))),
        or_missing(rates.map(|rates| rates::shown(rates.written))),
        or_missing(catch_up(row, rates).map(durations::shown)),
        row.owner.id.clone(),
        row.owner.host.clone(),
        row.owner.client_id.clone(),
    ]
}

/// The columns from one on, each as wide as its values and at least as said.
fn table(
    text: &mut String,
    rows: &[[String; COLUMNS]],
    first: usize,
    least: [usize; COLUMNS],
    with_head: bool,
) {
    let mut widths = least;
    for (index, width_of) in widths.iter_mut().enumerate().take(COLUMNS - 1) {
        let least = HEAD.get(index).map_or(0, |name| name.len()).max(*width_of);
        let values = rows.iter().filter_map(|row| row.get(index));
        *width_of = width(least, values.map(String::as_str));
    }
    if with_head {
        line(text, HEAD.into_iter().zip(widths).skip(first));
    }
    for row in rows {
        line(text, row.iter().map(String::as_str).zip(widths).skip(first));
    }
}

/// As `--describe` tells it, and rates.
pub(super) fn json(moment: &Moment) -> Value {
    let now_ms = moment.at.as_millisecond();
    let group = |(seen, rates): (&Seen, &Vec<Option<Rates>>)| {
        let row = |(row, rates): (&OffsetRow, &Option<Rates>)| {
            let mut value = shared::offsets(row, Some(now_ms));
            value["readPerSecond"] = rates.map(|rates| rates.read).into();
            value["writtenPerSecond"] = rates.map(|rates| rates.written).into();
            let catch_up = catch_up(row, *rates);
            value["catchUpMs"] = catch_up.map(durations::ms).into();
            value
        };
        let mut value = shared::group(&seen.group);
        value["offsets"] = seen.rows.iter().zip(rates).map(row).collect();
        value
    };
    let groups: Vec<Value> = moment.seen.iter().zip(&moment.rates).map(group).collect();
    json!({ "version": shared::VERSION, "timeMs": now_ms, "groups": groups })
}
