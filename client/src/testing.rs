//! Brokers for tests: sockets on a free port of 127.0.0.1 that answer as a test says.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use ottla_protocol::{
    apis::ApiKey,
    errors::ErrorCode,
    messages::{
        ApiVersionsRequest, ApiVersionsResponse, FindCoordinatorRequest, FindCoordinatorResponse,
        InitProducerIdRequest, InitProducerIdResponse, Message, MetadataRequest, MetadataResponse,
        Request,
        api::{
            api_versions::response::ApiVersion,
            find_coordinator::response::Coordinator,
            metadata::response::{
                MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
            },
        },
        decode_request_header, encode_response,
    },
    wire::{Chunk, Reader},
};

use crate::{
    cluster::{Backoff, ClusterSettings, EndpointType, lock},
    conn::{ConnSettings, Endpoint},
};

/// Listens, and runs the script for every connection. Ends with the test's runtime.
pub(crate) async fn raw_server<F, S>(script: F) -> Endpoint
where
    F: Fn(TcpStream) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(stream));
        }
    });
    Endpoint::new("127.0.0.1", port)
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    body: Bytes,
}

impl Incoming {
    pub(crate) fn is<R: Request>(&self) -> bool {
        self.key == R::API_KEY
    }

    pub(crate) fn body<R: Request>(&self) -> R {
        R::from_bytes(self.body.clone(), self.version).expect("a well-formed request")
    }

    /// The frame that answers it.
    pub(crate) fn answer<M: Message>(&self, response: &M) -> Answer {
        Answer::Frame(frame(response, self.version, self.correlation_id))
    }
}

/// What a fake broker does with a request.
pub(crate) enum Answer {
    Frame(Vec<u8>),
    /// Says nothing and goes on reading.
    Silence,
    Close,
}

pub(crate) fn frame<M: Message>(response: &M, version: i16, correlation_id: i32) -> Vec<u8> {
    let chunks = encode_response(response, version, correlation_id);
    let bytes = chunks.into_iter().flat_map(|chunk| match chunk {
        Chunk::Bytes(bytes) => bytes.to_vec(),
        Chunk::External { .. } => Vec::new(),
    });
    bytes.collect()
}

/// A broker that does the handshake by itself and asks the test about everything else.
pub(crate) async fn fake_broker(
    answer: impl FnMut(&Incoming) -> Answer + Send + 'static,
) -> (Endpoint, Arc<Mutex<Vec<Incoming>>>) {
    fake_broker_speaking(all_versions(), answer).await
}

/// The same with another answer to ApiVersions.
pub(crate) async fn fake_broker_speaking(
    versions: ApiVersionsResponse,
    answer: impl FnMut(&Incoming) -> Answer + Send + 'static,
) -> (Endpoint, Arc<Mutex<Vec<Incoming>>>) {
    let seen: Arc<Mutex<Vec<Incoming>>> = Arc::default();
    let answer = Arc::new(Mutex::new(answer));
    let log = seen.clone();
    let endpoint = raw_server(move |mut stream| {
        let (answer, log, versions) = (answer.clone(), log.clone(), versions.clone());
        async move {
            let mut buffer = BytesMut::new();
            while let Some(incoming) = next_request(&mut stream, &mut buffer).await {
                let reply = if incoming.is::<ApiVersionsRequest>() {
                    incoming.answer(&versions)
                } else {
                    lock(&log).push(incoming.clone());
                    let mut answer = lock(&answer);
                    answer(&incoming)
                };
                match reply {
                    Answer::Frame(bytes) => {
                        if stream.write_all(&bytes).await.is_err() {
                            return;
                        }
                    }
                    Answer::Silence => {}
                    Answer::Close => return,
                }
            }
        }
    })
    .await;
    (endpoint, seen)
}

/// The next request of a connection; none once the client has closed.
pub(crate) async fn next_request(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
) -> Option<Incoming> {
    loop {
        if let Some(size) = buffer
            .first_chunk()
            .map(|bytes| i32::from_be_bytes(*bytes) as usize)
            && buffer.len() >= 4 + size
        {
            let frame = buffer.split_to(4 + size).freeze().slice(4..);
            let mut reader = Reader::new(frame);
            let is_flexible = |key, version| {
                ApiKey::from_key(key).is_some_and(|api| api.request_header_version(version) == 2)
            };
            let header = decode_request_header(&mut reader, is_flexible).expect("a request header");
            return Some(Incoming {
                key: header.request_api_key,
                version: header.request_api_version,
                correlation_id: header.correlation_id,
                body: reader.rest(),
            });
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Says it speaks everything this build knows.
pub(crate) fn all_versions() -> ApiVersionsResponse {
    let known = ApiKey::ALL
        .iter()
        .filter_map(|api| Some((api.key(), api.versions()?)));
    let api_keys = known.map(|(api_key, (min_version, max_version))| ApiVersion {
        api_key,
        min_version,
        max_version,
        ..Default::default()
    });
    ApiVersionsResponse {
        api_keys: api_keys.collect(),
        ..Default::default()
    }
}

/// A cluster of one broker, 1, at `endpoint`, that leads all partitions of these topics.
pub(crate) fn metadata_of(endpoint: &Endpoint, topics: &[(&str, i32)]) -> MetadataResponse {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 0,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = |(name, partitions): &(&str, i32)| MetadataResponseTopic {
        name: Some((*name).into()),
        topic_id: 99u128.into(),
        partitions: (0..*partitions).map(partition).collect(),
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 1,
            host: endpoint.host.as_str().into(),
            port: i32::from(endpoint.port),
            ..Default::default()
        }],
        cluster_id: Some("fake".into()),
        controller_id: 1,
        topics: topics.iter().map(topic).collect(),
        error_code: ErrorCode::None.code(),
        ..Default::default()
    }
}

/// The same with another broker, 2, at `elsewhere`, that leads the partitions with odd numbers.
pub(crate) fn metadata_of_two(
    endpoint: &Endpoint,
    elsewhere: &Endpoint,
    topics: &[(&str, i32)],
) -> MetadataResponse {
    let mut response = metadata_of(endpoint, topics);
    response.brokers.push(MetadataResponseBroker {
        node_id: 2,
        host: elsewhere.host.as_str().into(),
        port: i32::from(elsewhere.port),
        ..Default::default()
    });
    let partitions = response
        .topics
        .iter_mut()
        .flat_map(|topic| &mut topic.partitions);
    for partition in partitions.filter(|partition| partition.partition_index % 2 == 1) {
        partition.leader_id = 2;
    }
    response
}

/// All coordinators that are asked for, in this place.
pub(crate) fn coordinators_at(here: &Endpoint, request: &Incoming) -> FindCoordinatorResponse {
    let keys = request.body::<FindCoordinatorRequest>().coordinator_keys;
    let found = |key| Coordinator {
        key,
        node_id: 1,
        host: here.host.as_str().into(),
        port: i32::from(here.port),
        ..Default::default()
    };
    FindCoordinatorResponse {
        coordinators: keys.into_iter().map(found).collect(),
        ..Default::default()
    }
}

/// A broker that is the whole cluster, with the topic `t` of two partitions, and every coordinator; everything else is the test's.
pub(crate) async fn cluster_of_one(
    other: impl FnMut(&Incoming) -> Answer + Send + 'static,
) -> (Endpoint, Arc<Mutex<Vec<Incoming>>>) {
    cluster_of_one_speaking(all_versions(), other).await
}

/// The same with another answer to ApiVersions.
pub(crate) async fn cluster_of_one_speaking(
    versions: ApiVersionsResponse,
    mut other: impl FnMut(&Incoming) -> Answer + Send + 'static,
) -> (Endpoint, Arc<Mutex<Vec<Incoming>>>) {
    // Told to its own answers once it is known.
    let place: Arc<Mutex<Option<Endpoint>>> = Arc::default();
    let known = place.clone();
    let (endpoint, seen) = fake_broker_speaking(versions, move |request| {
        let here = lock(&known).clone().expect("set before anybody connects");
        if request.is::<MetadataRequest>() {
            request.answer(&metadata_of(&here, &[("t", 2)]))
        } else if request.is::<FindCoordinatorRequest>() {
            request.answer(&coordinators_at(&here, request))
        } else {
            other(request)
        }
    })
    .await;
    *lock(&place) = Some(endpoint.clone());
    (endpoint, seen)
}

/// A broker that answers here and says that it is elsewhere, where nobody is.
pub(crate) async fn misadvertised() -> (Endpoint, Endpoint) {
    let elsewhere = nobody().await;
    let told = elsewhere.clone();
    let (here, _) = fake_broker(move |request| {
        if request.is::<MetadataRequest>() {
            return request.answer(&metadata_of(&told, &[("t", 2)]));
        }
        if request.is::<InitProducerIdRequest>() {
            return request.answer(&InitProducerIdResponse {
                producer_id: 7,
                ..Default::default()
            });
        }
        Answer::Silence
    })
    .await;
    (here, elsewhere)
}

/// How many requests of a kind have come.
pub(crate) fn count<R: Request>(seen: &Mutex<Vec<Incoming>>) -> usize {
    let seen = lock(seen);
    seen.iter().filter(|request| request.is::<R>()).count()
}

/// Short times, so that tests of failure are quick.
pub(crate) fn quick_conn() -> ConnSettings {
    ConnSettings {
        setup_timeout: Duration::from_millis(300),
        ..ConnSettings::default()
    }
}

pub(crate) fn quick_cluster(bootstrap: Vec<Endpoint>) -> ClusterSettings {
    let backoff = Backoff {
        initial: Duration::from_millis(1),
        max: Duration::from_millis(5),
    };
    ClusterSettings {
        bootstrap,
        endpoint_type: EndpointType::Broker,
        conn: quick_conn(),
        reconnect_backoff: backoff,
        retry_backoff: backoff,
        retries: u32::MAX,
        connect_within: Duration::ZERO,
        unreachable_after: Duration::MAX,
        misadvertised_after: Duration::MAX,
        on_misadvertised: None,
        described_within: Duration::MAX,
        request_timeout: Duration::from_secs(5),
        api_timeout: Duration::from_secs(10),
        metadata_max_age: Duration::from_secs(300),
        allow_auto_create_topics: false,
        looks_at_all_topics: false,
    }
}

/// An endpoint at which nothing listens.
pub(crate) async fn nobody() -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    Endpoint::new("127.0.0.1", listener.local_addr().expect("bound").port())
}
