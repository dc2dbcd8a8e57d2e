//! Random records through builder, validation and iteration.

use bytes::Bytes;
use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::records::batch::{patch_append_time, patch_base_offset_and_epoch};
use ottla_protocol::records::builder::{recompress, record_size_max};
use ottla_protocol::records::{
    BatchBuilder, Header, OwnedHeader, OwnedRecord, Records, Rules, TimestampType, check_batch,
    validate_produce,
};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn blob(length_max: usize) -> impl Strategy<Value = Bytes> {
    prop_oneof![
        vec(any::<u8>(), 0..length_max).prop_map(Bytes::from),
        (any::<u8>(), 0..length_max).prop_map(|(byte, n)| Bytes::from(vec![byte; n])),
    ]
}

fn record() -> impl Strategy<Value = OwnedRecord> {
    let header = (blob(9), option::of(blob(9))).prop_map(|(key, value)| OwnedHeader { key, value });
    let timestamp = prop_oneof![Just(-1), 0..10_000_i64, 0..i64::MAX];
    (
        timestamp,
        option::of(blob(20)),
        option::of(blob(2000)),
        vec(header, 0..4),
    )
        .prop_map(|(timestamp, key, value, headers)| OwnedRecord {
            offset: Offset(0),
            timestamp: Millis(timestamp),
            sequence: -1,
            key,
            value,
            headers,
        })
}

fn codec() -> impl Strategy<Value = Compression> {
    proptest::sample::select(Compression::ALL.to_vec())
}

/// Builds the batch and gives the records the offsets and sequences they got.
fn build(mut builder: BatchBuilder, records: &mut [OwnedRecord]) -> Bytes {
    let base_sequence = builder.header().base_sequence;
    for record in records {
        let headers: Vec<Header> = record
            .headers
            .iter()
            .map(|header| Header {
                key: &header.key,
                value: header.value.as_deref(),
            })
            .collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let before = builder.size_in_bytes();
        let delta = builder
            .append(record.timestamp, key, value, &headers)
            .expect("room");
        assert!(builder.size_in_bytes() - before <= record_size_max(key, value, &headers));
        record.offset = Offset(i64::from(delta));
        if base_sequence >= 0 {
            record.sequence = ((i64::from(base_sequence) + i64::from(delta)) % (1 << 31)) as i32;
        }
    }
    Bytes::from(builder.build().expect("records"))
}

fn read(batch: &Bytes) -> Vec<OwnedRecord> {
    let records = Records::open(batch, InflateLimits::STRICT).expect("a batch");
    records
        .owned()
        .map(|record| record.expect("a record"))
        .collect()
}

fn anything_goes() -> Rules {
    Rules {
        timestamp_after_max: Millis(i64::MAX),
        batch_bytes_max: usize::MAX,
        ..Rules::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_built_is_valid_and_reads_back(
        mut records in vec(record(), 1..20),
        codec in codec(),
        sequence in prop_oneof![Just(0), Just(i32::MAX - 3), 0..i32::MAX],
    ) {
        let builder = BatchBuilder::new(codec).producer(ProducerId(7), ProducerEpoch(1), sequence);
        let batch = build(builder, &mut records);
        let validated = validate_produce(&batch, &anything_goes()).expect("valid");
        prop_assert_eq!(validated.header.record_count as usize, records.len());
        prop_assert_eq!(validated.max_timestamp, validated.header.max_timestamp);
        prop_assert_eq!(validated.header.last_sequence(), records.last().unwrap().sequence);
        prop_assert_eq!(read(&batch), records);
    }

    #[test]
    fn another_codec_changes_no_record(mut records in vec(record(), 1..10), from in codec(), to in codec()) {
        let batch = build(BatchBuilder::new(from), &mut records);
        let other = recompress(&batch, to, None, InflateLimits::STRICT, usize::MAX).expect("a sound batch");
        prop_assert_eq!(read(&Bytes::from(other)), records);
    }

    #[test]
    fn a_place_in_the_log_leaves_the_crc_alone(mut records in vec(record(), 1..5), offset in 0..i64::MAX / 2) {
        let batch = build(BatchBuilder::default(), &mut records);
        let mut placed = batch.to_vec();
        patch_base_offset_and_epoch(&mut placed, Offset(offset), LeaderEpoch(9));
        let header = check_batch(&placed).expect("the CRC still fits");
        prop_assert_eq!(header.base_offset, Offset(offset));
        prop_assert_eq!(header.partition_leader_epoch, LeaderEpoch(9));
        prop_assert_eq!(header.next_offset(), Offset(offset).plus(records.len() as i64));
    }

    #[test]
    fn an_append_time_takes_the_place_of_all_timestamps(mut records in vec(record(), 1..5), codec in codec()) {
        let mut batch = build(BatchBuilder::new(codec), &mut records).to_vec();
        patch_append_time(&mut batch, Millis(123));
        let header = check_batch(&batch).expect("the CRC was computed anew");
        prop_assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
        prop_assert!(read(&Bytes::from(batch)).iter().all(|record| record.timestamp == Millis(123)));
    }

    #[test]
    fn one_flipped_bit_is_always_noticed(mut records in vec(record(), 1..5), codec in codec(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut batch = build(BatchBuilder::new(codec), &mut records).to_vec();
        // Base offset and leader epoch are not covered.
        let covered = [8..12, 16..batch.len()].into_iter().flatten().collect::<Vec<_>>();
        batch[covered[at.index(covered.len())]] ^= 1_u8 << bit;
        prop_assert!(check_batch(&batch).is_err());
    }
}
