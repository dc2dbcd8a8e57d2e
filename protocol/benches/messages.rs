//! Produce and Fetch, decoded and encoded, by number of partitions.

use bytes::Bytes;
use divan::{Bencher, black_box};
use ottla_protocol::messages::fetch::request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch::response::{FetchableTopicResponse, PartitionData};
use ottla_protocol::messages::produce::request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce::response::{PartitionProduceResponse, TopicProduceResponse};
use ottla_protocol::messages::{
    FetchRequest, FetchResponse, Message, ProduceRequest, ProduceResponse, encode_response,
};
use ottla_protocol::wire::{Records, Uuid};

const PARTITIONS: [i32; 4] = [1, 10, 100, 1000];

fn main() {
    divan::main();
}

fn produce_request(partitions: i32) -> ProduceRequest {
    let records = Bytes::from(vec![7u8; 100]);
    let partition = |index| PartitionProduceData {
        index,
        records: Some(Records::Bytes(records.clone())),
        ..Default::default()
    };
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: "orders".into(),
            partition_data: (0..partitions).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_request(partitions: i32) -> FetchRequest {
    let partition = |partition| FetchPartition {
        partition,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 50 << 20,
        topics: vec![FetchTopic {
            topic_id: Uuid([7; 16]),
            partitions: (0..partitions).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_response(partitions: i32) -> FetchResponse {
    let partition = |partition_index| PartitionData {
        partition_index,
        high_watermark: 1000,
        records: Some(Records::External {
            len: 65_536,
            token: 1,
        }),
        ..Default::default()
    };
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic_id: Uuid([7; 16]),
            partitions: (0..partitions).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn produce_response(partitions: i32) -> ProduceResponse {
    let partition = |index| PartitionProduceResponse {
        index,
        base_offset: 42,
        ..Default::default()
    };
    ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: "orders".into(),
            partition_responses: (0..partitions).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn decode<M: Message>(bencher: Bencher<'_, '_>, message: &M, version: i16) {
    let bytes = message.to_bytes(version);
    bencher.bench(|| M::from_bytes(black_box(bytes.clone()), version).expect("our own bytes"));
}

#[divan::bench(args = PARTITIONS)]
fn decode_produce_request_v11(bencher: Bencher<'_, '_>, partitions: i32) {
    decode(bencher, &produce_request(partitions), 11);
}

#[divan::bench(args = PARTITIONS)]
fn decode_fetch_request_v17(bencher: Bencher<'_, '_>, partitions: i32) {
    decode(bencher, &fetch_request(partitions), 17);
}

#[divan::bench(args = PARTITIONS)]
fn decode_produce_response_v11(bencher: Bencher<'_, '_>, partitions: i32) {
    decode(bencher, &produce_response(partitions), 11);
}

#[divan::bench(args = PARTITIONS)]
fn encode_produce_request_v11(bencher: Bencher<'_, '_>, partitions: i32) {
    let request = produce_request(partitions);
    bencher.bench(|| black_box(&request).to_bytes(11));
}

#[divan::bench(args = PARTITIONS)]
fn encode_produce_response_v11(bencher: Bencher<'_, '_>, partitions: i32) {
    let response = produce_response(partitions);
    bencher.bench(|| encode_response(black_box(&response), 11, 1));
}

#[divan::bench(args = PARTITIONS)]
fn encode_fetch_response_v17(bencher: Bencher<'_, '_>, partitions: i32) {
    let response = fetch_response(partitions);
    bencher.bench(|| encode_response(black_box(&response), 17, 1));
}
