//! A server for tests: in a directory of its own, on a free port, and a client that speaks frames.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_config::resolve::BrokerConfig;
use ottla_coordination::controller::ConfigResourceType;
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::create_topics::request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::incremental_alter_configs::request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::{
    self, CreateTopicsRequest, DeleteTopicsRequest, IncrementalAlterConfigsRequest, Message,
    Request, ResponseHeader,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::Offset;
use ottla_protocol::wire::{Chunk, Reader, Uuid};

use crate::boot::Server;
use crate::broker::Broker;
use crate::loggers::Loggers;
use crate::{data_dirs, settings::Settings};

/// How long anything in a test may take before it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; stops when dropped, its directory goes too unless it was `kept`.
pub(crate) struct TestServer {
    runtime: Option<tokio::runtime::Runtime>,
    server: Option<Server>,
    pub(crate) address: SocketAddr,
    pub(crate) dir: Arc<tempfile::TempDir>,
}

impl TestServer {
    pub(crate) fn start(overrides: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self::start_in(Arc::new(dir), overrides)
    }

    /// Starts a server on what another one has left.
    pub(crate) fn start_in(dir: Arc<tempfile::TempDir>, overrides: &[(&str, &str)]) -> Self {
        let mut pairs = vec![
            ("listeners".to_owned(), "PLAINTEXT://127.0.0.1:0".to_owned()),
            (
                "log.dirs".to_owned(),
                dir.path().join("data").display().to_string(),
            ),
        ];
        pairs.extend(
            overrides
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        let config = BrokerConfig::load(pairs).expect("a valid configuration");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let server = {
            let _entered = runtime.enter();
            let settings = Settings::from_config(&config).expect("settings");
            let data = data_dirs::open(&settings).expect("data directories");
            let listeners = crate::boot::bind(&settings).expect("a free port");
            Server::start(config, settings, Loggers::default(), data, listeners).expect("a server")
        };
        let address = server.started.listeners[0].1;
        Self {
            runtime: Some(runtime),
            server: Some(server),
            address,
            dir,
        }
    }

    pub(crate) fn broker(&self) -> &Arc<Broker> {
        &self.server.as_ref().expect("running").broker
    }

    /// Creates a topic, unless it is there from an earlier start.
    pub(crate) fn add_topic(&self, name: &str, partitions: i32) -> Uuid {
        self.add_topic_with(name, partitions, &[])
    }

    pub(crate) fn add_topic_with(
        &self,
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Uuid {
        let configs = configs.iter().map(|(key, value)| CreatableTopicConfig {
            name: (*key).into(),
            value: Some((*value).into()),
            ..Default::default()
        });
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: name.into(),
                num_partitions: partitions,
                replication_factor: 1,
                configs: configs.collect(),
                ..Default::default()
            }],
            timeout_ms: 10_000,
            ..Default::default()
        };
        let result = self.connect().call(&request, 7).topics.remove(0);
        let error = ErrorCode::from_code(result.error_code);
        assert!(
            matches!(error, ErrorCode::None | ErrorCode::TopicAlreadyExists),
            "{result:?}"
        );
        let image = self.broker().image.load();
        image.topics().by_name(name).expect("created").id()
    }

    pub(crate) fn delete_topic(&self, name: &str) {
        let request = DeleteTopicsRequest {
            topic_names: vec![name.into()],
            timeout_ms: 10_000,
            ..Default::default()
        };
        let result = self.connect().call(&request, 5).responses.remove(0);
        assert_eq!(result.error_code, 0, "{result:?}");
    }

    /// Changes a key of a topic's configuration.
    pub(crate) fn set_config(&self, topic: &str, key: &str, value: &str) {
        self.set_config_of(ConfigResourceType::Topic, topic, key, value);
    }

    /// Changes a key for all brokers.
    pub(crate) fn set_broker_config(&self, key: &str, value: &str) {
        self.set_config_of(ConfigResourceType::Broker, "", key, value);
    }

    /// Changes a key of a group.
    pub(crate) fn set_group_config(&self, group_id: &str, key: &str, value: &str) {
        self.set_config_of(ConfigResourceType::Group, group_id, key, value);
    }

    fn set_config_of(&self, of: ConfigResourceType, name: &str, key: &str, value: &str) {
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: of.number(),
                resource_name: name.into(),
                configs: vec![AlterableConfig {
                    name: key.into(),
                    value: Some(value.into()),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let response = self.connect().call(&request, 1).responses.remove(0);
        assert_eq!(response.error_code, 0, "{response:?}");
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Ends the server as `kill -9` would: nothing is flushed, closed or marked.
    pub(crate) fn crash(&mut self) {
        if let (Some(runtime), Some(server)) = (self.runtime.take(), self.server.take()) {
            server.broker.storage.keeper.stop();
            server.broker.storage.cleaner.stop();
            server.broker.storage.recovery.stop();
            runtime.shutdown_background();
            drop(server);
        }
    }

    /// The same directory with a new server on it.
    pub(crate) fn restarted(&self, overrides: &[(&str, &str)]) -> Self {
        assert!(self.server.is_none(), "one server at a time");
        Self::start_in(self.dir.clone(), overrides)
    }

    /// Stops the server as a signal would.
    pub(crate) fn stop(&mut self) {
        if let (Some(runtime), Some(mut server)) = (self.runtime.take(), self.server.take()) {
            runtime.block_on(server.stop()).expect("a clean stop");
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A client that speaks the protocol and nothing else.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a listening server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            correlation_id: 0,
        }
    }

    /// Sends a request; its correlation id.
    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) -> i32 {
        self.correlation_id += 1;
        let chunks = messages::encode_request(request, version, self.correlation_id, Some("test"));
        for chunk in chunks {
            let Chunk::Bytes(bytes) = chunk else {
                panic!("requests have no gaps")
            };
            self.stream.write_all(&bytes).expect("the server reads");
        }
        self.correlation_id
    }

    /// The next frame, without its length; None if the server closed the connection.
    pub(crate) fn receive_frame(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).ok()?;
        Some(frame.into())
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16, correlation_id: i32) -> R::Response {
        let frame = self.receive_frame().expect("a reply");
        let mut reader = Reader::new(frame);
        let header_version =
            messages::response_header_version(R::API_KEY, R::Response::is_flexible(version));
        let header = ResponseHeader::decode(&mut reader, header_version).expect("a header");
        assert_eq!(
            header.correlation_id, correlation_id,
            "replies are in order"
        );
        let response = R::Response::decode(&mut reader, version).expect("a response");
        assert_eq!(reader.left(), 0, "nothing follows the response");
        response
    }

    pub(crate) fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let correlation_id = self.send(request, version);
        self.receive::<R>(version, correlation_id)
    }

    /// Whether the server has closed the connection, or does so soon.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// A batch of records with these values, as a producer makes it.
pub(crate) fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None).base_offset(Offset::ZERO);
    for value in values {
        builder
            .append(
                crate::clock::now(),
                Some(b"key"),
                Some(value.as_bytes()),
                &[],
            )
            .expect("small records");
    }
    builder.build().expect("a batch").into()
}

/// Waits until something is true.
pub(crate) fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < PATIENCE, "still not true: {what}");
        std::thread::yield_now();
    }
}
