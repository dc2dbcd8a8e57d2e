//! Offsets that are committed with transactions, over the wire: when they show, who may send them, and what is left of
//! them after a restart.

use std::sync::Arc;

use ottla_coordination::group::GroupRecord;
use ottla_log::{Log, LogConfig, Offsets, OpenInput, RealDisk, Timestamps};
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::internal::{OffsetCommitKey, OffsetCommitValue};
use ottla_protocol::messages::offset_fetch::request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::write_txn_markers::request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use ottla_protocol::messages::{OffsetFetchRequest, WriteTxnMarkersRequest};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

use super::groups::member;
use crate::testing::{TestServer, eventually};

fn error(code: i16) -> ErrorCode {
    ErrorCode::from_code(code)
}

/// The committed offset of the first partition once the groups are loaded, or why there is none to be had.
fn fetch(server: &TestServer, topic: &str, require_stable: bool) -> Result<i64, ErrorCode> {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: "g".into(),
            topics: Some(vec![OffsetFetchRequestTopics {
                name: topic.into(),
                partition_indexes: vec![0],
                ..Default::default()
            }]),
            ..Default::default()
        }],
        require_stable,
        ..Default::default()
    };
    let mut client = server.connect();
    let mut found = None;
    eventually("the groups are loaded", || {
        let group = client.call(&request, 9).groups.remove(0);
        if error(group.error_code) == ErrorCode::CoordinatorLoadInProgress {
            return false;
        }
        assert_eq!(error(group.error_code), ErrorCode::None);
        let partition = &group.topics[0].partitions[0];
        found = Some(match error(partition.error_code) {
            ErrorCode::None => Ok(partition.committed_offset),
            error => Err(error),
        });
        true
    });
    found.expect("it was found")
}

/// With a topic and a coordinator of groups.
fn start() -> TestServer {
    let server = TestServer::start(&[("offsets.topic.num.partitions", "1")]);
    server.add_topic("t", 2);
    member(&server);
    server
}

/// Ends a producer's transaction in the partition of the offsets, as an administrator would.
fn write_marker(server: &TestServer, producer_id: i64, epoch: i16, committed: bool) -> ErrorCode {
    let request = WriteTxnMarkersRequest {
        markers: vec![WritableTxnMarker {
            producer_id,
            producer_epoch: epoch,
            transaction_result: committed,
            topics: vec![WritableTxnMarkerTopic {
                name: "__consumer_offsets".into(),
                partition_indexes: vec![0],
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut written = ErrorCode::NotLeaderOrFollower;
    eventually("the groups are loaded", || {
        let response = server.connect().call(&request, 1);
        written = error(response.markers[0].topics[0].partitions[0].error_code);
        written != ErrorCode::NotLeaderOrFollower
    });
    written
}

/// An offset that a producer has sent through another broker.
fn leave_open(server: &TestServer, producer_id: i64, offset: i64) {
    let record = GroupRecord::OffsetCommit {
        key: OffsetCommitKey {
            group: "g".into(),
            topic: "t".into(),
            partition: 0,
            ..Default::default()
        },
        value: Some(OffsetCommitValue {
            offset,
            expire_timestamp: -1,
            ..Default::default()
        }),
    };
    let (key, value) = record.encode();
    let mut builder = BatchBuilder::new(Compression::None)
        .producer(ProducerId(producer_id), ProducerEpoch(0), 0)
        .transactional(true);
    let now = crate::clock::now();
    builder
        .append(now, Some(&key), value.as_deref(), &[])
        .unwrap();
    let mut batch = builder.build().unwrap();
    let input = OpenInput {
        recovery_point: Offset(0),
        log_start: Offset(0),
        clean_shutdown: false,
    };
    let folder = server.dir.path().join("data/__consumer_offsets-0");
    let config = Arc::new(LogConfig::default());
    let (mut log, _) = Log::open(RealDisk::shared(), &folder, config, input, Millis(0)).unwrap();
    let offsets = Offsets::Assign {
        leader_epoch: LeaderEpoch(0),
    };
    log.append(&mut batch, offsets, Timestamps::Create, now)
        .unwrap();
    log.close().unwrap();
}

#[test]
fn what_another_broker_left_open_is_open_until_a_marker_ends_it() {
    for (committed, expected) in [(true, 5), (false, -1)] {
        let mut server = start();
        server.stop();
        leave_open(&server, 7, 5);
        let mut server = server.restarted(&[]);
        let unstable = Err(ErrorCode::UnstableOffsetCommit);
        assert_eq!(fetch(&server, "t", true), unstable);
        assert_eq!(fetch(&server, "t", false), Ok(-1));
        assert_eq!(write_marker(&server, 7, 0, committed), ErrorCode::None);
        assert_eq!(fetch(&server, "t", true), Ok(expected));
        server.crash();
        let server = server.restarted(&[]);
        assert_eq!(fetch(&server, "t", true), Ok(expected));
    }
}
