//! Offsets that are committed with transactions, over the wire: when they show, who may send them, and what is left of
//! them after a restart.

mod hanging;

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::offset_fetch::request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::txn_offset_commit::request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use ottla_protocol::messages::{
    AddOffsetsToTxnRequest, OffsetFetchRequest, TxnOffsetCommitRequest,
};
use ottla_protocol::records::batches_of;

use super::groups::{commit, member};
use super::produce_fetch::fetch_request;
use super::transaction_coordinator::{NEW_END, OLD_END, Producer, reaches};
use crate::testing::{Client, TestServer, eventually};

/// Before the partition of the offsets became part of the transaction by itself.
const OLD: i16 = 4;
pub(super) const NEW: i16 = 5;
/// Before TRANSACTION_ABORTABLE.
const OLDER: i16 = 3;

fn error(code: i16) -> ErrorCode {
    ErrorCode::from_code(code)
}

pub(super) fn sent_topic(name: &str, partitions: &[(i32, i64)]) -> TxnOffsetCommitRequestTopic {
    let partition = |(index, offset): &(i32, i64)| TxnOffsetCommitRequestPartition {
        partition_index: *index,
        committed_offset: *offset,
        committed_metadata: Some("note".into()),
        ..Default::default()
    };
    TxnOffsetCommitRequestTopic {
        name: name.into(),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    }
}

impl Producer {
    pub(super) fn send_request(
        &self,
        topics: Vec<TxnOffsetCommitRequestTopic>,
    ) -> TxnOffsetCommitRequest {
        TxnOffsetCommitRequest {
            transactional_id: self.id.as_str().into(),
            group_id: "g".into(),
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            topics,
            ..Default::default()
        }
    }

    fn send_offsets(
        &mut self,
        topics: Vec<TxnOffsetCommitRequestTopic>,
        version: i16,
    ) -> Vec<(String, i32, ErrorCode)> {
        let request = self.send_request(topics);
        results(&mut self.client, &request, version)
    }

    /// One offset of the first partition.
    pub(super) fn send_offset(&mut self, topic: &str, offset: i64, version: i16) -> ErrorCode {
        let sent = self.send_offsets(vec![sent_topic(topic, &[(0, offset)])], version);
        sent[0].2
    }

    fn sent_offset(&mut self, topic: &str, offset: i64) {
        assert_eq!(self.send_offset(topic, offset, OLD), ErrorCode::None);
    }

    pub(crate) fn added_offsets(&mut self) {
        let request = AddOffsetsToTxnRequest {
            transactional_id: self.id.as_str().into(),
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            group_id: "g".into(),
            ..Default::default()
        };
        let mut added = ErrorCode::ConcurrentTransactions;
        eventually("the transaction before has ended", || {
            added = error(self.client.call(&request, 4).error_code);
            added != ErrorCode::ConcurrentTransactions
        });
        assert_eq!(added, ErrorCode::None);
    }
}

fn results(
    client: &mut Client,
    request: &TxnOffsetCommitRequest,
    version: i16,
) -> Vec<(String, i32, ErrorCode)> {
    let response = client.call(request, version);
    let results = response.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(|partition| {
            let error = error(partition.error_code);
            (topic.name.to_string(), partition.partition_index, error)
        })
    });
    results.collect()
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

/// The offset that counts when nothing may replace it any more.
pub(super) fn stable(server: &TestServer, topic: &str) -> i64 {
    let mut found = Err(ErrorCode::UnstableOffsetCommit);
    eventually("no transaction is open", || {
        found = fetch(server, topic, true);
        found != Err(ErrorCode::UnstableOffsetCommit)
    });
    found.expect("a stable offset")
}

fn start() -> TestServer {
    start_with(&[])
}

/// With a topic and a coordinator of groups.
fn start_with(settings: &[(&str, &str)]) -> TestServer {
    let few = [
        ("offsets.topic.num.partitions", "1"),
        ("transaction.state.log.num.partitions", "2"),
    ];
    let server = TestServer::start(&[&few, settings].concat());
    server.add_topic("t", 2);
    member(&server);
    server
}

#[test]
fn offsets_of_a_transaction_count_from_its_commit_on() {
    let server = start();
    let mut client = server.connect();
    assert_eq!(commit(&mut client, "t", 0, 1), ErrorCode::None);
    let mut producer = Producer::new(&server, "tx");
    producer.added_offsets();
    producer.sent_offset("t", 5);
    assert_eq!(fetch(&server, "t", false), Ok(1));
    assert_eq!(
        fetch(&server, "t", true),
        Err(ErrorCode::UnstableOffsetCommit)
    );
    producer.ended(true);
    assert_eq!(stable(&server, "t"), 5);
}

#[test]
fn offsets_of_an_aborted_transaction_never_count() {
    let server = start();
    let mut producer = Producer::new(&server, "tx");
    producer.added_offsets();
    producer.sent_offset("t", 5);
    producer.ended(false);
    assert_eq!(stable(&server, "t"), -1);
    producer.added_offsets();
    producer.sent_offset("t", 6);
    producer.ended(true);
    assert_eq!(stable(&server, "t"), 6);
}

#[test]
fn a_younger_commit_is_not_undone_by_the_end_of_a_transaction() {
    let server = start();
    let mut client = server.connect();
    let mut producer = Producer::new(&server, "tx");
    producer.added_offsets();
    producer.sent_offset("t", 5);
    assert_eq!(commit(&mut client, "t", 0, 9), ErrorCode::None);
    producer.ended(true);
    assert_eq!(stable(&server, "t"), 9);
}

/// Sends an offset until the coordinator has written down how the transaction before has ended.
fn settled_offset(producer: &mut Producer, offset: i64) -> ErrorCode {
    let mut sent = ErrorCode::ConcurrentTransactions;
    eventually("the transaction before has ended", || {
        sent = producer.send_offset("t", offset, NEW);
        sent != ErrorCode::ConcurrentTransactions
    });
    sent
}

#[test]
fn offsets_become_part_of_a_transaction_by_being_sent() {
    let server = start();
    let mut producer = Producer::new(&server, "tx");
    for offset in [5, 6] {
        let sent = settled_offset(&mut producer, offset);
        assert_eq!(sent, ErrorCode::None);
        assert_eq!(
            fetch(&server, "t", true),
            Err(ErrorCode::UnstableOffsetCommit)
        );
        let ended = producer.end(true, NEW_END);
        assert_eq!(error(ended.error_code), ErrorCode::None);
        assert_eq!(stable(&server, "t"), offset);
        // What comes late of the transaction that has ended is told by its epoch.
        let late = settled_offset(&mut producer, 99);
        assert_eq!(late, ErrorCode::InvalidProducerEpoch);
        producer.epoch = ended.producer_epoch;
    }
}

#[test]
fn clients_of_old_have_to_add_the_offsets_to_the_transaction_before() {
    let server = start();
    let mut producer = Producer::new(&server, "tx");
    assert_eq!(
        producer.send_offset("t", 5, OLDER),
        ErrorCode::InvalidTxnState
    );
    assert_eq!(
        producer.send_offset("t", 5, OLD),
        ErrorCode::TransactionAbortable
    );
    producer.added_offsets();
    producer.sent_offset("t", 5);
    producer.ended(true);
    reaches(&server, "tx", "CompleteCommit");
    assert_eq!(
        producer.send_offset("t", 6, OLD),
        ErrorCode::TransactionAbortable
    );
    assert_eq!(stable(&server, "t"), 5);
}

/// As many questions as Kafka asks: one for the first offsets of a transaction.
#[test]
fn a_transaction_that_is_open_where_the_offsets_are_needs_no_question() {
    let server = start();
    let mut open = Producer::new(&server, "open");
    let mut other = Producer::new(&server, "other");
    open.added_offsets();
    open.sent_offset("t", 5);
    other.added_offsets();
    server.broker().transactions.close();
    for version in [OLDER, OLD, NEW] {
        let offset = i64::from(version);
        assert_eq!(open.send_offset("t", offset, version), ErrorCode::None);
        assert_eq!(
            other.send_offset("t", 9, version),
            ErrorCode::NotCoordinator
        );
    }
    let (id, epoch) = (open.producer_id, open.epoch);
    assert_eq!(
        hanging::write_marker(&server, id, epoch, true),
        ErrorCode::None
    );
    assert_eq!(stable(&server, "t"), i64::from(NEW));
    for version in [OLDER, OLD, NEW] {
        assert_eq!(open.send_offset("t", 9, version), ErrorCode::NotCoordinator);
    }
    assert_eq!(stable(&server, "t"), i64::from(NEW));
}

#[test]
fn nobody_asks_whether_they_have_where_that_is_turned_off() {
    let server = start_with(&[("transaction.partition.verification.enable", "false")]);
    let mut producer = Producer::new(&server, "tx");
    producer.sent_offset("t", 5);
    assert_eq!(
        fetch(&server, "t", true),
        Err(ErrorCode::UnstableOffsetCommit)
    );
}

#[test]
fn a_producer_that_was_fenced_sends_nothing() {
    let server = start();
    let mut old = Producer::new(&server, "tx");
    old.added_offsets();
    old.sent_offset("t", 5);
    let mut new = Producer::new(&server, "tx");
    assert_eq!(stable(&server, "t"), -1, "it was aborted");
    for version in [OLDER, OLD, NEW] {
        assert_eq!(
            old.send_offset("t", 6, version),
            ErrorCode::InvalidProducerEpoch
        );
    }
    new.added_offsets();
    new.sent_offset("t", 7);
    new.ended(true);
    assert_eq!(stable(&server, "t"), 7);
}

#[test]
fn what_does_not_exist_is_told_beside_what_was_sent() {
    let server = start();
    let mut producer = Producer::new(&server, "tx");
    producer.added_offsets();
    let topics = vec![
        sent_topic("t", &[(0, 5), (7, 5)]),
        sent_topic("unknown", &[(0, 5)]),
    ];
    let mut results = producer.send_offsets(topics, OLD);
    results.sort_by_key(|(topic, index, _)| (topic.clone(), *index));
    let expected = [
        ("t".to_owned(), 0, ErrorCode::None),
        ("t".to_owned(), 7, ErrorCode::UnknownTopicOrPartition),
        ("unknown".to_owned(), 0, ErrorCode::UnknownTopicOrPartition),
    ];
    assert_eq!(results, expected);
}

#[test]
fn offsets_belong_to_a_group_and_to_its_members() {
    let server = start();
    let mut producer = Producer::new(&server, "tx");
    producer.added_offsets();
    let request = producer.send_request(vec![sent_topic("t", &[(0, 5)])]);
    let mut ask = |request: &TxnOffsetCommitRequest| {
        results(&mut producer.client, request, OLDER).remove(0).2
    };
    let nobody = TxnOffsetCommitRequest {
        group_id: "".into(),
        ..request.clone()
    };
    assert_eq!(ask(&nobody), ErrorCode::InvalidGroupId);
    let stranger = TxnOffsetCommitRequest {
        generation_id: 3,
        member_id: "m".into(),
        ..request
    };
    assert_eq!(ask(&stranger), ErrorCode::IllegalGeneration);
}

#[test]
fn an_open_transaction_stays_open_across_restarts_and_ends_after_them() {
    let mut server = start();
    let mut producer = Producer::new(&server, "tx");
    producer.added_offsets();
    producer.sent_offset("t", 5);
    server.stop();
    let mut server = server.restarted(&[]);
    assert_eq!(
        fetch(&server, "t", true),
        Err(ErrorCode::UnstableOffsetCommit)
    );
    server.crash();
    let server = server.restarted(&[]);
    assert_eq!(
        fetch(&server, "t", true),
        Err(ErrorCode::UnstableOffsetCommit)
    );
    producer.client = server.connect();
    eventually("the transaction's coordinator is loaded", || {
        let ended = producer.end(true, OLD_END);
        error(ended.error_code) == ErrorCode::None
    });
    assert_eq!(stable(&server, "t"), 5);
}

#[test]
fn what_was_decided_before_a_crash_holds_after_it() {
    for (committed, expected) in [(true, 5), (false, -1)] {
        let mut server = start();
        let mut producer = Producer::new(&server, "tx");
        producer.added_offsets();
        producer.sent_offset("t", 5);
        producer.ended(committed);
        server.crash();
        let mut server = server.restarted(&[]);
        assert_eq!(stable(&server, "t"), expected);
        server.crash();
        let server = server.restarted(&[]);
        assert_eq!(stable(&server, "t"), expected);
    }
}

#[test]
fn the_log_has_a_batch_of_the_transaction_and_its_marker() {
    let server = start();
    let mut producer = Producer::new(&server, "tx");
    producer.added_offsets();
    let sent = producer.send_offsets(vec![sent_topic("t", &[(0, 5), (1, 6)])], OLD);
    assert_eq!(sent.len(), 2);
    producer.ended(true);
    reaches(&server, "tx", "CompleteCommit");
    let request = fetch_request("__consumer_offsets", 0, 0, 0);
    let response = server.connect().call(&request, 12);
    let data = &response.responses[0].partitions[0];
    let records = data.records.as_ref().expect("records").bytes();
    let seen: Vec<_> = batches_of(&records)
        .map(|batch| {
            let (header, _) = batch.expect("a batch");
            (
                header.is_transactional(),
                header.is_control(),
                header.base_sequence,
                header.producer_id.0,
                header.last_offset_delta,
            )
        })
        .collect();
    let id = producer.producer_id;
    assert_eq!(seen, [(true, false, 0, id, 1), (true, true, -1, id, 0)]);
}

#[test]
fn offsets_of_transactions_are_compacted_and_found_again() {
    let settings = [
        ("log.cleaner.backoff.ms", "10"),
        ("log.cleaner.delete.retention.ms", "0"),
        ("log.cleaner.min.cleanable.ratio", "0.01"),
        ("log.roll.ms", "1"),
        ("log.segment.delete.delay.ms", "0"),
    ];
    let mut server = start_with(&settings);
    let bytes = |server: &TestServer| {
        let topic = server.broker().storage.topics.by_name("__consumer_offsets");
        let partition = topic.expect("the topic").get(0).expect("its partition");
        partition.size_bytes(crate::clock::now()).expect("a size")
    };
    let mut producer = Producer::new(&server, "tx");
    for offset in 0..20 {
        producer.added_offsets();
        producer.sent_offset("t", offset);
        producer.ended(offset % 3 != 2);
    }
    assert_eq!(stable(&server, "t"), 19);
    // 20 offsets and 20 markers of about 100 bytes each.
    eventually("hardly more than the last ones are left", || {
        bytes(&server) < 1000
    });
    for crashes in [false, true] {
        if crashes {
            server.crash();
        } else {
            server.stop();
        }
        server = server.restarted(&settings);
        assert_eq!(stable(&server, "t"), 19);
    }
}
