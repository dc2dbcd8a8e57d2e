//! S-13: a batch of a coordinator's own topic is rotten. What it said is lost, and everything else the coordinator knows.

use std::fs;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::records::batches_of;

use super::groups::{commit, committed, member};
use super::topics::create_one;
use crate::testing::TestServer;

const ONE: [(&str, &str); 1] = [("offsets.topic.num.partitions", "1")];
const NOTHING: i64 = -1;

/// A server with offsets committed for three partitions, one batch each.
fn with_three_commits() -> TestServer {
    let server = TestServer::start(&ONE);
    let mut client = member(&server);
    create_one(&mut client, "t", 3);
    for partition in 0..3 {
        let committed = commit(&mut client, "t", partition, 10 + i64::from(partition));
        assert_eq!(committed, ErrorCode::None);
    }
    server
}

/// Turns a bit in the last byte of the second of the three commits.
fn damage(server: &TestServer) {
    let folder = server.dir.path().join("data/__consumer_offsets-0");
    let path = folder.join("00000000000000000000.log");
    let mut bytes = fs::read(&path).unwrap();
    let sizes: Vec<usize> = batches_of(&bytes.clone().into())
        .map_while(Result::ok)
        .map(|(header, _)| header.size_in_bytes())
        .collect();
    assert!(sizes.len() >= 3, "three batches at least");
    let last_of_second = bytes.len() - sizes[sizes.len() - 1] - 1;
    bytes[last_of_second] ^= 1;
    fs::write(&path, bytes).unwrap();
}

fn check(server: &TestServer) {
    let mut client = member(server);
    let found: Vec<i64> = (0..3).map(|p| committed(&mut client, "t", p)).collect();
    assert_eq!(found, [10, NOTHING, 12]);
    assert_eq!(commit(&mut client, "t", 1, 21), ErrorCode::None);
    assert_eq!(committed(&mut client, "t", 1), 21);
}

#[test]
fn a_batch_that_rots_after_a_clean_stop_takes_no_other_commits_with_it() {
    let mut server = with_three_commits();
    server.stop();
    damage(&server);
    check(&server.restarted(&ONE));
}

#[test]
fn a_broken_batch_that_recovery_keeps_takes_no_other_commits_with_it() {
    let mut server = with_three_commits();
    server.crash();
    damage(&server);
    let mut recovered = server.restarted(&ONE);
    check(&recovered);
    recovered.stop();
    let again = recovered.restarted(&ONE);
    let mut client = member(&again);
    let found: Vec<i64> = (0..3).map(|p| committed(&mut client, "t", p)).collect();
    assert_eq!(found, [10, 21, 12]);
}
