//! Transactions without a coordinator that would end them.

use std::sync::Arc;

use ottla_coordination::group::GroupRecord;
use ottla_log::{Log, LogConfig, Offsets, OpenInput, RealDisk, Timestamps};
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::WriteTxnMarkersRequest;
use ottla_protocol::messages::internal::{OffsetCommitKey, OffsetCommitValue};
use ottla_protocol::messages::write_txn_markers::request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{LeaderEpoch, Millis, Offset, ProducerEpoch, ProducerId};

use super::super::transaction_coordinator::Producer;
use super::{error, fetch, start, start_with};
use crate::testing::{TestServer, eventually};

/// Ends a producer's transaction in the partition of the offsets, as an administrator would.
pub(super) fn write_marker(
    server: &TestServer,
    producer_id: i64,
    epoch: i16,
    committed: bool,
) -> ErrorCode {
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
fn a_transaction_that_hangs_can_be_ended_from_outside() {
    let server = start_with(&[("transaction.partition.verification.enable", "false")]);
    let mut producer = Producer::new(&server, "tx");
    producer.sent_offset("t", 5);
    let (id, epoch) = (producer.producer_id, producer.epoch);
    assert_eq!(write_marker(&server, id, epoch, false), ErrorCode::None);
    assert_eq!(fetch(&server, "t", true), Ok(-1));
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
