//! What the calls about transactions say to a broker, and make of its answers.

use ottla_protocol::apis::ApiKey;
use ottla_protocol::messages::{
    ApiVersionsResponse, DescribeProducersResponse, DescribeTransactionsResponse,
    FindCoordinatorRequest, InitProducerIdResponse, MetadataRequest, WriteTxnMarkersResponse,
    api::{
        describe_producers::response::{PartitionResponse, TopicResponse},
        describe_transactions::response::TopicData,
        list_transactions::response::TransactionState as Listed,
        write_txn_markers::response::{
            WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
        },
    },
};

use crate::{
    conn::Endpoint,
    testing::{
        Answer, Incoming, all_versions, cluster_of_one, cluster_of_one_speaking, count,
        quick_cluster,
    },
};

use super::*;

const ONE: BrokerId = BrokerId(1);

async fn admin_of(endpoint: Endpoint) -> Admin {
    let settings = quick_cluster(vec![endpoint]);
    Admin::connect(settings).await.expect("a cluster")
}

fn listing(request: &Incoming) -> Answer {
    request.answer(&ListTransactionsResponse {
        transaction_states: vec![Listed {
            transactional_id: "tx".into(),
            producer_id: 7,
            transaction_state: "Ongoing".into(),
            ..Default::default()
        }],
        ..Default::default()
    })
}

#[tokio::test]
async fn ids_are_listed_as_the_filter_says() {
    let (endpoint, seen) = cluster_of_one(listing).await;
    let admin = admin_of(endpoint).await;
    let filter = TransactionFilter {
        producer_ids: vec![7],
        duration_ms: Some(1000),
        id_pattern: Some("t.*".into()),
    };
    for filter in [TransactionFilter::default(), filter] {
        let listed = admin.list_transactions(&filter).await.expect("answers");
        let (broker, listed) = &listed[0];
        let listed = listed.as_ref().expect("a list");
        assert_eq!((*broker, listed.len()), (ONE, 1));
        let found = &listed[0];
        assert_eq!(
            (&*found.id, found.producer_id, &*found.state),
            ("tx", 7, "Ongoing")
        );
    }
    let seen = seen.lock().expect("whole");
    let asked = seen.iter().filter(|it| it.is::<ListTransactionsRequest>());
    let asked: Vec<_> = asked
        .map(Incoming::body::<ListTransactionsRequest>)
        .collect();
    let [all, some] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(
        (all.duration_filter, &all.transactional_id_pattern),
        (-1, &None)
    );
    assert_eq!(
        (&some.producer_id_filters[..], some.duration_filter),
        (&[7][..], 1000)
    );
    assert_eq!(some.transactional_id_pattern.as_deref(), Some("t.*"));
}

/// As if everything were there that the filter keeps back.
#[tokio::test]
async fn a_filter_that_a_broker_does_not_know_is_an_error_and_not_left_out() {
    let mut versions: ApiVersionsResponse = all_versions();
    for api in &mut versions.api_keys {
        if api.api_key == ApiKey::ListTransactions.key() {
            api.max_version = 0;
        }
    }
    let (endpoint, _) = cluster_of_one_speaking(versions, listing).await;
    let admin = admin_of(endpoint).await;
    let longer = TransactionFilter {
        duration_ms: Some(0),
        ..Default::default()
    };
    let matching = TransactionFilter {
        id_pattern: Some(String::new()),
        ..Default::default()
    };
    let below_zero = TransactionFilter {
        duration_ms: Some(-1),
        ..Default::default()
    };
    for (filter, is_answered) in [(longer, false), (matching, false), (below_zero, true)] {
        let listed = admin.list_transactions(&filter).await.expect("answers");
        assert_eq!(listed[0].1.is_ok(), is_answered, "{listed:?}");
    }
}

#[tokio::test]
async fn a_broker_s_error_stands_in_its_place_of_the_list() {
    let (endpoint, _) = cluster_of_one(|request| {
        request.answer(&ListTransactionsResponse {
            error_code: ErrorCode::InvalidRegularExpression.code(),
            ..Default::default()
        })
    })
    .await;
    let admin = admin_of(endpoint).await;
    let listed = admin.list_transactions(&TransactionFilter::default()).await;
    let (broker, outcome) = listed.expect("answers").remove(0);
    let Err(ClientError::Api(error)) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (broker, error.code),
        (ONE, ErrorCode::InvalidRegularExpression)
    );
}

#[tokio::test]
async fn an_id_is_described_by_its_coordinator_wherever_it_has_moved_and_an_unknown_one_is_an_error()
 {
    let mut refusals = 1;
    let (endpoint, seen) = cluster_of_one(move |request| {
        let ids = request
            .body::<DescribeTransactionsRequest>()
            .transactional_ids;
        let id = ids[0].clone();
        let code = match (&*id, refusals) {
            ("known", 0) => ErrorCode::None,
            ("known", _) => {
                refusals -= 1;
                ErrorCode::NotCoordinator
            }
            _ => ErrorCode::TransactionalIdNotFound,
        };
        request.answer(&DescribeTransactionsResponse {
            transaction_states: vec![TransactionState {
                error_code: code.code(),
                transactional_id: id,
                transaction_state: "Empty".into(),
                transaction_timeout_ms: 60_000,
                transaction_start_time_ms: -1,
                producer_id: 7,
                producer_epoch: 3,
                topics: vec![TopicData {
                    topic: "t".into(),
                    partitions: vec![0, 1],
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        })
    })
    .await;
    let admin = admin_of(endpoint).await;
    let ids = ["known", "unknown"].map(str::to_owned);
    let described = admin.describe_transactions(&ids).await.expect("answers");
    let expected = TransactionDescription {
        id: "known".to_owned(),
        coordinator: ONE,
        producer_id: 7,
        producer_epoch: 3,
        state: "Empty".to_owned(),
        timeout_ms: 60_000,
        started_at_ms: None,
        partitions: vec![TopicPartition::new("t", 0), TopicPartition::new("t", 1)],
    };
    assert_eq!(described[0], ("known".to_owned(), Ok(expected)));
    let unknown = described[1].1.as_ref().expect_err("an error");
    assert_eq!(unknown.code, ErrorCode::TransactionalIdNotFound);
    assert_eq!(count::<FindCoordinatorRequest>(&seen), 3);
}

fn producers_in_two_partitions(request: &Incoming) -> Answer {
    let partition = |partition_index, error: ErrorCode, active_producers| PartitionResponse {
        partition_index,
        error_code: error.code(),
        active_producers,
        ..Default::default()
    };
    let new = producers::ProducerState {
        producer_id: 7,
        producer_epoch: 1,
        last_sequence: 2,
        last_timestamp: 3,
        coordinator_epoch: -1,
        current_txn_start_offset: -1,
        ..Default::default()
    };
    let open = producers::ProducerState {
        coordinator_epoch: 0,
        current_txn_start_offset: 0,
        ..new.clone()
    };
    request.answer(&DescribeProducersResponse {
        topics: vec![TopicResponse {
            name: "t".into(),
            partitions: vec![
                partition(1, ErrorCode::TopicAuthorizationFailed, Vec::new()),
                partition(0, ErrorCode::None, vec![new, open]),
            ],
            ..Default::default()
        }],
        ..Default::default()
    })
}

#[tokio::test]
async fn producers_are_described_by_partition_with_nothing_where_there_is_nothing() {
    let (endpoint, _) = cluster_of_one(producers_in_two_partitions).await;
    let admin = admin_of(endpoint).await;
    let wanted = [TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
    for broker in [None, Some(ONE)] {
        let described = admin.describe_producers(&wanted, broker).await;
        let mut described = described.expect("answers");
        described.sort_by_key(|(at, _)| at.partition);
        let (at, producers) = &described[0];
        let producers = producers.as_ref().expect("producers");
        let seen: Vec<_> = producers
            .iter()
            .map(|it| (it.producer_id, it.coordinator_epoch, it.open_since))
            .collect();
        assert_eq!(at, &wanted[0]);
        assert_eq!(seen, [(7, None, None), (7, Some(0), Some(0))]);
        let refused = described[1].1.as_ref().expect_err("an error");
        assert_eq!(refused.code, ErrorCode::TopicAuthorizationFailed);
    }
}

#[tokio::test]
async fn a_transaction_is_aborted_where_its_partition_leads_now() {
    let mut codes = [
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::None,
        ErrorCode::InvalidProducerEpoch,
    ]
    .into_iter();
    let (endpoint, seen) = cluster_of_one(move |request| {
        let code = codes.next().expect("no more questions");
        let partition = WritableTxnMarkerPartitionResult {
            partition_index: 1,
            error_code: code.code(),
            ..Default::default()
        };
        let topic = WritableTxnMarkerTopicResult {
            name: "t".into(),
            partitions: vec![partition],
            ..Default::default()
        };
        request.answer(&WriteTxnMarkersResponse {
            markers: vec![WritableTxnMarkerResult {
                producer_id: 7,
                topics: vec![topic],
                ..Default::default()
            }],
            ..Default::default()
        })
    })
    .await;
    let admin = admin_of(endpoint).await;
    let spec = AbortSpec {
        at: TopicPartition::new("t", 1),
        producer_id: 7,
        producer_epoch: 3,
        coordinator_epoch: 5,
    };
    assert_eq!(
        admin.abort_transaction(&spec).await.expect("an answer"),
        Ok(())
    );
    let late = admin.abort_transaction(&spec).await.expect("an answer");
    assert_eq!(
        late.map_err(|error| error.code),
        Err(ErrorCode::InvalidProducerEpoch)
    );
    let nowhere = AbortSpec {
        at: TopicPartition::new("t", 2),
        ..spec
    };
    let nowhere = admin.abort_transaction(&nowhere).await.expect("an answer");
    let code = nowhere.map_err(|error| error.code);
    assert_eq!(code, Err(ErrorCode::UnknownTopicOrPartition));

    let seen = seen.lock().expect("whole");
    let mut written = seen.iter().filter(|it| it.is::<WriteTxnMarkersRequest>());
    let marker = &written
        .next()
        .expect("a request")
        .body::<WriteTxnMarkersRequest>()
        .markers[0];
    assert_eq!(
        (
            marker.producer_id,
            marker.producer_epoch,
            marker.coordinator_epoch
        ),
        (7, 3, 5)
    );
    assert!(
        !marker.transaction_result,
        "nothing may be committed past its coordinator"
    );
    assert_eq!(written.count(), 2);
}

/// The first answer says that the open transaction is being aborted.
#[tokio::test]
async fn whoever_fences_a_transactional_id_waits_until_its_transaction_is_aborted() {
    let mut codes = [
        ErrorCode::ConcurrentTransactions,
        ErrorCode::ConcurrentTransactions,
        ErrorCode::None,
        ErrorCode::TransactionalIdAuthorizationFailed,
    ]
    .into_iter();
    let (endpoint, seen) = cluster_of_one(move |request| {
        let code = codes.next().expect("no more questions");
        request.answer(&InitProducerIdResponse {
            error_code: code.code(),
            ..Default::default()
        })
    })
    .await;
    let admin = admin_of(endpoint).await;
    assert_eq!(
        admin.fence_producers("tx").await.expect("an answer"),
        Ok(())
    );
    assert_eq!(count::<InitProducerIdRequest>(&seen), 3);
    assert_eq!(count::<MetadataRequest>(&seen), 1, "nobody has moved");
    let refused = admin.fence_producers("tx").await;
    let code = refused.expect("an answer").map_err(|error| error.code);
    assert_eq!(code, Err(ErrorCode::TransactionalIdAuthorizationFailed));
}
