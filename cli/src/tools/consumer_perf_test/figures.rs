//! What was read and how long it took, as lines of the reference and as JSON: docs/json/consumer-perf-test.md. Pure; times are
//! milliseconds since 1970.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use crate::java_format::{DateFormat, decimal};
use crate::output::Rows;

const VERSION: u32 = 1;
const MIB: f64 = 1024.0 * 1024.0;

/// Records and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) records: i64,
    pub(super) bytes: u64,
}

/// What was read from one time to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// How much of it the group needed to share the partitions out.
    pub(super) rebalance_ms: i64,
    pub(super) read: Count,
}

impl Span {
    fn elapsed_ms(&self) -> i64 {
        self.to_ms - self.from_ms
    }

    fn fetch_ms(&self) -> i64 {
        self.elapsed_ms() - self.rebalance_ms
    }

    fn mib(&self) -> f64 {
        self.read.bytes as f64 / MIB
    }
}

/// Of something in so many milliseconds. A few records take none here, which no run of the reference does: a rate is a number
/// all the same.
fn per_second(count: f64, ms: i64) -> f64 {
    let ms = if ms == 0 && count > 0.0 { 1 } else { ms };
    count / (ms as f64 / 1000.0)
}

/// The line of an interval. `all` is what was read from the beginning on.
pub(super) fn interval(span: &Span, all: &Count, dates: &DateFormat) -> String {
    // No time at all is no rate here.
    let fetched = |count: f64| match span.fetch_ms() {
        ..=0 => 0.0,
        ms => per_second(count, ms),
    };
    [
        shown(dates, span.to_ms),
        "0".to_owned(),
        decimal(all.bytes as f64 / MIB, 4),
        decimal(per_second(span.mib(), span.elapsed_ms()), 4),
        all.records.to_string(),
        decimal(per_second(span.read.records as f64, span.elapsed_ms()), 4),
        span.rebalance_ms.to_string(),
        span.fetch_ms().to_string(),
        decimal(fetched(span.mib()), 4),
        decimal(fetched(span.read.records as f64), 4),
    ]
    .join(", ")
}

/// The line of the whole run.
pub(super) fn total(span: &Span, dates: &DateFormat) -> String {
    let records = span.read.records as f64;
    [
        shown(dates, span.from_ms),
        shown(dates, span.to_ms),
        decimal(span.mib(), 4),
        decimal(per_second(span.mib(), span.elapsed_ms()), 4),
        span.read.records.to_string(),
        decimal(per_second(records, span.elapsed_ms()), 4),
        span.rebalance_ms.to_string(),
        span.fetch_ms().to_string(),
        decimal(per_second(span.mib(), span.fetch_ms()), 4),
        decimal(per_second(records, span.fetch_ms()), 4),
    ]
    .join(", ")
}

fn shown(dates: &DateFormat, ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or_default();
    dates.format(&Zoned::new(at, TimeZone::system()))
}

/// What of the reference's metrics this client counts.
pub(super) fn metrics(span: &Span, client_id: &str) -> String {
    let records = span.read.records as f64;
    let rows = [
        (
            "bytes-consumed-rate",
            per_second(span.read.bytes as f64, span.elapsed_ms()),
        ),
        ("bytes-consumed-total", span.read.bytes as f64),
        (
            "records-consumed-rate",
            per_second(records, span.elapsed_ms()),
        ),
        ("records-consumed-total", records),
    ];
    crate::java_format::metrics("consumer-fetch-manager-metrics", client_id, &rows)
}

/// Of the JSON.
pub(super) const ROWS: Rows = Rows {
    within: &[],
    columns: &[
        "type",
        "startTimeMs",
        "endTimeMs",
        "records",
        "bytes",
        "mibPerSec",
        "recordsPerSec",
        "rebalanceTimeMs",
        "fetchTimeMs",
        "fetchMibPerSec",
        "fetchRecordsPerSec",
    ],
};

pub(super) fn json(name: &str, span: &Span) -> Value {
    let records = span.read.records as f64;
    // A rate over no time is null.
    json!({
        "version": VERSION,
        "type": name,
        "startTimeMs": span.from_ms,
        "endTimeMs": span.to_ms,
        "records": span.read.records,
        "bytes": span.read.bytes,
        "mibPerSec": per_second(span.mib(), span.elapsed_ms()),
        "recordsPerSec": per_second(records, span.elapsed_ms()),
        "rebalanceTimeMs": span.rebalance_ms,
        "fetchTimeMs": span.fetch_ms(),
        "fetchMibPerSec": per_second(span.mib(), span.fetch_ms()),
        "fetchRecordsPerSec": per_second(records, span.fetch_ms()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(ms: i64, rebalance_ms: i64, records: i64) -> Span {
        Span {
            from_ms: 1_000_000,
            to_ms: 1_000_000 + ms,
            rebalance_ms,
            read: Count {
                records,
                bytes: records.unsigned_abs() * 1024,
            },
        }
    }

    #[test]
    fn lines_are_the_references() {
        let dates = DateFormat::of_pattern("S").unwrap();
        assert_eq!(
            total(&span(2000, 1000, 4096), &dates),
            "0, 0, 4.0000, 2.0000, 4096, 2048.0000, 1000, 1000, 4.0000, 4096.0000"
        );
        let all = Count {
            records: 9999,
            bytes: 1024 * 1024,
        };
        assert_eq!(
            interval(&span(500, 0, 512), &all, &dates),
            "500, 0, 1.0000, 1.0000, 9999, 1024.0000, 0, 500, 1.0000, 1024.0000"
        );
    }

    #[test]
    fn nothing_in_no_time_has_no_rate() {
        let dates = DateFormat::of_pattern("S").unwrap();
        let line = interval(&span(500, 500, 512), &Count::default(), &dates);
        assert!(line.ends_with(" 500, 0, 0.0000, 0.0000"), "{line}");
        let line = total(&span(0, 0, 0), &dates);
        assert!(line.contains("0.0000, NaN, 0, NaN"), "{line}");
        assert_eq!(json("total", &span(0, 0, 0))["recordsPerSec"], Value::Null);
        assert_eq!(json("total", &span(0, 0, 5))["recordsPerSec"], 5000.0);
    }
}
