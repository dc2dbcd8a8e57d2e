//! A batch that the broker finds too large, as several smaller ones.
//!
//! Always: the parts hold the records of the whole in their order, with the sequences that these had; they are as old as it,
//! and reserve together what it did. Whoever waits for a record of it waits for its part from then on. Not here: when to
//! split, and where the parts wait.

use std::sync::Arc;

use ottla_protocol::{
    compress::{Compression, InflateLimits},
    errors::ErrorCode,
    records::{Header, Records, batch::sequence_after, builder::record_size_max},
};

use super::{
    ProduceError,
    batch::{Batch, BatchId, Stamp},
    delivery::Completion,
};

/// Whether fewer records at a time may do: the batch is larger than the topic's `max.message.bytes`, or than a segment.
pub(super) fn asks_for_less(error: &ProduceError) -> bool {
    matches!(
        error.code(),
        Some(ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge)
    )
}

impl Batch {
    /// Its parts, none of which takes more than `bytes_max` before compression, but for a record that does so alone. `None`
    /// where it was not sent yet.
    pub(super) fn split(
        &self,
        bytes_max: usize,
        compression: (Compression, Option<i32>),
    ) -> Option<Vec<Batch>> {
        let records = Records::open(self.built()?, InflateLimits::LENIENT).ok()?;
        let mut parts: Vec<Batch> = Vec::new();
        let mut headers: Vec<Header<'_>> = Vec::new();
        for (place, record) in (0..).zip(records.iter()) {
            let record = record.ok()?;
            headers.clear();
            headers.extend(record.headers);
            let bytes = record_size_max(record.key, record.value, &headers);
            let is_full = |part: &Batch| part.plain_bytes + bytes > bytes_max;
            if parts.last().is_none_or(is_full) {
                let is_transactional = records.header.attributes.is_transactional();
                parts.push(self.part(place, compression, is_transactional));
            }
            let part = parts.last_mut()?;
            part.append(record.timestamp.0, record.key, record.value, &headers)
                .ok()?;
        }
        let held: i32 = parts.iter().map(|part| part.record_count).sum();
        assert_eq!(held, self.record_count, "the parts have all records");
        self.share_reserved(&mut parts);
        let place = |part: &Batch| part.id.from_record - self.id.from_record;
        let completions = parts
            .iter()
            .map(|part| (place(part), part.completion.clone()));
        self.completion.split(completions.collect());
        Some(parts)
    }

    /// A batch for the records from this place on.
    fn part(
        &self,
        place: i32,
        compression: (Compression, Option<i32>),
        is_transactional: bool,
    ) -> Batch {
        let id = BatchId {
            from_record: self.id.from_record + place,
            ..self.id
        };
        let Completion {
            topic, partition, ..
        } = &*self.completion;
        let completion = Arc::new(Completion::new(topic.clone(), *partition));
        let mut part = Batch::open(
            id,
            completion,
            self.created,
            0,
            compression,
            is_transactional,
        );
        if let Some(stamp) = self.stamp {
            part.set_stamp(Stamp {
                sequence: sequence_after(stamp.sequence, place),
                ..stamp
            });
        }
        part
    }

    fn share_reserved(&self, parts: &mut [Batch]) {
        let mut left = self.reserved_bytes;
        let share = left / parts.len().max(1);
        for part in parts.iter_mut() {
            part.reserved_bytes = share;
            left -= share;
        }
        if let Some(first) = parts.first_mut() {
            first.reserved_bytes += left;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use ottla_protocol::{
        records::{BATCH_OVERHEAD, check_batch},
        types::{ProducerEpoch, ProducerId},
    };

    use crate::producer::batch::Identity;

    use super::*;

    const HEADERS: [Header<'static>; 1] = [Header {
        key: b"h",
        value: None,
    }];

    /// Records of so many bytes, sent as sequences from 100 on.
    fn sent(compression: Compression, sizes: &[usize]) -> Batch {
        let completion = Arc::new(Completion::new("t".into(), 0));
        let codec = (compression, None);
        let mut batch = Batch::open(
            BatchId::new(4),
            completion,
            Instant::now(),
            1001,
            codec,
            true,
        );
        for (number, size) in (0..).zip(sizes) {
            let key = [number];
            batch
                .append(
                    7 + i64::from(number),
                    Some(&key),
                    Some(&vec![0; *size]),
                    &HEADERS,
                )
                .unwrap();
        }
        let identity = Identity {
            id: ProducerId(9),
            epoch: ProducerEpoch(2),
        };
        batch.set_stamp(Stamp {
            identity,
            sequence: 100,
        });
        batch.bytes().unwrap();
        batch
    }

    #[test]
    fn parts_hold_the_same_records_in_order_under_the_same_sequences() {
        for compression in Compression::ALL {
            let whole = sent(compression, &[10; 9]);
            let mut parts = whole
                .split(BATCH_OVERHEAD + 4 * 36, (compression, None))
                .unwrap();
            let mut records = Vec::new();
            for part in &mut parts {
                assert!(part.plain_bytes <= BATCH_OVERHEAD + 4 * 36);
                let bytes = part.bytes().unwrap();
                let header = check_batch(&bytes).unwrap();
                assert_eq!(header.compression().unwrap(), compression);
                assert!(header.attributes.is_transactional());
                assert_eq!(header.producer_epoch.0, 2);
                let part = Records::open(&bytes, InflateLimits::STRICT).unwrap();
                records.extend(part.iter().map(|record| {
                    let record = record.unwrap();
                    assert_eq!(record.headers.collect::<Vec<_>>(), HEADERS);
                    (record.sequence, record.key.unwrap()[0], record.timestamp.0)
                }));
            }
            let expected: Vec<(i32, u8, i64)> = (0..9)
                .map(|n| (100 + i32::from(n), n, 7 + i64::from(n)))
                .collect();
            assert_eq!(records, expected, "{compression:?}");
            let places: Vec<i32> = parts.iter().map(|part| part.id.from_record).collect();
            assert_eq!(places, [0, 6], "{compression:?}");
            let reserved: usize = parts.iter().map(|part| part.reserved_bytes).sum();
            assert_eq!(reserved, 1001);
        }
    }

    #[test]
    fn a_record_larger_than_a_part_has_one_of_its_own() {
        let whole = sent(Compression::None, &[10, 500, 10]);
        let parts = whole.split(200, (Compression::None, None)).unwrap();
        let counts: Vec<i32> = parts.iter().map(|part| part.record_count).collect();
        assert_eq!(counts, [1, 1, 1]);
    }

    #[test]
    fn the_last_part_of_a_part_goes_out_after_the_rest_of_it() {
        let whole = sent(Compression::None, &[10; 4]);
        let mut halves = whole
            .split(BATCH_OVERHEAD + 2 * 36, (Compression::None, None))
            .unwrap();
        halves[1].bytes().unwrap();
        let quarters = halves[1].split(1, (Compression::None, None)).unwrap();
        let ids: Vec<BatchId> = [&halves[0], &quarters[0], &quarters[1]]
            .map(|part| part.id)
            .into();
        assert!(ids.is_sorted() && ids[2] < BatchId::new(5), "{ids:?}");
        assert_eq!(quarters[1].stamp.map(|stamp| stamp.sequence), Some(103));
    }
}
