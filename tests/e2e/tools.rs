//! What all tools promise: quick and clear answers where nothing useful can be done.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::server::ottla;

/// Runs `topics --list` against an address, and returns what it said on standard error.
fn refused(address: &str) -> String {
    let start = Instant::now();
    let output = ottla()
        .args(["topics", "--list", "--bootstrap-server", address])
        .output()
        .expect("the binary");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "took {:?}",
        start.elapsed()
    );
    String::from_utf8(output.stderr).expect("text")
}

/// A listener that answers every connection's first bytes with these.
pub(crate) fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut first = [0; 64];
            if stream.read(&mut first).is_ok() {
                stream.write_all(bytes).ok();
            }
        }
    });
    address
}

#[test]
fn a_port_where_nothing_listens_is_said_at_once() {
    let dead = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    dead.bind(&any.into()).expect("a free port");
    let address = dead
        .local_addr()
        .ok()
        .and_then(|address| address.as_socket())
        .expect("an address")
        .to_string();
    let said = refused(&address);
    assert!(
        said.contains(&address) && said.contains("refused"),
        "{said}"
    );
}

#[test]
fn a_peer_that_speaks_something_else_is_named() {
    let said = refused(&answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert!(said.contains("HTTP"), "{said}");
    let said = refused(&answering(&[0x15, 3, 3, 0, 2, 2, 70]));
    assert!(said.contains("TLS"), "{said}");
}

#[test]
fn a_peer_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let said = refused(&listener.local_addr().expect("an address").to_string());
    assert!(said.contains("no answer"), "{said}");
}

#[test]
fn a_name_that_nobody_knows_and_an_address_without_port_are_refused() {
    let said = refused("no.such.host.invalid:9092");
    assert!(said.contains("no.such.host.invalid"), "{said}");
    let said = refused("nonsense");
    assert!(said.contains("bootstrap.servers"), "{said}");
}

#[test]
fn a_malformed_properties_file_is_refused_with_the_key() {
    let folder = tempfile::TempDir::new().expect("a directory");
    let file = folder.path().join("client.properties");
    std::fs::write(&file, "request.timeout.ms=soon\n").expect("a file");
    let output = ottla()
        .args([
            "topics",
            "--list",
            "--bootstrap-server",
            "127.0.0.1:1",
            "--command-config",
        ])
        .arg(&file)
        .output()
        .expect("the binary");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("request.timeout.ms"), "{said}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = ottla()
        .args(["help", "topics"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    drop(child.stdout.take());
    let status = child.wait().expect("a status");
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("standard error")
        .read_to_string(&mut said)
        .expect("text");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}
