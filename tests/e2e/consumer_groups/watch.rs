//! Watching groups, on a terminal and elsewhere.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::{Member, broker, groups, produce, read};
use crate::server::{Server, ottla, signal, terminate};
use crate::terminal;

fn watch(server: &Server, more: &[&str], stdout: Stdio) -> Child {
    ottla()
        .args([
            "consumer-groups",
            "--describe",
            "--group",
            "g",
            "--watch=100ms",
        ])
        .args(["--bootstrap-server", server.address()])
        .args(more)
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn each_round_is_a_line_where_nobody_looks_and_ctrl_c_is_a_good_end() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 4);
    let mut child = watch(&server, &[], Stdio::piped());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().expect("a line").unwrap();
    let head = next();
    assert!(head.starts_with("TIME "), "{head}");
    for _ in 0..3 {
        let line = next();
        let columns: Vec<&str> = line.split_whitespace().skip(1).collect();
        assert_eq!(columns[..6], ["g", "orders", "0", "4", "10", "6"], "{line}");
    }
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "");
}

#[test]
fn rates_and_the_time_to_catch_up_follow_what_happens() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 4);
    let mut child = watch(&server, &["--output", "json"], Stdio::piped());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("a line").unwrap();
        let mut moment: Value = serde_json::from_str(&line).unwrap();
        moment["groups"][0]["offsets"][0].take()
    };
    // Nobody reads, so nobody catches up.
    assert_eq!(next()["readPerSecond"], Value::Null);
    let second = next();
    assert_eq!(
        (&second["readPerSecond"], &second["catchUpMs"]),
        (&0.0.into(), &Value::Null)
    );
    assert!(second["timeLagMs"].as_u64().is_some(), "{second}");

    let member = Member::join(&server, "g", &[]);
    produce(&server, 10);
    let caught_up = loop {
        let row = next();
        if row["currentOffset"] == 20 && !row["memberId"].is_null() {
            break row;
        }
    };
    assert!(
        caught_up["readPerSecond"].as_f64() > Some(0.0),
        "{caught_up}"
    );
    assert!(
        caught_up["writtenPerSecond"].as_f64() > Some(0.0),
        "{caught_up}"
    );
    assert_eq!(
        (&caught_up["lag"], &caught_up["catchUpMs"]),
        (&0.into(), &0.into())
    );
    member.leave();
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_terminal_gets_a_page_that_is_redrawn_and_is_given_back() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 4);
    let (mut screen, terminal) = terminal::open();
    let mut child = watch(&server, &[], terminal.into());

    let mut shown = String::new();
    let mut read_until = |shown: &mut String, what: &str, times: usize| {
        let mut buffer = [0; 4096];
        while shown.matches(what).count() < times {
            let length = screen.read(&mut buffer).unwrap();
            shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    };
    // The other page, and twice from the top.
    read_until(&mut shown, "\x1b[H", 2);
    assert!(
        shown.starts_with("\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H"),
        "{shown:?}"
    );
    read_until(&mut shown, "g: Empty, 0 members; lag 6, ", 2);

    signal(&child, Signal::INT);
    read_until(&mut shown, "\x1b[?7h\x1b[?25h\x1b[?1049l", 1);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_broker_that_goes_away_meanwhile_is_waited_for() {
    let mut server = broker();
    produce(&server, 10);
    read(&server, "g", 4);
    let mut child = watch(&server, &[], Stdio::piped());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().expect("a head").unwrap();
    lines.next().expect("a line").unwrap();
    server.kill();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let complaint = said.next().expect("a complaint").unwrap();
    assert!(complaint.ends_with("; trying again."), "{complaint}");
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_group_that_is_deleted_meanwhile_is_said_once_and_watched_again_when_it_is_back() {
    let server = broker();
    produce(&server, 10);
    read(&server, "g", 4);
    let mut child = watch(&server, &[], Stdio::piped());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.next().expect("a head").unwrap();
    lines.next().expect("a line").unwrap();

    groups(&server, "--delete --group g");
    let complaint = said.next().expect("a complaint").unwrap();
    assert_eq!(complaint, "Group g not found; trying again.");
    read(&server, "g", 7);
    let is_back = |line: &str| line.split_whitespace().nth(4) == Some("7");
    assert!(lines.any(|line| is_back(&line.unwrap())));

    // Its offsets go with the topic, and then there is nothing to show.
    server.tool("topics --delete --topic orders");
    let nothing = said.next().expect("a word about it").unwrap();
    assert_eq!(nothing, "Group g reads nothing and has committed nothing.");
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(said.next().is_none(), "each was said once");
}
