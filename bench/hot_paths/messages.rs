//! What requests lead over without a broker: decoding, encoding, checking batches.

use std::hint::black_box;

use ottla_protocol::compress::Compression;
use ottla_protocol::messages::fetch::request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch::response::{FetchableTopicResponse, PartitionData};
use ottla_protocol::messages::produce::response::{PartitionProduceResponse, TopicProduceResponse};
use ottla_protocol::messages::{
    FetchRequest, FetchResponse, Message, ProduceRequest, ProduceResponse, encode_response,
};
use ottla_protocol::records::{BatchBuilder, Rules, check_batch, validate_produce};
use ottla_protocol::wire::{Records, Uuid};

use crate::producing::{TIME, VERSION, batch, fill, request};
use crate::{fetching, measure};

const TOPIC: Uuid = Uuid([7; 16]);

pub(crate) fn run() {
    decode_requests();
    encode_responses();
    check_batches();
}

fn decode_requests() {
    let produce = request(TOPIC, 16, 1, &batch(1, 100)).to_bytes(VERSION);
    each("decode Produce of 16 partitions", 200, || {
        ProduceRequest::from_bytes(black_box(produce.clone()), VERSION)
    });
    let partition = |partition| FetchPartition {
        partition,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let fetch = FetchRequest {
        topics: vec![FetchTopic {
            topic_id: TOPIC,
            partitions: (0..100).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let fetch = fetch.to_bytes(fetching::VERSION);
    each("decode Fetch of 100 partitions", 200, || {
        FetchRequest::from_bytes(black_box(fetch.clone()), fetching::VERSION)
    });
}

fn encode_responses() {
    let partition = |index| PartitionProduceResponse {
        index,
        base_offset: 42,
        ..Default::default()
    };
    let produced = ProduceResponse {
        responses: vec![TopicProduceResponse {
            topic_id: TOPIC,
            partition_responses: (0..16).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    each("encode Produce of 16 partitions", 200, || {
        encode_response(black_box(&produced), VERSION, 1)
    });
    let partition = |partition_index| PartitionData {
        partition_index,
        high_watermark: 1000,
        records: Some(Records::External {
            len: 65_536,
            token: 1,
        }),
        ..Default::default()
    };
    let fetched = FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic_id: TOPIC,
            partitions: (0..100).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    each("encode Fetch of 100 partitions", 200, || {
        encode_response(black_box(&fetched), fetching::VERSION, 1)
    });
}

fn check_batches() {
    let rules = Rules {
        now: TIME,
        ..Rules::default()
    };
    let large = batch(63, 1024);
    each("check the CRC-32C of 64 KiB", 100, || {
        check_batch(black_box(&large)).is_ok()
    });
    let small = batch(140, 100);
    each("check a batch of 140 records of 100 B", 100, || {
        validate_produce(black_box(&small), &rules).is_ok()
    });
    let compressed = fill(BatchBuilder::new(Compression::Lz4), 140, 100);
    each("check the same, compressed with LZ4", 100, || {
        validate_produce(black_box(&compressed), &rules).is_ok()
    });
}

fn each<T>(path: &str, count: u32, mut operation: impl FnMut() -> T) {
    measure(path, count, |count| {
        for _ in 0..count {
            black_box(operation());
        }
    });
}
