//! Transactions against a broker that plays leader and coordinator, and writes down what it is asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use ottla_protocol::{
    compress::InflateLimits,
    errors::ErrorCode,
    messages::{
        AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
        AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, FindCoordinatorRequest,
        InitProducerIdRequest, InitProducerIdResponse, MetadataRequest, ProduceRequest,
        ProduceResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
        api::{
            add_partitions_to_txn::response::{
                AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
            },
            api_versions::response::FinalizedFeatureKey,
            produce::response::{PartitionProduceResponse, TopicProduceResponse},
            txn_offset_commit::response::{
                TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
            },
        },
    },
    records::{BatchHeader, Records},
    wire::Records as WireRecords,
};

use crate::{
    admin::{NewOffset, TopicPartition},
    cluster::lock,
    config::ClientKind,
    conn::Endpoint,
    consumer::GroupMetadata,
    producer::Record,
    testing::{
        Answer, Incoming, all_versions, coordinators_at, fake_broker_speaking, metadata_of,
        quick_cluster,
    },
};

use super::*;

/// What the broker was asked, and what it is to answer instead of success: the first that fits the request.
#[derive(Debug, Default)]
struct Script {
    log: Vec<String>,
    troubles: VecDeque<(&'static str, Trouble)>,
    epoch: i16,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Code(ErrorCode),
    /// Does not answer.
    Silence,
}

#[derive(Clone, Default)]
struct Broker(Arc<Mutex<Script>>);

impl Broker {
    /// What it was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0).log)
    }

    /// The next request whose line begins so is not answered as it wants.
    fn will(&self, to: &'static str, trouble: Trouble) {
        lock(&self.0).troubles.push_back((to, trouble));
    }

    fn refuses(&self, request: &'static str, code: ErrorCode) {
        self.will(request, Trouble::Code(code));
    }

    fn answer(&self, request: &Incoming, here: &Endpoint) -> Answer {
        if request.is::<MetadataRequest>() {
            return request.answer(&metadata_of(here, &[("t", 2)]));
        }
        if request.is::<FindCoordinatorRequest>() {
            return request.answer(&coordinators_at(here, request));
        }
        let mut script = lock(&self.0);
        let line = line_of(request);
        let trouble = script
            .troubles
            .iter()
            .position(|(start, _)| line.starts_with(start));
        let trouble = trouble.and_then(|index| script.troubles.remove(index));
        script.log.push(line);
        match trouble {
            Some((_, Trouble::Silence)) => Answer::Silence,
            Some((_, Trouble::Code(code))) => script.reply(request, code),
            None => script.reply(request, ErrorCode::None),
        }
    }
}

impl Script {
    fn reply(&mut self, request: &Incoming, code: ErrorCode) -> Answer {
        let error_code = code.code();
        if request.is::<InitProducerIdRequest>() {
            self.epoch += i16::from(code.is_none());
            return request.answer(&InitProducerIdResponse {
                error_code,
                producer_id: 7,
                producer_epoch: self.epoch,
                ..Default::default()
            });
        }
        if request.is::<EndTxnRequest>() {
            let has_next = request.version >= 5 && code.is_none();
            self.epoch += i16::from(has_next);
            return request.answer(&EndTxnResponse {
                error_code,
                producer_id: if has_next { 7 } else { -1 },
                producer_epoch: if has_next { self.epoch } else { -1 },
                ..Default::default()
            });
        }
        if request.is::<AddOffsetsToTxnRequest>() {
            return request.answer(&AddOffsetsToTxnResponse {
                error_code,
                ..Default::default()
            });
        }
        if request.is::<AddPartitionsToTxnRequest>() {
            return request.answer(&partitions_added(request, error_code));
        }
        if request.is::<TxnOffsetCommitRequest>() {
            return request.answer(&offsets_committed(request, error_code));
        }
        assert!(request.is::<ProduceRequest>(), "{request:?}");
        request.answer(&produced(request, error_code))
    }
}

/// One line for each request, such as `produce e0 t-1 s0 a,b`.
fn line_of(request: &Incoming) -> String {
    let end = |is_commit| if is_commit { "commit" } else { "abort" };
    if request.is::<InitProducerIdRequest>() {
        let epoch = request.body::<InitProducerIdRequest>().producer_epoch;
        return match epoch {
            -1 => "init".to_owned(),
            epoch => format!("next epoch after {epoch}"),
        };
    }
    if request.is::<EndTxnRequest>() {
        let body = request.body::<EndTxnRequest>();
        return format!("{} e{}", end(body.committed), body.producer_epoch);
    }
    if request.is::<AddOffsetsToTxnRequest>() {
        let group = request.body::<AddOffsetsToTxnRequest>().group_id;
        return format!("add offsets of {}", group.as_str());
    }
    if request.is::<AddPartitionsToTxnRequest>() {
        let body = request.body::<AddPartitionsToTxnRequest>();
        let topics = body.v3_and_below_topics.iter();
        let names = topics.flat_map(|topic| topic.partitions.iter().map(|p| format!("t-{p}")));
        return format!("add {}", names.collect::<Vec<_>>().join(","));
    }
    if request.is::<TxnOffsetCommitRequest>() {
        let body = request.body::<TxnOffsetCommitRequest>();
        let partitions = body.topics.iter().flat_map(|topic| &topic.partitions);
        let offsets = partitions.map(|p| format!("{}@{}", p.partition_index, p.committed_offset));
        return format!(
            "offsets of {} g{}: {}",
            body.group_id.as_str(),
            body.generation_id,
            offsets.collect::<Vec<_>>().join(",")
        );
    }
    let body = request.body::<ProduceRequest>();
    assert_eq!(body.transactional_id.as_deref(), Some("me"));
    let topics = body.topic_data.into_iter();
    let batches = topics.flat_map(|topic| topic.partition_data).map(|data| {
        let Some(WireRecords::Bytes(bytes)) = data.records else {
            panic!("no records")
        };
        let header = BatchHeader::read(&bytes).unwrap();
        assert!(header.attributes.is_transactional());
        let records = Records::open(&bytes, InflateLimits::STRICT).unwrap();
        let values = records.iter().map(|record| {
            let value = record.unwrap().value.unwrap_or_default().to_vec();
            String::from_utf8(value).unwrap()
        });
        let (epoch, sequence) = (header.producer_epoch.0, header.base_sequence);
        let values = values.collect::<Vec<_>>().join(",");
        format!("e{epoch} t-{} s{sequence} {values}", data.index)
    });
    format!("produce {}", batches.collect::<Vec<_>>().join(" "))
}

fn partitions_added(request: &Incoming, code: i16) -> AddPartitionsToTxnResponse {
    let topics = request
        .body::<AddPartitionsToTxnRequest>()
        .v3_and_below_topics;
    let result = |index| AddPartitionsToTxnPartitionResult {
        partition_index: index,
        partition_error_code: code,
        ..Default::default()
    };
    let topics = topics
        .into_iter()
        .map(|topic| AddPartitionsToTxnTopicResult {
            name: topic.name,
            results_by_partition: topic.partitions.into_iter().map(result).collect(),
            ..Default::default()
        });
    AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below: topics.collect(),
        ..Default::default()
    }
}

fn offsets_committed(request: &Incoming, code: i16) -> TxnOffsetCommitResponse {
    let topics = request.body::<TxnOffsetCommitRequest>().topics;
    let topics = topics
        .into_iter()
        .map(|topic| TxnOffsetCommitResponseTopic {
            name: topic.name,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| TxnOffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: code,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
    TxnOffsetCommitResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn produced(request: &Incoming, error_code: i16) -> ProduceResponse {
    let topics = request.body::<ProduceRequest>().topic_data;
    let topics = topics.into_iter().map(|topic| TopicProduceResponse {
        name: topic.name,
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|data| PartitionProduceResponse {
                index: data.index,
                error_code,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    ProduceResponse {
        responses: topics.collect(),
        ..Default::default()
    }
}

const OLDER: i16 = 1;
const NEWER: i16 = 2;

/// A producer, and the broker it talks to, at this level of `transaction.version`.
async fn producer(level: i16) -> (TransactionalProducer, Broker) {
    let broker = Broker::default();
    let producer = producer_at(level, &broker, &[]).await.unwrap();
    assert_eq!(broker.asked(), ["init"]);
    (producer, broker)
}

async fn producer_at(
    level: i16,
    broker: &Broker,
    given: &[(&str, &str)],
) -> Result<TransactionalProducer, TransactionError> {
    let mut versions = all_versions();
    versions.finalized_features = vec![FinalizedFeatureKey {
        name: "transaction.version".into(),
        min_version_level: level,
        max_version_level: level,
        ..Default::default()
    }];
    let place: Arc<Mutex<Option<Endpoint>>> = Arc::default();
    let (known, script) = (place.clone(), broker.clone());
    let (endpoint, _) = fake_broker_speaking(versions, move |request| {
        let here = lock(&known).clone().expect("set before anybody connects");
        script.answer(request, &here)
    })
    .await;
    *lock(&place) = Some(endpoint.clone());
    let cluster = Cluster::connect(quick_cluster(vec![endpoint]))
        .await
        .unwrap();
    let defaults = [("linger.ms", "60000"), ("transactional.id", "me")];
    let given = defaults.into_iter().chain(given.iter().copied());
    let settings = ClientKind::Producer.settings(given).unwrap();
    TransactionalProducer::init(cluster, ProducerSettings::from_config(&settings).unwrap()).await
}

fn to(partition: i32, value: &str) -> Record<'_> {
    Record {
        topic: "t",
        partition: Some(partition),
        value: Some(value.as_bytes()),
        ..Record::default()
    }
}

fn group() -> GroupMetadata {
    GroupMetadata {
        group_id: "g".to_owned(),
        instance_id: None,
        generation_id: 5,
        member_id: "m".to_owned(),
    }
}

fn offset(partition: i32, offset: i64) -> (TopicPartition, NewOffset) {
    (TopicPartition::new("in", partition), NewOffset::at(offset))
}

#[tokio::test]
async fn with_the_older_protocol_partitions_are_added_before_anything_goes_there() {
    let (mut producer, broker) = producer(OLDER).await;
    for _ in 0..2 {
        let transaction = producer.begin().await.unwrap();
        transaction.send(to(0, "a")).await.unwrap();
        transaction
            .send_offsets(&group(), &[offset(3, 40)])
            .await
            .unwrap();
        transaction.flush().await;
        transaction.send(to(0, "b")).await.unwrap();
        transaction.commit().await.unwrap();
    }
    let once = |first: i32| {
        [
            "add offsets of g".to_owned(),
            "offsets of g g5: 3@40".to_owned(),
            "add t-0".to_owned(),
            format!("produce e1 t-0 s{first} a"),
            format!("produce e1 t-0 s{} b", first + 1),
            "commit e1".to_owned(),
        ]
    };
    assert_eq!(
        broker.asked(),
        [once(0), once(2)].concat(),
        "the epoch stays"
    );
}

#[tokio::test]
async fn with_the_newer_protocol_nothing_is_added_and_each_transaction_has_its_epoch() {
    let (mut producer, broker) = producer(NEWER).await;
    for _ in 0..2 {
        let transaction = producer.begin().await.unwrap();
        transaction
            .send_offsets(&group(), &[offset(3, 40)])
            .await
            .unwrap();
        transaction.send(to(1, "a")).await.unwrap();
        transaction.commit().await.unwrap();
    }
    let expected = [
        "offsets of g g5: 3@40",
        "produce e1 t-1 s0 a",
        "commit e1",
        "offsets of g g5: 3@40",
        "produce e2 t-1 s0 a",
        "commit e2",
    ];
    assert_eq!(broker.asked(), expected);
}

#[tokio::test]
async fn a_transaction_of_nothing_bothers_nobody() {
    for level in [OLDER, NEWER] {
        let (mut producer, broker) = producer(level).await;
        producer.begin().await.unwrap().commit().await.unwrap();
        let transaction = producer.begin().await.unwrap();
        let unsent = transaction.send(to(0, "a")).await.unwrap();
        transaction.abort().await.unwrap();
        assert_eq!(unsent.await, Err(ProduceError::Aborted));
        assert!(broker.asked().is_empty());
    }
}

#[tokio::test]
async fn a_dropped_transaction_is_aborted_before_the_next_begins() {
    let (mut producer, broker) = producer(NEWER).await;
    let transaction = producer.begin().await.unwrap();
    transaction.send(to(0, "a")).await.unwrap();
    transaction.flush().await;
    let unsent = transaction.send(to(0, "b")).await.unwrap();
    drop(transaction);
    assert_eq!(unsent.await, Err(ProduceError::Aborted));
    assert_eq!(broker.asked(), ["produce e1 t-0 s0 a"]);
    producer.begin().await.unwrap().commit().await.unwrap();
    assert_eq!(broker.asked(), ["abort e1"]);
    let transaction = producer.begin().await.unwrap();
    transaction.send(to(0, "c")).await.unwrap();
    transaction.flush().await;
    drop(transaction);
    producer.close(Duration::from_secs(10)).await;
    assert_eq!(broker.asked(), ["produce e2 t-0 s0 c", "abort e2"]);
}

#[tokio::test]
async fn a_record_that_is_refused_aborts_its_transaction_and_the_next_goes_through() {
    for (level, end_of_first) in [
        (OLDER, vec!["abort e1", "next epoch after 1"]),
        (NEWER, vec!["abort e1"]),
    ] {
        let (mut producer, broker) = producer(level).await;
        broker.refuses("produce", ErrorCode::MessageTooLarge);
        let transaction = producer.begin().await.unwrap();
        transaction.send(to(0, "a")).await.unwrap();
        let error = transaction.commit().await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Abortable);
        assert_eq!(error.code(), Some(ErrorCode::MessageTooLarge));
        let asked = broker.asked();
        assert_eq!(asked[asked.len() - end_of_first.len()..], end_of_first);
        let transaction = producer.begin().await.unwrap();
        transaction.send(to(0, "b")).await.unwrap();
        transaction.commit().await.unwrap();
        let asked = broker.asked();
        assert_eq!(
            asked[asked.len() - 2..],
            ["produce e2 t-0 s0 b", "commit e2"]
        );
    }
}

#[tokio::test]
async fn after_a_failure_nothing_more_is_taken_or_sent() {
    let (mut producer, broker) = producer(NEWER).await;
    broker.refuses("produce", ErrorCode::InvalidProducerEpoch);
    let transaction = producer.begin().await.unwrap();
    let first = transaction.send(to(0, "a")).await.unwrap();
    transaction.flush().await;
    assert_eq!(
        first.await.unwrap_err().code(),
        Some(ErrorCode::InvalidProducerEpoch)
    );
    let refused = transaction.send(to(0, "b")).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::InvalidProducerEpoch));
    let error = transaction.commit().await.unwrap_err();
    assert_eq!(
        error.class,
        ErrorClass::Abortable,
        "whether it is fenced the coordinator knows"
    );
    assert_eq!(broker.asked(), ["produce e1 t-0 s0 a", "abort e1"]);
}

#[tokio::test]
async fn a_record_too_large_to_be_taken_fails_the_transaction_as_well() {
    let broker = Broker::default();
    let mut producer = producer_at(NEWER, &broker, &[("max.request.size", "1000")])
        .await
        .unwrap();
    let transaction = producer.begin().await.unwrap();
    transaction.send(to(0, "a")).await.unwrap();
    transaction
        .send(to(0, &"x".repeat(2000)))
        .await
        .unwrap_err();
    let error = transaction.commit().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Abortable);
    assert!(matches!(error.cause, ProduceError::TooLarge { .. }));
    assert!(!broker.asked().iter().any(|line| line.starts_with("commit")));
}

#[tokio::test]
async fn whoever_is_fenced_learns_it_and_is_done_for() {
    for level in [OLDER, NEWER] {
        for request in ["produce", "commit"] {
            let (mut producer, broker) = producer(level).await;
            broker.refuses(request, ErrorCode::ProducerFenced);
            let transaction = producer.begin().await.unwrap();
            transaction.send(to(0, "a")).await.unwrap();
            let error = transaction.commit().await.unwrap_err();
            assert_eq!(error.class, ErrorClass::ApplicationRecoverable, "{request}");
            broker.asked();
            assert_eq!(producer.begin().await.unwrap_err(), error);
            assert!(broker.asked().is_empty());
        }
    }
}

#[tokio::test]
async fn an_id_that_the_coordinator_has_forgotten_is_claimed_anew_and_no_other() {
    for level in [OLDER, NEWER] {
        let (mut producer, broker) = producer(level).await;
        for (code, recovers) in [
            (ErrorCode::InvalidProducerIdMapping, true),
            (ErrorCode::ProducerFenced, false),
        ] {
            broker.refuses("commit", code);
            let transaction = producer.begin().await.unwrap();
            transaction.send(to(0, "a")).await.unwrap();
            let error = transaction.commit().await.unwrap_err();
            assert_eq!(error.class, ErrorClass::ApplicationRecoverable);
            broker.asked();
            producer.recover().await.unwrap();
            let claims = if recovers { vec!["init"] } else { vec![] };
            assert_eq!(broker.asked(), claims);
            assert_eq!(producer.begin().await.is_ok(), recovers);
        }
    }
}

#[tokio::test]
async fn a_coordinator_that_is_not_ready_is_asked_again_whatever_retries_says() {
    let broker = Broker::default();
    for code in [
        ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::NotCoordinator,
        ErrorCode::ConcurrentTransactions,
    ] {
        broker.refuses("init", code);
        broker.refuses("add", code);
        broker.refuses("commit", code);
    }
    let mut producer = producer_at(OLDER, &broker, &[("retries", "1")])
        .await
        .unwrap();
    let transaction = producer.begin().await.unwrap();
    transaction.send(to(0, "a")).await.unwrap();
    transaction.commit().await.unwrap();
    let expected = [
        vec!["init"; 4],
        vec!["add t-0"; 4],
        vec!["produce e1 t-0 s0 a"],
        vec!["commit e1"; 4],
    ];
    assert_eq!(broker.asked(), expected.concat());
}

#[tokio::test]
async fn a_commit_that_is_not_answered_in_time_is_carried_through_by_settle() {
    for level in [OLDER, NEWER] {
        let broker = Broker::default();
        let given = [("max.block.ms", "200"), ("delivery.timeout.ms", "120000")];
        let mut producer = producer_at(level, &broker, &given).await.unwrap();
        broker.will("commit", Trouble::Silence);
        let transaction = producer.begin().await.unwrap();
        transaction.send(to(0, "a")).await.unwrap();
        let error = transaction.commit().await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Retriable);
        while producer.settle().await.is_err() {}
        assert_eq!(broker.asked().last().unwrap(), "commit e1");
        assert_eq!(producer.settle().await, Ok(Settled::Nothing));
        producer.begin().await.unwrap().commit().await.unwrap();
    }
}

#[tokio::test]
async fn offsets_of_a_member_that_the_group_has_left_behind_abort() {
    for code in [ErrorCode::IllegalGeneration, ErrorCode::UnknownMemberId] {
        let (mut producer, broker) = producer(NEWER).await;
        broker.refuses("offsets", code);
        let transaction = producer.begin().await.unwrap();
        transaction.send(to(0, "a")).await.unwrap();
        let offsets = [offset(0, 1)];
        let error = transaction
            .send_offsets(&group(), &offsets)
            .await
            .unwrap_err();
        assert_eq!(
            (error.class, error.code()),
            (ErrorClass::Abortable, Some(code))
        );
        let same = transaction.commit().await.unwrap_err();
        assert_eq!(same, error);
        assert_eq!(broker.asked(), ["offsets of g g5: 0@1", "abort e1"]);
    }
}

#[tokio::test]
async fn what_the_coordinator_may_have_aborted_for_its_age_is_aborted_and_the_next_goes_through() {
    for (request, code) in [
        ("commit", ErrorCode::InvalidTxnState),
        ("offsets", ErrorCode::ProducerFenced),
        ("offsets", ErrorCode::InvalidTxnState),
    ] {
        let (mut producer, broker) = producer(NEWER).await;
        broker.refuses(request, code);
        let transaction = producer.begin().await.unwrap();
        transaction.send(to(0, "a")).await.unwrap();
        let _ = transaction.send_offsets(&group(), &[offset(0, 1)]).await;
        let error = transaction.commit().await.unwrap_err();
        assert_eq!(
            (error.class, error.code()),
            (ErrorClass::Abortable, Some(code))
        );
        assert_eq!(broker.asked().last().unwrap(), "abort e1", "{request}");
        producer.begin().await.unwrap().commit().await.unwrap();
    }
}

#[tokio::test]
async fn whoever_is_fenced_learns_it_at_the_abort_of_what_may_be_over() {
    let (mut producer, broker) = producer(NEWER).await;
    broker.refuses("commit", ErrorCode::InvalidTxnState);
    broker.refuses("abort", ErrorCode::ProducerFenced);
    let transaction = producer.begin().await.unwrap();
    transaction.send(to(0, "a")).await.unwrap();
    transaction.commit().await.unwrap_err();
    let error = producer.begin().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::ApplicationRecoverable);
}

#[tokio::test]
async fn partitions_that_were_perhaps_added_are_aborted_and_the_coordinator_may_know_of_none() {
    let (mut producer, broker) = producer(OLDER).await;
    broker.refuses("add", ErrorCode::TopicAuthorizationFailed);
    broker.refuses("abort", ErrorCode::InvalidTxnState);
    let transaction = producer.begin().await.unwrap();
    transaction.send(to(0, "a")).await.unwrap();
    let error = transaction.commit().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Abortable);
    assert_eq!(
        broker.asked(),
        ["add t-0", "abort e1", "next epoch after 1"]
    );
    producer.begin().await.unwrap().abort().await.unwrap();
}

#[tokio::test]
async fn without_rights_to_the_id_there_is_no_producer() {
    let broker = Broker::default();
    broker.refuses("init", ErrorCode::TransactionalIdAuthorizationFailed);
    let error = producer_at(NEWER, &broker, &[]).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidConfiguration);
}

#[tokio::test]
async fn a_plain_producer_with_a_transactional_id_takes_no_records() {
    let (producer, _) = producer(NEWER).await;
    let keys = [("transactional.id", "me")];
    let settings = ClientKind::Producer.settings(keys).unwrap();
    let settings = ProducerSettings::from_config(&settings).unwrap();
    let plain = Producer::start(producer.cluster().clone(), settings);
    assert_eq!(
        plain.send(to(0, "a")).await.unwrap_err(),
        ProduceError::NoTransaction
    );
}
