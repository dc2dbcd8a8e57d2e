//! `--output wide`: all columns of a result as a table for people. Pure.
//!
//! Always: the columns and rows are those of `csv`, in their order. A column that has nothing in any row is left out, but not
//! where rows come one by one.

use jiff::Timestamp;
use serde_json::Value;

use super::plain;
use crate::durations;
use crate::table;

type Row<'a> = Vec<Option<&'a Value>>;

/// The whole table.
pub(super) fn table(rows: &[Row<'_>], columns: &[&str]) -> String {
    let has_any = |column: usize| {
        let mut cells = rows
            .iter()
            .filter_map(|row| row.get(column).copied().flatten());
        rows.is_empty() || cells.any(|cell| !is_empty(cell))
    };
    let kept: Vec<usize> = (0..columns.len())
        .filter(|column| has_any(*column))
        .collect();
    let pick = |row: Vec<String>| {
        let cells = row.into_iter().enumerate();
        let cells = cells
            .filter(|(at, _)| kept.contains(at))
            .map(|(_, cell)| cell);
        cells.collect::<Vec<String>>()
    };
    let heads = pick(heads(columns));
    let rows: Vec<Vec<String>> = rows.iter().map(|row| pick(cells(row, columns))).collect();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            table::width(0, cells.chain([head]).map(String::as_str))
        })
        .collect();
    let mut text = String::new();
    for row in [heads].iter().chain(&rows) {
        line(&mut text, row, &widths);
    }
    text
}

/// The next rows of a table, and its head before the first. Columns stay as wide as the first row and their heads make them,
/// as long as their values fit.
pub(super) fn lines(rows: &[Row<'_>], columns: &[&str], widths: &mut Vec<usize>) -> String {
    let mut text = String::new();
    for row in rows {
        let row = cells(row, columns);
        if widths.is_empty() {
            let heads = heads(columns);
            let both = heads.iter().zip(&row);
            *widths = both
                .map(|(head, cell)| table::width(0, [head.as_str(), cell]))
                .collect();
            line(&mut text, &heads, widths);
        }
        line(&mut text, &row, widths);
    }
    text
}

fn heads(columns: &[&str]) -> Vec<String> {
    columns.iter().copied().map(head).collect()
}

fn cells(row: &Row<'_>, columns: &[&str]) -> Vec<String> {
    let cells = columns.iter().zip(row);
    cells.map(|(column, cell)| shown(column, *cell)).collect()
}

fn is_empty(cell: &Value) -> bool {
    match cell {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// What the name of a column says of its numbers.
#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Milliseconds,
    /// Of the time of a record, which its producer may have chosen.
    Time,
}

/// No length of time that a tool tells is so long, and no time is so far back: 1973.
const FIRST_TIME_MS: i64 = 100_000_000_000;

/// The name without its unit, and the unit.
fn unit(column: &str) -> Option<(&str, Unit)> {
    let bare = |end| column.strip_suffix(end);
    match (bare("Bytes"), bare("Ms")) {
        (Some(name), _) => Some((name, Unit::Bytes)),
        (_, Some(name)) => Some((name, Unit::Milliseconds)),
        _ if column == "bytes" => Some((column, Unit::Bytes)),
        _ if column == "timestamp" => Some((column, Unit::Time)),
        _ => None,
    }
}

impl Unit {
    fn shown(self, number: i64) -> String {
        match self {
            Self::Bytes => table::size(number as f64),
            Self::Milliseconds if number < FIRST_TIME_MS => {
                let ms = number.unsigned_abs();
                durations::shown(std::time::Duration::from_millis(ms))
            }
            Self::Time if number < FIRST_TIME_MS => number.to_string(),
            Self::Milliseconds | Self::Time => match Timestamp::from_millisecond(number) {
                Ok(time) => format!("{time:.3}"),
                Err(_) => number.to_string(),
            },
        }
    }
}

/// A cell for a person: times, lengths of time and sizes have units, which the head of the column leaves out.
fn shown(column: &str, cell: Option<&Value>) -> String {
    let number = cell.and_then(Value::as_i64).filter(|number| *number >= 0);
    if let (Some(number), Some((_, unit))) = (number, unit(column)) {
        return unit.shown(number);
    }
    let text = match cell {
        Some(Value::Array(list)) if list.is_empty() => "-".to_owned(),
        Some(Value::Array(list)) if list.iter().all(|item| pair(item).is_some()) => {
            let pairs = list.iter().filter_map(pair);
            pairs.collect::<Vec<_>>().join(",")
        }
        Some(Value::Array(list))
            if list
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            let items: Vec<String> = list.iter().map(|item| plain(Some(item))).collect();
            items.join(",")
        }
        Some(Value::Object(fields)) => {
            let pair = |(name, value): (&String, &Value)| format!("{name}={}", plain(Some(value)));
            fields.iter().map(pair).collect::<Vec<_>>().join(",")
        }
        None | Some(Value::Null) => "-".to_owned(),
        some => plain(some),
    };
    table::visible(&text).into_owned()
}

/// What has a name and a value, as configurations are written.
fn pair(item: &Value) -> Option<String> {
    let (name, value) = (item.get("name")?, item.get("value")?);
    Some(format!("{}={}", plain(Some(name)), plain(Some(value))))
}

/// `logEndOffset` is `LOG-END-OFFSET`, as the reference would have it.
fn head(column: &str) -> String {
    let column = unit(column).map_or(column, |(name, _)| name);
    let mut head = String::new();
    for c in column.chars() {
        match c {
            '.' => head.push('-'),
            c if c.is_uppercase() => head.extend(['-', c]),
            c => head.extend(c.to_uppercase()),
        }
    }
    head
}

fn line(text: &mut String, row: &[String], widths: &[usize]) {
    let last = widths.len().saturating_sub(1);
    // Nothing stands behind the last column.
    let width = |(column, width): (usize, &usize)| if column == last { 0 } else { *width };
    let widths = widths.iter().enumerate().map(width);
    table::line(text, row.iter().map(String::as_str).zip(widths));
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::super::{Form, Rows, Stream};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wide_table_has_all_columns_and_steers_no_terminal() {
        let lines = "BROKER PATH       ERROR-CODE TAGS\n\
                     1      /a, b      -          1,2\n\
                     1      say \"x\"\\ty BAD        [{\"k\":\"v\"}]\n\
                     2      -          -          -\n";
        assert_eq!(report().text(Form::Wide), lines);
        assert_eq!(head("logEndOffset"), "LOG-END-OFFSET");
    }

    #[test]
    fn numbers_have_units_for_people_and_what_nobody_has_is_left_out() {
        let rows = Rows {
            within: &["dirs"],
            columns: &[
                "dir",
                "error.code",
                "sizeBytes",
                "lagMs",
                "timestampMs",
                "timestamp",
            ],
        };
        let value = json!({ "dirs": [
            { "dir": "a", "error": null, "sizeBytes": 4096, "lagMs": 61_000, "timestampMs": 1_793_491_200_000_i64, "timestamp": 7 },
            { "dir": "b", "error": null, "sizeBytes": -1, "lagMs": null, "timestampMs": -1, "timestamp": -1 },
        ] });
        let report = super::super::Report { value, rows };
        assert_eq!(
            report.text(Form::Wide),
            "DIR SIZE   LAG  TIMESTAMP                TIMESTAMP\n\
             a   4.0KiB 1m1s 2026-11-01T00:00:00.000Z 7\n\
             b   -1     -    -1                       -1\n"
        );
    }

    #[test]
    fn rows_that_come_one_by_one_keep_their_columns() {
        let rows = Rows {
            within: &[],
            columns: &["a", "b"],
        };
        let mut stream = Stream::new(Form::Wide, rows);
        assert_eq!(stream.next(json!({ "a": 100 })), "A   B\n100 -\n");
        assert_eq!(stream.next(json!({ "a": 1, "b": 2 })), "1   2\n");
    }
}
