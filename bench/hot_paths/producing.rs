//! Produce: from the bytes on the socket to the log, and back to the acknowledgement.

use bytes::Bytes;
use ottla_protocol::compress::Compression;
use ottla_protocol::messages::produce::request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{Millis, ProducerEpoch, ProducerId};
use ottla_protocol::wire::{Records, Uuid};

use crate::broker::Broker;
use crate::client::{Client, frame};
use crate::rounds;

pub(crate) const VERSION: i16 = 13;
/// The time of all records, which is as good as any.
pub(crate) const TIME: Millis = Millis(1_700_000_000_000);

pub(crate) fn run(broker: &Broker) {
    large_batches(broker);
    single_records(broker);
    idempotent_records(broker);
    many_partitions(broker);
    synced_records(broker);
}

/// A batch of so many records of so many bytes each.
pub(crate) fn batch(records: usize, value_bytes: usize) -> Bytes {
    fill(BatchBuilder::new(Compression::None), records, value_bytes)
}

pub(crate) fn fill(mut builder: BatchBuilder, records: usize, value_bytes: usize) -> Bytes {
    let value = vec![b'x'; value_bytes];
    for _ in 0..records {
        let appended = builder.append(TIME, None, Some(&value), &[]);
        appended.expect("a record that fits");
    }
    builder.build().expect("a batch").into()
}

/// A batch to each of so many partitions.
pub(crate) fn request(topic: Uuid, partitions: i32, acks: i16, batch: &Bytes) -> ProduceRequest {
    let data = (0..partitions).map(|index| PartitionProduceData {
        index,
        records: Some(Records::Bytes(batch.clone())),
        ..Default::default()
    });
    ProduceRequest {
        acks,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            topic_id: topic,
            partition_data: data.collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Produces once, and fails unless that is acknowledged.
pub(crate) fn produce(broker: &Broker, client: &mut Client, request: &ProduceRequest) {
    let answer = broker.until(client.call(request, VERSION));
    for topic in &answer.responses {
        for partition in &topic.partition_responses {
            assert_eq!(partition.error_code, 0, "{partition:?}");
        }
    }
}

fn measure(broker: &Broker, path: &str, count: u32, request: &ProduceRequest) {
    let mut client = broker.connect();
    produce(broker, &mut client, request);
    let request = frame(request, VERSION);
    broker.measure_frames(path, count, &mut client, std::iter::repeat(&request));
}

fn large_batches(broker: &Broker) {
    let topic = broker.add_topic("large", 1, "memory");
    let request = request(topic, 1, 1, &batch(63, 1024));
    measure(broker, "produce a batch of 64 KiB", 100, &request);
}

fn single_records(broker: &Broker) {
    let topic = broker.add_topic("single", 1, "memory");
    let request = request(topic, 1, 1, &batch(1, 100));
    measure(broker, "produce a record", 200, &request);
}

/// As clients do it that are not told otherwise: with sequence numbers, and acks=all.
fn idempotent_records(broker: &Broker) {
    const COUNT: u32 = 200;
    let topic = broker.add_topic("idempotent", 1, "memory");
    let mut client = broker.connect();
    let init = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    let given = broker.until(client.call(&init, 4));
    assert_eq!(given.error_code, 0, "{given:?}");
    let request_at = |sequence: u32| {
        let (id, epoch) = (
            ProducerId(given.producer_id),
            ProducerEpoch(given.producer_epoch),
        );
        let sequence = i32::try_from(sequence).expect("few records");
        let builder = BatchBuilder::new(Compression::None).producer(id, epoch, sequence);
        request(topic, 1, -1, &fill(builder, 1, 100))
    };
    produce(broker, &mut client, &request_at(0));
    let frames: Vec<_> = (1..=rounds(COUNT))
        .map(|sequence| frame(&request_at(sequence), VERSION))
        .collect();
    broker.measure_frames("produce an idempotent record", COUNT, &mut client, frames);
}

fn many_partitions(broker: &Broker) {
    let topic = broker.add_topic("many", 16, "memory");
    let request = request(topic, 16, 1, &batch(1, 100));
    measure(
        broker,
        "produce a record to each of 16 partitions",
        50,
        &request,
    );
}

/// Acknowledged once it is on disk. The sync itself is another thread's, and no instruction of ours.
fn synced_records(broker: &Broker) {
    let topic = broker.add_topic("synced", 1, "disk");
    let request = request(topic, 1, -1, &batch(1, 100));
    measure(broker, "produce a record and sync it", 50, &request);
}
