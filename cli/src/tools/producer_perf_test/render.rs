//! The figures as the reference prints them, and as JSON: docs/json/producer-perf-test.md. Pure.

use serde_json::{Value, json};

use crate::java_format::{self, decimal};
use crate::output::Rows;

use super::recorder::{Counts, Report};
use super::stats::{Sum, Total};

const VERSION: u32 = 1;

pub(super) fn report(report: &Report) -> String {
    match report {
        Report::SteadyState => "In steady state.".to_owned(),
        Report::Window(sum) => format!(
            "{} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency.",
            sum.records,
            decimal(sum.records_per_second(), 1),
            decimal(sum.mb_per_second(), 2),
            decimal(sum.latency_ms_avg(), 1),
            decimal(f64::from(sum.latency_ms_max), 1),
        ),
    }
}

pub(super) fn total(total: &Total, is_steady_state: bool) -> String {
    let sum = &total.sum;
    let [p50, p95, p99, p999] = total.percentiles_ms;
    let steady = if is_steady_state { " steady state" } else { "" };
    format!(
        "{}{steady} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency, {p50} ms 50th, {p95} ms 95th, \
         {p99} ms 99th, {p999} ms 99.9th.",
        sum.records,
        decimal(sum.records_per_second(), 6),
        decimal(sum.mb_per_second(), 2),
        decimal(sum.latency_ms_avg(), 2),
        decimal(f64::from(sum.latency_ms_max), 2),
    )
}

/// What of the reference's metrics this client counts.
pub(super) fn metrics(counts: &Counts, sum: &Sum, client_id: &str) -> String {
    let seconds = sum.seconds();
    let rows = [
        (
            "batch-age-avg",
            counts.batch_age_ms as f64 / counts.batches as f64,
        ),
        ("record-error-rate", counts.failed as f64 / seconds),
        ("record-error-total", counts.failed as f64),
        ("record-send-rate", counts.delivered as f64 / seconds),
        ("record-send-total", counts.delivered as f64),
        (
            "record-size-avg",
            counts.bytes as f64 / counts.delivered as f64,
        ),
        ("record-size-max", counts.size_max as f64),
        (
            "records-per-batch-avg",
            counts.delivered as f64 / counts.batches as f64,
        ),
    ];
    java_format::metrics("producer-metrics", client_id, &rows)
}

/// Of the JSON.
pub(super) const ROWS: Rows = Rows {
    within: &[],
    columns: &[
        "type",
        "records",
        "bytes",
        "elapsedMs",
        "recordsPerSec",
        "mibPerSec",
        "avgLatencyMs",
        "maxLatencyMs",
        "p50LatencyMs",
        "p95LatencyMs",
        "p99LatencyMs",
        "p999LatencyMs",
        "failed",
        "batches",
    ],
};

pub(super) fn json_report(report: &Report) -> Option<Value> {
    match report {
        Report::SteadyState => None,
        Report::Window(sum) => Some(figures("interval", sum)),
    }
}

pub(super) fn json_total(total: &Total, counts: &Counts, is_steady_state: bool) -> Value {
    let name = if is_steady_state {
        "steadyState"
    } else {
        "total"
    };
    let mut value = figures(name, &total.sum);
    for (name, ms) in ["p50", "p95", "p99", "p999"]
        .iter()
        .zip(total.percentiles_ms)
    {
        value[format!("{name}LatencyMs")] = ms.into();
    }
    if !is_steady_state {
        value["failed"] = counts.failed.into();
        value["batches"] = counts.batches.into();
    }
    value
}

fn figures(name: &str, sum: &Sum) -> Value {
    // What is not a number, as nothing came or in no time, is null.
    json!({
        "version": VERSION,
        "type": name,
        "records": sum.records,
        "bytes": sum.bytes,
        "elapsedMs": sum.elapsed_ms,
        "recordsPerSec": sum.records_per_second(),
        "mibPerSec": sum.mb_per_second(),
        "avgLatencyMs": sum.latency_ms_avg(),
        "maxLatencyMs": sum.latency_ms_max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(records: u64, elapsed_ms: u64) -> Sum {
        Sum {
            started_ms: 0,
            elapsed_ms,
            records,
            bytes: records * 1024,
            latency_ms: records * 3,
            latency_ms_max: 7,
        }
    }

    #[test]
    fn lines_are_the_references() {
        assert_eq!(
            report(&Report::Window(sum(2363, 5000))),
            "2363 records sent, 472.6 records/sec (0.46 MB/sec), 3.0 ms avg latency, 7.0 ms max latency."
        );
        let all = Total {
            sum: sum(1000, 3000),
            percentiles_ms: [1, 2, 3, 4],
        };
        assert_eq!(
            total(&all, true),
            "1000 steady state records sent, 333.333333 records/sec (0.33 MB/sec), 3.00 ms avg latency, 7.00 ms max latency, \
             1 ms 50th, 2 ms 95th, 3 ms 99th, 4 ms 99.9th."
        );
    }

    #[test]
    fn nothing_sent_is_no_number_in_text_and_null_in_json() {
        let none = Total {
            sum: sum(0, 10),
            percentiles_ms: [0; 4],
        };
        assert!(total(&none, false).contains(" NaN ms avg latency"));
        let value = json_total(&none, &Counts::default(), false);
        assert_eq!(value["avgLatencyMs"], Value::Null);
        assert_eq!(value["type"], "total");
        let at_once = Report::Window(sum(1, 0));
        assert!(report(&at_once).contains("1000.0 records/sec"));
    }
}
