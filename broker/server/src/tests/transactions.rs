//! What transactional producers have left on disk: readers of committed records stop before what is open and learn of
//! what was aborted, whatever has become of indexes and snapshots.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_log::{Log, LogConfig, Offsets, OpenInput, RealDisk, Timestamps, producer_snapshot};
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::describe_producers::request::TopicRequest;
use ottla_protocol::messages::describe_producers::response::PartitionResponse;
use ottla_protocol::messages::fetch::response::PartitionData;
use ottla_protocol::messages::list_offsets::request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::write_txn_markers::request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use ottla_protocol::messages::{
    DescribeProducersRequest, ListOffsetsRequest, WriteTxnMarkersRequest,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::records::batch::{TimestampType, patch_max_timestamp};
use ottla_protocol::records::control::{EndTxnMarker, Place};
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

use super::produce_fetch::{fetch_request, produce, values};
use super::topic_rules::delete_records;
use crate::testing::{TestServer, batch, eventually};

const READ_UNCOMMITTED: i8 = 0;
const READ_COMMITTED: i8 = 1;
const LATEST: i64 = -1;

fn record(producer: i64, sequence: i32, value: &str) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None)
        .producer(ProducerId(producer), ProducerEpoch(0), sequence)
        .transactional(true);
    builder
        .append(Millis(1), None, Some(value.as_bytes()), &[])
        .unwrap();
    builder.build().unwrap()
}

fn marker(producer: i64, committed: bool) -> Vec<u8> {
    let at = Place {
        base_offset: Offset(0),
        leader_epoch: LeaderEpoch(0),
        timestamp: Millis(1),
    };
    let marker = EndTxnMarker {
        committed,
        coordinator_epoch: 0,
    };
    marker
        .batch(at, ProducerId(producer), ProducerEpoch(0))
        .unwrap()
}

fn folder(server: &TestServer) -> PathBuf {
    server.dir.path().join("data/t-0")
}

/// A topic with one record, at offset 0, of a server that has stopped; then, in segments that begin at 1, 4 and (by its
/// time) 9, transactions of three producers as the reference would have written them:
///
/// | 1  | 2  | 3       | 4  | 5        | 6  | 7       | 8  | 9       |
/// |----|----|---------|----|----------|----|---------|----|---------|
/// | 7a | 8a | 7 abort | 7b | 7 commit | 8b | 8 abort | 9a | outside |
fn stopped_server_with_transactions() -> TestServer {
    let mut server = TestServer::start(&[]);
    server.add_topic("t", 1);
    produce(&mut server.connect(), "t", -1, batch(&["first"]));
    server.stop();
    let input = OpenInput {
        recovery_point: Offset(1),
        log_start: Offset(0),
        clean_shutdown: true,
    };
    let config = Arc::new(LogConfig::default());
    let disk = RealDisk::shared();
    let (mut log, _) = Log::open(disk, &folder(&server), config, input, Millis(0)).unwrap();
    let mut write = |batches: Vec<Vec<u8>>| {
        log.roll(Millis(0)).unwrap();
        for mut batch in batches {
            let offsets = Offsets::Assign {
                leader_epoch: LeaderEpoch(0),
            };
            log.append(&mut batch, offsets, Timestamps::Create, Millis(0))
                .unwrap();
        }
    };
    write(vec![
        record(7, 0, "7a"),
        record(8, 0, "8a"),
        marker(7, false),
    ]);
    write(vec![
        record(7, 1, "7b"),
        marker(7, true),
        record(8, 1, "8b"),
        marker(8, false),
        record(9, 0, "9a"),
        batch(&["outside"]).to_vec(),
    ]);
    log.close().unwrap();
    server
}

fn fetch(server: &TestServer, offset: i64, isolation_level: i8) -> PartitionData {
    let request = ottla_protocol::messages::FetchRequest {
        isolation_level,
        ..fetch_request("t", offset, 0, 0)
    };
    let response = server.connect().call(&request, 12);
    response.responses[0].partitions[0].clone()
}

fn aborted(data: &PartitionData) -> Vec<(i64, i64)> {
    let aborted = data.aborted_transactions.iter().flatten();
    aborted
        .map(|txn| (txn.producer_id, txn.first_offset))
        .collect()
}

fn list_offset(server: &TestServer, isolation_level: i8, timestamp: i64) -> i64 {
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level,
        topics: vec![ListOffsetsTopic {
            name: "t".into(),
            partitions: vec![ListOffsetsPartition {
                timestamp,
                current_leader_epoch: -1,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = server.connect().call(&request, 7);
    response.topics[0].partitions[0].offset
}

fn check_reads(server: &TestServer) {
    let first = fetch(server, 1, READ_COMMITTED);
    assert_eq!((first.last_stable_offset, first.high_watermark), (8, 10));
    assert_eq!(aborted(&first), [(7, 1), (8, 2)]);
    let second = fetch(server, 4, READ_COMMITTED);
    assert_eq!(aborted(&second), [(8, 2)]);
    let read: Vec<_> = values(&second).into_iter().map(|(at, _)| at).collect();
    assert_eq!(
        read.last(),
        Some(&7),
        "nothing from the open transaction on"
    );
    assert_eq!(values(&fetch(server, 8, READ_COMMITTED)), []);
    let all = fetch(server, 8, READ_UNCOMMITTED);
    assert_eq!(
        (all.last_stable_offset, all.aborted_transactions),
        (8, None)
    );
    let last = values(&fetch(server, 9, READ_UNCOMMITTED)).pop();
    assert_eq!(last, Some((9, "outside".to_owned())));
    assert_eq!(list_offset(server, READ_COMMITTED, LATEST), 8);
    assert_eq!(list_offset(server, READ_UNCOMMITTED, LATEST), 10);
    // The only record that young is behind the open transaction.
    let young = crate::clock::now().0 - 60_000;
    assert_eq!(list_offset(server, READ_COMMITTED, young), 0);
}

#[test]
fn readers_of_committed_records_stop_before_what_is_open_and_learn_of_what_was_aborted() {
    let server = stopped_server_with_transactions();
    // No index of aborted transactions was written: the first reader has them made.
    let mut server = server.restarted(&[]);
    check_reads(&server);
    let indexes = [1, 4].map(|base| folder(&server).join(format!("{base:020}.txnindex")));
    let written = indexes.each_ref().map(|path| fs::read(path).unwrap());
    server.stop();
    let at_end = producer_snapshot::read(&*RealDisk::shared(), &folder(&server), Offset(10));
    let open: Vec<_> = producer_snapshot::last_of_each(&at_end.unwrap())
        .values()
        .map(|entry| (entry.producer_id.0, entry.current_txn_first_offset.0))
        .collect();
    assert_eq!(open, [(7, -1), (8, -1), (9, 8)]);
    // With a snapshot at the end nothing is read again, and the indexes are believed.
    server = server.restarted(&[]);
    check_reads(&server);
    server.stop();
    for (path, written) in indexes.iter().zip(&written) {
        assert_eq!(&fs::read(path).unwrap(), written);
    }
    drop(server);
}

/// S-14, `.txnindex` before a sound snapshot: the same answers, and the same files afterwards.
#[test]
fn an_index_of_aborted_transactions_that_could_be_right_and_is_not_is_made_anew() {
    let mut server = stopped_server_with_transactions().restarted(&[]);
    check_reads(&server);
    server.stop();
    let folder = folder(&server);
    let index = |base: i64| folder.join(format!("{base:020}.txnindex"));
    let sums = folder.join("txn-index-checkpoint");
    let sound = [index(1), index(4), sums.clone()].map(|path| (fs::read(&path).unwrap(), path));
    let first = &sound[0].0;
    let of_another_producer = [&first[..9], &[8], &first[10..]].concat();
    let begun_later = [&first[..17], &[2], &first[18..]].concat();
    let made_up = [&first[..25], &[9], &first[26..33], &[9]].concat();
    let damages: [&dyn Fn() -> std::io::Result<()>; 7] = [
        &|| fs::remove_file(index(1)),
        &|| fs::remove_file(index(1)).and_then(|()| fs::remove_file(index(4))),
        &|| fs::write(index(1), b""),
        &|| fs::write(index(1), &of_another_producer),
        &|| fs::write(index(1), &begun_later),
        &|| fs::write(index(9), &made_up),
        &|| fs::write(&sums, b"garbage"),
    ];
    for (i, damage) in damages.iter().enumerate() {
        damage().unwrap();
        server = server.restarted(&[]);
        check_reads(&server);
        server.stop();
        for (bytes, path) in &sound {
            assert_eq!(&fs::read(path).unwrap(), bytes, "damage {i}");
        }
        assert!(!index(9).exists(), "damage {i}");
    }
}

/// S-14, `.txnindex` and `.snapshot`: the same answers, and the same files afterwards.
#[test]
fn damaged_indexes_of_aborted_transactions_are_made_anew() {
    let mut server = stopped_server_with_transactions().restarted(&[]);
    check_reads(&server);
    server.stop();
    let indexes = [1, 4].map(|base| folder(&server).join(format!("{base:020}.txnindex")));
    let sound = indexes.each_ref().map(|path| fs::read(path).unwrap());
    let version = [&[7], &sound[0][1..]].concat();
    let outside = [&sound[0][..25], &[200], &sound[0][26..]].concat();
    for damage in [&sound[0][..20], &version, &outside, &[0xff; 68]] {
        fs::write(&indexes[0], damage).unwrap();
        server = server.restarted(&[]);
        check_reads(&server);
        server.stop();
        assert_eq!(fs::read(&indexes[0]).unwrap(), sound[0]);
    }
    // Without a snapshot everything is read again, so that a missing one is noticed, too.
    for path in fs::read_dir(folder(&server)).unwrap() {
        let path = path.unwrap().path();
        let name = path.to_string_lossy();
        if name.ends_with(".snapshot") || name.ends_with(".txnindex") {
            fs::remove_file(&path).unwrap();
        }
    }
    server = server.restarted(&[]);
    check_reads(&server);
    server.stop();
    for (path, sound) in indexes.iter().zip(&sound) {
        assert_eq!(&fs::read(path).unwrap(), sound);
    }
}

#[test]
fn after_a_crash_transactions_are_as_before() {
    let mut server = stopped_server_with_transactions().restarted(&[]);
    check_reads(&server);
    server.crash();
    server = server.restarted(&[]);
    // Nothing is shown before it is on disk, and no transaction counts as decided before its marker is.
    let at_once = fetch(&server, 1, READ_COMMITTED);
    assert!(at_once.last_stable_offset <= at_once.high_watermark);
    assert_eq!(list_offset(&server, READ_UNCOMMITTED, LATEST), 10);
    check_reads(&server);
}

fn describe_producers(server: &TestServer, topic: &str) -> PartitionResponse {
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: topic.into(),
            partition_indexes: vec![0],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = server.connect().call(&request, 0);
    response.topics[0].partitions[0].clone()
}

/// As `kafka-transactions.sh --abort` does, for two partitions of which one does not exist.
fn abort(server: &TestServer, producer_id: i64, producer_epoch: i16) -> Vec<ErrorCode> {
    let request = WriteTxnMarkersRequest {
        markers: vec![WritableTxnMarker {
            producer_id,
            producer_epoch,
            transaction_result: false,
            coordinator_epoch: 0,
            topics: vec![WritableTxnMarkerTopic {
                name: "t".into(),
                partition_indexes: vec![0, 1],
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = server.connect().call(&request, 1);
    let marker = &response.markers[0];
    assert_eq!(marker.producer_id, producer_id);
    let partitions = marker.topics[0].partitions.iter();
    let codes = partitions.map(|partition| ErrorCode::from_code(partition.error_code));
    codes.collect()
}

#[test]
fn a_transaction_that_hangs_can_be_found_and_ended() {
    let server = stopped_server_with_transactions().restarted(&[]);
    let found = describe_producers(&server, "t");
    let open = |found: &PartitionResponse| {
        let producers = found.active_producers.iter();
        let open = producers.filter(|producer| producer.current_txn_start_offset >= 0);
        open.map(|producer| (producer.producer_id, producer.current_txn_start_offset))
            .collect::<Vec<_>>()
    };
    assert_eq!(found.active_producers.len(), 3);
    assert_eq!(open(&found), [(9, 8)]);
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(
        abort(&server, 9, -1),
        [ErrorCode::InvalidProducerEpoch, unknown]
    );
    assert_eq!(abort(&server, 9, 0), [ErrorCode::None, unknown]);
    assert_eq!(open(&describe_producers(&server, "t")), []);
    let read = fetch(&server, 8, READ_COMMITTED);
    assert_eq!((read.last_stable_offset, read.high_watermark), (11, 11));
    assert_eq!(aborted(&read), [(9, 8)]);
    let behind = values(&fetch(&server, 9, READ_COMMITTED));
    assert_eq!(behind.first(), Some(&(9, "outside".to_owned())));
    assert_eq!(abort(&server, -1, 0), [ErrorCode::InvalidRequest, unknown]);
    let code = |topic| ErrorCode::from_code(describe_producers(&server, topic).error_code);
    assert_eq!(code("nobody's"), ErrorCode::InvalidTopicException);
    assert_eq!(code("nowhere"), unknown);
}

#[test]
fn a_partition_without_producers_leaves_an_empty_snapshot_at_its_end() {
    let mut server = TestServer::start(&[]);
    server.add_topic("t", 1);
    produce(&mut server.connect(), "t", 1, batch(&["x"]));
    server.stop();
    let snapshot = |at| producer_snapshot::read(&*RealDisk::shared(), &folder(&server), Offset(at));
    assert_eq!(snapshot(1).unwrap(), []);
}

fn idempotent(timestamp: Millis) -> Vec<u8> {
    let (id, epoch) = (ProducerId(7), ProducerEpoch(0));
    let mut builder = BatchBuilder::new(Compression::None).producer(id, epoch, 0);
    builder.append(timestamp, None, Some(b"x"), &[]).unwrap();
    builder.build().unwrap()
}

/// Up to the high watermark, also what is not stable: the last stable offset never stands before the log's start.
#[test]
fn records_of_an_open_transaction_can_be_deleted() {
    let server = stopped_server_with_transactions().restarted(&[]);
    check_reads(&server);
    let deleted = |before| delete_records(&mut server.connect(), "t", before).0;
    assert_eq!(deleted(9), ErrorCode::None);
    assert_eq!(list_offset(&server, READ_COMMITTED, LATEST), 9);
    assert_eq!(values(&fetch(&server, 9, READ_COMMITTED)), []);
    assert_eq!(deleted(-1), ErrorCode::None);
    assert_eq!(list_offset(&server, READ_COMMITTED, LATEST), 10);
    assert_eq!(deleted(11), ErrorCode::OffsetOutOfRange);
    produce(&mut server.connect(), "t", -1, batch(&["later"]));
    // The transaction is open still.
    assert_eq!(values(&fetch(&server, 10, READ_COMMITTED)), []);
    assert_eq!(abort(&server, 9, 0)[0], ErrorCode::None);
    let read = fetch(&server, 10, READ_COMMITTED);
    assert_eq!(values(&read)[0], (10, "later".to_owned()));
    assert_eq!(read.last_stable_offset, 12);
}

/// The state in memory went by the header, and the state after a restart by the records: it forgot producers sooner.
#[test]
fn what_a_producer_claims_about_time_is_not_remembered() {
    let server = TestServer::start(&[]);
    server.add_topic("t", 1);
    let mut lying = idempotent(Millis(5));
    patch_max_timestamp(&mut lying, TimestampType::CreateTime, Millis(1 << 50));
    produce(&mut server.connect(), "t", -1, lying.into());
    let producers = describe_producers(&server, "t").active_producers;
    assert_eq!(producers[0].last_timestamp, 5);
}

#[test]
fn producers_are_forgotten_as_soon_as_a_new_configuration_says_so() {
    let server = TestServer::start(&[("log.retention.check.interval.ms", "10")]);
    server.add_topic("t", 1);
    produce(
        &mut server.connect(),
        "t",
        -1,
        idempotent(crate::clock::now()).into(),
    );
    let producers = || describe_producers(&server, "t").active_producers;
    assert_eq!(producers().len(), 1);
    server.set_broker_config("producer.id.expiration.ms", "1");
    eventually("the producer is forgotten", || producers().is_empty());
}
