//! Names that would like to be more than names.

use std::fs;
use std::process::Output;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::DescribeGroupsRequest;

use super::groups::{commit, server as coordinator};
use super::support::{Answer, answer, assert_well, framed};
use crate::requests::create_topic;
use crate::server::{Server, ottla};
use crate::wire::Wire;

fn topics(server: &Server, words: &[&str]) -> Output {
    let mut command = ottla();
    command
        .arg("topics")
        .args(words)
        .args(["--bootstrap-server", server.address()]);
    command.output().unwrap()
}

#[test]
fn p18_the_tool_refuses_names_that_are_no_topics_names() {
    let server = Server::start();
    let long = "x".repeat(250);
    for name in [".", "..", "a/b", "../up", "a b", "%2e%", "ü", "", &long] {
        let output = topics(&server, &["--create", "--topic", name]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name:?}: {said}");
        assert!(!said.trim().is_empty(), "{name:?} is refused in words");
    }
    let data = server.data();
    let beside = fs::read_dir(data.parent().unwrap()).unwrap();
    let mut names: Vec<_> = beside.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["data", "log", "ready"]);
    assert_eq!(server.tool("topics --list").trim(), "");
}

#[test]
fn p19_what_a_client_names_itself_cannot_write_lines_of_its_own() {
    let server = coordinator(&[]);
    let hostile = "\u{1b}[2J\nERROR forged line\r";
    create_topic(server.address(), "t", 1);

    // In the log: a header that names the client, then a request that is refused.
    let mut frame = vec![0, 3, 0, 9, 0, 0, 0, 7];
    frame.extend_from_slice(&u16::try_from(hostile.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(hostile.as_bytes());
    frame.extend_from_slice(&[0, 0xff, 0xff, 0xff, 0xff, 0x07]);
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    assert_eq!(
        answer(server.address(), &[&length[..], &frame[..]].concat()),
        Answer::Closed
    );

    // A group of that name, and what it says of itself.
    let mut client = Wire::connect(server.address()).unwrap();
    assert_eq!(commit(&mut client, hostile, "t", hostile), ErrorCode::None);
    let request = DescribeGroupsRequest {
        groups: vec![hostile.into()],
        ..Default::default()
    };
    assert_eq!(client.call(&request, 5).unwrap().groups.len(), 1);
    let shown = [
        server.tool("consumer-groups --list"),
        server.tool("consumer-groups --describe --all-groups"),
    ]
    .concat();
    assert!(shown.contains("forged"), "{shown:?}");
    assert!(!shown.contains(['\u{1b}', '\r']), "{shown:?}");
    assert!(!shown.contains("\nERROR"), "{shown:?}");
    let log = server.log();
    assert!(!log.contains('\u{1b}'), "{log:?}");
    assert!(
        !log.lines().any(|line| line.starts_with("ERROR forged")),
        "{log:?}"
    );
    assert_well(&server);
}

#[test]
fn p19_a_client_id_of_32_kib_is_taken_and_nowhere_repeated() {
    let server = Server::start();
    let long = "i".repeat(32_767);
    let mut header = Vec::new();
    header.extend_from_slice(&32_767i16.to_be_bytes());
    header.extend_from_slice(long.as_bytes());
    for body in [&[0u8, 0, 0, 0][..], &[0x7f, 0xff, 0xff, 0xff]] {
        let mut frame = framed(3, 1, false, &[]);
        frame.truncate(12);
        frame.extend_from_slice(&header);
        frame.extend_from_slice(body);
        let length = u32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        let is_answered = matches!(answer(server.address(), &frame), Answer::Reply(_));
        assert_eq!(is_answered, body[0] == 0);
    }
    let log = server.log();
    assert!(
        !log.contains(&"i".repeat(257)),
        "{} bytes of log",
        log.len()
    );
    assert_well(&server);
}

#[test]
fn p16_patterns_of_topics_take_linear_time_and_bounded_memory() {
    let server = Server::start();
    create_topic(server.address(), &"a".repeat(200), 1);
    let long = "(".repeat(100_000);
    for (pattern, is_taken) in [
        ("(a+)+$", true),
        ("(a|a)*b", true),
        ("((a{1000}){1000}){1000}", false),
        ("[a", false),
        (&long, false),
    ] {
        let shown: String = pattern.chars().take(30).collect();
        let output = topics(&server, &["--list", "--topic", pattern]);
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = if is_taken { 0 } else { 1 };
        assert_eq!(output.status.code(), Some(expected), "{shown}: {said}");
        assert!(!said.contains("panicked"), "{shown}: {said}");
        assert!(said.len() < 4_096, "{shown}: {} bytes", said.len());
    }
    assert_well(&server);
}
