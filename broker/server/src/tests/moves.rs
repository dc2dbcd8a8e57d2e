//! AlterReplicaLogDirs: partitions move between log directories under load, and a crash on the way harms nothing.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::alter_partition_reassignments::request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::alter_replica_log_dirs::request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use ottla_protocol::messages::delete_records::request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use ottla_protocol::messages::list_partition_reassignments::request::ListPartitionReassignmentsTopics;
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, DeleteRecordsRequest,
    ListPartitionReassignmentsRequest,
};

use super::log_dirs::{Host, assigned, describe, produce_to};
use super::produce_fetch::{fetch, latest, produce};
use super::topics::create_one;
use super::transaction_coordinator::{Producer, aborted, code, reaches};
use crate::testing::{Client, TestServer, batch, eventually};

fn alter(client: &mut Client, host: &Host, to: &str, topic: &str) -> ErrorCode {
    let request = AlterReplicaLogDirsRequest {
        dirs: vec![AlterReplicaLogDir {
            path: host.path(to).display().to_string().into(),
            topics: vec![AlterReplicaLogDirTopic {
                name: topic.into(),
                partitions: vec![0],
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let result = client.call(&request, 2).results.remove(0);
    ErrorCode::from_code(result.partitions[0].error_code)
}

/// The name of the directory that holds partition 0 of a topic, and of the other one.
fn holder(server: &TestServer, host: &Host, topic: &str) -> (&'static str, &'static str) {
    let partition = server.broker().storage.topics.partition(topic, 0).unwrap();
    match partition.dir().path == host.path("a") {
        true => ("a", "b"),
        false => ("b", "a"),
    }
}

/// Waits until the partition lies in a directory, and the controller knows.
fn wait_for_move(server: &TestServer, host: &Host, to: &str, topic: &str) {
    let partition = server.broker().storage.topics.partition(topic, 0).unwrap();
    eventually("the partition has moved", || {
        partition.dir().path == host.path(to)
            && server.broker().moves.all().is_empty()
            && assigned(server, topic, 0) == partition.dir().id
    });
}

/// What DescribeLogDirs tells of a directory: for each partition whether it is on its way.
fn described(client: &mut Client, host: &Host, name: &str) -> Vec<bool> {
    let path = host.path(name).display().to_string();
    let results = describe(client).results;
    let dir = results
        .iter()
        .find(|dir| dir.log_dir == path.as_str())
        .unwrap();
    let partitions = dir.topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|partition| partition.is_future_key)
        .collect()
}

#[test]
fn a_partition_moves_while_producers_go_on() {
    let host = Host::new();
    let mut server = host.start(&["a", "b"]);
    server.add_topic_with("t", 1, &[("segment.bytes", "1048576")]);
    let mut client = server.connect();
    let large = "x".repeat(100_000);
    for _ in 0..40 {
        assert_eq!(
            produce(&mut client, "t", -1, batch(&[&large])).error_code,
            0
        );
    }
    let raised = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: "t".into(),
            partitions: vec![DeleteRecordsPartition {
                offset: 3,
                ..Default::default()
            }],
            ..Default::default()
        }],
        timeout_ms: 1000,
        ..Default::default()
    };
    client.call(&raised, 2);
    let (from, to) = holder(&server, &host, "t");
    let is_over = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let producer = scope.spawn(|| {
            let mut client = server.connect();
            let mut acknowledged = 40;
            while !is_over.load(Ordering::Relaxed) {
                let answer = produce(&mut client, "t", -1, batch(&[&large]));
                assert_eq!((answer.error_code, answer.base_offset), (0, acknowledged));
                acknowledged += 1;
            }
            acknowledged
        });
        assert_eq!(alter(&mut client, &host, to, "t"), ErrorCode::None);
        wait_for_move(&server, &host, to, "t");
        is_over.store(true, Ordering::Relaxed);
        producer.join().unwrap()
    });
    assert_eq!(described(&mut client, &host, to), [false]);
    assert!(described(&mut client, &host, from).is_empty());
    let has_all = |server: &TestServer| {
        let mut client = server.connect();
        assert_eq!(latest(&mut client, "t"), acknowledged);
        for offset in 3..acknowledged {
            let found = fetch(&mut client, "t", offset);
            assert_eq!(found.error_code, 0, "{offset}");
            assert_eq!(found.log_start_offset, 3);
            assert!(
                found
                    .records
                    .is_some_and(|records| !records.bytes().is_empty())
            );
        }
        assert_eq!(
            fetch(&mut client, "t", 2).error_code,
            ErrorCode::OffsetOutOfRange.code()
        );
    };
    has_all(&server);
    server.stop();
    assert_eq!(host.folders(to, "t"), ["t-0"]);
    assert!(
        host.folders(from, "t")
            .iter()
            .all(|name| name.ends_with("-delete"))
    );
    let server = host.start(&["a", "b"]);
    has_all(&server);
    assert_eq!(holder(&server, &host, "t").0, to);
}

#[test]
fn transactions_end_in_a_partition_that_moves_and_what_was_aborted_moves_along() {
    let host = Host::new();
    let mut server = host.start(&["a", "b"]);
    server.add_topic("t", 1);
    let mut producer = Producer::new(&server, "tx");
    let mut end = |committed| {
        let ended = producer.end(committed, 5);
        assert_eq!(code(ended.error_code), ErrorCode::None);
        producer.epoch = ended.producer_epoch;
        producer.sequence = 0;
        let mut sent = ErrorCode::ConcurrentTransactions;
        eventually("the transaction before has ended", || {
            sent = producer.send("t", "x", 12);
            sent != ErrorCode::ConcurrentTransactions
        });
        assert_eq!(sent, ErrorCode::None);
        producer.producer_id
    };
    // The first one has nothing to end, and begins the next.
    let id = end(false);
    end(false);
    let (_, to) = holder(&server, &host, "t");
    assert_eq!(
        alter(&mut server.connect(), &host, to, "t"),
        ErrorCode::None
    );
    end(false);
    wait_for_move(&server, &host, to, "t");
    end(false);
    reaches(&server, "tx", "Ongoing");
    let expected = [(id, 0), (id, 2), (id, 4)];
    assert_eq!(aborted(&server, "t"), expected);
    server.stop();
    let server = host.start(&["a", "b"]);
    assert_eq!(aborted(&server, "t"), expected);
}

#[test]
fn a_partition_that_was_never_used_moves_without_a_folder() {
    let host = Host::new();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    let (from, to) = holder(&server, &host, "t");
    assert_eq!(alter(&mut client, &host, to, "t"), ErrorCode::None);
    wait_for_move(&server, &host, to, "t");
    assert_eq!(produce_to(&mut client, "t", 0), ErrorCode::None);
    assert_eq!(host.folders(to, "t"), ["t-0"]);
    assert!(host.folders(from, "t").is_empty());
}

#[test]
fn what_cannot_be_moved_is_told_apart() {
    let host = Host::new();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    assert_eq!(produce_to(&mut client, "t", 0), ErrorCode::None);
    let (here, there) = holder(&server, &host, "t");
    let alter = |client: &mut Client, to, topic| alter(client, &host, to, topic);
    assert_eq!(alter(&mut client, "c", "t"), ErrorCode::LogDirNotFound);
    assert_eq!(
        alter(&mut client, here, "none"),
        ErrorCode::UnknownTopicOrPartition
    );
    assert_eq!(
        alter(&mut client, here, "t"),
        ErrorCode::None,
        "where it is"
    );
    let dirs = &server.broker().storage.dirs;
    let failing = dirs
        .of_partitions()
        .find(|dir| dir.path == host.path(there));
    if failing.is_some_and(|dir| dir.path == host.path("b")) {
        dirs.fail(failing.unwrap(), &"a test says so");
        assert_eq!(alter(&mut client, there, "t"), ErrorCode::KafkaStorageError);
    }
    assert_eq!(alter(&mut client, here, "t"), ErrorCode::None);
}

/// kafka-reassign-partitions asks what is under way, and sends the partition's own broker along with the directory.
#[test]
fn a_plan_for_the_brokers_that_have_the_partition_is_done_at_once() {
    let host = Host::new();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    let plan = |replicas: Option<Vec<i32>>| AlterPartitionReassignmentsRequest {
        topics: vec![ReassignableTopic {
            name: "t".into(),
            partitions: vec![ReassignablePartition {
                replicas,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut reassign = |replicas| {
        let answer = client.call(&plan(replicas), 1);
        assert_eq!(answer.error_code, 0);
        ErrorCode::from_code(answer.responses[0].partitions[0].error_code)
    };
    let node = server.broker().settings.node_id.0;
    assert_eq!(reassign(Some(vec![node])), ErrorCode::None);
    assert_eq!(
        reassign(Some(vec![node, node + 1])),
        ErrorCode::InvalidReplicaAssignment
    );
    assert_eq!(reassign(None), ErrorCode::NoReassignmentInProgress);
    for topics in [
        None,
        Some(vec![ListPartitionReassignmentsTopics {
            name: "t".into(),
            partition_indexes: vec![0],
            ..Default::default()
        }]),
    ] {
        let request = ListPartitionReassignmentsRequest {
            topics,
            ..Default::default()
        };
        let answer = client.call(&request, 0);
        assert_eq!((answer.error_code, answer.topics.len()), (0, 0));
    }
}

#[test]
fn naming_the_directory_where_it_lies_ends_a_move() {
    let host = Host::new();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    let large = "x".repeat(500_000);
    for _ in 0..20 {
        assert_eq!(produce(&mut client, "t", 1, batch(&[&large])).error_code, 0);
    }
    let (here, there) = holder(&server, &host, "t");
    assert_eq!(alter(&mut client, &host, there, "t"), ErrorCode::None);
    assert_eq!(alter(&mut client, &host, here, "t"), ErrorCode::None);
    eventually("the move is over", || {
        server.broker().moves.all().is_empty()
    });
    // It may have been through already.
    let (now, other) = holder(&server, &host, "t");
    eventually("no copy is left", || {
        host.folders(other, "t")
            .iter()
            .all(|name| name.ends_with("-delete"))
    });
    assert_eq!(
        host.folders(now, "t")
            .iter()
            .filter(|name| *name == "t-0")
            .count(),
        1
    );
    assert_eq!(latest(&mut client, "t"), 20);
}

#[test]
fn a_move_that_a_crash_interrupted_is_begun_again() {
    let host = Host::new();
    let mut server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    assert_eq!(produce_to(&mut client, "t", 0), ErrorCode::None);
    let (from, to) = holder(&server, &host, "t");
    server.crash();
    // As far as the copy had come: half a batch.
    let future = host
        .path(to)
        .join("t-0.00000000000000000000000000000001-future");
    fs::create_dir(&future).unwrap();
    let current = host.path(from).join("t-0");
    fs::copy(
        current.join("partition.metadata"),
        future.join("partition.metadata"),
    )
    .unwrap();
    let log = "00000000000000000000.log";
    let bytes = fs::read(current.join(log)).unwrap();
    fs::write(future.join(log), &bytes[..bytes.len() / 2]).unwrap();
    // And one of a topic that is gone.
    let stray = host
        .path(to)
        .join("gone-0.00000000000000000000000000000002-future");
    fs::create_dir(&stray).unwrap();

    let server = host.start(&["a", "b"]);
    wait_for_move(&server, &host, to, "t");
    let mut client = server.connect();
    assert_eq!(latest(&mut client, "t"), 1);
    assert_eq!(fetch(&mut client, "t", 0).error_code, 0);
    eventually("what was left is removed", || {
        !future.exists() && !stray.exists()
    });
    assert_eq!(host.folders(to, "t"), ["t-0"]);
}

#[test]
fn a_crash_between_the_two_renames_loses_nothing() {
    let host = Host::new();
    let mut server = host.start(&["a", "b"]);
    let mut client = server.connect();
    create_one(&mut client, "t", 1);
    assert_eq!(produce_to(&mut client, "t", 0), ErrorCode::None);
    let (_, to) = holder(&server, &host, "t");
    assert_eq!(alter(&mut client, &host, to, "t"), ErrorCode::None);
    wait_for_move(&server, &host, to, "t");
    server.stop();
    let whole = host.path(to).join("t-0");
    let future = host
        .path(to)
        .join("t-0.00000000000000000000000000000001-future");
    fs::rename(whole, &future).unwrap();
    let server = host.start(&["a", "b"]);
    let mut client = server.connect();
    assert_eq!(latest(&mut client, "t"), 1);
    assert_eq!(fetch(&mut client, "t", 0).error_code, 0);
    assert_eq!(holder(&server, &host, "t").0, to);
}
