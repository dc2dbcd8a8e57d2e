//! What a topic's configuration does to the batches that come in, and which batches never get in.

use bytes::Bytes;
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::DeleteRecordsRequest;
use ottla_protocol::messages::delete_records::request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use ottla_protocol::messages::produce::response::PartitionProduceResponse;
use ottla_protocol::records::batch::{computed_crc, patch_max_timestamp};
use ottla_protocol::records::{self, BatchBuilder, BatchHeader, TimestampType};
use ottla_protocol::types::{Millis, Offset};
use ottla_protocol::wire::Records;

use super::produce_fetch::{fetch, latest, produce};
use crate::testing::{Client, TestServer, batch};

fn code(response: &PartitionProduceResponse) -> ErrorCode {
    ErrorCode::from_code(response.error_code)
}

fn batch_at(timestamp: Millis, key: Option<&[u8]>) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(timestamp, key, Some(b"value"), &[]).unwrap();
    builder.build().unwrap().into()
}

fn first_header(client: &mut Client, topic: &str) -> BatchHeader {
    let bytes = fetch(client, topic, 0)
        .records
        .as_ref()
        .map(Records::bytes)
        .unwrap();
    records::batches(&bytes).next().unwrap().unwrap().header
}

#[test]
fn log_append_time_is_written_over_what_the_producer_says() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic_with("t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let mut client = server.connect();
    let before = crate::clock::now();
    let response = produce(&mut client, "t", 1, batch_at(Millis(1), None));
    assert!(response.log_append_time_ms >= before.0);
    let header = first_header(&mut client, "t");
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(header.max_timestamp.0, response.log_append_time_ms);
}

#[test]
fn a_producer_that_claims_the_time_of_the_append_is_not_believed() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    let now = crate::clock::now();
    let mut batch = batch_at(now, None).to_vec();
    patch_max_timestamp(&mut batch, TimestampType::LogAppendTime, now);
    let response = produce(&mut client, "t", 1, batch.into());
    assert_eq!(
        (code(&response), response.log_append_time_ms),
        (ErrorCode::None, -1)
    );
    let header = first_header(&mut client, "t");
    assert_eq!(header.timestamp_type(), TimestampType::CreateTime);
    assert_eq!(header.max_timestamp, now);
}

#[test]
fn timestamps_out_of_range_are_refused_record_by_record() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic_with("t", 1, &[("message.timestamp.before.max.ms", "60000")]);
    let mut client = server.connect();
    let now = crate::clock::now();
    for timestamp in [
        Millis(now.0 - 120_000),
        Millis(now.0 + 2 * 3_600_000),
        Millis(i64::MAX),
    ] {
        let response = produce(&mut client, "t", 1, batch_at(timestamp, None));
        assert_eq!(code(&response), ErrorCode::InvalidTimestamp, "{timestamp}");
        assert_eq!(response.record_errors.len(), 1);
        assert_eq!(response.record_errors[0].batch_index, 0);
        assert!(response.error_message.is_some());
    }
    assert_eq!(
        code(&produce(&mut client, "t", 1, batch_at(now, None))),
        ErrorCode::None
    );
    assert_eq!(latest(&mut client, "t"), 1);
}

#[test]
fn a_compacted_topic_wants_keys() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic_with("t", 1, &[("cleanup.policy", "compact")]);
    let mut client = server.connect();
    let now = crate::clock::now();
    assert_eq!(
        code(&produce(&mut client, "t", 1, batch_at(now, None))),
        ErrorCode::InvalidRecord
    );
    assert_eq!(
        code(&produce(&mut client, "t", 1, batch_at(now, Some(b"k")))),
        ErrorCode::None
    );
}

#[test]
fn a_topic_with_its_own_codec_stores_all_batches_under_it() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic_with("t", 1, &[("compression.type", "zstd")]);
    let mut client = server.connect();
    produce(&mut client, "t", 1, batch(&["a", "b"]));
    let header = first_header(&mut client, "t");
    assert_eq!(header.compression().unwrap(), Compression::Zstd);
    assert_eq!((header.record_count, header.last_offset()), (2, Offset(1)));
}

#[test]
fn a_batch_that_has_grown_too_large_under_the_topics_codec_is_refused() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic_with("t", 1, &[("compression.type", "uncompressed")]);
    server.set_config("t", "max.message.bytes", "10000");
    let mut client = server.connect();
    let mut packed = |value: &[u8]| {
        let mut builder = BatchBuilder::new(Compression::Zstd);
        let now = crate::clock::now();
        builder.append(now, Some(b"k"), Some(value), &[]).unwrap();
        let batch = builder.build().unwrap();
        assert!(batch.len() < 10_000);
        code(&produce(&mut client, "t", 1, batch.into()))
    };
    assert_eq!(packed(&[0; 10_000]), ErrorCode::MessageTooLarge);
    assert_eq!(packed(&[0; 9_000]), ErrorCode::None);
    let header = first_header(&mut client, "t");
    assert_eq!(header.compression().unwrap(), Compression::None);
}

#[test]
fn more_in_sync_replicas_than_there_are_stop_acks_all_only() {
    let server = TestServer::start(&[]);
    server.add_topic_with("t", 1, &[("min.insync.replicas", "2")]);
    let mut client = server.connect();
    assert_eq!(
        code(&produce(&mut client, "t", -1, batch(&["x"]))),
        ErrorCode::NotEnoughReplicas
    );
    assert_eq!(
        code(&produce(&mut client, "t", 1, batch(&["x"]))),
        ErrorCode::None
    );
    assert_eq!(latest(&mut client, "t"), 1);
}

/// A batch with a field of its header changed and the CRC made right again.
fn with_field(at: usize, bytes: &[u8]) -> Bytes {
    let mut batch = batch(&["a", "b"]).to_vec();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = computed_crc(&batch);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch.into()
}

#[test]
fn p09_batches_that_contradict_themselves_never_get_in() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    let twice = [batch(&["a"]), batch(&["b"])].concat();
    let cut = batch(&["a"]).slice(..70);
    let cases: Vec<(&str, Bytes, ErrorCode)> = vec![
        (
            "count is not last offset delta + 1",
            with_field(57, &3i32.to_be_bytes()),
            ErrorCode::InvalidRecord,
        ),
        (
            "count 0",
            with_field(57, &0i32.to_be_bytes()),
            ErrorCode::InvalidRecord,
        ),
        (
            "count -1",
            with_field(57, &(-1i32).to_be_bytes()),
            ErrorCode::InvalidRecord,
        ),
        (
            "count 2^31-1",
            with_field(57, &i32::MAX.to_be_bytes()),
            ErrorCode::InvalidRecord,
        ),
        (
            "a control batch",
            with_field(21, &0x20i16.to_be_bytes()),
            ErrorCode::InvalidRecord,
        ),
        (
            "a transactional batch without a transaction",
            with_field(21, &0x10i16.to_be_bytes()),
            ErrorCode::TransactionalIdAuthorizationFailed,
        ),
        ("magic 0", with_field(16, &[0]), ErrorCode::InvalidRecord),
        ("magic 1", with_field(16, &[1]), ErrorCode::InvalidRecord),
        ("magic 3", with_field(16, &[3]), ErrorCode::CorruptMessage),
        ("two batches", twice.into(), ErrorCode::InvalidRecord),
        ("half a batch", cut, ErrorCode::InvalidRecord),
        (
            "a base offset",
            with_field(0, &5i64.to_be_bytes()),
            ErrorCode::InvalidRecord,
        ),
        (
            "a producer without a sequence",
            with_field(43, &7i64.to_be_bytes()),
            ErrorCode::InvalidRecord,
        ),
    ];
    for (what, batch, expected) in cases {
        let response = produce(&mut client, "t", 1, batch);
        assert_eq!(
            code(&response),
            expected,
            "{what}: {:?}",
            response.error_message
        );
        assert_eq!(response.base_offset, -1);
    }
    assert_eq!(latest(&mut client, "t"), 0, "nothing reached the log");
}

pub(super) fn delete_records(client: &mut Client, topic: &str, offset: i64) -> (ErrorCode, i64) {
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: topic.into(),
            partitions: vec![DeleteRecordsPartition {
                offset,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let result = client.call(&request, 2).topics[0].partitions[0].clone();
    (
        ErrorCode::from_code(result.error_code),
        result.low_watermark,
    )
}

#[test]
fn deleted_records_are_gone_and_offsets_go_on() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    server.add_topic_with("compacted", 1, &[("cleanup.policy", "compact")]);
    let mut client = server.connect();
    for _ in 0..5 {
        produce(&mut client, "t", 1, batch(&["x"]));
    }
    let mut delete = |topic: &str, offset| delete_records(&mut client, topic, offset);
    assert_eq!(delete("t", 3), (ErrorCode::None, 3));
    assert_eq!(
        delete("t", 2),
        (ErrorCode::None, 3),
        "the start never goes back"
    );
    assert_eq!(delete("t", 6), (ErrorCode::OffsetOutOfRange, -1));
    assert_eq!(delete("t", -2), (ErrorCode::OffsetOutOfRange, -1));
    assert_eq!(delete("no", 0), (ErrorCode::UnknownTopicOrPartition, -1));
    assert_eq!(delete("compacted", 0), (ErrorCode::PolicyViolation, -1));
    assert_eq!(delete("t", -1), (ErrorCode::None, 5));
    assert_eq!(
        ErrorCode::from_code(fetch(&mut client, "t", 2).error_code),
        ErrorCode::OffsetOutOfRange
    );
    assert_eq!(produce(&mut client, "t", 1, batch(&["y"])).base_offset, 5);
}

#[test]
fn settings_that_change_hold_from_the_next_batch_on() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic_with("t", 1, &[("max.message.bytes", "200")]);
    let mut client = server.connect();
    let large = batch(&[&"v".repeat(1000)]);
    assert_eq!(
        code(&produce(&mut client, "t", 1, large.clone())),
        ErrorCode::MessageTooLarge
    );
    server.set_config("t", "max.message.bytes", "5000");
    assert_eq!(code(&produce(&mut client, "t", 1, large)), ErrorCode::None);
}
