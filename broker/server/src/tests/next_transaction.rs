//! A transaction that follows another waits in the broker for the end of that one, whichever request begins it. Asking
//! again after a while, the broker as is configured or the client, was what each transaction that followed another took.

use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, ProduceRequest,
    TxnOffsetCommitRequest,
};

use super::groups::member;
use super::transaction_coordinator::{
    NEW_END, NEW_PRODUCE, OLD_ADD, OLD_END, Producer, code, reaches, results,
};
use super::txn_offsets::{NEW as NEW_OFFSETS, sent_topic, stable};
use crate::testing::TestServer;

/// A producer whose first transaction is open, or decided; the marker in one topic is written when `end` says so.
struct Turns {
    server: TestServer,
    producer: Producer,
    held: &'static str,
}

impl Turns {
    fn start(held: &'static str) -> Self {
        let never = "60000";
        let server = TestServer::start(&[
            ("add.partitions.to.txn.retry.backoff.ms", never),
            ("add.partitions.to.txn.retry.backoff.max.ms", never),
        ]);
        server.add_topic("a", 1);
        server.add_topic("b", 1);
        Self {
            producer: Producer::new(&server, "t"),
            server,
            held,
        }
    }

    fn decided(end_version: i16) -> Self {
        let mut turns = Self::start("a");
        let first = turns.producer.send("a", "first", NEW_PRODUCE);
        assert_eq!(first, ErrorCode::None);
        turns.decide(end_version);
        turns
    }

    fn decide(&mut self, end_version: i16) {
        self.server
            .set_config(self.held, "min.insync.replicas", "2");
        let ended = self.producer.end(true, end_version);
        assert_eq!(code(ended.error_code), ErrorCode::None);
        reaches(&self.server, "t", "PrepareCommit");
        if end_version == NEW_END {
            self.producer.epoch = ended.producer_epoch;
            self.producer.sequence = 0;
        }
    }

    fn end(&self) {
        self.server
            .set_config(self.held, "min.insync.replicas", "1");
    }
}

#[test]
fn the_next_transactions_batch_is_taken_as_soon_as_the_last_one_has_ended() {
    let mut turns = Turns::decided(NEW_END);
    let request = turns.producer.request("b", "second");
    let asked = turns.producer.client.send(&request, NEW_PRODUCE);
    turns.end();
    let client = &mut turns.producer.client;
    let response = client.receive::<ProduceRequest>(NEW_PRODUCE, asked);
    let partition = &response.responses[0].partition_responses[0];
    assert_eq!(code(partition.error_code), ErrorCode::None);
}

#[test]
fn an_older_clients_partitions_are_added_as_soon_as_the_last_one_has_ended() {
    let mut turns = Turns::decided(OLD_END);
    let request = turns.producer.add_request(&[("b", 0)]);
    let asked = turns.producer.client.send(&request, OLD_ADD);
    turns.end();
    let client = &mut turns.producer.client;
    let added = client.receive::<AddPartitionsToTxnRequest>(OLD_ADD, asked);
    let added = results(&added.results_by_topic_v3_and_below);
    assert_eq!(added, [("b".to_owned(), 0, ErrorCode::None)]);
}

#[test]
fn an_older_clients_offsets_are_added_as_soon_as_the_last_one_has_ended() {
    let mut turns = Turns::decided(OLD_END);
    let request = AddOffsetsToTxnRequest {
        transactional_id: "t".into(),
        producer_id: turns.producer.producer_id,
        producer_epoch: turns.producer.epoch,
        group_id: "g".into(),
        ..Default::default()
    };
    let asked = turns.producer.client.send(&request, 3);
    turns.end();
    let client = &mut turns.producer.client;
    let added = client.receive::<AddOffsetsToTxnRequest>(3, asked);
    assert_eq!(code(added.error_code), ErrorCode::None);
}

#[test]
fn offsets_count_in_the_next_transaction_though_the_last_one_had_some_as_well() {
    let mut turns = Turns::start("__consumer_offsets");
    member(&turns.server);
    let first = turns.producer.send_offset("b", 5, NEW_OFFSETS);
    assert_eq!(first, ErrorCode::None);
    turns.decide(NEW_END);
    let second = turns
        .producer
        .send_request(vec![sent_topic("b", &[(0, 6)])]);
    let asked = turns.producer.client.send(&second, NEW_OFFSETS);
    // Before it knows of the offsets: whatever waits, the requests of a connection take effect in turn.
    let end = turns.producer.end_request(true);
    let ending = turns.producer.client.send(&end, NEW_END);
    turns.end();
    let client = &mut turns.producer.client;
    let sent = client.receive::<TxnOffsetCommitRequest>(NEW_OFFSETS, asked);
    let sent = &sent.topics[0].partitions[0];
    assert_eq!(code(sent.error_code), ErrorCode::None);
    let ended = client.receive::<EndTxnRequest>(NEW_END, ending);
    assert_eq!(code(ended.error_code), ErrorCode::None);
    assert_eq!(stable(&turns.server, "b"), 6);
}
