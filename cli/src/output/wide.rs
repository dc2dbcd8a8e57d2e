//! `--output wide`: all columns of a result as a table for people. Pure.
//!
//! Always: the columns and rows are those of `csv`, in their order, but for values that are no text: they stand where their
//! text would. A column that has nothing in any row is left out, but not where rows come one by one.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::plain;
use crate::durations;
use crate::table;

type Row<'a> = Vec<Option<&'a Value>>;

/// Ends the name of a column that has the values of another where they are no text.
const BASE64: &str = "Base64";

/// A column for people. Values that are no text stand among the others, and not in a column that is empty as a rule.
struct Column<'a> {
    name: &'a str,
    at: usize,
    bytes_at: Option<usize>,
}

fn shown_columns<'a>(names: &[&'a str]) -> Vec<Column<'a>> {
    let bytes_of = |name: &str| {
        let mut names = names.iter();
        names.position(|other| other.strip_suffix(BASE64) == Some(name))
    };
    let is_of_another = |name: &str| {
        let text = name.strip_suffix(BASE64);
        text.is_some_and(|text| names.contains(&text))
    };
    let named = names.iter().enumerate();
    let shown = named.filter(|(_, name)| !is_of_another(name));
    let column = |(at, name): (usize, &&'a str)| Column {
        name,
        at,
        bytes_at: bytes_of(name),
    };
    shown.map(column).collect()
}

impl Column<'_> {
    fn bytes<'a>(&self, row: &Row<'a>) -> Option<&'a str> {
        value(row, self.bytes_at?)?.as_str()
    }

    fn is_empty(&self, row: &Row<'_>) -> bool {
        value(row, self.at).is_none_or(is_empty) && self.bytes(row).is_none()
    }

    fn shown(&self, row: &Row<'_>) -> String {
        match self.bytes(row) {
            Some(bytes) => of_bytes(bytes),
            None => shown(self.name, value(row, self.at)),
        }
    }
}

fn value<'a>(row: &Row<'a>, at: usize) -> Option<&'a Value> {
    row.get(at).copied().flatten()
}

fn of_bytes(base64: &str) -> String {
    format!("base64:{}", table::visible(base64))
}

/// The whole table.
pub(super) fn table(rows: &[Row<'_>], columns: &[&str]) -> String {
    let has_any =
        |column: &Column<'_>| rows.is_empty() || rows.iter().any(|row| !column.is_empty(row));
    let mut columns = shown_columns(columns);
    columns.retain(has_any);
    let heads = heads(&columns);
    let rows: Vec<Vec<String>> = rows.iter().map(|row| cells(row, &columns)).collect();
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
    let columns = shown_columns(columns);
    let mut text = String::new();
    for row in rows {
        let row = cells(row, &columns);
        if widths.is_empty() {
            let heads = heads(&columns);
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

fn heads(columns: &[Column<'_>]) -> Vec<String> {
    columns.iter().map(|column| head(column.name)).collect()
}

fn cells(row: &Row<'_>, columns: &[Column<'_>]) -> Vec<String> {
    columns.iter().map(|column| column.shown(row)).collect()
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
    BytesPerSecond,
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
        _ if column == "bytesPerSecond" => Some((column, Unit::BytesPerSecond)),
        _ if column == "timestamp" => Some((column, Unit::Time)),
        _ => None,
    }
}

impl Unit {
    /// Of a number that is not below 0.
    fn of_fraction(self, number: f64) -> String {
        match self {
            Self::Bytes => table::size(number),
            Self::BytesPerSecond => format!("{}/s", table::size(number)),
            Self::Milliseconds => match Duration::try_from_secs_f64(number / 1000.0) {
                Ok(length) => durations::fine(length),
                Err(_) => rounded(number),
            },
            Self::Time => rounded(number),
        }
    }

    fn shown(self, number: i64) -> String {
        match self {
            Self::Bytes | Self::BytesPerSecond => self.of_fraction(number as f64),
            Self::Milliseconds if number < FIRST_TIME_MS => {
                let ms = number.unsigned_abs();
                durations::shown(Duration::from_millis(ms))
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
    let fraction = cell.filter(|cell| cell.is_f64()).and_then(Value::as_f64);
    if let Some(number) = fraction {
        return match unit(column) {
            Some((_, unit)) if number >= 0.0 => unit.of_fraction(number),
            _ => rounded(number),
        };
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

/// Three digits tell a person enough, and those before the point stay.
fn rounded(number: f64) -> String {
    let magnitude = number.abs();
    let digits = match magnitude {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        0.1.. => 3,
        _ => 6,
    };
    let text = format!("{number:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// What has a name and a value, as configurations are written, and headers, which have a key.
fn pair(item: &Value) -> Option<String> {
    let value = match item.get("valueBase64").and_then(Value::as_str) {
        Some(bytes) => of_bytes(bytes),
        None => plain(Some(item.get("value")?)),
    };
    let name = item.get("name").or_else(|| item.get("key"))?;
    Some(format!("{}={value}", plain(Some(name))))
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

    /// They had all digits that a computer has, and no unit.
    #[test]
    fn fractions_are_rounded_and_have_units() {
        let columns = &[
            "tookMs",
            "recordsPerSecond",
            "bytesPerSecond",
            "seconds",
            "part",
        ];
        let value = json!({
            "tookMs": 59.808763, "recordsPerSecond": 14285.714285714286, "bytesPerSecond": 4096.5, "seconds": 8.3791,
            "part": 0.5,
        });
        assert_eq!(
            super::super::Report::of_one(value, columns).text(Form::Wide),
            "TOOK RECORDS-PER-SECOND BYTES-PER-SECOND SECONDS PART\n\
             60ms 14286              4.0KiB/s         8.38    0.5\n"
        );
        for (number, text) in [
            (0.0, "0"),
            (1e6, "1000000"),
            (-12.34, "-12.3"),
            (0.00012, "0.00012"),
        ] {
            assert_eq!(rounded(number), text);
        }
    }

    #[test]
    fn values_that_are_no_text_have_no_column_of_their_own() {
        let rows = Rows {
            within: &[],
            columns: &["key", "headers", "keyBase64"],
        };
        let mut stream = Stream::new(Form::Wide, rows);
        let headers = json!([{ "key": "a", "value": "1" }, { "key": "b", "valueBase64": "/w==" }]);
        assert_eq!(
            stream.next(json!({ "key": "k", "headers": headers })),
            "KEY HEADERS\nk   a=1,b=base64:/w==\n"
        );
        assert_eq!(
            stream.next(json!({ "keyBase64": "a/8=", "headers": [] })),
            "base64:a/8= -\n"
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
