//! What has become of the records, for `--output`: docs/json/console-producer.md.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ottla_client::producer::BatchReport;
use serde_json::{Value, json};

use crate::output::{Report, Rows};

const VERSION: u32 = 1;

/// The records that brokers have taken, by partition. Whoever has a copy sees the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Written(Arc<Mutex<BTreeMap<i32, Part>>>);

#[derive(Debug, Default)]
struct Part {
    records: i64,
    bytes: u64,
    /// Of the first and the last; none where nobody says, as with `acks=0`.
    offsets: Option<(i64, i64)>,
}

impl Written {
    pub(super) fn note(&self, report: &BatchReport<'_>) {
        let Ok(place) = &report.outcome else {
            return;
        };
        let records = i64::from(report.records);
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let part = parts.entry(report.partition).or_default();
        part.records += records;
        part.bytes += u64::try_from(report.bytes).unwrap_or(0);
        if let Some(first) = place.base_offset {
            let last = first.saturating_add(records - 1);
            let (before, behind) = part.offsets.unwrap_or((first, last));
            part.offsets = Some((before.min(first), behind.max(last)));
        }
    }

    pub(super) fn report(&self, topic: &str, failed: u64) -> Report {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let records: i64 = parts.values().map(|part| part.records).sum();
        let bytes: u64 = parts.values().map(|part| part.bytes).sum();
        let partitions = parts.iter().map(|(partition, part)| {
            json!({
                "partition": partition,
                "records": part.records,
                "firstOffset": part.offsets.map(|(first, _)| first),
                "lastOffset": part.offsets.map(|(_, last)| last),
                "bytes": part.bytes,
            })
        });
        Report {
            value: json!({
                "version": VERSION,
                "topic": topic,
                "records": records,
                "bytes": bytes,
                "failed": failed,
                "partitions": partitions.collect::<Vec<Value>>(),
            }),
            rows: Rows {
                within: &["partitions"],
                columns: &[
                    "topic",
                    "partition",
                    "records",
                    "firstOffset",
                    "lastOffset",
                    "bytes",
                ],
            },
        }
    }
}
