//! What a partition asks the transaction coordinator before it takes the first batch of a transaction (KIP-890), by the
//! version that the producer speaks.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::ProduceRequest;

use super::transaction_coordinator::{Producer, aborted, code, committed, reaches};
use crate::testing::TestServer;

/// Up to here a producer does not know TRANSACTION_ABORTABLE.
const OLDEST: i16 = 10;
const OLD: i16 = 11;
/// From here on batches add their partitions.
const NEW: i16 = 12;
const NEW_END: i16 = 5;

fn server_with(topics: &[&str], overrides: &[(&str, &str)]) -> TestServer {
    // A transaction begins when the one before has ended, however long that takes on a busy machine.
    let patient = ("add.partitions.to.txn.retry.backoff.max.ms", "20000");
    let server = TestServer::start(&[&[patient], overrides].concat());
    for topic in topics {
        server.add_topic(topic, 1);
    }
    server
}

impl Producer {
    /// Commits as newer clients do, and takes over the epoch of the next transaction.
    fn committed(&mut self) {
        let ended = self.end(true, NEW_END);
        assert_eq!(code(ended.error_code), ErrorCode::None);
        (self.producer_id, self.epoch) = (ended.producer_id, ended.producer_epoch);
        self.sequence = 0;
    }
}

#[test]
fn a_partition_that_is_not_in_the_transaction_takes_nothing_of_it() {
    let server = server_with(&["a", "b"], &[]);
    let mut producer = Producer::new(&server, "t");
    let abortable = ErrorCode::TransactionAbortable;
    assert_eq!(producer.send("a", "x", OLD), abortable);
    assert_eq!(producer.send("a", "x", OLDEST), ErrorCode::InvalidTxnState);
    producer.added("b");
    assert_eq!(producer.send("a", "x", OLD), abortable);
    assert_eq!(producer.send("b", "x", OLD), ErrorCode::None);
    producer.added("a");
    producer.sequence = 0;
    assert_eq!(producer.send("a", "x", OLDEST), ErrorCode::None);
    assert_eq!(producer.send("a", "y", OLD), ErrorCode::None);
    let ended = producer.end(true, 4);
    assert_eq!(code(ended.error_code), ErrorCode::None);
    reaches(&server, "t", "CompleteCommit");
    assert_eq!(committed(&server, "a"), ["x", "y"]);
    // What came behind the end is not in the next transaction either.
    assert_eq!(producer.send("a", "z", OLD), abortable);
}

#[test]
fn where_it_is_not_wanted_nobody_is_asked() {
    let keys = [("transaction.partition.verification.enable", "false")];
    let server = server_with(&["a"], &keys);
    let mut producer = Producer::new(&server, "t");
    assert_eq!(producer.send("a", "x", OLD), ErrorCode::None);
    server.set_broker_config("transaction.partition.verification.enable", "true");
    server.add_topic("b", 1);
    producer.sequence = 0;
    let refused = producer.send("b", "x", OLD);
    assert_eq!(refused, ErrorCode::TransactionAbortable);
}

#[test]
fn batches_of_newer_producers_add_their_partitions_and_every_transaction_has_its_epoch() {
    let server = server_with(&["a", "b"], &[]);
    let mut producer = Producer::new(&server, "t");
    let first = producer.epoch;
    for round in 0..3 {
        for topic in ["a", "b"] {
            producer.sequence = 0;
            let values = [format!("{round}-0"), format!("{round}-1")];
            for value in &values {
                assert_eq!(producer.send(topic, value, NEW), ErrorCode::None);
            }
        }
        // The next begins at once: the broker waits for the end of this one for a while.
        producer.committed();
    }
    assert_eq!(producer.epoch, first + 3);
    reaches(&server, "t", "CompleteCommit");
    let all = ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"];
    assert_eq!(committed(&server, "a"), all);
    assert_eq!(committed(&server, "b"), all);
}

/// The first batch waits for the coordinator's record to be on disk; those behind it wait with it.
#[test]
fn batches_that_are_sent_ahead_stay_in_their_order() {
    let server = server_with(&["a"], &[]);
    let mut producer = Producer::new(&server, "t");
    let values: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let mut sent = Vec::new();
    for value in &values {
        let request = producer.request("a", value);
        sent.push(producer.client.send(&request, NEW));
        producer.sequence += 1;
    }
    for id in sent {
        let response = producer.client.receive::<ProduceRequest>(NEW, id);
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(code(partition.error_code), ErrorCode::None);
    }
    producer.committed();
    reaches(&server, "t", "CompleteCommit");
    assert_eq!(committed(&server, "a"), values);
}

#[test]
fn a_producer_that_was_succeeded_is_fenced_by_the_coordinator_and_by_the_partition() {
    let server = server_with(&["a", "b"], &[]);
    let mut old = Producer::new(&server, "t");
    assert_eq!(old.send("a", "lost", NEW), ErrorCode::None);
    let mut new = Producer::new(&server, "t");
    let fenced = ErrorCode::InvalidProducerEpoch;
    assert_eq!(old.send("a", "late", NEW), fenced);
    old.sequence = 0;
    assert_eq!(old.send("b", "late", NEW), fenced);
    assert_eq!(aborted(&server, "a"), [(old.producer_id, 0)]);
    assert_eq!(new.send("b", "new", NEW), ErrorCode::None);
    new.committed();
    reaches(&server, "t", "CompleteCommit");
    assert_eq!(committed(&server, "b"), ["new"]);
}

#[test]
fn a_request_is_of_one_producer_and_names_its_transaction() {
    let server = server_with(&["a", "b"], &[]);
    let mut producer = Producer::new(&server, "t");
    let other = Producer::new(&server, "u");
    let mut of_two = producer.request("a", "x");
    of_two.topic_data.extend(other.request("b", "x").topic_data);
    let anonymous = ProduceRequest {
        transactional_id: None,
        ..producer.request("a", "x")
    };
    let not_taken_over = ProduceRequest {
        transactional_id: Some("nobody's".into()),
        ..producer.request("a", "x")
    };
    let cases = [
        (of_two, ErrorCode::InvalidProducerIdMapping),
        (anonymous, ErrorCode::TransactionalIdAuthorizationFailed),
        (not_taken_over, ErrorCode::InvalidProducerIdMapping),
    ];
    for (request, expected) in cases {
        let response = producer.client.call(&request, NEW);
        let partitions = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        for partition in partitions {
            assert_eq!(code(partition.error_code), expected);
        }
    }
}
