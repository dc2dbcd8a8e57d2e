//! The doctor names the hop that fails.

mod brokers;
mod round_trip;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bad_endpoints::{bound, busy};
use crate::server::{Server, ottla};
use crate::tools::answering;

/// What the doctor says of an address, and its exit status.
fn examined(words: &[&str]) -> (Value, Option<i32>) {
    let output = run(words);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("{error}: {said}")
    });
    (report, output.status.code())
}

fn run(words: &[&str]) -> Output {
    ottla()
        .args(["doctor", "--output", "json"])
        .args(words)
        .output()
        .expect("the binary")
}

fn findings(report: &Value) -> impl Iterator<Item = (&str, &str, String)> {
    let findings = report["findings"].as_array().expect("an array").iter();
    findings.map(|finding| {
        let text = |key: &str| finding[key].as_str().expect("text");
        (text("hop"), text("verdict"), finding.to_string())
    })
}

/// The one hop that fails at an address, and what is said about it.
fn failing(address: &str) -> (String, String) {
    failing_with(&["--bootstrap-server", address])
}

fn failing_with(words: &[&str]) -> (String, String) {
    let begun = Instant::now();
    let (report, status) = examined(words);
    assert_eq!((status, &report["healthy"]), (Some(1), &Value::Bool(false)));
    assert!(begun.elapsed() < Duration::from_secs(20), "{report}");
    let failed: Vec<_> = findings(&report)
        .filter(|(_, verdict, _)| *verdict == "failed")
        .collect();
    let [(hop, _, finding)] = failed.as_slice() else {
        panic!("{failed:#?}");
    };
    for finding in report["findings"].as_array().expect("an array") {
        let took = finding["tookMs"].as_f64().expect("a number");
        assert!(took < 5000.0, "{finding}");
        let is_well = matches!(finding["verdict"].as_str(), Some("ok" | "skipped"));
        assert!(is_well || finding["advice"].is_string(), "{finding}");
    }
    ((*hop).to_owned(), finding.clone())
}

/// The hop that is only warned of, of a cluster that is well.
fn warned_of(address: &str) -> (String, String) {
    let (report, status) = examined(&["--bootstrap-server", address]);
    assert_eq!((status, &report["healthy"]), (Some(0), &Value::Bool(true)));
    let mut warnings = findings(&report).filter(|(_, verdict, _)| *verdict == "warning");
    let (hop, _, finding) = warnings.next().expect("a warning");
    assert!(finding.contains("\"advice\":\""), "{finding}");
    (hop.to_owned(), finding)
}

#[test]
fn a_healthy_broker_is_walked_to_and_back_and_nothing_is_left() {
    let server = Server::start();
    let (report, status) = examined(&["--bootstrap-server", server.address(), "--round-trip"]);
    assert_eq!(status, Some(0), "{report:#}");
    let hops: Vec<(&str, &str)> = findings(&report)
        .filter(|(_, verdict, _)| *verdict == "ok")
        .map(|(hop, verdict, _)| (hop, verdict))
        .collect();
    for hop in [
        "name",
        "tcp",
        "protocol",
        "api-versions",
        "authentication",
        "metadata",
        "controller",
        "advertised",
        "round-trip",
    ] {
        assert!(hops.contains(&(hop, "ok")), "{hop} in {report:#}");
    }
    // Whether there is space, and how many descriptors, is the machine's affair; both were looked at.
    for hop in ["disk", "limits"] {
        let seen = findings(&report).any(|(seen, verdict, _)| seen == hop && verdict != "failed");
        assert!(seen, "{hop} in {report:#}");
    }
    assert_eq!(server.tool("topics --list"), "\n");
}

#[test]
fn a_dead_port_fails_at_tcp() {
    let (_socket, address) = bound();
    let (hop, finding) = failing(&address);
    assert!(
        hop == "tcp" && finding.contains("start the broker"),
        "{finding}"
    );
}

#[test]
fn an_address_that_takes_no_connection_fails_at_tcp() {
    let (_busy, address) = busy();
    let (hop, finding) = failing(&address);
    assert!(
        hop == "tcp" && finding.contains("no answer") && finding.contains("firewalls"),
        "{finding}"
    );
}

#[test]
fn what_is_no_kafka_in_plain_text_fails_at_the_protocol() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = silent
        .local_addr()
        .map(|address| (silent, address))
        .expect("an address");
    for (address, word) in [
        (silent.1.to_string(), "no answer"),
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "HTTP"),
        (answering(&[0x15, 3, 3, 0, 2, 2, 70]), "TLS"),
        (answering(b"SSH-2.0-OpenSSH_9.6\r\n"), "SSH-2.0"),
        (answering(b""), "closed the connection"),
    ] {
        let (hop, finding) = failing(&address);
        assert!(hop == "protocol" && finding.contains(word), "{finding}");
    }
}

#[test]
fn a_name_that_nobody_knows_and_one_without_port_fail_at_the_name() {
    for address in ["no.such.host.invalid:9092", "nonsense"] {
        assert_eq!(failing(address).0, "name", "{address}");
    }
}

#[test]
fn a_broker_that_is_too_old_fails_at_the_api_versions() {
    let address = old_broker(&[(3, 0, 0), (18, 0, 0)], false);
    let (hop, finding) = failing(&address);
    assert!(
        hop == "api-versions" && finding.contains("Produce"),
        "{finding}"
    );
}

#[test]
fn a_broker_that_hangs_up_at_the_first_request_fails_at_the_authentication() {
    let apis = [
        (0, 0, 13),
        (1, 0, 18),
        (2, 0, 11),
        (3, 0, 13),
        (10, 0, 6),
        (18, 0, 0),
    ];
    let (hop, finding) = failing(&old_broker(&apis, true));
    assert!(
        hop == "authentication" && finding.contains("SASL"),
        "{finding}"
    );
}

#[test]
fn an_address_that_is_advertised_and_leads_nowhere_is_named_with_its_broker() {
    for listener in ["127.0.0.1:1", "no.such.host.invalid:9092"] {
        let set = format!("advertised.listeners=PLAINTEXT://{listener}");
        let server = Server::with(&["--override", &set], &[]);
        let (hop, finding) = failing(server.address());
        let named =
            finding.contains(listener) && finding.contains("advertised.listeners of broker 1");
        assert!(hop == "advertised" && named, "{finding}");
    }
}

#[test]
fn what_the_client_does_not_speak_is_said_and_the_way_is_walked_all_the_same() {
    let server = Server::start();
    let folder = tempfile::TempDir::new().expect("a directory");
    let file = folder.path().join("client.properties");
    for protocol in ["SASL_SSL", "SSL", "SASL_PLAINTEXT"] {
        std::fs::write(&file, format!("security.protocol: {protocol}\n")).expect("a file");
        let config = file.to_str().expect("a plain path");
        let words = [
            "--bootstrap-server",
            server.address(),
            "--command-config",
            config,
        ];
        let (hop, finding) = failing_with(&words);
        let named = format!("security.protocol={protocol} is not spoken");
        assert!(
            hop == "authentication" && finding.contains(&named),
            "{finding}"
        );
        assert!(
            finding.contains("the broker speaks plain text there"),
            "{finding}"
        );
        let (report, _) = examined(&words);
        assert!(findings(&report).any(|(hop, verdict, _)| (hop, verdict) == ("advertised", "ok")));
    }
}

#[test]
fn people_read_the_same_with_what_to_do_below_it() {
    let (_socket, address) = bound();
    let output = ottla()
        .args(["doctor", "--bootstrap-server", &address])
        .output()
        .expect("the binary");
    let said = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<&str> = said.lines().collect();
    let [_, failed, advice, end] = lines.as_slice() else {
        panic!("{said}")
    };
    assert!(failed.starts_with("failed  tcp  "), "{said}");
    assert!(
        advice.starts_with("        -> nothing listens there: start the broker"),
        "{said}"
    );
    assert_eq!(*end, format!("Not healthy: tcp of {address}."));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_wrong_option_is_usage() {
    assert_eq!(run(&["--frobnicate"]).status.code(), Some(2));
    assert_eq!(run(&["--topic", "t"]).status.code(), Some(2));
}

/// A broker that speaks these versions of these APIs, ApiVersions only in version 0, and hangs up at anything else.
fn old_broker(apis: &[(i16, i16, i16)], hangs_up: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let apis = apis.to_vec();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let apis = apis.clone();
            std::thread::spawn(move || answer(stream, &apis, hangs_up));
        }
    });
    address
}

fn answer(mut stream: TcpStream, apis: &[(i16, i16, i16)], hangs_up: bool) -> Option<()> {
    const API_VERSIONS: i16 = 18;
    const UNSUPPORTED_VERSION: i16 = 35;
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).ok()?];
        stream.read_exact(&mut frame).ok()?;
        let number = |at: usize| Some(i16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
        if number(0)? != API_VERSIONS {
            assert!(hangs_up, "an API that was not offered was asked");
            return None;
        }
        let error = if number(2)? == 0 {
            0
        } else {
            UNSUPPORTED_VERSION
        };
        let mut body = frame.get(4..8)?.to_vec();
        body.extend(error.to_be_bytes());
        body.extend(i32::try_from(apis.len()).ok()?.to_be_bytes());
        for (key, min, max) in apis {
            for number in [key, min, max] {
                body.extend(number.to_be_bytes());
            }
        }
        stream
            .write_all(&u32::try_from(body.len()).ok()?.to_be_bytes())
            .ok()?;
        stream.write_all(&body).ok()?;
    }
}
