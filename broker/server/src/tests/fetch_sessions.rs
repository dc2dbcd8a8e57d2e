//! Fetch sessions whose client has read everything: each change of a partition is told by the next turn, whether it comes
//! between two turns or while one waits.

use std::sync::Arc;

use ottla_coordination::fetch_session::INITIAL_EPOCH;
use ottla_protocol::errors::ErrorCode;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch::request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch::response::PartitionData;
use ottla_protocol::types::LeaderEpoch;

use super::produce_fetch::{produce, produce_request, values};
use super::topic_rules::delete_records;
use crate::exec::partition::Partition;
use crate::testing::{Client, PATIENCE, TestServer, batch, eventually};

const VERSION: i16 = 12;
const MEMORY: [(&str, &str); 1] = [("ottla.durability", "memory")];
/// In no answer can be as much.
const MANY_BYTES: i32 = 1 << 20;

/// A client with a session.
struct Reader {
    client: Client,
    session_id: i32,
    epoch: i32,
}

fn partitions(topic: &str, wanted: &[(i32, i64)]) -> Vec<FetchTopic> {
    let partitions = wanted.iter().map(|(partition, offset)| FetchPartition {
        partition: *partition,
        current_leader_epoch: 0,
        fetch_offset: *offset,
        partition_max_bytes: MANY_BYTES,
        ..Default::default()
    });
    vec![FetchTopic {
        topic: topic.into(),
        partitions: partitions.collect(),
        ..Default::default()
    }]
}

impl Reader {
    /// Opens a session and goes on until no partition has anything that is new.
    fn at_end(server: &TestServer, topic: &str, wanted: &[(i32, i64)]) -> Self {
        let mut client = server.connect();
        let opening = FetchRequest {
            max_bytes: MANY_BYTES,
            session_epoch: INITIAL_EPOCH,
            topics: partitions(topic, wanted),
            ..Default::default()
        };
        let session_id = client.call(&opening, VERSION).session_id;
        assert_ne!(session_id, 0);
        let mut reader = Self {
            client,
            session_id,
            epoch: 1,
        };
        eventually("everything is told", || reader.turn(Vec::new()).is_empty());
        assert_eq!(reader.turn(Vec::new()).len(), 0);
        reader
    }

    fn request(&mut self, topics: Vec<FetchTopic>) -> FetchRequest {
        let request = FetchRequest {
            min_bytes: 1,
            max_bytes: MANY_BYTES,
            session_id: self.session_id,
            session_epoch: self.epoch,
            topics,
            ..Default::default()
        };
        self.epoch += 1;
        request
    }

    /// What a turn tells that does not wait.
    fn turn(&mut self, topics: Vec<FetchTopic>) -> Vec<PartitionData> {
        let request = self.request(topics);
        let sent = self.client.send(&request, VERSION);
        self.receive(sent)
    }

    /// A turn that waits; what is sent meanwhile is there once the broker has taken the turn in.
    fn begin_waiting(&mut self, min_bytes: i32) -> i32 {
        let mut request = self.request(Vec::new());
        request.max_wait_ms = i32::try_from(PATIENCE.as_millis()).expect("short");
        request.min_bytes = min_bytes;
        self.client.send(&request, VERSION)
    }

    fn receive(&mut self, sent: i32) -> Vec<PartitionData> {
        let response = self.client.receive::<FetchRequest>(VERSION, sent);
        assert_eq!(response.error_code, 0);
        let topics = response.responses.into_iter();
        topics.flat_map(|topic| topic.partitions).collect()
    }
}

fn partition(server: &TestServer, topic: &str) -> Arc<Partition> {
    let topics = &server.broker().storage.topics;
    topics.partition(topic, 0).expect("the partition")
}

/// Has `change` come between two turns of one reader and while a turn of another waits; what each is told.
fn told(
    server: &TestServer,
    wanted: &[(i32, i64)],
    change: impl FnOnce(&TestServer),
) -> [PartitionData; 2] {
    let mut between = Reader::at_end(server, "t", wanted);
    let mut waiting = Reader::at_end(server, "t", wanted);
    let sent = waiting.begin_waiting(1);
    change(server);
    let mut told = Vec::new();
    eventually("the change is told", || {
        told = between.turn(Vec::new());
        !told.is_empty()
    });
    assert_eq!(told.len(), 1, "{told:?}");
    let mut told_waiting = waiting.receive(sent);
    assert_eq!(told_waiting.len(), 1, "{told_waiting:?}");
    [told.remove(0), told_waiting.remove(0)]
}

#[test]
fn records_are_told_at_either_durability_and_whatever_the_acknowledgement() {
    for durability in ["disk", "memory"] {
        for acks in [1, -1] {
            let server = TestServer::start(&[("ottla.durability", durability)]);
            server.add_topic("t", 3);
            let told = told(&server, &[(0, 0), (1, 0), (2, 0)], |server| {
                produce(&mut server.connect(), "t", acks, batch(&["a"]));
            });
            for data in told {
                assert_eq!(values(&data), [(0, "a".to_owned())], "{durability} {acks}");
            }
        }
    }
}

#[test]
fn a_reader_that_has_read_the_records_is_told_of_the_next_ones() {
    let server = TestServer::start(&MEMORY);
    server.add_topic("t", 2);
    let mut producer = server.connect();
    let mut reader = Reader::at_end(&server, "t", &[(0, 0), (1, 0)]);
    for round in 0..5 {
        produce(&mut producer, "t", 1, batch(&["x"]));
        let told = reader.turn(Vec::new());
        assert_eq!(values(&told[0]), [(round, "x".to_owned())]);
        let told = reader.turn(partitions("t", &[(0, round + 1)]));
        assert!(told.is_empty(), "{told:?}");
    }
}

#[test]
fn records_that_were_not_asked_for_anew_are_told_again() {
    let server = TestServer::start(&MEMORY);
    server.add_topic("t", 1);
    let mut reader = Reader::at_end(&server, "t", &[(0, 0)]);
    produce(&mut server.connect(), "t", 1, batch(&["x"]));
    for _ in 0..3 {
        let told = reader.turn(Vec::new());
        assert_eq!(values(&told[0]), [(0, "x".to_owned())]);
    }
}

#[test]
fn a_reader_that_goes_back_is_given_what_is_there() {
    let server = TestServer::start(&MEMORY);
    server.add_topic("t", 1);
    produce(&mut server.connect(), "t", 1, batch(&["x", "y"]));
    let mut reader = Reader::at_end(&server, "t", &[(0, 2)]);
    let told = reader.turn(partitions("t", &[(0, 0)]));
    assert_eq!(values(&told[0]).len(), 2);
}

#[test]
fn a_start_that_was_moved_is_told() {
    let server = TestServer::start(&MEMORY);
    server.add_topic("t", 2);
    produce(&mut server.connect(), "t", 1, batch(&["a", "b"]));
    let mut between = Reader::at_end(&server, "t", &[(0, 2), (1, 0)]);
    let deleted = delete_records(&mut server.connect(), "t", 1);
    assert_eq!(deleted.0, ErrorCode::None);
    let told = between.turn(Vec::new());
    assert_eq!((told.len(), told[0].log_start_offset), (1, 1));
    assert!(between.turn(Vec::new()).is_empty(), "once");
}

#[test]
fn a_start_that_moves_while_a_turn_waits_for_records_is_told_with_them() {
    let server = TestServer::start(&MEMORY);
    server.add_topic("t", 2);
    let mut producer = server.connect();
    produce(&mut producer, "t", 1, batch(&["a", "b"]));
    let mut reader = Reader::at_end(&server, "t", &[(0, 2), (1, 0)]);
    let sent = reader.begin_waiting(1);
    let deleted = delete_records(&mut server.connect(), "t", 1);
    assert_eq!(deleted.0, ErrorCode::None);
    producer.call(&produce_request("t", 1, 1, batch(&["c"])), 9);
    let told = reader.receive(sent);
    let told: Vec<_> = told
        .iter()
        .map(|data| (data.partition_index, data.log_start_offset))
        .collect();
    assert_eq!(told, [(0, 1), (1, 0)]);
}

#[test]
fn a_topic_that_is_deleted_is_told_and_so_is_one_made_anew() {
    let server = TestServer::start(&MEMORY);
    server.add_topic("t", 1);
    produce(&mut server.connect(), "t", 1, batch(&["old"]));
    let told = told(&server, &[(0, 1)], |server| server.delete_topic("t"));
    for data in told {
        let error = ErrorCode::from_code(data.error_code);
        assert_eq!(error, ErrorCode::UnknownTopicOrPartition);
    }

    server.add_topic("u", 1);
    let mut reader = Reader::at_end(&server, "u", &[(0, 0)]);
    server.delete_topic("u");
    server.add_topic("u", 1);
    produce(&mut server.connect(), "u", 1, batch(&["new"]));
    let told = reader.turn(Vec::new());
    assert_eq!(values(&told[0]), [(0, "new".to_owned())]);
}

#[test]
fn an_epoch_that_is_over_is_told() {
    let server = TestServer::start(&MEMORY);
    server.add_topic("t", 1);
    let told = told(&server, &[(0, 0)], |server| {
        partition(server, "t").set_leader_epoch(LeaderEpoch(1));
    });
    for data in told {
        let error = ErrorCode::from_code(data.error_code);
        assert_eq!(error, ErrorCode::FencedLeaderEpoch);
    }
}

#[test]
fn a_turn_that_wants_many_bytes_is_woken_when_all_partitions_together_have_them() {
    let server = TestServer::start(&MEMORY);
    server.add_topic("t", 3);
    let mut producer = server.connect();
    let record = batch(&["x"]);
    let mut reader = Reader::at_end(&server, "t", &[(0, 0), (1, 0), (2, 0)]);
    let bytes = i32::try_from(record.len()).expect("small");
    let sent = reader.begin_waiting(5 * bytes);
    for partition in [0, 2, 0, 2, 0] {
        producer.call(&produce_request("t", partition, 1, record.clone()), 9);
    }
    let told = reader.receive(sent);
    let told: Vec<_> = told
        .iter()
        .map(|data| (data.partition_index, values(data).len()))
        .collect();
    assert_eq!(told, [(0, 3), (2, 2)]);
}

#[test]
fn a_turn_that_was_overtaken_fails_and_what_it_would_have_told_is_told_by_the_next() {
    let server = TestServer::start(&MEMORY);
    server.add_topic("t", 1);
    let mut reader = Reader::at_end(&server, "t", &[(0, 0)]);
    let overtaken = reader.begin_waiting(1);
    let next = reader.request(Vec::new());
    let mut other = server.connect();
    eventually("the first turn has begun", || {
        other.call(&next, VERSION).error_code == 0
    });
    produce(&mut server.connect(), "t", 1, batch(&["x"]));
    let response = reader.client.receive::<FetchRequest>(VERSION, overtaken);
    let error = ErrorCode::from_code(response.error_code);
    assert_eq!(error, ErrorCode::InvalidFetchSessionEpoch);
    let told = reader.turn(Vec::new());
    assert_eq!(values(&told[0]), [(0, "x".to_owned())]);
}
