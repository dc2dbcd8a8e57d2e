//! The transaction coordinator over the wire: what producers are told, what readers see, and what is left of it after a
//! restart.

use bytes::Bytes;
use ottla_protocol::compress::Compression;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::add_partitions_to_txn::request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use ottla_protocol::messages::add_partitions_to_txn::response::AddPartitionsToTxnTopicResult;
use ottla_protocol::messages::describe_configs::request::DescribeConfigsResource;
use ottla_protocol::messages::describe_transactions::response::TransactionState;
use ottla_protocol::messages::fetch::response::PartitionData;
use ottla_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeConfigsRequest,
    DescribeTransactionsRequest, EndTxnRequest, EndTxnResponse, FetchRequest,
    FindCoordinatorRequest, InitProducerIdRequest, InitProducerIdResponse, ListTransactionsRequest,
    ProduceRequest,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::types::{ProducerEpoch, ProducerId};

use super::produce_fetch::{fetch_request, produce_request, values};
use crate::testing::{Client, TestServer, eventually};

const TRANSACTION: i8 = 1;
const READ_COMMITTED: i8 = 1;
/// Before every transaction got an epoch of its own.
pub(super) const OLD_END: i16 = 4;
pub(super) const OLD_ADD: i16 = 3;
const OLD_PRODUCE: i16 = 11;
pub(super) const NEW_PRODUCE: i16 = 12;
pub(super) const NEW_END: i16 = 5;
const QUICK: (&str, &str) = (
    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    "10",
);

fn find(client: &mut Client, id: &str) -> (ErrorCode, i32) {
    let request = FindCoordinatorRequest {
        key_type: TRANSACTION,
        coordinator_keys: vec![id.into()],
        ..Default::default()
    };
    let found = client.call(&request, 6).coordinators.remove(0);
    (ErrorCode::from_code(found.error_code), found.node_id)
}

fn init_request(id: &str) -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: Some(id.into()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    }
}

pub(super) fn code(error: i16) -> ErrorCode {
    ErrorCode::from_code(error)
}

/// A transactional producer that speaks what it is asked to speak.
pub(crate) struct Producer {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(super) sequence: i32,
}

impl Producer {
    /// Finds the coordinator and takes the transactional id over; an earlier producer's transaction is aborted first.
    pub(crate) fn new(server: &TestServer, id: &str) -> Self {
        Self::with_timeout(server, id, 60_000)
    }

    fn with_timeout(server: &TestServer, id: &str, timeout_ms: i32) -> Self {
        let mut client = server.connect();
        assert_eq!(find(&mut client, id), (ErrorCode::None, 1));
        let request = InitProducerIdRequest {
            transaction_timeout_ms: timeout_ms,
            ..init_request(id)
        };
        let given = settled(&mut client, &request);
        assert_eq!(code(given.error_code), ErrorCode::None, "{given:?}");
        Self {
            client,
            id: id.to_owned(),
            producer_id: given.producer_id,
            epoch: given.producer_epoch,
            sequence: 0,
        }
    }

    fn has(&self) -> (i64, i16) {
        (self.producer_id, self.epoch)
    }

    pub(super) fn add(
        &mut self,
        partitions: &[(&str, i32)],
        version: i16,
    ) -> Vec<(String, i32, ErrorCode)> {
        let request = self.add_request(partitions);
        let response = self.client.call(&request, version);
        results(&response.results_by_topic_v3_and_below)
    }

    pub(super) fn add_request(&self, partitions: &[(&str, i32)]) -> AddPartitionsToTxnRequest {
        AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.id.as_str().into(),
            v3_and_below_producer_id: self.producer_id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: topics(partitions),
            ..Default::default()
        }
    }

    pub(super) fn added(&mut self, topic: &str) {
        let added = self.add(&[(topic, 0)], OLD_ADD);
        assert_eq!(added, [(topic.to_owned(), 0, ErrorCode::None)]);
    }

    pub(super) fn request(&self, topic: &str, value: &str) -> ProduceRequest {
        let (id, epoch) = (ProducerId(self.producer_id), ProducerEpoch(self.epoch));
        let mut builder = BatchBuilder::new(Compression::None)
            .producer(id, epoch, self.sequence)
            .transactional(true);
        let now = crate::clock::now();
        builder
            .append(now, None, Some(value.as_bytes()), &[])
            .unwrap();
        ProduceRequest {
            transactional_id: Some(self.id.as_str().into()),
            ..produce_request(topic, 0, -1, Bytes::from(builder.build().unwrap()))
        }
    }

    pub(super) fn send(&mut self, topic: &str, value: &str, version: i16) -> ErrorCode {
        let request = self.request(topic, value);
        let response = self.client.call(&request, version);
        let error = code(response.responses[0].partition_responses[0].error_code);
        if error == ErrorCode::None {
            self.sequence += 1;
        }
        error
    }

    fn sent(&mut self, topic: &str, value: &str) {
        assert_eq!(self.send(topic, value, OLD_PRODUCE), ErrorCode::None);
    }

    pub(super) fn end_request(&self, committed: bool) -> EndTxnRequest {
        EndTxnRequest {
            transactional_id: self.id.as_str().into(),
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            committed,
            ..Default::default()
        }
    }

    pub(super) fn end(&mut self, committed: bool, version: i16) -> EndTxnResponse {
        self.client.call(&self.end_request(committed), version)
    }

    pub(crate) fn ended(&mut self, committed: bool) {
        let response = self.end(committed, OLD_END);
        assert_eq!(code(response.error_code), ErrorCode::None);
    }
}

/// Asks again until no other decision is on its way.
fn settled(client: &mut Client, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let mut given = client.call(request, 5);
    eventually("the transaction before is aborted", || {
        if code(given.error_code) == ErrorCode::ConcurrentTransactions {
            given = client.call(request, 5);
            return false;
        }
        true
    });
    given
}

fn topics(partitions: &[(&str, i32)]) -> Vec<AddPartitionsToTxnTopic> {
    let topic = |(name, partition): &(&str, i32)| AddPartitionsToTxnTopic {
        name: (*name).into(),
        partitions: vec![*partition],
        ..Default::default()
    };
    partitions.iter().map(topic).collect()
}

pub(super) fn results(topics: &[AddPartitionsToTxnTopicResult]) -> Vec<(String, i32, ErrorCode)> {
    let results = topics.iter().flat_map(|topic| {
        let name = topic.name.to_string();
        let partitions = topic.results_by_partition.iter();
        partitions.map(move |partition| {
            let error = code(partition.partition_error_code);
            (name.clone(), partition.partition_index, error)
        })
    });
    results.collect()
}

fn describe(server: &TestServer, id: &str) -> TransactionState {
    let request = DescribeTransactionsRequest {
        transactional_ids: vec![id.into()],
        ..Default::default()
    };
    let response = server.connect().call(&request, 0);
    response.transaction_states.into_iter().next().unwrap()
}

/// Waits until a transactional id is in this state, also while it is being loaded.
pub(crate) fn reaches(server: &TestServer, id: &str, state: &str) {
    eventually(state, || {
        describe(server, id).transaction_state.as_str() == state
    });
}

fn read(server: &TestServer, topic: &str) -> PartitionData {
    let request = FetchRequest {
        isolation_level: READ_COMMITTED,
        ..fetch_request(topic, 0, 0, 0)
    };
    let response = server.connect().call(&request, 12);
    response.responses[0].partitions[0].clone()
}

/// What a reader of committed records sees of a topic in which nothing was aborted.
pub(super) fn committed(server: &TestServer, topic: &str) -> Vec<String> {
    assert!(aborted(server, topic).is_empty());
    let values = values(&read(server, topic)).into_iter();
    // A marker's value begins with its version, 0.
    values
        .map(|(_, value)| value)
        .filter(|value| !value.starts_with('\0'))
        .collect()
}

/// Producers, and where their aborted transactions begin.
pub(super) fn aborted(server: &TestServer, topic: &str) -> Vec<(i64, i64)> {
    let data = read(server, topic);
    let aborted = data.aborted_transactions.iter().flatten();
    aborted
        .map(|txn| (txn.producer_id, txn.first_offset))
        .collect()
}

#[test]
fn the_first_who_looks_for_a_coordinator_brings_the_topic_into_being_and_gets_an_id_at_once() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    assert_eq!(
        code(client.call(&init_request("t1"), 5).error_code),
        ErrorCode::NotCoordinator
    );
    assert_eq!(find(&mut client, "t1"), (ErrorCode::None, 1));
    let mut seen = Vec::new();
    for id in ["t1", "t2", "t3"] {
        let given = client.call(&init_request(id), 5);
        assert_eq!(code(given.error_code), ErrorCode::None, "without a retry");
        assert_eq!(given.producer_epoch, 0);
        assert!(!seen.contains(&given.producer_id));
        seen.push(given.producer_id);
    }
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: 2,
            resource_name: "__transaction_state".into(),
            configuration_keys: None,
            ..Default::default()
        }],
        ..Default::default()
    };
    let described = client.call(&request, 4).results.remove(0);
    let own = described.configs.iter().filter(|it| it.config_source == 1);
    let own: Vec<(&str, &str)> = own
        .map(|it| (it.name.as_str(), it.value.as_deref().unwrap_or_default()))
        .collect();
    for expected in [
        ("cleanup.policy", "compact"),
        ("compression.type", "uncompressed"),
        ("min.insync.replicas", "1"),
        ("segment.bytes", "104857600"),
        ("unclean.leader.election.enable", "false"),
    ] {
        assert!(own.contains(&expected), "{expected:?} is not in {own:?}");
    }
    let topic = server.broker().image.load();
    let topic = topic.topics().by_name("__transaction_state").unwrap();
    assert_eq!(topic.partitions().len(), 50);
}

#[test]
fn a_committed_transaction_becomes_visible_as_a_whole() {
    let server = TestServer::start(&[]);
    server.add_topic("a", 1);
    server.add_topic("b", 1);
    let mut producer = Producer::new(&server, "t");
    for topic in ["a", "b"] {
        producer.added(topic);
        producer.sequence = 0;
        producer.sent(topic, "first");
        producer.sent(topic, "second");
    }
    let open = describe(&server, "t");
    assert_eq!(open.transaction_state.as_str(), "Ongoing");
    let of: Vec<_> = open.topics.iter().map(|it| it.topic.as_str()).collect();
    assert_eq!(of, ["a", "b"]);
    assert!(committed(&server, "a").is_empty());
    producer.ended(true);
    reaches(&server, "t", "CompleteCommit");
    for topic in ["a", "b"] {
        assert_eq!(committed(&server, topic), ["first", "second"]);
    }
    // Asking again changes nothing.
    producer.ended(true);
    assert_eq!(
        code(producer.end(false, OLD_END).error_code),
        ErrorCode::InvalidTxnState
    );
}

#[test]
fn an_aborted_transaction_is_told_to_readers_of_committed_records() {
    let server = TestServer::start(&[]);
    server.add_topic("a", 1);
    let mut producer = Producer::new(&server, "t");
    producer.added("a");
    producer.sent("a", "never");
    producer.ended(false);
    reaches(&server, "t", "CompleteAbort");
    assert_eq!(aborted(&server, "a"), [(producer.producer_id, 0)]);
    producer.added("a");
    producer.sent("a", "now");
    producer.ended(true);
    reaches(&server, "t", "CompleteCommit");
    let listed = server
        .connect()
        .call(&ListTransactionsRequest::default(), 2);
    assert_eq!(listed.transaction_states.len(), 1);
    assert_eq!(
        listed.transaction_states[0].producer_id,
        producer.producer_id
    );
    let unknown = ListTransactionsRequest {
        state_filters: vec!["Completed".into(), "Ongoing".into()],
        ..Default::default()
    };
    let listed = server.connect().call(&unknown, 2);
    assert_eq!(listed.unknown_state_filters, ["Completed"]);
    assert!(listed.transaction_states.is_empty());
}

#[test]
fn a_second_producer_of_the_same_transactional_id_fences_the_first_and_ends_what_it_left_open() {
    let server = TestServer::start(&[]);
    server.add_topic("a", 1);
    let mut first = Producer::new(&server, "t");
    first.added("a");
    first.sent("a", "of the first");
    let mut second = Producer::new(&server, "t");
    assert_eq!(second.producer_id, first.producer_id);
    assert!(second.epoch > first.epoch);
    let (fenced, old) = (ErrorCode::ProducerFenced, ErrorCode::InvalidProducerEpoch);
    for (version, error) in [(1, old), (2, fenced)] {
        assert_eq!(code(first.end(true, version).error_code), error);
        let added = first.add(&[("a", 0)], version);
        assert_eq!(added, [("a".to_owned(), 0, error)]);
        let request = AddOffsetsToTxnRequest {
            transactional_id: "t".into(),
            producer_id: first.producer_id,
            producer_epoch: first.epoch,
            group_id: "g".into(),
            ..Default::default()
        };
        let added = first.client.call(&request, version);
        assert_eq!(code(added.error_code), error);
    }
    for (version, error) in [(3, old), (4, fenced)] {
        let request = InitProducerIdRequest {
            producer_id: first.producer_id,
            producer_epoch: first.epoch,
            ..init_request("t")
        };
        let given = first.client.call(&request, version);
        assert_eq!(code(given.error_code), error, "version {version}");
    }
    // It is its epoch in which the partition was told of the end.
    assert_ne!(first.send("a", "late", OLD_PRODUCE), ErrorCode::None);
    assert_eq!(aborted(&server, "a"), [(first.producer_id, 0)]);
    second.added("a");
    second.sent("a", "of the second");
    second.ended(true);
    reaches(&server, "t", "CompleteCommit");
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let server = TestServer::start(&[QUICK]);
    server.add_topic("a", 1);
    let mut producer = Producer::with_timeout(&server, "t", 1);
    producer.added("a");
    reaches(&server, "t", "CompleteAbort");
    let response = producer.end(true, OLD_END);
    assert_eq!(code(response.error_code), ErrorCode::ProducerFenced);
    let too_long = InitProducerIdRequest {
        transaction_timeout_ms: 900_001,
        ..init_request("t")
    };
    let refused = producer.client.call(&too_long, 5);
    assert_eq!(
        (
            code(refused.error_code),
            refused.producer_id,
            refused.producer_epoch
        ),
        (ErrorCode::InvalidTransactionTimeout, -1, -1)
    );
}

/// To come again once the coordinator is there would not help.
#[test]
fn a_timeout_that_is_too_long_is_told_also_where_the_coordinator_does_not_serve() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    server.broker().transactions.close();
    for (transaction_timeout_ms, expected) in [
        (0, ErrorCode::InvalidTransactionTimeout),
        (900_000, ErrorCode::NotCoordinator),
        (900_001, ErrorCode::InvalidTransactionTimeout),
    ] {
        let request = InitProducerIdRequest {
            transaction_timeout_ms,
            ..init_request("t")
        };
        let refused = client.call(&request, 5);
        assert_eq!(code(refused.error_code), expected);
    }
}

#[test]
fn partitions_that_do_not_exist_keep_the_others_out_of_the_transaction() {
    let server = TestServer::start(&[]);
    server.add_topic("a", 1);
    let mut producer = Producer::new(&server, "t");
    let added = producer.add(&[("a", 0), ("a", 1), ("nowhere", 0)], OLD_ADD);
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let expected = [
        ("a".to_owned(), 0, ErrorCode::OperationNotAttempted),
        ("a".to_owned(), 1, unknown),
        ("nowhere".to_owned(), 0, unknown),
    ];
    assert_eq!(added, expected);
    assert_eq!(describe(&server, "t").transaction_state.as_str(), "Empty");
}

#[test]
fn brokers_ask_for_several_transactions_at_once_and_whether_partitions_are_part_of_them() {
    let server = TestServer::start(&[]);
    server.add_topic("a", 2);
    let mut one = Producer::new(&server, "one");
    let two = Producer::new(&server, "two");
    one.added("a");
    let transaction = |producer: &Producer, partition, verify_only| AddPartitionsToTxnTransaction {
        transactional_id: producer.id.as_str().into(),
        producer_id: producer.producer_id,
        producer_epoch: producer.epoch,
        verify_only,
        topics: topics(&[("a", partition)]),
        ..Default::default()
    };
    let ask = |transactions| {
        let request = AddPartitionsToTxnRequest {
            transactions,
            ..Default::default()
        };
        let response = server.connect().call(&request, 5);
        let verdicts = response.results_by_transaction.iter().map(|result| {
            let (_, _, error) = results(&result.topic_results).remove(0);
            (result.transactional_id.to_string(), error)
        });
        verdicts.collect::<Vec<_>>()
    };
    let verified = ask(vec![transaction(&one, 0, true), transaction(&two, 0, true)]);
    let expected = [
        ("one".to_owned(), ErrorCode::None),
        ("two".to_owned(), ErrorCode::TransactionAbortable),
    ];
    assert_eq!(verified, expected);
    let added = ask(vec![
        transaction(&one, 1, false),
        transaction(&two, 5, false),
    ]);
    let expected = [
        ("one".to_owned(), ErrorCode::None),
        ("two".to_owned(), ErrorCode::UnknownTopicOrPartition),
    ];
    assert_eq!(added, expected);
    assert_eq!(describe(&server, "one").topics[0].partitions, [0, 1]);
    assert_eq!(describe(&server, "two").transaction_state.as_str(), "Empty");
}

#[test]
fn an_open_transaction_goes_on_after_a_stop_and_after_a_crash() {
    let mut server = TestServer::start(&[]);
    server.add_topic("a", 1);
    let mut producer = Producer::new(&server, "t");
    for (i, stop) in [TestServer::stop, TestServer::crash].iter().enumerate() {
        producer.added("a");
        producer.sent("a", &format!("before {i}"));
        stop(&mut server);
        server = server.restarted(&[]);
        reaches(&server, "t", "Ongoing");
        producer.client = server.connect();
        producer.sent("a", &format!("after {i}"));
        producer.ended(true);
        reaches(&server, "t", "CompleteCommit");
    }
    let expected = ["before 0", "after 0", "before 1", "after 1"];
    assert_eq!(committed(&server, "a"), expected);
}

#[test]
fn what_was_decided_is_carried_out_after_a_stop_and_after_a_crash() {
    let mut server = TestServer::start(&[]);
    for topic in ["a", "b"] {
        server.add_topic(topic, 1);
    }
    for (committed_now, stop) in [
        (true, TestServer::stop as fn(&mut TestServer)),
        (true, TestServer::crash),
        (false, TestServer::stop),
        (false, TestServer::crash),
    ] {
        let mut producer = Producer::new(&server, "t");
        for topic in ["a", "b"] {
            producer.added(topic);
            producer.sequence = 0;
            producer.sent(topic, "x");
        }
        // One partition gets its marker, the other none before it may be written to again.
        server.set_config("b", "min.insync.replicas", "2");
        producer.ended(committed_now);
        let (prepared, complete) = match committed_now {
            true => ("PrepareCommit", "CompleteCommit"),
            false => ("PrepareAbort", "CompleteAbort"),
        };
        eventually("a's marker is written", || {
            describe(&server, "t").topics.len() == 1
        });
        stop(&mut server);
        server = server.restarted(&[]);
        reaches(&server, "t", prepared);
        assert_eq!(describe(&server, "t").topics.last().unwrap().topic, "b");
        producer.client = server.connect();
        let again = producer.end(committed_now, OLD_END);
        assert_eq!(
            code(again.error_code),
            ErrorCode::ConcurrentTransactions,
            "until all markers are written"
        );
        server.set_config("b", "min.insync.replicas", "1");
        reaches(&server, "t", complete);
    }
    let request = ListTransactionsRequest {
        state_filters: vec!["CompleteAbort".into()],
        ..Default::default()
    };
    let listed = server.connect().call(&request, 2);
    assert_eq!(listed.transaction_states.len(), 1);
    for topic in ["a", "b"] {
        assert_eq!(aborted(&server, topic).len(), 2);
    }
}

#[test]
fn offsets_of_a_group_are_part_of_a_transaction_by_their_partition() {
    let server = TestServer::start(&[("offsets.topic.num.partitions", "3")]);
    let mut producer = Producer::new(&server, "t");
    let request = AddOffsetsToTxnRequest {
        transactional_id: "t".into(),
        producer_id: producer.producer_id,
        producer_epoch: producer.epoch,
        group_id: "g".into(),
        ..Default::default()
    };
    let added = producer.client.call(&request, 3);
    assert_eq!(code(added.error_code), ErrorCode::None);
    let described = describe(&server, "t");
    assert_eq!(described.topics[0].topic, "__consumer_offsets");
    // "g" is 103.
    assert_eq!(described.topics[0].partitions, [1]);
    assert_eq!(
        producer.has(),
        (described.producer_id, described.producer_epoch)
    );
}

#[test]
fn with_an_epoch_for_every_transaction_the_end_tells_the_next() {
    let server = TestServer::start(&[]);
    server.add_topic("a", 1);
    let mut producer = Producer::new(&server, "t");
    producer.added("a");
    producer.sent("a", "x");
    let ended = producer.end(true, NEW_END);
    assert_eq!(code(ended.error_code), ErrorCode::None);
    assert_eq!(ended.producer_id, producer.producer_id);
    assert_eq!(ended.producer_epoch, producer.epoch + 1);
    reaches(&server, "t", "CompleteCommit");
    assert_eq!(committed(&server, "a"), ["x"]);
    // The answer may have been lost.
    let again = producer.end(true, NEW_END);
    assert_eq!(again, ended);
    let late = producer.send("a", "late", OLD_PRODUCE);
    assert_eq!(late, ErrorCode::InvalidProducerEpoch);
}
