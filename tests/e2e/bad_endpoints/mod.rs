//! Every tool against every kind of address that leads to no broker: what is wrong is said within two seconds.

pub(crate) mod calls;
mod several_brokers;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;

use ottla_protocol::apis::ApiKey;
use ottla_protocol::messages::api::api_versions::response::ApiVersion;
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, Message, encode_response};
use ottla_protocol::wire::Chunk;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::requests::create_topic;
use crate::server::{Server, ottla};
use crate::tools::answering;
use calls::{CALLS, Files, Then, promptly};

/// Runs every tool against the address, and looks for one of the causes in what it says.
fn every_tool_says(address: &str, causes: &[&str]) {
    let files = Files::write();
    for (line, then) in CALLS {
        let heard = promptly(&files.words(line, address), *then, causes);
        heard.must_name(causes);
    }
}

/// These ask brokers that they have to be led to; to the others, any broker's word may be enough.
const LED: &[&str] = &[
    "console-producer",
    "console-consumer",
    "delete-records",
    "producer-perf-test",
    "consumer-perf-test",
    "verifiable-producer",
    "verifiable-consumer",
    "e2e-latency",
    "pipe",
    "log-dirs",
    "get-offsets",
    "doctor",
    "topics apply",
    "leader-election",
    "reassign-partitions --execute",
];

/// A socket that has a port and does not listen.
pub(crate) fn bound() -> (Socket, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&any.into()).expect("a free port");
    let address = socket.local_addr().expect("bound").as_socket();
    (socket, address.expect("an address").to_string())
}

#[test]
fn a_port_where_nothing_listens() {
    let (_socket, address) = bound();
    every_tool_says(&address, &["refused"]);
}

/// An address that takes no connection, for as long as the sockets are there: whoever comes once the queue is full is not
/// answered.
pub(crate) fn busy() -> (Vec<Socket>, String) {
    let (socket, address) = bound();
    socket.listen(0).expect("a listener");
    let mut sockets = vec![socket];
    for _ in 0..4 {
        let stream = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        stream.set_nonblocking(true).expect("a socket");
        let to: SocketAddr = address.parse().expect("an address");
        stream.connect(&to.into()).ok();
        sockets.push(stream);
    }
    (sockets, address)
}

#[test]
fn an_address_that_takes_no_connection() {
    let (_busy, address) = busy();
    every_tool_says(&address, &["did not take a connection", "no connection to"]);
}

#[test]
fn a_listener_that_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    every_tool_says(&address, &["no answer"]);
}

#[test]
fn an_http_server() {
    every_tool_says(&answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), &["HTTP"]);
}

#[test]
fn a_tls_server() {
    every_tool_says(&answering(&[0x15, 3, 3, 0, 2, 2, 70]), &["TLS"]);
}

#[test]
fn a_name_that_nobody_knows() {
    every_tool_says("no.such.host.invalid:9092", &["no.such.host.invalid"]);
}

/// Shakes hands as a broker does, and answers nothing else.
pub(crate) fn handshakes_only() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || shake_hands(stream));
        }
    });
    address
}

fn shake_hands(mut stream: TcpStream) -> Option<()> {
    let known = ApiKey::ALL.iter();
    let known = known.filter_map(|api| Some((api.key(), api.versions()?)));
    let api_keys = known.map(|(api_key, (min_version, max_version))| ApiVersion {
        api_key,
        min_version,
        max_version,
        ..Default::default()
    });
    let response = ApiVersionsResponse {
        api_keys: api_keys.collect(),
        ..Default::default()
    };
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).ok()?];
        stream.read_exact(&mut frame).ok()?;
        // API key, version, correlation id.
        let number = |at: usize| Some(i16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
        if number(0)? != ApiVersionsRequest::API_KEY {
            continue;
        }
        let correlation_id = i32::from_be_bytes(*frame.get(4..)?.first_chunk()?);
        for chunk in encode_response(&response, number(2)?, correlation_id) {
            if let Chunk::Bytes(bytes) = chunk {
                stream.write_all(&bytes).ok()?;
            }
        }
    }
}

#[test]
fn a_broker_that_shakes_hands_and_never_says_what_its_cluster_is() {
    every_tool_says(&handshakes_only(), &["did not answer"]);
}

/// Runs every tool against a broker that names this address as its own, where nobody is.
fn every_tool_is_led_to(advertised: &str) {
    let setting = format!("advertised.listeners=PLAINTEXT://{advertised}");
    let server = Server::with(&["--override", &setting], &[]);
    let cause = format!(
        "{} advertises {advertised}, which cannot be reached",
        server.address()
    );
    let causes = [cause.as_str(), advertised];
    let files = Files::write();
    // Ranges are of a topic that there is.
    create_topic(server.address(), "ranged", 1);
    for (line, _) in CALLS {
        let line = &line.replace("--topic t --tail", "--topic ranged --tail");
        let heard = promptly(&files.words(line, server.address()), Then::Waits, &causes);
        // What the others ask may be answered where they came in; that they end in time is enough.
        if LED.iter().any(|led| line.starts_with(led)) {
            heard.must_name(match line.starts_with("doctor") {
                true => &causes[1..],
                false => &causes[..1],
            });
        }
    }
}

#[test]
fn a_broker_that_advertises_a_port_where_nothing_listens() {
    let (_socket, advertised) = bound();
    every_tool_is_led_to(&advertised);
}

#[test]
fn a_broker_that_advertises_a_name_that_nobody_knows() {
    every_tool_is_led_to("no.such.host.invalid:9092");
}

#[test]
fn a_broker_that_restarts_ends_no_producer_and_no_consumer() {
    let mut server = Server::start();
    server.tool("topics --create --topic t");
    let tool = |line: &str| {
        let mut command = ottla();
        command.args(line.split(' ')).args([
            "--topic",
            "t",
            "--bootstrap-server",
            server.address(),
        ]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.spawn().expect("the binary")
    };
    let mut consumer = tool("console-consumer --from-beginning --max-messages 2");
    let mut producer = tool("console-producer --sync");
    let mut input = producer.stdin.take().expect("piped");
    let mut lines = BufReader::new(consumer.stdout.take().expect("piped")).lines();
    let mut arrives = |line: &str| {
        writeln!(input, "{line}").expect("the producer reads");
        assert_eq!(lines.next().expect("a line").expect("text"), line);
    };
    arrives("before");
    server.kill();
    server.restart_in_place();
    arrives("after");
    drop(input);
    assert!(producer.wait().expect("a status").success());
    assert!(consumer.wait().expect("a status").success());
}

#[test]
fn a_broker_that_is_late_is_waited_for_where_the_user_gives_it_time() {
    let (socket, address) = bound();
    let child = ottla()
        .args([
            "topics",
            "--list",
            "--timeout",
            "60s",
            "--bootstrap-server",
            &address,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    drop(socket);
    let mut server = ottla();
    let data = TempDir::new().expect("a directory");
    server
        .args(["server", "--listen", &address, "--data-dir"])
        .arg(data.path());
    let mut server = server
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary");
    let output = child.wait_with_output().expect("a status");
    server.kill().ok();
    server.wait().expect("a status");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""));
}
