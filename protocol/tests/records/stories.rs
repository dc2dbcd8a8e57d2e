//! One paragraph per rule that the golden vectors do not tell.

use bytes::Bytes;
use ottla_protocol::compress::{CompressError, Compression, InflateLimits};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::batch::{patch_append_time, sequence_after};
use ottla_protocol::records::builder::BuildError;
use ottla_protocol::records::{
    BatchBuilder, BatchHeader, Header, RecordError, Records, RejectReason, Rules, TimestampType,
    batches, check_batch, validate_produce,
};
use ottla_protocol::types::{Millis, Offset};

const PACKED: [Compression; 4] = [
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

fn batch_of(codec: Compression, records: &[(i64, Option<&str>)]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for (timestamp, key) in records {
        builder
            .append(Millis(*timestamp), key.map(str::as_bytes), Some(b"v"), &[])
            .expect("room");
    }
    builder.build().expect("records")
}

/// A batch whose header is right around a payload that may not be.
fn around(codec: Compression, count: i32, payload: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    codec.compress(None, payload, &mut packed).expect("packs");
    let mut batch = batch_of(Compression::None, &[(0, None)]);
    batch.truncate(61);
    batch.extend(packed);
    let length = i32::try_from(batch.len()).unwrap() - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[22] = codec.id();
    batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    // Setting an append time is what makes the CRC fit.
    patch_append_time(&mut batch, Millis(0));
    batch
}

fn refused(batch: &[u8], rules: &Rules) -> RecordError {
    validate_produce(batch, rules).expect_err("must be refused")
}

#[test]
fn every_rejected_record_is_named_with_its_reason() {
    let rules = Rules {
        now: Millis(1000),
        timestamp_after_max: Millis(10),
        compacted: true,
        ..Rules::default()
    };
    for codec in Compression::ALL {
        let batch = batch_of(
            codec,
            &[
                (1000, Some("k")),
                (1000, None),
                (1011, Some("k")),
                (1011, None),
            ],
        );
        let error = refused(&batch, &rules);
        assert_eq!(error.code(), ErrorCode::InvalidTimestamp);
        let RecordError::Rejected(records) = error else {
            panic!("{error}")
        };
        let late = RejectReason::Timestamp {
            timestamp: 1011,
            earliest: 1000 - i64::MAX,
            latest: 1010,
        };
        let found: Vec<_> = records
            .iter()
            .map(|record| (record.index, record.reason))
            .collect();
        assert_eq!(
            found,
            [
                (1, RejectReason::NoKey),
                (2, late),
                (3, RejectReason::NoKey)
            ]
        );
    }
    let error = refused(&batch_of(Compression::None, &[(1000, None)]), &rules);
    assert_eq!(error.code(), ErrorCode::InvalidRecord);
    assert_eq!(
        error.to_string(),
        "1 records were rejected; the first is record 0: a compacted topic cannot accept a record without a key"
    );
}

#[test]
fn one_record_is_rejected_among_many_that_are_alike() {
    let rules = Rules {
        now: Millis(1000),
        timestamp_before_max: Millis(10),
        timestamp_after_max: Millis(10),
        ..Rules::default()
    };
    for codec in Compression::ALL {
        let mut records = vec![(1000, Some("k")); 300];
        // No time at all is none that could be wrong.
        records[7].0 = -1;
        let validated = validate_produce(&batch_of(codec, &records), &rules).expect("valid");
        assert_eq!(validated.max_timestamp, Millis(1000));
        records[170].0 = 1011;
        records[171].0 = 1010;
        let error = refused(&batch_of(codec, &records), &rules);
        let RecordError::Rejected(rejected) = error else {
            panic!("{error}")
        };
        let indexes: Vec<u32> = rejected.iter().map(|record| record.index).collect();
        assert_eq!(indexes, [170]);
        records[170].0 = 1009;
        let validated = validate_produce(&batch_of(codec, &records), &rules).expect("valid");
        assert_eq!(validated.max_timestamp, Millis(1010));
    }
}

#[test]
fn a_producer_must_not_set_append_times() {
    let mut batch = batch_of(Compression::None, &[(5, None)]);
    patch_append_time(&mut batch, Millis(7));
    let topic = Rules {
        timestamp_type: TimestampType::LogAppendTime,
        ..Rules::default()
    };
    let error = refused(&batch, &topic);
    assert!(
        matches!(&error, RecordError::Rejected(records) if records[0].reason == RejectReason::TimestampType)
    );
    assert_eq!(error.code(), ErrorCode::InvalidTimestamp);
    // Where the topic keeps the producer's times, the bit passes and the broker clears it.
    let validated = validate_produce(&batch, &Rules::default()).expect("valid");
    assert_eq!(validated.max_timestamp, Millis(7));
}

#[test]
fn a_topic_with_append_times_takes_any_timestamp() {
    let topic = Rules {
        now: Millis(50),
        timestamp_type: TimestampType::LogAppendTime,
        ..Rules::default()
    };
    for codec in Compression::ALL {
        let batch = batch_of(codec, &[(i64::MAX, None), (-1, None)]);
        assert_eq!(
            validate_produce(&batch, &topic)
                .expect("valid")
                .max_timestamp,
            Millis(50)
        );
    }
}

#[test]
fn zstd_needs_a_request_that_may_carry_it() {
    let old = Rules {
        zstd_allowed: false,
        ..Rules::default()
    };
    for codec in Compression::ALL {
        let batch = batch_of(codec, &[(0, None)]);
        match validate_produce(&batch, &old) {
            Ok(_) => assert_ne!(codec, Compression::Zstd),
            Err(error) => {
                assert_eq!(codec, Compression::Zstd);
                assert_eq!(error.code(), ErrorCode::UnsupportedCompressionType);
            }
        }
    }
}

#[test]
fn a_batch_that_inflates_beyond_the_bound_is_refused() {
    let mut builder = BatchBuilder::default();
    builder
        .append(Millis(0), None, Some(&vec![0; 3 << 20]), &[])
        .unwrap();
    let plain = builder.build().unwrap();
    let inflate = InflateLimits {
        bytes_max: 1 << 20,
        ..InflateLimits::STRICT
    };
    let rules = Rules {
        inflate,
        batch_bytes_max: 4 << 20,
        ..Rules::default()
    };
    assert!(
        validate_produce(&plain, &rules).is_ok(),
        "the bound is for what is packed"
    );
    for codec in PACKED {
        let bomb = around(codec, 1, &plain[61..]);
        let error = refused(&bomb, &rules);
        assert!(
            matches!(error, RecordError::Compress(CompressError::TooLarge { .. })),
            "{codec}: {error}"
        );
        assert_eq!(error.code(), ErrorCode::InvalidRecord);
        let opened = Records::open(&Bytes::from(bomb), inflate);
        assert!(matches!(
            opened,
            Err(RecordError::Compress(CompressError::TooLarge { .. }))
        ));
    }
}

#[test]
fn a_record_whose_length_is_not_that_of_its_fields_is_refused_under_every_codec() {
    let sound = batch_of(Compression::None, &[(0, Some("k"))]);
    let records = &sound[61..];
    for change in [-2_i8, 2] {
        let mut records = records.to_vec();
        records[0] = records[0].wrapping_add_signed(change);
        for codec in Compression::ALL {
            let error = refused(&around(codec, 1, &records), &Rules::default());
            assert!(
                matches!(error, RecordError::Malformed { index: 0, .. }),
                "{codec}: {error}"
            );
            assert_eq!(error.code(), ErrorCode::InvalidRecord);
        }
    }
}

#[test]
fn a_walk_ends_before_a_batch_that_was_cut_off() {
    let one = batch_of(Compression::None, &[(0, None)]);
    let two = batch_of(Compression::Gzip, &[(1, None), (2, None)]);
    let set = [&one[..], &two, &one].concat();
    for cut in 0..=set.len() {
        let mut walk = batches(&set[..cut]);
        let whole = walk
            .by_ref()
            .map(|batch| batch.expect("sound").bytes.len())
            .sum::<usize>();
        assert_eq!(walk.rest().len(), cut - whole);
        let ends = [0, one.len(), one.len() + two.len(), set.len()];
        assert_eq!(whole, *ends.iter().rfind(|end| **end <= cut).unwrap());
    }
}

#[test]
fn a_walk_stops_at_garbage_and_says_so_once() {
    let mut set = batch_of(Compression::None, &[(0, None)]);
    set.extend([0; 61]);
    let mut walk = batches(&set);
    assert!(walk.next().unwrap().is_ok());
    assert!(matches!(walk.next(), Some(Err(RecordError::Length(0)))));
    assert!(walk.next().is_none());
}

#[test]
fn a_header_alone_can_be_read_but_not_checked() {
    let batch = batch_of(Compression::None, &[(3, Some("key"))]);
    let header = BatchHeader::read(&batch[..61]).expect("the header is whole");
    assert_eq!(header.size_in_bytes(), batch.len());
    assert_eq!(header.encode(), batch[..61]);
    assert!(matches!(
        check_batch(&batch[..61]),
        Err(RecordError::Incomplete { .. })
    ));
    assert!(matches!(
        BatchHeader::read(&batch[..60]),
        Err(RecordError::Incomplete { .. })
    ));
}

#[test]
fn sequences_wrap_to_zero_and_none_stays_none() {
    assert_eq!(sequence_after(i32::MAX, 0), i32::MAX);
    assert_eq!(sequence_after(i32::MAX, 1), 0);
    assert_eq!(sequence_after(i32::MAX - 1, 5), 3);
    assert_eq!(sequence_after(-1, 5), -1);
}

#[test]
fn extreme_offsets_and_timestamps_overflow_nothing() {
    let mut batch = batch_of(Compression::None, &[(1, None), (2, None)]);
    batch[..8].copy_from_slice(&i64::MAX.to_be_bytes());
    batch[27..35].copy_from_slice(&i64::MAX.to_be_bytes());
    let header = BatchHeader::read(&batch).expect("a header");
    assert_eq!(header.next_offset(), Offset(i64::MAX));
    let records = Records::open(&Bytes::from(batch), InflateLimits::STRICT).expect("a batch");
    assert_eq!(records.iter().filter(Result::is_ok).count(), 2);
}

#[test]
fn a_builder_takes_rising_offsets_and_real_timestamps_only() {
    let mut builder = BatchBuilder::default().base_offset(Offset(10));
    let mut append_at =
        |offset, timestamp| builder.append_at(Offset(offset), Millis(timestamp), None, None, &[]);
    assert!(matches!(append_at(9, 0), Err(BuildError::Offset { .. })));
    assert_eq!(append_at(12, 0).unwrap(), 2);
    assert!(matches!(append_at(12, 0), Err(BuildError::Offset { .. })));
    assert!(matches!(
        append_at(i64::MAX, 0),
        Err(BuildError::Offset { .. })
    ));
    assert!(matches!(append_at(13, -2), Err(BuildError::Timestamp(-2))));
    assert_eq!(append_at(13, -1).unwrap(), 3);
    assert!(matches!(
        BatchBuilder::default().build(),
        Err(BuildError::Empty)
    ));
}

#[test]
fn headers_keep_order_duplicates_and_nulls() {
    let header = |key, value: Option<&'static str>| Header::<'static> {
        key,
        value: value.map(str::as_bytes),
    };
    let headers = [
        header(b"a", Some("1")),
        header(b"a", None),
        header(b"", Some("")),
        header(b"a", Some("1")),
    ];
    for codec in Compression::ALL {
        let mut builder = BatchBuilder::new(codec);
        builder.append(Millis(0), None, None, &headers).unwrap();
        let batch = Bytes::from(builder.build().unwrap());
        let records = Records::open(&batch, InflateLimits::STRICT).unwrap();
        let record = records.iter().next().unwrap().unwrap();
        assert_eq!(record.headers.collect::<Vec<_>>(), headers);
        assert_eq!((record.key, record.value), (None, None));
    }
}

#[test]
fn what_is_not_compressed_is_not_copied() {
    let batch = Bytes::from(batch_of(Compression::None, &[(0, Some("key"))]));
    let records = Records::open(&batch, InflateLimits::STRICT).unwrap();
    let record = records.owned().next().unwrap().unwrap();
    let within = batch.as_ptr_range();
    assert!(within.contains(&record.key.expect("a key").as_ptr()));
}
