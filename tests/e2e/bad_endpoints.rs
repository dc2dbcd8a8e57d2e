//! Every tool against every kind of address that leads to no broker: what is wrong is said within two seconds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ottla_protocol::apis::ApiKey;
use ottla_protocol::messages::api::api_versions::response::ApiVersion;
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, Message, encode_response};
use ottla_protocol::wire::Chunk;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::server::{Server, ottla};
use crate::tools::answering;
use crate::wait;

/// What every tool promises.
const WITHIN: Duration = Duration::from_secs(2);

/// A machine that is busy may be late; one that is late three times in a row is not what is late.
const ATTEMPTS: usize = 3;

/// A use of each tool that asks a cluster. `ADDRESS` stands for the address, `FILE` for a file of offsets, `TOPICS` for one of
/// topics, `PLAN` for one of replicas.
const CALLS: &[(&str, Then)] = &[
    ("topics --list --bootstrap-server ADDRESS", Then::Ends),
    (
        "configs --describe --entity-type brokers --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "console-producer --topic t --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "console-consumer --topic t --bootstrap-server ADDRESS",
        Then::Waits,
    ),
    (
        "consumer-groups --list --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    ("groups --list --bootstrap-server ADDRESS", Then::Ends),
    ("get-offsets --bootstrap-server ADDRESS", Then::Ends),
    (
        "delete-records --offset-json-file FILE --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    ("log-dirs --describe --bootstrap-server ADDRESS", Then::Ends),
    ("transactions --bootstrap-server ADDRESS list", Then::Ends),
    ("broker-api-versions --bootstrap-server ADDRESS", Then::Ends),
    ("cluster cluster-id --bootstrap-server ADDRESS", Then::Ends),
    ("features --bootstrap-server ADDRESS describe", Then::Ends),
    (
        "metadata-quorum --bootstrap-server ADDRESS describe --status",
        Then::Ends,
    ),
    (
        "producer-perf-test --topic t --num-records 1 --throughput -1 --record-size 1 --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "consumer-perf-test --topic t --num-records 1 --bootstrap-server ADDRESS",
        Then::Waits,
    ),
    (
        "e2e-latency --topic t --num-records 1 --producer-acks 1 --record-size 1 --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "verifiable-producer --topic t --max-messages 1 --bootstrap-server ADDRESS",
        Then::Waits,
    ),
    (
        "verifiable-consumer --topic t --group-id g --bootstrap-server ADDRESS",
        Then::Waits,
    ),
    ("doctor --bootstrap-server ADDRESS", Then::Ends),
    (
        "top --output json --count 1 --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "leader-election --all-topic-partitions --election-type preferred --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "reassign-partitions --list --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "reassign-partitions --execute --reassignment-json-file PLAN --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    ("acls --list --bootstrap-server ADDRESS", Then::Ends),
    (
        "client-metrics --list --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    (
        "topics apply -f TOPICS --bootstrap-server ADDRESS",
        Then::Ends,
    ),
    ("topics export --bootstrap-server ADDRESS", Then::Ends),
    (
        "pipe --from t --to u --group g --bootstrap-server ADDRESS -- cat",
        Then::Ends,
    ),
];

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

/// What a tool does where there is no broker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Ends,
    /// It may go on, as the reference does, having said what is wrong.
    Waits,
}

/// What tools read, beside what brokers tell them.
struct Files(TempDir);

impl Files {
    const ALL: [(&str, &str); 3] = [
        (
            "FILE",
            r#"{"partitions":[{"topic":"t","partition":0,"offset":0}],"version":1}"#,
        ),
        ("TOPICS", "topics: {u: {partitions: 1}}\n"),
        (
            "PLAN",
            r#"{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]}]}"#,
        ),
    ];

    fn write() -> Self {
        let folder = TempDir::new().expect("a directory");
        for (name, text) in Self::ALL {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Self(folder)
    }

    /// The words of a call.
    fn words(&self, line: &str, address: &str) -> String {
        let mut line = line.replace("ADDRESS", address);
        for (name, _) in Self::ALL {
            let path = self.0.path().join(name);
            line = line.replace(
                &format!(" {name} "),
                &format!(" {} ", path.to_str().expect("a plain path")),
            );
        }
        line
    }
}

/// Runs every tool against the address, and looks for one of the causes in what it says.
fn every_tool_says(address: &str, causes: &[&str]) {
    let files = Files::write();
    for (line, then) in CALLS {
        let heard = promptly(&files.words(line, address), *then, causes);
        heard.must_name(causes);
    }
}

/// What came of a tool, which was in time.
fn promptly(line: &str, then: Then, causes: &[&str]) -> Heard {
    let mut runs = (0..ATTEMPTS).map(|_| run(line, then, causes));
    let found = runs.find(|heard| heard.took < WITHIN);
    found.unwrap_or_else(|| panic!("{line}\ntook longer than {WITHIN:?}, {ATTEMPTS} times"))
}

struct Heard {
    line: String,
    /// Until it said one of the causes, and until it ended where it does.
    took: Duration,
    said: String,
}

impl Heard {
    fn names(&self, causes: &[&str]) -> bool {
        causes.iter().any(|cause| self.said.contains(cause))
    }

    fn must_name(&self, causes: &[&str]) {
        let Self { line, said, .. } = self;
        assert!(self.names(causes), "{line}\nnone of {causes:?} in:\n{said}");
    }
}

fn run(line: &str, then: Then, causes: &[&str]) -> Heard {
    let begun = Instant::now();
    let mut child = ottla()
        .args(line.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    // Something to produce; a tool may have ended before it reads that.
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"x\n").ok();
    drop(input);
    let said = Arc::new(Mutex::new(String::new()));
    listen(child.stdout.take().expect("piped"), said.clone());
    listen(child.stderr.take().expect("piped"), said.clone());
    let so_far = |said: &str| causes.iter().any(|cause| said.contains(cause));
    wait::until(line, || {
        let has_ended = child.try_wait().expect("a child").is_some();
        has_ended || (then == Then::Waits && so_far(&said.lock().expect("not poisoned")))
    });
    let took = begun.elapsed();
    child.kill().ok();
    child.wait().expect("a status");
    // The pipe ends with the child: nothing is on its way any more.
    wait::until("the words of the child", || Arc::strong_count(&said) == 1);
    let said = said.lock().expect("not poisoned").clone();
    Heard {
        line: line.to_owned(),
        took,
        said,
    }
}

/// Hears what the child says, as it comes, until it has ended.
fn listen(stream: impl Read + Send + 'static, said: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut said = said.lock().expect("not poisoned");
            said.push_str(&line);
            said.push('\n');
        }
    });
}

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

#[test]
fn an_address_that_takes_no_connection() {
    let (socket, address) = bound();
    socket.listen(0).expect("a listener");
    // Whoever comes once the queue is full is not answered.
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let stream = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        stream.set_nonblocking(true).expect("a socket");
        let to: SocketAddr = address.parse().expect("an address");
        stream.connect(&to.into()).ok();
        waiting.push(stream);
    }
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
fn handshakes_only() -> String {
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
    for (line, _) in CALLS {
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
