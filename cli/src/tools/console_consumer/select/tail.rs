//! The last records of several partitions together. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use ottla_client::consumer::ConsumerRecord;

use super::ranges::Range;

/// What orders records: the time, unless there is one partition; then topic, partition and offset.
type Order = (i64, Arc<str>, i32, i64);

/// The latest of the records that were seen.
#[derive(Debug)]
pub(in crate::tools::console_consumer) struct Latest {
    count: usize,
    is_of_one: bool,
    records: BTreeMap<Order, ConsumerRecord>,
    /// The earliest time seen in each partition, whether the record was wanted or not.
    seen_from: BTreeMap<(Arc<str>, i32), i64>,
}

impl Latest {
    pub(in crate::tools::console_consumer) fn new(count: usize, partitions: usize) -> Self {
        Self {
            count,
            is_of_one: partitions <= 1,
            records: BTreeMap::new(),
            seen_from: BTreeMap::new(),
        }
    }

    pub(in crate::tools::console_consumer) fn see(
        &mut self,
        record: &ConsumerRecord,
        is_wanted: bool,
    ) {
        let of_partition = (record.topic.clone(), record.partition);
        let from = self
            .seen_from
            .entry(of_partition)
            .or_insert(record.timestamp);
        *from = record.timestamp.min(*from);
        if !is_wanted {
            return;
        }
        let time = if self.is_of_one { 0 } else { record.timestamp };
        let order = (time, record.topic.clone(), record.partition, record.offset);
        self.records.insert(order, detached(record));
        if self.records.len() > self.count {
            self.records.pop_first();
        }
    }

    /// Whether nothing older can be among the last ones, as far as times rise in a partition.
    pub(in crate::tools::console_consumer) fn is_complete(&self, ranges: &[Range]) -> bool {
        let is_whole = |range: &Range| range.start <= range.beginning;
        if ranges.iter().all(is_whole) {
            return true;
        }
        let Some(((oldest, ..), _)) = self.records.first_key_value() else {
            return false;
        };
        let is_full = self.records.len() >= self.count;
        let reaches_back = |range: &Range| {
            let of_partition = (Arc::from(range.at.topic.as_str()), range.at.partition);
            let from = self.seen_from.get(&of_partition);
            is_whole(range) || from.is_some_and(|from| from <= oldest)
        };
        is_full && (self.is_of_one || ranges.iter().all(reaches_back))
    }

    pub(in crate::tools::console_consumer) fn into_records(self) -> Vec<ConsumerRecord> {
        self.records.into_values().collect()
    }
}

/// A record that does not keep the whole answer in memory in which it came.
fn detached(record: &ConsumerRecord) -> ConsumerRecord {
    let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    let mut detached = record.clone();
    detached.key = detached.key.as_ref().map(copy);
    detached.value = detached.value.as_ref().map(copy);
    for header in &mut detached.headers {
        header.key = copy(&header.key);
        header.value = header.value.as_ref().map(copy);
    }
    detached
}

#[cfg(test)]
mod tests {
    use ottla_client::admin::TopicPartition;
    use ottla_protocol::records::TimestampType;

    use super::*;

    fn record(partition: i32, offset: i64, timestamp: i64) -> ConsumerRecord {
        ConsumerRecord {
            topic: "t".into(),
            partition,
            offset,
            timestamp,
            timestamp_type: TimestampType::CreateTime,
            leader_epoch: None,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    fn range(partition: i32, start: i64) -> Range {
        Range {
            at: TopicPartition::new("t", partition),
            beginning: 0,
            start,
            end: Some(9),
        }
    }

    fn kept(latest: Latest) -> Vec<(i32, i64)> {
        let records = latest.into_records().into_iter();
        records.map(|r| (r.partition, r.offset)).collect()
    }

    #[test]
    fn the_latest_by_time_are_kept_and_of_one_partition_those_with_the_highest_offsets() {
        let mut latest = Latest::new(2, 2);
        for (partition, offset, time) in [(0, 7, 10), (0, 8, 30), (1, 3, 20), (1, 4, 40)] {
            latest.see(&record(partition, offset, time), true);
        }
        assert_eq!(kept(latest), [(0, 8), (1, 4)]);
        let mut latest = Latest::new(2, 1);
        for (offset, time) in [(7, 30), (8, 20), (9, 10)] {
            latest.see(&record(0, offset, time), true);
        }
        assert_eq!(kept(latest), [(0, 8), (0, 9)]);
    }

    #[test]
    fn older_records_are_looked_for_until_none_can_be_among_the_last() {
        let mut latest = Latest::new(2, 2);
        latest.see(&record(0, 8, 30), true);
        assert!(
            !latest.is_complete(&[range(0, 8), range(1, 8)]),
            "one too few"
        );
        latest.see(&record(1, 8, 40), true);
        assert!(
            !latest.is_complete(&[range(0, 8), range(1, 8)]),
            "one of 1 may be younger"
        );
        latest.see(&record(1, 7, 25), false);
        assert!(latest.is_complete(&[range(0, 8), range(1, 7)]));
        let nothing = Latest::new(2, 2);
        assert!(
            nothing.is_complete(&[range(0, 0), range(1, 0)]),
            "all was read"
        );
    }
}
