//! Fetch: batches that are there, records that are waited for, and sessions that get nothing.

use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch::request::{FetchPartition, FetchTopic};
use ottla_protocol::wire::Uuid;

use crate::broker::Broker;
use crate::client::{Client, frame};
use crate::producing::{self, batch, produce};
use crate::{measure, rounds};

pub(crate) const VERSION: i16 = 17;
/// No session is wanted.
const FINAL_EPOCH: i32 = -1;

pub(crate) fn run(broker: &Broker) {
    one_batch(broker);
    small_batches(broker);
    onwards(broker);
    a_record_that_is_waited_for(broker);
    idle_partitions(broker);
}

fn request(topic: Uuid, partitions: i32, offset: i64) -> FetchRequest {
    let partition = |partition| FetchPartition {
        partition,
        current_leader_epoch: -1,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms: 30_000,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: FINAL_EPOCH,
        topics: vec![FetchTopic {
            topic_id: topic,
            partitions: (0..partitions).map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Fetches once; the bytes of records that came.
fn fetch(broker: &Broker, client: &mut Client, request: &FetchRequest) -> usize {
    let answer = broker.until(client.call(request, VERSION));
    assert_eq!(answer.error_code, 0, "{answer:?}");
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let lengths = partitions.map(|partition| {
        assert_eq!(partition.error_code, 0, "{partition:?}");
        partition
            .records
            .as_ref()
            .map_or(0, |records| records.len())
    });
    lengths.sum()
}

fn measure_same(broker: &Broker, path: &str, count: u32, request: &FetchRequest, bytes: usize) {
    let mut client = broker.connect();
    assert_eq!(fetch(broker, &mut client, request), bytes, "{path}");
    let request = frame(request, VERSION);
    broker.measure_frames(path, count, &mut client, std::iter::repeat(&request));
}

fn one_batch(broker: &Broker) {
    let topic = broker.add_topic("one-batch", 1, "memory");
    let batch = batch(63, 1024);
    produce(
        broker,
        &mut broker.connect(),
        &producing::request(topic, 1, 1, &batch),
    );
    let request = request(topic, 1, 0);
    measure_same(
        broker,
        "fetch a batch of 64 KiB",
        100,
        &request,
        batch.len(),
    );
}

fn small_batches(broker: &Broker) {
    const BATCHES: usize = 100;
    let topic = broker.add_topic("small-batches", 1, "memory");
    let batch = batch(1, 100);
    let mut producer = broker.connect();
    for _ in 0..BATCHES {
        produce(
            broker,
            &mut producer,
            &producing::request(topic, 1, 1, &batch),
        );
    }
    let (request, bytes) = (request(topic, 1, 0), BATCHES * batch.len());
    measure_same(
        broker,
        "fetch 100 batches of a record",
        100,
        &request,
        bytes,
    );
}

/// A consumer on its way through a log: each fetch begins where the one before was cut.
fn onwards(broker: &Broker) {
    const COUNT: u32 = 100;
    const BYTES: i32 = 100 << 10;
    const BATCHES: i64 = 400;
    let topic = broker.add_topic("onwards", 1, "memory");
    let batch = batch(16, 1000);
    let whole = i64::from(BYTES) / i64::try_from(batch.len()).expect("a small batch");
    let mut client = broker.connect();
    let record = producing::request(topic, 1, 1, &batch);
    for _ in 0..BATCHES {
        produce(broker, &mut client, &record);
    }
    let fetches: Vec<_> = (0..rounds(COUNT))
        .map(|round| {
            let first = i64::from(round) * whole % (BATCHES - 2 * whole);
            let mut request = request(topic, 1, 16 * first);
            request.topics[0].partitions[0].partition_max_bytes = BYTES;
            frame(&request, VERSION)
        })
        .collect();
    let path = "fetch 100 KiB of batches of 16 KiB";
    broker.measure_frames(path, COUNT, &mut client, fetches);
}

/// A consumer that has read everything waits, and a producer's record wakes it.
fn a_record_that_is_waited_for(broker: &Broker) {
    const COUNT: u32 = 100;
    let topic = broker.add_topic("waited-for", 1, "memory");
    let (mut producer, mut consumer) = (broker.connect(), broker.connect());
    let record = producing::request(topic, 1, 1, &batch(1, 100));
    produce(broker, &mut producer, &record);
    let record = frame(&record, producing::VERSION);
    let fetches: Vec<_> = (1..=rounds(COUNT))
        .map(|offset| frame(&request(topic, 1, i64::from(offset)), VERSION))
        .collect();
    let mut fetches = fetches.iter();
    measure("fetch that waits for a produced record", COUNT, |count| {
        broker.until(async {
            for _ in 0..count {
                let fetch = fetches.next().expect("a frame for each round");
                consumer.send(fetch).await;
                // One turn for the broker to take the fetch in.
                tokio::task::yield_now().await;
                producer.exchange(&record).await;
                consumer.receive().await;
            }
        });
    });
}

/// What a consumer costs that has a thousand partitions and gets nothing from any.
fn idle_partitions(broker: &Broker) {
    const PARTITIONS: i32 = 1000;
    let topic = broker.add_topic("idle", PARTITIONS, "memory");
    let mut request = request(topic, PARTITIONS, 0);
    request.max_wait_ms = 0;
    let path = "fetch of 1,000 idle partitions without a session";
    measure_same(broker, path, 10, &request, 0);
    request.session_epoch = 0;
    idle_session(broker, &request);
}

fn idle_session(broker: &Broker, opening: &FetchRequest) {
    const COUNT: u32 = 20;
    let mut client = broker.connect();
    let answer = broker.until(client.call(opening, VERSION));
    assert!(answer.session_id != 0, "{answer:?}");
    let turn = |epoch: u32| FetchRequest {
        max_wait_ms: 1,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_id: answer.session_id,
        session_epoch: i32::try_from(epoch).expect("few turns"),
        ..Default::default()
    };
    let frames: Vec<_> = (1..=rounds(COUNT))
        .map(|epoch| frame(&turn(epoch), VERSION))
        .collect();
    let path = "fetch of a session of 1,000 idle partitions";
    broker.measure_frames(path, COUNT, &mut client, frames);
}
