//! The producer against a broker that can misbehave in every way that matters.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};

use ottla_protocol::{
    compress::InflateLimits,
    errors::ErrorCode,
    messages::{
        InitProducerIdRequest, InitProducerIdResponse, MetadataRequest, MetadataResponse,
        ProduceRequest, ProduceResponse,
        api::produce::response::{PartitionProduceResponse, TopicProduceResponse},
    },
    records::{BatchHeader, Records},
    wire::Records as WireRecords,
};

use crate::{
    cluster::Cluster,
    config::ClientKind,
    conn::Endpoint,
    testing::{
        Answer, Incoming, count, fake_broker, metadata_of, metadata_of_two, misadvertised, nobody,
        quick_cluster, raw_server,
    },
};

use super::*;

/// A batch as the broker got it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    partition: i32,
    epoch: i16,
    sequence: i32,
    values: Vec<Vec<u8>>,
}

fn batches(request: &Incoming) -> Vec<Written> {
    let body = request.body::<ProduceRequest>();
    let partitions = body
        .topic_data
        .into_iter()
        .flat_map(|topic| topic.partition_data);
    partitions
        .map(|partition| {
            let Some(WireRecords::Bytes(bytes)) = partition.records else {
                panic!("no records")
            };
            let header = BatchHeader::read(&bytes).unwrap();
            let records = Records::open(&bytes, InflateLimits::STRICT).unwrap();
            Written {
                partition: partition.index,
                epoch: header.producer_epoch.0,
                sequence: header.base_sequence,
                values: records
                    .iter()
                    .map(|r| r.unwrap().value.unwrap_or_default().to_vec())
                    .collect(),
            }
        })
        .collect()
}

fn answered(request: &Incoming, code: ErrorCode, base_offset: i64) -> Answer {
    let body = request.body::<ProduceRequest>();
    let responses = body.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|partition| PartitionProduceResponse {
                index: partition.index,
                error_code: code.code(),
                base_offset: if code.is_none() { base_offset } else { -1 },
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    request.answer(&ProduceResponse {
        responses: responses.collect(),
        ..Default::default()
    })
}

/// A cluster of one broker with topic `t` of two partitions; the test answers Produce requests.
async fn cluster(produce: impl FnMut(&Incoming) -> Answer + Send + 'static) -> Cluster {
    let (endpoint, _) = broker(|here| metadata_of(here, &[("t", 2)]), produce).await;
    Cluster::connect(quick_cluster(vec![endpoint]))
        .await
        .unwrap()
}

/// A broker that describes its cluster as the test says, knowing where it is itself.
async fn broker(
    metadata: impl Fn(&Endpoint) -> MetadataResponse + Send + 'static,
    mut produce: impl FnMut(&Incoming) -> Answer + Send + 'static,
) -> (Endpoint, Arc<Mutex<Vec<Incoming>>>) {
    let place: Arc<Mutex<Option<Endpoint>>> = Arc::default();
    let known = place.clone();
    let (endpoint, seen) = fake_broker(move |request| {
        if request.is::<MetadataRequest>() {
            let here = lock(&known).clone().expect("set before anybody connects");
            return request.answer(&metadata(&here));
        }
        if request.is::<InitProducerIdRequest>() {
            return request.answer(&InitProducerIdResponse {
                producer_id: 7,
                ..Default::default()
            });
        }
        produce(request)
    })
    .await;
    *lock(&place) = Some(endpoint.clone());
    (endpoint, seen)
}

fn settings(given: &[(&str, &str)]) -> ProducerSettings {
    let defaults = [("linger.ms", "1"), ("request.timeout.ms", "5000")];
    let given = defaults.into_iter().chain(given.iter().copied());
    ProducerSettings::from_config(&ClientKind::Producer.settings(given).unwrap()).unwrap()
}

fn to(partition: i32, value: &str) -> Record<'_> {
    Record {
        topic: "t",
        partition: Some(partition),
        value: Some(value.as_bytes()),
        ..Record::default()
    }
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn each_record_learns_its_offset() {
    let cluster = cluster(|request| answered(request, ErrorCode::None, 40)).await;
    let producer = Producer::start(cluster, settings(&[]));
    let first = producer.send(to(1, "a")).await.unwrap();
    let second = producer.send(to(1, "b")).await.unwrap();
    producer.flush().await;
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!((first.partition, first.offset), (1, Some(40)));
    assert_eq!(second.offset, Some(41));
    producer.close(LONG).await;
}

#[tokio::test]
async fn a_batch_the_leader_refuses_for_now_is_sent_again_as_it_was() {
    let seen: Arc<Mutex<Vec<Written>>> = Arc::default();
    let log = seen.clone();
    let mut codes = [
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::NotEnoughReplicas,
        ErrorCode::None,
    ]
    .into_iter();
    let cluster = cluster(move |request| {
        lock(&log).extend(batches(request));
        answered(request, codes.next().unwrap_or_default(), 0)
    })
    .await;
    let producer = Producer::start(cluster, settings(&[]));
    let delivery = producer.send(to(0, "a")).await.unwrap();
    assert_eq!(delivery.await.unwrap().offset, Some(0));
    let seen = lock(&seen).clone();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|batch| *batch == seen[0]), "{seen:?}");
}

#[tokio::test]
async fn after_a_lost_connection_everything_comes_again_once_and_in_order() {
    // The broker writes like Kafka: it knows a batch it already has by its sequence. Every third request it hangs up
    // after writing, before answering.
    let written: Arc<Mutex<HashMap<i32, Vec<Written>>>> = Arc::default();
    let log = written.clone();
    let mut requests = 0;
    let cluster = cluster(move |request| {
        requests += 1;
        let mut offset = 0;
        for batch in batches(request) {
            let mut log = lock(&log);
            let partition = log.entry(batch.partition).or_default();
            let known = partition
                .iter()
                .any(|other| other.sequence == batch.sequence);
            let next = partition
                .last()
                .map_or(0, |last| last.sequence + last.values.len() as i32);
            if !known && batch.sequence != next {
                return answered(request, ErrorCode::OutOfOrderSequenceNumber, -1);
            }
            if !known {
                partition.push(batch);
            }
            offset = next.into();
        }
        if requests % 3 == 0 {
            Answer::Close
        } else {
            answered(request, ErrorCode::None, offset)
        }
    })
    .await;
    let producer = Producer::start(
        cluster,
        settings(&[("batch.size", "120"), ("linger.ms", "0")]),
    );
    let mut deliveries = Vec::new();
    let mut expected: [Vec<Vec<u8>>; 2] = Default::default();
    for number in 0..200 {
        let value = format!("value {number}");
        deliveries.push(producer.send(to(number % 2, &value)).await.unwrap());
        expected[number as usize % 2].push(value.into_bytes());
    }
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    producer.close(LONG).await;
    for (partition, expected) in (0..).zip(expected) {
        let written: Vec<Vec<u8>> = lock(&written)[&partition]
            .iter()
            .flat_map(|b| b.values.clone())
            .collect();
        assert_eq!(written, expected);
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_the_records_error_and_the_next_record_goes_through() {
    let mut codes = [ErrorCode::MessageTooLarge].into_iter();
    let cluster =
        cluster(move |request| answered(request, codes.next().unwrap_or_default(), 5)).await;
    let producer = Producer::start(cluster, settings(&[]));
    let error = producer.send(to(0, "a")).await.unwrap().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::MessageTooLarge));
    assert_eq!(
        producer
            .send(to(0, "b"))
            .await
            .unwrap()
            .await
            .unwrap()
            .offset,
        Some(5)
    );
}

#[tokio::test]
async fn each_record_of_a_batch_that_is_split_learns_its_offset() {
    // The broker takes three records at a time, and answers as Kafka does what comes out of turn.
    let written: Arc<Mutex<Vec<Written>>> = Arc::default();
    let log = written.clone();
    let cluster = cluster(move |request| {
        let mut log = lock(&log);
        let [batch] = &batches(request)[..] else {
            panic!("one partition")
        };
        let next = log.iter().map(|batch| batch.values.len()).sum::<usize>();
        if batch.values.len() > 3 {
            return answered(request, ErrorCode::MessageTooLarge, -1);
        }
        if usize::try_from(batch.sequence) != Ok(next) {
            return answered(request, ErrorCode::OutOfOrderSequenceNumber, -1);
        }
        log.push(batch.clone());
        answered(request, ErrorCode::None, next as i64)
    })
    .await;
    for codec in ["none", "zstd"] {
        lock(&written).clear();
        let settings = settings(&[
            ("linger.ms", "1000"),
            ("batch.size", "300"),
            ("compression.type", codec),
        ]);
        let producer = Producer::start(cluster.clone(), settings);
        let values: Vec<String> = (0..40).map(|number| format!("value {number}")).collect();
        let mut deliveries = Vec::new();
        for value in &values {
            deliveries.push(producer.send(to(0, value)).await.unwrap());
        }
        producer.flush().await;
        for (offset, delivery) in (0..).zip(deliveries) {
            let outcome = delivery.now().expect("flushed");
            assert_eq!(outcome.unwrap().offset, Some(offset), "{codec}");
        }
        let batches = lock(&written).clone();
        assert_eq!(batches.iter().map(|batch| batch.epoch).max(), Some(0));
        let written: Vec<Vec<u8>> = batches.into_iter().flat_map(|batch| batch.values).collect();
        assert_eq!(
            written,
            values
                .iter()
                .map(|v| v.clone().into_bytes())
                .collect::<Vec<_>>()
        );
        producer.close(LONG).await;
    }
}

#[tokio::test]
async fn what_is_never_answered_expires() {
    let cluster = cluster(|_| Answer::Silence).await;
    let settings = ProducerSettings {
        delivery_timeout: Duration::from_millis(100),
        ..settings(&[])
    };
    let producer = Producer::start(cluster, settings);
    let error = producer.send(to(0, "a")).await.unwrap().await.unwrap_err();
    assert!(matches!(error, ProduceError::Expired { .. }), "{error}");
    producer.close(LONG).await;
}

#[tokio::test]
async fn the_only_broker_advertising_what_leads_nowhere_is_the_records_error() {
    let (here, elsewhere) = misadvertised().await;
    let mut cluster = quick_cluster(vec![here]);
    cluster.misadvertised_after = Duration::from_millis(20);
    let producer = Producer::start(Cluster::connect(cluster).await.unwrap(), settings(&[]));
    for value in ["a", "b"] {
        let error = producer
            .send(to(0, value))
            .await
            .unwrap()
            .await
            .unwrap_err();
        let said = format!("advertises {elsewhere}, which cannot be reached");
        assert!(error.to_string().contains(&said), "{error}");
    }
    producer.close(LONG).await;
}

#[tokio::test]
async fn a_broker_that_was_never_reached_fails_its_own_records_and_no_others() {
    let elsewhere = nobody().await;
    let told = elsewhere.clone();
    let (here, _) = broker(
        move |here| metadata_of_two(here, &told, &[("t", 2)]),
        |request| answered(request, ErrorCode::None, 5),
    )
    .await;
    // Whether the address is the cluster's word alone or the user's as well.
    for (bootstrap, said) in [
        (
            vec![here.clone()],
            format!("advertises {elsewhere}, which cannot be reached"),
        ),
        (
            vec![here.clone(), elsewhere.clone()],
            format!("nothing listens at {elsewhere}"),
        ),
    ] {
        let mut cluster = quick_cluster(bootstrap);
        cluster.misadvertised_after = Duration::from_millis(20);
        let producer = Producer::start(Cluster::connect(cluster).await.unwrap(), settings(&[]));
        let there = producer.send(to(1, "b")).await.unwrap();
        let error = there.await.unwrap_err().to_string();
        assert!(error.contains(&said), "{error}");
        let here = producer.send(to(0, "a")).await.unwrap();
        assert_eq!(here.await.unwrap().offset, Some(5));
        producer.close(LONG).await;
    }
}

#[tokio::test]
async fn a_broker_that_never_answers_is_the_records_error_also_where_requests_have_no_more_time() {
    let silent = raw_server(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let told = silent.clone();
    let (here, _) = broker(
        move |here| metadata_of_two(here, &told, &[("t", 2)]),
        |_| Answer::Silence,
    )
    .await;
    let mut cluster = quick_cluster(vec![here]);
    // A console's request times out as soon as the attempt does, which must not hide why.
    cluster.request_timeout = cluster.conn.setup_timeout;
    cluster.misadvertised_after = cluster.conn.setup_timeout / 2;
    let producer = Producer::start(Cluster::connect(cluster).await.unwrap(), settings(&[]));
    let error = producer.send(to(1, "b")).await.unwrap().await.unwrap_err();
    let said = format!("advertises {silent}, which cannot be reached from here (no answer");
    assert!(error.to_string().contains(&said), "{error}");
    producer.close(LONG).await;
}

/// A way to an endpoint that can be cut. Whoever was on it is cut off.
async fn way_to(endpoint: Endpoint, at: Option<&Endpoint>) -> (Endpoint, JoinHandle<()>) {
    let port = at.map_or(0, |at| at.port);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let at = Endpoint::new("127.0.0.1", listener.local_addr().unwrap().port());
    let way = tokio::spawn(async move {
        let mut travellers = tokio::task::JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let to = (endpoint.host.clone(), endpoint.port);
            travellers.spawn(async move {
                let mut broker = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut broker).await;
            });
        }
    });
    (at, way)
}

#[tokio::test]
async fn a_broker_that_was_reached_once_is_waited_for() {
    let there = fake_broker(|request| answered(request, ErrorCode::None, 0))
        .await
        .0;
    let (at, way) = way_to(there.clone(), None).await;
    let told = at.clone();
    let (here, seen) = broker(
        move |here| metadata_of_two(here, &told, &[("t", 2)]),
        |_| Answer::Silence,
    )
    .await;
    let mut cluster = quick_cluster(vec![here]);
    cluster.misadvertised_after = Duration::ZERO;
    let producer = Producer::start(Cluster::connect(cluster).await.unwrap(), settings(&[]));
    producer.send(to(1, "a")).await.unwrap().await.unwrap();
    way.abort();
    assert!(way.await.is_err());
    let waiting = producer.send(to(1, "b")).await.unwrap();
    // Each attempt in vain asks who leads the partition now.
    let asked = count::<MetadataRequest>(&seen);
    while count::<MetadataRequest>(&seen) < asked + 5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(waiting.now(), None);
    let (_, way) = way_to(there, Some(&at)).await;
    waiting.await.unwrap();
    producer.close(LONG).await;
    way.abort();
}

#[tokio::test]
async fn a_full_buffer_makes_senders_wait_and_then_fail() {
    let cluster = cluster(|_| Answer::Silence).await;
    let settings = ProducerSettings {
        buffer_memory_bytes: 40_000,
        block_max: Duration::from_millis(50),
        ..settings(&[])
    };
    let producer = Producer::start(cluster, settings);
    let value = "x".repeat(15_000);
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(producer.send(to(0, &value)).await);
    }
    assert!(matches!(
        outcomes.pop(),
        Some(Err(ProduceError::BufferFull(_)))
    ));
    assert!(outcomes.iter().all(Result::is_ok));
    assert!(
        producer.try_send(&to(0, &value)).is_none(),
        "it would have to wait"
    );
}

#[tokio::test]
async fn a_full_buffer_is_passed_once_there_is_room_again() {
    let cluster = cluster(|request| answered(request, ErrorCode::None, 0)).await;
    let settings = ProducerSettings {
        buffer_memory_bytes: 40_000,
        ..settings(&[])
    };
    let producer = Producer::start(cluster, settings);
    let value = "x".repeat(15_000);
    for _ in 0..50 {
        producer.send(to(0, &value)).await.unwrap();
    }
    producer.close(LONG).await;
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_an_error_after_the_time_to_block() {
    let cluster = cluster(|_| Answer::Silence).await;
    let settings = ProducerSettings {
        block_max: Duration::from_millis(50),
        ..settings(&[])
    };
    let producer = Producer::start(cluster, settings);
    let record = Record {
        topic: "no-such",
        ..to(0, "a")
    };
    let error = producer.send(record).await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(ErrorCode::UnknownTopicOrPartition),
        "{error}"
    );
}

#[tokio::test]
async fn without_acks_written_is_done() {
    let cluster = cluster(|_| Answer::Silence).await;
    let producer = Producer::start(cluster, settings(&[("acks", "0")]));
    let delivery = producer.send(to(0, "a")).await.unwrap();
    assert_eq!(delivery.await.unwrap().offset, None);
    producer.close(LONG).await;
}

#[tokio::test]
async fn closing_delivers_what_lingers_and_takes_nothing_more() {
    let cluster = cluster(|request| answered(request, ErrorCode::None, 0)).await;
    let reports: Arc<Mutex<Vec<i32>>> = Arc::default();
    let log = reports.clone();
    let observer: BatchObserver = Arc::new(move |report| {
        assert!(report.outcome.is_ok());
        lock(&log).push(report.records);
    });
    let settings = ProducerSettings {
        linger: Duration::from_secs(3600),
        observer: Some(observer),
        ..settings(&[])
    };
    let producer = Producer::start(cluster, settings);
    let delivery = producer.send(to(0, "a")).await.unwrap();
    producer.send(to(0, "b")).await.unwrap();
    assert_eq!(delivery.now(), None);
    producer.close(LONG).await;
    assert!(delivery.await.is_ok());
    assert_eq!(*lock(&reports), [2]);
}

#[tokio::test]
async fn closing_without_patience_or_dropping_fails_what_is_left() {
    let cluster = cluster(|_| Answer::Silence).await;
    let producer = Producer::start(cluster.clone(), settings(&[]));
    let under_way = producer.send(to(0, "a")).await.unwrap();
    producer.close(Duration::from_millis(20)).await;
    assert_eq!(under_way.await, Err(ProduceError::Closed));

    let producer = Producer::start(cluster, settings(&[("linger.ms", "60000")]));
    let lingering = producer.send(to(0, "a")).await.unwrap();
    drop(producer);
    assert_eq!(lingering.await, Err(ProduceError::Closed));
}
