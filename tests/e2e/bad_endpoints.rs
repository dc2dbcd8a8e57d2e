//! Every tool against every kind of address that leads to no broker: what is wrong is said within two seconds.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::server::ottla;
use crate::tools::answering;
use crate::wait;

/// What every tool promises.
const WITHIN: Duration = Duration::from_secs(2);

/// A machine that is busy may be late; one that is late three times in a row is not what is late.
const ATTEMPTS: usize = 3;

/// A use of each tool that asks a cluster. `ADDRESS` stands for the address, `FILE` for a file of offsets.
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
        "pipe --from t --to u --group g --bootstrap-server ADDRESS -- cat",
        Then::Ends,
    ),
];

/// What a tool does where there is no broker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Ends,
    /// It may go on, as the reference does, having said what is wrong.
    Waits,
}

/// Runs every tool against the address, and looks for one of the causes in what it says.
fn every_tool_says(address: &str, causes: &[&str]) {
    let folder = TempDir::new().expect("a directory");
    let file = folder.path().join("offsets.json");
    let offsets = r#"{"partitions":[{"topic":"t","partition":0,"offset":0}],"version":1}"#;
    std::fs::write(&file, offsets).expect("a file");
    let file = file.to_str().expect("a plain path");
    for (line, then) in CALLS {
        let line = line.replace("ADDRESS", address).replace("FILE", file);
        let mut said = String::new();
        let is_prompt = (0..ATTEMPTS).any(|_| {
            let (took, text) = run(&line, *then, causes);
            said = format!("after {took:?}: {text}");
            took < WITHIN
        });
        assert!(is_prompt, "{line}\n{said}");
    }
}

/// How long it took the tool to say one of the causes, and to end where it does, and what it said.
fn run(line: &str, then: Then, causes: &[&str]) -> (Duration, String) {
    let begun = Instant::now();
    let mut child = ottla()
        .args(line.split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let said = Arc::new(Mutex::new(String::new()));
    listen(child.stdout.take().expect("piped"), said.clone());
    listen(child.stderr.take().expect("piped"), said.clone());
    let names_a_cause = |said: &str| causes.iter().any(|cause| said.contains(cause));
    wait::until(line, || {
        let has_ended = child.try_wait().expect("a child").is_some();
        has_ended || (then == Then::Waits && names_a_cause(&said.lock().expect("not poisoned")))
    });
    let took = begun.elapsed();
    child.kill().ok();
    child.wait().expect("a status");
    // The pipe ends with the child: nothing is on its way any more.
    wait::until("the words of the child", || Arc::strong_count(&said) == 1);
    let said = said.lock().expect("not poisoned").clone();
    assert!(
        names_a_cause(&said),
        "{line}\nnone of {causes:?} in:\n{said}"
    );
    (took, said)
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
