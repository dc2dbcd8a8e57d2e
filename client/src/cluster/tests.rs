//! A cluster found, asked, lost and found again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        DeleteGroupsRequest, DeleteGroupsResponse, DescribeTopicPartitionsRequest,
        DescribeTopicPartitionsResponse, FindCoordinatorRequest, MetadataRequest, MetadataResponse,
        api::{
            delete_groups::response::DeletableGroupResult,
            metadata::response::MetadataResponseTopic,
        },
    },
};

use crate::{
    admin::Admin,
    conn::{Endpoint, EndpointFault},
    testing::{
        Answer, Incoming, cluster_of_one, count, fake_broker, metadata_of, metadata_of_two,
        misadvertised, nobody, quick_cluster, raw_server,
    },
};

use super::*;

#[tokio::test]
async fn one_good_bootstrap_server_among_bad_ones_is_enough_and_nobody_waits_for_them() {
    let silent = raw_server(|mut stream| async move {
        let mut buffer = [0; 64];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let (good, _) = cluster_of_one(|_| Answer::Silence).await;
    let mut settings = quick_cluster(vec![nobody().await, silent, good.clone()]);
    settings.conn.setup_timeout = Duration::from_secs(60);
    let started = Instant::now();
    let cluster = Cluster::connect(settings).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(
        cluster.metadata().broker(BrokerId(1)).unwrap().endpoint,
        good
    );
    assert_eq!(cluster.metadata().cluster_id.as_deref(), Some("fake"));
}

#[tokio::test]
async fn when_no_bootstrap_server_works_each_says_why() {
    let http = raw_server(|mut stream| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400\r\n\r\n").await;
        let mut buffer = [0; 64];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let error = Cluster::connect(quick_cluster(vec![nobody().await, http]))
        .await
        .unwrap_err();
    let ClientError::Bootstrap(faults) = &error else {
        panic!("{error}")
    };
    let faults: Vec<&EndpointFault> = faults.iter().map(|error| &error.fault).collect();
    assert_eq!(
        faults,
        [&EndpointFault::Refused, &EndpointFault::Http],
        "in the order they were given"
    );
    assert!(error.to_string().contains("nothing listens"), "{error}");
}

#[tokio::test]
async fn who_waits_for_a_cluster_finds_it_when_it_has_come_up() {
    let (good, _) = cluster_of_one(|_| Answer::Silence).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().unwrap().port());
    let settings = quick_cluster(vec![endpoint]);
    let front = tokio::spawn(async move {
        // Those who come first are sent away, as by a broker that ends.
        for _ in 0..3 {
            drop(listener.accept().await.unwrap());
        }
        let (mut client, _) = listener.accept().await.unwrap();
        let at = (good.host.clone(), good.port);
        let mut broker = tokio::net::TcpStream::connect(at).await.unwrap();
        tokio::io::copy_bidirectional(&mut client, &mut broker)
            .await
            .ok();
    });
    let deadline = Deadline::after(Duration::from_secs(60));
    let cluster = Cluster::connect_by(settings, deadline).await.unwrap();
    assert_eq!(cluster.metadata().cluster_id.as_deref(), Some("fake"));
    front.abort();
}

#[tokio::test]
async fn who_waits_for_a_cluster_in_vain_hears_why() {
    let deadline = Deadline::after(Duration::from_millis(20));
    let error = Cluster::connect_by(quick_cluster(vec![nobody().await]), deadline)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("nothing listens"), "{error}");
}

#[tokio::test]
async fn a_listener_that_hangs_up_after_the_handshake_is_named() {
    let (endpoint, _) = fake_broker(|_| Answer::Close).await;
    let error = Cluster::connect(quick_cluster(vec![endpoint]))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Endpoint(_)), "{error}");
}

#[tokio::test]
async fn a_broker_that_never_describes_the_cluster_is_given_up_in_time() {
    let (endpoint, _) = fake_broker(|_| Answer::Silence).await;
    let mut settings = quick_cluster(vec![endpoint]);
    settings.described_within = Duration::from_millis(50);
    let error = Cluster::connect(settings).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("did not answer Metadata within 50 ms"),
        "{said}"
    );
}

#[tokio::test]
async fn an_advertised_address_that_leads_nowhere_is_told_with_who_named_it() {
    let (here, elsewhere) = misadvertised().await;
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let hears = heard.clone();
    let mut settings = quick_cluster(vec![here.clone()]);
    settings.on_misadvertised = Some(OnMisadvertised(Arc::new(move |error| {
        lock(&hears).push(error.to_string());
    })));
    let cluster = Cluster::connect(settings).await.unwrap();
    let deadline = Deadline::after(Duration::from_millis(100));
    let error = cluster
        .connection_to(BrokerId(1), Lane::Data, deadline)
        .await
        .unwrap_err();
    let said = format!("{here} advertises {elsewhere}, which cannot be reached");
    assert!(error.to_string().starts_with(&said), "{error}");
    assert!(
        lock(&heard)
            .first()
            .is_some_and(|heard| heard.starts_with(&said)),
        "{heard:?}"
    );
}

#[tokio::test]
async fn the_only_broker_is_given_up_where_it_advertises_what_leads_nowhere() {
    let (here, _) = misadvertised().await;
    let mut settings = quick_cluster(vec![here]);
    settings.misadvertised_after = Duration::from_millis(20);
    let cluster = Cluster::connect(settings).await.unwrap();
    let call = Call::until(Deadline::after(Duration::from_secs(60)));
    let request = MetadataRequest::default();
    let outcome = cluster
        .call(&Target::Broker(BrokerId(1)), &request, call, |_| {
            ErrorCode::None
        })
        .await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(&error, ClientError::Endpoint(error) if error.advertised_by.is_some()),
        "{error}"
    );
}

#[tokio::test]
async fn a_broker_that_the_cluster_does_not_have_is_given_up_where_that_is_to_be_known_soon() {
    let (endpoint, _) = cluster_of_one(|_| Answer::Silence).await;
    let mut settings = quick_cluster(vec![endpoint]);
    settings.unreachable_after = Duration::from_millis(20);
    let cluster = Cluster::connect(settings).await.unwrap();
    let call = Call::until(Deadline::after(Duration::from_secs(60)));
    let request = MetadataRequest::default();
    let target = Target::Broker(BrokerId(9));
    let outcome = cluster.call(&target, &request, call, |_| ErrorCode::None);
    assert_eq!(
        outcome.await.unwrap_err(),
        ClientError::NoSuchBroker(BrokerId(9))
    );
}

#[tokio::test]
async fn refreshes_asked_for_at_the_same_time_share_a_request() {
    let (endpoint, seen) = cluster_of_one(|_| Answer::Silence).await;
    let cluster = Cluster::connect(quick_cluster(vec![endpoint]))
        .await
        .unwrap();
    let before = count::<MetadataRequest>(&seen);
    let deadline = cluster.default_deadline();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let cluster = cluster.clone();
            tokio::spawn(async move { cluster.refresh(deadline).await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let asked = count::<MetadataRequest>(&seen) - before;
    assert!((1..=2).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_topic_that_is_just_being_made_is_waited_for() {
    let place: Arc<Mutex<Option<Endpoint>>> = Arc::default();
    let known = place.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    let times = asked.clone();
    let (endpoint, _) = fake_broker(move |request| {
        let here = lock(&known).clone().unwrap();
        let mut response: MetadataResponse = metadata_of(&here, &[("t", 2)]);
        if times.fetch_add(1, Ordering::Relaxed) < 3 {
            response.topics = vec![MetadataResponseTopic {
                error_code: ErrorCode::LeaderNotAvailable.code(),
                name: Some("t".into()),
                ..Default::default()
            }];
        }
        request.answer(&response)
    })
    .await;
    *lock(&place) = Some(endpoint.clone());
    // A producer may have been told never to send a record twice.
    let settings = ClusterSettings {
        retries: 0,
        ..quick_cluster(vec![endpoint])
    };
    let cluster = Cluster::connect(settings).await.unwrap();
    let topic = cluster
        .topic("t", cluster.default_deadline())
        .await
        .unwrap();
    assert_eq!(topic.partitions.len(), 2);
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_topic_that_never_comes_is_an_error_that_says_so() {
    let (endpoint, _) = cluster_of_one(|_| Answer::Silence).await;
    let cluster = Cluster::connect(quick_cluster(vec![endpoint]))
        .await
        .unwrap();
    let error = cluster
        .topic("other", Deadline::after(Duration::from_millis(50)))
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(ErrorCode::UnknownTopicOrPartition),
        "{error}"
    );
}

#[tokio::test]
async fn a_coordinator_that_moved_is_looked_up_anew() {
    let mut refusals = 2;
    let (endpoint, seen) = cluster_of_one(move |request| {
        let moved = refusals > 0;
        refusals -= i32::from(moved);
        let code = if moved {
            ErrorCode::NotCoordinator
        } else {
            ErrorCode::None
        };
        let result = DeletableGroupResult {
            group_id: "g".into(),
            error_code: code.code(),
            ..Default::default()
        };
        request.answer(&DeleteGroupsResponse {
            results: vec![result],
            ..Default::default()
        })
    })
    .await;
    let admin = Admin::connect(quick_cluster(vec![endpoint])).await.unwrap();
    let outcomes = admin.delete_groups(&["g".to_owned()]).await.unwrap();
    assert_eq!(outcomes, [("g".to_owned(), Ok(()))]);
    assert_eq!(count::<FindCoordinatorRequest>(&seen), 3);
}

#[tokio::test]
async fn when_the_deadline_passes_the_last_answer_is_what_the_caller_gets() {
    let (endpoint, _) = cluster_of_one(|request| {
        let code = ErrorCode::CoordinatorLoadInProgress.code();
        let result = DeletableGroupResult {
            group_id: "g".into(),
            error_code: code,
            ..Default::default()
        };
        request.answer(&DeleteGroupsResponse {
            results: vec![result],
            ..Default::default()
        })
    })
    .await;
    let admin = Admin::connect(quick_cluster(vec![endpoint])).await.unwrap();
    let outcomes = admin
        .with_timeout(Duration::from_millis(60))
        .delete_groups(&["g".to_owned()])
        .await
        .unwrap();
    assert_eq!(
        outcomes[0].1.as_ref().unwrap_err().code,
        ErrorCode::CoordinatorLoadInProgress
    );
}

#[tokio::test]
async fn a_broker_that_hangs_up_is_connected_to_again() {
    let mut hang_ups = 3;
    let (endpoint, seen) = cluster_of_one(move |request| {
        if hang_ups > 0 {
            hang_ups -= 1;
            return Answer::Close;
        }
        let result = DeletableGroupResult {
            group_id: "g".into(),
            ..Default::default()
        };
        request.answer(&DeleteGroupsResponse {
            results: vec![result],
            ..Default::default()
        })
    })
    .await;
    let admin = Admin::connect(quick_cluster(vec![endpoint])).await.unwrap();
    assert_eq!(
        admin.delete_groups(&["g".to_owned()]).await.unwrap()[0].1,
        Ok(())
    );
    assert_eq!(count::<DeleteGroupsRequest>(&seen), 4);
}

#[tokio::test]
async fn a_text_that_fits_no_request_is_refused_here() {
    let (endpoint, seen) = cluster_of_one(|_| Answer::Silence).await;
    let admin = Admin::connect(quick_cluster(vec![endpoint])).await.unwrap();
    let error = admin
        .delete_groups(&["g".repeat(40_000)])
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::TooLong { .. }), "{error}");
    assert_eq!(count::<FindCoordinatorRequest>(&seen), 0);
}

/// Brokers hear of a change one after the other, so that it matters who is asked.
#[tokio::test]
async fn the_broker_that_was_chosen_is_asked_what_every_broker_can_answer() {
    let knows_nothing =
        |request: &Incoming| request.answer(&DescribeTopicPartitionsResponse::default());
    let (one, asked_of_one) = fake_broker(knows_nothing).await;
    let (two, asked_of_two) = fake_broker(knows_nothing).await;
    let (first, _) =
        fake_broker(move |request| request.answer(&metadata_of_two(&one, &two, &[("t", 2)]))).await;
    let admin = Admin::connect(quick_cluster(vec![first])).await.unwrap();
    for (broker, expected) in [(2, (0, 1)), (1, (1, 1)), (2, (1, 2))] {
        let asking = admin.asking(BrokerId(broker));
        let _ = asking.describe_topics(&["t".to_owned()], 10).await;
        let counts = [&asked_of_one, &asked_of_two];
        let [one, two] = counts.map(|seen| count::<DescribeTopicPartitionsRequest>(seen));
        assert_eq!((one, two), expected);
    }
}
