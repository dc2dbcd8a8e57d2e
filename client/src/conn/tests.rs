//! A connection against peers that behave, and against many that don't.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use ottla_protocol::{
    errors::ErrorCode,
    messages::{
        ApiVersionsRequest, ApiVersionsResponse, Message, MetadataRequest, MetadataResponse,
        api::api_versions::response::ApiVersion,
    },
};

use crate::testing::{
    Answer, all_versions, fake_broker, frame, next_request, nobody, quick_conn, raw_server,
};

use super::*;

const LONG: Duration = Duration::from_secs(10);

fn metadata_versions() -> VersionRange {
    known_versions::<MetadataRequest>()
}

/// Reads what comes and answers with these bytes, then waits for the client to go.
async fn answering(bytes: &'static [u8]) -> Endpoint {
    raw_server(move |mut stream: TcpStream| async move {
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(bytes).await;
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    })
    .await
}

#[tokio::test]
async fn the_newest_version_is_offered_and_the_peers_ranges_are_kept() {
    let (endpoint, _) = fake_broker(|_| Answer::Silence).await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    let ours = metadata_versions();
    assert_eq!(
        connection.pick_version::<MetadataRequest>(&ours),
        Ok(*ours.end())
    );
    assert_eq!(connection.pick_version::<MetadataRequest>(&(0..=5)), Ok(5));
}

#[tokio::test]
async fn time_that_went_by_at_the_name_server_is_not_blamed_on_the_broker() {
    let endpoint = Endpoint::new("localhost", 9092);
    let allowed = Duration::from_millis(1500);
    let silence = std::future::pending::<std::io::Result<()>>();
    let fault = transport::resolved(silence, tokio::time::Instant::now()).await;
    let fault = EndpointFault::of_connect(fault.unwrap_err(), allowed);
    assert_eq!(fault, EndpointFault::NameTimeout(allowed));
    let error = EndpointError::new(&endpoint, fault);
    assert!(error.may_pass());
    let said = error.to_string();
    assert!(
        said.starts_with("the host name of localhost:9092 was not resolved within 1.5 s"),
        "{said}"
    );
}

#[tokio::test]
async fn a_broker_that_does_not_know_our_version_is_asked_again_in_its_own() {
    let endpoint = raw_server(|mut stream| async move {
        let mut buffer = BytesMut::new();
        let first = next_request(&mut stream, &mut buffer).await.unwrap();
        assert_eq!(first.version, ApiVersionsRequest::MAX_VERSION);
        let range = |max_version| ApiVersion {
            api_key: ApiVersionsRequest::API_KEY,
            max_version,
            ..Default::default()
        };
        let refusal = ApiVersionsResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            api_keys: vec![range(2)],
            ..Default::default()
        };
        stream
            .write_all(&frame(&refusal, 0, first.correlation_id))
            .await
            .unwrap();
        let second = next_request(&mut stream, &mut buffer).await.unwrap();
        assert_eq!(second.version, 2);
        stream
            .write_all(&frame(&all_versions(), 2, second.correlation_id))
            .await
            .unwrap();
        let _ = next_request(&mut stream, &mut buffer).await;
    })
    .await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    assert!(
        connection
            .versions()
            .range(MetadataRequest::API_KEY)
            .is_some()
    );
}

#[tokio::test]
async fn every_kind_of_wrong_endpoint_is_told_apart_in_time() {
    let closing = raw_server(|stream| async move { drop(stream) }).await;
    let silent = raw_server(|mut stream| async move {
        let mut buffer = [0; 1024];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let cases = [
        (nobody().await, "nothing listens"),
        (closing, "closed the connection"),
        (silent, "sent no answer"),
        // Longer than any name can be, so that no resolver on the network is asked.
        (Endpoint::new("x".repeat(300), 9092), "host name"),
        // A TLS alert, whose first four bytes are a size of 352 MB.
        (
            answering(b"\x15\x03\x03\x00\x02\x02\x46").await,
            "speaks TLS",
        ),
        (
            answering(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await,
            "HTTP server",
        ),
        (
            answering(b"SSH-2.0-OpenSSH_9.6\r\n").await,
            "not Kafka's protocol",
        ),
        (answering(b"\x80\x00\x00\x00").await, "not Kafka's protocol"),
        (
            answering(b"\x7f\xff\xff\xffAAAA").await,
            "not Kafka's protocol",
        ),
        // A plausible size, then nonsense; then a size that is never fulfilled.
        (
            answering(b"\x00\x00\x00\x06\x00\x00\x00\x09\x00\x00").await,
            "not Kafka's protocol",
        ),
        (
            answering(b"\x00\x00\x10\x00abc").await,
            "not Kafka's protocol",
        ),
        (answering(b"\x00\x00\x00\x00").await, "not Kafka's protocol"),
        (answering(b"\x15\x03").await, "speaks TLS"),
    ];
    for (endpoint, expected) in cases {
        let started = Instant::now();
        let error = Connection::open(&endpoint, &quick_conn())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{error}: {:?}",
            started.elapsed()
        );
    }
}

/// Answers a question that begins with these bytes, and is silent or hangs up on any other.
async fn answering_only(
    question: &'static [u8],
    answer: &'static [u8],
    hangs_up: bool,
) -> Endpoint {
    raw_server(move |mut stream: TcpStream| async move {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if buffer[..read].starts_with(question) {
            let _ = stream.write_all(answer).await;
        } else if hangs_up {
            return;
        }
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    })
    .await
}

#[tokio::test]
async fn servers_that_only_answer_in_their_own_language_are_recognised() {
    let tls = answering_only(b"\x16\x03\x01", b"\x15\x03\x03\x00\x02\x02\x28", true).await;
    let http = answering_only(b"GET / ", b"HTTP/1.0 200 OK\r\n\r\n", false).await;
    for (endpoint, expected) in [(tls, EndpointFault::Tls), (http, EndpointFault::Http)] {
        let error = Connection::open(&endpoint, &quick_conn())
            .await
            .unwrap_err();
        assert_eq!(error.fault, expected);
    }
}

#[tokio::test]
async fn a_broker_that_is_slow_to_answer_is_still_a_broker() {
    // Answers only once the client has begun to wonder and asks who is there on another connection.
    let wondering = Arc::new(tokio::sync::Notify::new());
    let endpoint = raw_server(move |mut stream| {
        let wondering = wondering.clone();
        async move {
            let mut start = [0; 1];
            if stream.peek(&mut start).await.is_err() || start != [0] {
                wondering.notify_one();
                return;
            }
            let mut buffer = BytesMut::new();
            let hello = next_request(&mut stream, &mut buffer).await.unwrap();
            wondering.notified().await;
            let versions = frame(&all_versions(), hello.version, hello.correlation_id);
            let _ = stream.write_all(&versions).await;
            let _ = next_request(&mut stream, &mut buffer).await;
        }
    })
    .await;
    let settings = ConnSettings {
        setup_timeout: Duration::from_secs(2),
        ..quick_conn()
    };
    assert!(Connection::open(&endpoint, &settings).await.is_ok());
}

#[tokio::test]
async fn requests_are_pipelined_and_each_gets_its_own_reply() {
    // Answers only once three requests have arrived.
    let endpoint = raw_server(|mut stream| async move {
        let mut buffer = BytesMut::new();
        let hello = next_request(&mut stream, &mut buffer).await.unwrap();
        let versions = frame(&all_versions(), hello.version, hello.correlation_id);
        stream.write_all(&versions).await.unwrap();
        let mut requests = Vec::new();
        for _ in 0..3 {
            requests.push(next_request(&mut stream, &mut buffer).await.unwrap());
        }
        for (id, request) in (0..).zip(&requests) {
            let response = MetadataResponse {
                controller_id: id,
                ..Default::default()
            };
            stream
                .write_all(&frame(&response, request.version, request.correlation_id))
                .await
                .unwrap();
        }
        let _ = next_request(&mut stream, &mut buffer).await;
    })
    .await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    let request = MetadataRequest::default();
    let pending: Vec<_> = (0..3)
        .map(|_| connection.start(&request, 12).unwrap())
        .collect();
    for (expected, pending) in (0..).zip(pending) {
        assert_eq!(pending.reply(LONG).await.unwrap().controller_id, expected);
    }
}

#[tokio::test]
async fn a_reply_that_is_not_due_ends_the_connection_for_all_who_wait() {
    let (endpoint, _) = fake_broker(|request| {
        Answer::Frame(frame(
            &MetadataResponse::default(),
            request.version,
            request.correlation_id + 1,
        ))
    })
    .await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    let request = MetadataRequest::default();
    let first = connection.start(&request, 12).unwrap();
    let second = connection.start(&request, 12).unwrap();
    for pending in [first, second] {
        let error = pending.reply(LONG).await.unwrap_err();
        assert!(
            matches!(
                error,
                RequestError::Connection {
                    fault: Fault::Protocol(_),
                    ..
                }
            ),
            "{error}"
        );
    }
    assert!(
        connection.start(&request, 12).is_err(),
        "and nothing more goes out"
    );
}

#[tokio::test]
async fn a_request_that_is_not_answered_in_time_ends_the_connection() {
    let (endpoint, _) = fake_broker(|_| Answer::Silence).await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    let request = MetadataRequest::default();
    let behind = connection.start(&request, 12).unwrap();
    let error = connection
        .send(&request, 0..=12, Duration::from_millis(20))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RequestError::TimedOut { .. }) && error.may_pass(),
        "{error}"
    );
    let error = behind.reply(LONG).await.unwrap_err();
    assert!(
        matches!(
            error,
            RequestError::Connection {
                fault: Fault::TimedOut,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn giving_up_a_reply_does_not_disturb_the_next() {
    let (endpoint, _) = fake_broker(|request| request.answer(&MetadataResponse::default())).await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    let request = MetadataRequest::default();
    drop(connection.start(&request, 12).unwrap());
    assert!(
        connection
            .send(&request, metadata_versions(), LONG)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_peer_that_goes_away_fails_what_is_under_way() {
    let (endpoint, _) = fake_broker(|_| Answer::Close).await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    let error = connection
        .send(&MetadataRequest::default(), metadata_versions(), LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            RequestError::Connection {
                fault: Fault::Closed | Fault::Io(_),
                ..
            }
        ),
        "{error}"
    );
    assert!(connection.fault().is_some());
}

#[tokio::test]
async fn hostile_replies_after_the_handshake_are_errors_and_take_no_memory() {
    let cases: [(&[u8], &str); 4] = [
        (b"\x7f\xff\xff\xff", "a response of 2147483647 bytes"),
        (b"\x80\x00\x00\x00", "a response of -2147483648 bytes"),
        (b"\x00\x00\x00\x02ab", "without a correlation id"),
        // The right id (the handshake does not count), then an array of two thousand million brokers.
        (
            b"\x00\x00\x00\x0a\x00\x00\x00\x01\x00\xff\xff\xff\xff\x0f",
            "can't be read",
        ),
    ];
    for (bytes, expected) in cases {
        let (endpoint, _) = fake_broker(move |_| Answer::Frame(bytes.to_vec())).await;
        let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
        let error = connection
            .send(&MetadataRequest::default(), 12..=12, LONG)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!matches!(error, RequestError::TimedOut { .. }));
    }
}

#[tokio::test]
async fn a_version_the_peer_lacks_is_refused_before_anything_is_sent() {
    let (endpoint, seen) = fake_broker(|_| Answer::Silence).await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    let error = connection
        .send(&MetadataRequest::default(), 99..=99, LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(error, RequestError::Version { .. }) && !error.may_pass(),
        "{error}"
    );
    assert!(crate::cluster::lock(&seen).is_empty());
}

#[tokio::test]
async fn closing_ends_what_is_under_way_and_dropping_the_last_handle_hangs_up() {
    let (gone, mut is_gone) = mpsc::unbounded_channel();
    let endpoint = raw_server(move |mut stream| {
        let gone = gone.clone();
        async move {
            let mut buffer = BytesMut::new();
            while let Some(request) = next_request(&mut stream, &mut buffer).await {
                if request.is::<ApiVersionsRequest>() {
                    let versions = frame(&all_versions(), request.version, request.correlation_id);
                    stream.write_all(&versions).await.unwrap();
                }
            }
            let _ = gone.send(());
        }
    })
    .await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    let pending = connection.start(&MetadataRequest::default(), 12).unwrap();
    connection.close();
    let error = pending.reply(LONG).await.unwrap_err();
    assert!(
        matches!(
            error,
            RequestError::Connection {
                fault: Fault::Ended,
                ..
            }
        ),
        "{error}"
    );
    is_gone.recv().await.unwrap();

    let other = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    drop(other);
    is_gone.recv().await.unwrap();
}

#[tokio::test]
async fn a_request_without_an_answer_is_done_when_it_is_written() {
    let (endpoint, _) = fake_broker(|_| Answer::Silence).await;
    let connection = Connection::open(&endpoint, &quick_conn()).await.unwrap();
    connection
        .start_unanswered(&MetadataRequest::default(), 12)
        .unwrap()
        .written(LONG)
        .await
        .unwrap();
}
