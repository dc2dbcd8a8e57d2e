//! Records in and out: order, acknowledgements, long polling, idempotence, restarts.

use std::time::{Duration, Instant};

use bytes::Bytes;
use ottla_protocol::compress::InflateLimits;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::api::metadata::request::MetadataRequestTopic;
use ottla_protocol::messages::fetch::request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch::response::PartitionData;
use ottla_protocol::messages::list_offsets::request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::produce::request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce::response::PartitionProduceResponse;
use ottla_protocol::messages::{FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest};
use ottla_protocol::records::{self, BatchBuilder};
use ottla_protocol::types::{ProducerEpoch, ProducerId};
use ottla_protocol::wire::{Records, Uuid};

use crate::testing::{Client, TestServer, batch, eventually};

pub(super) fn produce_request(
    topic: &str,
    partition: i32,
    acks: i16,
    batch: Bytes,
) -> ProduceRequest {
    ProduceRequest {
        acks,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Some(Records::Bytes(batch)),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(super) fn produce(
    client: &mut Client,
    topic: &str,
    acks: i16,
    batch: Bytes,
) -> PartitionProduceResponse {
    let response = client.call(&produce_request(topic, 0, acks, batch), 9);
    response.responses[0].partition_responses[0].clone()
}

pub(super) fn fetch_request(
    topic: &str,
    offset: i64,
    max_wait_ms: i32,
    min_bytes: i32,
) -> FetchRequest {
    FetchRequest {
        max_wait_ms,
        min_bytes,
        max_bytes: 50 << 20,
        topics: vec![FetchTopic {
            topic: topic.into(),
            partitions: vec![FetchPartition {
                partition: 0,
                fetch_offset: offset,
                partition_max_bytes: 1 << 20,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(super) fn fetch(client: &mut Client, topic: &str, offset: i64) -> PartitionData {
    let response = client.call(&fetch_request(topic, offset, 5_000, 1), 12);
    response.responses[0].partitions[0].clone()
}

/// The values of all records, with their offsets.
pub(super) fn values(data: &PartitionData) -> Vec<(i64, String)> {
    let bytes = data
        .records
        .as_ref()
        .map(Records::bytes)
        .unwrap_or_default();
    let mut values = Vec::new();
    for batch in records::batches_of(&bytes) {
        let (_, batch) = batch.expect("a whole batch");
        let records = records::Records::open(&batch, InflateLimits::STRICT).expect("a sound batch");
        for record in records.owned() {
            let record = record.expect("a sound record");
            let value = String::from_utf8(record.value.expect("a value").to_vec()).expect("text");
            values.push((record.offset.0, value));
        }
    }
    values
}

pub(super) fn latest(client: &mut Client, topic: &str) -> i64 {
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic.into(),
            partitions: vec![ListOffsetsPartition {
                timestamp: -1,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    client.call(&request, 5).topics[0].partitions[0].offset
}

#[test]
fn what_is_produced_is_fetched_with_its_offsets() {
    for durability in ["disk", "memory"] {
        let server = TestServer::start(&[("ottla.durability", durability)]);
        server.add_topic("t", 1);
        let mut client = server.connect();
        assert_eq!(
            produce(&mut client, "t", -1, batch(&["a", "b"])).base_offset,
            0
        );
        assert_eq!(produce(&mut client, "t", 1, batch(&["c"])).base_offset, 2);
        let expected =
            [(0, "a"), (1, "b"), (2, "c")].map(|(offset, value)| (offset, value.to_owned()));
        let mut seen = Vec::new();
        eventually("all three are visible", || {
            let from = seen.len() as i64;
            seen.extend(values(&fetch(&mut client, "t", from)));
            seen.len() >= 3
        });
        assert_eq!(seen, expected, "{durability}");
        assert_eq!(latest(&mut client, "t"), 3);
    }
}

#[test]
fn an_end_of_the_log_is_told_with_everything_that_was_acknowledged() {
    let server = TestServer::start(&[("ottla.durability", "disk")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    for n in 1..=20 {
        produce(&mut client, "t", 1, batch(&["x"]));
        assert_eq!(latest(&mut client, "t"), n);
    }
}

#[test]
fn a_waiting_fetch_is_woken_by_the_append() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    let (mut consumer, mut producer) = (server.connect(), server.connect());
    let begun = Instant::now();
    let correlation_id = consumer.send(&fetch_request("t", 0, 15_000, 1), 12);
    produce(&mut producer, "t", 1, batch(&["now"]));
    let response = consumer.receive::<FetchRequest>(12, correlation_id);
    assert_eq!(
        values(&response.responses[0].partitions[0]),
        [(0, "now".to_owned())]
    );
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "it did not wait for max_wait_ms"
    );
}

#[test]
fn a_fetch_without_news_answers_when_its_time_is_over() {
    let server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let begun = Instant::now();
    let response = server.connect().call(&fetch_request("t", 0, 100, 1), 12);
    assert!(begun.elapsed() >= Duration::from_millis(100));
    let data = &response.responses[0].partitions[0];
    assert_eq!((data.error_code, data.high_watermark), (0, 0));
}

#[test]
fn pipelined_produce_requests_are_answered_in_order() {
    for durability in ["disk", "memory"] {
        let server = TestServer::start(&[("ottla.durability", durability)]);
        server.add_topic("t", 1);
        let mut client = server.connect();
        let sent: Vec<i32> = (0..300)
            .map(|n| client.send(&produce_request("t", 0, [-1, 1][n % 2], batch(&["x"])), 9))
            .collect();
        let asked = client.send(&fetch_request("t", 0, 0, 0), 12);
        for (n, correlation_id) in sent.into_iter().enumerate() {
            let response = client.receive::<ProduceRequest>(9, correlation_id);
            assert_eq!(
                response.responses[0].partition_responses[0].base_offset,
                n as i64
            );
        }
        client.receive::<FetchRequest>(12, asked);
    }
}

#[test]
fn acks_zero_gets_no_reply_and_an_error_closes() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    client.send(&produce_request("t", 0, 0, batch(&["quiet"])), 9);
    assert_eq!(
        produce(&mut client, "t", 1, batch(&["next"])).base_offset,
        1
    );
    client.send(&produce_request("missing", 0, 0, batch(&["lost"])), 9);
    assert!(client.is_closed());
}

#[test]
fn errors_of_produce_are_told_per_partition() {
    let server = TestServer::start(&[("message.max.bytes", "1000")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    let mut code = |topic: &str, partition, acks, batch| {
        let response = client.call(&produce_request(topic, partition, acks, batch), 9);
        ErrorCode::from_code(response.responses[0].partition_responses[0].error_code)
    };
    assert_eq!(
        code("no", 0, 1, batch(&["x"])),
        ErrorCode::UnknownTopicOrPartition
    );
    assert_eq!(
        code("t", 1, 1, batch(&["x"])),
        ErrorCode::UnknownTopicOrPartition
    );
    assert_eq!(
        code("t", 0, 2, batch(&["x"])),
        ErrorCode::InvalidRequiredAcks
    );
    assert_eq!(
        code("t", 0, 1, batch(&[&"x".repeat(2000)])),
        ErrorCode::MessageTooLarge
    );
    assert_eq!(code("t", 0, 1, Bytes::new()), ErrorCode::InvalidRecord);
    let mut damaged = batch(&["x"]).to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(code("t", 0, 1, damaged.into()), ErrorCode::CorruptMessage);
    assert_eq!(code("t", 0, 1, batch(&["fine"])), ErrorCode::None);
    assert_eq!(
        latest(&mut client, "t"),
        1,
        "nothing of the others is on the log"
    );
}

#[test]
fn topics_are_known_by_id_from_produce_13_and_fetch_13() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    let id = server.add_topic("t", 1);
    let mut client = server.connect();
    let mut request = produce_request("", 0, -1, batch(&["x"]));
    request.topic_data[0].topic_id = id;
    assert_eq!(
        client.call(&request, 13).responses[0].partition_responses[0].error_code,
        0
    );
    request.topic_data[0].topic_id = Uuid([9; 16]);
    let refused = client.call(&request, 13).responses[0].partition_responses[0].error_code;
    assert_eq!(ErrorCode::from_code(refused), ErrorCode::UnknownTopicId);
    let mut request = fetch_request("", 0, 5_000, 1);
    request.topics[0].topic_id = id;
    let response = client.call(&request, 17);
    assert_eq!(values(&response.responses[0].partitions[0]).len(), 1);
}

#[test]
fn metadata_by_id_does_not_mind_an_empty_name_beside_it() {
    let server = TestServer::start(&[]);
    let id = server.add_topic("t", 1);
    let wanted = MetadataRequestTopic {
        topic_id: id,
        name: Some("".into()),
        ..Default::default()
    };
    let request = MetadataRequest {
        topics: Some(vec![wanted]),
        ..Default::default()
    };
    let found = &server.connect().call(&request, 12).topics[0];
    assert_eq!((found.error_code, found.topic_id), (0, id));
}

#[test]
fn large_and_many_batches_are_sent_whole() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    let value = "v".repeat(100_000);
    for _ in 0..30 {
        produce(&mut client, "t", 1, batch(&[&value]));
    }
    let mut seen = 0;
    while seen < 30 {
        let found = values(&fetch(&mut client, "t", seen));
        assert!(!found.is_empty());
        for (offset, text) in found {
            assert_eq!((offset, text.len()), (seen, value.len()));
            seen += 1;
        }
    }
}

#[test]
fn the_first_batch_comes_whole_however_little_was_asked_for() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    produce(&mut client, "t", 1, batch(&[&"v".repeat(50_000)]));
    let mut request = fetch_request("t", 0, 1000, 1);
    request.max_bytes = 10;
    request.topics[0].partitions[0].partition_max_bytes = 10;
    assert_eq!(
        values(&client.call(&request, 12).responses[0].partitions[0]).len(),
        1
    );
}

#[test]
fn offsets_outside_the_log_are_refused() {
    let server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    produce(&mut client, "t", 1, batch(&["x"]));
    for offset in [-1, 2, i64::MAX] {
        let code = ErrorCode::from_code(fetch(&mut client, "t", offset).error_code);
        assert_eq!(code, ErrorCode::OffsetOutOfRange, "{offset}");
    }
    let mut request = fetch_request("t", 0, 1000, 1);
    request.topics[0].partitions[0].current_leader_epoch = 5;
    let code = client.call(&request, 12).responses[0].partitions[0].error_code;
    assert_eq!(ErrorCode::from_code(code), ErrorCode::UnknownLeaderEpoch);
}

fn idempotent(sequence: i32, epoch: i16) -> Bytes {
    let mut builder = BatchBuilder::new(Default::default()).producer(
        ProducerId(77),
        ProducerEpoch(epoch),
        sequence,
    );
    builder
        .append(crate::clock::now(), None, Some(b"x"), &[])
        .unwrap();
    builder.build().unwrap().into()
}

#[test]
fn a_repeated_batch_is_answered_with_its_first_offset_also_after_a_restart() {
    let mut server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    for sequence in 0..3 {
        assert_eq!(
            produce(&mut client, "t", -1, idempotent(sequence, 0)).base_offset,
            i64::from(sequence)
        );
    }
    let again = produce(&mut client, "t", -1, idempotent(1, 0));
    assert_eq!((again.error_code, again.base_offset), (0, 1));
    let gap = produce(&mut client, "t", -1, idempotent(9, 0)).error_code;
    assert_eq!(
        ErrorCode::from_code(gap),
        ErrorCode::OutOfOrderSequenceNumber
    );

    server.stop();
    let server = TestServer::start_in(server.dir.clone(), &[]);
    server.add_topic("t", 1);
    let mut client = server.connect();
    let again = produce(&mut client, "t", -1, idempotent(2, 0));
    assert_eq!((again.error_code, again.base_offset), (0, 2));
    assert_eq!(
        produce(&mut client, "t", -1, idempotent(3, 0)).base_offset,
        3
    );
    assert_eq!(latest(&mut client, "t"), 4);
}

#[test]
fn a_restarted_server_has_everything() {
    let mut server = TestServer::start(&[("ottla.durability", "memory")]);
    server.add_topic("t", 2);
    let mut client = server.connect();
    for n in 0..10 {
        produce(&mut client, "t", 1, batch(&[&n.to_string()]));
    }
    server.stop();
    let server = TestServer::start_in(server.dir.clone(), &[]);
    server.add_topic("t", 2);
    let mut client = server.connect();
    assert_eq!(latest(&mut client, "t"), 10);
    assert_eq!(values(&fetch(&mut client, "t", 0)).len(), 10);
}

#[test]
fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let server = TestServer::start(&[("connections.max.idle.ms", "300")]);
    server.add_topic("t", 1);
    let (mut idle, mut busy) = (server.connect(), server.connect());
    let begun = Instant::now();
    latest(&mut idle, "t");
    let watcher = std::thread::spawn(move || idle.is_closed());
    while !watcher.is_finished() {
        latest(&mut busy, "t");
    }
    assert!(watcher.join().unwrap());
    assert!(begun.elapsed() >= Duration::from_millis(290));
    latest(&mut busy, "t");
}

#[test]
fn more_connections_than_allowed_are_closed_at_once() {
    let server = TestServer::start(&[("max.connections.per.ip", "2")]);
    let answers = |client: &mut Client| {
        client.send(&fetch_request("t", 0, 0, 0), 12);
        client.receive_frame().is_some()
    };
    let (mut first, mut second) = (server.connect(), server.connect());
    assert!(answers(&mut first) && answers(&mut second));
    assert!(server.connect().is_closed());
    assert!(answers(&mut first));
    drop(second);
    eventually("a place is free", || answers(&mut server.connect()));
}

#[test]
fn a_server_stops_although_clients_wait() {
    let mut server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let (mut waiting, idle) = (server.connect(), server.connect());
    waiting.send(&fetch_request("t", 0, 60_000, 1), 12);
    let begun = Instant::now();
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(waiting.is_closed());
    drop(idle);
}
