//! When records were written: the timestamp of the record at an offset, or of the next one that is left behind it.
//!
//! No request asks for that, so the records are read, one for each offset. Always: no group knows of it, and what cannot
//! be read within a short time is left out; times are an explanation, never a reason to fail.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use ottla_client::admin::{Admin, TopicPartition};
use ottla_client::config::ClientKind;
use ottla_client::consumer::{Consumer, ConsumerError, ConsumerSettings};

/// Where a record was asked for: a partition and an offset.
pub(super) type Place = (TopicPartition, i64);

/// A record that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordTime {
    /// The one that was asked for, or above it where that one is gone.
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
}

/// What was asked for last is remembered, as a lag that does not move needs no second look.
#[derive(Debug, Default)]
pub(super) struct RecordTimes {
    known: HashMap<Place, RecordTime>,
}

const WITHIN: Duration = Duration::from_secs(3);

/// One record is wanted, so a small fetch will do; a larger batch comes whole all the same.
const PROPERTIES: [(&str, &str); 6] = [
    // The consumer is over a cluster that is connected already.
    ("bootstrap.servers", "localhost:9092"),
    ("enable.auto.commit", "false"),
    ("auto.offset.reset", "earliest"),
    ("max.partition.fetch.bytes", "4096"),
    ("fetch.max.bytes", "8388608"),
    ("fetch.max.wait.ms", "100"),
];

impl RecordTimes {
    /// The records at these places. All of them should lie within their logs: nothing comes beyond the end.
    pub(super) async fn look_up(
        &mut self,
        places: impl IntoIterator<Item = Place>,
        admin: &Admin,
    ) -> &HashMap<Place, RecordTime> {
        let mut missing: BTreeMap<TopicPartition, Vec<i64>> = BTreeMap::new();
        let mut kept = HashMap::new();
        for place in places {
            match self.known.get(&place) {
                Some(time) => {
                    kept.insert(place, *time);
                }
                None => missing.entry(place.0).or_default().push(place.1),
            }
        }
        self.known = kept;
        if !missing.is_empty() {
            // What failed is missing from the answer.
            read(missing, admin, &mut self.known).await.ok();
        }
        &self.known
    }
}

async fn read(
    mut missing: BTreeMap<TopicPartition, Vec<i64>>,
    admin: &Admin,
    found: &mut HashMap<Place, RecordTime>,
) -> Result<(), ConsumerError> {
    let settings = ClientKind::Consumer
        .settings(PROPERTIES)
        .and_then(|settings| ConsumerSettings::from_config(&settings))
        .expect("the properties above are sound");
    let mut consumer = Consumer::start(admin.cluster().clone(), settings);
    consumer.assign(missing.keys().cloned())?;
    for (at, offsets) in &mut missing {
        offsets.sort_unstable_by_key(|offset| std::cmp::Reverse(*offset));
        offsets.dedup();
        if let Some(first) = offsets.last() {
            consumer.seek(at, *first)?;
        }
    }
    let deadline = Instant::now() + WITHIN;
    while !missing.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let records = match consumer.poll(left).await {
            Ok(records) => records,
            Err(error) => {
                let at = partition_of(&error).ok_or(error)?;
                missing.remove(&at);
                consumer.pause(&at)?;
                continue;
            }
        };
        for record in records {
            let at = TopicPartition::new(record.topic.to_string(), record.partition);
            let Some(offsets) = missing.get_mut(&at) else {
                continue;
            };
            let time = RecordTime {
                offset: record.offset,
                timestamp_ms: record.timestamp,
            };
            let wanted = offsets.len();
            // The record also stands for offsets below it whose own records are gone.
            while let Some(offset) = offsets.pop_if(|offset| *offset <= record.offset) {
                found.insert((at.clone(), offset), time);
            }
            match offsets.last() {
                Some(next) if offsets.len() < wanted => consumer.seek(&at, *next)?,
                Some(_) => {}
                None => {
                    missing.remove(&at);
                    consumer.pause(&at)?;
                }
            }
        }
    }
    Ok(())
}

/// The partition that cannot be read, where it is one.
fn partition_of(error: &ConsumerError) -> Option<TopicPartition> {
    match error {
        ConsumerError::Partition { partition, .. }
        | ConsumerError::OutOfRange { partition, .. }
        | ConsumerError::Corrupt { partition, .. }
        | ConsumerError::NoOffset(partition) => Some(partition.clone()),
        _ => None,
    }
}
