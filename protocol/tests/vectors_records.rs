//! Every golden record set decodes to its description, uncompressed ones are built again byte for byte, and every
//! hostile batch is refused or accepted as the reference does. Also the hashes that record sets rest on.

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ottla_protocol::compress::{Compression, InflateLimits};
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::murmur2::{murmur2, partition_for_key, to_positive};
use ottla_protocol::records::batch::{
    computed_crc, patch_base_offset_and_epoch, patch_max_timestamp,
};
use ottla_protocol::records::builder::{empty_batch, recompress};
use ottla_protocol::records::control::{ControlType, EndTxnMarker, Place, control_batch};
use ottla_protocol::records::{
    BatchBuilder, BatchHeader, Header, RecordError, Records, Rules, TimestampType, batches,
    batches_of, check_batch, validate_produce,
};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset};
use serde_json::{Value, json};
use support::{table, unhex};

/// The clock of the hostile batches' log.
const NOW: Millis = Millis(1_700_000_001_000);

fn describe(batch: &Bytes) -> Value {
    let records = Records::open(batch, InflateLimits::STRICT).expect("a sound batch");
    let header = records.header;
    let described: Vec<Value> = records
        .owned()
        .map(|record| {
            let record = record.expect("a sound record");
            let headers: Vec<Value> = record
                .headers
                .iter()
                .map(|header| {
                    let key = std::str::from_utf8(&header.key).expect("UTF-8");
                    json!([
                        key,
                        header.value.as_ref().map(|value| STANDARD.encode(value))
                    ])
                })
                .collect();
            json!({
                "offset": record.offset.0,
                "timestamp": record.timestamp.0,
                "sequence": record.sequence,
                "key": data(record.key.as_deref()),
                "value": data(record.value.as_deref()),
                "headers": headers,
            })
        })
        .collect();
    json!({
        "magic": header.magic,
        "baseOffset": header.base_offset.0,
        "lastOffset": header.last_offset().0,
        "sizeInBytes": header.size_in_bytes(),
        "crc": header.crc,
        "compression": header.compression().expect("a codec").name(),
        "timestampType": header.timestamp_type().name(),
        "maxTimestamp": header.max_timestamp.0,
        "attributes": header.attributes.0,
        "partitionLeaderEpoch": header.partition_leader_epoch.0,
        "lastOffsetDelta": header.last_offset_delta,
        "baseTimestamp": header.base_timestamp.0,
        "transactional": header.is_transactional(),
        "control": header.is_control(),
        "deleteHorizonMs": header.delete_horizon().map(|horizon| horizon.0),
        "producerId": header.producer_id.0,
        "producerEpoch": header.producer_epoch.0,
        "baseSequence": header.base_sequence,
        "lastSequence": header.last_sequence(),
        "count": header.record_count,
        "records": described,
    })
}

/// Base64, or a unit and how often it repeats for long repetitive data, as the table writes it.
fn data(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else {
        return Value::Null;
    };
    let (units, rest) = bytes.as_chunks::<16>();
    if bytes.len() >= 2048 && rest.is_empty() && units.iter().all(|unit| *unit == units[0]) {
        return json!({ "b64": STANDARD.encode(units[0]), "repeat": units.len() });
    }
    Value::from(STANDARD.encode(bytes))
}

/// The batch built anew from its header and records.
fn rebuild(batch: &Bytes) -> Vec<u8> {
    let records = Records::open(batch, InflateLimits::STRICT).expect("a sound batch");
    let header = records.header;
    if header.record_count == 0 {
        return empty_batch(&header).to_vec();
    }
    let mut builder = BatchBuilder::new(header.compression().expect("a codec"))
        .base_offset(header.base_offset)
        .leader_epoch(header.partition_leader_epoch)
        .producer(
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        )
        .transactional(header.is_transactional())
        .control(header.is_control())
        .delete_horizon(header.delete_horizon())
        .last_offset(header.last_offset());
    // The builder that writes append times has seen the producer's, and counts from the first one.
    let append_time = header.timestamp_type() == TimestampType::LogAppendTime;
    if append_time {
        builder = builder.append_time(header.max_timestamp);
    }
    let mut create_times = create_times(&records);
    for record in &records {
        let record = record.expect("a sound record");
        let headers: Vec<Header> = record.headers.collect();
        let time = create_times.next().expect("a time per record");
        let timestamp = if append_time { time } else { record.timestamp };
        builder
            .append_at(record.offset, timestamp, record.key, record.value, &headers)
            .expect("room");
    }
    builder.build().expect("a batch")
}

/// The producer's times, which a batch with an append time still has in its deltas.
fn create_times(records: &Records) -> impl Iterator<Item = Millis> {
    let mut header = records.header;
    header.attributes = header
        .attributes
        .with_timestamp_type(TimestampType::CreateTime);
    let mut batch = header.encode().to_vec();
    batch.extend_from_slice(records.payload());
    let plain = header.attributes.with_compression(Compression::None);
    header.attributes = plain;
    header.batch_length = i32::try_from(batch.len()).expect("short") - 12;
    batch[..61].copy_from_slice(&header.encode());
    let records = Records::open(&Bytes::from(batch), InflateLimits::STRICT).expect("a batch");
    let times: Vec<_> = records
        .iter()
        .map(|record| record.expect("sound").timestamp)
        .collect();
    times.into_iter()
}

#[test]
fn vectors_record_sets_mean_what_their_description_says() {
    for row in table("records.tsv.gz") {
        let [name, description, hex] = &row[..] else {
            panic!("{row:?}")
        };
        let set = Bytes::from(unhex(hex));
        if name.starts_with("magic") {
            let error = batches(&set)
                .next()
                .expect("a batch")
                .expect_err("an old format");
            assert!(matches!(error, RecordError::OldMagic(_)), "{name}: {error}");
            assert_eq!(error.code(), ErrorCode::InvalidRecord);
            continue;
        }
        let mut described = Vec::new();
        for batch in batches_of(&set) {
            let (header, batch) = batch.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(check_batch(&batch).expect(name), header);
            described.push(describe(&batch));
        }
        let expected: Value = serde_json::from_str(description).expect("JSON");
        assert_eq!(json!({ "batches": described }), expected, "{name}");
    }
}

#[test]
fn vectors_record_sets_are_built_again() {
    for row in table("records.tsv.gz") {
        let [name, _, hex] = &row[..] else {
            panic!("{row:?}")
        };
        if name.starts_with("magic") {
            continue;
        }
        for batch in batches_of(&Bytes::from(unhex(hex))) {
            let (header, batch) = batch.expect(name);
            let rebuilt = Bytes::from(rebuild(&batch));
            if header.compression().expect(name) == Compression::None {
                assert_eq!(rebuilt, batch, "{name}");
            }
            check_batch(&rebuilt).expect(name);
            assert_eq!(meaning(&rebuilt), meaning(&batch), "{name}");
        }
    }
}

/// The description without what differs between two encodings of the same records.
fn meaning(batch: &Bytes) -> Value {
    let mut description = describe(batch);
    for field in ["crc", "sizeInBytes"] {
        description
            .as_object_mut()
            .expect("an object")
            .remove(field);
    }
    description
}

#[test]
fn vectors_records_survive_every_codec() {
    for row in table("records.tsv.gz") {
        let [name, _, hex] = &row[..] else {
            panic!("{row:?}")
        };
        // Producers' batches only: the others have offset gaps, which are closed on the way.
        if ![
            "five",
            "headers",
            "transactional",
            "nulls-and-empty",
            "log-append-time",
            "large-random",
        ]
        .iter()
        .any(|case| name.ends_with(case))
        {
            continue;
        }
        let batch = Bytes::from(unhex(hex));
        for codec in Compression::ALL {
            let other =
                recompress(&batch, codec, None, InflateLimits::STRICT, usize::MAX).expect(name);
            check_batch(&other).expect(name);
            let mut expected = describe(&batch)["records"].clone();
            // An append time has taken the place of the producer's, for the deltas too.
            let other = Bytes::from(other);
            assert_eq!(
                describe(&other)["records"].take(),
                expected.take(),
                "{name} to {codec}"
            );
            assert_eq!(
                Records::open(&other, InflateLimits::STRICT)
                    .unwrap()
                    .header
                    .compression()
                    .unwrap(),
                codec
            );
        }
    }
}

#[test]
fn vectors_control_batches_are_written_as_the_reference_writes_them() {
    for row in table("records.tsv.gz") {
        let [name, _, hex] = &row[..] else {
            panic!("{row:?}")
        };
        let Some(kind) = name.strip_prefix("control/") else {
            continue;
        };
        let batch = Bytes::from(unhex(hex));
        let records = Records::open(&batch, InflateLimits::STRICT).expect(name);
        let BatchHeader {
            base_offset,
            partition_leader_epoch: leader_epoch,
            ..
        } = records.header;
        let record = records.iter().next().expect(name).expect(name);
        let at = Place {
            base_offset,
            leader_epoch,
            timestamp: record.timestamp,
        };
        let control_type = ControlType::from_key(record.key.expect("a key")).expect(name);
        let expected = match kind {
            "commit" => ControlType::Commit,
            "abort" => ControlType::Abort,
            "leader-change" => ControlType::LeaderChange,
            "snapshot-header" => ControlType::SnapshotHeader,
            "snapshot-footer" => ControlType::SnapshotFooter,
            "kraft-version" => ControlType::KRaftVersion,
            "voters" => ControlType::KRaftVoters,
            other => panic!("unknown kind {other}"),
        };
        assert_eq!(control_type, expected);
        let rebuilt = match EndTxnMarker::from_record(&record).expect(name) {
            Some(marker) => marker
                .batch(
                    at,
                    records.header.producer_id,
                    records.header.producer_epoch,
                )
                .expect(name),
            None => control_batch(at, control_type, record.value.expect("a value")).expect(name),
        };
        assert_eq!(Bytes::from(rebuilt), batch, "{name}");
    }
}

fn rules(config: &str) -> Rules {
    let config: Value = serde_json::from_str(config).expect("JSON");
    let mut rules = Rules {
        now: NOW,
        ..Rules::default()
    };
    for (key, value) in config.as_object().expect("an object") {
        let value = value.as_str().expect("text");
        match key.as_str() {
            "message.timestamp.before.max.ms" => {
                rules.timestamp_before_max = Millis(value.parse().expect("a number"));
            }
            "message.timestamp.type" => {
                assert_eq!(value, "LogAppendTime");
                rules.timestamp_type = TimestampType::LogAppendTime;
            }
            "max.message.bytes" => rules.batch_bytes_max = value.parse().expect("a number"),
            "cleanup.policy" => rules.compacted = value.contains("compact"),
            other => panic!("unknown key {other}"),
        }
    }
    rules
}

/// What we answer where the reference fails in a way it did not mean to.
fn better_code(name: &str) -> ErrorCode {
    match name {
        "compression id 5" | "compression id 6" | "compression id 7" => {
            ErrorCode::UnsupportedCompressionType
        }
        _ => ErrorCode::InvalidRecord,
    }
}

#[test]
fn vectors_hostile_batches_end_as_the_reference_ends_them() {
    let mut differences = Vec::new();
    for row in table("hostile-records.tsv.gz") {
        let [name, config, error, reference, hex] = &row[..] else {
            panic!("{row:?}")
        };
        let mut batch = unhex(hex);
        let outcome = validate_produce(&batch, &rules(config));
        let code = match &outcome {
            Ok(_) => ErrorCode::None,
            Err(error) => error.code(),
        };
        let expected = match error.as_str() {
            "UNKNOWN_SERVER_ERROR" => better_code(name),
            _ => *ErrorCode::ALL
                .iter()
                .find(|code| code.name() == error)
                .expect("a code"),
        };
        if code != expected {
            differences.push(format!("{name}: {} for {error} ({reference})", code.name()));
        }
        if let Ok(validated) = outcome {
            let batch = &mut batch[..validated.size_in_bytes];
            patch_base_offset_and_epoch(batch, Offset(7), LeaderEpoch(3));
            patch_max_timestamp(batch, rules(config).timestamp_type, validated.max_timestamp);
            let header = check_batch(batch).expect(name);
            assert_eq!(
                header.last_offset().0,
                6 + i64::from(header.record_count),
                "{name}"
            );
            assert_eq!(header.max_timestamp, validated.max_timestamp, "{name}");
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn vectors_murmur2_and_the_partitions_it_chooses() {
    for row in table("murmur2.tsv") {
        let [key, hash, positive, partitions] = &row[..] else {
            panic!("{row:?}")
        };
        let key = unhex(key);
        assert_eq!(murmur2(&key).to_string(), *hash);
        assert_eq!(to_positive(murmur2(&key)).to_string(), *positive);
        let chosen: Vec<String> = [1, 2, 3, 6, 10, 12, 50, 100, 1000]
            .map(|count| partition_for_key(&key, count).to_string())
            .to_vec();
        assert_eq!(chosen.join(","), *partitions);
    }
}

#[test]
fn vectors_crc32c() {
    for row in table("crc32c.tsv") {
        let [data, crc] = &row[..] else {
            panic!("{row:?}")
        };
        // The CRC of a batch starts behind its own field.
        let mut batch = vec![0; 21];
        batch.extend(unhex(data));
        assert_eq!(computed_crc(&batch).to_string(), *crc);
    }
}
